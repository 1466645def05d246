"""The database is away, stuck or full: what people and programs are told, how soon, and that
everything is as before when it is back. In this process; whole installations stand in
``test_bad_days``.
"""

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, exc, make_url, text

from directory.base import patience
from directory.base.db import unpooled
from idp.oidc.known_keys import SigningKeys
from idp.run import wiring
from idp.run.app import create_app
from tests.browser_client import open_login
from tests.conftest import SERVER, missing
from tests.relying_party import Flow, Party, World, build_world
from tests.wire import Wire

LIMIT = 1
"""Seconds the web may wait for the database in these tests."""
SOON = 6.0
"""Seconds in which a refusal must come: a ping, a connection and a statement at most."""
HELD = 9.0
"""Seconds after which whoever holds up the database lets go by itself."""

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DINHDANH_WEB_DATABASE_SECONDS", str(LIMIT))
    monkeypatch.setenv("DINHDANH_DATABASE_CONNECT_SECONDS", "2")
    monkeypatch.setenv("DINHDANH_DATABASE_POOL_SECONDS", "1")


@pytest.fixture
def services(settings: Any, clock: Any) -> Iterator[Any]:
    """As the web has them."""
    built = wiring.build(settings, clock=clock, limits=patience.of_web(settings))
    yield built
    built.db.dispose()


@pytest.fixture
def wire(database_kind: str) -> Iterator[Wire]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    with Wire(SERVER) as made:
        yield made


@pytest.fixture
def far(wire: Wire, database_url: str, make_settings: Any, clock: Any) -> Iterator[Any]:
    """Services whose database is at the end of the wire."""
    settings = make_settings(database_url=wire.url(database_url))
    built = wiring.build(settings, clock=clock, limits=patience.of_web(settings))
    yield built
    built.db.dispose()


class Asked:
    """What an installation answers to each kind of caller."""

    def __init__(self, services: Any, clock: Any) -> None:
        self.world: World = build_world(services, clock)
        self.machine: Party = self.world.machine("changes:read")
        self.app: Flask = create_app(services)
        SigningKeys(services.db, services.keyring).warm()  # as the server does
        self.client: FlaskClient = self.app.test_client()
        self.token = self.client_token().get_json()["access_token"]
        assert self.all_well()

    def client_token(self) -> Any:
        form = {"grant_type": "client_credentials", "scope": "changes:read"}
        return self.client.post("/oauth2/token", data=form, headers=self.machine.basic)

    def login(self) -> Any:
        return open_login(self.app.test_client())

    def api(self) -> Any:
        bearer = {"Authorization": f"Bearer {self.token}"}
        return self.client.get("/api/v1/changes/1", headers=bearer)

    def introspect(self) -> Any:
        form = {"token": self.token}
        return self.client.post("/oauth2/introspect", data=form, headers=self.machine.basic)

    def all_well(self) -> bool:
        kinds = (self.login(), self.client_token(), self.api(), self.introspect())
        return [answer.status_code for answer in kinds] == [200, 200, 404, 200]


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    answer = ask()
    return answer, time.monotonic() - began


def refused_for_now(answer: Any) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1


def each_is_told_in_her_own_way(asked: Asked) -> None:
    """Page, OAuth and problem+json: at once enough, none of them a fault of ours."""
    page, took = timed(asked.login)
    assert (refused_for_now(page), page.mimetype, took < SOON) == (True, "text/html", True)
    assert "Hệ thống" in page.text
    for call in (asked.client_token, asked.introspect):
        answer, took = timed(call)
        assert (refused_for_now(answer), took < SOON) == (True, True), answer.text
        assert answer.get_json()["error"] == "temporarily_unavailable"
        assert "no-store" in answer.headers["Cache-Control"]
    answer, took = timed(asked.api)
    assert (refused_for_now(answer), took < SOON) == (True, True), answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["status"] == 503


def a_responder_asks_to_try_later(asked: Asked) -> None:
    """RFC 6960 §2.3: servers that ask about a certificate take 503 for an error of theirs."""
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        b"n" * 20, b"k" * 20, 17, hashes.SHA1()
    )
    question = builder.build().public_bytes(serialization.Encoding.DER)
    kind = "application/ocsp-request"
    answer, took = timed(lambda: asked.client.post("/pki/ocsp", data=question, content_type=kind))
    assert (answer.status_code, answer.mimetype, took < SOON) == (
        200,
        "application/ocsp-response",
        True,
    )
    told = ocsp.load_der_ocsp_response(answer.data)
    assert told.response_status is ocsp.OCSPResponseStatus.TRY_LATER


def what_needs_no_database_answers(asked: Asked) -> None:
    for path in ("/healthz", "/.well-known/openid-configuration", "/oauth2/jwks"):
        answer, took = timed(lambda path=path: asked.client.get(path))
        assert (answer.status_code, took < LIMIT * 0.95) == (200, True), path


def readiness_says_so(asked: Asked) -> None:
    answer, took = timed(lambda: asked.client.get("/readyz"))
    assert (answer.status_code, took < SOON) == (503, True)
    assert answer.get_json()["ready"] is False
    answer, took = timed(lambda: asked.client.get("/metrics"))
    assert (answer.status_code, took < SOON) == (200, True)


@contextmanager
def held_for(seconds: float, hold: Callable[[], Any], let_go: Callable[[], Any]) -> Iterator[None]:
    """Holds something, and lets go when the block ends or when the time is over."""
    hold()
    done = threading.Lock()

    def once() -> None:
        if done.acquire(blocking=False):
            let_go()

    timer = threading.Timer(seconds, once)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        once()
        timer.join()


