"""A certificate as a stranger sees it: the list and the responder, asked over HTTP and verified.

Whoever looks believes nobody but the authority whose certificate is at hand.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from connectors.errors import Rejected, Transient
from connectors.outbound import Response
from connectors.pki import naming
from connectors.pki.tables import Certificate
from connectors.tools import Tools
from directory.base.remembered import Remembered

SKEW = timedelta(minutes=5)
"""How far an answer's times may lie ahead of our clock."""


@dataclass(frozen=True)
class Seen:
    """What a stranger learns about one certificate."""

    status: ocsp.OCSPCertStatus
    reason: str | None
    since: datetime | None
    produced_at: datetime
    listed: bool
    number: int
    this_update: datetime

    def evidence(self) -> dict[str, Any]:
        """For the effect's detail."""
        return {
            "ocsp": {
                "status": self.status.name.lower(),
                "reason": self.reason,
                "revoked_at": self.since.isoformat() if self.since else None,
                "produced_at": self.produced_at.isoformat(),
            },
            "crl": {
                "listed": self.listed,
                "number": self.number,
                "this_update": self.this_update.isoformat(),
            },
        }


def look(tools: Tools, certificate: Certificate, issuer: x509.Certificate) -> Seen:
    """What the responder and the list say, over HTTP and verified. Raises ConnectorError."""
    single = _ask(tools, certificate, issuer)
    published, number = _fetch(tools, issuer)
    entry = published.get_revoked_certificate_by_serial_number(int(certificate.serial, 16))
    reason = single.revocation_reason
    return Seen(
        single.certificate_status,
        reason.value if reason else None,
        single.revocation_time_utc,
        single.produced_at_utc,
        entry is not None,
        number,
        published.last_update_utc,
    )


def _ask(tools: Tools, certificate: Certificate, issuer: x509.Certificate) -> ocsp.OCSPResponse:
    """The responder's verified answer about one certificate (RFC 6960 §3.2)."""
    algorithm = SHA256()
    nonce = secrets.token_bytes(32)  # RFC 9654 §2.1
    asked = (
        ocsp.OCSPRequestBuilder()
        .add_certificate_by_hash(
            *naming.hashes(issuer, algorithm.name), int(certificate.serial, 16), algorithm
        )
        .add_extension(x509.OCSPNonce(nonce), critical=False)
        .build()
    )
    answer = tools.outbound.request(
        "POST",
        f"{tools.settings.issuer}/pki/ocsp",
        headers={"Content-Type": "application/ocsp-request"},
        content=asked.public_bytes(Encoding.DER),
    ).require_ok()
    try:
        response = ocsp.load_der_ocsp_response(answer.body)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise Transient("OCSP trả lời {status}.", status=response.response_status.name.lower())
        echoed = response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        _verify_signature(issuer, response)
    except (ValueError, InvalidSignature, x509.ExtensionNotFound) as exc:
        raise Rejected("Câu trả lời OCSP không phải của bộ chứng thực này.") from exc
    fits = (
        echoed == nonce
        and response.serial_number == asked.serial_number
        and response.issuer_key_hash == asked.issuer_key_hash
        and response.this_update_utc <= tools.clock() + SKEW
    )
    if not fits:
        raise Rejected("Câu trả lời OCSP không dành cho câu hỏi này.")
    return response


def _verify_signature(issuer: x509.Certificate, response: ocsp.OCSPResponse) -> None:
    key, algorithm = issuer.public_key(), response.signature_hash_algorithm
    if algorithm is None:
        raise InvalidSignature
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    elif isinstance(key, rsa.RSAPublicKey):
        key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
    else:
        raise InvalidSignature


def _fetch(tools: Tools, issuer: x509.Certificate) -> tuple[x509.CertificateRevocationList, int]:
    """The published list, verified, and its number.

    The list of a large province is a megabyte, and a reorganisation probes thousands of
    certificates: like any good client, this one asks whether the list it has is still the one
    handed out (RFC 9110 §13.1.2) and fetches another only when it is not.
    """
    url = f"{tools.settings.issuer}/pki/crl.der"
    of = url, issuer.serial_number
    known: _Fetched | None = _FETCHED.newest(of)  # the server says whether it still holds
    headers = {"If-None-Match": known.tag} if known else {}
    answer = tools.outbound.request("GET", url, headers=headers)
    if known is None or answer.status != HTTPStatus.NOT_MODIFIED:
        known = _verified_list(answer.require_ok(), issuer)
        if known.tag:
            _FETCHED.keep(of, known.tag, known)
    next_update = known.published.next_update_utc
    if next_update is None or next_update <= tools.clock():
        raise Transient("Danh sách thu hồi tải về đã hết hạn.")
    return known.published, known.number


@dataclass(frozen=True)
class _Fetched:
    """A list that was fetched and verified, and what the server calls it."""

    tag: str
    published: x509.CertificateRevocationList
    number: int


_FETCHED = Remembered(8)


def _verified_list(answer: Response, issuer: x509.Certificate) -> _Fetched:
    key = issuer.public_key()
    try:
        published = x509.load_der_x509_crl(answer.body)
        genuine = isinstance(
            key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey
        ) and published.is_signature_valid(key)
        number = published.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except (ValueError, x509.ExtensionNotFound) as exc:
        raise Rejected("Danh sách thu hồi tải về không đọc được.") from exc
    if not genuine or published.issuer != issuer.subject:
        raise Rejected("Danh sách thu hồi tải về không phải của bộ chứng thực này.")
    return _Fetched(answer.headers.get("ETag", ""), published, number)
