"""JSON Web Tokens as an attacker makes them, out of one of ours and our public keys.

Each says what it tries and where that has worked: the cases of every endpoint that reads our own
JWTs are made from them.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey


@dataclass(frozen=True)
class Genuine:
    """A token of ours, and the key set we publish."""

    text: str
    jwks: dict[str, Any]

    @property
    def header(self) -> dict[str, Any]:
        """What its header says."""
        return dict(json.loads(_raw(self.text.split(".")[0])))

    @property
    def claims(self) -> dict[str, Any]:
        """What it says."""
        return dict(json.loads(_raw(self.text.split(".")[1])))

    @property
    def signature(self) -> str:
        """Its third part."""
        return self.text.split(".")[2]

    @property
    def public(self) -> dict[str, Any]:
        """The key it was signed with, as published."""
        return next(key for key in self.jwks["keys"] if key["kid"] == self.header["kid"])

    def key(self) -> Any:
        """The published key as an object."""
        return (ECKey if self.public["kty"] == "EC" else RSAKey).import_key(self.public)


@dataclass(frozen=True)
class Forgery:
    """One way to bend a token, the rule it breaks, and where the rule stands."""

    id: str
    rule: str
    source: str
    forge: Callable[[Genuine], str]


def _raw(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _joined(header: dict[str, Any], claims: Any, signature: str) -> str:
    return f"{_part(header)}.{_part(claims)}.{signature}"


def _none(alg: str) -> Callable[[Genuine], str]:
    return lambda g: _joined(g.header | {"alg": alg}, g.claims, "")


def _hmac(secret: Callable[[Genuine], bytes], alg: str = "HS256") -> Callable[[Genuine], str]:
    def forge(genuine: Genuine) -> str:
        said = f"{_part(genuine.header | {'alg': alg})}.{_part(genuine.claims)}"
        digest = hmac.new(secret(genuine), said.encode(), hashlib.sha256).digest()
        return f"{said}.{_part(digest)}"

    return forge


def _pem(genuine: Genuine) -> bytes:
    return bytes(genuine.key().as_pem(private=False))


def _der(genuine: Genuine) -> bytes:
    public = serialization.load_pem_public_key(_pem(genuine))
    return public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _own_key(**more: Any) -> Callable[[Genuine], str]:
    """Signed with a key of the attacker's, named in the header in one way or another."""

    def forge(genuine: Genuine) -> str:
        key = ECKey.generate_key("P-256")
        said = {"alg": "ES256", "typ": genuine.header["typ"], "kid": key.thumbprint()}
        for name, value in more.items():
            said[name] = value(genuine, key) if callable(value) else value
        registry = jwt.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        return jwt.encode(said, genuine.claims, key, registry=registry)

    return forge


def _signature(text: str) -> Callable[[Genuine], str]:
    return lambda g: ".".join([*g.text.split(".")[:2], text])


def _widened(genuine: Genuine) -> str:
    claims = genuine.claims | {"scope": genuine.claims["scope"] + " changes:write"}
    return _joined(genuine.header, claims, genuine.signature)


def _polyglot(genuine: Genuine) -> str:
    protected, _payload, signature = genuine.text.split(".")
    fake = _part(genuine.claims | {"scope": "changes:write"})
    return json.dumps(
        {"protected": protected, "payload": fake, "signature": signature, "x": genuine.text}
    )


_NOT_OURS = "only keys of our own set are trusted"
_KNOWN = "algorithms are those we sign with"

