"""Pages as the application answered them, kept while somebody walks through it, and shown again to a
real browser: any state of any page in a tenth of the time a browser takes to get there.
"""

import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, template_rendered
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

PIECE = re.compile(r"<([a-z][a-z0-9]*)((?:\s[^<>]*)?)>")
TELLING = re.compile(r'\s(?:class|type|role|id|data-state)="([^"]*)"')


@dataclass(frozen=True)
class Kept:
    """A page, where it stands, and what it was made of."""

    template: str
    endpoint: str
    address: str
    status: int
    html: str
    policy: str

    def __str__(self) -> str:
        return f"{self.template} ({self.status} {self.address})"

    def pieces(self) -> set[str]:
        """What it consists of, without the words."""
        return {
            f"{tag} {' '.join(TELLING.findall(rest))}" for tag, rest in PIECE.findall(self.html)
        }


@dataclass
class Keeping:
    """Every page that the browsers of an application are given."""

    pages: list[Kept] = field(default_factory=list)
    _template: str = ""
    """Made last; an answer that was put aside and is shown by another address is made no second time."""

    @contextmanager
    def of(self, app: Flask) -> Iterator[None]:
        """While this lasts."""
        keeping, before = self, app.test_client_class

        class Keeper(FlaskClient):
            def open(self, *args: Any, **options: Any) -> TestResponse:
                answer = super().open(*args, **options)
                keeping.keep(app, answer)
                return answer

        def rendered(_app: Flask, template: Any, **_: Any) -> None:
            self._template = template.name

        app.test_client_class = Keeper
        try:
            with template_rendered.connected_to(rendered, app):
                yield
        finally:
            app.test_client_class = before

    def keep(self, app: Flask, answer: TestResponse) -> None:
        """Keep an answer, if it is a page."""
        if answer.mimetype != "text/html" or not answer.text.startswith("<!doctype html>"):
            return
        asked = answer.request
        try:
            endpoint, _ = app.url_map.bind("localhost").match(asked.path, asked.method)
        except HTTPException:
            endpoint = ""
        policy = answer.headers.get("Content-Security-Policy", "")
        where = f"{asked.method} {asked.path}"
        self.pages.append(
            Kept(self._template, endpoint, where, answer.status_code, answer.text, policy)
        )

    def telling(self) -> list[Kept]:
        """Those that have something on them that no other page of their template has: the fullest
        first, so that few are left.
        """
        known: dict[str, set[str]] = {}
        found = []
        for page in sorted(self.pages, key=lambda page: -len(page.html)):
            pieces, seen = page.pieces(), known.setdefault(page.template, set())
            if not pieces <= seen:
                seen |= pieces
                found.append(page)
        return found


@contextmanager
def showing(app: Flask, pages: Iterable[Kept]) -> Iterator[list[tuple[Kept, str]]]:
    """Pages and the addresses at which a browser finds them while this lasts; what they load comes
    from the application itself.
    """
    shown = list(pages)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        _, _, number = environ["PATH_INFO"].rpartition("/page/")
        if number.isdecimal():
            page = shown[int(number)]
            headers = [("Content-Type", "text/html; charset=utf-8")]
            if page.policy:
                headers.append(("Content-Security-Policy", page.policy))
            start("200 OK", headers)
            return [page.html.encode()]
        if "/static/" in environ["PATH_INFO"] and "form_post" not in environ["PATH_INFO"]:
            return app.wsgi_app(environ | {"HTTP_HOST": "localhost:8000"}, start)
        start("204 No Content", [])  # what a script asks, and the script that leaves the page
        return []

    server = make_server("localhost", 0, answer, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield [(page, f"http://localhost:{server.port}/page/{n}") for n, page in enumerate(shown)]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
