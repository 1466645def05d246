"""``dinhdanh client``: relying parties and resource servers."""

import json
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

import click

from directory import entitlements
from idp.assurance import Level
from idp.commands import client_changes
from idp.commands.client_changes import explained, operator, require_answered, services
from idp.oidc import clients
from idp.oidc import signing_keys as signing
from idp.oidc.clients import (
    AuthMethod,
    ClientKind,
    GrantType,
    Options,
    Profile,
    Registration,
    ResponseType,
    SubjectType,
    TokenFormat,
    documents,
    invites,
    sectors,
)

ELSEWHERE = {"jwks_uri", "sector_identifier_uri", "frontchannel_logout_uri"}
"""Texts with an option of their own."""
SETTABLE = tuple(name for name in documents.TEXTS if name not in ELSEWHERE)
"""Texts that ``--set`` takes by the names of the registries."""


def _choice(known: type[StrEnum]) -> click.Choice[str]:
    return click.Choice([each.value for each in known])


@click.group()
def client() -> None:
    """Ứng dụng đăng nhập qua OpenID Connect. / Relying parties and resource servers."""


@client.command("register")
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Exact; may be repeated.")
@click.option("--post-logout-redirect-uri", "post_logout", multiple=True)
@click.option("--backchannel-logout-uri", default=None)
@click.option("--frontchannel-logout-uri", default=None)
@click.option("--application", default=None, help="Code of the application it belongs to.")
@click.option(
    "--grant",
    "grant_types",
    multiple=True,
    type=_choice(GrantType),
    help="Default: authorization_code and refresh_token.",
)
@click.option(
    "--response-type",
    "response_types",
    multiple=True,
    type=_choice(ResponseType),
    help="Default: code.",
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice(list(clients.SCOPES)))
@click.option(
    "--auth-method",
    type=_choice(AuthMethod),
    default=None,
    help="The only way it may prove who it is. Default: client_secret_basic or _post.",
)
@click.option("--jwks", "jwks_file", type=click.File("rb"), help="File with its public keys.")
@click.option("--jwks-uri", default=None, help="Where it publishes its public keys.")
@click.option(
    "--profile",
    type=_choice(Profile),
    default=Profile.STANDARD.value,
    show_default=True,
    help="Switches on what the profile needs and refuses what it forbids.",
)
@click.option("--dpop", is_flag=True, help="Its tokens are bound to a DPoP key.")
@click.option("--mtls-bound", is_flag=True, help="Its tokens are bound to its certificate.")
@click.option("--par", is_flag=True, help="It must push its authorization requests.")
@click.option("--signed-requests", is_flag=True, help="It must sign its authorization requests.")
@click.option("--no-pkce", is_flag=True, help="It keeps a secret and need not use PKCE.")
@click.option(
    "--id-token-scope-claims",
    is_flag=True,
    help="The ID token tells what its scopes give: for those that never ask userinfo.",
)
@click.option("--pairwise", is_flag=True, help="It is told a name of its own for each person.")
@click.option("--sector-identifier-uri", default=None, help="Lists the redirect URIs of a sector.")
@click.option("--resource", "resources", multiple=True, help="It may ask tokens for (RFC 8707).")
@click.option("--minimum-acr", type=_choice(Level), default=None)
@click.option("--minimum-eid-level", type=click.IntRange(1, 2), default=None)
@click.option("--request-uri", "request_uris", multiple=True)
@click.option("--native", is_flag=True, help="An application on people's own machines.")
@click.option("--first-party", is_flag=True, help="Ours: people are not asked for consent.")
@click.option("--resource-server", is_flag=True, help="May introspect its application's tokens.")
@click.option("--jwt", is_flag=True, help="JWT access tokens instead of opaque ones.")
@click.option(
    "--id-token-alg",
    type=click.Choice(list(signing.ALGORITHMS)),
    default=None,
    help="Default: RS256, which every library checks; ES256 where the profile wants it.",
)
@click.option(
    "--set",
    "others",
    multiple=True,
    metavar="NAME=VALUE",
    help="Other metadata by its registered name: " + ", ".join(SETTABLE),
)
def register(**given: Any) -> None:
    """Register a client called NAME; its id and secret are printed once."""
    has = services()
    with explained():
        options = _options(given)
        require_answered(given["response_types"], has.settings)
        wanted = _wanted(given, options)
        if options.sector_identifier_uri is not None:
            sectors.require_vouched(
                has.outbound, options.sector_identifier_uri, wanted.redirect_uris
            )
        with has.db.write() as session:
            code = given["application"]
            if code:
                application = entitlements.application_by_code(session, code)
                wanted = replace(wanted, application_id=application.id)
            made, secret = clients.register(
                session, wanted, keyring=has.keyring, actor=operator(), now=has.clock()
            )
    click.echo(f"client_id     {made.client_id}")
    if secret is not None:
        click.echo(f"client_secret {secret}")


