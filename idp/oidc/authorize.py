"""An authorization request (OIDC Core §3.1.2): the checks, in order, and what comes of it.

    parameters      each once, not too long                                 our own page
    client          known and enabled                                       our own page
    redirect_uri    exactly as registered                                   our own page
    ── from here on errors are told to the client, with ``iss`` and ``state`` ──
    unsupported     request, request_uri, registration, response_mode
    grant           response_type, scope, PKCE S256
    prompt, max_age, claims, id_token_hint
    session         nobody, too old, somebody else → sign-in, or login_required
    entitlement     the capacity earns the application → refusal page, or access_denied
    consent         remembered, or ours → page, or consent_required
    code            one INSERT

``decide`` gives one of ``Redirect``, ``SignIn``, ``AskConsent``, ``NotEntitled``; it raises
``Shown`` for what must stay on our own page.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy.orm import Session

from directory.base.clock import local_day
from directory.base.config import Settings
from idp import handles
from idp.login import flow as flows
from idp.login.flow import LoginFlow, consume_completed
from idp.oidc import claims as claim_rules
from idp.oidc import client_view, consent, entitlement
from idp.oidc.client_view import ClientView
from idp.oidc.clients import SCOPES
from idp.oidc.code import CodeGrant, told
from idp.oidc.redirects import origin
from idp.oidc.request import Request
from idp.oidc.server import Server
from idp.sessions import SessionView

PATH = "/oauth2/authorize"
FLOW = "flow"
"""Names the sign-in that was done for this very request."""
CONSENT_WAITS = timedelta(minutes=15)
PROMPTS = {"none", "login", "consent", "select_account"}
UNSUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}


class Shown(Exception):
    """Not to be told to the client: we do not know that it is one. ``sentence`` is ours."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code)
        self.code = code
        self.sentence = sentence


