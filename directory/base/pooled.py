"""Whether a pooler stands between us and PostgreSQL, and whom of us it lends a connection to for how long.

A server says at the beginning which process of its own serves a connection, and says the same when it
is asked; a pooler cannot. One that lends its connections for a single transaction (PgBouncer's
``pool_mode = transaction``) lends another one as soon as somebody else is in the midst of his: by a name
that a statement was prepared under there, another process's statement would be executed.
"""

from contextlib import ExitStack

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from directory.base import spoken
from directory.base.db import unpooled
from directory.base.errors import Misconfigured
from directory.base.patience import PROBING

_SERVING = select(func.pg_backend_pid())
_TURNS = 4
"""So many others must be enough to have lent what was ours. The driver prepares nothing yet."""


def between(connection: Connection) -> bool:
    """Whether somebody stands between us and the server."""
    if connection.dialect.name == "sqlite":
        return False
    told: int = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    return told != connection.scalar(_SERVING)


def by_transaction(url: str) -> bool:
    """Whether each transaction is lent a connection of its own, as far as can be seen."""
    if url.startswith("sqlite"):
        return False
    engine = unpooled(url, limits=PROBING)
    spoken.require_utf8(engine)
    with ExitStack() as others, engine.connect() as ours:
        if not between(ours):
            return False
        for _ in range(_TURNS):
            before = ours.scalar(_SERVING)
            try:
                other = others.enter_context(engine.connect())
                other.exec_driver_sql("BEGIN")
                other.scalar(_SERVING)
            except OperationalError:
                return False  # nobody is lent anything more: what is ours stays ours
            try:
                if ours.scalar(_SERVING) != before:
                    return True
            except OperationalError:
                return True  # what was ours is lent to them
    return False


def require_right(url: str, *, prepared: bool) -> None:
    """Raises Misconfigured where the server is to keep statements for connections that are not ours."""
    if prepared and by_transaction(url):
        raise Misconfigured(
            "database_prepared",
            "Giữa hệ thống và PostgreSQL có bộ gộp kết nối cho mượn theo từng giao dịch (PgBouncer, "
            "pool_mode = transaction). Hãy đặt database_prepared = false.",
        )
