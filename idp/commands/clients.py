"""``dinhdanh client``: relying parties and resource servers."""

import json
from datetime import timedelta
from typing import Any

import click

from directory.entitlements import Application
from idp.commands import client_changes, client_fields
from idp.commands.client_changes import explained, operator, require_answered, services
from idp.oidc import clients
from idp.oidc.clients import documents, invites
from idp.oidc.clients.registration import vouched


@click.group()
def client() -> None:
    """Ứng dụng đăng nhập qua OpenID Connect. / Relying parties and resource servers."""


@client.command("register", cls=client_fields.WithFields)
@click.argument("name")
@click.option("--application", default=None, help="Code of the application it belongs to.")
@click.option(
    "--set",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Other metadata by its name; 'client set --help' lists the names.",
)
def register(name: str, application: str | None, pairs: tuple[str, ...], fields: Any) -> None:
    """Register a client called NAME; its id and secret are printed once."""
    has = services()
    with explained():
        if application:
            pairs = (*pairs, f"{client_fields.APPLICATION}={application}")
        said = client_fields.read_new(name, fields, pairs)
        require_answered(said.get("response_types", ()), has.settings)
        with has.db.read() as session:
            said = client_changes.with_application(session, said)
        wanted = vouched(client_fields.new(said), has.outbound)
        with has.db.write() as session:
            made, secret = clients.register(
                session, wanted, keyring=has.keyring, actor=operator(), now=has.clock()
            )
    click.echo(f"client_id     {made.client_id}")
    if secret is not None:
        click.echo(f"client_secret {secret}")


@client.command("list")
def listed() -> None:
    """List all clients."""
    has = services()
    with has.db.read() as session:
        for row in clients.all_clients(session):
            state = "enabled" if row.enabled else "disabled"
            click.echo(f"{row.client_id}\t{state}\t{row.auth_method}\t{row.name}")


@client.command("show")
@click.argument("client_id")
def show(client_id: str) -> None:
    """Print everything registered about a client, as JSON; no secret is among it."""
    has = services()
    with explained(), has.db.read() as session:
        found = clients.get(session, client_id)
        application = found.application_id and session.get(Application, found.application_id)
        said = documents.whole(found) | {
            "enabled": found.enabled,
            "application": application.code if application else None,
            "sector": found.sector,
            "secrets": [
                {"created_at": each["created_at"], "expires_at": each["expires_at"]}
                for each in found.secrets
            ],
            "manages_itself": found.registration_token is not None,
        }
    click.echo(json.dumps(said, indent=2, sort_keys=True))


@client.command("rotate")
@click.argument("client_id")
@click.option(
    "--overlap-days",
    type=click.IntRange(0, 365),
    default=clients.SECRET_OVERLAP.days,
    show_default=True,
    help="How long the old secret still works.",
)
def rotate(client_id: str, overlap_days: int) -> None:
    """Give a client a new secret, printed once; the old one works for some more days."""
    has = services()
    with explained(), has.db.write() as session:
        secret = clients.rotate_secret(
            session,
            clients.held(session, client_id),
            keyring=has.keyring,
            actor=operator(),
            now=has.clock(),
            overlap=timedelta(days=overlap_days),
        )
    click.echo(f"client_secret {secret}")


@client.command("retire-secrets")
@click.argument("client_id")
def retire_secrets(client_id: str) -> None:
    """End the overlap of a rotation: only the newest secret works from now on."""
    has = services()
    with explained(), has.db.write() as session:
        found = clients.held(session, client_id)
        gone = clients.retire_secrets(session, found, actor=operator(), now=has.clock())
    click.echo(f"{client_id}: {gone}")


@client.command("disable")
@click.argument("client_id")
def disable(client_id: str) -> None:
    """Disable a client: nothing it holds works any more."""
    has = services()
    with explained(), has.db.write() as session:
        found = clients.held(session, client_id)
        clients.disable(session, found, actor=operator(), now=has.clock())
    click.echo(f"{client_id} disabled")


@client.command("invite")
@click.option("--uses", default=1, show_default=True, help="How many clients may register by it.")
@click.option("--days", default=7, show_default=True, help="How long it may be used.")
@click.option("--note", default="", help="For whom; it is kept in the audit trail.")
def invite(uses: int, days: int, note: str) -> None:
    """Issue an initial access token for dynamic registration; it is printed once."""
    has = services()
    with explained(), has.db.write() as session:
        token = invites.issue(
            session,
            uses=uses,
            lifetime=timedelta(days=days),
            note=note,
            keyring=has.keyring,
            actor=operator(),
            now=has.clock(),
        )
    click.echo(f"initial_access_token {token}")


@client.command("invites")
def invited() -> None:
    """List the initial access tokens that can still be used."""
    has = services()
    with has.db.read() as session:
        for row in invites.standing(session, now=has.clock()):
            click.echo(f"{row.id}\t{row.uses_left}\t{row.expires_at:%Y-%m-%d %H:%M}\t{row.note}")


@client.command("uninvite")
@click.argument("invite_id", type=int)
def uninvite(invite_id: int) -> None:
    """Withdraw an initial access token; what was registered with it stays."""
    has = services()
    with explained(), has.db.write() as session:
        invites.withdraw(session, invite_id, actor=operator(), now=has.clock())
    click.echo(f"{invite_id} withdrawn")


for each in client_changes.commands:
    client.add_command(each)

commands: list[click.Command] = [client]
