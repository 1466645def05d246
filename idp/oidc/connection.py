"""What comes along with a request and is no parameter of it: where it was sent to, and the
proofs beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from directory.base.config import Settings
from idp.web import threshold
from idp.web.exchange import HttpRequest


@dataclass(frozen=True)
class Arrival:
    """How one request came."""

    method: str
    urls: tuple[str, ...]
    """The public URLs of what was asked, without query."""
    dpop: str | None = field(default=None, repr=False)
    """The header ``DPoP`` (RFC 9449)."""
    client_cert: str | None = None
    """The header ``Client-Cert`` (RFC 9440), where it comes from a proxy we believe."""


def arrival(asked: HttpRequest, settings: Settings) -> Arrival:
    """How a request came."""
    return Arrival(
        asked.method,
        places(settings, asked.path),
        asked.get("DPoP"),
        threshold.client_certificate(asked, settings),
    )


def places(settings: Settings, path: str) -> tuple[str, ...]:
    """The URLs a path has: at the issuer, and where client certificates are asked for."""
    bases = [settings.issuer]
    if settings.client_certificates and settings.mtls_base:
        bases.append(settings.mtls_base)
    return tuple(base + path for base in bases)


ENDPOINTS: Mapping[str, str] = {
    "token": "/oauth2/token",
    "introspection": "/oauth2/introspect",
    "revocation": "/oauth2/revoke",
    "device_authorization": "/oauth2/device_authorization",
    "pushed_authorization_request": "/oauth2/par",
}
"""Where clients prove who they are; the names are those of the metadata, without ``_endpoint``."""
USERINFO = "/oauth2/userinfo"
API = "/api/v1"
"""The changes API. Tokens are used at these two."""
