"""What an upstream has encrypted to us: an AES key by RSA PKCS#1 v1.5, the rest by AES in ECB mode.

Both are what VNeID is seen to do, and no choice of ours. Whoever can send us ciphertexts must learn
nothing from our answers (Bleichenbacher 1998): every fault, be it of padding, length, spelling or
content, is one refusal, and the same work is done before it. ``cryptography`` does not raise for a
wrong padding: OpenSSL gives other bytes, of another length (implicit rejection), so that the length
says nothing either.
"""

import base64
import binascii
import re
import secrets

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors.eid.refusals import EidRefused, Why
from directory.base import strict_json

_BLOCK = 16
_KEYS = (16, 24, 32)
LEAST_BITS = 2048
_CODE = re.compile(rb"[\x21-\x7e]{1,512}")


def private_key(pem: bytes) -> RSAPrivateKey:
    """A key as it is configured. Raises ValueError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as exc:
        raise ValueError("the key is protected by a password") from exc
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_BITS:
        raise ValueError(f"not an RSA key of {LEAST_BITS} bits or more")
    return key


def opened_code(key: RSAPrivateKey, sealed: str, wrapped: str) -> str:
    """An authorization code. Raises EidRefused: UNDECRYPTABLE, whatever is wrong."""
    plain = _opened(key, sealed, wrapped)
    if plain is None or not _CODE.fullmatch(plain):
        raise EidRefused(Why.UNDECRYPTABLE)
    return plain.decode("ascii")


def opened_body(key: RSAPrivateKey, body: bytes) -> dict[str, object]:
    """The JSON object inside ``{"data": …, "key": …}``. Raises EidRefused: UNDECRYPTABLE, also for
    what was not encrypted at all.
    """
    try:
        told = strict_json.read(body)
    except strict_json.Unreadable:
        told = {}
    parts = [told.get(name) for name in ("data", "key")]
    data, wrapped = (part if isinstance(part, str) else "" for part in parts)
    try:
        return strict_json.read(_opened(key, data, wrapped) or b"")
    except strict_json.Unreadable:
        # Without a cause: which step failed is nobody's business.
        raise EidRefused(Why.UNDECRYPTABLE) from None


def _opened(key: RSAPrivateKey, sealed: str, wrapped: str) -> bytes | None:
    data, given = _bytes(sealed), _bytes(wrapped)
    try:
        secret = key.decrypt(given, PKCS1v15())
    except ValueError:  # another length than the key's
        secret = b""
    fits = len(secret) in _KEYS
    whole = len(data) > 0 and len(data) % _BLOCK == 0
    with_key = secret if fits else secrets.token_bytes(32)
    box = Cipher(AES(with_key), ECB()).decryptor()  # noqa: S305 (theirs, see above)
    plain = box.update(data if whole else bytes(_BLOCK)) + box.finalize()
    size = plain[-1]
    padded = 1 <= size <= _BLOCK and plain.endswith(bytes([size]) * size)
    return plain[:-size] if fits and whole and padded else None


def _bytes(spelt: str) -> bytes:
    """Base64 (RFC 4648 §4); nothing where it is none."""
    try:
        return base64.b64decode(spelt.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return b""
