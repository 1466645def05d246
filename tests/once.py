"""What every test of a process would do again and need not: work whose result never differs.

    keys         an RSA key is read from its JWK
    trust        the system's certificates are read
    templates    a page's template is compiled
    addresses    a URL rule is compiled
    statements   a statement is compiled for a kind of database

The product does each of these once, when its process starts; the tests build an application and
open a database for every test. Nothing that an application or a database *holds* is shared.

Then two habits of the machinery that only cost time: how often Python looks through everything
for garbage, and how long a test's own server takes to notice that it is to end.
"""

import gc
import json
import os
import socketserver
from collections.abc import Callable, Hashable
from typing import Any

import werkzeug.serving
from flask import Flask
from httpx2._transports import default as transports
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from directory.base import db
from idp.oidc import signing_keys

STATEMENTS = 5000
"""Kept; the product has about a thousand."""


def share() -> None:
    """From now on, in this process."""
    _keys()
    _trust()
    _templates()
    _addresses()
    _statements()
    gc.set_threshold(20_000, 10, 20)
    for server in (socketserver.BaseServer, werkzeug.serving.BaseWSGIServer):
        server.serve_forever.__defaults__ = (0.02,)  # the seconds between two looks


def _remembered(make: Callable[..., Any], said: Callable[..., Hashable]) -> Callable[..., Any]:
    """``make``, done once for everything that comes to the same."""
    made: dict[Hashable, Any] = {}

    def once(*given: Any, **named: Any) -> Any:
        key = said(*given, **named)
        if key not in made:
            made[key] = make(*given, **named)
        return made[key]

    return once


def _keys() -> None:
    """30 ms each."""
    signing_keys._import = _remembered(
        signing_keys._import, lambda jwk: json.dumps(jwk, sort_keys=True)
    )


def _trust() -> None:
    """80 ms for each ``httpx2.Client`` that is not told whom to trust."""
    make = transports.create_ssl_context
    usual = _remembered(make, lambda **given: (given["trust_env"], os.getenv("SSL_CERT_FILE")))

    def once(**given: Any) -> Any:
        is_usual = given["verify"] is True and given["cert"] is None
        return usual(**given) if is_usual else make(**given)

    transports.create_ssl_context = once


class _Compiled(BytecodeCache):
    """Kept by the template's name and file; Jinja itself compares what the file says."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


def _templates() -> None:
    """100 ms for the first page of an application."""
    Flask.jinja_options = {"bytecode_cache": _Compiled()}


def _addresses() -> None:
    """50 ms for an application; what a rule becomes takes the rule itself as an argument."""

    def said(rule: Rule, append_unknown: bool = True) -> Hashable:
        return rule.rule, str(rule._trace), str(rule.defaults), append_unknown

    Rule._compile_builder = _remembered(Rule._compile_builder, said)


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
