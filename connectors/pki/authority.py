"""The local CA: a root whose key may be taken offline, and an issuing authority that signs.

Private keys are sealed under the keyring. Nothing here touches the outside world.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, Hash
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import marks
from connectors.pki.profiles import ISSUING, ROOT, Profile
from connectors.pki.tables import Authority, AuthorityKind
from directory.base import outbox
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, InvalidInput, NotFound

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

BACKDATED = timedelta(minutes=5)
"""A certificate is valid a little before it was made, for clocks that are slow."""
NAME_LIMIT = 64
"""ub-common-name, ub-organization-name, ub-organizational-unit-name: RFC 5280 Appendix A."""


class Algorithm(StrEnum):
    """What an authority signs with."""

    ES256 = "ES256"
    RSA_3072 = "RSA-3072"

    def new_key(self) -> PrivateKey:
        """A fresh private key."""
        if self is Algorithm.ES256:
            return ec.generate_private_key(ec.SECP256R1())
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)


def name(*parts: tuple[x509.ObjectIdentifier, str | None]) -> x509.Name:
    """A DN of the parts that have a value, each within its upper bound."""
    return x509.Name([x509.NameAttribute(oid, value[:NAME_LIMIT]) for oid, value in parts if value])


def create(
    session: Session,
    keyring: Keyring,
    settings: Settings,
    *,
    organization: str,
    now: datetime,
    algorithm: Algorithm = Algorithm.ES256,
) -> Authority:
    """Make a root and an issuing authority; the latter. Its first list is enqueued.

    Raises Conflict when there is an authority already.
    """
    if session.scalar(select(Authority.id).limit(1)) is not None:
        raise Conflict("ca_exists", "Hệ thống đã có bộ chứng thực (CA).")
    key = algorithm.new_key()
    root_name = _authority_name(organization, "Root CA", now)
    der = _authority_certificate(
        ROOT, root_name, key, signed_by=None, issuer_key=key, settings=settings, now=now
    )
    root = _store(session, keyring, AuthorityKind.ROOT, der, key, now, parent=None)
    return add_issuing(
        session,
        keyring,
        settings,
        root=root,
        organization=organization,
        now=now,
        algorithm=algorithm,
    )


def add_issuing(
    session: Session,
    keyring: Keyring,
    settings: Settings,
    *,
    root: Authority,
    organization: str,
    now: datetime,
    algorithm: Algorithm = Algorithm.ES256,
) -> Authority:
    """An issuing authority under a root whose key is at hand. Raises Conflict when it is not."""
    key = algorithm.new_key()
    der = _authority_certificate(
        ISSUING,
        _authority_name(organization, "Issuing CA", now),
        key,
        signed_by=root,
        issuer_key=signer(keyring, root),
        settings=settings,
        now=now,
    )
    made = _store(session, keyring, AuthorityKind.ISSUING, der, key, now, parent=root)
    outbox.enqueue_rows(session, [marks.crl_job(made.id, now=now)])
    return made


def _authority_name(organization: str, kind: str, now: datetime) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "VN"),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COMMON_NAME, f"Dinhdanh {kind} {now:%Y}"),
    )


def _authority_certificate(
    profile: Profile,
    subject: x509.Name,
    key: PrivateKey,
    *,
    signed_by: Authority | None,
    issuer_key: PrivateKey,
    settings: Settings,
    now: datetime,
) -> bytes:
    """The DER of an authority's certificate; ``signed_by`` None makes it a root."""
    issuer = subject if signed_by is None else certificate_of(signed_by).subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(int(serial(), 16))
        .not_valid_before(now - BACKDATED)
        .not_valid_after(end_of(now + profile.lifetime, signed_by))
    )
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        *profile.usages(),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False),
    ]
    if signed_by is not None:
        root = access(AuthorityInformationAccessOID.CA_ISSUERS, f"{settings.issuer}/pki/root.crt")
        extensions.append((x509.AuthorityInformationAccess([root]), False))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, SHA256()).public_bytes(Encoding.DER)


