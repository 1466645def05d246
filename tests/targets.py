"""An application with a target, people who get accounts there, and a worker that can be stopped.

on_stage(...)     a small province, one application, its rule: ``Stage``
stage.job(...)    order a person's account to be made right, ``stage.work()`` does it
stage.account_effects(change), stage.link(person), stage.parked()   what is known of it, by SQL
LdapLiar          a program that speaks just enough LDAP to lie
"""

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from connectors.accounts import apply, registry
from connectors.accounts.registry import save_secret
from directory import entitlements
from directory.base import outbox
from directory.base.outbox import Claim, JobKind
from directory.changes.model import Change
from idp.run import performing, wiring
from tests.factories import make_application, make_rule
from tests.properties.conftest import Province, build_province


@dataclass
class Stage:
    """One installation with one application; the first commune's people have accounts in it."""

    services: Any
    clock: Any
    province: Province
    application: int

    @property
    def person(self) -> int:
        """Somebody who has the application."""
        return self.province.users[0]

    def job(self, user: int | None = None) -> None:
        """Order one account to be made right."""
        with self.services.db.write() as session:
            outbox.enqueue_rows(
                session,
                [entitlements.account_job(user or self.person, self.application, now=self.clock())],
            )

    def work(self, rounds: int = 1) -> None:
        """Do what is due; time passes between rounds, so that what was put off is due again."""
        handlers: dict[JobKind, performing.Handler] = dict.fromkeys(JobKind, _nothing)
        handlers[JobKind.ACCOUNT_APPLY] = apply.apply_account
        handlers[JobKind.SUBJECT_BOUNDARY] = performing.take_effect
        for round_ in range(rounds):
            if round_:
                self.clock.advance(seconds=500)
            performing.drain(self.services, handlers=handlers)

    def make(self, user: int | None = None) -> None:
        """Give somebody her account."""
        self.job(user)
        self.work()

    def sql(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of a statement."""
        with self.services.db.engine.connect() as connection:
            return [dict(r) for r in connection.execute(text(statement), values).mappings()]

    def account_effects(self, change: Change) -> list[dict[str, Any]]:
        """The change's effects on accounts as they stand."""
        return self.sql(
            'SELECT kind, state, reason FROM effect WHERE change_id = :id AND "column" = :c'
            " ORDER BY id",
            id=change.id,
            c="accounts",
        )

    def state_of(self, change: Change) -> str:
        """The state of the change's one effect on an account."""
        (effect,) = self.account_effects(change)
        return str(effect["state"])

    def link(self, user: int | None = None) -> dict[str, Any]:
        """What is noted of somebody's account."""
        rows = self.sql("SELECT * FROM account WHERE user_id = :id", id=user or self.person)
        return rows[0] if rows else {}

    def person_row(self, user: int | None = None) -> dict[str, Any]:
        """Somebody's row."""
        (row,) = self.sql("SELECT * FROM users WHERE id = :id", id=user or self.person)
        return row

    def jobs(self, state: str) -> list[dict[str, Any]]:
        """Account jobs in a state."""
        return self.sql(
            "SELECT * FROM job WHERE kind = 'account.apply' AND state = :s ORDER BY id", s=state
        )

    def evidence(self, change: Change) -> dict[str, Any]:
        """What was seen of the change's one effect on an account."""
        (row,) = self.sql(
            'SELECT detail FROM effect WHERE change_id = :id AND "column" = :c',
            id=change.id,
            c="accounts",
        )
        said = row["detail"]
        return dict(said if isinstance(said, dict) else json.loads(said))

    def arrive(self, user: int | None = None) -> Change:
        """Somebody from elsewhere comes to the commune and is to get an account."""
        return self.province.do(
            kind="transfer",
            user=user or self.province.users[2],
            to_unit=self.province.units[1],
            position="TP",
        )

    def suspend(self, user: int | None = None) -> Change:
        """She is suspended: her account is to be disabled."""
        return self.province.do(kind="suspend", user=user or self.person)

    def leave(self, user: int | None = None) -> Change:
        """She leaves today."""
        return self.province.do(
            kind="leave",
            user=user or self.person,
            reason="retire",
            effective_on=self.province.today.isoformat(),
        )


def _nothing(tools: Any, claim: Claim) -> Callable[[Any], set[str]]:
    return lambda session: set()


@contextlib.contextmanager
def on_stage(  # the settings, the clock, and what the application's connector is
    make_settings: Callable[..., Any],
    clock: Any,
    connector: str,
    connector_settings: dict[str, Any],
    secret: str,
    *,
    port: int,
    host: str = "127.0.0.1",
    also: Iterable[str] = (),
    **settings: Any,
) -> Iterator[Stage]:
    """Build an installation whose one application is at that port; ``also`` are further addresses
    that it may call.
    """
    allow = [f"{host}:{port}", *also]
    built = wiring.build(make_settings(outbound_allow=allow, **settings), clock=clock)
    province = build_province(built, clock)
    with built.db.write() as session:
        made = make_application(
            session, "qlvb", connector=connector, connector_settings=connector_settings
        )
        save_secret(session, made, secret, keyring=built.keyring)
        first = session.get_one(entitlements.OrgUnit, province.units[0])
        make_rule(session, made, "editor", unit_id=first.parent_id)
        application = made.id
    try:
        yield Stage(built, clock, province, application)
    finally:
        registry.close(built.outbound)
        built.outbound.close()
        built.db.dispose()


# ---- LDAP, just enough to lie ---------------------------------------------------------------

PAGED = b"1.2.840.113556.1.4.319"


def tlv(tag: int, *parts: bytes) -> bytes:
    """BER: tag, length, value (X.690 §8.1)."""
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def number(value: int, tag: int = 2) -> bytes:
    """An INTEGER."""
    return tlv(tag, value.to_bytes(max(1, (value.bit_length() + 8) // 8), "big"))


def done(message: int, operation: int, code: int = 0, words: bytes = b"", *rest: bytes) -> bytes:
    """An LDAPMessage with a result (RFC 4511 §4.1.9)."""
    result = tlv(operation, number(code, 10), tlv(4, b""), tlv(4, words))
    return tlv(0x30, number(message), result, *rest)


def entry(message: int, name: str, **values: str) -> bytes:
    """A search result entry."""
    said = [
        tlv(0x30, tlv(4, key.encode()), tlv(0x31, tlv(4, value.encode())))
        for key, value in values.items()
    ]
    return tlv(0x30, number(message), tlv(0x64, tlv(4, name.encode()), tlv(0x30, *said)))


def next_page(cookie: bytes) -> bytes:
    """The control that says there is more (RFC 2696)."""
    value = tlv(0x30, number(0), tlv(4, cookie))
    return tlv(0xA0, tlv(0x30, tlv(4, PAGED), tlv(4, value)))


@dataclass
class LdapLiar:
    """Answers every bind with success and every search as ``search`` says."""

    search: Callable[[socket.socket, int], None]
    port: int = 0
    bind: Callable[[socket.socket, int], None] = lambda s, m: s.sendall(done(m, 0x61))
    others: int = 0
    """The result of every other operation."""
    searches: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while not self.stopped.is_set():
                body = _message(connection)
                if body is None:
                    return
                message, operation = _head(body)
                if operation == 0x60:
                    self.bind(connection, message)
                elif operation == 0x63:
                    self.searches += 1
                    self.search(connection, message)
                elif operation == 0x42:
                    return
                else:
                    connection.sendall(done(message, operation + 1, self.others))


def _message(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, 2)
    if not head:
        return None
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(_exactly(connection, length & 0x7F), "big")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = connection.recv(size - len(found))
        if not more:
            return b""
        found += more
    return found


def _head(body: bytes) -> tuple[int, int]:
    length = body[1]
    return int.from_bytes(body[2 : 2 + length], "big"), body[2 + length]


@contextlib.contextmanager
def ldap_liar(search: Callable[[socket.socket, int], None], **others: Any) -> Iterator[LdapLiar]:
    """Serve one from threads."""
    liar = LdapLiar(search, **others)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        liar.port = listener.getsockname()[1]

        def listen() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    if liar.stopped.is_set():
                        connection.close()
                        return
                    threading.Thread(target=liar.serve, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield liar
        finally:
            liar.stopped.set()
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", liar.port), timeout=1).close()
            thread.join(2)


def reset(connection: socket.socket) -> None:
    """Close without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextlib.contextmanager
def taking_less_than(limit: timedelta) -> Iterator[None]:
    """Fails when what is inside takes longer."""
    begun = time.monotonic()
    yield
    took = time.monotonic() - begun
    assert took < limit.total_seconds(), f"took {took:.1f} s"
