"""Routes of the OpenID Provider; what they do is told in the modules they call.

authorization   /oauth2/authorize, /oauth2/consent, /oauth2/cancel
calls           /oauth2/token, introspect, revoke, userinfo, device_authorization
device          /device
pushed          /oauth2/par
registration    /oauth2/register
signing_out     /oauth2/logout, /session/status
documents       /.well-known/…, /oauth2/jwks
headers         CORS and caching of what programs call
core            what they share
"""

from idp.oidc.routes import (
    authorization,
    calls,
    device,
    documents,
    headers,
    pushed,
    registration,
    signing_out,
)
from idp.oidc.routes.core import blueprint, furnish

__all__ = [
    "authorization",
    "blueprint",
    "calls",
    "device",
    "documents",
    "furnish",
    "headers",
    "pushed",
    "registration",
    "signing_out",
]
