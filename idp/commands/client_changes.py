"""``dinhdanh client set``, ``enable`` and ``snippet``: what the console's page of a client does."""

import getpass
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from directory import entitlements
from directory.base.audit import Actor
from directory.base.config import Settings, load_settings
from directory.base.errors import DinhdanhError, NotFound
from idp.console.client_forms import as_registered
from idp.console.snippets import SCOPES, Snippet, snippet
from idp.oidc import clients
from idp.oidc.clients import (
    PROBE,
    AuthMethod,
    Client,
    ClientKind,
    GrantType,
    Options,
    Profile,
    Registration,
    ResponseType,
    SubjectType,
    TokenFormat,
    documents,
    profiles,
)
from idp.oidc.clients.registration import vouched
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import error_text, gettext

SECRET = "<client_secret>"  # noqa: S105 (what stands where it belongs)
"""Secrets are printed once, when they are made; a snippet has this in its place."""


def operator() -> Actor:
    """Who runs the command."""
    return Actor.operator(getpass.getuser())


def services() -> Services:
    """The installation that the settings name."""
    return opened(load_settings())


@contextmanager
def explained() -> Iterator[None]:
    """What is refused, as one sentence that begins with the field."""
    try:
        yield
    except DinhdanhError as error:
        named = getattr(error, "field", "")
        raise click.ClickException(f"{named}: " * bool(named) + error_text(error)) from error


def require_answered(response_types: Iterable[str], settings: Settings) -> None:
    """Raises ClickException for response types that the installation has switched off."""
    off = set(response_types) - set(settings.response_types)
    if off:
        which = ", ".join(sorted(off))
        raise click.ClickException(gettext("Hệ thống đã tắt response_type {which}.", which=which))


# ---- NAME=VALUE --------------------------------------------------------------------------------

Reader = Callable[[str, list[str]], Any]


def _text(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise click.BadParameter(f"{name}: {len(values)}", param_hint="NAME=VALUE")
    return values[0].strip()


def _maybe(name: str, values: list[str]) -> str | None:
    return _text(name, values) or None


def _flag(name: str, values: list[str]) -> bool:
    found = {"true": True, "false": False}.get(_text(name, values))
    if found is None:
        raise documents.wrong(name, "Giá trị phải là true hoặc false.")
    return found


def _number(name: str, values: list[str]) -> int | None:
    text = _text(name, values)
    if text and not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise documents.wrong(name, "Giá trị phải là số nguyên.")
    return int(text) if text else None


def _several(name: str, values: list[str]) -> tuple[str, ...]:
    """Repeated, or with commas between; a comma may stand in an address, and parts two of them
    only where another scheme follows.
    """
    comma = r",(?=\s*[A-Za-z][A-Za-z0-9+.-]*:)" if name in _ADDRESSES else ","
    parts = (part.strip() for value in values for part in re.split(comma, value))
    return tuple(dict.fromkeys(part for part in parts if part))


def _scopes(name: str, values: list[str]) -> tuple[str, ...]:
    return tuple(scope for part in _several(name, values) for scope in part.split())


def _keys(name: str, values: list[str]) -> Any:
    file = _text(name, values)
    try:
        return documents.parse(Path(file).read_bytes()).values if file else None
    except OSError as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="NAME=VALUE") from error


def _one_of(known: type[StrEnum]) -> Reader:
    return lambda name, values: documents.member(name, _text(name, values), known)


def _some_of(known: type[StrEnum]) -> Reader:
    return lambda name, values: tuple(
        documents.member(name, v, known) for v in _several(name, values)
    )


_ADDRESSES = frozenset({"redirect_uris", "post_logout_redirect_uris", "request_uris", "resources"})
_COLUMNS: dict[str, Reader] = {
    "name": _text,
    "redirect_uris": _several,
    "post_logout_redirect_uris": _several,
    "backchannel_logout_uri": _maybe,
    "backchannel_logout_session_required": _flag,
    "kind": _one_of(ClientKind),
    "auth_method": _one_of(AuthMethod),
    "grant_types": _some_of(GrantType),
    "response_types": _some_of(ResponseType),
    "scopes": _scopes,
    "id_token_alg": _maybe,
    "access_token_format": _one_of(TokenFormat),
    "subject_type": _one_of(SubjectType),
    "first_party": _flag,
    "resource_server": _flag,
}
_BY_TYPE: dict[type, Reader] = {bool: _flag, tuple: _several, type(None): _maybe}
_OPTIONS: dict[str, Reader] = {
    each.name: _BY_TYPE[type(each.default)]
    for each in fields(Options)
    if type(each.default) in _BY_TYPE
} | {
    "jwks": _keys,
    "profile": _one_of(Profile),
    "default_max_age": _number,
    "minimum_eid_level": _number,
}
_OURS = {registered: ours for ours, registered in documents.NAMES.items()}
APPLICATION = "application"
NAMES = (*_COLUMNS, APPLICATION, *_OPTIONS)
"""What may be changed; the names of the registries do as well where ours differ."""


