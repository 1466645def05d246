"""What is not the caller's fault: a database that is away, and a mistake of our own."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest
from sqlalchemy.exc import OperationalError

from idp.oidc import rate_limit

WAYS = ("hot", "read", "write", "snapshot", "probe")
"""Into the database (``directory.base.db``)."""


@contextmanager
def failing(database: Any, error: Exception) -> Iterator[None]:
    """Every way into the database raises this."""

    def fail(*_given: Any, **_named: Any) -> NoReturn:
        raise error

    with pytest.MonkeyPatch.context() as patched:
        for way in WAYS:
            patched.setattr(database, way, fail)
        yield


def away() -> Exception:
    """What SQLite says where its file cannot be opened."""
    origin = sqlite3.OperationalError("unable to open database file")
    origin.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    return OperationalError("SELECT", {}, origin)


def broken() -> Exception:
    """What nobody expects."""
    return RuntimeError("a mistake of ours")


@contextmanager
def crowded() -> Iterator[None]:
    """One request of a client without a secret is one too many."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rate_limit, "MOST", 0)
        yield
