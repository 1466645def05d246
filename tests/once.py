"""What every test of a process would do again and need not: work whose result never differs.

    trust        the system's certificates are read
    statements   a statement is compiled for a kind of database
    docstrings   the SCIM models are read, and what is written about each of their fields
    templates    a page's template is compiled: once for all processes of a run

The product does each of these once, when its process starts; the tests open a database for every
test. Nothing that a database *holds* is shared. (The application is one for all tests of a process,
see ``app`` in tests/conftest.py.)

Then three habits of the machinery. Two only cost time: how often Python looks through everything
for garbage, and how long a test's own server takes to notice that it is to end. The third: how long
a test that asks a server waits for the answer, where it does not say so itself; on a busy machine five
seconds are soon over.
"""

import gc
import inspect
import os
import socketserver
import sys
from collections.abc import Callable, Hashable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import werkzeug.serving
from flask import Flask
from httpx2._config import DEFAULT_TIMEOUT_CONFIG
from httpx2._transports import default as transports
from jinja2 import FileSystemBytecodeCache
from pydantic._internal import _docs_extraction
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from directory.base import db

STATEMENTS = 5000
"""Kept; the product has about a thousand."""
PATIENCE = 60.0
"""Seconds for each step of a call over HTTP; the product gives its own."""


def share() -> None:
    """From now on, in this process."""
    _trust()
    _statements()
    _docstrings()
    gc.set_threshold(20_000, 10, 20)
    for server in (socketserver.BaseServer, werkzeug.serving.BaseWSGIServer):
        server.serve_forever.__defaults__ = (0.02,)  # the seconds between two looks
    for phase in ("connect", "read", "write", "pool"):
        setattr(DEFAULT_TIMEOUT_CONFIG, phase, PATIENCE)


def templates(folder: Path) -> None:
    """50 ms for each template of each application; kept in a folder of this run alone, for what is
    kept does not tell with which options it was compiled.
    """
    folder.mkdir(exist_ok=True)
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": FileSystemBytecodeCache(folder)}


def _remembered(make: Callable[..., Any], said: Callable[..., Hashable]) -> Callable[..., Any]:
    """``make``, done once for everything that comes to the same."""
    made: dict[Hashable, Any] = {}

    def once(*given: Any, **named: Any) -> Any:
        key = said(*given, **named)
        if key not in made:
            made[key] = make(*given, **named)
        return made[key]

    return once


def _trust() -> None:
    """80 ms for each ``httpx2.Client`` that is not told whom to trust."""
    make = transports.create_ssl_context
    usual = _remembered(make, lambda **given: (given["trust_env"], os.getenv("SSL_CERT_FILE")))

    def once(**given: Any) -> Any:
        is_usual = given["verify"] is True and given["cert"] is None
        return usual(**given) if is_usual else make(**given)

    transports.create_ssl_context = once


def _statements() -> None:
    """30 ms for the first token.

    SQLAlchemy keeps what it has compiled by dialect, and every engine has a dialect of its own.
    Ours differ in nothing but the kind of database, so those of one kind pass for the same.
    """
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__eq__ = lambda one, other: type(one) is type(other)
        kind.__hash__ = lambda one: hash(type(one))
    create, compiled = db.create_engine, LRUCache(STATEMENTS)

    def sharing(*given: Any, **options: Any) -> Engine:
        engine = create(*given, **options)
        engine._compiled_cache = compiled
        return engine

    db.create_engine = sharing


def _docstrings() -> None:
    """Two seconds of each process that reads ``scim2_models``.

    Pydantic looks for a class's source in the frames of its caller and asks of each, which of all
    modules it is of. ``inspect`` goes through them all; a frame knows its module's name.
    """

    class Knowing(ModuleType):
        __getattr__ = staticmethod(lambda name: getattr(inspect, name))  # type: ignore[assignment]

        @staticmethod
        def getmodule(of: Any) -> ModuleType | None:
            named = of.f_globals.get("__name__") if isinstance(of, FrameType) else of.__module__
            return sys.modules.get(named)

    _docs_extraction.inspect = Knowing("inspect")
