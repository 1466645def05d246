"""No target holds a worker: what it sends is bounded in pages, entries, bytes, depth and time."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from connectors.accounts.registry import save_secret
from directory import entitlements
from directory.base import outbox
from directory.base.clock import system_clock
from directory.base.outbox import JobKind
from idp.run import performing, worker
from tests.factories import make_application
from tests.odd_scim import ERROR, LIST, TOKEN, odd_scim
from tests.scim_fixture import serving
from tests.serving import until
from tests.targets import (
    LdapLiar,
    Stage,
    done,
    entry,
    ldap_liar,
    next_page,
    on_stage,
    reset,
    taking_less_than,
    tlv,
)

SOON = timedelta(seconds=60)
"""A job is over within its deadline, which is far below that; a busy machine takes some seconds more."""


@pytest.fixture
def at_ldap(make_settings: Callable[..., Any], clock: Any) -> Callable[[LdapLiar], Any]:
    """An installation whose application is that program."""

    def opened(liar: LdapLiar, **others: Any) -> Any:
        settings = {
            "host": "127.0.0.1",
            "port": liar.port,
            "security": "plain",
            "bind_dn": "cn=admin",
            "base": "dc=x",
            "timeout": 2,
        }
        return on_stage(make_settings, clock, "ldap", settings | others, "secret", port=liar.port)

    return opened


@pytest.fixture
def at_http(make_settings: Callable[..., Any], clock: Any) -> Any:
    """An installation whose application answers over HTTP as the test says."""

    @contextmanager
    def opened(answer: Callable[[Request], Response], **others: Any) -> Iterator[Stage]:
        with serving(Request.application(answer)) as port:
            url = {"url": f"http://127.0.0.1:{port}/scim/v2"}
            with on_stage(make_settings, clock, "scim", url, "t", port=port, **others) as stage:
                yield stage

    return opened


def pages_for_ever(connection: socket.socket, message: int) -> None:
    connection.sendall(done(message, 0x65, 0, b"", next_page(b"more")))


def entries_for_ever(connection: socket.socket, message: int) -> None:
    number = 0
    while True:
        connection.sendall(
            b"".join(entry(message, f"uid=u{number + n},dc=x", uid="u") for n in range(500))
        )
        number += 500


def slow_drip(connection: socket.socket, message: int) -> None:
    whole = entry(message, "uid=u,dc=x", uid="u" * 2000)
    for byte in whole:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def one_huge_message(connection: socket.socket, message: int) -> None:
    connection.sendall(b"\x30\x84\x7f\xff\xff\xff")
    while True:
        connection.sendall(b"\x00" * 65536)


def nested(connection: socket.socket, message: int) -> None:
    body = b""
    for _ in range(3000):
        body = tlv(0x30, body)
    connection.sendall(tlv(0x30, tlv(2, message.to_bytes(4, "big")), tlv(0x64, body)))


def garbage(connection: socket.socket, message: int) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 20)


def truncated(connection: socket.socket, message: int) -> None:
    connection.sendall(entry(message, "uid=u,dc=x", uid="u")[:-4])
    reset(connection)


def wrong_types(connection: socket.socket, message: int) -> None:
    connection.sendall(
        tlv(0x30, tlv(2, message.to_bytes(4, "big")), tlv(0x65, tlv(4, b"not a number")))
    )


def another_number(connection: socket.socket, message: int) -> None:
    connection.sendall(done(message + 77, 0x65))


LIES = [
    pages_for_ever,
    entries_for_ever,
    slow_drip,
    one_huge_message,
    nested,
    garbage,
    truncated,
    wrong_types,
    another_number,
]


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_an_ldap_server_without_end_or_sense_is_given_up_and_named(at_ldap: Any, lie: Any) -> None:
    with ldap_liar(lie) as liar, at_ldap(liar) as stage:
        change = stage.suspend()
        with taking_less_than(SOON):
            stage.work()
        (effect,) = stage.account_effects(change)
        assert effect["state"] in ("sent", "parked")
        assert "Lỗi nội bộ" not in effect["reason"]  # the fault is not ours
        assert "LDAP" in effect["reason"] or "127.0.0.1" in effect["reason"]


def test_a_garbled_answer_to_the_bind_is_the_servers_fault(at_ldap: Any) -> None:
    with ldap_liar(pages_for_ever, bind=garbage) as liar, at_ldap(liar) as stage:
        change = stage.suspend()
        stage.work()
        (effect,) = stage.account_effects(change)
        assert "Lỗi nội bộ" not in effect["reason"]


def deep(status: int) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        return Response("[" * 200_000, status, content_type="application/scim+json")

    return answer


def lists_for_ever(request: Request) -> Response:
    """Every page is full, and says that there are more."""
    start = int(request.args.get("startIndex", 1))
    users = [{"id": f"{start + n}", "userName": f"u{start + n}"} for n in range(100)]
    return Response(
        json.dumps({"schemas": [LIST], "totalResults": 10**12, "Resources": users}),
        content_type="application/scim+json",
    )


def same_page_for_ever(request: Request) -> Response:
    users = [{"id": "1", "userName": "u"}]
    return Response(
        json.dumps({"schemas": [LIST], "totalResults": 5, "Resources": users}),
        content_type="application/scim+json",
    )


def bomb(request: Request) -> Response:
    return Response(
        gzip.compress(b" " * 50_000_000, 9),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/scim+json"},
    )


def redirects_for_ever(request: Request) -> Response:
    return Response("", 307, headers={"Location": f"{request.path}/"})


ANSWERS: dict[str, Callable[[Request], Response]] = {
    "deep": deep(200),
    "deep_error": deep(400),
    "deep_conflict": deep(409),
    "lists_for_ever": lists_for_ever,
    "same_page_for_ever": same_page_for_ever,
    "bomb": bomb,
    "redirects_for_ever": redirects_for_ever,
    "huge_number": lambda request: Response('{"totalResults": 1e999, "Resources": []}'),
    "long_number": lambda request: Response('{"totalResults": ' + "9" * 9999 + "}"),
    "list": lambda request: Response("[]"),
    "text": lambda request: Response('"x"'),
    "wrong_kinds": lambda request: Response('{"Resources": {"a": 1}, "totalResults": []}'),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_http_target_without_end_or_sense_is_given_up_and_named(at_http: Any, name: str) -> None:
    with at_http(ANSWERS[name]) as stage:
        stage.job()
        with taking_less_than(SOON):
            stage.work()
        ((job),) = [j for state in ("ready", "parked") for j in stage.jobs(state)]
        assert job["reason"]
        assert "Lỗi nội bộ" not in job["reason"]


def test_a_whole_job_has_a_deadline_however_many_answers_come_in_time(at_http: Any) -> None:
    """Each answer comes within its own limit; there are just very many of them."""

    def slow_pages(request: Request) -> Response:
        time.sleep(0.5)
        return lists_for_ever(request)

    with at_http(slow_pages, job_timeout=3) as stage:
        stage.job()
        with taking_less_than(SOON):
            stage.work()
        assert stage.jobs("ready")


UNSTORABLE = {
    "nul": "before\x00after",
    "lone surrogate": "before\ud800after",
    "controls": "before\x1b[31mafter\x07",
    "long": "x" * 200_000,
}


@pytest.mark.both_databases
@pytest.mark.parametrize("name", UNSTORABLE)
def test_what_cannot_be_stored_is_stored_escaped(at_http: Any, name: str) -> None:
    def refuses(request: Request) -> Response:
        body = {"schemas": [ERROR], "status": "400", "detail": UNSTORABLE[name]}
        return Response(json.dumps(body), 400, content_type="application/scim+json")

    with at_http(refuses) as stage:
        change = stage.province.do(
            kind="transfer",
            user=stage.province.users[2],
            to_unit=stage.province.units[1],
            position="TP",
        )
        stage.work(2)
        (job,) = stage.jobs("parked")
        assert "\x00" not in job["reason"]
        assert "\x1b" not in job["reason"]
        assert len(job["reason"]) < 2_000
        assert stage.state_of(change) == "parked"


@pytest.mark.both_databases
@pytest.mark.parametrize("name", UNSTORABLE)
def test_an_id_that_cannot_be_stored_is_refused_with_a_reason(
    make_settings: Any, clock: Any, name: str
) -> None:
    with odd_scim(name=lambda number: UNSTORABLE[name]) as service:
        settings = {"url": service.url}
        with on_stage(
            make_settings, clock, "scim", settings, "token-of-the-odd", port=service.port
        ) as stage:
            stage.make()
            (job,) = [j for s in ("ready", "parked", "done") for j in stage.jobs(s)]
            if name == "controls":
                return  # odd, but it can be kept
            assert job["state"] == "parked"
            assert "Lỗi nội bộ" not in job["reason"]


@contextmanager
def stuck_targets(
    make_settings: Any, handlers: Any, *, beside: str = "", **settings: Any
) -> Iterator[Stage]:
    """A worker at work, and two LDAP servers that say nothing, with eight accounts each to do.

    ``beside`` is the address of a third application, whose own jobs a test may order.
    """
    let_go = threading.Event()

    def says_nothing(connection: socket.socket, message: int) -> None:
        let_go.wait(60)
        reset(connection)

    port = int(beside.rpartition(":")[2].partition("/")[0] or 1)
    with ExitStack() as stack:
        liars = [stack.enter_context(ldap_liar(says_nothing)) for _ in range(2)]
        also = [f"127.0.0.1:{liar.port}" for liar in liars]
        at = {"url": beside}
        stage = stack.enter_context(
            on_stage(
                make_settings, system_clock, "scim", at, TOKEN, port=port, also=also, **settings
            )
        )
        stack.callback(let_go.set)
        with stage.services.db.write() as session:
            for liar in liars:
                reached = {"host": "127.0.0.1", "port": liar.port, "security": "plain"}
                made = make_application(
                    session,
                    connector="ldap",
                    connector_settings=reached
                    | {"bind_dn": "cn=admin", "base": "dc=x", "timeout": 25},
                )
                save_secret(session, made, "s", keyring=stage.services.keyring)
                now = system_clock()
                jobs = [
                    entitlements.account_job(user, made.id, now=now, priority=0)
                    for user in stage.province.users
                ]
                outbox.enqueue_rows(session, jobs)
        runner = worker.Worker(stage.services, handlers=dict(performing.HANDLERS) | handlers)
        thread = threading.Thread(target=runner.run, daemon=True)
        thread.start()
        assert until(lambda: sum(liar.searches for liar in liars) >= 6, within=30)
        try:
            yield stage
        finally:
            let_go.set()
            runner.stop()
            thread.join(30)


@pytest.mark.both_databases
def test_stuck_targets_leave_a_thread_for_logouts(make_settings: Any) -> None:
    told = threading.Event()

    def urgent(tools: Any, claim: Any) -> Any:
        told.set()
        return lambda session: set()

    with stuck_targets(make_settings, {JobKind.LOGOUT_DELIVER: urgent}, job_timeout=20) as stage:
        with stage.services.db.write() as session:
            row = outbox.row_for(JobKind.LOGOUT_DELIVER, "grant", now=system_clock(), priority=0)
            outbox.enqueue_rows(session, [row])
        assert told.wait(12), "nobody was free for a logout"


def test_stuck_targets_do_not_hold_up_the_accounts_of_others(make_settings: Any) -> None:
    """Once a target has shown that it is slow, it gets one thread."""
    with (
        odd_scim() as service,
        stuck_targets(make_settings, {}, beside=service.url, job_timeout=6) as stage,
    ):
        stage.job()
        deadline = time.monotonic() + 15
        while not service.accounts and time.monotonic() < deadline:
            time.sleep(0.1)
        assert service.accounts, "nobody was free for another application"
