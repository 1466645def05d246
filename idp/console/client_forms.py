"""The forms about clients, made from the fields of their metadata, and a client's page.

The short form asks for a name, an application, what kind it is and one address; everything else
has a sensible value for that kind. What is not in a form stays what it was. What a form asks for,
and of which clients, the fields say (``fields.InConsole``); of the form alone are the three that
mean more than themselves: method, scopes, PKCE.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
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
    Profile,
    Registration,
    sorts,
)
from idp.oidc.clients.fields import Field, InConsole
from idp.oidc.clients.redirects import origin
from idp.oidc.clients.sorts import Input
from idp.web.i18n import gettext

Form = MultiDict[str, str]
SOMEWHERE = "https://ung-dung.example"
ANY_WAY = "client_secret"
"""Of the form: the secret counts in the header and in the body alike."""


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


# ---- what is asked -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One field as a form shows it."""

    field: str
    name: str
    """The input's."""
    asks: InConsole
    input: Input
    required: bool
    text: str
    """Of a tick "yes" or nothing."""
    ticked: Sequence[str]
    """Of boxes: those ticked."""
    choices: dict[str, str]
    """Of a choice and of boxes: text → words."""


def _asked(client: Registration, *, new: bool, wide: bool) -> list[tuple[Field[Any], InConsole]]:
    """What a form asks about such a client, in its order; ``wide``: whoever looks after the whole
    installation.
    """
    fields = [(each, each.console) for each in Registration.every_field().values()]
    found = [
        (each, asks)
        for each, asks in fields
        if asks is not None
        and asks.label
        and (new or not asks.only_new)
        and (wide or not asks.wide)
        and asks.when(client)
        and (each is not Registration.scopes or _offered(client, new=new, wide=wide))
    ]
    return sorted(found, key=lambda one: one[1].order)


def entries(client: Registration, typed: Form | None, *, new: bool, wide: bool) -> list[Entry]:
    """The fields of a form, as they were typed, or as the client has them."""
    found = []
    for each, asks in _asked(client, new=new, wide=wide):
        name, known, held = asks.input or each.name, each.chosen_from, _held(client, each, asks)
        if each is Registration.scopes:
            known = [*_offered(client, new=new, wide=wide)]
        elif known and each.unsaid is None and not each.usual:
            known = ["", *known]
        found.append(
            Entry(
                field=each.name,
                name=name,
                asks=asks,
                input=Input.CHOICE if known and each.sort.input is Input.TEXT else each.sort.input,
                required=each.sort is sorts.LINE,
                text="\n".join(held) if typed is None else typed.get(name, ""),
                ticked=held if typed is None else typed.getlist(name),
                choices=dict(zip(known, known, strict=True))
                | {code: gettext(words) for code, words in asks.words.items()},
            )
        )
    return found


def _held(client: Registration, each: Field[Any], asks: InConsole) -> list[str]:
    """The client's value, as a form has it."""
    if each is Registration.auth_method and not client.options.pin_auth_method:
        return [ANY_WAY]
    if each.sort.input is Input.TICK:
        return ["yes"] if client.value(each) != asks.denies else []
    return each.texts(client.value(each))


def _offered(client: Registration, *, new: bool, wide: bool) -> tuple[str, ...]:
    """The scopes to choose among."""
    about_people = IDENTITY_SCOPES if GrantType.CODE in client.grant_types else ()
    return about_people + (API_SCOPES if new and wide else ())


# ---- what was typed ----------------------------------------------------------------------------


def begun(chosen: Use, application: Application | None) -> Registration:
    """What the form to register begins with."""
    machine, native = chosen is Use.MACHINE, chosen is Use.NATIVE
    proposed = usual_redirect(chosen, application)
    return Registration(
        name=application.name if application is not None else "",
        redirect_uris=(proposed,) if proposed else (),
        kind=ClientKind.NATIVE if native else ClientKind.WEB,
        auth_method=AuthMethod.NONE if native else AuthMethod.BASIC,
        grant_types=(GrantType.CLIENT,) if machine else (GrantType.CODE, GrantType.REFRESH),
        scopes=() if machine else SCOPES,
        id_token_alg=Registration.id_token_alg.usual[Profile.STANDARD],
    )