def _store(
    session: Session,
    keyring: Keyring,
    kind: AuthorityKind,
    der: bytes,
    key: PrivateKey,
    now: datetime,
    *,
    parent: Authority | None,
) -> Authority:
    certificate = x509.load_der_x509_certificate(der)
    subject = certificate.subject.rfc4514_string()
    row = Authority(
        name=f"{kind.value} {certificate.serial_number:032x}"[:24],
        kind=kind.value,
        parent_id=parent.id if parent else None,
        subject=subject,
        der=der,
        key_sealed=_seal(keyring, key),
        not_after=certificate.not_valid_after_utc,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def _seal(keyring: Keyring, key: PrivateKey) -> str:
    return keyring.encrypt(
        "pki", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    )


def issuing(session: Session) -> Authority:
    """The authority that signs today. Raises NotFound before ``cert init``."""
    found = session.scalars(
        select(Authority)
        .where(Authority.kind == AuthorityKind.ISSUING.value)
        .order_by(Authority.id.desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise NotFound("ca_missing", "Hệ thống chưa có bộ chứng thực (CA).")
    return found


def chain(session: Session, authority: Authority) -> list[x509.Certificate]:
    """The authority's certificate and those above it, the root last."""
    found = [certificate_of(authority)]
    while authority.parent_id is not None:
        authority = session.get_one(Authority, authority.parent_id)
        found.append(certificate_of(authority))
    return found


def pem(certificates: Sequence[x509.Certificate]) -> str:
    """Certificates as one PEM text."""
    return "".join(c.public_bytes(Encoding.PEM).decode() for c in certificates)


@lru_cache(maxsize=16)
def parsed(der: bytes) -> x509.Certificate:
    """An authority's certificate from its bytes; parsed once per process."""
    return x509.load_der_x509_certificate(der)


def certificate_of(authority: Authority) -> x509.Certificate:
    """The authority's own certificate."""
    return parsed(authority.der)


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
    if isinstance(key, ec.EllipticCurvePublicKey):
        bits = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    else:
        bits = key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    return _hash(algorithm, certificate.subject.public_bytes()), _hash(algorithm, bits)


def _hash(algorithm: str, content: bytes) -> bytes:
    digest = Hash(CERT_ID_HASHES[algorithm]())
    digest.update(content)
    return digest.finalize()


@lru_cache(maxsize=16)
def opened(keyring: Keyring, sealed: str) -> PrivateKey:
    """A private key from its sealed form."""
    # Kept open: loading an RSA key costs as much as thirty signatures.
    key = load_der_private_key(keyring.decrypt("pki", sealed), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)  # noqa: S101 (ours)
    return key


def signer(keyring: Keyring, authority: Authority) -> PrivateKey:
    """The authority's private key. Raises Conflict while it is offline."""
    if authority.key_sealed is None:
        raise Conflict(
            "ca_offline", "Khóa của {name} đang được cất ngoại tuyến.", name=authority.name
        )
    return opened(keyring, authority.key_sealed)


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
    root.key_sealed = _seal(keyring, key)
    session.flush()


def _root(session: Session) -> Authority:
    return session.get_one(Authority, issuing(session).parent_id, with_for_update=True)


def serial() -> str:
    """128 random bits as 32 hexadecimal digits."""
    return f"{secrets.randbits(128) or 1:032x}"  # zero is not positive (RFC 5280 §4.1.2.2)


def end_of(wanted: datetime, authority: Authority | None) -> datetime:
    """Nothing outlives the authority that signed it."""
    end = wanted if authority is None else min(wanted, authority.not_after)
    return end.replace(microsecond=0)


def access(method: x509.ObjectIdentifier, url: str) -> x509.AccessDescription:
    """Where to find something about the issuer (RFC 5280 §4.2.2.1)."""
    return x509.AccessDescription(method, x509.UniformResourceIdentifier(url))
