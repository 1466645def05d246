"""What is measured. Each operation is told as the HTTP requests a client or browser would send."""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.http import Answer, Caller
from directory.base.clock import system_clock

REDIRECT = "http://127.0.0.1:9/callback"
SCOPE = "openid profile email org"
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]*)"')
_STEP = re.compile(r'name="step"[^>]*value="([^"]*)"')


class Unexpected(Exception):
    """An answer that is not what the operation needs: the measurement would be of an error."""


@dataclass(frozen=True)
class Party:
    """A registered client."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class Parties:
    """Who takes part, registered once per provider."""

    issuer: str
    web: Party
    offline: Party
    """Its access tokens are JWTs."""
    machine: Party
    bound: Party
    """Pushes its requests, and binds its tokens by DPoP."""


@dataclass(frozen=True)
class Person:
    """Somebody who signs in."""

    username: str
    password: str = field(repr=False)


@dataclass
class User:
    """One person at one browser, and what her applications hold."""

    parties: Parties
    person: Person
    caller: Caller
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256"))
    signed_in: bool = False

    # ---- parts ---------------------------------------------------------------------------------

    def expect(self, answer: Answer, *statuses: int) -> Answer:
        if answer.status not in statuses:
            raise Unexpected(f"{answer.status} {answer.body[:300]!r}")
        return answer

    def post(self, path: str, party: Party, form: dict[str, str], **headers: str) -> Any:
        pair = f"{party.client_id}:{party.client_secret}".encode()
        basic = "Basic " + base64.b64encode(pair).decode()
        answer = self.caller.send("POST", path, form=form, Authorization=basic, **headers)
        body = self.expect(answer, 200, 201).body
        return json.loads(body) if body else {}

    def query(self, party: Party, verifier: str) -> dict[str, str]:
        digest = hashlib.sha256(verifier.encode()).digest()
        return {
            "client_id": party.client_id,
            "response_type": "code",
            "scope": SCOPE,
            "redirect_uri": REDIRECT,
            "state": secrets.token_urlsafe(12),
            "nonce": secrets.token_urlsafe(12),
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }

    def redeem(self, party: Party, location: str, verifier: str, **headers: str) -> Any:
        found = parse_qs(urlsplit(location).query)
        if "code" not in found:
            raise Unexpected(location)
        form = {
            "grant_type": "authorization_code",
            "code": found["code"][0],
            "redirect_uri": REDIRECT,
            "code_verifier": verifier,
        }
        return self.post("/oauth2/token", party, form, **headers)

    def silent(self, party: Party) -> Any:
        """Authorization with a session, and the code for tokens."""
        verifier = secrets.token_urlsafe(32)
        path = "/oauth2/authorize?" + urlencode(self.query(party, verifier))
        answer = self.expect(self.caller.send("GET", path), 302, 303)
        return self.redeem(party, answer.location, verifier)

    def sign_in(self, party: Party) -> Any:
        """From nobody to tokens: the pages, the password, the code."""
        self.caller.forget()
        verifier = secrets.token_urlsafe(32)
        path = "/oauth2/authorize?" + urlencode(self.query(party, verifier))
        flow = self.expect(self.caller.send("GET", path), 302, 303).location
        page = self.expect(self.caller.send("GET", _path(flow)), 200).body.decode()
        form = {"username": self.person.username, "password": self.person.password}
        form |= {
            name: unescape(found[1])
            for name, pattern in (("csrf_token", _TOKEN), ("step", _STEP))
            if (found := pattern.search(page))
        }
        answer = self.expect(self.caller.send("POST", _path(flow), form=form), 303)
        while not answer.location.startswith(REDIRECT):
            answer = self.expect(self.caller.send("GET", _path(answer.location)), 302, 303)
        self.signed_in = True
        return self.redeem(party, answer.location, verifier)

    def proof(self, path: str) -> str:
        """A DPoP proof (RFC 9449 §4.2)."""
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.as_dict(private=False)}
        claims = {
            "jti": secrets.token_urlsafe(12),
            "htm": "POST",
            "htu": self.parties.issuer + path,
            "iat": int(system_clock().timestamp()),
        }
        return jwt.encode(header, claims, self.key, ["ES256"])

    def pushed(self) -> Any:
        """PAR, authorization with a session, tokens: all bound to a key."""
        party, verifier = self.parties.bound, secrets.token_urlsafe(32)
        uri = self.post(
            "/oauth2/par", party, self.query(party, verifier), DPoP=self.proof("/oauth2/par")
        )["request_uri"]
        query = urlencode({"client_id": party.client_id, "request_uri": uri})
        answer = self.expect(self.caller.send("GET", f"/oauth2/authorize?{query}"), 302, 303)
        return self.redeem(party, answer.location, verifier, DPoP=self.proof("/oauth2/token"))


def _path(location: str) -> str:
    parts = urlsplit(location)
    return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass(frozen=True)
class Operation:
    """``ready`` gives, outside the measurement, what each run of ``run`` uses up."""

    name: str
    run: Callable[[User, Any], Any]
    ready: Callable[[User], Any] = lambda _user: None
    share: float = 1.0
    """Of the wanted number of runs: expensive ones are run less often."""
    chained: bool = False
    """Whether a run gives what the next one uses up."""


def _get(path: str) -> Callable[[User, Any], Any]:
    return lambda user, _: user.expect(user.caller.send("GET", path), 200)


def _machine(user: User, _: Any) -> Any:
    return user.post("/oauth2/token", user.parties.machine, {"grant_type": "client_credentials"})


def _introspect(user: User, text: str) -> Any:
    answer = user.post("/oauth2/introspect", user.parties.web, {"token": text})
    if answer["active"] is not True:
        raise Unexpected("inactive")
    return text


def _introspect_jwt(user: User, text: str) -> Any:
    user.post("/oauth2/introspect", user.parties.offline, {"token": text})
    return text


def _userinfo(user: User, text: str) -> Any:
    answer = user.caller.send("GET", "/oauth2/userinfo", Authorization=f"Bearer {text}")
    user.expect(answer, 200)
    return text


def _refresh(user: User, text: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": text}
    return user.post("/oauth2/token", user.parties.web, form)["refresh_token"]


def _revoke(user: User, text: str) -> Any:
    return user.post("/oauth2/revoke", user.parties.web, {"token": text})


OPERATIONS = (
    Operation("discovery", _get("/.well-known/openid-configuration")),
    Operation("jwks", _get("/oauth2/jwks")),
    Operation("client_credentials", _machine),
    Operation("full sign-in", lambda user, _: user.sign_in(user.parties.web), share=0.2),
    Operation("silent sign-in", lambda user, _: user.silent(user.parties.web), share=0.5),
    Operation(
        "refresh",
        _refresh,
        lambda user: user.silent(user.parties.web)["refresh_token"],
        chained=True,
    ),
    Operation(
        "introspection (opaque)",
        _introspect,
        lambda user: user.silent(user.parties.web)["access_token"],
        chained=True,
    ),
    Operation(
        "introspection (JWT)",
        _introspect_jwt,
        lambda user: user.silent(user.parties.offline)["access_token"],
        chained=True,
    ),
    Operation(
        "userinfo",
        _userinfo,
        lambda user: user.silent(user.parties.web)["access_token"],
        chained=True,
    ),
    Operation(
        "revocation",
        _revoke,
        lambda user: user.silent(user.parties.web)["access_token"],
        share=0.5,
    ),
    Operation("PAR + DPoP flow", lambda user, _: user.pushed(), share=0.3),
)
