"""Relying parties that prove something: who they are, or that they hold a key.

Asserting     says who it is by a signed assertion (RFC 7523)
Holding       proves a DPoP key with every call (RFC 9449)
Certified     shows a certificate at the TLS edge (RFC 8705, header of RFC 9440)
Authority     issues certificates for the last
believing     settings of an installation that believes one
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.relying_party import Flow
from tests.signed_requests import BY_ASSERTION, ISSUER, Key, key_for, sign

USERINFO = "/oauth2/userinfo"
TOKEN = "/oauth2/token"
AWAY = {"REMOTE_ADDR": "203.0.113.9"}
"""``environ_base`` of somebody who is no proxy of ours."""


def b64(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def segment(value: Any) -> str:
    """JSON as a part of a JWT."""
    return b64(json.dumps(value).encode())


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A JWT without a signature."""
    return f"{segment(header)}.{segment(claims)}."


def hs256(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """A JWT under an HMAC with any bytes for a key, as a library would refuse to make."""
    text = f"{segment(header)}.{segment(claims)}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"


@dataclass
class Asserting(Flow):
    """A client of private_key_jwt or client_secret_jwt."""

    clock: Any = None
    alg: str = "ES256"
    by: Key | None = None
    header: dict[str, Any] = field(default_factory=dict)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What it asserts; a claim of None is left out."""
        now = int(self.clock().timestamp())
        said = {
            "iss": self.party.client_id,
            "sub": self.party.client_id,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_hex(8),
        }
        return {name: value for name, value in (said | changes).items() if value is not None}

    def asserted(self, **changes: Any) -> str:
        """The assertion."""
        if self.alg.startswith("HS"):
            secret = (self.party.secret or "").encode()
            return hs256({"alg": self.alg} | self.header, self.claims(**changes), secret)
        return sign(
            self.claims(**changes), alg=self.alg, by=self.by, **({"typ": None} | self.header)
        )

    def fields(self, text: str | None = None, **changes: Any) -> dict[str, str]:
        """The form's fields that say who it is."""
        found = self.asserted(**changes) if text is None else text
        return {"client_assertion_type": BY_ASSERTION, "client_assertion": found}

    def post(self, path: str, form: dict[str, str], **changes: Any) -> Any:
        """A form, as this client."""
        return self.browser.post(path, data=self.fields(**changes) | form)


@dataclass
class Holding(Flow):
    """A client that holds a DPoP key."""

    clock: Any = None
    key: Key | None = field(default_factory=lambda: key_for("ES256", "dpop"))
    """None: it sends no proof."""
    nonce: str | None = None

    def proof(self, method: str, path: str, *, token: str | None = None, **changes: Any) -> str:
        """A proof; a claim of None is left out. ``header`` changes header parameters, ``by`` the
        key that signs.
        """
        header, by = changes.pop("header", {}), changes.pop("by", None) or self.key
        alg = "PS256" if by.as_dict(private=False)["kty"] == "RSA" else "ES256"
        said = {
            "htm": method,
            "htu": ISSUER + path,
            "iat": int(self.clock().timestamp()),
            "jti": secrets.token_hex(8),
            "nonce": self.nonce,
            "ath": None if token is None else b64(hashlib.sha256(token.encode()).digest()),
        } | changes
        kept = {name: value for name, value in said.items() if value is not None}
        jwk = {k: v for k, v in by.as_dict(private=False).items() if k != "kid"}
        shown = {"typ": "dpop+jwt", "alg": alg, "kid": None, "jwk": jwk} | header
        return sign(kept, by=by, **shown)

    def post(self, path: str, form: dict[str, str], *, proof: str | None = None) -> Any:
        """A form, as this client, with a proof."""
        headers = self.party.basic if self.party.secret else {}
        named = {} if self.party.secret else {"client_id": self.party.client_id}
        if proof is not None or self.key is not None:
            headers = headers | {"DPoP": proof or self.proof("POST", path)}
        return self.browser.post(path, data=named | form, headers=headers)

    def userinfo(self, text: str, *, proof: str | None = None) -> Any:
        """Ask userinfo with the token and a proof."""
        return self.fetch(USERINFO, text, proof=proof)

    def fetch(self, path: str, text: str, *, proof: str | None = None) -> Any:
        """GET one of our own resources with the token and a proof."""
        shown = proof or self.proof("GET", path, token=text)
        headers = {"Authorization": f"DPoP {text}", "DPoP": shown}
        return self.browser.get(path, headers=headers)


def thumbprint_of(key: Key) -> str:
    """``jkt`` (RFC 7638)."""
    return key.thumbprint()


@dataclass
class Certified(Flow):
    """A client with a certificate."""

    certificate: x509.Certificate | None = None
    clock: Any = None

    @property
    def shown(self) -> dict[str, str]:
        """What the proxy tells of it."""
        return {} if self.certificate is None else {"Client-Cert": as_header(self.certificate)}

    def post(self, path: str, form: dict[str, str], **more: Any) -> Any:
        """A form, as this client."""
        headers = self.shown | (self.party.basic if self.party.secret else {})
        named = {} if self.party.secret else {"client_id": self.party.client_id}
        return self.browser.post(path, data=named | form, headers=headers, **more)

    def userinfo(self, text: str, **more: Any) -> Any:
        """Ask userinfo with the token over a connection with the certificate."""
        headers = self.shown | {"Authorization": f"Bearer {text}"}
        return self.browser.get(USERINFO, headers=headers, **more)


def as_header(found: x509.Certificate) -> str:
    """The value of Client-Cert (RFC 9440 §2.1)."""
    return f":{base64.b64encode(found.public_bytes(Encoding.DER)).decode()}:"


def x5t(found: x509.Certificate) -> str:
    """``x5t#S256``."""
    return b64(hashlib.sha256(found.public_bytes(Encoding.DER)).digest())


Build = Callable[[x509.CertificateBuilder], x509.CertificateBuilder]
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
_SAN: dict[str, Callable[[str], x509.GeneralName]] = {
    "dns": x509.DNSName,
    "uri": x509.UniformResourceIdentifier,
    "ip": lambda text: x509.IPAddress(ipaddress.ip_address(text)),
    "email": x509.RFC822Name,
}


def named(common: str, organization: str = "Sở Nội vụ") -> x509.Name:
    """A subject."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


@dataclass
class Authority:
    """Issues certificates; itself it may be issued by another."""

    key: Any
    certificate: x509.Certificate

    @classmethod
    def make(
        cls, name: str = "Cơ quan chứng thực", above: "Authority | None" = None
    ) -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        built = (
            _builder(named(name), key, above.certificate.subject if above else named(name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=True,
                    crl_sign=True,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
        )
        return cls(key, built.sign(above.key if above else key, SHA256()))

    def write(self, file: Path, *others: "Authority") -> Path:
        """A PEM bundle of it and others."""
        pems = [each.certificate.public_bytes(Encoding.PEM) for each in (self, *others)]
        file.write_bytes(b"".join(pems))
        return file

    def issue(self, common: str = "ung-dung", *, key: Any = None, **more: Any) -> x509.Certificate:
        """A certificate: ``san=("dns", "a.example")``, ``uses=[…]``, ``began``, ``days``."""
        holder = key or ec.generate_private_key(ec.SECP256R1())
        subject = more.pop("subject", None) or named(common)
        built = _builder(subject, holder, self.certificate.subject, **more)
        return built.sign(self.key, SHA256())


@pytest.fixture
def authority() -> Authority:
    """Whose certificates the clients of a test have."""
    return Authority.make()


def believing(authority: Authority, folder: Path, **others: Any) -> dict[str, Any]:
    """Settings of an installation that believes the authority, and a proxy beside it."""
    return {
        "client_certificates": True,
        "client_certificate_ca_file": authority.write(folder / "clients.pem"),
        "trusted_proxies": ["127.0.0.1"],
        **others,
    }


def self_signed(key: Any, common: str = "tự ký", **more: Any) -> x509.Certificate:
    """A certificate nobody vouches for."""
    return _builder(named(common), key, named(common), **more).sign(key, SHA256())


def _builder(
    subject: x509.Name, key: Any, issuer: x509.Name, **more: Any
) -> x509.CertificateBuilder:
    began = more.get("began", BEGAN)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=more.get("days", 365)))
    )
    if "san" in more:
        kind, text = more["san"]
        names = x509.SubjectAlternativeName([_SAN[kind](text)])
        built = built.add_extension(names, critical=False)
    if "uses" in more:
        built = built.add_extension(x509.ExtendedKeyUsage(more["uses"]), critical=False)
    return built


FOR_SERVERS = [ExtendedKeyUsageOID.SERVER_AUTH]
FOR_CLIENTS = [ExtendedKeyUsageOID.CLIENT_AUTH]
