"""The page with what to try: whom to be at each step, and the codes that a phone would show.

It holds passwords and secrets. It is served to this machine alone, below a path that nobody can guess
and credentials.json keeps for its owner; a page of another site cannot ask for it by a name of its own
(the Host header is looked at).
"""

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.apps.profiles import PROFILES
from examples.apps.texts import ENGLISH
from examples.demo.ground import Ground
from examples.demo.screen import LABELS
from examples.demo.standing import Official
from idp.factors import qr_code

HERE = Path(__file__).parent
LANGUAGES = ("vi", "en")
_STATIC = {
    "guide.css": "text/css; charset=utf-8",
    "guide.js": "text/javascript; charset=utf-8",
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def address(ground: Ground, earlier: str = "") -> str:
    """Where it is: below the path of an earlier start, if there was one."""
    path = urlsplit(earlier).path.strip("/") or secrets.token_urlsafe(6)
    return f"http://localhost:{ground.guide_port}/{path}/"


def serve(ground: Ground, values: dict[str, Any], movers: list[Official]) -> None:
    """Show it from now on, as long as this process lives. Raises OSError."""
    pages = _Pages(ground, values, movers)
    server = ThreadingHTTPServer(("127.0.0.1", ground.guide_port), _handler(pages))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="guide", daemon=True).start()


def _parts(values: dict[str, Any], movers: list[Official]) -> list[dict[str, Any]]:
    """Two officials, as far as there are two, each with an application that she works with today."""
    apps = {app["code"]: app for app in values["apps"]}
    found = [(one.user, one.applications) for one in movers if one.applications]
    # Everybody may have been moved to where there is none: then the page still says what to do.
    listed = [(user, tuple(apps)) for user in values["users"] if user["roles"] == ["official"]]
    chosen = [*sorted(found, key=lambda each: "qlvb" not in each[1]), *listed]
    return [
        {"user": user, "app": apps[codes[0]], "restricted": PROFILES[codes[0]].restricted_title}
        for user, codes in (chosen * 2)[:2]
    ]


class _Pages:
    def __init__(self, ground: Ground, values: dict[str, Any], movers: list[Official]) -> None:
        self._values = values
        self._root = urlsplit(values["guide"]).path
        self.hosts = {f"{host}:{ground.guide_port}" for host in ("localhost", "127.0.0.1")}
        environment = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=StrictUndefined,
        )
        self._page = environment.get_template("guide.html")
        self._about = {
            "issuer": values["issuer"],
            "eid": values["eid"],
            "slip": values["slip"] | {"picture": qr_code.svg(values["slip"]["url"])},
            "parts": _parts(values, movers),
            "administrators": [
                user | {"title": LABELS[user["roles"][0]].partition(" / ")[2]}
                for user in values["users"]
                if "totp" in user
            ],
        }

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[str, bytes] | None:
        """Type and content of what is there."""
        if not secrets.compare_digest(path[: len(self._root)].encode(), self._root.encode()):
            return None
        name = path[len(self._root) :]
        if name == "":
            language = query.get("lang", ["vi"])[0]
            language = language if language in LANGUAGES else "vi"
            shown = self._page.render(
                language=language,
                say=lambda vi, en: en if language == "en" else vi,
                codes=self.codes(),
                english=ENGLISH,
                **self._about,
            )
            return "text/html; charset=utf-8", shown.encode()
        if name == "codes":
            return "application/json", json.dumps(self.codes()).encode()
        if name in _STATIC:
            return _STATIC[name], (HERE / "static" / name).read_bytes()
        return None

    def codes(self) -> dict[str, Any]:
        """What the phones of those who have an app show now, and for how many seconds more."""
        now = time.time()
        apps = {user["username"]: user["totp"] for user in self._about["administrators"]}
        return {
            "seconds": 30 - int(now) % 30,
            "codes": {
                name: pyotp.TOTP(app["secret"], digits=app["digits"], interval=app["period"]).at(
                    now
                )
                for name, app in apps.items()
            },
        }


def _handler(pages: _Pages) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "guide", ""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found = None
            if self.headers.get("Host", "").lower() in pages.hosts:
                found = pages.answer(parts.path, parse_qs(parts.query))
            kind, content = found or ("text/plain", b"Not found. The address is on the terminal.\n")
            self.send_response(200 if found else 404)
            for name, value in (_HEADERS | {"Content-Type": kind}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the terminal shows one screen."""

    return Handler