@contextmanager
def everything_locked(database_url: str) -> Iterator[None]:
    """As a migration or somebody's console would lock it."""
    if database_url.startswith("sqlite"):
        file = database_url.removeprefix("sqlite:///")
        with (
            closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as holder,
            held_for(
                HELD,
                lambda: holder.execute("BEGIN EXCLUSIVE"),
                lambda: holder.execute("ROLLBACK"),
            ),
        ):
            yield
        return
    engine = unpooled(database_url)
    with engine.connect() as holder:
        holder.execute(text("BEGIN"))
        tables = holder.scalars(
            text("SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
        )
        lock = text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE")
        with held_for(HELD, lambda: holder.execute(lock), lambda: holder.execute(text("ROLLBACK"))):
            yield
    engine.dispose()


@on_postgresql
def test_locked_tables_hold_up_nobody_for_long(
    services: Any, clock: Any, database_url: str
) -> None:
    asked = Asked(services, clock)
    with everything_locked(database_url):
        what_needs_no_database_answers(asked)
        clock.advance(seconds=30)  # past what a process may publish from memory
        what_needs_no_database_answers(asked)
        each_is_told_in_her_own_way(asked)
    assert asked.all_well()


def test_a_file_that_another_writes_holds_up_nobody_for_long(
    services: Any, clock: Any, database_url: str
) -> None:
    asked = Asked(services, clock)
    asks = Flow(asked.app.test_client(), asked.world.register())
    with everything_locked(database_url):
        what_needs_no_database_answers(asked)
        page, took = timed(asked.login)  # which reads only
        assert (page.status_code, took < SOON) == (200, True)
        answer, took = timed(asks.ask)  # which writes nothing for a stranger either
        assert (answer.status_code, took < SOON) == (303, True)
        answer, took = timed(asked.client_token)
        assert (answer.status_code in (200, 503), took < SOON) == (True, True)
    assert asked.all_well()


@on_postgresql
def test_a_network_that_swallows_holds_up_nobody_for_long(far: Any, wire: Wire, clock: Any) -> None:
    asked = Asked(far, clock)
    timer = threading.Timer(HELD * 2, lambda: (wire.heal(), wire.reset()))
    timer.start()
    wire.swallow()
    try:
        clock.advance(seconds=30)
        what_needs_no_database_answers(asked)
        each_is_told_in_her_own_way(asked)
        readiness_says_so(asked)
        what_needs_no_database_answers(asked)
    finally:
        timer.cancel()
        wire.heal()
    assert asked.login().status_code == 200
    assert asked.all_well()


@on_postgresql
@pytest.mark.parametrize("how", ["reset", "refuse"])
def test_a_server_that_is_gone_is_no_fault_of_ours(
    far: Any, wire: Wire, clock: Any, how: str
) -> None:
    asked = Asked(far, clock)
    getattr(wire, how)()
    first = asked.login()
    assert first.status_code == 200 or refused_for_now(first)
    if how == "refuse":
        each_is_told_in_her_own_way(asked)
        readiness_says_so(asked)
        clock.advance(seconds=30)
        what_needs_no_database_answers(asked)
    wire.heal()
    asked.all_well()  # whoever is first to use a connection that is gone notices it
    assert asked.all_well()


@on_postgresql
def test_who_asks_about_a_certificate_is_told_to_try_later(
    far: Any, wire: Wire, clock: Any
) -> None:
    asked = Asked(far, clock)
    wire.refuse()
    a_responder_asks_to_try_later(asked)
    wire.heal()
    with pytest.raises(AssertionError):
        a_responder_asks_to_try_later(asked)


@on_postgresql
def test_a_slow_wire_is_only_slow(far: Any, wire: Wire, clock: Any) -> None:
    asked = Asked(far, clock)
    wire.delay(0.05)
    assert asked.login().status_code == 200


@on_postgresql
def test_a_database_without_room_for_another_connection_is_away(
    database_url: str, make_settings: Any, clock: Any
) -> None:
    role = f"narrow_{secrets.token_hex(6)}"
    admin = unpooled(database_url)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN SUPERUSER"))
    narrow = make_url(database_url).set(username=role).render_as_string(hide_password=False)
    settings = make_settings(database_url=narrow)
    built = wiring.build(settings, clock=clock, limits=patience.of_web(settings))
    try:
        asked = Asked(built, clock)
        built.db.dispose()
        with admin.connect() as connection:
            # Superusers are not counted.
            connection.execute(text(f"ALTER ROLE {role} NOSUPERUSER CONNECTION LIMIT 0"))
        each_is_told_in_her_own_way(asked)
        readiness_says_so(asked)
        with admin.connect() as connection:
            connection.execute(text(f"ALTER ROLE {role} SUPERUSER CONNECTION LIMIT -1"))
        assert asked.all_well()
    finally:
        built.db.dispose()
        _drop(admin, role)


def _drop(admin: Any, role: str) -> None:
    with admin.connect() as connection:
        connection.execute(text(f"DROP ROLE {role}"))
    admin.dispose()


@pytest.mark.both_databases
def test_a_pool_that_is_taken_up_holds_up_nobody_for_long(services: Any, clock: Any) -> None:
    asked = Asked(services, clock)
    taken: list[Connection] = []
    at_hand = ExitStack()
    try:
        with suppress(exc.TimeoutError):
            for _ in range(200):
                at_hand.enter_context(services.db.hot())
        for engine in services.db.engines:
            while engine.pool.checkedout() < 200:
                began = time.monotonic()
                try:
                    taken.append(engine.connect())
                except Exception:  # noqa: BLE001
                    break
                finally:
                    assert time.monotonic() - began < SOON
        what_needs_no_database_answers(asked)
        each_is_told_in_her_own_way(asked)
    finally:
        at_hand.close()
        for connection in taken:
            connection.close()
    assert asked.all_well()
