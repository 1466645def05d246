"""Secrets that are let out on purpose, and every place where one might be found again.

A test keeps each secret it types or is given (``keep``); browsers of ``watch`` record every answer.
``found`` then looks for all of them, in every spelling they could have taken on the way, in:

    database    each column of each row of each table, and the bytes of SQLite's files
    log         what the product's own log configuration wrote
    audit       what ``dinhdanh audit export`` gives away
    mail        letters and text messages, as they lie in the drop folders and as they are read
    metrics     /metrics
    answer      each page, redirect and API answer that is not the one meant to show it
"""

import base64
import email
import email.policy
import html
import io
import json
import logging
import re
import secrets
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import event, inspect, text

from idp.run import logs

SHORT = 10
"""Characters below which a secret is looked for as a whole word only, and in no derived spelling."""


def marked() -> str:
    """What occurs nowhere else."""
    return "canary" + secrets.token_hex(6)


def spellings(secret: str) -> set[str]:
    """All that one may become on its way into a text."""
    if len(secret) < SHORT:
        return {secret}
    found = set()
    for form in ("NFC", "NFD"):
        said = unicodedata.normalize(form, secret)
        for one in (said, said.replace(" ", ""), said.replace(" ", "-")):
            found |= {one, quote(one), quote_plus(one), html.escape(one), str(escape(one))}
            found |= {json.dumps(one, ensure_ascii=each)[1:-1] for each in (True, False)}
            found.add(one.encode().hex())
            for before in range(3):  # wherever it begins within a longer text
                raw = base64.b64encode(bytes(before) + one.encode()).decode().rstrip("=")
                inner = raw[4 if before else 0 : len(raw) // 4 * 4]
                found |= {inner, inner.translate(str.maketrans("+/", "-_"))}
    return found


def _within(spelled: str, said: str) -> bool:
    if spelled not in said:
        return False
    # Six digits are found in any number; as a word of their own they are by no chance.
    alone = rf"(?<![\w.]){re.escape(spelled)}(?!\w)"
    return len(spelled) >= SHORT or re.search(alone, said) is not None


@dataclass(frozen=True)
class Secret:
    """One secret: what it is, and which answers may show it."""

    name: str
    shown: re.Pattern[str] | None
    spelled: frozenset[str]

    def within(self, said: str) -> bool:
        """Whether it is in clear in there."""
        return any(_within(one, said) for one in self.spelled)

    def leaks(self, at: str, said: str) -> bool:
        """Whether it is in there and not meant to be."""
        meant = self.shown is not None and self.shown.search(at.removeprefix("answer "))
        return not meant and self.within(said)


@dataclass(frozen=True)
class Answer:
    """One answer to one request."""

    where: str
    said: str


@dataclass
class Sweep:
    """What was kept and what was answered, in one installation."""

    services: Any
    app: Flask
    log: io.StringIO
    kept: dict[str, Secret] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def keep(self, name: str, value: str, shown: str = "") -> str:
        """This is a secret; ``shown`` matches ``METHOD path`` of the answers that are meant to show it."""
        assert len(value) >= 6, (name, value)
        allowed = re.compile(shown) if shown else None
        self.kept.setdefault(value, Secret(name, allowed, frozenset(spellings(value))))
        return value

    def password(self, name: str) -> str:
        """A password of her choice, with a letter that is written in two ways."""
        core = self.keep(name, marked())
        return self.keep(name, f"hoà thuận {core} quê mình")

    def record(self, method: str, answer: Any) -> None:
        """An answer, and the cookies it sets: each is as good as a password."""
        self.statuses.append(answer.status_code)
        for line in answer.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if len(value) >= 2 * SHORT:
                self.keep(f"cookie {name}", value)
        told = [f"{name}: {value}" for name, value in answer.headers if name != "Set-Cookie"]
        said = "\n".join([*told, answer.get_data(as_text=True)])
        self.answers.append(Answer(f"{method} {answer.request.path}", said))

    def found(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        """(secret, place) of all that was found in clear."""
        places = [*self._database(), ("log", self.log.getvalue()), *self._mail(), *more]
        places.append(("metrics", FlaskClient(self.app).get("/metrics").text))
        places += [(f"answer {one.where}", one.said) for one in self.answers]
        lines = {line for _, said in places for line in said.split("\n")}  # pages are much alike
        everything = "\n".join(lines)
        suspect = [one for one in self.kept.values() if one.within(everything)]
        return sorted(
            {(one.name, at) for one in suspect for at, said in places if one.leaks(at, said)}
        )

    def _database(self) -> Iterator[tuple[str, str]]:
        db = self.services.db
        with db.read() as session:
            tables = inspect(session.connection()).get_table_names()
            assert len(tables) > 30
            for table in tables:
                result = session.execute(text(f'SELECT * FROM "{table}"'))
                columns = list(result.keys())
                for row in result:
                    for column, value in zip(columns, row, strict=True):
                        yield f"database {table}.{column}", _text(value)
        if db.is_sqlite:
            file = Path(db.engine.url.database)
            for one in sorted(file.parent.glob(file.name + "*")):
                raw = one.read_bytes()
                yield f"database file {one.name}", raw.decode("utf-8", "replace")

    def _mail(self) -> Iterator[tuple[str, str]]:
        has = self.services.settings
        for folder in (has.mail_drop, has.text_drop):
            for file in sorted(folder.rglob("*")) if folder else ():
                if not file.is_file():
                    continue
                raw = file.read_bytes()
                yield f"{folder.name} raw", raw.decode("utf-8", "replace")
                letter = email.message_from_bytes(raw, policy=email.policy.default)
                yield f"{folder.name} read", f"{letter.items()} {letter.get_content()}"


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


@contextmanager
def watching(services: Any, app: Flask) -> Iterator[Sweep]:
    """Record what this application answers to its test clients, and what it logs meanwhile."""
    sweep = Sweep(services, app, io.StringIO())

    class Watched(FlaskClient):
        def open(self, *args: Any, **options: Any) -> Any:
            answer = super().open(*args, **options)
            sweep.record(answer.request.method, answer)
            for one in getattr(answer, "history", ()):
                sweep.record(one.request.method, one)
            return answer

    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", sweep.log)
        root.handlers.clear()  # they would be closed
        logs.configure()
    ours = root.handlers[:]
    root.handlers += before
    app.test_client_class = Watched
    try:
        yield sweep
    finally:
        app.test_client_class = None
        for handler in ours:
            root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def broken(services: Any, nth: int) -> Iterator[None]:
    """The database fails at the nth statement from here on, as its driver has it: with the real
    statement's parameters in hand.
    """
    count = 0

    def spoil(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> tuple[str, Any]:
        nonlocal count
        count += 1
        return (statement if count != nth else f"{statement} NO SUCH THING"), parameters

    for engine in services.db.engines:
        event.listen(engine, "before_cursor_execute", spoil, retval=True)
    try:
        yield
    finally:
        for engine in services.db.engines:
            event.remove(engine, "before_cursor_execute", spoil)


@contextmanager
def without(services: Any, table: str) -> Iterator[None]:
    """The database has no such table meanwhile: statements kept ready fail too, as their driver has it."""

    def rename(before: str, after: str) -> None:
        with services.db.write() as session:
            session.execute(text(f'ALTER TABLE "{before}" RENAME TO "{after}"'))

    rename(table, f"{table}_away")
    try:
        yield
    finally:
        rename(f"{table}_away", table)
