"""Client authentication: one client, by the one method it has registered.

Authlib tries one method after the other until one fits, so that a request may carry two, and
lets undecodable credentials raise. RFC 6749 §2.3: a client MUST NOT use more than one method.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import InvalidClientError, InvalidRequestError

from directory.base.crypto import Keyring
from idp.oidc.clients import view as client_view
from idp.oidc.clients.kinds import AuthMethod
from idp.oidc.clients.view import ClientView
from idp.oidc.request import Request


@dataclass(frozen=True)
class Presented:
    """What a request says about who sends it."""

    method: AuthMethod
    client_id: str
    secret: str | None = field(default=None, repr=False)


def authenticate(request: Request, *, keyring: Keyring, endpoint: str) -> ClientView:
    """The client that sends the request. One SELECT.

    Raises InvalidClientError, the same for an unknown client, a disabled one, a wrong secret and
    a method it has not registered; InvalidRequestError for more than one method.
    """
    presented = _presented(request.headers, request.payload.data)
    client = client_view.view(request.connection, presented.client_id)
    if client is None or not client.check_endpoint_auth_method(presented.method.value, endpoint):
        raise refused()
    if presented.secret is not None and not client.secret_fits(
        presented.secret, keyring=keyring, now=request.now
    ):
        raise refused()
    request.client = client
    request.auth_method = presented.method.value
    return client


def refused() -> InvalidClientError:
    """invalid_client as 401 with a challenge (RFC 6749 §5.2)."""
    return InvalidClientError(status_code=401, description="Client authentication failed.")


def _presented(headers: Mapping[str, str], form: Mapping[str, str]) -> Presented:
    header = headers.get("Authorization")
    if "client_assertion" in form or "client_assertion_type" in form:
        raise refused()
    if header is not None:
        if "client_secret" in form:
            raise InvalidRequestError("More than one way of client authentication.")
        client_id, secret = _basic(header)
        if form.get("client_id", client_id) != client_id:
            raise InvalidRequestError("Two different clients are named.")
        return Presented(AuthMethod.BASIC, client_id, secret)
    if "client_id" not in form:
        raise refused()
    if "client_secret" in form:
        return Presented(AuthMethod.POST, form["client_id"], form["client_secret"])
    return Presented(AuthMethod.NONE, form["client_id"])


def _basic(header: str) -> tuple[str, str]:
    """RFC 6749 §2.3.1: both parts are form-encoded before they are joined."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise refused()
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        found = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, UnicodeDecodeError, ValueError) as exc:
        raise refused() from exc
    if not colon or not all(found) or any("\0" in part for part in found):
        raise refused()
    return found
