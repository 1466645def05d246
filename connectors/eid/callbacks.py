"""What a browser brings back from an upstream, read from the raw query.

A form decodes ``+`` as a blank; VNeID puts Base64 there in which ``+`` is a plus. Which of the two is
meant the profile knows, and nobody has decoded it before.
"""

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from connectors.eid.refusals import EidRefused, Why

LONGEST = 16 * 1024
_ERRORS = frozenset(
    {
        "access_denied",
        "consent_required",
        "interaction_required",
        "invalid_request",
        "invalid_scope",
        "login_required",
        "server_error",
        "temporarily_unavailable",
        "unauthorized_client",
        "unsupported_response_type",
    }
)
"""RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6: what may stand in our audit trail of what others say."""


def fields(query: str, names: Collection[str], *, plus_is_plus: bool = False) -> dict[str, str]:
    """The parameters of these names, each at most once. Raises EidRefused."""
    if len(query) > LONGEST:
        raise EidRefused(Why.CALLBACK, "query too long")
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = _decoded(name, plus_is_plus=False)
        if name not in names:
            continue
        if name in found:
            raise EidRefused(Why.CALLBACK, f"{name} twice")
        found[name] = _decoded(value, plus_is_plus=plus_is_plus)
    return found


def _decoded(value: str, *, plus_is_plus: bool) -> str:
    raw = value if plus_is_plus else value.replace("+", " ")
    if re.search(r"%(?![0-9A-Fa-f]{2})", raw):
        raise EidRefused(Why.CALLBACK, "bad encoding")
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise EidRefused(Why.CALLBACK, "bad encoding") from exc


def code(found: dict[str, str]) -> str:
    """The code that was given. Raises EidRefused where upstream says no, or gives none."""
    if "error" in found:
        error = found["error"]
        if error == "access_denied":
            raise EidRefused(Why.DECLINED)
        if error in ("temporarily_unavailable", "server_error"):
            raise EidRefused(Why.UNREACHABLE, error)
        raise EidRefused(Why.CALLBACK, error if error in _ERRORS else "unknown error")
    given = found.get("code", "")
    if not given or not re.fullmatch(r"[\x21-\x7e]{1,4096}", given):
        raise EidRefused(Why.CALLBACK, "no code")
    return given
