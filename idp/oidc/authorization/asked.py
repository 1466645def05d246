"""The parameters of an authorization request that can be judged without a person.

response_type    known, and switched on by the installation
prompt max_age claims id_token_hint acr_values resource dpop_jkt
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from idp.oidc import claims as claim_rules
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.incoming import Incoming
from idp.oidc.clients.kinds import ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.front import Front
from idp.oidc.request import Request

if TYPE_CHECKING:
    from idp.oidc.server import Server

PROMPTS = {"none", "login", "consent", "select_account"}


@dataclass
class Asked:
    """A request that has passed every check that needs no person."""

    request: Request
    incoming: Incoming
    channel: Channel
    grant: Front
    prompts: set[str]
    max_age: timedelta | None
    claims: dict[str, Any]
    hinted_sub: str | None

    @property
    def client(self) -> ClientView:
        """Who asks."""
        return self.incoming.client

    @property
    def scopes(self) -> list[str]:
        """The scopes that will be granted."""
        return list(self.request.scope.split())

    @property
    def consent_scopes(self) -> frozenset[str]:
        """The scopes, and those that would give the claims asked for one by one."""
        may = self.client.scopes
        asked = [
            name
            for where in ("userinfo", "id_token")
            for name in claim_rules.asked_of(self.claims, where, may)
        ]
        return frozenset(self.scopes) | claim_rules.scopes_of(asked)

    @property
    def said(self) -> str:
        """Every parameter that counts, in one text."""
        return urlencode(sorted(self.request.payload.data.items()))


def check(server: "Server", request: Request, incoming: Incoming, channel: Channel) -> Asked:
    """The request, judged. Raises OAuth2Error, to be told to the client."""
    if request.get("registration") is not None:
        raise OAuth2Error(error="registration_not_supported")
    request.response_type = response_type(server, request)
    client = incoming.client
    grant: Front = server.get_authorization_grant(request)
    grant.redirect_uri = channel.redirect_uri
    grant.response_type = request.response_type
    grant.resources = []
    grant.code_jkt = incoming.jkt
    wanted = _claims_request(request)
    # Names we know and nothing else of what was sent is kept.
    grant.claims_request = {
        part: dict.fromkeys(claim_rules.asked_of(wanted, part, client.scopes)) for part in wanted
    }
    grant.validate_authorization_request()
    return Asked(
        request,
        incoming,
        channel,
        grant,
        _prompts(request),
        _max_age(request, client),
        wanted,
        _hinted_sub(server, request),
    )


def response_type(server: "Server", request: Request) -> ResponseType:
    """The response type, its words in any order. Raises OAuth2Error."""
    words = request.payload.response_type
    if words is None:
        raise InvalidRequestError("Missing response_type.")
    for known in ResponseType:
        if known.words == frozenset(words.split()) and len(words.split()) == len(known.words):
            if known.value in server.tools.settings.response_types:
                return known
            break
    raise OAuth2Error(error="unsupported_response_type")


def _prompts(request: Request) -> set[str]:
    prompts = set((request.get("prompt") or "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError("Invalid prompt.")
    return prompts


def _max_age(request: Request, client: ClientView) -> timedelta | None:
    value = request.get("max_age")
    if value is None:
        default = client.options.default_max_age
        return None if default is None else timedelta(seconds=default)
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise InvalidRequestError("Invalid max_age.")
    return timedelta(seconds=int(value))


def _claims_request(request: Request) -> dict[str, Any]:
    """OIDC Core §5.5. Raises InvalidRequestError when it is no JSON object of objects."""
    text = request.get("claims")
    if text is None:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError("Invalid claims.") from exc
    if not isinstance(found, dict) or any(
        not isinstance(found.get(part, {}), dict) for part in ("userinfo", "id_token")
    ):
        raise InvalidRequestError("Invalid claims.")
    return {part: found[part] for part in ("userinfo", "id_token") if part in found}


def _hinted_sub(server: "Server", request: Request) -> str | None:
    hint = request.get("id_token_hint")
    if hint is None:
        return None
    found = server.tokens.signed_by_us(hint, typ="JWT", now=request.now)
    if found is None:
        raise InvalidRequestError("Invalid id_token_hint.")
    return str(found["sub"])
