"""The parameters of an authorization request that can be judged without a person.

response_type    known, and switched on by the installation
prompt max_age claims id_token_hint acr_values resource dpop_jkt
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from idp import assurance
from idp.assurance import Demand
from idp.oidc import claims as claim_rules
from idp.oidc import resources
from idp.oidc.authorization import answers, consent, test_sign_in
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.incoming import Incoming
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.kinds import ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.front import Front
from idp.oidc.provider import Provider
from idp.oidc.request import Request
from idp.oidc.server import Server

if TYPE_CHECKING:
    from idp.sessions import SessionView

PROMPTS = {"none", "login", "consent", "select_account"}
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass
class CheckedRequest:
    """A request that has passed every check that needs no person."""

    request: Request
    incoming: Incoming
    channel: Channel
    grant: Front
    prompts: set[str]
    max_age: timedelta | None
    claims: dict[str, Any]
    subjects: frozenset[str] | None
    """Of whom the answer must be about; None: of anybody."""
    demand: Demand

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
    def needs_allowed(self) -> frozenset[str]:
        """What the person must have allowed: these scopes, at the resources asked for."""
        issuer = self.channel.issuer
        return consent.each(self.consent_scopes, self.grant.resources, issuer=issuer)

    def may_be_about(self, view: "SessionView") -> bool:
        """Whether the client wants an answer about her, as it knows her (OIDC Core §8)."""
        names = self.grant.server.provider.tokens.subjects
        return self.subjects is None or names.subject(view.sub, self.client.sector) in self.subjects

    @property
    def said(self) -> str:
        """Every parameter that counts, in one text."""
        return urlencode(sorted(self.request.payload.data.items()))


def channel(provider: Provider, request: Request, incoming: Incoming) -> Channel:
    """Where errors may be told from here on. Raises PageError, and OAuth2Error of a signed request."""
    client = request.client = incoming.client
    uri = request.get("redirect_uri")
    # Required by OIDC Core §3.1.2.1 also where only one is registered.
    if uri is None or not (
        client.check_redirect_uri(uri) or _tries(provider, request, incoming, uri)
    ):
        if incoming.fault is not None:
            raise incoming.fault
        if uri is None:
            raise PageError(
                "redirect_uri",
                "Ứng dụng không nói địa chỉ chuyển về (redirect_uri) sau khi đăng nhập.",
            )
        raise PageError("redirect_uri", "Địa chỉ chuyển về của ứng dụng không đúng với đăng ký.")
    wanted = request.payload.response_type
    try:
        mode = answers.mode(request.get("response_mode"), wanted, client)
    except InvalidRequestError:
        mode = answers.fallback(wanted, client)
    return Channel(client, uri, mode, request.get("state"), provider.tools.settings.issuer)


def _tries(provider: Provider, request: Request, incoming: Incoming, uri: str) -> bool:
    """Whether the console itself asks, for a trial of the client by its owner."""
    kept = incoming.kept is not None
    return kept and test_sign_in.allows(provider, incoming.client, uri, request.get("state"))


def check(server: Server, request: Request, incoming: Incoming, channel: Channel) -> CheckedRequest:
    """The request, judged. Raises OAuth2Error, to be told to the client."""
    if incoming.fault is not None:
        raise incoming.fault
    client = incoming.client
    if client.options.signed_request_required and not incoming.signed:
        raise InvalidRequestError("This client must sign its authorization requests.")
    if request.get("registration") is not None:
        raise OAuth2Error(error="registration_not_supported")
    answers.mode(request.get("response_mode"), request.payload.response_type, client)
    request.response_type = response_type(server.provider, request)
    # In our order of words, by which Authlib finds its grants.
    request.payload.data["response_type"] = request.response_type.value
    # Who has authenticated to push it need not have said so again.
    request.payload.data["client_id"] = client.client_id
    grant: Front = server.get_authorization_grant(request)
    grant.redirect_uri = channel.redirect_uri
    grant.response_type = request.response_type
    grant.resources = resources.granted(
        request.connection,
        client,
        request.get("resource"),
        issuer=server.provider.tools.settings.issuer,
    )
    grant.code_jkt = incoming.jkt or _key(request)
    wanted = claim_rules.parse(request.get("claims"))
    # Names we know and nothing else of what was sent is kept.
    grant.claims_request = {
        part: dict.fromkeys(claim_rules.asked_of(wanted, part, client.scopes)) for part in wanted
    }
    grant.validate_authorization_request()
    found = CheckedRequest(
        request,
        incoming,
        channel,
        grant,
        _prompts(request),
        _max_age(request, client),
        wanted,
        _subjects(server.provider, request, client, wanted),
        Demand(),
    )
    found.demand = grant.demand = _demand(found, server.provider.tools.settings.scope_acr)
    return found


def response_type(provider: Provider, request: Request) -> ResponseType:
    """The response type, its words in any order. Raises OAuth2Error."""
    words = request.payload.response_type
    if words is None:
        raise InvalidRequestError("Missing response_type.")
    for known in ResponseType:
        if known.words == frozenset(words.split()) and len(words.split()) == len(known.words):
            if known.value in provider.tools.settings.response_types:
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


def _key(request: Request) -> str | None:
    """RFC 9449 §10: the thumbprint of the key the code will be redeemed with."""
    value = request.get("dpop_jkt")
    if value is not None and not _THUMBPRINT.fullmatch(value):
        raise InvalidRequestError("Invalid dpop_jkt.")
    return value


def _subjects(
    provider: Provider, request: Request, client: ClientView, wanted: dict[str, Any]
) -> frozenset[str] | None:
    """Whom the client wants an answer about: named by an ID token we gave it, expired or not, or
    by the claim ``sub`` (OIDC Core §3.1.2.2).
    """
    named = claim_rules.subjects(wanted)
    if named is not None and not named:
        raise InvalidRequestError("Nobody can be meant by the claim sub.")
    hint = request.get("id_token_hint")
    if hint is None:
        return named
    found = provider.tokens.signed_by_us(hint, typ="JWT", now=request.now)
    # What else we sign (JARM) names nobody; what another client was given is not this one's.
    if found is None or "sub" not in found or found.get("aud") != client.client_id:
        raise InvalidRequestError("Invalid id_token_hint.")
    if named is not None and found["sub"] not in named:
        raise InvalidRequestError("id_token_hint and the claim sub name different people.")
    return frozenset({str(found["sub"])})


def _demand(checked: CheckedRequest, scope_acr: Mapping[str, str]) -> Demand:
    """How strong the sign-in should be, and how strong it must be."""
    options, wished = checked.client.options, claim_rules.levels(checked.claims)
    named = tuple((checked.request.get("acr_values") or "").split())
    voluntary = () if wished.essential else wished.values
    return Demand(
        # OIDC Registration §2: an explicit request overrides the default.
        voluntary=voluntary or named or options.default_acr_values,
        essential=wished.values if wished.essential else (),
        least=assurance.least(options.minimum_acr, sorted(checked.consent_scopes), scope_acr),
    )
