"""One engine, three ways in: ``read()``, ``write()`` and ``hot()``.

    with db.write() as session:     one transaction; SQLite begins it with BEGIN IMMEDIATE
    with db.read() as session:      a consistent snapshot, never committed
    with db.hot() as connection:    AUTOCOMMIT, Core statements; the token and session paths

Functions that write take ``session`` first and never commit: the edge owns the transaction.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
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
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import NullPool

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


class Base(DeclarativeBase):
    """Root of every ORM class of the product: one MetaData, one Alembic chain."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy reads it from the class)
        datetime: UTCDateTime,
        str: Text,
        dict[str, Any]: Json,
        list[Any]: Json,
        list[str]: Json,
    }


AUTOINCREMENT: dict[str, Any] = {"sqlite_autoincrement": True}


class Database:
    """The installation's database: SQLite in WAL mode or PostgreSQL."""

    def __init__(self, url: str, *, pool_size: int = 16) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self.engine = (self._sqlite if self.is_sqlite else self._postgresql)(url, pool_size)
        # On SQLite a connection without BEGIN is in autocommit; the dialect's own switch would
        # bring the driver's implicit transactions back.
        self._hot = self.engine.execution_options(
            **({"dinhdanh_begin": ""} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    @staticmethod
    def _sqlite(url: str, pool_size: int) -> Engine:
        engine = create_engine(
            url,
            connect_args={"timeout": 30, "check_same_thread": False},
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,  # errors are logged, and parameters are people's data
        )

        @event.listens_for(engine, "connect")
        def _configure(connection: Any, _record: Any) -> None:
            # Our own BEGIN: the driver's implicit one is deferred, and a read that turns into
            # a write fails at once with "database is locked" in spite of the time-out.
            connection.isolation_level = None
            for pragma in (
                "journal_mode=WAL",
                "synchronous=FULL",
                "foreign_keys=ON",
                "busy_timeout=30000",
                "cache_size=-16384",
                "temp_store=MEMORY",
                "case_sensitive_like=ON",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            begin = connection.get_execution_options().get("dinhdanh_begin", "BEGIN")
            if begin:
                connection.exec_driver_sql(begin)

        return engine

    @staticmethod
    def _postgresql(url: str, pool_size: int) -> Engine:
        # READ COMMITTED with explicit row locks: the door takes them in one order, so that a
        # commit waits for another instead of failing on serialisation.
        return create_engine(
            url,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,
        )

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One write transaction: committed when the block ends, rolled back when it raises."""
        session = self._sessions(
            bind=self.engine.execution_options(dinhdanh_begin="BEGIN IMMEDIATE")
        )
        try:
            yield session
            session.commit()
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
        session = self._sessions()
        try:
            yield session
        finally:
            session.expunge_all()
            session.rollback()
            session.close()

    @contextmanager
    def hot(self) -> Iterator[Connection]:
        """A Core connection in AUTOCOMMIT: each statement is its own transaction."""
        with self._hot.connect() as connection:
            yield connection

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()


def insert_rows(session: Session, table: type[Base], rows: Sequence[dict[str, Any]]) -> None:
    """Insert many rows by Core in the session's transaction: a third of the ORM's cost."""
    if rows:
        session.flush()
        session.connection().execute(table.__table__.insert(), rows)  # type: ignore[attr-defined]


def after_commit(session: Session, act: Callable[[], None]) -> None:
    """Run ``act`` once the transaction of ``session`` has committed; never if it rolls back."""
    session.info.setdefault("after_commit", []).append(act)


def unpooled(url: str) -> Engine:
    """An engine for one-off administration (create or drop a test database)."""
    return create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
