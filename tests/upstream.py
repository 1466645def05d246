"""An upstream provider of identities that does what it is told, wrong things too; no network.

It speaks the three profiles at ``https://<host>`` by its own means (``joserfc``, ``cryptography``), and
stands where the outward client is. ``twist`` changes what it is about to say, by stage:

    metadata keys token claims userinfo     the JSON object, before it is sent or signed
    header                                  the JOSE header
    userinfo signed                         the signed text

``raw`` answers a stage with these bytes, ``status`` with this status, and ``down`` not at all.
``signs`` sends userinfo as a signed JWT (OIDC Core §5.3.2).
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from connectors.errors import Transient
from connectors.outbound import Response

NUMBER = "038190001234"
TOKEN = "the-vao"  # its access token
CLIENT, SECRET = "dinhdanh", "bí mật của bên dùng"


@cache
def signing(alg: str = "ES256", name: str = "k1") -> Any:
    """A key to sign with; one for each name."""
    parameters = {"kid": name}
    if alg == "HS256":
        return OctKey.import_key(SECRET, parameters)
    if alg == "ES256":
        return ECKey.generate_key("P-256", parameters)
    return RSAKey.generate_key(2048, parameters)


@cache
def ours() -> rsa.RSAPrivateKey:
    """The key that answers of ``vneid2026`` are encrypted to."""
    return rsa.generate_private_key(65537, 2048)


def pem() -> bytes:
    """The same as a file holds it."""
    return ours().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def wrapped(plain: bytes, *, size: int = 32, key: Any = None) -> tuple[str, str]:
    """(data, key) as VNeID is seen to encrypt."""
    aes = secrets.token_bytes(size)
    padding = 16 - len(plain) % 16
    box = Cipher(AES(aes), ECB()).encryptor()
    sealed = box.update(plain + bytes([padding]) * padding) + box.finalize()
    to = (key or ours()).public_key().encrypt(aes, PKCS1v15())
    return base64.b64encode(sealed).decode(), base64.b64encode(to).decode()


def half(text: str) -> str:
    """``at_hash`` and ``c_hash``."""
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class Upstream:
    """One provider, of one profile, with one person at it."""

    clock: Callable[[], datetime]
    profile: str = "standard"
    issuer: str = "https://dinhdanh.example"
    subject: str = "chủ-thể-1"
    number: str = NUMBER
    full_name: str = "Lê Thị Lan"
    birth_date: str = "1990-05-17"
    level: Any = 2
    alg: str = "ES256"
    kid: str | None = "k1"
    twist: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    signs: bool = False
    published: list[tuple[str, str]] = field(default_factory=lambda: [("ES256", "k1")])
    calls: list[str] = field(default_factory=list)
    asked: dict[str, str] = field(default_factory=dict)
    """The authorization request that came last."""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _wrapping: dict[str, str] = field(default_factory=dict)

    # ---- the browser's part ----------------------------------------------------------------

    def authorize(self, location: str, **said: str | None) -> str:
        """What the browser brings back, as a raw query, of whoever agreed."""
        parts = urlsplit(location)
        assert location.startswith(self.issuer), location
        self.asked = {k: v[0] for k, v in parse_qs(parts.query).items()}
        code = secrets.token_hex(12)
        self._codes[code] = dict(self.asked)
        back: dict[str, str | None] = {"code": code, "state": self.asked["state"]}
        if self.profile == "standard":
            back["iss"] = self.issuer
        if self.profile == "vneid2026":
            return self._sealed(code, said)
        return urlencode({k: v for k, v in (back | said).items() if v is not None})

    def _sealed(self, code: str, said: dict[str, str | None]) -> str:
        """Base64 stands in the query as it is, with a plus in it."""
        data, key = wrapped(code.encode())
        while "+" not in data:
            data, key = wrapped(code.encode())
        self._wrapping[code] = key
        back = {"code": data, "encrypt_key": key, "state": quote(self.asked["state"])} | said
        return "&".join(f"{k}={v}" for k, v in back.items() if v is not None)

    # ---- our part --------------------------------------------------------------------------

    def request(self, method: str, url: str, **said: Any) -> Response:
        """The outward client's call."""
        assert url.startswith(self.issuer), url
        path = urlsplit(url).path
        stage = next(name for end, name in _STAGES if path.endswith(end))
        self.calls.append(stage)
        if stage in self.down:
            raise Transient("{host} không trả lời trong thời hạn.", host="upstream")
        body = self.raw.get(stage)
        if body is None:
            answer = self._answer(stage, said)
            if isinstance(answer, Response):
                return answer
            body = json.dumps(answer).encode()
        return Response(self.status.get(stage, 200), httpx2.Headers({}), body)

    def _answer(self, stage: str, said: dict[str, Any]) -> Any:
        if stage == "metadata":
            return self._twisted("metadata", self._metadata())
        if stage == "keys":
            public = [signing(*one).as_dict(private=False) for one in self.published]
            return self._twisted("keys", {"keys": public})
        if stage == "token":
            return self._token(said)
        assert said["headers"]["Authorization"] == f"Bearer {TOKEN}"
        if self.signs:
            return self._signed_person()
        return self._body("userinfo", self._person())

    def _signed_person(self) -> Response:
        told = {"iss": self.issuer, "aud": CLIENT} | self._person()
        text = self._twisted("userinfo signed", self._signed(self._twisted("userinfo", told)))
        kind = httpx2.Headers({"Content-Type": "application/jwt"})
        return Response(200, kind, text.encode())

    def _metadata(self) -> dict[str, Any]:
        at = self.issuer.rstrip("/")
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{at}/authorize",
            "token_endpoint": f"{at}/token",
            "userinfo_endpoint": f"{at}/userinfo",
            "jwks_uri": f"{at}/jwks",
            "end_session_endpoint": f"{at}/logout",
            "authorization_response_iss_parameter_supported": True,
        }

    def _token(self, said: dict[str, Any]) -> Any:
        form = {k: v[0] for k, v in parse_qs(said["content"].decode()).items()}
        asked = self._codes.pop(form["code"], None)
        if asked is None or form["redirect_uri"] != asked["redirect_uri"]:
            return Response(400, httpx2.Headers({}), b'{"error": "invalid_grant"}')
        if self.profile == "standard":
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if challenge != asked["code_challenge"]:
                return Response(400, httpx2.Headers({}), b'{"error": "invalid_grant"}')
            pair = base64.b64encode(f"{CLIENT}:{quote(SECRET)}".encode()).decode()
            assert said["headers"]["Authorization"] == f"Basic {pair}"
        else:
            assert (form["client_id"], form["client_secret"]) == (CLIENT, SECRET)
        if self.profile == "vneid2026":
            assert form["encrypt_key"] == self._wrapping[form["code"]]
        answer: dict[str, Any] = {"access_token": TOKEN, "token_type": "Bearer"}
        if self.profile != "vneid2026":
            answer["id_token"] = self._id_token(asked, form["code"])
        return self._body("token", answer)

    def _body(self, stage: str, answer: dict[str, Any]) -> Any:
        answer = self._twisted(stage, answer)
        if self.profile != "vneid2026":
            return answer
        data, key = wrapped(json.dumps(answer).encode())
        return self._twisted(f"{stage} sealed", {"data": data, "key": key})

    def _id_token(self, asked: dict[str, str], code: str) -> str:
        now = int(self.clock().timestamp())
        dvcqg = self.profile == "dvcqg"
        claims = {
            "iss": f"{self.issuer}/oauth2/token" if dvcqg else self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "azp": CLIENT,
            "iat": now,
            "exp": now + 300,
            "auth_time": now,
            "nonce": asked.get("nonce"),
            "acr": "LoA1" if dvcqg else "loa:2",
            "amr": ["pwd", "otp"],
            "at_hash": half(TOKEN),
            "c_hash": half(code),
        }
        return self._signed(self._twisted("claims", claims))

    def _signed(self, claims: Any) -> str:
        header = self._twisted("header", {"alg": self.alg, "typ": "JWT"} | self._named())
        if header["alg"] == "none":
            parts = [json.dumps(each).encode() for each in (header, claims)]
            return ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts) + "."
        key = signing(self.alg, self.kid or "k1")
        algorithms = [self.alg]
        return jws.serialize_compact(header, json.dumps(claims), key, algorithms=algorithms)

    def _named(self) -> dict[str, str]:
        return {"kid": self.kid} if self.kid else {}

    def _person(self) -> dict[str, Any]:
        if self.profile == "dvcqg":
            return {
                "sub": self.subject,
                "LoaiTaiKhoan": 1,
                "SoDinhDanh": self.number,
                "HoVaTen": self.full_name,
                "NgayThangNamSinh": self.birth_date.replace("-", ""),
                "IAL": self.level,
                "loginIdp": "BCA",
                "DanToc": "Kinh",
            }
        if self.profile == "vneid2026":
            year, *rest = self.birth_date.split("-")
            return {
                "citizenPid": self.number,
                "fullName": self.full_name,
                "birthDate": "/".join([*reversed(rest), year]),
                "accountType": 1,
                "accountLevel": self.level,
            }
        return {
            "sub": self.subject,
            "name": self.full_name,
            "birthdate": self.birth_date,
            "citizen_id": self.number,
            "eid_level": self.level,
            "account_type": "person",
            "religion": "không",
        }

    def _twisted(self, stage: str, value: Any) -> Any:
        return self.twist.get(stage, lambda same: same)(value)


_STAGES = (
    ("/.well-known/openid-configuration", "metadata"),
    ("/jwks", "keys"),
    ("/token", "token"),
    ("/userinfo", "userinfo"),
)


def without(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A twist: these members are left out."""
    return lambda value: {k: v for k, v in value.items() if k not in names}


def saying(**others: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A twist: these members say something else."""
    return lambda value: value | others


class Several:
    """Some upstreams where the outward client is, by the address that is called."""

    def __init__(self, *upstreams: Upstream) -> None:
        self.upstreams = upstreams

    def request(self, method: str, url: str, **said: Any) -> Response:
        """The outward client's call."""
        at = next(one for one in self.upstreams if url.startswith(one.issuer.rstrip("/") + "/"))
        return at.request(method, url, **said)
