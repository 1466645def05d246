"""``dinhdanh client set``, ``enable`` and ``snippet``: what the console's page of a client does."""

import getpass
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.orm import Session

from directory import entitlements
from directory.base.audit import Actor
from directory.base.config import Settings, load_settings
from directory.base.errors import DinhdanhError, NotFound
from idp.commands import client_fields
from idp.console.snippets import SCOPES, Snippet, snippet
from idp.oidc import clients
from idp.oidc.clients import PROBE, AuthMethod, Client, ClientKind, GrantType, Registration
from idp.oidc.clients.registration import vouched
from idp.oidc.clients.sorts import wrong
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


class _Set(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The names there are."""
        formatter.write_paragraph()
        formatter.write_text("NAME: " + client_fields.names())


def with_application(session: Session, said: Mapping[str, Any]) -> dict[str, Any]:
    """The application by its id, if one is named, or none. Raises NotFound."""
    values = dict(said)
    if client_fields.APPLICATION in values:
        code = values.pop(client_fields.APPLICATION)
        found = entitlements.application_by_code(session, code) if code else None
        values["application_id"] = found.id if found else None
    return values


def _changed(found: Client, said: Mapping[str, Any]) -> Registration:
    """Raises NotFound for the installation's own client."""
    if found.client_id == PROBE:
        raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
    return client_fields.changed(Registration.of(found), said)


@click.command("set", cls=_Set)
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
        said = client_fields.read_pairs(pairs)
        require_answered(said.get("response_types", ()), has.settings)
        with has.db.read() as session:
            said = with_application(session, said)
            wanted = _changed(clients.get(session, client_id), said)
        vouched(wanted, has.outbound)  # may call out, so before the transaction
        with has.db.write() as session:
            found = clients.held(session, client_id)
            secret = clients.replace(
                session,
                found,
                _changed(found, said),  # from what it is now: nothing between is lost
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
            raise wrong("redirect_uri", "Địa chỉ chuyển về của ứng dụng không đúng với đăng ký.")
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
    unfit = {
        "auth_method": client.auth_method != AuthMethod.BASIC,
        "kind": client.kind != ClientKind.WEB,
        "grant_types": GrantType.CODE not in client.grant_types,
    }
    for name, is_so in unfit.items():
        if is_so:
            raise wrong(
                name,
                "Đoạn mã mẫu chỉ dành cho ứng dụng web dùng authorization_code và "
                "client_secret_basic.",
            )


commands: list[click.Command] = [set_, enable, print_snippet]
