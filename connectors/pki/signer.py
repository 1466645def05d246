"""Who signs: an authority of ours that answers at once, or another's that takes days.

Every certificate belongs to an authority and every authority to a signer. What a change does to
a certificate is written by its commit, whoever signed it; the signer carries it outside.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Protocol

from cryptography import x509
from sqlalchemy.orm import Session

from connectors.pki.issuance import Contents
from connectors.pki.keys import PublicKey
from connectors.pki.outside import Seen
from connectors.pki.tables import Authority, Certificate
from connectors.tools import Tools
from directory.base.config import Settings
from directory.base.crypto import Keyring

Evidence = Mapping[str, Any]
"""What a revocation's effect shows of how it was carried outside."""


class Signer(Protocol):
    """Issue, revoke, status: all that is asked of who signs. Knows its own lists only."""

    prompt: bool
    """Whether it answers while it is asked."""
    patience: timedelta
    """So long after its intention a certificate may still be answered; then it is given up."""

    def issue(
        self,
        keyring: Keyring,
        settings: Settings,
        authority: Authority,
        intended: Certificate,
        contents: Contents,
        key: PublicKey,
    ) -> x509.Certificate | None:
        """The certificate that was intended; None where the answer comes later, to
        ``requests.answer``. Touches no database.
        """
        ...

    def revoke(self, tools: Tools, authority: Authority) -> Callable[[Session], Evidence | None]:
        """Carry outside what is revoked by now of this authority's certificates; everything
        remote is done before it returns. What it returns is called in the transaction that
        records it: the evidence, None where nothing was sent. Raises ConnectorError.
        """
        ...

    def status(self, tools: Tools, certificate: Certificate, issuer: x509.Certificate) -> Seen:
        """What a stranger is told about the certificate now. Raises ConnectorError."""
        ...
