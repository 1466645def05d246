"""Headers of the endpoints that programs call: who may read an answer, and that nobody keeps it.

CORS (Fetch §3.2): scripts of any origin may call what a public client in a browser calls itself.
Never with cookies: none of these endpoints looks at one, so that ``*`` tells nobody anything she
could not ask for from anywhere. Pages, the authorization endpoint and sign-out are not among
them, nor is introspection, which no browser has the credentials for.
"""

from collections.abc import Mapping

from connectors.tools import Tools
from idp.oidc import bearer, protected_resource
from idp.oidc.discovery import JWKS, OAUTH, OPENID
from idp.web.exchange import Answer, HttpRequest

PUBLIC = (OPENID, OAUTH, JWKS, protected_resource.WELL_KNOWN)
CALLED = ("/oauth2/token", "/oauth2/userinfo", "/oauth2/revoke", "/oauth2/par")
"""Called by scripts, beside the public documents."""
PREFLIGHT = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP"),
    ("Access-Control-Max-Age", "7200"),
    ("Content-Type", "text/html; charset=utf-8"),
)
READABLE = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce"),
)
_NOT_KEPT = ("Pragma", "no-cache")
"""RFC 6749 §5.1, for caches older than Cache-Control."""


def _for_scripts(path: str) -> bool:
    return path in CALLED or path.startswith(PUBLIC)


def preflight(asked: HttpRequest) -> Answer | None:
    """Fetch §4.8: what a browser asks before it lets a script send its request."""
    if asked.method == "OPTIONS" and _for_scripts(asked.path):
        return Answer(204, [*PREFLIGHT])
    return None


def more(asked: HttpRequest, there: Mapping[str, str], tools: Tools) -> list[tuple[str, str]]:
    """What an answer of these endpoints, an error as well, says beside what is there (by names in
    small letters).
    """
    found: list[tuple[str, str]] = []
    script = asked.method != "OPTIONS" and _for_scripts(asked.path)
    if script and "access-control-allow-origin" not in there:
        found += READABLE
    if "pragma" not in there and there.get("cache-control", "no-store") == "no-store":
        found.append(_NOT_KEPT)
    if "dpop-nonce" not in there:
        found += bearer.next_nonce(asked, tools)
    return found
