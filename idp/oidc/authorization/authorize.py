"""An authorization request (OIDC Core §3.1.2): the checks, in order, and what comes of it.

    parameters      each once, not too long                                 our own page
    client          known and enabled                                       our own page
    request_uri     if pushed: by this client, in time, not used            our own page
    redirect_uri    exactly as registered                                   our own page
    ── from here on errors are told to the client, with ``iss`` and ``state`` ──
    profile         pushed and signed, where the client must
    request         if signed: by this client, for us, in time, nothing nested
    response_mode   fits the response type
    grant           response_type, scope, nonce, PKCE S256
    prompt, max_age, claims, id_token_hint
    session         nobody, too old, somebody else → sign-in, or login_required
    assurance       weaker than it must be → sign-in, or refusal page, or
                    unmet_authentication_requirements
    entitlement     the capacity earns the application → refusal page, or access_denied
    consent         remembered, or ours → page, or consent_required
    code            one INSERT

``decide`` gives one of ``Answered``, ``SignIn``, ``AskConsent``, ``NotEntitled``, ``TooWeak``; it
raises ``PageError`` for what must stay on our own page.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import AccessDeniedError, InvalidRequestError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy.orm import Session

from directory.base import signed_values
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import NotFound
from directory.base.storable import is_text
from idp.factors import registry
from idp.login import unwritten
from idp.login.flow import consume_completed
from idp.oidc import entitlement, resources
from idp.oidc.authorization import checked_request as requests
from idp.oidc.authorization import consent, giving, pushed
from idp.oidc.authorization import incoming as incomings
from idp.oidc.authorization.answers import Channel
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.incoming import FLOW, Incoming
from idp.oidc.authorization.outcomes import (
    Answered,
    AskConsent,
    NotEntitled,
    Outcome,
    SignIn,
    TooWeak,
)
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients.kinds import SCOPES, ClientKind
from idp.oidc.clients.redirects import origin
from idp.oidc.clients.refusals import Reason
from idp.oidc.provider import Provider
from idp.oidc.request import Request
from idp.oidc.server import Server
from idp.sessions import SessionView
from idp.web import i18n
from idp.web.gate import client_address

PATH = "/oauth2/authorize"
CONSENT_WAITS = timedelta(minutes=15)


class Unmet(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Unmet Authentication Requirements 1.0."""

    error = "unmet_authentication_requirements"


def decide(
    server: Server,
    request: Request,
    incoming: Incoming,
    view: SessionView | None,
    *,
    consent_proof: str = "",
) -> Outcome:
    """What comes of the request for the person of this session.

    ``consent_proof`` is that of the page on which she has just agreed. Raises PageError.
    """
    channel = _channel(server, request, incoming)
    try:
        _require_pushed(incoming)
        checked = requests.check(server.provider, request, incoming, channel)
        agreed = view is not None and _proves(server.provider, checked, view, consent_proof)
        outcome = _answered(server.provider, checked, view, agreed=agreed)
    except OAuth2Error as error:
        server.note(request, error, client=incoming.client)
        outcome = Answered(channel.refusal(error, tokens=server.provider.tokens, now=request.now))
        if incoming.kept is not None:
            pushed.consume(server.provider, request.connection, incoming.kept, now=request.now)
    return outcome


def _channel(server: Server, request: Request, incoming: Incoming) -> Channel:
    """Where the client is told things. Raises PageError, and keeps why for its owner."""
    try:
        return requests.channel(server.provider, request, incoming)
    except PageError as shown:
        if shown.code == Reason.REDIRECT_URI:
            sent = request.get("redirect_uri")
            reason = Reason.REDIRECT_URI_MISSING if sent is None else Reason.REDIRECT_URI
            request.keep_refusal(server.provider.refusals, incoming.client, reason, sent or "")
        raise
    except OAuth2Error as error:
        server.note(request, error, client=incoming.client)
        raise


def denied(server: Server, request: Request, incoming: Incoming) -> Answered:
    """The person said no on our page. Raises PageError."""
    channel = requests.channel(server.provider, request, incoming)
    if incoming.kept is not None:
        pushed.consume(server.provider, request.connection, incoming.kept, now=request.now)
    error = AccessDeniedError()
    return Answered(channel.refusal(error, tokens=server.provider.tokens, now=request.now))


