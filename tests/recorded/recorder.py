"""What was asked and what was answered, as text that two runs have in common.

Requests go in as a server would hand them over (PEP 3333) and answers are taken as they come out,
so that nothing here knows what stands between. An answer is its status, its headers (sorted: their
order means nothing) and its body, byte for byte but for what differs from run to run: that is put
into angle brackets. What a JWT says is shown below the body that holds it.
"""

import base64
import io
import json
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlencode

from cryptography import x509
from flask.testing import FlaskClient

from idp.sessions import SessionView
from tests.recorded import faults
from tests.relying_party import Flow, Party, World

FORM = "application/x-www-form-urlencoded"
USUAL = {
    "cache-control": "no-store",
    "content-length": "<of the body>",
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-src 'none'; frame-ancestors 'none'"
    ),
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "pragma": "no-cache",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-request-id": "<request id>",
}
"""So common that they are told in two words, with what is there beside them or is missing."""
FOR_SCRIPTS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "WWW-Authenticate, DPoP-Nonce",
}
"""The same of what scripts of other origins may read."""
SETS = {"usual headers": USUAL, "headers for scripts": FOR_SCRIPTS}
LONG = 1000
"""Characters of a body that is shown once."""
NONCE, REQUEST_ID = "dpop-nonce", "x-request-id"

KEYS = '{"keys":['
"""So begins a key set; keys stand in the order of their random names."""

_OBJECT = re.compile(r"\{[^{}]*\}")
_JWT = re.compile(r"eyJ[\w-]{10,}\.[\w-]+\.[\w-]*")
_HANDLE = re.compile(r"(dd[a-z])_[\w-]{18,}")
_RANDOM = re.compile(
    r'("(?:jti|kid|sid|sub|at_hash|c_hash|jkt|x5t#S256|user_code|request_id)": ?)"[^"]+"'
)
_KEY = re.compile(r'("(?:x|y|n)": ?)"[\w-]{40,}"')
_ELSEWHERE: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r'("code": ?)"CV\d+"'), r'\1"CV<number>"'),
    (re.compile(r"user_code=[A-Z]{4}-[A-Z]{4}"), "user_code=<user code>"),
    (re.compile(r"/login/[\w.%-]{16,}"), "/login/<sign-in>"),
    (re.compile(r'(name="(?:csrf_token|form_key|proof)" value=)"[^"]*"'), r'\1"<…>"'),
    (re.compile(r"(\.(?:css|js|svg|ico|woff2?)\?v=)\w+"), r"\1<version>"),
)
_BASIC = re.compile(r"^Basic ([A-Za-z0-9+/]+=*)$")
_LONG_RUN = re.compile(r"(.)\1{99,}")