class Unmet(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Unmet Authentication Requirements 1.0."""

    error = "unmet_authentication_requirements"


@dataclass(frozen=True)
class Redirect:
    """The browser takes the answer to the client."""

    location: str
    agreed: frozenset[str] = frozenset()
    """Scopes she has just consented to, to be remembered."""


@dataclass(frozen=True)
class SignIn:
    """The person must sign in first and come back to ``return_to``."""

    client: ClientView
    return_to: str
    request: dict[str, Any]


@dataclass(frozen=True)
class AskConsent:
    """The person must say whether the client may be told these things."""

    client: ClientView
    scopes: list[str]
    query: str
    redirect_uri: str
    proof: str
    """That all other checks were passed when this was shown, to this session."""

    @property
    def host(self) -> str:
        """Where the person will be taken."""
        return urlsplit(self.redirect_uri).netloc or self.redirect_uri


@dataclass(frozen=True)
class NotEntitled:
    """The person may not use this application in her present capacity."""

    client: ClientView
    location: str
    """Back to the client, with access_denied."""


Outcome = Redirect | SignIn | AskConsent | NotEntitled


@dataclass
class Asked:
    """A request that has passed every check that needs no person."""

    request: Request
    client: ClientView
    redirect_uri: str
    grant: CodeGrant
    prompts: set[str]
    max_age: timedelta | None
    claims: dict[str, Any]
    hinted_sub: str | None

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
    def query(self) -> str:
        """The request as a query, without what we added ourselves."""
        values = self.request.payload.data
        return urlencode({k: v for k, v in values.items() if k != FLOW})


def decide(
    server: Server, request: Request, view: SessionView | None, *, consent_proof: str = ""
) -> Outcome:
    """What comes of the request for the person of this session.

    ``consent_proof`` is that of the page on which she has just agreed. Raises Shown.
    """
    client = _client(request)
    redirect_uri = _redirect_uri(request, client)
    try:
        asked = _asked(server, request, client, redirect_uri)
        agreed = view is not None and _proves(server, asked, view, consent_proof)
        outcome = _answered(server, asked, view, agreed=agreed)
    except OAuth2Error as error:
        return Redirect(told(error, request, redirect_uri, server.tools.settings.issuer))
    return outcome


def denied(server: Server, request: Request) -> Redirect:
    """The person said no on our page. Raises Shown."""
    redirect_uri = _redirect_uri(request, _client(request))
    issuer = server.tools.settings.issuer
    return Redirect(told(AccessDeniedError(), request, redirect_uri, issuer))


def _client(request: Request) -> ClientView:
    client_id = request.get("client_id")
    client = client_view.view(request.connection, client_id) if client_id else None
    if client is None:
        raise Shown("client_unknown", "Ứng dụng gửi bạn đến đây chưa được đăng ký hoặc đã bị khóa.")
    request.client = client
    return client


def _redirect_uri(request: Request, client: ClientView) -> str:
    uri = request.get("redirect_uri")
    # Required by OIDC Core §3.1.2.1 also where only one is registered.
    if uri is None or not client.check_redirect_uri(uri):
        raise Shown("redirect_uri", "Địa chỉ chuyển về của ứng dụng không đúng với đăng ký.")
    return uri


def _asked(server: Server, request: Request, client: ClientView, redirect_uri: str) -> Asked:
    for name, error in UNSUPPORTED.items():
        if request.get(name) is not None:
            raise OAuth2Error(error=error)
    if request.get("response_mode") not in (None, "query"):
        raise InvalidRequestError("Only response_mode query is supported.")
    if request.payload.response_type is None:
        raise InvalidRequestError("Missing response_type.")
    if request.payload.response_type not in CodeGrant.RESPONSE_TYPES:
        raise OAuth2Error(error="unsupported_response_type")
    grant: CodeGrant = server.get_authorization_grant(request)
    grant.redirect_uri = redirect_uri
    wanted = _claims_request(request)
    # Names we know and nothing else of what was sent is kept.
    grant.claims_request = {
        part: dict.fromkeys(claim_rules.asked_of(wanted, part, client.scopes)) for part in wanted
    }
    grant.validate_authorization_request()
    return Asked(
        request,
        client,
        redirect_uri,
        grant,
        _prompts(request),
        _max_age(request),
        wanted,
        _hinted_sub(server, request),
    )


def _prompts(request: Request) -> set[str]:
    prompts = set((request.get("prompt") or "").split())
    if not prompts <= PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise InvalidRequestError("Invalid prompt.")
    return prompts


def _max_age(request: Request) -> timedelta | None:
    value = request.get("max_age")
    if value is None:
        return None
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


def _hinted_sub(server: Server, request: Request) -> str | None:
    hint = request.get("id_token_hint")
    if hint is None:
        return None
    found = server.tokens.signed_by_us(hint, typ="JWT", now=request.now)
    if found is None:
        raise InvalidRequestError("Invalid id_token_hint.")
    return str(found["sub"])


def _answered(server: Server, asked: Asked, view: SessionView | None, *, agreed: bool) -> Outcome:
    quiet = "none" in asked.prompts
    if view is None or (not agreed and _must_sign_in(asked, view)):
        if quiet:
            raise LoginRequiredError
        return _sign_in(asked)
    _require_essential_acr(asked, view)
    client = asked.client
    if client.restricted or not client.first_party:
        standing = consent.standing(
            asked.request.connection,
            view.user_id,
            assignment_id=view.assignment_id,
            client_id=client.id,
        )
        day = local_day(asked.request.now)
        if not entitlement.entitled(server.tools.db, client, standing.person.held, on=day):
            return _not_entitled(server, asked, quiet=quiet)
        known = asked.consent_scopes <= standing.allowed and "consent" not in asked.prompts
        if not (client.first_party or known or agreed):
            if quiet:
                raise ConsentRequiredError
            return _ask(server, asked, view)
    _, _, headers = asked.grant.create_authorization_response(asked.redirect_uri, view)
    return Redirect(dict(headers)["Location"], asked.consent_scopes if agreed else frozenset())


def _ask(server: Server, asked: Asked, view: SessionView) -> AskConsent:
    now = int(asked.request.now.timestamp())
    body = f"{view.id}.{now}.{_digest(asked)}"
    proof = handles.seal(server.tools.keyring, "oidc-consent", body)
    scopes = [s for s in SCOPES if s in asked.consent_scopes]
    return AskConsent(asked.client, scopes, asked.query, asked.redirect_uri, proof)


def _proves(server: Server, asked: Asked, view: SessionView, proof: str) -> bool:
    """Whether this very request was shown to this very session, with all else in order, and
    not too long ago.
    """
    body = handles.unseal(server.tools.keyring, "oidc-consent", proof)
    if body is None:
        return False
    session_id, shown_at, digest = body.split(".")
    age = asked.request.now - datetime.fromtimestamp(int(shown_at), UTC)
    return session_id == view.id and digest == _digest(asked) and age <= CONSENT_WAITS


def _digest(asked: Asked) -> str:
    said = asked.query + " " + " ".join(sorted(asked.consent_scopes))
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _must_sign_in(asked: Asked, view: SessionView) -> bool:
    """Whether the session does not answer the request, unless it was made for it just now."""
    if asked.hinted_sub not in (None, view.sub):
        return True
    age = asked.request.now - view.auth_time
    stale = asked.max_age is not None and age > asked.max_age
    asks = bool({"login", "select_account"} & asked.prompts)
    if not (asks or stale or _acr_missing(asked, view)):
        return False
    flow = asked.request.get(FLOW)
    return flow is None or not consume_completed(
        asked.request.connection,
        flow,
        view.id,
        return_to=f"{PATH}?{asked.query}&{FLOW}={flow}",
        now=asked.request.now,
    )


def _essential_acrs(asked: Asked) -> list[str]:
    """The acr values without which the client wants no answer (OIDC Core §5.5.1.1)."""
    part = asked.claims.get("id_token", {}).get("acr")
    if not isinstance(part, dict) or part.get("essential") is not True:
        return []
    values = part.get("values", [part["value"]] if "value" in part else [])
    return [v for v in values if isinstance(v, str)] if isinstance(values, list) else []


def _acr_missing(asked: Asked, view: SessionView) -> bool:
    wanted = _essential_acrs(asked) or (asked.request.get("acr_values") or "").split()
    return bool(wanted) and view.acr not in wanted


def _require_essential_acr(asked: Asked, view: SessionView) -> None:
    essential = _essential_acrs(asked)
    if essential and view.acr not in essential:
        raise Unmet


def _sign_in(asked: Asked) -> SignIn:
    request = asked.request
    passed = ("prompt", "max_age", "acr_values", "login_hint", "ui_locales")
    wanted: dict[str, Any] = {name: request.get(name) for name in passed if request.get(name)}
    wanted["form_origin"] = origin(asked.redirect_uri)
    return SignIn(asked.client, f"{PATH}?{asked.query}", wanted)


def begin(
    session: Session, outcome: SignIn, *, now: datetime, settings: Settings, browser: str
) -> str:
    """Begin the sign-in; it comes back naming itself, so that it answers this request once."""
    flow_id = flows.begin(
        session,
        return_to=outcome.return_to,
        client_id=outcome.client.id,
        request=outcome.request,
        now=now,
        settings=settings,
        browser=browser,
    )
    session.get_one(LoginFlow, flow_id).return_to += f"&{FLOW}={flow_id}"
    return flow_id


def _not_entitled(server: Server, asked: Asked, *, quiet: bool) -> NotEntitled:
    error = AccessDeniedError("The person may not use this application in her present capacity.")
    if quiet:
        raise error
    issuer = server.tools.settings.issuer
    return NotEntitled(asked.client, told(error, asked.request, asked.redirect_uri, issuer))
