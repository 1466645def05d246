"""Distinguished names as clients register them (RFC 4514, RFC 8705 §2.1.2)."""

from collections.abc import Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

_SHORT: Mapping[str, x509.ObjectIdentifier] = {
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "E": NameOID.EMAIL_ADDRESS,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "title": NameOID.TITLE,
    "SN": NameOID.SURNAME,
    "GN": NameOID.GIVEN_NAME,
}
"""Short names that OpenSSL prints (``-nameopt RFC2253``), beside those of RFC 4514 §3."""


def parsed(text: str) -> x509.Name:
    """The name: two texts that spell the same one give equal names. Raises ValueError."""
    return x509.Name.from_rfc4514_string(text, _SHORT)
