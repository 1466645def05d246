"""A signer that only tests know: an authority on paper, which answers when it likes."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from connectors.pki import signers
from connectors.pki.outside import Seen
from connectors.pki.tables import Authority, AuthorityKind, Certificate


class Paper:
    """An authority elsewhere: it keeps its key, its numbers and its list to itself."""

    prompt = False
    patience = timedelta(days=30)

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Cơ quan chứng thực")])
        self.asked: list[tuple[Any, ...]] = []
        self.revoked: set[str] = set()
        self.sent: list[int] = []
        self.number = 900
        self.reason = "affiliationChanged"

    def issue(self, _keyring: Any, _settings: Any, _authority: Any, *of: Any) -> None:
        self.asked.append(of)

    def revoke(self, tools: Any, authority: Authority) -> Callable[[Any], Any]:
        self.sent.append(authority.id)
        return lambda _session: {"form": "05"}

    def status(self, tools: Any, certificate: Certificate, issuer: x509.Certificate) -> Seen:
        now = tools.clock()
        listed = certificate.serial in self.revoked
        word = ocsp.OCSPCertStatus.REVOKED if listed else ocsp.OCSPCertStatus.GOOD
        reason = self.reason if listed else None
        return Seen(word, reason, now if listed else None, now, listed, 7, now)

    def certificate(self, *, key: Any = None, common_name: str | None = None) -> x509.Certificate:
        """What it has signed, days later, for the last request."""
        intended, contents, wanted = self.asked[-1]
        self.number += 1
        subject = contents.subject
        if common_name:
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        return self._sign(
            subject, key or wanted, intended.not_before, intended.not_after, self.number
        )

    def own(self, now: datetime) -> bytes:
        """Its own certificate, as it hands it out."""
        mine = self._sign(self.name, self.key.public_key(), now, now + timedelta(days=3650), 1)
        return mine.public_bytes(Encoding.DER)

    def authority(self, now: datetime) -> Authority:
        """Its row."""
        return Authority(
            name="paper",
            kind=AuthorityKind.ISSUING.value,
            signer="paper",
            subject=self.name.rfc4514_string(),
            der=self.own(now),
            not_after=now + timedelta(days=3650),
            created_at=now,
        )

    def _sign(self, subject: Any, key: Any, begin: Any, end: Any, number: int) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(number)
            .not_valid_before(begin)
            .not_valid_after(end)
        )
        return builder.sign(self.key, SHA256())


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Paper:
    """The signer, known to this process under a name."""
    signer = Paper()
    monkeypatch.setitem(signers.SIGNERS, "paper", signer)  # type: ignore[arg-type]
    return signer
