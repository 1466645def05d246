"""What it takes to answer as the provider, below the server that answers: one value, handed down."""

from dataclasses import dataclass
from typing import Self

from connectors.tools import Tools
from idp.oidc.clients.keyset import ClientKeys
from idp.oidc.clients.refusals import Refusals
from idp.oidc.tokens import Tokens


@dataclass(frozen=True)
class Provider:
    """One per process."""

    tools: Tools
    tokens: Tokens
    client_keys: ClientKeys
    refusals: Refusals

    @classmethod
    def of(cls, tools: Tools) -> Self:
        """The provider that these tools make."""
        return cls(tools, Tokens(tools), ClientKeys(tools), Refusals())