def _wanted(given: dict[str, Any], options: Options) -> Registration:
    """What the options of the command ask for, the application left out."""
    response_types = tuple(ResponseType(t) for t in given["response_types"])
    by_code = not response_types or any("code" in t.words for t in response_types)
    usual = (GrantType.CODE, GrantType.REFRESH) if by_code else (GrantType.IMPLICIT,)
    return Registration(
        name=given["name"],
        redirect_uris=given["redirect_uris"],
        post_logout_redirect_uris=given["post_logout"],
        backchannel_logout_uri=given["backchannel_logout_uri"],
        kind=ClientKind.NATIVE if given["native"] else ClientKind.WEB,
        auth_method=AuthMethod(given["auth_method"] or AuthMethod.BASIC),
        grant_types=tuple(GrantType(g) for g in given["grant_types"]) or usual,
        response_types=response_types or None,
        scopes=given["scopes"] or Registration(name="").scopes,
        id_token_alg=given["id_token_alg"],
        access_token_format=TokenFormat.JWT if given["jwt"] else TokenFormat.OPAQUE,
        subject_type=SubjectType.PAIRWISE if given["pairwise"] else SubjectType.PUBLIC,
        first_party=given["first_party"],
        resource_server=given["resource_server"],
        options=options,
    )


def _options(given: dict[str, Any]) -> Options:
    others: dict[str, Any] = {}
    for text in given["others"]:
        name, equals, value = text.partition("=")
        if name not in SETTABLE or not equals:
            raise click.BadParameter(text, param_hint="--set")
        others[name] = value
    file = given["jwks_file"]
    return Options(
        **others,
        jwks=documents.parse(file.read()).values if file else None,
        jwks_uri=given["jwks_uri"],
        tls_client_certificate_bound_access_tokens=given["mtls_bound"],
        dpop_bound_access_tokens=given["dpop"],
        require_pushed_authorization_requests=given["par"],
        require_signed_request_object=given["signed_requests"],
        request_uris=given["request_uris"],
        sector_identifier_uri=given["sector_identifier_uri"],
        frontchannel_logout_uri=given["frontchannel_logout_uri"],
        frontchannel_logout_session_required=given["frontchannel_logout_uri"] is not None,
        profile=Profile(given["profile"]),
        require_pkce=not given["no_pkce"],
        pin_auth_method=given["auth_method"] is not None,
        id_token_scope_claims=given["id_token_scope_claims"],
        minimum_acr=given["minimum_acr"],
        minimum_eid_level=given["minimum_eid_level"],
        resources=given["resources"],
    )


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
        options = Options.of(found.options)
        said = documents.told(found) | {
            "enabled": found.enabled,
            "first_party": found.first_party,
            "resource_server": found.resource_server,
            "access_token_format": found.access_token_format,
            "sector": found.sector,
            "require_pkce": options.require_pkce,
            "pin_auth_method": options.pin_auth_method,
            "id_token_scope_claims": options.id_token_scope_claims,
            "minimum_acr": options.minimum_acr,
            "minimum_eid_level": options.minimum_eid_level,
            "resources": list(options.resources),
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
