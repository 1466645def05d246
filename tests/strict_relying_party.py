"""A relying party of our own that takes nothing on trust, and remembers what it saw on the wire.

Written from the standards and from what a registry of citizens must ask, not from the simulator:
it decides by itself what to refuse, so that the table of faults can be held against it.
"""

import base64
import hashlib
import json
import re
import secrets
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from dinhdanh.eid_simulator import clock

CALLBACK = "http://localhost:9/callback"
PATIENCE = 20.0
MOST = 1024 * 1024
SKEW = 60


HTTP = httpx2.Client(verify=False, trust_env=False)
"""One for all: every further client would read the machine's certificates again."""


class Refused(Exception):
    """Nobody is signed in; the first argument says why, for the test's reader only."""


@dataclass
class Person:
    """What the personnel records say of somebody, and what is linked to her."""

    full_name: str
    birth_date: str
    number: str
    subject: str | None = None


@dataclass
class Wire:
    """What one sign-in looked like from outside."""

    location: str = ""
    form: dict[str, str] | None = None
    shown: str = ""
    """The page, where one came in place of the way back."""
    callback: list[tuple[str, str]] = field(default_factory=list)
    """Name and undecoded value."""
    state: str = ""
    token_status: int = 0
    token_headers: Mapping[str, str] = field(default_factory=dict)
    token_raw: bytes = b""
    token: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo_status: int = 0
    userinfo_raw: bytes = b""
    userinfo: dict[str, Any] = field(default_factory=dict)
    failed: str = ""
    """Name of the transport error, with the endpoint it happened at."""
    took: float = 0.0
    documents: dict[str, bytes] = field(default_factory=dict)

    def raw(self, name: str) -> list[str]:
        """Undecoded values of a callback parameter."""
        return [value for each, value in self.callback if each == name]


