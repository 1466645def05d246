"""One engine, five ways in: ``read()``, ``snapshot()``, ``write()``, ``hot()`` and ``probe()``.

    with db.write() as session:     one transaction; SQLite begins it with BEGIN IMMEDIATE
    with db.read() as session:      a look, never committed
    with db.snapshot() as session:  the same, of one moment
    with db.hot() as connection:    AUTOCOMMIT, Core statements; the token and session paths
    with db.probe() as connection:  AUTOCOMMIT, impatient, and beside what work has taken up

How long each may wait, for a connection and for an answer, is in ``Limits``; what they raise when
the database is away, stuck or full is told by ``directory.base.away``.

Functions that write take ``session`` first and never commit: the edge owns the transaction.
"""

import math
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Text,
    TypeDecorator,
    create_engine,
    event,
    inspect,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import NullPool

from directory.base import private, spoken
from directory.base.at_hand import RESTED_SINCE, AtHand
from directory.base.bell import Bell, by_fifo, by_notify, fifo_of
from directory.base.hot import ALONE
from directory.base.patience import PROBING, UNHURRIED, Limits, bounded, quickly, reachable
from directory.base.remembered import Remembered

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UTCDateTime(TypeDecorator[datetime]):
    """An aware UTC moment; naive values are refused, both databases give aware ones back."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To storage."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From storage."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


Key = BigInteger().with_variant(Integer(), "sqlite")
"""Type of surrogate keys; AUTOINCREMENT on SQLite so that an id is never reused."""
Json = JSON().with_variant(JSONB(), "postgresql")


ByBytes = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Type of text: compared, ordered and kept once by its bytes on every database, whatever locale
the server was set up in. What people read in order has a sort key (``directory.base.text``)."""


