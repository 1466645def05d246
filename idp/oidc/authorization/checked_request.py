"""The parameters of an authorization request that can be judged without a person.

response_type    known, and switched on by the installation
prompt max_age claims id_token_hint acr_values resource dpop_jkt
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from idp import assurance
from idp.assurance import Demand
from idp.oidc import claims as claim_rules
from idp.oidc import resources
from idp.oidc.authorization import answers, consent, response_types, test_sign_in
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.incoming import Incoming
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.kinds import ResponseType
from idp.oidc.clients.view import ClientView
from idp.oidc.provider import Provider
from idp.oidc.request import Request

PROMPTS = {"none", "login", "consent", "select_account"}
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class CheckedRequest:
    """A request that has passed every check that needs no person."""

    request: Request
    incoming: Incoming
    channel: Channel
    response_type: ResponseType
    scopes: list[str]
    """Those that will be granted."""
    resources: list[str]
    claims: Mapping[str, Any]
    """The claims request."""
    consent_scopes: frozenset[str]
    """The scopes, and those that would give the claims asked for one by one."""
    code_jkt: str | None
    """The key the code will be redeemed with."""
    prompts: set[str]
    subjects: frozenset[str] | None
    """Of whom the answer must be about; None: of anybody."""
    demand: Demand

    @property
    def client(self) -> ClientView:
        """Who asks."""
        return self.incoming.client

    @property
    def needs_allowed(self) -> frozenset[str]:
        """What the person must have allowed: these scopes, at the resources asked for."""
        return consent.each(self.consent_scopes, self.resources, issuer=self.channel.issuer)

    @property
    def kept_claims(self) -> dict[str, dict[str, None]]:
        """Of the claims request the names we know, and nothing else of what was sent."""
        may = self.client.scopes
        return {
            part: dict.fromkeys(claim_rules.asked_of(self.claims, part, may))
            for part in self.claims
        }

    def may_be_about(self, subject: str) -> bool:
        """Whether the client wants an answer about her, as it knows her (OIDC Core §8)."""
        return self.subjects is None or subject in self.subjects

    @property
    def said(self) -> str:
        """Every parameter that counts, in one text."""
        # Who has authenticated to push it need not have said so again.
        named = {"client_id": self.client.client_id, "response_type": self.response_type.value}
        return urlencode(sorted((self.request.payload.data | named).items()))


def channel(provider: Provider, request: Request, incoming: Incoming) -> Channel:
    """Where errors may be told from here on. Raises PageError, and OAuth2Error of a signed request."""
    client = incoming.client
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


def check(
    provider: Provider, request: Request, incoming: Incoming, channel: Channel
) -> CheckedRequest:
    """The request, judged. Raises OAuth2Error, to be told to the client."""
    if incoming.fault is not None:
        raise incoming.fault
    client, settings = incoming.client, provider.tools.settings
    if client.options.signed_request_required and not incoming.signed:
        raise InvalidRequestError("This client must sign its authorization requests.")
    if request.get("registration") is not None:
        raise OAuth2Error(error="registration_not_supported")
    answers.mode(request.get("response_mode"), request.payload.response_type, client)
    wanted = response_types.response_type(provider, request)
    named = resources.granted(
        request.connection, client, request.get("resource"), issuer=settings.issuer
    )
    code_jkt = incoming.jkt or _key(request)
    claims = claim_rules.parse(request.get("claims"))
    scopes = response_types.scopes(client, wanted, request)
    consent_scopes = frozenset(scopes) | _scopes_of(claims, client)
    return CheckedRequest(
        request,
        incoming,
        channel,
        wanted,
        scopes,
        named,
        claims,
        consent_scopes,
        code_jkt,
        _prompts(request),
        _subjects(provider, request, client, claims),
        _demand(request, client, claims, consent_scopes, settings.scope_acr),
    )


def _scopes_of(claims: Mapping[str, Any], client: ClientView) -> frozenset[str]:
    """The scopes that would give the claims asked for one by one."""
    return frozenset(
        claim_rules.scopes_of(
            name
            for where in ("userinfo", "id_token")
            for name in claim_rules.asked_of(claims, where, client.scopes)
        )
    )


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
    keys = provider.tokens.keys.at(client.keys_stamp)
    found = provider.tokens.signed_by_us(hint, typ="JWT", keys=keys, now=request.now)
    # What else we sign (JARM) names nobody; what another client was given is not this one's.
    if found is None or "sub" not in found or found.get("aud") != client.client_id:
        raise InvalidRequestError("Invalid id_token_hint.")
    if named is not None and found["sub"] not in named:
        raise InvalidRequestError("id_token_hint and the claim sub name different people.")
    return frozenset({str(found["sub"])})


def _demand(
    request: Request,
    client: ClientView,
    claims: Mapping[str, Any],
    consent_scopes: frozenset[str],
    scope_acr: Mapping[str, str],
) -> Demand:
    """How strong the sign-in should be, how strong it must be, and how new."""
    options, wished = client.options, claim_rules.levels(claims)
    named = tuple((request.get("acr_values") or "").split())
    voluntary = () if wished.essential else wished.values
    return Demand(
        # OIDC Registration §2: an explicit request overrides the default.
        voluntary=voluntary or named or options.default_acr_values,
        essential=wished.values if wished.essential else (),
        least=assurance.least(options.minimum_acr, sorted(consent_scopes), scope_acr),
        prompt=frozenset(_prompts(request)),
        max_age=_max_age(request, client),
    )
