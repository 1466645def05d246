"""Which signer answers for which authority."""

from collections.abc import MutableMapping

from connectors.pki.local import Local
from connectors.pki.signer import Signer
from connectors.pki.tables import Authority
from directory.base.errors import Misconfigured

SIGNERS: MutableMapping[str, Signer] = {"local": Local()}
"""By the name in ``Authority.signer`` and in the setting ``certificate_signer``."""


def of(authority: Authority) -> Signer:
    """Who signs for it. Raises Misconfigured where this process does not know its signer."""
    found = SIGNERS.get(authority.signer)
    if found is None:
        raise Misconfigured("signer_unknown", "Không có bộ phận ký {name}.", name=authority.signer)
    return found
