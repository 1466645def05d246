"""The root's key taken away from here, and brought back to sign another issuing authority."""

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from sqlalchemy.orm import Session

from connectors.pki.authority import certificate_of, issuing, seal, signer
from connectors.pki.tables import Authority
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput


def export_root(session: Session, keyring: Keyring, passphrase: str) -> bytes:
    """The root's key as encrypted PKCS #8 PEM, removed from here by the caller's transaction.

    Raises Conflict when it is offline already, InvalidInput for a short passphrase.
    """
    if len(passphrase) < 12:
        raise InvalidInput(
            "passphrase", "Mật khẩu bảo vệ khóa gốc phải có ít nhất 12 ký tự.", field="passphrase"
        )
    root = _root(session)
    key = signer(keyring, root)
    root.key_sealed = None
    session.flush()
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase.encode())
    )


def import_root(session: Session, keyring: Keyring, file: bytes, passphrase: str) -> None:
    """Bring the root's key back. Raises InvalidInput unless it is the key of our root."""
    root = _root(session)
    try:
        key = load_pem_private_key(file, passphrase.encode())
    except (ValueError, TypeError) as exc:
        raise InvalidInput(
            "root_key", "Không mở được tệp khóa gốc bằng mật khẩu này.", field="file"
        ) from exc
    if key.public_key() != certificate_of(root).public_key():
        raise InvalidInput(
            "root_key", "Tệp này không phải khóa của bộ chứng thực gốc.", field="file"
        )
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)  # noqa: S101 (ours)
    root.key_sealed = seal(keyring, key)
    session.flush()


def _root(session: Session) -> Authority:
    return session.get_one(Authority, issuing(session).parent_id, with_for_update=True)
