"""What the processes of one installation tell each other: that they live, what schema they can serve.

sign_of_life           one row per worker process, and one that any process writes now and then to
                       see whether it can (``PROBE``)
schema_compatibility   one row: the oldest release's schema from which on releases can serve
                       the one that is there
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    DateTime,
    bindparam,
    cast,
    delete,
    func,
    inspect,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base.db import Base, UTCDateTime
from directory.base.rows import for_each_dialect

PROBE = "probe"
WORKER = "worker/"
"""Before the name of a worker process."""
PROBED = timedelta(seconds=3)
"""So often one of all processes writes to see whether it can, however many strangers ask."""
FORGOTTEN = timedelta(days=1)
"""After which the sign of a process that is gone is deleted."""


class SignOfLife(Base):
    """When a process last showed that it lives."""

    __tablename__ = "sign_of_life"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class SchemaCompatibility(Base):
    """Written by ``migrate``; read by nodes of the release before, which know no newer one."""

    __tablename__ = "schema_compatibility"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    serves_from: Mapped[str]


_THERE = cast(func.clock_timestamp(), DateTime(timezone=True))


def _shown(insert: Any, at: Any) -> Any:
    statement = insert(SignOfLife).values(name=bindparam("name"), at=at)
    kept = statement.on_conflict_do_update(
        index_elements=["name"], set_={"at": statement.excluded.at}
    )
    return kept.returning(SignOfLife.at)


_SHOWN_HERE = for_each_dialect(lambda insert: _shown(insert, bindparam("at", type_=UTCDateTime())))
_SHOWN_THERE = for_each_dialect(lambda insert: _shown(insert, _THERE))

_PROBES = for_each_dialect(
    lambda insert: (
        insert(SignOfLife)
        .values(name=bindparam("name"), at=bindparam("at", type_=UTCDateTime()))
        .on_conflict_do_update(
            index_elements=["name"],
            set_={"at": insert(SignOfLife).excluded.at},
            where=or_(
                SignOfLife.at <= bindparam("earliest", type_=UTCDateTime()),
                # Written by a node whose clock is ahead.
                SignOfLife.at > bindparam("latest", type_=UTCDateTime()),
            ),
        )
    )
)


def show(connection: Connection, name: str, *, now: datetime) -> datetime | None:
    """This process lives, and can write. What time the database server has, by which the sign is
    dated; None where the database is a file: its time is ours, which is ``now``.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(_SHOWN_HERE["sqlite"], {"name": name, "at": now})
        return None
    statement = _SHOWN_THERE[connection.dialect.name]
    there: datetime = connection.execute(statement, {"name": name}).scalar_one()
    return there


def probe(connection: Connection, *, now: datetime) -> None:
    """Whether this process can write: it does so where nobody has for ``PROBED``. What does not
    write may still not be written: a database that takes no writes refuses both.
    """
    row = {"name": PROBE, "at": now, "earliest": now - PROBED, "latest": now}
    connection.execute(_PROBES[connection.dialect.name], row)


def gone(connection: Connection, name: str) -> None:
    """This process ends."""
    connection.execute(delete(SignOfLife).where(SignOfLife.name == name))


def forget(session: Session, *, now: datetime) -> None:
    """Delete the signs of processes that are gone."""
    session.execute(delete(SignOfLife).where(SignOfLife.at < now - FORGOTTEN))


def worker_seen(connection: Connection) -> datetime | None:
    """When some worker last showed that it lives."""
    return connection.scalar(
        select(func.max(SignOfLife.at)).where(SignOfLife.name.startswith(WORKER))
    )


def now_there(connection: Connection) -> datetime | None:
    """What time the database server has; None where the database is a file and has ours."""
    if connection.dialect.name == "sqlite":
        return None
    return connection.scalar(select(_THERE))


def serves_from(connection: Connection) -> str | None:
    """From which revision on releases can serve the schema; None when nobody has said."""
    if not inspect(connection).has_table(SchemaCompatibility.__tablename__):
        return None
    return connection.scalar(select(SchemaCompatibility.serves_from))


_ALLOWED = text(
    """
    SELECT least(
        current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int,
        (SELECT coalesce(nullif(rolconnlimit, -1), 2147483647)
         FROM pg_roles WHERE rolname = current_user))
    """
)


def connections_allowed(connection: Connection) -> int | None:
    """How many connections the server lets this account have; None for a file."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.scalar(_ALLOWED) or 0)
