"""``dinhdanh eid``: the upstreams that vouch for who somebody is (VNeID and other providers)."""

import getpass
from pathlib import Path
from typing import Any

import click

from connectors import notices
from connectors.eid import upstreams
from connectors.eid.calling import Calls
from connectors.eid.documents import endpoint, metadata
from connectors.eid.profiles import PROFILES
from connectors.eid.refusals import EidRefused
from connectors.eid.upstreams import Upstream
from connectors.notices import Notice
from directory import eid_links, people
from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError, InvalidInput
from idp.factors import enrolled
from idp.factors.second_factors import EID
from idp.oidc import logout
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import error_text, gettext

_LEVELS = click.Choice([f"urn:vn:aal:{n}" for n in (1, 2, 3, 4)])


class _Commands(click.Group):
    """Shows our own errors as a sentence instead of a trace."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except EidRefused as exc:
            said = error_text(exc) + (f" ({exc.detail})" if exc.detail else "")
            raise click.ClickException(said) from exc
        except DinhdanhError as exc:
            raise click.ClickException(error_text(exc)) from exc


@click.group("eid", cls=_Commands)
def eid() -> None:
    """Nơi xác thực định danh điện tử. / Upstream providers of electronic identities."""


def _services() -> Services:
    return opened(load_settings())


def _operator() -> Actor:
    return Actor.operator(getpass.getuser())


@eid.command("add")
@click.argument("name")
@click.option("--profile", type=click.Choice(sorted(PROFILES)), required=True)
@click.option("--issuer", required=True, help="Its issuer; of other profiles the base address.")
@click.option("--title", help="What people call it; the name by default.")
@click.option("--client-id", required=True, help="Who we are there.")
@click.option(
    "--secret-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Our secret there: the file's first line.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Our private RSA key (PEM) that its answers are encrypted to.",
)
@click.option("--ceiling", type=_LEVELS, help="What no sign-in there is taken to exceed. [aal:2]")
@click.option(
    "--assume",
    type=_LEVELS,
    help="What a sign-in there is believed to be where nothing signed says so: an ASSUMPTION of"
    " yours. [standard aal:1, others aal:2]",
)
@click.option("--acr", multiple=True, metavar="THEIRS=OURS", help="What its signed acr stands for.")
@click.option(
    "--claim",
    multiple=True,
    metavar="OURS=THEIRS",
    help="number, full_name, birth_date, level, kind",
)
@click.option(
    "--endpoint",
    multiple=True,
    metavar="NAME=URL",
    help="authorization, token, userinfo, jwks, end_session",
)
@click.option("--scope", multiple=True, help="In place of the profile's own.")
@click.option("--algorithm", multiple=True, help="By which it may sign: RS256, ES256, PS256.")
@click.option("--auth", type=click.Choice(["client_secret_basic", "client_secret_post"]))
@click.option("--acr-values", help="What is always asked for.")
@click.option("--id-token-issuer", help="iss of its ID tokens, where that is not its issuer.")
@click.option("--no-id-token", is_flag=True, help="dvcqg: believe userinfo without an ID token.")
@click.option(
    "--not-anew", is_flag=True, help="standard: let people in by the session they have there."
)
@click.option(
    "--asks-anew",
    is_flag=True,
    help="It asks everybody every time, though it cannot say so: an ASSUMPTION of yours.",
)
@click.option("--untested", is_flag=True, help="Do not look whether it can be spoken to.")
def add(name: str, **given: Any) -> None:
    """Let an upstream vouch for people from now on."""
    has = _services()
    secret, key = given["secret_file"], given["key_file"]
    row = upstreams.made(
        has.keyring,
        name=name,
        title=given["title"] or name,
        profile=given["profile"],
        issuer=given["issuer"],
        said=_said(given),
        secret=secret.read_text("utf-8").split("\n")[0].strip() if secret else None,
        key=key.read_bytes() if key else None,
        now=has.clock(),
    )
    if not given["untested"]:
        _look(has, row)
    with has.db.write() as session:
        upstreams.add(session, row, actor=_operator())
        click.echo(_line(has, row))


def _said(given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, as settings. Raises InvalidInput."""
    plain = ("client_id", "ceiling", "assume", "auth", "acr_values", "id_token_issuer")
    said = {name: given[name] for name in plain if given[name] is not None}
    pairs = {"acr": "acr", "claim": "claims", "endpoint": "endpoints"}
    said |= {ours: _pairs(name, given[name]) for name, ours in pairs.items() if given[name]}
    said |= {f"{name}s": given[name] for name in ("scope", "algorithm") if given[name]}
    flags = {"no_id_token": ("signs", False), "not_anew": ("fresh", False)}
    flags["asks_anew"] = ("asks_anew", True)
    return said | {name: value for flag, (name, value) in flags.items() if given[flag]}


