"""Token exchange (RFC 8693), for one thing only: a client makes a token it holds smaller.

The new token is a child of the subject token: it hangs on the same grant (or the same client)
and dies with it, carries no scope and no resource the subject token lacks, belongs to the same
key, ends no later, and is told nothing that was asked for by name (OIDC Core §5.5) and its scopes
do not give. Nothing is written.

    requested_token_type    access_token, or left out           else invalid_request
    subject_token_type      access_token; jwt where it is one   else invalid_request
    subject_token           of ours, good now, this client's    else invalid_request
    scope                   of the subject token                else invalid_scope
    resource                of the subject token                else invalid_target
    audience                never                               invalid_target
    actor_token(_type)      never                               invalid_request

Nobody acts for anybody else here: delegation and impersonation (§1.1) are refused, not ignored.
"""

from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
    UnauthorizedClientError,
)

from idp.oidc import resources
from idp.oidc.active import Active
from idp.oidc.grant_types.issuing import described, require_assured, require_entitled
from idp.oidc.request import Call
from idp.oidc.resources import InvalidTarget

_TYPE = "urn:ietf:params:oauth:token-type:"
ACCESS_TOKEN = _TYPE + "access_token"
JWT = _TYPE + "jwt"


@dataclass
class Exchange(Call):
    """A call that brings a subject token."""

    subject: Active = field(init=False)


def keeps_a_secret(call: Call) -> None:
    """Whoever keeps no secret cannot prove that a token it brings was given to it."""
    if call.client.public:
        raise UnauthorizedClientError("The client may not exchange tokens.")


def understood(call: Call) -> None:
    """Nothing is asked for that, ignored, would give a token that means more: ``audience``,
    ``actor_token``, another ``requested_token_type``.
    """
    request = call.request
    if request.get("audience") is not None:
        raise InvalidTarget("Tokens are not issued for another audience.")
    if request.get("actor_token") is not None or request.get("actor_token_type") is not None:
        raise InvalidRequestError("Delegation is not supported.")
    if request.get("requested_token_type") not in (None, ACCESS_TOKEN):
        raise InvalidRequestError("Only access tokens are issued.")


def subject_token_good(call: Exchange) -> None:
    """The subject token is of a type we know, good now and this client's (RFC 8693 §2.2.2)."""
    request = call.request
    text, kind = request.get("subject_token"), request.get("subject_token_type")
    if text is None or kind is None:
        raise InvalidRequestError("Missing subject_token or subject_token_type.")
    if kind not in (ACCESS_TOKEN, JWT) or (kind == JWT and text.count(".") != 2):
        raise InvalidRequestError("The subject_token_type is not supported.")
    asking, tokens = request.asking, call.provider.tokens
    found = None if asking is None else tokens.active_of(asking, text, now=request.now)
    if found is None or found.client_id != call.client.id:
        raise InvalidRequestError("The subject_token is not valid.")
    call.subject = found


def subject_token_by_its_key(call: Exchange) -> None:
    """A subject token that belongs to a key is brought with it."""
    if call.subject.bound_to not in (None, call.request.bound_to):
        raise InvalidRequestError("The subject_token belongs to another key.")


def scope_of_subject(call: Exchange) -> None:
    """``scope`` holds nothing that the subject token lacks; all of its own where none is named."""
    held, named = call.subject.scopes, call.request.payload.scope
    wanted = set(held) if named is None else set(named.split())
    if not wanted or not wanted <= set(held):
        raise InvalidScopeError
    call.scopes = [scope for scope in held if scope in wanted]


def resource_of_subject(call: Exchange) -> None:
    """Each ``resource`` is one of the subject token's (RFC 8707 §2.2)."""
    call.resources = resources.narrowed(call.request.get("resource"), call.subject.resources)


def subject_still_fit(call: Exchange) -> None:
    """Of a person's token: her sign-in is strong enough today, and her capacity still earns it."""
    if call.subject.grant is not None:
        try:
            require_assured(call, call.subject.grant)
            require_entitled(call, call.subject.grant)
        except InvalidGrantError as exc:
            # §2.2.2: whatever is wrong with the subject token is invalid_request.
            raise InvalidRequestError("The subject_token is not valid.") from exc


def exchanged(call: Exchange) -> dict[str, Any]:
    """The answer's token: of the subject's grant or client, key and end. No refresh token: it would
    outlive the subject token.
    """
    client, tokens, subject = call.client, call.provider.tokens, call.subject
    given: dict[str, Any] = {
        "scopes": call.scopes,
        "resources": call.resources,
        "bound_to": call.request.bound_to,
        "now": call.request.now,
        "until": subject.expires_at,
    }
    if subject.grant is None:
        text, expires_at = tokens.machine(client, **given)
    else:
        text, expires_at = tokens.access(client, subject.grant, child=True, **given)
    lasts = int((expires_at - call.request.now).total_seconds())
    return described(call, text, expires_at, call.scopes) | {
        "expires_in": lasts,
        "issued_token_type": ACCESS_TOKEN,
    }
