"""Protected resource metadata (RFC 9728): what the changes API says about itself.

A client that knows nothing but the API's address finds from the challenge of its first refusal
where this is, and from here whom to ask for a token.
"""

from typing import Any

from directory.base.config import Settings
from idp.oidc import resources
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.connection import API
from idp.oidc.proofs import dpop

WELL_KNOWN = "/.well-known/oauth-protected-resource"
PATH = WELL_KNOWN + API
"""§3.1: the well-known part comes before the resource's own path."""


def url(issuer: str) -> str:
    """Where the metadata of the changes API is."""
    return issuer + PATH


def metadata(settings: Settings) -> dict[str, Any]:
    """§2."""
    issuer = settings.issuer
    return {
        "resource": resources.api(issuer),
        "authorization_servers": [issuer],
        "scopes_supported": list(API_SCOPES),
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "dpop_bound_access_tokens_required": False,
        "tls_client_certificate_bound_access_tokens": settings.client_certificates,
        "resource_name": "Dinhdanh changes API",
        "resource_name#vi": "API thay đổi nhân sự Dinhdanh",
        "resource_documentation": issuer + "/api/openapi.json",
    }