def _pairs(option: str, values: tuple[str, ...]) -> dict[str, str]:
    found = dict(value.partition("=")[::2] for value in values)
    if not all(found) or not all(found.values()):
        raise InvalidInput(
            "eid_pair", "--{option} có dạng TÊN=GIÁ TRỊ.", field=option, option=option
        )
    return found


@eid.command("list")
def list_() -> None:
    """Every upstream: name, profile, whether it is on, trust, and the address to register there."""
    has = _services()
    with has.db.read() as session:
        for row in upstreams.every(session):
            click.echo(_line(has, row))


def _line(has: Services, row: Upstream) -> str:
    said = row.settings
    trust = gettext(
        "tối đa {ceiling}; GIẢ ĐỊNH {assume} khi không có gì được ký",
        ceiling=said["ceiling"],
        assume=said["assume"],
    )
    state = "on" if row.enabled else "off"
    back = f"{has.settings.issuer}/login/back/{EID}{row.name}"
    return f"{row.name}\t{row.profile}\t{state}\t{row.issuer}\t{trust}\t{back}"


@eid.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Let it vouch for nobody from now on, not in sign-ins under way either. Links stay."""
    _enable(name, enabled=False)


@eid.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let it vouch again."""
    _enable(name, enabled=True)


def _enable(name: str, *, enabled: bool) -> None:
    has = _services()
    with has.db.write() as session:
        upstreams.enable(session, name, enabled=enabled, now=has.clock(), actor=_operator())


@eid.command("unlink")
@click.argument("user")
def unlink(user: str) -> None:
    """Take USER's links away with all that she has enrolled, and sign her out everywhere: her account
    at an upstream was given to somebody else, or another one is hers. Whoever came by that link may
    have enrolled it; her password stays. She is shown what is linked when she next comes.
    """
    has = _services()
    now, actor = has.clock(), _operator()
    with has.db.write() as session:
        person = people.by_ref(session, user)
        logout.end_everywhere(session, person.id, now=now, settings=has.settings, actor=actor)
        eid_links.end(session, [person.id], why="operator", now=now, actor=actor)
        enrolled.reset(session, person.id, now=now, actor=actor)
        notices.tell(session, person.id, Notice.UNLINKED, now=now, actor=actor)


@eid.command("test")
@click.argument("name")
def test(name: str) -> None:
    """Look whether it can be spoken to, as far as that can be seen without a person."""
    has = _services()
    with has.db.read() as session:
        row = upstreams.get(session, name)
    _look(has, row)
    with has.db.write() as session:
        upstreams.leads_to(upstreams.get(session, name), row.settings["leads_to"])
    click.echo(gettext("Nơi xác thực {name} trả lời đúng quy cách.", name=name))


def _look(has: Services, row: Upstream) -> None:
    """Raises EidRefused. Where its sign-in page is, as it is published, goes into the row."""
    profile, party = upstreams.profile(row), upstreams.party(row, has.keyring)
    calls = Calls(has.outbound, has.db.remembered, has.clock())
    try:
        profile.look(calls, party)
    except EidRefused as exc:
        exc.message_args["title"] = row.title
        raise
    if "authorization" not in party.settings.endpoints:
        said = metadata(calls, party.issuer)
        upstreams.leads_to(row, endpoint(said, "authorization_endpoint", party.issuer))


commands: list[click.Command] = [eid]
