"""An authorization request (OIDC Core §3.1.2): the checks, in order, and what comes of it.

    parameters      each once, not too long                                 our own page
    client          known and enabled                                       our own page
    request_uri     pushed by this client, in time, not used                our own page
    redirect_uri    exactly as registered                                   our own page
    ── from here on errors are told to the client, with ``iss`` and ``state`` ──
    response_mode   fits the response type
    profile         pushed or signed, where the client must
    grant           response_type, scope, nonce, PKCE S256
    prompt, max_age, claims, id_token_hint
    session         nobody, too old, somebody else → sign-in, or login_required
    entitlement     the capacity earns the application → refusal page, or access_denied
    consent         remembered, or ours → page, or consent_required
    code            one INSERT

``decide`` gives one of ``Answer``, ``SignIn``, ``AskConsent``, ``NotEntitled``; it raises
``Shown`` for what must stay on our own page.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy.orm import Session

from directory.base.clock import local_day
from directory.base.config import Settings
from idp import handles
from idp.login import flow as flows
from idp.login.flow import LoginFlow, consume_completed
from idp.oidc.authorization import answers, consent, entitlement, pushed
from idp.oidc.authorization import asked as requests
from idp.oidc.authorization.answers import Answer, Channel
from idp.oidc.authorization.asked import Asked
from idp.oidc.authorization.incoming import FLOW, Incoming
from idp.oidc.authorization.shown import Shown
from idp.oidc.clients.kinds import SCOPES
from idp.oidc.clients.redirects import origin
from idp.oidc.clients.view import ClientView
from idp.oidc.request import Request
from idp.oidc.server import Server
from idp.sessions import SessionView

PATH = "/oauth2/authorize"
CONSENT_WAITS = timedelta(minutes=15)


class Unmet(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Unmet Authentication Requirements 1.0."""

    error = "unmet_authentication_requirements"


@dataclass(frozen=True)
class Answered:
    """The browser takes the answer to the client."""

    answer: Answer
    agreed: frozenset[str] = frozenset()
    """Scopes she has just consented to, to be remembered."""


@dataclass(frozen=True)
class SignIn:
    """The person must sign in first and come back to ``return_to``."""

    client: ClientView
    return_to: str
    request: dict[str, Any]
    pushed_id: str | None = None


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
    answer: Answer
    """Back to the client, with access_denied."""


Outcome = Answered | SignIn | AskConsent | NotEntitled


def decide(
    server: Server,
    request: Request,
    incoming: Incoming,
    view: SessionView | None,
    *,
    consent_proof: str = "",
) -> Outcome:
    """What comes of the request for the person of this session.

    ``consent_proof`` is that of the page on which she has just agreed. Raises Shown.
    """
    channel = _channel(server, request, incoming)
    try:
        _require_profile(incoming)
        asked = requests.check(server, request, incoming, channel)
        agreed = view is not None and _proves(server, asked, view, consent_proof)
        outcome = _answered(server, asked, view, agreed=agreed)
    except OAuth2Error as error:
        outcome = Answered(channel.refusal(error, tokens=server.tokens, now=request.now))
        if incoming.pushed_id is not None:
            pushed.consume(request.connection, incoming.pushed_id, now=request.now)
    return outcome


def denied(server: Server, request: Request, incoming: Incoming) -> Answered:
    """The person said no on our page. Raises Shown."""
    channel = _channel(server, request, incoming)
    if incoming.pushed_id is not None:
        pushed.consume(request.connection, incoming.pushed_id, now=request.now)
    error = AccessDeniedError()
    return Answered(channel.refusal(error, tokens=server.tokens, now=request.now))


def _channel(server: Server, request: Request, incoming: Incoming) -> Channel:
    """Where errors may be told from here on. Raises Shown."""
    client = request.client = incoming.client
    uri = request.get("redirect_uri")
    # Required by OIDC Core §3.1.2.1 also where only one is registered.
    if uri is None or not client.check_redirect_uri(uri):
        raise Shown("redirect_uri", "Địa chỉ chuyển về của ứng dụng không đúng với đăng ký.")
    wanted = request.payload.response_type
    try:
        mode = answers.mode(request.get("response_mode"), wanted)
    except InvalidRequestError:
        mode = answers.usual(wanted)
    return Channel(client, uri, mode, request.get("state"), server.tools.settings.issuer)


def _require_profile(incoming: Incoming) -> None:
    """What this client must do about its requests. Raises InvalidRequestError."""
    values, options = incoming.values, incoming.client.options
    answers.mode(values.get("response_mode"), values.get("response_type"))
    if options.par_required and incoming.pushed_id is None:
        raise InvalidRequestError("This client must push its authorization requests.")
    if options.signed_request_required and not incoming.signed:
        raise InvalidRequestError("This client must sign its authorization requests.")


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
    if asked.incoming.pushed_id is not None:
        # Before anything is given: of two browsers that bring it, one is answered.
        pushed.consume(asked.request.connection, asked.incoming.pushed_id, now=asked.request.now)
    said = asked.grant.give(view)
    answer = asked.channel.answer(said, tokens=server.tokens, now=asked.request.now)
    return Answered(answer, asked.consent_scopes if agreed else frozenset())


def _ask(server: Server, asked: Asked, view: SessionView) -> AskConsent:
    now = int(asked.request.now.timestamp())
    body = f"{view.id}.{now}.{_digest(asked)}"
    proof = handles.seal(server.tools.keyring, "oidc-consent", body)
    scopes = [s for s in SCOPES if s in asked.consent_scopes]
    if asked.incoming.pushed_id is not None:
        until = asked.request.now + CONSENT_WAITS
        pushed.prolong(asked.request.connection, asked.incoming.pushed_id, until=until)
    uri = asked.channel.redirect_uri
    return AskConsent(asked.client, scopes, asked.incoming.query, uri, proof)


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
    said = asked.said + " " + " ".join(sorted(asked.consent_scopes))
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
    flow = asked.incoming.flow
    return flow is None or not consume_completed(
        asked.request.connection,
        flow,
        view.id,
        return_to=f"{PATH}?{asked.incoming.query}&{FLOW}={flow}",
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
    wanted["form_origin"] = origin(asked.channel.redirect_uri)
    incoming = asked.incoming
    return SignIn(asked.client, f"{PATH}?{incoming.query}", wanted, incoming.pushed_id)


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
    if outcome.pushed_id is not None:
        until = now + timedelta(seconds=settings.flow_lifetime)
        pushed.prolong(session, outcome.pushed_id, until=until)
    return flow_id


def _not_entitled(server: Server, asked: Asked, *, quiet: bool) -> NotEntitled:
    error = AccessDeniedError("The person may not use this application in her present capacity.")
    if quiet:
        raise error
    back = asked.channel.refusal(error, tokens=server.tokens, now=asked.request.now)
    return NotEntitled(asked.client, back)
