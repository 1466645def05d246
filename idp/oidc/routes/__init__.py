"""Routes of the OpenID Provider; what they do is told in the modules they call.

authorization   /oauth2/authorize, /oauth2/consent, /oauth2/cancel
device          /device
registration    /oauth2/register
signing_out     /oauth2/logout, /session/status
documents       /.well-known/…, /oauth2/jwks
headers         CORS and caching, of what programs call here
core            what they share

What is asked most is answered before Flask (``idp.oidc.endpoints``).
"""

from idp.oidc.routes import (
    authorization,
    device,
    documents,
    headers,
    registration,
    signing_out,
)
from idp.oidc.routes.authorization import arrived
from idp.oidc.routes.core import blueprint, furnish

__all__ = [
    "arrived",
    "authorization",
    "blueprint",
    "device",
    "documents",
    "furnish",
    "headers",
    "registration",
    "signing_out",
]
