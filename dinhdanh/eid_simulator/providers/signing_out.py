"""The way out: the browser comes with what it was given when it came in."""

import json

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug import Request, Response

from dinhdanh.eid_simulator.artefacts import Callback
from dinhdanh.eid_simulator.clients import Client
from dinhdanh.eid_simulator.jose import ALGORITHMS
from dinhdanh.eid_simulator.providers.provider import Provider
from dinhdanh.eid_simulator.words import Said

GONE = Said("Đã đăng xuất khỏi nhà cung cấp mô phỏng.", "Signed out of the simulated provider.")
WRONG = Said(
    "Không quay về được: id_token_hint hoặc post_logout_redirect_uri không đúng.",
    "Cannot go back: id_token_hint or post_logout_redirect_uri is wrong.",
)


def signed_out(provider: Provider, request: Request, *, needs_hint: bool) -> Response:
    """End the session here and send the browser on, where the client may send it.

    RP-Initiated Logout 1.0: back to an address that is registered, of the client the hint (or
    ``client_id``) names.
    """
    said = request.values
    provider.simulation.memory.sessions.take(request.cookies.get(provider.cookie))
    hint = said.get("id_token_hint")
    client = _client_of(provider, hint) if hint else None
    if client is None and not hint and not needs_hint:
        client = provider.simulation.clients.get(said.get("client_id", ""))
    uri = said.get("post_logout_redirect_uri")
    if uri is None and (hint is None or client is not None):
        return provider.pages.message(request, GONE)
    if client is None or uri is None or not client.may_leave_to(uri):
        return provider.pages.message(request, WRONG, 400)
    state = [("state", said["state"])] if "state" in said else []
    return provider.pages.onward(uri, Callback(state))


def _client_of(provider: Provider, hint: str) -> Client | None:
    """Whom a hint was issued to; its signature counts, its age does not."""
    try:
        keys = KeySet.import_key_set(provider.keys.published())  # type: ignore[arg-type]
        found = json.loads(jws.deserialize_compact(hint, keys, list(ALGORITHMS)).payload)
    except (JoseError, ValueError):
        return None
    return provider.simulation.clients.get(str(found.get("aud", "")))
