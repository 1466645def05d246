"""What comes of an authorization request."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from idp.demands import Asked
from idp.oidc.authorization.answers import AuthorizationAnswer
from idp.oidc.clients.view import ClientView
from idp.oidc.resources import Service


@dataclass(frozen=True)
class Answered:
    """The browser takes the answer to the client."""

    answer: AuthorizationAnswer


@dataclass(frozen=True)
class SignIn:
    """The person must sign in first and come back to ``return_to``."""

    client: ClientView
    return_to: str
    request: dict[str, Any]


@dataclass(frozen=True)
class AskConsent:
    """The person must say whether the client may be told these things."""

    client: ClientView
    scopes: list[str]
    services: list[Service]
    """Of others, for which the access is."""
    query: str
    redirect_uri: str
    proof: str
    """That all other checks were passed when this was shown, to this session."""

    @property
    def host(self) -> str:
        """Where the person will be taken."""
        return urlsplit(self.redirect_uri).netloc or self.redirect_uri


@dataclass(frozen=True)
class NotEntitled:
    """The person may not use this application in her present capacity."""

    client: ClientView
    answer: AuthorizationAnswer
    """Back to the client, with access_denied."""


@dataclass(frozen=True)
class TooWeak:
    """The client, or a scope it asks for, needs a stronger sign-in than there is."""

    client: ClientView
    answer: AuthorizationAnswer
    """Back to the client, with unmet_authentication_requirements."""
    asked: Asked | None = None
    """What of that she has not proven, and which rule asks for it."""


Outcome = Answered | SignIn | AskConsent | NotEntitled | TooWeak
