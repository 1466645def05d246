"""What an upstream's userinfo endpoint says, in plain JSON or as a JWT that it has signed (OIDC Core
§5.3.2). Who is spoken of the profile compares.
"""

from typing import Any

from connectors.eid import calling, documents
from connectors.eid.calling import Calls
from connectors.eid.id_tokens import SKEW, Expected
from connectors.eid.refusals import EidRefused, Why
from connectors.outbound import Response
from directory.base import jws

_SIGNED = "application/jwt"


def told(calls: Calls, answer: Response, *, keys: str, expected: Expected) -> dict[str, Any]:
    """The claims of an answer; a signed one by the algorithms and the published keys that hold for ID
    tokens, and for nobody but us. Raises EidRefused.
    """
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != _SIGNED:
        return calling.told(answer, of="userinfo")
    body = calling.good(answer, of="userinfo").body
    try:
        found = jws.read(body.decode("ascii"), algorithms=expected.algorithms)
    except (jws.Untrusted, UnicodeDecodeError) as exc:
        raise EidRefused(Why.UNTRUSTED, "userinfo: no signed JWT of a kind we take") from exc
    said = documents.claims(calls, keys, found)
    # Both only should be there (§5.3.2); what is there must be right.
    if said.get("iss", expected.issuer) != expected.issuer:
        raise EidRefused(Why.UNTRUSTED, "userinfo: another issuer")
    audience = said.get("aud", expected.client_id)
    if expected.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise EidRefused(Why.UNTRUSTED, "userinfo: another audience")
    if "exp" in said and (ends := jws.moment(said["exp"])) and ends <= calls.now - SKEW:
        raise EidRefused(Why.UNTRUSTED, "userinfo: expired")
    return said
