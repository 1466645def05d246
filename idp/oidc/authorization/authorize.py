"""What a request for authorization needs of a person: checks as well, but their answer may be a page.

session         nobody, too old, somebody else → sign-in, or login_required
assurance       weaker than it must be → sign-in, or refusal page, or
                unmet_authentication_requirements
entitlement     the capacity earns the application → refusal page, or access_denied
consent         remembered, or ours → page, or consent_required
code            one INSERT
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import AccessDeniedError, OAuth2Error
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy.orm import Session

from directory.base import signed_values
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import NotFound
from directory.base.storable import is_text
from idp import demands
from idp.assurance import Because
from idp.demands import Asked, Rules, Situation
from idp.factors import registry
from idp.login import unwritten
from idp.login.flow import consume_completed
from idp.oidc import entitlement, resources
from idp.oidc.authorization import consent, giving, pushed
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.incoming import FLOW, remember
from idp.oidc.authorization.outcomes import (
    Answered,
    AskConsent,
    NotEntitled,
    SignIn,
    TooWeak,
)
from idp.oidc.clients.kinds import SCOPES
from idp.oidc.clients.redirects import origin
from idp.sessions import SessionView
from idp.web import i18n

PATH = "/oauth2/authorize"
CONSENT_WAITS = timedelta(minutes=15)


class Unmet(OAuth2Error):  # type: ignore[misc]
    """OpenID Connect Unmet Authentication Requirements 1.0."""

    error = "unmet_authentication_requirements"


def just_agreed(checked: CheckedRequest) -> None:
    """Whether she has said yes on our page to this very request, with all else in order."""
    checked.agreed = checked.view is not None and _proves(checked, checked.view)


def signed_in(checked: CheckedRequest) -> SignIn | TooWeak | None:
    """Whom the client asks about is signed in, lately and strongly enough; else she is sent to sign
    in, or told that no sign-in would do.
    """
    if checked.view is None and checked.quiet:
        raise LoginRequiredError
    view = checked.view
    checked.demand = demand = checked.demand.also(demands.levels(_of_her(checked)))
    met = view is not None and demand.met_by(view.acr)
    # Nobody is made to sign in for what no sign-in of today reaches.
    if met or demand.can_be_met(registry.reachable(checked.provider.tools.db.remembered)):
        if view is None or (not checked.agreed and _must_sign_in(checked, view)):
            if checked.quiet:
                raise LoginRequiredError
            return _sign_in(checked)
        if met:
            return None
    return _too_weak(checked, view)


def _of_her(checked: CheckedRequest) -> tuple[Asked, ...]:
    """What the installation asks of her here, in the post she acts in; of whom, the sign-in finds out."""
    view = checked.view
    if view is None:
        return ()
    at = Situation(
        present=True,
        administers=view.administers,
        ip=checked.request.source[0],
        position=view.position_code or "",
        position_name=view.position_name or "",
    )
    return demands.of(Rules.of(checked.provider.tools.settings), at)


def entitled(checked: CheckedRequest) -> NotEntitled | None:
    """Her capacity earns the application. One SELECT, where that or her consent matters and was not
    read with the client.
    """
    provider, client, now = checked.provider, checked.client, checked.request.now
    checked.standing = None
    if not client.restricted and client.first_party and not checked.asks:
        return None
    view = _hers(checked)
    checked.standing = checked.stood or consent.standing(
        checked.request.connection,
        view.user_id,
        assignment_id=view.assignment_id,
        client_id=client.id,
    )
    about, day = checked.standing.capacity, local_day(now)
    if entitlement.entitled(provider.tools.db, client, about, on=day):
        return None
    error = AccessDeniedError("The person may not use this application in her present capacity.")
    if checked.quiet:
        raise error
    return NotEntitled(client, checked.channel.refusal(error, tokens=provider.tokens, now=now))


def consented(checked: CheckedRequest) -> AskConsent | None:
    """She has allowed it, now or before, or the client is ours; else she is asked."""
    standing = checked.standing
    if standing is None:
        return None
    known = checked.client.first_party or checked.needs_allowed <= standing.allowed
    if not checked.asks and (known or checked.agreed):
        return None
    if checked.quiet:
        raise ConsentRequiredError
    return _ask(checked, _hers(checked))


def request_used_up(checked: CheckedRequest) -> None:
    """What was pushed or signed, by the first of two browsers that bring it (RFC 9126 §4)."""
    if not giving.uses_up(checked):
        use_up(checked)


def use_up(checked: CheckedRequest) -> None:
    """The client is answered. One UPDATE or INSERT. Raises PageError for whoever comes second."""
    if checked.kept is not None:
        pushed.consume(
            checked.provider, checked.request.connection, checked.kept, now=checked.request.now
        )
        # What is refused from now on is still told to the client.
        checked.kept = None


def answered(checked: CheckedRequest) -> Answered:
    """What was asked for, once every check has passed. Raises OAuth2Error when what it rests on has
    ended meanwhile.
    """
    provider, view, standing = checked.provider, _hers(checked), checked.standing
    consent_id = None if standing is None or checked.client.first_party else standing.consent_id
    if checked.agreed:
        consent_id = _agree(checked, view)
    said = giving.give(provider, checked, view, consent_id=consent_id)
    return Answered(checked.channel.answer(said, tokens=provider.tokens, now=checked.request.now))


def _hers(checked: CheckedRequest) -> SessionView:
    """The session that answers. Raises LoginRequiredError."""
    if checked.view is None:
        raise LoginRequiredError
    return checked.view


def _agree(checked: CheckedRequest, view: SessionView) -> int:
    """She has just said yes: remembered before anything is given, so that whoever takes it back
    from now on finds both.
    """
    with checked.provider.tools.db.write() as session:
        return consent.remember(
            session,
            user_id=view.user_id,
            client_id=checked.client.id,
            scopes=checked.needs_allowed,
            actor=view.actor(*checked.request.source),
            now=checked.request.now,
        )


def _ask(checked: CheckedRequest, view: SessionView) -> AskConsent:
    now = int(checked.request.now.timestamp())
    body = f"{view.id}.{now}.{_digest(checked)}"
    proof = signed_values.seal(checked.provider.tools.keyring, "oidc-consent", body)
    scopes = [s for s in SCOPES if s in checked.consent_scopes]
    query = _again(checked)
    uri, named = checked.channel.redirect_uri, checked.resources
    services = resources.shown(checked.request.connection, named, issuer=checked.channel.issuer)
    return AskConsent(checked.client, scopes, services, query, uri, proof)


def _proves(checked: CheckedRequest, view: SessionView) -> bool:
    """Whether this very request was shown to this very session, with all else in order, and
    not too long ago.
    """
    keyring = checked.provider.tools.keyring
    body = signed_values.unseal(keyring, "oidc-consent", checked.consent_proof)
    if body is None:
        return False
    session_id, shown_at, digest = body.split(".")
    age = checked.request.now - datetime.fromtimestamp(int(shown_at), UTC)
    return session_id == view.id and digest == _digest(checked) and age <= CONSENT_WAITS


def _digest(checked: CheckedRequest) -> str:
    said = checked.said + " " + " ".join(sorted(checked.needs_allowed))
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _must_sign_in(checked: CheckedRequest, view: SessionView) -> bool:
    """Whether the session does not answer the request, unless it was made for it just now.

    Raises LoginRequiredError when it was, and she is not whom the client asks about.
    """
    names = checked.provider.tokens.subjects
    other = not checked.may_be_about(names.subject(view.sub, checked.client.sector_salt))
    demand = checked.demand
    stale = demand.outlived(view.asked_at, checked.request.now)
    # A level that is wanted and not needed is no reason for an error (OIDC Core §3.1.2.1).
    needless = checked.quiet and demand.met_by(view.acr)
    weak = (
        demand.worth_asking(view.acr, registry.reachable(checked.provider.tools.db.remembered))
        and not needless
    )
    if not (other or demand.anew or stale or weak):
        return False
    if checked.flow is None:
        return True
    if not checked.arrived and not consume_completed(
        checked.request.connection,
        checked.flow,
        view.id,
        return_to=f"{PATH}?{checked.query}&{FLOW}={checked.flow}",
        now=checked.request.now,
    ):
        return True
    if other:
        raise LoginRequiredError
    return False


def _again(checked: CheckedRequest) -> str:
    """The query by which a browser brings the same request again."""
    remember(checked)
    return checked.query


def _sign_in(checked: CheckedRequest) -> SignIn:
    request, query = checked.request, _again(checked)
    passed = ("login_hint", "ui_locales")
    wanted: dict[str, Any] = {name: request.get(name) for name in passed if request.get(name)}
    wanted |= unwritten.demanding(checked.demand)
    wanted["form_origin"] = origin(checked.channel.redirect_uri)
    wanted["party"] = checked.client.shown(i18n.language())
    asked = [*_of_her(checked), *_of_application(checked)]
    wanted |= {"asked": [one.stored for one in asked]} if asked else {}
    return SignIn(checked.client, f"{PATH}?{query}", wanted)


def _of_application(checked: CheckedRequest) -> list[Asked]:
    """What the application asks of the sign-in, for the page that says why."""
    name = checked.client.shown(i18n.language())["name"]
    minimum, settings = checked.client.options.minimum_acr, checked.provider.tools.settings
    at = Situation(client=name, minimum=minimum, scopes=sorted(checked.consent_scopes))
    found = list(demands.of(Rules.of(settings), at))
    if checked.demand.essential:
        found.append(Asked(checked.demand.essential[0], Because.APPLICATION, name))
    return found


def _too_weak(checked: CheckedRequest, view: SessionView | None) -> TooWeak:
    """Raises Unmet where only the client itself wanted more, or no page may be shown."""
    demand = checked.demand
    ours = (
        demand.short_of(view.acr)
        if view is not None
        else not demand.within_reach(registry.reachable(checked.provider.tools.db.remembered))
    )
    if checked.quiet or not ours:
        raise Unmet
    tokens, now = checked.provider.tokens, checked.request.now
    refusal = checked.channel.refusal(Unmet(), tokens=tokens, now=now)
    asked = [*_of_her(checked), *_of_application(checked)]
    have = view.acr if view is not None else ""
    return TooWeak(checked.client, refusal, demands.strongest(demands.short(asked, have)))


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
