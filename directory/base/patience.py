"""How long the database is waited for, by kind of work.

    connect         for a new connection
    pool            for a connection that others of this process have
    lock            for a row or table that another transaction holds
    statement       for the answer to one statement
    transaction     between two statements of one transaction, then the server ends it

The server is told of the last three and gives up by itself; where it does not answer at all (a
network that swallows, a standby that must confirm and is missing: PostgreSQL does not count the
end of a COMMIT as its statement), we give up a little later and close the connection. Nothing is
asked a second time: whoever cannot know whether a write has happened says so to his caller.
"""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from sqlalchemy import URL, Engine, event, make_url
from sqlalchemy.exc import ArgumentError

from directory.base.config import Settings
from directory.base.errors import Misconfigured

GRACE = 2.0
"""Seconds that the server's own refusal may take to reach us."""
_OF_A_FILE = 32
PING = 3.0
"""Seconds in which a connection that was idle must show that it lives."""
_ALIVE = {"keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3}
"""TCP's own probes (seconds): a dead peer of an idle connection is noticed in half a minute."""


@dataclass(frozen=True)
class Limits:
    """Seconds; None: without limit. ``hot`` and ``transactions`` are the sizes of the pools; a
    connection that rested longer than ``trusted`` is asked whether it is there (None: ``db.IDLE``).
    """

    statement: float | None = None
    connect: float = 10.0
    pool: float = 30.0
    hot: int = 16
    transactions: int = 16
    trusted: float | None = None

    @property
    def lock(self) -> float | None:
        """Half of a statement's time: who waits for a lock longer is told so in good time."""
        return None if self.statement is None else self.statement / 2

    @property
    def transaction(self) -> float | None:
        """The three longest statements' time."""
        return None if self.statement is None else self.statement * 3

    @property
    def both(self) -> int:
        """Where both pools are one, of connections that cost next to nothing."""
        return max(_OF_A_FILE, self.hot) if self.transactions else self.hot

    @property
    def at_server(self) -> str:
        """As the server's own settings, in milliseconds; 0 is none, whatever the role has."""
        given = {
            "statement_timeout": self.statement,
            "lock_timeout": self.lock,
            "idle_in_transaction_session_timeout": self.transaction,
        }
        return " ".join(
            f"-c {name}={math.ceil((value or 0) * 1000)}" for name, value in given.items()
        )


OFTEN = 5.0
"""A worker uses its connections every few seconds, and only its next look fails."""
UNHURRIED = Limits()
"""Of commands and tests: who waits can see what for, and stop."""
PROBING = Limits(statement=2.0, connect=2.0, pool=2.0, hot=1, transactions=0)
"""Of looks whether all is well."""


def of_web(settings: Settings) -> Limits:
    """Of a process that answers people: they do not wait longer."""
    return _limits(settings, settings.web_database_seconds, settings.web_connections)


def of_worker(settings: Settings) -> Limits:
    """Of a process that does jobs."""
    found = _limits(settings, settings.worker_database_seconds, settings.worker_connections)
    return replace(found, trusted=OFTEN)


def _limits(settings: Settings, statement: float, connections: int) -> Limits:
    hot = max(1, connections * 2 // 5)
    return Limits(
        statement=statement,
        connect=settings.database_connect_seconds,
        pool=settings.database_pool_seconds,
        hot=hot,
        transactions=connections - hot,
    )


@contextmanager
def quickly(connection: Any) -> Iterator[None]:
    """Less patience for a while: only whether the other side lives is asked."""
    before = getattr(connection, "patience", None)
    if before is None:
        yield
        return
    connection.patience = min(before, PING)
    try:
        yield
    finally:
        connection.patience = before


def bounded(engine: Engine, limits: Limits) -> None:
    """Let the engine's connections wait no longer than these limits."""
    patience = None if limits.statement is None else limits.statement + GRACE

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, _record: Any, cargs: list[Any], given: dict[str, Any]) -> Any:
        own: dict[str, Any] = _ALIVE | {"connect_timeout": max(2, math.ceil(limits.connect))}
        if patience is not None:
            own["tcp_user_timeout"] = math.ceil(patience * 1000)
        wanted = own | given
        wanted["options"] = f"{given.get('options', '')} {limits.at_server}".strip()
        # Only here: whose database is a file need not read the driver of the server.
        made = import_module("directory.base.bounded").Bounded.connect(*cargs, **wanted)
        made.patience = patience
        return made


_PARTS = re.compile(r"(?P<scheme>[^:/]+://)(?P<user>.*@)?(?P<hosts>[^/?]*)(?P<tail>.*)", re.DOTALL)
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::(?P<port>[0-9]{1,5}))?")


def reachable(url: str) -> URL:
    """The URL as SQLAlchemy reads it. Several hosts may stand in it as libpq writes them
    (``postgresql://user@one:5432,two:5433/db``): the one that takes writes is used.

    Raises Misconfigured.
    """
    parts = _PARTS.fullmatch(url)
    several = parts["hosts"].split(",") if parts else []
    found = [each for each in map(_HOST.fullmatch, several) if each]
    try:
        if parts is None or len(several) < 2 or len(found) < len(several):
            read = make_url(url)
        else:
            together = {
                "host": ",".join(each["host"].strip("[]") for each in found),
                "port": ",".join(each["port"] or "5432" for each in found),
            }
            read = make_url(f"{parts['scheme']}{parts['user'] or ''}{parts['tail']}")
            asked = {"target_session_attrs": "read-write"} | dict(read.query) | together
            read = read.set(query=asked)
        read.get_dialect()
        if read.get_backend_name() == "postgresql":
            return read
    except (ArgumentError, ValueError, ImportError):
        pass  # not told on: what stands in it may be a password
    raise Misconfigured(
        "database_url",
        "database_url không đọc được; ví dụ đúng: postgresql://dinhdanh@host:5432/dinhdanh.",
    )
