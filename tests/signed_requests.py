"""Relying parties that sign: their requests, who they are, and that they hold a key.

SignedFlow    says everything in a request object (RFC 9101)
Fapi          a client of FAPI 2.0: private_key_jwt, DPoP, pushed requests
publishing    an https server of a relying party
"""

import base64
import json
import secrets
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from idp.oidc.clients import AuthMethod, Options, Profile
from tests.relying_party import Flow, Party, World

ISSUER = "http://localhost:8000"
SECURE = "https://app.example/callback"
BY_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Key = ECKey | RSAKey


@lru_cache
def _key(kind: str, name: str) -> Key:
    about: Any = {"kid": f"{name}-{kind.lower()}"}
    return ECKey.generate_key("P-256", about) if kind == "EC" else RSAKey.generate_key(2048, about)


def key_for(alg: str, name: str = "own") -> Key:
    """The key pair that signs by an algorithm, the same each time."""
    return _key("EC" if alg == "ES256" else "RSA", name)


def public(*keys: Key) -> dict[str, Any]:
    """A JWK Set of the public halves."""
    return {"keys": [each.as_dict(private=False) for each in keys]}


def sign(
    claims: dict[str, Any] | bytes, *, alg: str = "ES256", by: Key | None = None, **header: Any
) -> str:
    """A JWT; a header parameter of None is left out. Whatever is said is signed."""
    signer = by or key_for(alg)
    full = {"alg": alg, "typ": "oauth-authz-req+jwt", "kid": signer.kid} | header
    kept = {name: value for name, value in full.items() if value is not None}
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    said = _encoded(json.dumps(kept).encode()) + "." + _encoded(payload)
    algorithm = jws.JWSRegistry(algorithms=[alg]).get_alg(alg)
    return said + "." + _encoded(algorithm.sign(said.encode(), signer))


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def register(world: World, **values: Any) -> Party:
    """A client with both key pairs; ``options`` holds further ones of its options."""
    options = {"jwks": public(key_for("ES256"), key_for("RS256"))} | values.pop("options", {})
    return world.register(**({"name": "Ký yêu cầu"} | values), options=Options(**options))


@dataclass
class SignedFlow(Flow):
    """Says everything in a signed request, and of the rest only who it is."""

    alg: str = "ES256"
    now: int = 0
    outer: dict[str, str] = field(default_factory=dict)
    """Further parameters the browser brings beside the signed ones."""

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What it signs; a claim of None is left out."""
        about = {
            "iss": self.party.client_id,
            "aud": ISSUER,
            "nbf": self.now,
            "exp": self.now + 300,
        }
        return {k: v for k, v in (self.query | about | changes).items() if v is not None}

    def signed(self, **changes: Any) -> str:
        """A request object, with some claims changed."""
        return sign(self.claims(**changes), alg=self.alg)

    def bring(self, text: str, **outer: str) -> Any:
        """Send the browser with a request object by value."""
        return self.browser.get(
            "/oauth2/authorize",
            query_string={"client_id": self.party.client_id, "request": text} | self.outer | outer,
        )


def thumbprint(signer: Key) -> str:
    """RFC 7638."""
    return signer.thumbprint()


def dpop(method: str, path: str, *, now: int, by: Key | None = None, **claims: Any) -> str:
    """A proof of possession for one call to one of our paths."""
    signer = by or key_for("ES256")
    said = {"htm": method, "htu": ISSUER + path, "iat": now, "jti": secrets.token_hex(8)}
    jwk = signer.as_dict(private=False)
    alg = "ES256" if jwk["kty"] == "EC" else "PS256"
    return sign(said | claims, alg=alg, by=signer, typ="dpop+jwt", kid=None, jwk=jwk)


def register_fapi(world: World, *, profile: Profile = Profile.FAPI2, **values: Any) -> Party:
    """A client of FAPI 2.0 whose tokens belong to a DPoP key."""
    options = {"profile": profile} | values.pop("options", {})
    columns = {
        "auth_method": AuthMethod.KEY_JWT,
        "redirect_uris": (SECURE,),
        "id_token_alg": "ES256",
    }
    return register(world, options=options, **(columns | values))


@dataclass
class Fapi(SignedFlow):
    """Proves who it is by an assertion, and its key whenever it is given a token."""

    nonce_given: str = ""
    """The last nonce the server asked for."""

    def asserted(self) -> dict[str, str]:
        """The form fields that prove who it is."""
        about = {
            "iss": self.party.client_id,
            "sub": self.party.client_id,
            "aud": ISSUER,
            "iat": self.now,
            "exp": self.now + 60,
            "jti": secrets.token_hex(8),
        }
        text = sign(about, typ="JWT")
        return {"client_assertion_type": BY_ASSERTION, "client_assertion": text}

    def post(self, path: str, form: dict[str, str]) -> Any:
        """A form as this client; where tokens are given, with a proof and the nonce wanted."""
        answer = self._post(path, form)
        if "DPoP-Nonce" in answer.headers and answer.status_code == 400:
            self.nonce_given = answer.headers["DPoP-Nonce"]
            answer = self._post(path, form)
        return answer

    def _post(self, path: str, form: dict[str, str]) -> Any:
        headers = {}
        if path == "/oauth2/token":
            nonce = {"nonce": self.nonce_given} if self.nonce_given else {}
            headers["DPoP"] = dpop("POST", path, now=self.now, **nonce)
        return self.browser.post(path, data=self.asserted() | form, headers=headers)

    def push(self, **changes: str | None) -> Any:
        """Push the request as it is."""
        form = {k: v for k, v in (self.query | changes).items() if v is not None}
        return self.post("/oauth2/par", form)

    def push_signed(self, **changes: Any) -> Any:
        """Push it signed."""
        return self.post("/oauth2/par", {"request": self.signed(**changes)})


@dataclass
class Publisher:
    """An https server of a relying party: paths and what is found there."""

    url: str
    allow: str
    ca_file: Path
    pages: dict[str, Any] = field(default_factory=dict)
    """Path → body, or a Response."""
    asked: list[str] = field(default_factory=list)
    """The paths somebody has asked for."""

    def put(self, path: str, body: Any) -> str:
        """Publish; the address."""
        self.pages[path] = body
        return self.url + path


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def publishing(authority: Any) -> Iterator[Publisher]:
    """Serve from a thread, as ``localhost``, by a certificate of this authority."""
    certificate, private = authority.issue("localhost")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private)

    @Request.application
    def serve(request: Request) -> Response:
        made.asked.append(request.path)
        found = made.pages.get(request.path)
        if found is None:
            return Response(status=404)
        if isinstance(found, Response):
            return found
        return Response(found, content_type="application/oauth-authz-req+jwt")

    server = make_server(
        "127.0.0.1", 0, serve, threaded=True, ssl_context=context, request_handler=_Quiet
    )
    made = Publisher(f"https://localhost:{server.port}", f"localhost:{server.port}", authority.file)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
