"""The OCSP responder: RFC 6960, with the nonces of RFC 9654.

The answer is worked out from the database when it is asked for, so that a revocation is visible
with the commit that ordered it. It is good for ``ocsp_life`` seconds: without a nextUpdate there
are servers that keep an answer for an hour (nginx), and others that refuse it. It is dated a few
minutes back, for readers whose clock is slow, and no revocation later than itself.

The issuing authority signs its answers itself (§2.2, §4.2.2.2): a delegated responder would be
one more key to renew and to lose. The root, whose key may be offline, has a responder. Either
way the answer brings the certificate of whoever signed it, which many readers do not have.

    good             issued by us, and nothing holds it back (also after its end)
    revoked          revoked, or distrusted (certificateHold)
    unknown          a serial we never issued
    unauthorized     about another authority than ours (§2.3), or its responder is missing
    malformedRequest what cannot be read, several certificates at once, a nonce outside 1 to 128
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from sqlalchemy import Connection, and_, select

from connectors.pki import revocations
from connectors.pki.authority import BACKDATED, opened, parsed
from connectors.pki.naming import CERT_ID_HASHES, hashes
from connectors.pki.tables import (
    Authority,
    AuthorityKind,
    Certificate,
    CertificateMark,
    CertificateState,
    RevocationReason,
    in_force,
)
from directory.base.crypto import Keyring
from directory.base.db import Database

REQUEST_LIMIT = 8 * 1024
NONCE_LIMIT = 128
"""RFC 9654 §2.1: longer nonces, and empty ones, are rejected as malformed."""

Failure = ocsp.OCSPResponseStatus


class _Refused(Exception):
    """The request gets an answer without a status in it."""

    def __init__(self, status: ocsp.OCSPResponseStatus) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(frozen=True)
class _Signer:
    """The authority a request is about, and who signs for it."""

    authority_id: int
    der: bytes
    key_sealed: str
    below: frozenset[int]
    """The serials of the authorities it has signed."""


def answer(
    db: Database, keyring: Keyring, request: bytes, *, now: datetime, life: timedelta
) -> bytes:
    """The DER of the OCSPResponse to what was sent, whatever that is; to be kept for ``life``."""
    try:
        made = _answer(db, keyring, request, now, life)
    except _Refused as exc:
        made = ocsp.OCSPResponseBuilder.build_unsuccessful(exc.status)
    return made.public_bytes(Encoding.DER)


def refusal() -> bytes:
    """The DER of malformedRequest, for what is too long to be read."""
    made = ocsp.OCSPResponseBuilder.build_unsuccessful(Failure.MALFORMED_REQUEST)
    return made.public_bytes(Encoding.DER)


def _answer(
    db: Database, keyring: Keyring, raw: bytes, now: datetime, life: timedelta
) -> ocsp.OCSPResponse:
    asked, algorithm, nonce = _read(raw)
    serial = f"{asked.serial_number:032x}"
    with db.hot() as connection:
        signer = _signer(connection, asked, algorithm, now)
        held, issued = _status(connection, signer.authority_id, serial, now)
    issued = issued or asked.serial_number in signer.below
    status = ocsp.OCSPCertStatus.GOOD if issued else ocsp.OCSPCertStatus.UNKNOWN
    if held is not None:
        status = ocsp.OCSPCertStatus.REVOKED
    this_update = (now - BACKDATED).replace(microsecond=0)
    signed_by = parsed(signer.der)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            asked.issuer_name_hash,
            asked.issuer_key_hash,
            asked.serial_number,
            algorithm,
            status,
            this_update=this_update,
            next_update=now + life,
            revocation_time=min(held.since, this_update) if held else None,
            revocation_reason=_reason(held),
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signed_by)
        .certificates([signed_by])
    )
    if nonce is not None:
        builder = builder.add_extension(nonce, critical=False)
    return builder.sign(opened(keyring, signer.key_sealed), SHA256())


def _read(
    raw: bytes,
) -> tuple[ocsp.OCSPRequest, HashAlgorithm, x509.OCSPNonce | None]:
    try:
        request = ocsp.load_der_ocsp_request(raw)
        algorithm = request.hash_algorithm
        nonce = next(
            (e.value for e in request.extensions if isinstance(e.value, x509.OCSPNonce)), None
        )
    except (
        ValueError,
        TypeError,
        OverflowError,
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        NotImplementedError,  # more than one certificate in one request
    ) as exc:
        raise _Refused(Failure.MALFORMED_REQUEST) from exc
    if request.serial_number < 0:  # it cannot even be echoed
        raise _Refused(Failure.MALFORMED_REQUEST)
    if nonce is not None and not 1 <= len(nonce.nonce) <= NONCE_LIMIT:
        raise _Refused(Failure.MALFORMED_REQUEST)
    return request, algorithm, nonce


def _signer(
    connection: Connection, asked: ocsp.OCSPRequest, algorithm: HashAlgorithm, now: datetime
) -> _Signer:
    """Who answers for the authority that a CertID names (RFC 6960 §4.1.1)."""
    rows = connection.execute(
        select(
            Authority.id,
            Authority.kind,
            Authority.parent_id,
            Authority.der,
            Authority.key_sealed,
            Authority.not_after,
        ).order_by(Authority.id.desc())
    ).all()
    wanted = (asked.issuer_name_hash, asked.issuer_key_hash)
    known = algorithm.name in CERT_ID_HASHES
    named = next(
        (
            row
            for row in rows
            if known
            and row.kind != AuthorityKind.RESPONDER
            and hashes(parsed(row.der), algorithm.name) == wanted
        ),
        None,
    )
    if named is None:
        raise _Refused(Failure.UNAUTHORIZED)
    delegated = [
        row
        for row in rows
        if row.kind == AuthorityKind.RESPONDER and row.parent_id == named.id and row.not_after > now
    ]
    below = frozenset(parsed(row.der).serial_number for row in rows if row.parent_id == named.id)
    for row in (*delegated, named):  # the root itself only where it has no responder yet
        if row.key_sealed is not None:
            return _Signer(named.id, row.der, row.key_sealed, below)
    raise _Refused(Failure.UNAUTHORIZED)


def _status(
    connection: Connection, authority_id: int, serial: str, now: datetime
) -> tuple[revocations.MarkSummary | None, bool]:
    """What holds a serial back, and whether we issued it. One statement."""
    rows = connection.execute(
        select(Certificate.id, CertificateMark.kind, CertificateMark.reason, CertificateMark.at)
        .outerjoin(
            CertificateMark,
            and_(CertificateMark.certificate_id == Certificate.id, in_force(now)),
        )
        .where(
            Certificate.authority_id == authority_id,
            Certificate.serial == serial,
            Certificate.state == CertificateState.ISSUED.value,
        )
    ).all()
    return revocations.summary([row for row in rows if row.kind is not None]), bool(rows)


def _reason(held: revocations.MarkSummary | None) -> x509.ReasonFlags | None:
    if held is None or held.reason is RevocationReason.UNSPECIFIED:
        return None
    return x509.ReasonFlags(held.reason.value)
