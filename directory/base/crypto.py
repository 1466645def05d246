"""Keyring, encryption at rest, keyed hashes and MACs.

The keyring is a JSON file outside the database: ``{"current": id, "keys": {id: base64}}``.
From each 256-bit master key one key per purpose is derived by HKDF-SHA256 (RFC 5869), so that
a value made for one purpose never verifies for another. Ciphertexts and hashes name their key
id; a database that names an id the keyring lacks is refused at start.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from directory.base import private
from directory.base.errors import Misconfigured


class Keyring:
    """Master keys by id. ``current`` makes new values; all of them read old ones."""

    def __init__(self, keys: dict[str, bytes], current: str) -> None:
        if current not in keys or any(len(k) != 32 for k in keys.values()):
            raise Misconfigured("keyring", "Tệp khóa không hợp lệ.")
        self._keys = keys
        self.current = current
        self._derived = lru_cache(maxsize=256)(self._derive)
        self._signer = lru_cache(maxsize=16)(self._make_signer)
        self._verifier = lru_cache(maxsize=16)(self._make_verifier)

    @classmethod
    def generate(cls) -> "Keyring":
        """A fresh keyring with one key."""
        key_id = secrets.token_hex(4)
        return cls({key_id: secrets.token_bytes(32)}, key_id)

    @classmethod
    def open(cls, file: Path, *, create: bool = False) -> "Keyring":
        """Read the keyring; with ``create`` make it (mode 0600) when the file is missing.

        Raises Misconfigured.
        """
        try:
            written = file.read_text("utf-8")
        except (FileNotFoundError, NotADirectoryError):
            if not create:
                raise Misconfigured(
                    "keyring", "Không tìm thấy tệp khóa {file}.", file=file
                ) from None
            private.folder(file.parent)
            ring = cls.generate()
            ring.save(file)
            return ring
        except OSError as exc:
            raise Misconfigured(
                "keyring", "Không đọc được tệp khóa {file}: {why}.", file=file, why=exc.strerror
            ) from exc
        except UnicodeDecodeError as exc:
            raise Misconfigured("keyring", "Tệp khóa {file} bị hỏng.", file=file) from exc
        try:
            raw = json.loads(written)
            keys = {i: base64.b64decode(k, validate=True) for i, k in raw["keys"].items()}
            return cls(keys, raw["current"])
        except (ValueError, KeyError, TypeError) as exc:
            raise Misconfigured("keyring", "Tệp khóa {file} bị hỏng.", file=file) from exc

    def save(self, file: Path) -> None:
        """Write a new file, mode 0600; an existing one is never overwritten.

        It is there whole or not at all, whatever fails in between: what this key has encrypted
        cannot be read without it. Raises Misconfigured.
        """
        body = json.dumps(
            {
                "current": self.current,
                "keys": {i: base64.b64encode(k).decode() for i, k in self._keys.items()},
            }
        )
        whole = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
        try:
            fd = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as out:
                out.write(body)
                out.flush()
                os.fsync(fd)
            os.link(whole, file)  # unlike a rename it never takes another's place
            _settle(file.parent)
        except OSError as exc:
            raise Misconfigured(
                "keyring_unwritten",
                "Không ghi được tệp khóa {file}: {why}.",
                file=file,
                why=exc.strerror,
            ) from exc
        finally:
            whole.unlink(missing_ok=True)

    def knows(self, key_id: str) -> bool:
        """Whether values made under this key id can be read."""
        return key_id in self._keys

    def _derive(self, key_id: str, purpose: str) -> bytes:
        if key_id not in self._keys:
            raise Misconfigured("key_unknown", "Tệp khóa thiếu khóa {key_id}.", key_id=key_id)
        kdf = HKDF(hashes.SHA256(), 32, salt=None, info=b"dinhdanh:" + purpose.encode())
        return kdf.derive(self._keys[key_id])

    def encrypt(self, purpose: str, plain: bytes) -> str:
        """AES-256-GCM; text of the form ``keyid.base64``. The purpose is authenticated."""
        nonce = secrets.token_bytes(12)
        box = AESGCM(self._derived(self.current, "enc:" + purpose))
        sealed = nonce + box.encrypt(nonce, plain, purpose.encode())
        return f"{self.current}.{base64.urlsafe_b64encode(sealed).decode()}"

    def decrypt(self, purpose: str, text: str) -> bytes:
        """The plain bytes. Raises Misconfigured when key or content do not fit: fail closed."""
        key_id, _, body = text.partition(".")
        key = self._derived(key_id, "enc:" + purpose)
        try:
            raw = base64.urlsafe_b64decode(body)
            return AESGCM(key).decrypt(raw[:12], raw[12:], purpose.encode())
        except (InvalidTag, ValueError) as exc:
            raise Misconfigured("undecryptable", "Dữ liệu mã hóa không đọc được.") from exc

    def keyed_hash(self, purpose: str, value: str) -> str:
        """HMAC-SHA256 for look-up of a secret or a personal number.

        Always made under the oldest key, so that equal values keep one hash after a rotation.
        """
        key = self._derived(min(self._keys), "hash:" + purpose)
        return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()

    def mac(self, purpose: str, message: bytes, *, size: int = 16) -> bytes:
        """The first ``size`` bytes of HMAC-SHA256 over the message, for handles stored nowhere."""
        key = self._derived(min(self._keys), "mac:" + purpose)
        return hmac.new(key, message, hashlib.sha256).digest()[:size]

    def mac_fits(self, purpose: str, message: bytes, tag: bytes) -> bool:
        """Constant-time check of a MAC made by ``mac``."""
        return hmac.compare_digest(self.mac(purpose, message, size=max(len(tag), 16)), tag)

    def sign(self, purpose: str, message: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032) under the current key, for what others are to check."""
        return self._signer(self.current, purpose).sign(message)

    def signature_fits(self, key_id: str, purpose: str, message: bytes, signature: bytes) -> bool:
        """Whether ``sign`` made it under this key id; False for a key the keyring lacks."""
        if not self.knows(key_id):
            return False
        try:
            self._verifier(key_id, purpose).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def public_key(self, purpose: str) -> bytes:
        """The 32 bytes that check what ``sign`` makes today."""
        return self._verifier(self.current, purpose).public_bytes_raw()

    def _make_signer(self, key_id: str, purpose: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._derived(key_id, "sign:" + purpose))

    def _make_verifier(self, key_id: str, purpose: str) -> Ed25519PublicKey:
        return self._signer(key_id, purpose).public_key()


def _settle(folder: Path) -> None:
    """Let the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def random_id() -> str:
    """At least 127 random bits as 22 URL-safe characters, the first never a hyphen.

    People give such a name to a command and paste it into a sheet: a leading hyphen would be
    read as an option there, and as a formula.
    """
    while (text := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return text


def random_secret() -> str:
    """256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)