FORGERIES = [
    Forgery("alg none", _KNOWN, "RFC 8725 §3.2, CVE-2021-44878 (pac4j)", _none("none")),
    Forgery("alg None", _KNOWN, "RFC 8725 §2.1", _none("None")),
    Forgery("alg nOnE", _KNOWN, "RFC 8725 §2.1", _none("nOnE")),
    Forgery("no alg", _KNOWN, "RFC 7515 §4.1.1", _none("")),
    Forgery(
        "HS256 under our public key (PEM)",
        "a public key is never a secret",
        "CVE-2015-9235 (jsonwebtoken), CVE-2024-37568 (Authlib)",
        _hmac(_pem),
    ),
    Forgery(
        "HS256 under our public key (DER)",
        "a public key is never a secret",
        "CVE-2016-10555 (jwt-simple)",
        _hmac(_der),
    ),
    Forgery(
        "HS256 under our published JWK",
        "a public key is never a secret",
        "RFC 8725 §3.1",
        _hmac(lambda g: json.dumps(g.public).encode()),
    ),
    Forgery(
        "HS256 under nothing",
        "an empty secret is none",
        "RFC 8725 §3.5",
        _hmac(lambda g: b""),
    ),
    Forgery(
        "its own key embedded",
        _NOT_OURS,
        "CVE-2018-0114 (node-jose), RFC 7515 §4.1.3",
        _own_key(jwk=lambda g, key: key.as_dict(private=False)),
    ),
    Forgery(
        "its own key under our key id",
        _NOT_OURS,
        "RFC 8725 §3.8",
        _own_key(kid=lambda g, key: g.header["kid"]),
    ),
    Forgery(
        "its own key set named by jku",
        "a token never makes us fetch a key",
        "RFC 8725 §3.10",
        _own_key(jku="https://evil.example/jwks"),
    ),
    Forgery(
        "its own certificate named by x5u",
        "a token never makes us fetch a key",
        "RFC 8725 §3.10",
        _own_key(x5u="https://evil.example/cert.pem"),
    ),
    Forgery(
        "a key id that is a path",
        "a key id is looked up in our set and nowhere else",
        "RFC 8725 §3.10, CWE-22",
        _own_key(kid="../../../../dev/null"),
    ),
    Forgery(
        "a key id that asks the database something",
        "a key id is looked up in our set and nowhere else",
        "RFC 8725 §3.10, CWE-89",
        _own_key(kid="x' UNION SELECT 'k"),
    ),
    Forgery("no key id", _NOT_OURS, "RFC 7515 §4.1.4", _own_key(kid=lambda g, key: "")),
    Forgery(
        "a signature of zeros",
        "a signature of nothing is no signature",
        "CVE-2022-21449 (Java)",
        lambda g: _joined(
            {"alg": "ES256", "typ": g.header["typ"], "kid": g.header["kid"]},
            g.claims,
            _part(b"\0" * 64),
        ),
    ),
    Forgery("the signature cut off", "a signature is checked", "CWE-347", _signature("")),
    Forgery("half a signature", "a signature is checked", "CWE-345", lambda g: g.text[:-20]),
    Forgery("another signature", "a signature is checked", "CWE-347", _signature("A" * 86)),
    Forgery(
        "more scope under the old signature", "what is signed is what is read", "CWE-345", _widened
    ),
    Forgery(
        "two tokens in one",
        "a token is compact",
        "CVE-2022-39227 (python-jwt)",
        _polyglot,
    ),
    Forgery(
        "five parts",
        "what is encrypted is not ours",
        "RFC 7516 §9",
        lambda g: ".".join([_part({"alg": "dir", "enc": "A128GCM"}), "", "A", "A", "A"]),
    ),
    Forgery(
        "a header nested deeply",
        "nesting costs nothing",
        "CWE-674",
        lambda g: f"{_part(b'[' * 3000)}.{_part(g.claims)}.{g.signature}",
    ),
    Forgery(
        "an unknown critical header",
        "what is critical is understood or refused",
        "RFC 7515 §4.1.11, CVE-2025-59420 (Authlib)",
        lambda g: _joined(g.header | {"crit": ["bork"], "bork": 1}, g.claims, g.signature),
    ),
    Forgery(
        "too long to be looked at",
        "what is too long is not looked at",
        "CVE-2025-61920 (Authlib), CWE-770",
        lambda g: ".".join([*g.text.split(".")[:2], "A" * 7500]),
    ),
]
