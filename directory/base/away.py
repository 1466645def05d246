"""Whether an error says that the database is away, stuck or full: nobody's mistake, and over soon.

The same question may then be asked again. Whether a write whose answer was lost has happened
nobody can say; nothing here repeats one.
"""

import sqlite3

from sqlalchemy import exc

RETRY_AFTER = 5
"""Seconds after which to ask again."""

_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE: connection, resources (full disk, too many connections), operator (shut down, a
statement's time is over), system."""
_STATES = ("25006", "40001", "40P01", "55P03")
"""A standby that takes no writes; conflicts of transactions; a lock that was not to be had."""
_CODES = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
)


def is_away(error: BaseException) -> bool:
    """Whether it is the database that could not answer."""
    if isinstance(error, (exc.TimeoutError, exc.DisconnectionError)):  # of a pool
        return True
    if not isinstance(error, exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _CODES
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        # psycopg's own: what libpq says when there is no server to say it.
        return type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout")
    return state[:2] in _CLASSES or state in _STATES


def kind_of(error: BaseException) -> str:
    """What happened, for the log, in one line without anybody's data."""
    origin = getattr(error, "orig", None) or error
    text = str(origin).strip().splitlines() or [""]
    return f"{type(origin).__name__}: {text[0][:200]}"
