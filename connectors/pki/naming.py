"""How an authority and what it issues are named and found.

name         a DN within the bounds of RFC 5280
names        whether a DN is of somebody called so
serial       a new serial number
published    the addresses a certificate tells of (``lists_of``: reads them back)
hashes       how an OCSP request names an authority
"""

import secrets
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

NAME_LIMIT = 64
"""ub-common-name, ub-organization-name, ub-organizational-unit-name: RFC 5280 Appendix A."""


def name(*parts: tuple[x509.ObjectIdentifier, str | None]) -> x509.Name:
    """A DN of the parts that have a value, each within its upper bound."""
    return x509.Name([x509.NameAttribute(oid, value[:NAME_LIMIT]) for oid, value in parts if value])


def names(subject: str, common_name: str) -> bool:
    """Whether a DN, as RFC 4514 text, is of somebody who is called so."""
    return _called(subject) == [common_name[:NAME_LIMIT]]


def common_name(subject: str) -> str:
    """What a DN, as RFC 4514 text, calls its bearer; nothing where it does not."""
    return next(iter(_called(subject)), "")


def _called(subject: str) -> list[str]:
    said = x509.Name.from_rfc4514_string(subject).get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(each.value) for each in said]


def serial() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return f"{secrets.randbits(128) or 1:032x}"  # zero is not positive (RFC 5280 §4.1.2.2)


def published(base: str, *, crl: str, issuer: str) -> list[tuple[x509.ExtensionType, bool]]:
    """Where whoever checks a certificate finds the list it would be on, the responder, and the
    certificate of its issuer (RFC 5280 §4.2.1.13, §4.2.2.1), with their criticality.
    """
    address = x509.UniformResourceIdentifier
    points = [x509.DistributionPoint([address(f"{base}/{crl}")], None, None, None)]
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, address(f"{base}/ocsp")),
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, address(f"{base}/{issuer}")
        ),
    ]
    return [
        (x509.CRLDistributionPoints(points), False),
        (x509.AuthorityInformationAccess(access), False),
    ]


def lists_of(certificate: x509.Certificate) -> list[str]:
    """The addresses of lists that a certificate names."""
    try:
        points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for point in points for name in point.full_name or ()]


CERT_ID_HASHES: dict[str, type[SHA1 | SHA256 | SHA384 | SHA512]] = {
    "sha1": SHA1,  # a fingerprint here, not a signature: RFC 6960 §4.3 wants it answered
    "sha256": SHA256,
    "sha384": SHA384,
    "sha512": SHA512,
}
"""With which an OCSP request may name an authority (RFC 6960 §4.1.1)."""


@lru_cache(maxsize=64)
def hashes(certificate: x509.Certificate, algorithm: str) -> tuple[bytes, bytes]:
    """An authority's issuerNameHash and issuerKeyHash; the latter over the key's BIT STRING."""
    key = certificate.public_key()
    if isinstance(key, EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return _hash(algorithm, certificate.subject.public_bytes()), _hash(algorithm, bits)


def _hash(algorithm: str, content: bytes) -> bytes:
    digest = Hash(CERT_ID_HASHES[algorithm]())
    digest.update(content)
    return digest.finalize()
