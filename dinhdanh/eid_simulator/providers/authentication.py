"""Who calls the token endpoint: a secret in the header or the body, or a signed assertion."""

import json
import secrets
from base64 import b64decode
from typing import Any
from urllib.parse import unquote_plus

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug import Request

from dinhdanh.eid_simulator.clients import Client
from dinhdanh.eid_simulator.simulation import Simulation

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ["RS256", "ES256", "PS256"]
LEEWAY = 60


def authenticated(
    request: Request, simulation: Simulation, audiences: tuple[str, ...]
) -> Client | None:
    """The client that calls; None for one that cannot show who it is, or shows it twice."""
    by_header = request.headers.get("Authorization", "").lower().startswith("basic ")
    by_assertion = "client_assertion" in request.form
    by_body = "client_secret" in request.form
    if by_header + by_assertion + by_body > 1:
        return None
    if by_assertion:
        return _by_assertion(request, simulation, audiences)
    named: str = request.form.get("client_id", "")
    secret: str | None = request.form.get("client_secret")
    if by_header:
        named, secret = _in_header(request)
    client = simulation.clients.get(named)
    if client is None or request.form.get("client_id", named) != named:
        return None
    if client.secret is None:
        return client if secret is None and client.jwks is None else None
    right = secret is not None and secrets.compare_digest(client.secret.encode(), secret.encode())
    return client if right else None


def _in_header(request: Request) -> tuple[str, str]:
    """RFC 6749 section 2.3.1: both parts are form-encoded before they are put into base64."""
    try:
        decoded = b64decode(request.headers["Authorization"][6:], validate=True).decode()
    except ValueError:
        return "", ""
    named, _, secret = decoded.partition(":")
    return unquote_plus(named), unquote_plus(secret)


def _by_assertion(
    request: Request, simulation: Simulation, audiences: tuple[str, ...]
) -> Client | None:
    if request.form.get("client_assertion_type") != ASSERTION:
        return None
    assertion = request.form["client_assertion"]
    named = request.form.get("client_id") or _issuer_of(assertion)
    client = simulation.clients.get(named)
    if client is None or client.jwks is None:
        return None
    try:
        keys = KeySet.import_key_set(dict(client.jwks))  # type: ignore[arg-type]
        claims = jwt.decode(assertion, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError):
        return None
    return client if _good(claims, named, simulation, audiences) else None


def _good(
    claims: dict[str, Any], named: str, simulation: Simulation, audiences: tuple[str, ...]
) -> bool:
    """RFC 7523 section 3: who, to whom, until when, and only once."""
    said = claims.get("aud")
    meant = said if isinstance(said, list) else [said]
    now, until, once = simulation.clock().timestamp(), claims.get("exp"), claims.get("jti")
    if claims.get("iss") != named or claims.get("sub") != named:
        return False
    if not any(each in audiences for each in meant):
        return False
    if not isinstance(until, int | float) or not now - LEEWAY < until < now + 3600:
        return False
    if not isinstance(once, str) or simulation.memory.assertions.get(once):
        return False
    simulation.memory.assertions.put(True, once)  # noqa: FBT003
    return True


def _issuer_of(assertion: str) -> str:
    """Whom an unverified assertion names: only to find her keys."""
    try:
        middle = assertion.split(".")[1].replace("-", "+").replace("_", "/")
        found = json.loads(b64decode(f"{middle}==")).get("iss")
    except (IndexError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""
