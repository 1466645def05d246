"""What RFC 5280 asks of the certificates of others, one by one. Pure.

Names decide nothing: whose a certificate is, its signature says.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import MD5, SHA1
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from connectors.pki.keys import RSA_MIN, spki

_UNDERSTOOD = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    }
)
"""Extensions that may be critical. Not the constraints on names and policies: an authority that is
bound by them is not believed at all (§4.2)."""
_OF_PEOPLE = frozenset(
    {
        ExtendedKeyUsageOID.EMAIL_PROTECTION,
        ExtendedKeyUsageOID.SMARTCARD_LOGON,
        ObjectIdentifier("1.3.6.1.5.5.7.3.36"),  # documentSigning (RFC 9336)
    }
)
"""Uses that only a person's certificate has, beside signing in over TLS."""


def signed_by(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the one has been issued by the other: the names fit, and the signature does."""
    if isinstance(one.signature_hash_algorithm, MD5 | SHA1) and one.subject != one.issuer:
        return False
    try:
        one.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def strong_enough(one: x509.Certificate) -> bool:
    """Whether its key is of a kind and size that is believed."""
    key = one.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= RSA_MIN
    return isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 256


def key_of(one: x509.Certificate) -> str:
    """SHA-256 of its key, hexadecimal; nothing for a key of no kind that is believed."""
    key = one.public_key()
    return spki(key) if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else ""


def unclear(one: x509.Certificate) -> list[str]:
    """What it says must be understood, and is not here (§4.2)."""
    return [
        each.oid.dotted_string
        for each in one.extensions
        if each.critical and each.oid not in _UNDERSTOOD
    ]


def may_issue(one: x509.Certificate) -> bool:
    """Whether it is an authority's (§4.2.1.3, §4.2.1.9)."""
    basic, key = _basic(one), _usage(one)
    return basic is not None and basic.ca and (key is None or key.key_cert_sign)


def too_deep(line: Sequence[x509.Certificate]) -> bool:
    """Whether one of these authorities, the root last, may not have so many below it (§4.2.1.9)."""
    limits = [basic.path_length if (basic := _basic(one)) else 0 for one in line]
    return any(most is not None and below > most for below, most in enumerate(limits))


def for_people(one: x509.Certificate, *, lenient: bool) -> bool:
    """Whether somebody may prove with it who she is, over TLS (§4.2.1.12); ``lenient``: also where it
    names other uses that only a person's certificate has.
    """
    basic, key = _basic(one), _usage(one)
    if (basic is not None and basic.ca) or (key is not None and not key.digital_signature):
        return False
    try:
        uses = set(one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return True
    wanted = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return bool(uses & (wanted | _OF_PEOPLE if lenient else wanted))


def begun(one: x509.Certificate, now: datetime) -> bool:
    """Whether it is good by now."""
    return one.not_valid_before_utc <= now


def over(one: x509.Certificate, now: datetime) -> bool:
    """Whether it is good no longer."""
    return one.not_valid_after_utc < now


def _basic(one: x509.Certificate) -> x509.BasicConstraints | None:
    try:
        return one.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return None


def _usage(one: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return one.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
