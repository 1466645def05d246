"""The parameters of an authorization request that can be judged without a person."""

import re
from datetime import timedelta

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error

from idp import demands
from idp.assurance import Demand
from idp.demands import Rules, Situation
from idp.oidc import claims as claim_rules
from idp.oidc.authorization import answers, test_sign_in
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.refusals import Reason

PROMPTS = {"none", "login", "consent", "select_account"}
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def redirect_uri_registered(checked: CheckedRequest) -> None:
    """``redirect_uri`` is exactly as registered (RFC 9700 §4.1.3): from now on the client is told."""
    request, client = checked.request, checked.client
    uri = request.get("redirect_uri")
    # Required by OIDC Core §3.1.2.1 also where only one is registered.
    if uri is None or not (client.check_redirect_uri(uri) or _tries(checked, uri)):
        if checked.fault is not None:
            raise checked.fault
        reason = Reason.REDIRECT_URI_MISSING if uri is None else Reason.REDIRECT_URI
        request.keep_refusal(checked.provider.refusals, client, reason, uri or "")
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
    issuer = checked.provider.tools.settings.issuer
    checked.channel = Channel(client, uri, mode, request.get("state"), issuer)


def _tries(checked: CheckedRequest, uri: str) -> bool:
    """Whether the console itself asks, for a trial of the client by its owner."""
    state = checked.request.get("state")
    return checked.kept is not None and test_sign_in.allows(
        checked.provider, checked.client, uri, state
    )


def pushed_where_it_must(checked: CheckedRequest) -> None:
    """It was pushed, where the client must push (RFC 9126 §6)."""
    if checked.client.options.par_required and checked.kept is None:
        raise InvalidRequestError("This client must push its authorization requests.")


def signed_where_it_must(checked: CheckedRequest) -> None:
    """It was signed, where the client must sign (RFC 9101 §10.5)."""
    if checked.client.options.signed_request_required and not checked.signed:
        raise InvalidRequestError("This client must sign its authorization requests.")


def no_registration(checked: CheckedRequest) -> None:
    """It does not bring a registration of its own (OIDC Core §7.2.1)."""
    if checked.request.get("registration") is not None:
        raise OAuth2Error(error="registration_not_supported")


def response_mode_fits(checked: CheckedRequest) -> None:
    """``response_mode`` is known, fits the response type, and is one the client may use."""
    request = checked.request
    answers.mode(request.get("response_mode"), request.payload.response_type, checked.client)


def key_well_formed(checked: CheckedRequest) -> None:
    """``dpop_jkt`` is a thumbprint: of the key the code will be redeemed with (RFC 9449 §10)."""
    value = checked.request.get("dpop_jkt")
    if checked.jkt is None and value is not None and not _THUMBPRINT.fullmatch(value):
        raise InvalidRequestError("Invalid dpop_jkt.")
    checked.code_jkt = checked.jkt or value


def claims_well_formed(checked: CheckedRequest) -> None:
    """``claims`` is a claims request (OIDC Core §5.5)."""
    checked.claims = claim_rules.parse(checked.request.get("claims"))


def prompt_known(checked: CheckedRequest) -> None:
    """``prompt`` holds what we know, and ``none`` only alone (OIDC Core §3.1.2.1)."""
    prompts = set((checked.request.get("prompt") or "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError("Invalid prompt.")
    checked.prompts = prompts


def somebody_meant(checked: CheckedRequest) -> None:
    """``id_token_hint``, expired or not, and the claim ``sub`` name the same person, of those the
    client was told of (OIDC Core §3.1.2.2).
    """
    named = checked.subjects = claim_rules.subjects(checked.claims)
    if named is not None and not named:
        raise InvalidRequestError("Nobody can be meant by the claim sub.")
    hint = checked.request.get("id_token_hint")
    if hint is None:
        return
    tokens, now = checked.provider.tokens, checked.request.now
    keys = tokens.keys.at(checked.client.keys_stamp)
    found = tokens.signed_by_us(hint, typ="JWT", keys=keys, now=now)
    # What else we sign (JARM) names nobody; what another client was given is not this one's.
    if found is None or "sub" not in found or found.get("aud") != checked.client.client_id:
        raise InvalidRequestError("Invalid id_token_hint.")
    if named is not None and found["sub"] not in named:
        raise InvalidRequestError("id_token_hint and the claim sub name different people.")
    checked.subjects = frozenset({str(found["sub"])})


def max_age_well_formed(checked: CheckedRequest) -> None:
    """``max_age`` is a number of seconds: with it is known how strong and how new the sign-in must
    be.
    """
    request, options, claims = checked.request, checked.client.options, checked.claims
    wished, named = claim_rules.levels(claims), tuple((request.get("acr_values") or "").split())
    scopes, rules = sorted(checked.consent_scopes), Rules.of(checked.provider.tools.settings)
    ours = demands.of(rules, Situation(minimum=options.minimum_acr, scopes=scopes))
    checked.demand = Demand(
        # OIDC Registration §2: an explicit request overrides the default.
        voluntary=(() if wished.essential else wished.values)
        or named
        or options.default_acr_values,
        essential=wished.values if wished.essential else (),
        least=demands.levels(ours),
        prompt=frozenset(checked.prompts),
        max_age=_max_age(checked),
    )


def _max_age(checked: CheckedRequest) -> timedelta | None:
    value = checked.request.get("max_age")
    if value is None:
        default = checked.client.options.default_max_age
        return None if default is None else timedelta(seconds=default)
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise InvalidRequestError("Invalid max_age.")
    return timedelta(seconds=int(value))
