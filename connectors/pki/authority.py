"""The local CA: a root whose key may be taken offline, and an issuing authority that signs.

Whoever checks a whole chain asks about the issuing authority, too: the root has a list, whose
address the issuing authority's certificate names, and a responder whose key stays here when the
root's is taken offline (``complete`` makes it, and makes it anew in time).

Private keys are sealed under the keyring. Nothing here touches the outside world.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.pki import revocations
from connectors.pki.keys import spki
from connectors.pki.naming import name, published, serial
from connectors.pki.profiles import ISSUING, RESPONDER, ROOT, CertificateProfile
from connectors.pki.tables import Authority, AuthorityKind, Certificate, CertificateState
from directory.base import outbox
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, NotFound

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

LOCAL = "local"
"""The signer of our own authorities."""
BACKDATED = timedelta(minutes=5)
"""Certificates, lists and answers are valid a little before they were made, for clocks that are
slow."""


class Algorithm(StrEnum):
    """What an authority signs with."""

    ES256 = "ES256"
    RSA_3072 = "RSA-3072"

    def new_key(self) -> PrivateKey:
        """A fresh private key."""
        if self is Algorithm.ES256:
            return ec.generate_private_key(ec.SECP256R1())
        return rsa.generate_private_key(public_exponent=65537, key_size=3072)


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
    complete(session, keyring, settings, now=now)
    outbox.enqueue_rows(session, [revocations.crl_job(a.id, now=now) for a in (made, root)])
    return made


def complete(
    session: Session, keyring: Keyring, settings: Settings, *, now: datetime, anew: bool = False
) -> None:
    """Make what an authority of ours needs beside its key, where it is missing: the root's
    responder, anew (``anew``: in any case) at half its life, if the root's key is at hand.
    """
    root = session.get_one(Authority, issuing(session).parent_id)
    if root.key_sealed is not None and (anew or _wants_responder(session, root, now)):
        # Whoever comes second finds the responder the first has made.
        session.refresh(root, with_for_update=True)
        if root.key_sealed is not None and (anew or _wants_responder(session, root, now)):
            key = Algorithm.ES256.new_key()
            der = _authority_certificate(
                RESPONDER,
                _authority_name(_organization(root), "OCSP Responder", now),
                key,
                signed_by=root,
                issuer_key=signer(keyring, root),
                settings=settings,
                now=now,
            )
            _store(session, keyring, AuthorityKind.RESPONDER, der, key, now, parent=root)


def _wants_responder(session: Session, root: Authority, now: datetime) -> bool:
    known = responder(session, root.id, now=now)
    half = min(RESPONDER.lifetime, root.not_after - now) / 2
    return known is None or known.not_after < now + half


def _organization(root: Authority) -> str:
    found = certificate_of(root).subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(found[0].value) if found else ""


def responder(session: Session, root_id: int, *, now: datetime) -> Authority | None:
    """Who signs the root's OCSP answers today."""
    return session.scalars(
        select(Authority)
        .where(
            Authority.kind == AuthorityKind.RESPONDER.value,
            Authority.parent_id == root_id,
            Authority.not_after > now,
        )
        .order_by(Authority.id.desc())
        .limit(1)
    ).one_or_none()


def _write_down(session: Session, root: Authority, signed: Authority) -> None:
    """So that an authority's certificate that is to be replaced can still be answered about."""
    certificate = certificate_of(signed)
    number = f"{certificate.serial_number:032x}"
    known = select(Certificate.id).where(
        Certificate.authority_id == root.id, Certificate.serial == number
    )
    if session.scalar(known) is not None:
        return
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey)  # noqa: S101 (ours)
    session.add(
        Certificate(
            authority_id=root.id,
            serial=number,
            profile=signed.kind,
            subject=signed.subject,
            title=signed.subject,
            spki_hash=spki(key),
            state=CertificateState.ISSUED.value,
            intended_at=certificate.not_valid_before_utc,
            issued_at=certificate.not_valid_before_utc,
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            der=signed.der,
        )
    )
    session.flush()


def reissue(session: Session, keyring: Keyring, settings: Settings, *, now: datetime) -> Authority:
    """Another certificate for the issuing authority: the same name and key, what is said anew.

    Everything it has signed is verified with either certificate. Raises Conflict while the
    root's key is offline.
    """
    ours = session.get_one(Authority, issuing(session).id, with_for_update=True)
    root = session.get_one(Authority, ours.parent_id)
    complete(session, keyring, settings, now=now)
    _write_down(session, root, ours)
    der = _authority_certificate(
        ISSUING,
        certificate_of(ours).subject,
        signer(keyring, ours),
        signed_by=root,
        issuer_key=signer(keyring, root),
        settings=settings,
        now=now,
    )
    ours.der = der
    ours.not_after = parsed(der).not_valid_after_utc
    session.flush()
    outbox.enqueue_rows(session, [revocations.crl_job(root.id, now=now)])
    return ours


def _authority_name(organization: str, kind: str, now: datetime) -> x509.Name:
    return name(
        (NameOID.COUNTRY_NAME, "VN"),
        (NameOID.ORGANIZATION_NAME, organization),
        (NameOID.COMMON_NAME, f"Dinhdanh {kind} {now:%Y}"),
    )


def _authority_certificate(
    profile: CertificateProfile,
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
    if profile is RESPONDER:
        extensions.append((x509.OCSPNoCheck(), False))
    elif signed_by is not None:
        extensions += published(settings.pki, crl="root.crl", issuer="root.crt")
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
        key_sealed=seal(keyring, key),
        not_after=certificate.not_valid_after_utc,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def seal(keyring: Keyring, key: PrivateKey) -> str:
    """A private key as it is stored."""
    return keyring.encrypt(
        "pki", key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    )


def issuing(session: Session, signer: str = LOCAL) -> Authority:
    """The authority that signs today. Raises NotFound before ``cert init``, and for a signer
    without one.
    """
    found = session.scalars(
        select(Authority)
        .where(Authority.kind == AuthorityKind.ISSUING.value, Authority.signer == signer)
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


def end_of(wanted: datetime, authority: Authority | None) -> datetime:
    """Nothing outlives the authority that signed it."""
    end = wanted if authority is None else min(wanted, authority.not_after)
    return end.replace(microsecond=0)
