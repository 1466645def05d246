"""Which keys of others we certify, and what we take from a CSR: the key and nothing else.

A PKCS #10 request proves possession of its key (RFC 2986 §3). Its subject and the extensions
it asks for are ignored: the directory decides what a certificate says.
"""

import hashlib
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from directory.base.errors import InvalidInput

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

CSR_LIMIT = 16 * 1024
RSA_MIN = 2048
RSA_MAX = 4096
"""Larger keys only make every verification slow."""
CURVES = (ec.SECP256R1, ec.SECP384R1)


def from_csr(pem: str) -> PublicKey:
    """The key of a PEM-encoded PKCS #10 request. Raises InvalidInput saying what is wrong."""
    if not pem.strip():
        raise _wrong("csr_empty", "Hãy dán yêu cầu chứng thư (CSR) ở dạng PEM.")
    if len(pem) > CSR_LIMIT:
        raise _wrong("csr_too_long", "Yêu cầu chứng thư (CSR) quá dài.")
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        key = _acceptable(request.public_key())
        genuine = not isinstance(request.signature_hash_algorithm, MD5 | SHA1)
        genuine = genuine and request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise _wrong("csr_unreadable", "Không đọc được yêu cầu chứng thư (CSR).") from exc
    if not genuine:
        raise _wrong("csr_signature", "Chữ ký của yêu cầu chứng thư (CSR) không đúng.")
    return key


def _acceptable(key: object) -> PublicKey:
    if isinstance(key, rsa.RSAPublicKey):
        # The exponent everyone uses; smaller ones have a history, larger ones a cost.
        if RSA_MIN <= key.key_size <= RSA_MAX and key.public_numbers().e == 65537:
            return key
        raise _wrong(
            "csr_weak_key",
            "Khóa RSA phải từ {least} đến {most} bit, số mũ 65537.",
            least=RSA_MIN,
            most=RSA_MAX,
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, CURVES):
        return key
    raise _wrong("csr_key_type", "Chỉ nhận khóa RSA, ECDSA P-256 hoặc P-384.")


def _wrong(code: str, message: str, **args: Any) -> InvalidInput:
    return InvalidInput(code, message, field="csr", **args)


def spki(key: PublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, hexadecimal: how a key is known here."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()
