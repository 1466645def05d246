"""Routes of the OpenID Provider; what they do is told in the modules they call.

authorization   /oauth2/authorize, /oauth2/consent
calls           /oauth2/token, introspect, revoke, userinfo
signing_out     /oauth2/logout, /session/status
documents       /.well-known/…, /oauth2/jwks
core            what they share
"""

from idp.oidc.routes import authorization, calls, documents, signing_out
from idp.oidc.routes.core import blueprint

__all__ = ["authorization", "blueprint", "calls", "documents", "signing_out"]
