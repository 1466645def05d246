"""``dinhdanh client`` and ``dinhdanh keys``: relying parties and signing keys."""

import getpass

import click

from directory import entitlements
from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError
from idp import keys as signing
from idp.oidc import clients
from idp.oidc.clients import AuthMethod, GrantType, Kind, Registration, TokenFormat
from idp.wiring import Services, build


def _operator() -> Actor:
    return Actor.operator(getpass.getuser())


def _services() -> Services:
    return build(load_settings())


@click.group()
def client() -> None:
    """Ứng dụng đăng nhập qua OpenID Connect. / Relying parties and resource servers."""


@client.command("register")
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Exact; may be repeated.")
@click.option("--post-logout-redirect-uri", "post_logout", multiple=True)
@click.option("--backchannel-logout-uri", default=None)
@click.option("--application", default=None, help="Code of the application it belongs to.")
@click.option(
    "--grant",
    "grant_types",
    multiple=True,
    type=click.Choice([g.value for g in GrantType]),
    help="Default: authorization_code and refresh_token.",
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(clients.SCOPES)))
@click.option(
    "--auth-method",
    type=click.Choice([m.value for m in AuthMethod]),
    default=AuthMethod.BASIC.value,
    show_default=True,
)
@click.option("--native", is_flag=True, help="An application on people's own machines.")
@click.option("--first-party", is_flag=True, help="Ours: people are not asked for consent.")
@click.option("--resource-server", is_flag=True, help="May introspect its application's tokens.")
@click.option("--jwt", is_flag=True, help="JWT access tokens instead of opaque ones.")
@click.option(
    "--id-token-alg",
    type=click.Choice(list(signing.ALGORITHMS)),
    default="ES256",
    show_default=True,
)
def register(  # noqa: PLR0913 (one argument per option)
    *,
    name: str,
    redirect_uris: tuple[str, ...],
    post_logout: tuple[str, ...],
    backchannel_logout_uri: str | None,
    application: str | None,
    grant_types: tuple[str, ...],
    scopes: tuple[str, ...],
    auth_method: str,
    native: bool,
    first_party: bool,
    resource_server: bool,
    jwt: bool,
    id_token_alg: str,
) -> None:
    """Register a client called NAME; its id and secret are printed once."""
    has = _services()
    with has.db.write() as session:
        wanted = Registration(
            name=name,
            redirect_uris=redirect_uris,
            post_logout_redirect_uris=post_logout,
            backchannel_logout_uri=backchannel_logout_uri,
            application_id=(
                entitlements.application_by_code(session, application).id if application else None
            ),
            kind=Kind.NATIVE if native else Kind.WEB,
            auth_method=AuthMethod(auth_method),
            grant_types=tuple(GrantType(g) for g in grant_types)
            or (GrantType.CODE, GrantType.REFRESH),
            scopes=scopes or Registration(name="").scopes,
            id_token_alg=id_token_alg,
            access_token_format=TokenFormat.JWT if jwt else TokenFormat.OPAQUE,
            first_party=first_party,
            resource_server=resource_server,
        )
        try:
            made, secret = clients.register(
                session, wanted, keyring=has.keyring, actor=_operator(), now=has.clock()
            )
        except DinhdanhError as error:
            raise click.ClickException(error.text()) from error
    click.echo(f"client_id     {made.client_id}")
    if secret is not None:
        click.echo(f"client_secret {secret}")


@client.command("list")
def listed() -> None:
    """List all clients."""
    has = _services()
    with has.db.read() as session:
        for row in clients.all_clients(session):
            state = "enabled" if row.enabled else "disabled"
            click.echo(f"{row.client_id}\t{state}\t{row.auth_method}\t{row.name}")


@client.command("rotate")
@click.argument("client_id")
def rotate(client_id: str) -> None:
    """Give a client a new secret, printed once; the old one works for seven more days."""
    has = _services()
    with has.db.write() as session:
        try:
            secret = clients.rotate_secret(
                session,
                clients.get(session, client_id),
                keyring=has.keyring,
                actor=_operator(),
                now=has.clock(),
            )
        except DinhdanhError as error:
            raise click.ClickException(error.text()) from error
    click.echo(f"client_secret {secret}")


@client.command("disable")
@click.argument("client_id")
def disable(client_id: str) -> None:
    """Disable a client: nothing it holds works any more."""
    has = _services()
    with has.db.write() as session:
        try:
            found = clients.get(session, client_id)
        except DinhdanhError as error:
            raise click.ClickException(error.text()) from error
        clients.disable(session, found, actor=_operator(), now=has.clock())
    click.echo(f"{client_id} disabled")


@click.group()
def keys() -> None:
    """Khóa ký mã thông báo. / Keys that sign tokens."""


@keys.command("rotate")
@click.argument("alg", type=click.Choice(list(signing.ALGORITHMS)))
def rotate_key(alg: str) -> None:
    """Sign with the next key from now on; the old one stays published for a day."""
    has = _services()
    with has.db.write() as session:
        try:
            old, new = signing.rotate(session, has.keyring, has.clock(), alg=alg, actor=_operator())
        except DinhdanhError as error:
            raise click.ClickException(error.text()) from error
    click.echo(f"{old} → {new}")


commands: list[click.Command] = [client, keys]
