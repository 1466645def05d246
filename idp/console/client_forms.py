"""What people type into the forms about clients → a registration.

The short form asks for a name, an application, what kind it is and one address; everything else
has a sensible value for that kind. What is not in a form stays what it was.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from urllib.parse import urlsplit

from werkzeug.datastructures import MultiDict

from directory.entitlements import Application
from idp.console.snippets import SCOPES, Snippet
from idp.oidc.clients import (
    API_SCOPES,
    IDENTITY_SCOPES,
    INTERCHANGEABLE,
    AuthMethod,
    Client,
    ClientKind,
    GrantType,
    Options,
    Registration,
    ResponseType,
    SubjectType,
    TokenFormat,
)
from idp.oidc.clients.redirects import origin

Form = MultiDict[str, str]
SOMEWHERE = "https://ung-dung.example"


class Use(StrEnum):
    """What kind of application is registered."""

    WEB = "web"
    FLASK = "flask"
    EXPRESS = "express"
    APACHE = "apache"
    NATIVE = "native"
    MACHINE = "machine"

    @property
    def snippets(self) -> Sequence[Snippet]:
        """The ready-made pieces for it."""
        if self is Use.WEB:
            return tuple(Snippet)
        return tuple(each for each in Snippet if each.value == self.value)


def use(form: Form) -> Use:
    """The chosen kind; a web application where nothing we know is chosen."""
    chosen = form.get("use", "")
    return Use(chosen) if chosen in set(Use) else Use.WEB


def usual_redirect(chosen: Use, application: Application | None) -> str:
    """The redirect URI that the form proposes."""
    known = application.launch_url if application is not None else None
    base = origin(known) if known and known.startswith("https://") else ""
    at_home = {Use.FLASK: "http://localhost:5000", Use.EXPRESS: "http://localhost:3000"}
    path = {Use.APACHE: "/oidc/callback", Use.NATIVE: "/callback"}.get(chosen, "/callback")
    if chosen is Use.MACHINE:
        return ""
    if chosen is Use.NATIVE:
        return "http://127.0.0.1" + path
    return (base or at_home.get(chosen, SOMEWHERE)) + path


def registration(form: Form) -> Registration:
    """What the form to register asks for; whether it may be had is judged elsewhere."""
    chosen = use(form)
    machine, native = chosen is Use.MACHINE, chosen is Use.NATIVE
    application = form.get("application_id", "")
    redirects = lines(form, "redirect_uris")
    after, behind = lines(form, "post_logout_redirect_uris"), _text(form, "backchannel_logout_uri")
    if not after and not native:
        after = _home_of(redirects)
    if behind is None and chosen is Use.APACHE and redirects:
        behind = redirects[0] + ("&" if "?" in redirects[0] else "?") + "logout=backchannel"
    return Registration(
        name=form.get("name", ""),
        application_id=int(application)
        if application.isdecimal() and len(application) < 16
        else None,
        kind=ClientKind.NATIVE if native else ClientKind.WEB,
        auth_method=AuthMethod.NONE if native else _method(form, AuthMethod.BASIC),
        grant_types=(GrantType.CLIENT,) if machine else (GrantType.CODE, GrantType.REFRESH),
        redirect_uris=redirects,
        post_logout_redirect_uris=after,
        backchannel_logout_uri=behind,
        scopes=tuple(form.getlist("scopes")) if "scopes" in form or machine else SCOPES,
        id_token_alg="ES256" if form.get("alg") == "ES256" else "RS256",
        access_token_format=TokenFormat.JWT if form.get("format") == "jwt" else TokenFormat.OPAQUE,
        first_party=form.get("first_party") == "yes",
        resource_server=form.get("resource_server") == "yes",
        options=_heard(Options(), form, AuthMethod.NONE if native else AuthMethod.BASIC),
    )


def as_registered(client: Client) -> Registration:
    """What a client is registered as."""
    return Registration(
        name=client.name,
        redirect_uris=tuple(client.redirect_uris),
        post_logout_redirect_uris=tuple(client.post_logout_redirect_uris),
        backchannel_logout_uri=client.backchannel_logout_uri,
        application_id=client.application_id,
        kind=ClientKind(client.kind),
        auth_method=AuthMethod(client.auth_method),
        grant_types=tuple(GrantType(g) for g in client.grant_types),
        scopes=tuple(client.scopes),
        id_token_alg=client.id_token_alg,
        access_token_format=TokenFormat(client.access_token_format),
        first_party=client.first_party,
        resource_server=client.resource_server,
        backchannel_logout_session_required=client.backchannel_logout_session_required,
        introspect_all=client.introspect_all,
        response_types=tuple(ResponseType(t) for t in client.response_types),
        subject_type=SubjectType(client.subject_type),
        options=Options.of(client.options),
    )


def edited(client: Client, form: Form) -> Registration:
    """The client with what the form says in place of what is registered. Scopes of our own API
    and everything else an administrator alone decides stay as they are.
    """
    held = as_registered(client)
    chosen = {s for s in form.getlist("scopes") if s in IDENTITY_SCOPES}
    kept = [s for s in held.scopes if s in API_SCOPES]
    return replace(
        held,
        name=form.get("name", ""),
        redirect_uris=lines(form, "redirect_uris"),
        post_logout_redirect_uris=lines(form, "post_logout_redirect_uris"),
        backchannel_logout_uri=_text(form, "backchannel_logout_uri"),
        auth_method=_method(form, held.auth_method),
        id_token_alg=form.get("alg", held.id_token_alg),
        scopes=(*(s for s in IDENTITY_SCOPES if s in chosen), *kept),
        options=_heard(held.options, form, held.auth_method),
    )


ANY_WAY = "client_secret"
"""Of the form: the secret counts in the header and in the body alike."""


def _method(form: Form, held: AuthMethod) -> AuthMethod:
    """The method chosen, of a client whose secret is presented; that of any other stays."""
    chosen = form.get("auth_method", "")
    if held not in INTERCHANGEABLE or chosen not in {*INTERCHANGEABLE}:
        return held
    return AuthMethod(chosen)


def _heard(options: Options, form: Form, held: AuthMethod) -> Options:
    uri = _text(form, "frontchannel_logout_uri")
    wants_sid = uri is not None and form.get("frontchannel_logout_session_required") == "yes"
    heard = replace(
        options,
        frontchannel_logout_uri=uri,
        frontchannel_logout_session_required=wants_sid,
    )
    # An empty box is not sent at all: which boxes there were, the form says beside them.
    boxes = form.get("boxes", "").split()
    if "id_token_scope_claims" in boxes:
        told = form.get("id_token_scope_claims") == "yes"
        heard = replace(heard, id_token_scope_claims=told)
    # Whoever keeps no secret must use it, and a profile knows better than a form.
    if "no_pkce" in boxes and held is not AuthMethod.NONE and not options.profile.fapi:
        heard = replace(heard, require_pkce=form.get("no_pkce") != "yes")
    chosen = form.get("auth_method", "")
    if held in INTERCHANGEABLE and chosen in {ANY_WAY, *INTERCHANGEABLE}:
        heard = replace(heard, pin_auth_method=chosen != ANY_WAY)
    return heard


def lines(form: Form, name: str) -> tuple[str, ...]:
    """The non-empty lines of a field."""
    return tuple(line.strip() for line in form.get(name, "").splitlines() if line.strip())


def _text(form: Form, name: str) -> str | None:
    return form.get(name, "").strip() or None


def _home_of(redirects: Sequence[str]) -> tuple[str, ...]:
    """Where people end after signing out, unless something else is said: the root page."""
    web = [uri for uri in redirects if urlsplit(uri).scheme in ("http", "https")]
    return tuple(dict.fromkeys(origin(uri) + "/" for uri in web))