def _require_pushed(incoming: Incoming) -> None:
    """Raises InvalidRequestError (RFC 9126 §6), and what is wrong with what it pushed."""
    if incoming.fault is not None:
        raise incoming.fault
    if incoming.client.options.par_required and incoming.kept is None:
        raise InvalidRequestError("This client must push its authorization requests.")


def _answered(
    provider: Provider, checked: CheckedRequest, view: SessionView | None, *, agreed: bool
) -> Outcome:
    quiet = "none" in checked.prompts
    if view is None and quiet:
        raise LoginRequiredError
    missing = _sign_in_missing(provider, checked, view, agreed=agreed)
    if view is None or missing is not None:
        return missing or _sign_in(provider, checked)
    client = checked.client
    consent_id = None
    asks = ("consent" in checked.prompts or _anybody_may_be_it(checked)) and not agreed
    if client.restricted or not client.first_party or asks:
        standing = consent.standing(
            checked.request.connection,
            view.user_id,
            assignment_id=view.assignment_id,
            client_id=client.id,
            now=checked.request.now,
        )
        day = local_day(checked.request.now)
        if not entitlement.entitled(provider.tools.db, client, standing.person, on=day):
            return _not_entitled(provider, checked, quiet=quiet)
        known = client.first_party or checked.needs_allowed <= standing.allowed
        if asks or not (known or agreed):
            if quiet:
                raise ConsentRequiredError
            return _ask(provider, checked, view)
        consent_id = None if client.first_party else standing.consent_id
    if checked.incoming.kept is not None:
        # Before anything is given: of two browsers that bring it, one is answered.
        pushed.consume(
            provider,
            checked.request.connection,
            checked.incoming.kept,
            now=checked.request.now,
        )
    if agreed:
        consent_id = _agree(provider, checked, view)
    said = giving.give(provider, checked, view, consent_id=consent_id)
    return Answered(checked.channel.answer(said, tokens=provider.tokens, now=checked.request.now))


def _agree(provider: Provider, checked: CheckedRequest, view: SessionView) -> int:
    """She has just said yes: remembered before anything is given, so that whoever takes it back
    from now on finds both.
    """
    with provider.tools.db.write() as session:
        return consent.remember(
            session,
            user_id=view.user_id,
            client_id=checked.client.id,
            scopes=checked.needs_allowed,
            actor=view.actor(*client_address()),
            now=checked.request.now,
        )


def _anybody_may_be_it(checked: CheckedRequest) -> bool:
    """Whether another program on her machine could be asking: nothing proves a public native
    client, so that she is asked every time (RFC 8252 §8.6).
    """
    client = checked.client
    https = checked.channel.redirect_uri.startswith("https:")
    return client.public and client.kind == ClientKind.NATIVE and not https


def _sign_in_missing(
    provider: Provider, checked: CheckedRequest, view: SessionView | None, *, agreed: bool
) -> SignIn | TooWeak | None:
    """What comes of a session that may not answer the request; None of one that may."""
    demand = checked.demand
    met = view is not None and demand.met_by(view.acr)
    # Nobody is made to sign in for what no sign-in of today reaches.
    if met or demand.can_be_met(registry.reachable()):
        if view is None or (not agreed and _must_sign_in(provider, checked, view)):
            if "none" in checked.prompts:
                raise LoginRequiredError
            return _sign_in(provider, checked)
        if met:
            return None
    return _too_weak(provider, checked, view)


def _ask(provider: Provider, checked: CheckedRequest, view: SessionView) -> AskConsent:
    now = int(checked.request.now.timestamp())
    body = f"{view.id}.{now}.{_digest(checked)}"
    proof = signed_values.seal(provider.tools.keyring, "oidc-consent", body)
    scopes = [s for s in SCOPES if s in checked.consent_scopes]
    query = _again(provider, checked)
    uri, named = checked.channel.redirect_uri, checked.resources
    services = resources.shown(checked.request.connection, named, issuer=checked.channel.issuer)
    return AskConsent(checked.client, scopes, services, query, uri, proof)


