"""An authenticator of one's own: W3C Web Authentication Level 3, as its maker wrote it.

It makes ES256 keys, counts or does not (synced keys stay at 0, which the browsers' virtual one cannot
do), asks for a PIN or not, and can lie about everything that is checked.
"""

import hashlib
import json
import re
import secrets
import struct
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from directory.base.base64url import decode, encode
from tests.browser_client import hidden_fields

ORIGIN = "http://localhost:8000"
FORM = re.compile(
    r'<form method="post" action="([^"]*)" data-passkey="(\w+)" data-asks="([^"]*)">(.*?)</form>',
    re.DOTALL,
)
_UP, _UV, _BE, _BS, _AT = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class Key:
    """One resident key."""

    id: bytes
    rp_id: str
    handle: bytes
    private: ec.EllipticCurvePrivateKey
    count: int = 0


@dataclass
class SecurityKey:
    """A device with the keys in it. ``pin``: whether it asks for one; ``counts``: whether its keys
    count; ``synced``: whether they are copied elsewhere."""

    pin: bool = True
    counts: bool = False
    synced: bool = True
    origin: str = ORIGIN
    keys: list[Key] = field(default_factory=list)

    def create(self, asks: dict[str, Any], **lies: Any) -> dict[str, Any]:
        """``navigator.credentials.create``."""
        assert {"type": "public-key", "alg": -7} in asks["pubKeyCredParams"]
        assert asks["authenticatorSelection"]["residentKey"] == "required"
        mine = {encode(key.id) for key in self.keys}
        if mine & {one["id"] for one in asks["excludeCredentials"]}:
            raise InvalidStateError
        handle = decode(asks["user"]["id"])
        # A second key for one account at one name takes the first one's place.
        self.keys = [k for k in self.keys if (k.rp_id, k.handle) != (asks["rp"]["id"], handle)]
        private = ec.generate_private_key(ec.SECP256R1())
        key = Key(lies.get("id") or secrets.token_bytes(20), asks["rp"]["id"], handle, private)
        self.keys.append(key)
        numbers = private.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(key.id)) + key.id + cbor2.dumps(cose)
        data = self._data(key, lies, more=attested)
        told = self._client_data("webauthn.create", asks, lies)
        response = {
            "clientDataJSON": encode(told),
            "attestationObject": encode(
                cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
            ),
            "transports": ["internal", "hybrid"],
        }
        return self._credential(key, response)

    def get(self, asks: dict[str, Any], *, key: Key | None = None, **lies: Any) -> dict[str, Any]:
        """``navigator.credentials.get`` with the newest key that fits, or with this one."""
        allowed = {one["id"] for one in asks.get("allowCredentials", [])}
        fitting = [
            one
            for one in self.keys
            if one.rp_id == asks["rpId"] and (not allowed or encode(one.id) in allowed)
        ]
        key = key or fitting[-1]
        if self.counts:
            key.count += 1
        data = self._data(key, lies)
        told = self._client_data("webauthn.get", asks, lies)
        signer = lies.get("by", key).private
        signature = signer.sign(data + hashlib.sha256(told).digest(), ec.ECDSA(SHA256()))
        handle = lies.get("handle", key.handle)
        response = {
            "clientDataJSON": encode(told),
            "authenticatorData": encode(data),
            "signature": encode(signature),
            "userHandle": encode(handle) if handle is not None else None,
        }
        return self._credential(key, response)

    def _data(self, key: Key, lies: dict[str, Any], more: bytes = b"") -> bytes:
        pin = lies.get("pin", self.pin)
        flags = _UP * lies.get("present", True) | _UV * pin | (_BE | _BS) * self.synced
        flags |= _AT if more else 0
        named = hashlib.sha256(lies.get("rp_id", key.rp_id).encode()).digest()
        return named + struct.pack(">BI", flags, lies.get("count", key.count)) + more

    def _client_data(self, kind: str, asks: dict[str, Any], lies: dict[str, Any]) -> bytes:
        told = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", asks["challenge"]),
            "origin": lies.get("origin", self.origin),
            "crossOrigin": lies.get("framed", False),
        }
        return json.dumps(told).encode()

    @staticmethod
    def _credential(key: Key, response: dict[str, Any]) -> dict[str, Any]:
        named = encode(key.id)
        return {"id": named, "rawId": named, "type": "public-key", "response": response}


class InvalidStateError(Exception):
    """What a browser says where the device has a key of this account."""


@dataclass(frozen=True)
class Offered:
    """The form of a page that a passkey is asked for in."""

    action: str
    does: str
    asks: dict[str, Any]
    fields: dict[str, str]

    @classmethod
    def on(cls, page: Any) -> "Offered":
        """The one on this page."""
        found = FORM.findall(page.text)
        assert len(found) == 1, page.text
        action, does, asks, inner = found[0]
        return cls(unescape(action), does, json.loads(unescape(asks)), hidden_fields(inner))

    def answer(self, client: Any, credential: dict[str, Any] | str, **fields: str) -> Any:
        """Send what the device says, as the page's script does."""
        text = credential if isinstance(credential, str) else json.dumps(credential)
        return client.post(self.action, data=self.fields | {"credential": text} | fields)


def press(client: Any, page: Any, device: SecurityKey, **how: Any) -> Any:
    """Press the button of a page and use this device; the answer."""
    form = Offered.on(page)
    fields = how.pop("fields", {})
    return form.answer(client, getattr(device, form.does)(form.asks, **how), **fields)
