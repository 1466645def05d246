"""Keys that sign, and compact signatures made by hand.

By hand, because half of the signatures are meant to be wrong: ``alg`` none, an HMAC with the
public key, a critical header nobody knows. A library rightly refuses to make those. What is made
here is verified by libraries in the tests.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

Signer = Callable[[bytes], bytes]
ALGORITHMS = ("RS256", "ES256")


def unpadded(data: bytes) -> str:
    """Base64url without padding, RFC 7515 section 2."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def half_hash(value: str) -> str:
    """``at_hash`` or ``c_hash`` of a value, for signatures with SHA-256 (Core 3.1.3.6)."""
    return unpadded(hashlib.sha256(value.encode()).digest()[:16])


def compact(header: dict[str, Any], claims: dict[str, Any], sign: Signer) -> str:
    """A compact serialisation, whatever ``header`` says and ``sign`` does."""
    parts = [unpadded(json.dumps(part, ensure_ascii=False).encode()) for part in (header, claims)]
    signed = ".".join(parts)
    return f"{signed}.{unpadded(sign(signed.encode()))}"


def by_hmac(secret: bytes) -> Signer:
    """HS256 with this secret."""
    return lambda data: hmac.new(secret, data, hashlib.sha256).digest()


def unsigned(_data: bytes) -> bytes:
    """The empty signature of ``alg`` none."""
    return b""


@dataclass(frozen=True)
class SigningKey:
    """A private key with its id."""

    kid: str
    alg: str
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    def sign(self, data: bytes) -> bytes:
        """The signature as JWS wants it."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def public(self) -> dict[str, Any]:
        """The public key as a JWK."""
        public = self.private.public_key()
        about = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        if isinstance(public, rsa.RSAPublicKey):
            numbers = public.public_numbers()
            return about | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
        point = public.public_numbers()
        x, y = (unpadded(part.to_bytes(32, "big")) for part in (point.x, point.y))
        return about | {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    def public_pem(self) -> bytes:
        """The public key as PEM: what an HMAC with "the public key" is keyed with."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def new_key(alg: str) -> SigningKey:
    """A new key for one of ``ALGORITHMS``."""
    kid = f"sim-{secrets.token_hex(4)}"
    if alg == "ES256":
        return SigningKey(kid, alg, ec.generate_private_key(ec.SECP256R1()))
    return SigningKey(kid, alg, rsa.generate_private_key(65537, 2048))


class SigningKeys:
    """One provider's keys: those it signs with, those it publishes, and a stranger's.

    A key is made when it is first wanted: an RSA key costs more than a whole sign-in.
    """

    def __init__(self, current: dict[str, SigningKey] | None = None) -> None:
        self._current = current or {}
        self._strangers: dict[str, SigningKey] = {}
        self._retired: list[SigningKey] = []
        self._lock = threading.Lock()

    def current(self, alg: str) -> SigningKey:
        """The published key that signs with this algorithm."""
        return self._one_of(self._current, alg)

    def stranger(self, alg: str) -> SigningKey:
        """A key that is never published."""
        return self._one_of(self._strangers, alg)

    def _one_of(self, keys: dict[str, SigningKey], alg: str) -> SigningKey:
        with self._lock:
            if alg not in keys:
                keys[alg] = new_key(alg)
            return keys[alg]

    def rotate(self) -> None:
        """Sign with new keys from now on; the old ones stay published."""
        made = {alg: new_key(alg) for alg in ALGORITHMS}
        with self._lock:
            self._retired, self._current = list(self._current.values()), made

    def published(self) -> dict[str, Any]:
        """The JWK Set."""
        keys = [*(self.current(alg) for alg in ALGORITHMS), *self._retired]
        return {"keys": [key.public() for key in keys]}


def _number(value: int) -> str:
    return unpadded(value.to_bytes((value.bit_length() + 7) // 8, "big"))
