"""The envelope of the 2026 profile: AES-ECB, its key by RSA PKCS#1 v1.5 to the relying party.

Neither is what one would choose today: ECB shows equal blocks, and PKCS#1 v1.5 needs a relying
party whose answer to every fault is the same. They are what that profile was seen to do.

Each step can be replaced before the envelope is sealed; that is how faults are made.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

BLOCK = 16


def padded(clear: bytes) -> bytes:
    """PKCS#7 to whole AES blocks (Java calls it PKCS5Padding)."""
    padder = PKCS7(BLOCK * 8).padder()
    return padder.update(clear) + padder.finalize()


def wrapped(key: bytes, recipient: rsa.RSAPublicKey) -> bytes:
    """The AES key by RSA PKCS#1 v1.5."""
    return recipient.encrypt(key, padding.PKCS1v15())


def wrapped_in(block: bytes, recipient: rsa.RSAPublicKey) -> bytes:
    """Raw RSA of a whole block, as whoever forgets the padding makes it."""
    numbers = recipient.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def encrypted(blocks: bytes, key: bytes) -> bytes:
    """AES-ECB of whole blocks; a key of a length AES does not have is cut or filled up first."""
    usable = key if len(key) in (16, 24, 32) else key.ljust(32, b"\0")[:32]
    encryptor = Cipher(algorithms.AES(usable), modes.ECB()).encryptor()  # noqa: S305 (the profile's own)
    return encryptor.update(blocks) + encryptor.finalize()


def in_base64(data: bytes) -> str:
    """Ordinary base64 with padding."""
    return base64.b64encode(data).decode("ascii")


def unchanged(sealed: dict[str, Any]) -> dict[str, Any]:
    """Nothing is done to a sealed envelope."""
    return sealed


@dataclass
class Envelope:
    """What is to be said, to whom, and every step on the way."""

    clear: bytes
    recipient: rsa.RSAPublicKey
    aes_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    pad: Callable[[bytes], bytes] = padded
    wrap: Callable[[bytes, rsa.RSAPublicKey], bytes] = wrapped
    afterwards: Callable[[dict[str, Any]], dict[str, Any]] = unchanged

    def seal(self) -> dict[str, Any]:
        """``{"data": base64, "key": base64}``, or what a fault makes of it."""
        data = encrypted(self.pad(self.clear), self.aes_key)
        key = self.wrap(self.aes_key, self.recipient)
        return self.afterwards({"data": in_base64(data), "key": in_base64(key)})


def of_json(value: dict[str, Any], recipient: rsa.RSAPublicKey) -> Envelope:
    """An envelope around a JSON object."""
    return Envelope(json.dumps(value, ensure_ascii=False).encode(), recipient)