def registration(form: Form) -> Registration:
    """What the form to register asks for; whether it may be had is judged elsewhere."""
    chosen = use(form)
    empty = begun(chosen, None).but(redirect_uris=())
    wanted = _heard(empty, form, new=True)
    application = form.get("application_id", "")
    known = application.isdecimal() and len(application) < 16
    redirects, behind = wanted.redirect_uris, wanted.backchannel_logout_uri
    if behind is None and chosen is Use.APACHE and redirects:
        behind = redirects[0] + ("&" if "?" in redirects[0] else "?") + "logout=backchannel"
    after = wanted.post_logout_redirect_uris
    return wanted.but(
        application_id=int(application) if known else None,
        backchannel_logout_uri=behind,
        post_logout_redirect_uris=after or (() if chosen is Use.NATIVE else _home_of(redirects)),
    )


def edited(client: Client, form: Form) -> Registration:
    """The client with what the form says in place of what is registered. Scopes of our own API
    and everything else an administrator alone decides stay as they are.
    """
    return _heard(Registration.of(client), form, new=False)


def _heard(client: Registration, form: Form, *, new: bool) -> Registration:
    # An empty box is not sent at all: which boxes there were, the form says beside them.
    boxes = form.get("boxes", "").split()
    said: dict[str, Any] = {}
    for each, asks in _asked(client, new=new, wide=True):
        name = asks.input or each.name
        if each is Registration.auth_method:
            said |= _method(form)
        elif each is Registration.scopes:
            said["scopes"] = _scopes(client, form, new=new)
        elif each.sort.input is Input.TICK:
            if name in form or name in boxes:
                said[each.name] = (form.get(name) == "yes") != asks.denies
        elif name in form:
            lines_of = each.sort.input is Input.LINES
            typed = lines(form, name) if lines_of else (form[name],)
            said[each.name] = each.sort.typed(each.name, typed)
    wanted = client.saying(said)
    if wanted.options.frontchannel_logout_uri is None:
        return wanted.saying({Options.frontchannel_logout_session_required.name: False})
    return wanted


def _method(form: Form) -> dict[str, Any]:
    """The way in which the secret is presented, or either way."""
    chosen = form.get("auth_method", "")
    if chosen == ANY_WAY:
        return {"pin_auth_method": False}
    if chosen in {*INTERCHANGEABLE}:
        return {"auth_method": AuthMethod(chosen), "pin_auth_method": True}
    return {}


def _scopes(client: Registration, form: Form, *, new: bool) -> tuple[str, ...]:
    chosen = form.getlist("scopes")
    if new:
        return tuple(chosen) if "scopes" in form else client.scopes
    kept = [s for s in client.scopes if s in API_SCOPES]
    return (*(s for s in IDENTITY_SCOPES if s in chosen), *kept)


def lines(form: Form, name: str) -> tuple[str, ...]:
    """The non-empty lines of a field."""
    return tuple(line.strip() for line in form.get(name, "").splitlines() if line.strip())


def _home_of(redirects: Sequence[str]) -> tuple[str, ...]:
    """Where people end after signing out, unless something else is said: the root page."""
    web = [uri for uri in redirects if urlsplit(uri).scheme in ("http", "https")]
    return tuple(dict.fromkeys(origin(uri) + "/" for uri in web))


# ---- the client's page -------------------------------------------------------------------------


@dataclass(frozen=True)
class Fact:
    """One line of a client's page."""

    label: str
    values: Sequence[str]
    plain: bool
    """Words, not what stands in a protocol."""


def facts(client: Registration) -> list[Fact]:
    """What its page says of a client's metadata."""
    fields = [(each, each.console) for each, _ in client.every()]
    told = [(each, asks) for each, asks in fields if asks is not None and asks.fact]
    told.sort(key=lambda one: one[1].order)
    found = [
        Fact(
            asks.fact,
            _words(client, each, asks),
            plain=each is not Registration.auth_method
            and (bool(asks.words) or each.sort is sorts.FLAG),
        )
        for each, asks in told
    ]
    return [fact for fact in found if fact.values]


def _words(client: Registration, each: Field[Any], asks: InConsole) -> list[str]:
    texts = each.texts(client.value(each))
    if each is Registration.auth_method:
        either = not client.options.pin_auth_method and client.auth_method in INTERCHANGEABLE
        return [", ".join(sorted(INTERCHANGEABLE))] if either else texts
    if each is Options.require_pkce and not client.redirect_uris:
        return []
    if each is Options.require_pkce and client.auth_method is AuthMethod.NONE:
        texts = ["true"]
    words = {"true": "Có", "false": "Không"} | dict(asks.words)
    said = [gettext(words[text]) if text in words else text for text in texts]
    return [" ".join(said)] if each.chosen_from and said else said