class Base(DeclarativeBase):
    """Root of every ORM class of the product: one MetaData, one Alembic chain."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: UTCDateTime,
        str: ByBytes,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }


AUTOINCREMENT: dict[str, Any] = {"sqlite_autoincrement": True}
REMEMBERED = 1000
"""Values a process keeps of what it has read of a database."""


class Database:
    """The installation's database: SQLite in WAL mode or PostgreSQL."""

    def __init__(self, url: str, *, limits: Limits = UNHURRIED, prepared: bool = True) -> None:
        """``prepared``: whether the server may keep statements for a connection."""
        self.is_sqlite = url.startswith("sqlite")
        open_both = self._sqlite if self.is_sqlite else partial(self._postgresql, prepared=prepared)
        self.engine, self._hot = open_both(url, limits)
        self._probe = open_both(url, PROBING)[1]
        trusted = IDLE if limits.trusted is None else limits.trusted
        # Where both pools are one, transactions must find some there.
        most = min(limits.hot, limits.both // 2) if self.is_sqlite else limits.hot
        self._at_hand = AtHand(self._hot, most=most, trusted=trusted)
        for what in ("invalidate", "engine_disposed"):
            event.listen(self._hot, what, _spoils(self._at_hand))
        self.bell = Bell(self._tell_of_work())
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._before: Callable[[Database], None] | None = None
        self.remembered = Remembered(REMEMBERED)
        # A command that ends without a word leaves no connection for the server to find dead.
        self._closing = weakref.finalize(
            self, _dispose, self._at_hand, (*self.engines, self._probe)
        )

    def before_use(self, act: "Callable[[Database], None]") -> None:
        """Have ``act`` called before each use, but for a probe; what it does itself is not one."""
        self._before = act

    def _about_to_be_used(self) -> None:
        if self._before is not None:
            self._before(self)

    def _tell_of_work(self) -> Callable[[str], None]:
        if self.is_sqlite:
            return by_fifo(fifo_of(self.engine.url.database))
        return by_notify(self.probe)

    def has_table(self, name: str) -> bool:
        """Whether there is such a table."""
        with self.engine.connect() as connection:
            return inspect(connection).has_table(name)

    @property
    def engines(self) -> tuple[Engine, Engine]:
        """For transactions, and for ``hot``; to listen to what the database is sent."""
        return self.engine, self._hot

    @staticmethod
    def _sqlite(url: str, limits: Limits) -> tuple[Engine, Engine]:
        patience = limits.statement or 30.0  # here only a writer is ever waited for
        engine = create_engine(
            url,
            connect_args={"timeout": patience, "check_same_thread": False},
            pool_size=limits.both,
            max_overflow=0,
            pool_use_lifo=True,  # few connections with caches of their own
            pool_timeout=limits.pool,
            hide_parameters=True,  # errors are logged, and parameters are people's data
        )

        @event.listens_for(engine, "do_connect")
        def _make(_dialect: Any, _record: Any, arguments: Any, _options: Any) -> None:
            # The files beside it (-wal, -shm) are given the mode of the database's own.
            if arguments and not arguments[0].startswith((":memory:", "file:")):
                private.file(Path(arguments[0]))

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            # Our own BEGIN: the driver's implicit one is deferred, and a read that turns into
            # a write fails at once with "database is locked" in spite of the time-out.
            connection.isolation_level = None
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                f"busy_timeout={round(patience * 1000)}",
                # Of each connection, and given up whenever another one has written: the system's
                # own cache of the file serves all.
                "cache_size=-4096",
                "temp_store=MEMORY",
                "case_sensitive_like=ON",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            begin = connection.get_execution_options().get("dinhdanh_begin", "BEGIN")
            connection.exec_driver_sql(begin)

        # A connection without BEGIN is in autocommit; the dialect's own switch would bring the
        # driver's implicit transactions back.
        return engine, create_engine(
            url, pool=engine.pool, hide_parameters=True, execution_options={ALONE: True}
        )

    @staticmethod
    def _postgresql(url: str, limits: Limits, *, prepared: bool) -> tuple[Engine, Engine]:
        # READ COMMITTED with explicit row locks: the door takes them in one order, so that a
        # commit waits for another instead of failing on serialisation.
        common: dict[str, Any] = {
            "max_overflow": 0,
            "pool_timeout": limits.pool,
            "hide_parameters": True,
        }
        address = reachable(url)
        # A pool of its own: to switch a connection to AUTOCOMMIT and back costs as much as a
        # SELECT.
        hot = create_engine(
            address,
            pool_size=limits.hot,
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
            execution_options={ALONE: True},
            pool_use_lifo=True,  # what was used last is known to live
            **common,
        )
        spoken.plan(hot, spoken.ONCE)
        engines = create_engine(address, pool_size=limits.transactions, **common), hot
        for each in engines:
            spoken.require_utf8(each)  # first: who connects in place of the dialect ends the round
            if not prepared:
                spoken.prepare_nothing(each)
            spoken.plan(each, spoken.PLAINLY)
            bounded(each, limits)
            _ask_the_idle(each, limits.trusted)
        return engines

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction: committed when the block ends, rolled back when it raises."""
        self._about_to_be_used()
        session = self._sessions(
            bind=self.engine.execution_options(dinhdanh_begin="BEGIN IMMEDIATE")
        )
        try:
            yield session
            session.commit()
            if session.info.pop("work", False):
                self.bell.ring()
            for act in session.info.pop("after_commit", ()):
                act()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read-only look; rows read stay usable afterwards, changes are dropped."""
        self._about_to_be_used()
        session = self._sessions()
        try:
            yield session
        finally:
            session.expunge_all()
            session.rollback()
            session.close()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """A read-only look at one moment, however many statements it takes: ``read`` on
        PostgreSQL shows each statement what has been committed by then.
        """
        self._about_to_be_used()
        engine = self.engine
        if not self.is_sqlite:
            engine = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        session = self._sessions(bind=engine)
        try:
            yield session
        finally:
            session.expunge_all()
            session.rollback()
            session.close()

    @contextmanager
    def hot(self) -> Iterator[Connection]:
        """A Core connection in AUTOCOMMIT: each statement is its own transaction
        (``directory.base.hot``).
        """
        self._about_to_be_used()
        connection, mark = self._at_hand.take()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._at_hand.give_back(connection, mark)

    @contextmanager
    def probe(self) -> Iterator[Connection]:
        """As ``hot``, to see whether all is well: a connection of its own that nobody else uses
        up, and an answer in two seconds or none.
        """
        with self._probe.connect() as connection:
            yield connection

    def dispose(self) -> None:
        """Close all pooled connections."""
        _dispose(self._at_hand, (*self.engines, self._probe))


def _dispose(at_hand: AtHand, engines: tuple[Engine, ...]) -> None:
    at_hand.empty()
    for engine in engines:
        engine.dispose()


IDLE = 1.0
"""Seconds after which a connection is asked whether it is still there, before it is used, where the
limits do not say otherwise. One that was in use a moment ago is not: to ask costs as much as a SELECT.
Where the server goes away in between, the first request to notice fails, and all connections are made
anew.
"""


def _spoils(at_hand: AtHand) -> Callable[..., None]:
    return lambda *_which: at_hand.spoilt()


def _ask_the_idle(engine: Engine, trusted: float | None) -> None:
    @event.listens_for(engine, "checkin")
    def _came_back(_connection: Any, record: Any) -> None:
        record.info["at"] = record.info.pop(RESTED_SINCE, None) or time.monotonic()

    @event.listens_for(engine, "checkout")
    def _goes_out(connection: Any, record: Any, _proxy: Any) -> None:
        rested = time.monotonic() - record.info.get("at", math.inf)
        if rested > (IDLE if trusted is None else trusted):
            try:
                with quickly(connection):
                    engine.dialect.do_ping(connection)
            except engine.dialect.loaded_dbapi.Error as error:
                raise InvalidatePoolError from error  # made anew, and so are the others


def core(where: "Connection | Session") -> Connection:
    """The connection of a session's transaction, for Core statements: the ORM's own way to the
    same rows costs two to three times as much.
    """
    if isinstance(where, Connection):
        return where
    where.flush()
    return where.connection()


def read_anew(session: Session) -> None:
    """After statements that the session does not know of: whatever it remembers is read again. What it
    was about to write is written first; expiring alone would throw that away.
    """
    session.flush()
    session.expire_all()


def insert_rows(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows by Core in the session's transaction: a third of the ORM's cost."""
    if rows:
        core(session).execute(table.__table__.insert(), rows)  # type: ignore[attr-defined]


def ring_after_commit(session: Session) -> None:
    """Workers are told to look, once, when the transaction of ``session`` has committed."""
    session.info["work"] = True


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Run ``act`` once the transaction of ``session`` has committed; never if it rolls back."""
    session.info.setdefault("after_commit", []).append(act)


def unpooled(url: str, *, limits: Limits = UNHURRIED) -> Engine:
    """An engine that keeps no connection: for administration, and to look whether all is well."""
    engine = create_engine(
        url if url.startswith("sqlite") else reachable(url),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,
    )
    if not url.startswith("sqlite"):
        bounded(engine, limits)
    return engine
