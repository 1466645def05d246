"""Headers of the endpoints that programs call: who may read an answer, and that nobody keeps it.

CORS (Fetch §3.2): scripts of any origin may call what a public client in a browser calls itself.
Never with cookies: none of these endpoints looks at one, so that ``*`` tells nobody anything she
could not ask for from anywhere. Pages, the authorization endpoint and sign-out are not among
them, nor is introspection, which no browser has the credentials for.
"""

from flask import Response, request

from idp.oidc import protected_resource
from idp.oidc.discovery import JWKS, OAUTH, OPENID
from idp.oidc.routes.core import blueprint

PUBLIC = (OPENID, OAUTH, JWKS, protected_resource.WELL_KNOWN)
CALLED = ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/par")
"""Called by scripts, beside the public documents."""
PREFLIGHT = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, DPoP",
    "Access-Control-Max-Age": "7200",
}
READABLE = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "WWW-Authenticate, DPoP-Nonce",
}


def _for_scripts() -> bool:
    return request.path in CALLED or request.path.startswith(PUBLIC)


@blueprint.before_request
def preflight() -> Response | None:
    """Fetch §4.8: what a browser asks before it lets a script send its request."""
    if request.method == "OPTIONS" and _for_scripts():
        return Response(status=204, headers=PREFLIGHT)
    return None


@blueprint.after_request
def told(response: Response) -> Response:
    """On every answer of these endpoints, errors as well."""
    headers = response.headers
    told_already = "Access-Control-Allow-Origin" in headers
    if _for_scripts() and request.method != "OPTIONS" and not told_already:
        headers.extend(READABLE)
    if "Pragma" not in headers and headers.get("Cache-Control", "no-store") == "no-store":
        # RFC 6749 §5.1, for caches older than Cache-Control.
        headers.add("Pragma", "no-cache")
    return response