def _proves(provider: Provider, checked: CheckedRequest, view: SessionView, proof: str) -> bool:
    """Whether this very request was shown to this very session, with all else in order, and
    not too long ago.
    """
    body = signed_values.unseal(provider.tools.keyring, "oidc-consent", proof)
    if body is None:
        return False
    session_id, shown_at, digest = body.split(".")
    age = checked.request.now - datetime.fromtimestamp(int(shown_at), UTC)
    return session_id == view.id and digest == _digest(checked) and age <= CONSENT_WAITS


def _digest(checked: CheckedRequest) -> str:
    said = checked.said + " " + " ".join(sorted(checked.needs_allowed))
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _must_sign_in(provider: Provider, checked: CheckedRequest, view: SessionView) -> bool:
    """Whether the session does not answer the request, unless it was made for it just now.

    Raises LoginRequiredError when it was, and she is not whom the client asks about.
    """
    names = provider.tokens.subjects
    other = not checked.may_be_about(names.subject(view.sub, checked.client.sector_salt))
    demand = checked.demand
    stale = demand.outlived(view.auth_time, checked.request.now)
    # A level that is wanted and not needed is no reason for an error (OIDC Core §3.1.2.1).
    needless = "none" in checked.prompts and demand.met_by(view.acr)
    weak = demand.worth_asking(view.acr, registry.reachable()) and not needless
    if not (other or demand.anew or stale or weak):
        return False
    flow = checked.incoming.flow
    if flow is None or not consume_completed(
        checked.request.connection,
        flow,
        view.id,
        return_to=f"{PATH}?{checked.incoming.query}&{FLOW}={flow}",
        now=checked.request.now,
    ):
        return True
    if other:
        raise LoginRequiredError
    return False


def _again(provider: Provider, checked: CheckedRequest) -> str:
    """The query by which a browser brings the same request again."""
    request = checked.request
    kept = incomings.remember(provider, request.connection, checked.incoming, now=request.now)
    return kept.query


def _sign_in(provider: Provider, checked: CheckedRequest) -> SignIn:
    request, query = checked.request, _again(provider, checked)
    passed = ("login_hint", "ui_locales")
    wanted: dict[str, Any] = {name: request.get(name) for name in passed if request.get(name)}
    wanted |= unwritten.demanding(checked.demand)
    wanted["form_origin"] = origin(checked.channel.redirect_uri)
    wanted["party"] = checked.client.shown(i18n.language())
    return SignIn(checked.client, f"{PATH}?{query}", wanted)


def sign_in_at(outcome: SignIn, *, keyring: Keyring, now: datetime, browser: str) -> str:
    """The name of the sign-in; it comes back naming itself, so that it answers this request once.
    Nothing is written: whoever knows a client may ask.
    """
    return unwritten.address_for(
        keyring,
        return_to=outcome.return_to,
        named=FLOW,
        client_id=outcome.client.id,
        request=outcome.request,
        browser=browser,
        now=now,
    )


def give_up(
    session: Session,
    name: str,
    *,
    keyring: Keyring,
    settings: Settings,
    now: datetime,
    browser: str,
) -> str | None:
    """Whoever was to sign in for a client would rather not: the sign-in is over. The query of the
    request it was for; None where this browser has no such sign-in under way.
    """
    if not is_text(name):
        return None
    try:
        flow = unwritten.load(session, keyring, name, browser=browser, now=now, settings=settings)
    except NotFound:
        return None
    if flow.client_id is None or not unwritten.give_up(
        session, flow, browser=browser, now=now, settings=settings
    ):
        return None
    return urlsplit(flow.return_to).query


def _not_entitled(provider: Provider, checked: CheckedRequest, *, quiet: bool) -> NotEntitled:
    error = AccessDeniedError("The person may not use this application in her present capacity.")
    if quiet:
        raise error
    back = checked.channel.refusal(error, tokens=provider.tokens, now=checked.request.now)
    return NotEntitled(checked.client, back)


def _too_weak(provider: Provider, checked: CheckedRequest, view: SessionView | None) -> TooWeak:
    """Raises Unmet where only the client itself wanted more, or no page may be shown."""
    demand = checked.demand
    ours = (
        demand.short_of(view.acr)
        if view is not None
        else not demand.within_reach(registry.reachable())
    )
    if "none" in checked.prompts or not ours:
        raise Unmet
    back = checked.channel.refusal(Unmet(), tokens=provider.tokens, now=checked.request.now)
    return TooWeak(checked.client, back)