def _read(pairs: Iterable[str]) -> dict[str, Any]:
    """The values by our names. Raises BadParameter, and InvalidInput naming the field."""
    texts: dict[str, list[str]] = {}
    for pair in pairs:
        said, equals, value = pair.partition("=")
        name = _OURS.get(said, said)
        if name not in NAMES or not equals:
            raise click.BadParameter(pair, param_hint="NAME=VALUE")
        texts.setdefault(name, []).append(value)
    readers = _COLUMNS | _OPTIONS | {APPLICATION: _maybe}
    return {name: readers[name](name, values) for name, values in texts.items()}


def _changed(client: Client, said: Mapping[str, Any], application_id: int | None) -> Registration:
    """The client with what was said in place of what is registered. Raises NotFound for the
    installation's own.
    """
    if client.client_id == PROBE:
        raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
    held = as_registered(client)
    options = {name: value for name, value in said.items() if name in _OPTIONS}
    uri = "frontchannel_logout_uri"
    # As registering does: whoever is told of sign-outs is told whose, unless it is said otherwise.
    if uri in options and bool(options[uri]) != bool(held.options.frontchannel_logout_uri):
        options.setdefault("frontchannel_logout_session_required", bool(options[uri]))
    columns = {name: value for name, value in said.items() if name in _COLUMNS}
    if "auth_method" in columns:  # As registering does: who names one means that one.
        options.setdefault("pin_auth_method", True)
    if options.get("profile", Profile.STANDARD) is not Profile.STANDARD:
        usual = held.id_token_alg == profiles.USUAL_ELSEWHERE
        columns.setdefault("id_token_alg", None if usual else held.id_token_alg)
    if APPLICATION in said:
        columns["application_id"] = application_id
    return replace(held, **columns, options=replace(held.options, **options))


@click.command("set", epilog="NAME: " + ", ".join(NAMES))
@click.argument("client_id")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
def set_(client_id: str, pairs: tuple[str, ...]) -> None:
    """Change what a client is registered as; what is not named stays as it is.

    Lists are said whole, with commas or NAME=VALUE repeated. An empty value takes one away.
    ``jwks`` names a file, ``application`` the code of one. A new secret, where the client needs
    one it does not have, is printed once. A client that has registered itself (RFC 7592) manages
    itself no longer once it is changed here.
    """
    has = services()
    with explained():
        said = _read(pairs)
        require_answered(said.get("response_types", ()), has.settings)
        code = said.get(APPLICATION)
        with has.db.read() as session:
            owner = entitlements.application_by_code(session, code).id if code else None
            wanted = _changed(clients.get(session, client_id), said, owner)
        vouched(wanted, has.outbound)  # may call out, so before the transaction
        with has.db.write() as session:
            found = clients.held(session, client_id)
            secret = clients.replace(
                session,
                found,
                _changed(found, said, owner),  # from what it is now: nothing between is lost
                keyring=has.keyring,
                actor=operator(),
                now=has.clock(),
            )
    click.echo(f"{client_id} changed")
    if secret is not None:
        click.echo(f"client_secret {secret}")


# ---- the rest ----------------------------------------------------------------------------------


@click.command("enable")
@click.argument("client_id")
def enable(client_id: str) -> None:
    """Let a disabled client ask again; what it held before stays dead."""
    has = services()
    with explained(), has.db.write() as session:
        found = clients.held(session, client_id)
        clients.enable(session, found, actor=operator(), now=has.clock())
    click.echo(f"{client_id} enabled")


@click.command("snippet")
@click.argument("client_id")
@click.option("--kind", type=click.Choice([each.value for each in Snippet]), required=True)
@click.option("--redirect-uri", default=None, help="One that is registered; default: the first.")
def print_snippet(client_id: str, kind: str, redirect_uri: str | None) -> None:
    """Print a whole, small program that signs in as this client, its secret left to fill in."""
    has = services()
    with explained(), has.db.read() as session:
        found = clients.get(session, client_id)
        _require_fitting(found)
        if redirect_uri is not None and redirect_uri not in found.redirect_uris:
            raise documents.wrong(
                "redirect_uri", "Địa chỉ chuyển về của ứng dụng không đúng với đăng ký."
            )
        text = snippet(
            kind,
            issuer=has.settings.issuer,
            client_id=found.client_id,
            client_secret=SECRET,
            redirect_uri=redirect_uri or found.redirect_uris[0],
            post_logout_redirect_uri=next(iter(found.post_logout_redirect_uris), None),
            scopes=tuple(s for s in SCOPES if s in found.scopes) or ("openid",),
        )
    click.echo(text, nl=False)


def _require_fitting(client: Client) -> None:
    """Raises InvalidInput for a client that no snippet was made for."""
    wrong = {
        "auth_method": client.auth_method != AuthMethod.BASIC,
        "kind": client.kind != ClientKind.WEB,
        "grant_types": GrantType.CODE not in client.grant_types,
    }
    for name, is_so in wrong.items():
        if is_so:
            raise documents.wrong(
                name,
                "Đoạn mã mẫu chỉ dành cho ứng dụng web dùng authorization_code và "
                "client_secret_basic.",
            )


commands: list[click.Command] = [set_, enable, print_snippet]