class RelyingParty:
    """One client of one provider; ``private`` is the RSA key it decrypts with."""

    def __init__(
        self, sim: Any, prefix: str, client: tuple[str, str], people: list[Person], private: Any
    ) -> None:
        self.provider = sim.provider(prefix)
        self.profile = self.provider.profile
        self.client_id, self.secret = client
        self.people = people
        self.private = private
        self.wire = Wire()
        self.patience: dict[str, float] = {}
        """Seconds to wait, by the last part of an address, where it is not ``PATIENCE``."""
        self._metadata: dict[str, Any] = {}
        self._keys: list[dict[str, Any]] | None = None

    # ---- one sign-in ---------------------------------------------------------------------------

    def sign_in(self) -> Person:
        """From the request to the person. Raises Refused."""
        self.wire = Wire()
        self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        self.wire.state = state
        began = clock.system().timestamp()
        self._browse(state, nonce, verifier)
        code, extra = self._callback(state)
        token = self._token(code, verifier, extra)
        subject = self._id_token(token, code, nonce, began)
        claims = self._userinfo(token)
        if self.profile == "standard" and claims.get("sub") != subject:
            raise Refused("userinfo's sub")
        return self._person(claims)

    def _discover(self) -> None:
        if self.profile != "standard":
            return
        if not self._metadata:
            self._metadata = self._document(
                f"{self.provider.issuer}/.well-known/openid-configuration"
            )
            if self._metadata.get("issuer") != self.provider.issuer:
                self._metadata = {}
                raise Refused("issuer of the document")
            host = urlsplit(self.provider.issuer).netloc
            if urlsplit(self._metadata["token_endpoint"]).netloc != host:
                self._metadata = {}
                raise Refused("token endpoint elsewhere")
        if self._keys is None:
            self._fetch_keys()

    def _document(self, address: str) -> dict[str, Any]:
        status, _, body = self._call("GET", address)
        self.wire.documents[address.rsplit("/", 1)[1]] = body
        if status != 200:
            raise Refused("document's status")
        return _object(body)

    def _fetch_keys(self) -> None:
        usable = []
        for key in self._document(self._metadata["jwks_uri"]).get("keys", []):
            if key.get("kty") not in ("RSA", "EC"):
                continue  # RFC 7517 section 5: pass over what is not understood
            try:
                found = JWKRegistry.import_key(key)
            except (JoseError, ValueError, KeyError):
                continue
            if found.key_type == "EC" or found.raw_value.key_size >= 2048:
                usable.append(key)
        self._keys = usable

    def _browse(self, state: str, nonce: str, verifier: str) -> None:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid",
            "state": state,
        }
        if self.profile == "standard":
            challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
            query |= {
                "nonce": nonce,
                "code_challenge": challenge.rstrip(b"=").decode(),
                "code_challenge_method": "S256",
                "max_age": "0",
                "prompt": "login",
            }
        if self.profile == "dvcqg":
            query["acr_values"] = "LoA1"
        answer = HTTP.get(self.provider.address("authorize"), params=query)
        self.wire.location = answer.headers.get("location", "")
        if answer.status_code == 200:
            pairs = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', answer.text)
            self.wire.form, self.wire.shown = dict(pairs), answer.text
            raise Refused("not by GET")
        assert self.wire.location.startswith(CALLBACK), self.wire.location

    def _callback(self, state: str) -> tuple[str, str]:
        query = urlsplit(self.wire.location).query
        self.wire.callback = [
            (unquote(name), value)
            for name, _, value in (p.partition("=") for p in query.split("&"))
        ]
        names = [name for name, _ in self.wire.callback]
        if any(names.count(name) > 1 for name in ("state", "code", "iss", "encrypt_key")):
            raise Refused("twice")
        # unquote leaves a + as it is, where form decoding would make it a blank
        said = {name: unquote(value) for name, value in self.wire.callback}
        if said.get("state") != state:
            raise Refused("state")
        if self.profile == "standard" and said.get("iss") != self.provider.issuer:
            raise Refused("iss")
        if "error" in said:
            raise Refused("error")
        if "code" not in said:
            raise Refused("code")
        if self.profile != "vneid2026":
            return said["code"], ""
        if "encrypt_key" not in said:
            raise Refused("encrypt_key")
        return self._opened(said["code"], said["encrypt_key"]).decode(), said["encrypt_key"]

    # ---- the calls -----------------------------------------------------------------------------

    def _call(self, method: str, address: str, **how: Any) -> tuple[int, Mapping[str, str], bytes]:
        began = time.monotonic()
        try:
            with HTTP.stream(
                method,
                address,
                timeout=self.patience.get(address.rsplit("/", 1)[1], PATIENCE),
                **how,
            ) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > MOST:
                        self.wire.failed = f"too long {address}"
                        raise Refused("too long")
                return answer.status_code, answer.headers, body
        except httpx2.TransportError as exc:
            self.wire.failed = f"{type(exc).__name__} {address}"
            raise Refused("transport") from exc
        finally:
            self.wire.took = max(self.wire.took, time.monotonic() - began)

    def _token(self, code: str, verifier: str, encrypt_key: str) -> dict[str, Any]:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        how: dict[str, Any] = {"data": form}
        if self.profile == "standard":
            form["code_verifier"] = verifier
            how["auth"] = (self.client_id, self.secret)
        else:
            form |= {"client_id": self.client_id, "client_secret": self.secret}
        if encrypt_key:
            form["encrypt_key"] = encrypt_key
        status, headers, body = self._call("POST", self.provider.address("token"), **how)
        self.wire.token_status, self.wire.token_headers, self.wire.token_raw = status, headers, body
        if status != 200:
            raise Refused("token status")
        token = self._read(body)
        self.wire.token = token
        if not isinstance(token.get("access_token"), str):
            raise Refused("access_token")
        if str(token.get("token_type", "")).lower() != "bearer":
            raise Refused("token_type")
        return token

    def _userinfo(self, token: dict[str, Any]) -> dict[str, Any]:
        status, _, body = self._call(
            "GET",
            self.provider.address("userinfo"),
            headers={"Authorization": f"Bearer {token['access_token']}"},
        )
        self.wire.userinfo_status, self.wire.userinfo_raw = status, body
        if status != 200:
            raise Refused("userinfo status")
        self.wire.userinfo = self._read(body)
        return self.wire.userinfo

    def _read(self, body: bytes) -> dict[str, Any]:
        found = _object(body)
        if self.profile != "vneid2026":
            return found
        if set(found) != {"data", "key"}:
            raise Refused("envelope")
        return _object(self._opened(found["data"], found["key"]))

    def _opened(self, data: str, key: str) -> bytes:
        """What an envelope holds; every fault is the same fault."""
        try:
            sealed_key = base64.b64decode(key, validate=True)
            sealed = base64.b64decode(data, validate=True)
            aes = self.private.decrypt(sealed_key, padding.PKCS1v15())
            if len(aes) not in (16, 24, 32):
                raise ValueError
            decryptor = Cipher(algorithms.AES(aes), modes.ECB()).decryptor()
            clear = decryptor.update(sealed) + decryptor.finalize()
            size = clear[-1]
            if not 1 <= size <= 16 or clear[-size:] != bytes([size]) * size:
                raise ValueError
            clear[:-size].decode()
        except (ValueError, TypeError, IndexError) as exc:
            raise Refused("decryption") from exc
        return clear[:-size]

    # ---- what is believed ----------------------------------------------------------------------

    def _id_token(self, token: dict[str, Any], code: str, nonce: str, began: float) -> str | None:
        text = token.get("id_token")
        if isinstance(text, str):
            header, claims, _ = (part + "==" for part in (text + "..").split(".")[:3])
            self.wire.header = json.loads(base64.urlsafe_b64decode(header))
            self.wire.claims = json.loads(base64.urlsafe_b64decode(claims))
        if self.profile != "standard":
            return None
        if not isinstance(text, str):
            raise Refused("id_token")
        said = self._verified(text)
        self._meant_for_us(said, nonce)
        self._timely(said, began)
        for name, value in (("at_hash", token["access_token"]), ("c_hash", code)):
            half = hashlib.sha256(value.encode()).digest()[:16]
            wanted = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
            if said.get(name, wanted) != wanted:
                raise Refused(name)
        return str(said["sub"])

    def _meant_for_us(self, said: dict[str, Any], nonce: str) -> None:
        if said.get("iss") != self.provider.issuer or said.get("aud") != self.client_id:
            raise Refused("iss or aud")
        if said.get("azp", self.client_id) != self.client_id:
            raise Refused("azp")
        if said.get("nonce") != nonce:
            raise Refused("nonce")
        if not isinstance(said.get("sub"), str):
            raise Refused("sub")

    def _timely(self, said: dict[str, Any], began: float) -> None:
        now = clock.system().timestamp()
        until, issued, signed_in = (said.get(name) for name in ("exp", "iat", "auth_time"))
        if not isinstance(until, int) or until <= now - SKEW:
            raise Refused("exp")
        if not isinstance(issued, int) or max(issued, said.get("nbf", 0)) > now + SKEW:
            raise Refused("iat")
        if not isinstance(signed_in, int) or signed_in < began - SKEW:
            raise Refused("auth_time")

    def _verified(self, text: str) -> dict[str, Any]:
        header = self.wire.header
        if header.get("alg") != "RS256" or "crit" in header:
            raise Refused("alg")
        if header.get("kid") not in [key.get("kid") for key in self._keys or []]:
            self._fetch_keys()
        fitting = [key for key in self._keys or [] if key.get("kid") == header.get("kid")]
        if not fitting:
            raise Refused("kid")
        try:
            return jwt.decode(text, KeySet.import_key_set({"keys": fitting}), ["RS256"]).claims
        except (JoseError, ValueError) as exc:
            raise Refused("signature") from exc

    def _person(self, claims: dict[str, Any]) -> Person:
        names = {
            "standard": ("citizen_id", "name", "birthdate", "eid_level", "sub"),
            "dvcqg": ("SoDinhDanh", "HoVaTen", "NgayThangNamSinh", "IAL", "sub"),
            "vneid2026": ("citizenPid", "fullName", "birthDate", "accountLevel", "citizenPid"),
        }[self.profile]
        number, name, born, level, subject = (claims.get(each) for each in names)
        kind = claims.get("account_type", claims.get("LoaiTaiKhoan", claims.get("accountType")))
        if kind not in ("person", 1):
            raise Refused("not a person")
        if isinstance(level, bool) or level not in (2, "2"):
            raise Refused("level")
        if not isinstance(number, str) or not re.fullmatch(r"[0-9]{12}", number):
            raise Refused("number")
        if not isinstance(subject, str):
            raise Refused("sub")
        person = next((each for each in self.people if each.number == number), None)
        if person is None or _plain(name) != _plain(person.full_name):
            raise Refused("nobody of that number and name")
        if _digits(born) != _digits(person.birth_date):
            raise Refused("birth date")
        if person.subject is None and any(each.subject == subject for each in self.people):
            raise Refused("linked to somebody else")
        if person.subject not in (None, subject):
            raise Refused("another subject")
        person.subject = subject
        return person


def _object(body: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    try:
        found = json.loads(body.decode(), object_pairs_hook=once)
    except ValueError as exc:
        raise Refused("JSON") from exc
    if not isinstance(found, dict):
        raise Refused("not an object")
    return found


def _plain(name: Any) -> list[str]:
    """A name without regard to case, composition, and on which letter of a word a tone stands."""
    if not isinstance(name, str):
        return []
    folded = unicodedata.normalize("NFD", name.casefold())
    return ["".join(sorted(word)) for word in folded.split()]


def _digits(born: Any) -> str:
    """A birth date as yyyymmdd, however the three profiles write it."""
    if not isinstance(born, str):
        return ""
    if found := re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", born):
        return "".join(reversed(found.groups()))
    return born.replace("-", "") if re.fullmatch(r"\d{4}(-?\d\d-?\d\d)?", born) else ""
