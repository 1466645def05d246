"""``dinhdanh keys list | rotate | withdraw``: the keys that sign tokens."""

import getpass
from datetime import timedelta

import click

from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError
from idp.oidc import signing_keys as signing
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import error_text


def _services() -> Services:
    return opened(load_settings())


@click.group()
def keys() -> None:
    """Khóa ký mã thông báo. / Keys that sign tokens."""


@keys.command("list")
def listed() -> None:
    """List every published key: algorithm, state, key id, since when, until when."""
    has = _services()
    with has.db.read() as session:
        for row in signing.published(session, has.clock()):
            until = row.retire_at.isoformat(timespec="seconds") if row.retire_at else "-"
            since = row.created_at.isoformat(timespec="seconds")
            click.echo(f"{row.alg}\t{row.state}\t{row.kid}\t{since}\t{until}")


@keys.command("rotate")
@click.argument("alg", type=click.Choice(list(signing.ALGORITHMS)))
@click.option(
    "--at-once",
    is_flag=True,
    help="For a key that has leaked: do not wait, and trust nothing it has signed any more.",
)
def rotate(alg: str, *, at_once: bool) -> None:
    """Sign with the next key from now on; the old one stays published until what it signed has
    run out.
    """
    has = _services()
    with has.db.write() as session:
        try:
            old, new = signing.rotate(
                session,
                has.keyring,
                has.clock(),
                alg=alg,
                actor=Actor.operator(getpass.getuser()),
                overlap=timedelta(0) if at_once else signing.overlap(has.settings),
                announced=timedelta(0) if at_once else signing.ANNOUNCED,
            )
        except DinhdanhError as error:
            raise click.ClickException(error.text()) from error
    click.echo(f"{old} → {new}")


# The id of a key that an earlier release made may begin with a hyphen: here it is no option.
@keys.command("withdraw", context_settings={"ignore_unknown_options": True})
@click.argument("kid")
def withdraw(kid: str) -> None:
    """Publish a key no longer, whichever it is: nothing it has signed is trusted from now on.

    For a key that has leaked. Where it signs, the next one does at once; whoever has not heard of
    a new next key learns of it within minutes.
    """
    has = _services()
    with has.db.write() as session:
        try:
            heir = signing.withdraw(
                session, has.keyring, has.clock(), kid=kid, actor=Actor.operator(getpass.getuser())
            )
        except DinhdanhError as error:
            raise click.ClickException(error_text(error)) from error
    click.echo(f"{kid} withdrawn" + (f"; {heir} signs" if heir else ""))


commands: list[click.Command] = [keys]