@dataclass(frozen=True)
class Answer:
    """An answer as it came out."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def said(self) -> Any:
        """The body, where it is JSON."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """A header's value, empty where there is none."""
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass
class Recorder:
    """Asks the application, and writes down what was said on both sides."""

    app: Callable[..., Iterable[bytes]]
    """The whole WSGI application."""
    world: World
    browser: FlaskClient
    """For what only prepares an exchange: it is not written down."""
    certificate: x509.Certificate
    """One that a client may show."""
    cookie: str = ""
    """Sent where an exchange is a signed-in browser's."""
    written: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    _bodies: dict[str, str] = field(default_factory=dict)
    _lengths: set[int] = field(default_factory=set)

    # ---- who takes part ----------------------------------------------------------------------

    def name(self, value: str, as_: str) -> str:
        """Write ``as_`` wherever this value stands; the value."""
        self.names[value] = f"<{as_}>"
        return value

    def know(self, party: Party, as_: str) -> Party:
        """Write a client's name wherever its identifier stands."""
        self.name(party.client_id, as_)
        if party.secret:
            self.name(party.secret, f"{as_}'s secret")
        return party

    def party(self, as_: str, **columns: Any) -> Party:
        """A client, registered."""
        return self.know(self.world.register(as_, **columns), as_)

    def sign_in(self, **columns: Any) -> SessionView:
        """Give the browser, and the exchanges that say so, a session."""
        view = self.world.sign_in(self.browser, **columns)
        held = self.browser.get_cookie("dinhdanh", domain="localhost")
        assert held is not None
        self.cookie = f"dinhdanh={held.value}"
        self.name(held.value, "session")
        self.name(view.username, "username")
        return view

    def flow(self, party: Party, scope: str = "openid profile", **more: Any) -> Flow:
        """What the client holds is always the same but for what we gave it."""
        flow = Flow(self.browser, party, scope, verifier="v" * 43, state="state", nonce="nonce")
        for name, value in more.items():
            setattr(flow, name, value)
        return flow

    # ---- what is not their fault -------------------------------------------------------------

    def failing(self, error: Exception) -> AbstractContextManager[None]:
        """Whatever asks the database meanwhile gets this."""
        return faults.failing(self.world.services.db, error)

    def crowded(self) -> AbstractContextManager[None]:
        """Meanwhile this address has asked too often."""
        return faults.crowded()

    # ---- exchanges ---------------------------------------------------------------------------

    def part(self, title: str) -> None:
        """A heading."""
        self.written.append(f"==== {title} " + "=" * (94 - len(title)))

    def ask(
        self,
        title: str,
        method: str,
        target: str,
        *,
        query: Any = None,
        form: Any = None,
        body: bytes = b"",
        kind: str | None = None,
        headers: dict[str, str] | None = None,
        peer: str = "127.0.0.1",
    ) -> Answer:
        """One exchange, written down."""
        if query is not None:
            target += "?" + urlencode(query, doseq=True)
        if form is not None:
            body, kind = urlencode(form, doseq=True).encode(), kind or FORM
        sent = {"host": "localhost:8000"} | {k.lower(): v for k, v in (headers or {}).items()}
        answer = self._through(method, target, sent, body, kind, peer)
        self.written.append(self._shown(title, method, target, sent, body, kind, peer, answer))
        return answer

    def post(self, title: str, path: str, form: Any, party: Party | None, **more: Any) -> Answer:
        """A form, as this client."""
        headers = (party.basic if party is not None and party.secret else {}) | more.pop(
            "headers", {}
        )
        if party is not None and not party.secret:
            form = {"client_id": party.client_id} | form
        return self.ask(title, "POST", path, form=form, headers=headers, **more)

    def authorize(self, title: str, query: Any, *, nobody: bool = False, **more: Any) -> Answer:
        """The browser at the authorization endpoint."""
        headers = ({} if nobody else {"cookie": self.cookie}) | more.pop("headers", {})
        if more.pop("posted", False):
            return self.ask(title, "POST", "/oauth2/authorize", form=query, headers=headers, **more)
        return self.ask(title, "GET", "/oauth2/authorize", query=query, headers=headers, **more)

    def _through(
        self,
        method: str,
        target: str,
        sent: dict[str, str],
        body: bytes,
        kind: str | None,
        peer: str,
    ) -> Answer:
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": peer,
            "REMOTE_PORT": "50000",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if kind is not None:
            environ["CONTENT_TYPE"] = kind
        for name, value in sent.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        began: list[tuple[int, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], _exc: Any = None) -> None:
            began.append((int(status.split()[0]), list(headers)))

        pieces = self.app(environ, start)
        try:
            whole = b"".join(pieces)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()
        ((status, headers),) = began
        return Answer(status, headers, whole)

    # ---- as text -----------------------------------------------------------------------------

    def text(self) -> str:
        """All of it."""
        said = []
        for title, members in SETS.items():
            said += [f"The {title}:", *(f"    {n}: {v}" for n, v in members.items()), ""]
        return "\n".join(said) + "\n" + "\n\n".join(self.written) + "\n"

    def _shown(
        self,
        title: str,
        method: str,
        target: str,
        sent: dict[str, str],
        body: bytes,
        kind: str | None,
        peer: str,
        answer: Answer,
    ) -> str:
        lines = [f"---- {title}", f"> {method} {target}"]
        told = {} if kind in (None, FORM) else {"content-type": str(kind)}
        told |= {"from": peer} if peer != "127.0.0.1" else {}
        for name, value in (sent | told).items():
            if (name, value) != ("host", "localhost:8000"):
                lines.append(f"> {name}: {_BASIC.sub(_credentials, value)}")
        if kind is None and method == "POST":
            lines.append("> (no content-type)")
        if body:
            lines.append(f"> {_readable(body)}")
        asked = [_JWT.sub("<JWT>", self._same(line)) for line in lines]
        return "\n".join(
            [*(_LONG_RUN.sub(_run, line) for line in asked), *self._answered(title, answer)]
        )

    def _answered(self, title: str, answer: Answer) -> list[str]:
        told = sorted((n.lower(), self._header(n.lower(), v, answer)) for n, v in answer.headers)
        lines = [f"< {answer.status}"]
        for words, members in SETS.items():
            there = [pair for pair in members.items() if pair in told]
            if len(there) * 2 > len(members):
                gone = [name for name, value in members.items() if (name, value) not in told]
                lines.append(f"< {words}" + (f" without {', '.join(gone)}" if gone else ""))
                for pair in there:
                    told.remove(pair)  # one of them: what is said twice is told
        lines += [f"< {name}: {value}" for name, value in told]
        found: list[str] = []
        body = self._told(self._body(answer), found)
        body = self._once(title, body)
        return [*lines, *([""] if body else []), *body.splitlines(), *self._opened(found)]

    def _body(self, answer: Answer) -> str:
        body = _readable(answer.body)
        if answer.header("content-type").startswith("text/html"):
            body = _page(body)
        elif body.startswith(KEYS):
            body = KEYS + ",".join(sorted(map(self._same, _OBJECT.findall(body)))) + "]}"
        elif body.endswith("\n"):
            body = body[:-1] + "⏎"
        ids = answer.header(REQUEST_ID)
        return body.replace(ids, "<request id>") if ids else body

    def _once(self, title: str, body: str) -> str:
        """A long body is shown once."""
        first = self._bodies.setdefault(body, title)
        return f"(as in: {first})" if len(body) > LONG and first != title else body

    def _opened(self, jwts: list[str]) -> list[str]:
        lines = []
        for number, each in enumerate(jwts, 1):
            lines += [f"JWT {number} header: {self._inside(each, 0)}"]
            lines += [f"JWT {number} claims: {self._inside(each, 1)}"]
        return lines

    def _header(self, name: str, value: str, answer: Answer) -> str:
        if name in (NONCE, REQUEST_ID):
            return {NONCE: "<nonce>", REQUEST_ID: "<request id>"}[name]
        if name == "set-cookie":
            return re.sub(r"^([\w-]+)=[^;]+", r"\1=<…>", value)
        if name == "content-length":
            return self._length(int(value), answer)
        if name == "etag" and answer.body.startswith(KEYS.encode()):
            return "<etag>"
        if name == "allow":
            return ", ".join(sorted(value.split(", ")))
        found: list[str] = []
        text = self._told(value, found)
        return "\n    ".join([text, *self._opened(found)])

    def _length(self, said: int, answer: Answer) -> str:
        """That of the body; of an answer without one (by HEAD) that of one that has been shown."""
        self._lengths.add(len(answer.body))
        if said == len(answer.body):
            return "<of the body>"
        return "<as with a body>" if said in self._lengths else str(said)

    def _told(self, text: str, found: list[str]) -> str:
        """As in every run; the JWTs in it are added to ``found``."""

        def jwt(match: re.Match[str]) -> str:
            found.append(match.group())
            return f"<JWT {len(found)}>"

        return self._same(_JWT.sub(jwt, text))

    def _inside(self, jwt: str, part: int) -> str:
        text = jwt.split(".")[part]
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return self._same(raw.decode())

    def _same(self, text: str) -> str:
        """What differs from run to run, put into angle brackets."""
        for value in sorted(self.names, key=len, reverse=True):
            text = text.replace(value, self.names[value])
            text = text.replace(quote(value, safe=""), self.names[value])
        text = _HANDLE.sub(r"<\1>", text)
        text = _RANDOM.sub(lambda m: m.group() if "<" in m.group() else m.group(1) + '"<…>"', text)
        text = _KEY.sub(r'\1"<…>"', text)
        for pattern, instead in _ELSEWHERE:
            text = pattern.sub(instead, text)
        return text


def _credentials(match: re.Match[str]) -> str:
    return f"Basic base64({_readable(base64.b64decode(match.group(1)))})"


def _run(match: re.Match[str]) -> str:
    return f"{match.group(1)}…({len(match.group())} times)"


def _readable(raw: bytes) -> str:
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _page(html: str) -> str:
    """Of a page its title and what its template says: the frame around is every page's."""
    title = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
    main = re.search(r"<main\b.*?</main>", html, re.DOTALL)
    if title is None or main is None:
        return html
    lines = (line.strip() for line in (title.group() + "\n" + main.group()).splitlines())
    return "\n".join(line for line in lines if line)
