"""The local authority as a signer: it signs at once, and publishes its own list."""

from collections.abc import Callable
from datetime import timedelta

from cryptography import x509
from sqlalchemy.orm import Session

from connectors.pki import crl, issuance, outside
from connectors.pki.issuance import Contents
from connectors.pki.keys import PublicKey
from connectors.pki.outside import Seen
from connectors.pki.signer import Evidence
from connectors.pki.tables import Authority, Certificate
from connectors.tools import Tools
from directory.base.config import Settings
from directory.base.crypto import Keyring


class Local:
    """Implements ``connectors.pki.signer.Signer`` with the keys in our own database."""

    prompt = True
    patience = timedelta(minutes=10)
    """It answers within a second: whoever has not by then has died over it."""

    def issue(
        self,
        keyring: Keyring,
        settings: Settings,
        authority: Authority,
        intended: Certificate,
        contents: Contents,
        key: PublicKey,
    ) -> x509.Certificate | None:
        """Signed here and now. Raises Conflict while the authority's key is offline."""
        return issuance.sign(keyring, settings, authority, intended, contents, key)

    def revoke(self, tools: Tools, authority: Authority) -> Callable[[Session], Evidence | None]:
        """The next list, made in the transaction that records what follows from it."""

        def publish(session: Session) -> Evidence | None:
            now = tools.clock()
            if session.get_one(Authority, authority.id).key_sealed is None:
                return None  # the key was taken offline meanwhile; it left a list behind
            made = crl.publish(session, tools.keyring, tools.settings, authority.id, now=now)
            return {"crl": {"number": made.number, "this_update": now.isoformat()}}

        return publish

    def status(self, tools: Tools, certificate: Certificate, issuer: x509.Certificate) -> Seen:
        """What our responder and our list say, asked over HTTP like anybody."""
        return outside.look(tools, certificate, issuer)
