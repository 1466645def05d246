"""``dinhdanh proposal …``: what waits for a second person, who may be the installation's operator.

The operator's name comes from the operating system, and stands in the change and the trail as that
of whoever approved.
"""

import getpass
import json
from datetime import datetime
from typing import Any

import click

from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import Conflict
from directory.changes.proposals import ProposalState
from idp import approving
from idp.commands.changes import print_plan
from idp.run import installation, wiring
from idp.services import Services
from idp.web.i18n import day, gettext, moment
from idp.web.labels import label


@click.group("proposal")
def proposal() -> None:
    """Đề nghị phê duyệt. / Changes that wait for a second person: list, show, approve, decline."""


@proposal.command("list")
@click.option("--state", type=click.Choice([s.value for s in ProposalState]), default="proposed")
@click.option(
    "--after", default=None, help="The mark of the next page, as the page before gave it."
)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def listed(state: str, after: str | None, *, as_json: bool) -> None:
    """Liệt kê. / Print proposals, newest first."""
    has, actor = _opened()
    rows, more = approving.listed(has, actor, state=state, after=after, limit=50)
    if as_json:
        click.echo(json.dumps({"proposals": rows, "after": more}, indent=2, ensure_ascii=False))
    else:
        for row in rows:
            _print(row)
        if more:
            click.echo(f"--after {more}")
    has.db.dispose()


@proposal.command("show")
@click.argument("proposal_id")
def show(proposal_id: str) -> None:
    """Xem. / Print a proposal with what it would do now."""
    has, actor = _opened()
    _print_shown(approving.shown(has, proposal_id, actor))
    has.db.dispose()


@proposal.command("approve")
@click.argument("proposal_id")
@click.option("--yes", is_flag=True, help="Approve without asking.")
def approve(proposal_id: str, *, yes: bool) -> None:
    """Phê duyệt. / Agree: it is committed as its proposer's change, with the operator named."""
    has, actor = _opened()
    found = approving.shown(has, proposal_id, actor)
    _print_shown(found)
    if found.plan is None:
        raise Conflict("proposal_closed", "Đề nghị này không còn chờ phê duyệt.")
    if not yes:
        for name, value in found.unsealed:
            click.echo(f"  {gettext('Đối chiếu với giấy tờ')}: {name} {value}")
        click.confirm(gettext("Phê duyệt") + "?", abort=True)
    fingerprint = found.plan["fingerprint"]
    done = approving.approve(has, proposal_id, actor, fingerprint=fingerprint)
    click.echo(f"{done.id}  {label('state', done.state)}")
    has.db.dispose()


@proposal.command("decline")
@click.argument("proposal_id")
@click.option("--reason", required=True, help="Why; its proposer reads it.")
def decline(proposal_id: str, reason: str) -> None:
    """Không phê duyệt. / Say no, and why."""
    has, actor = _opened()
    _print(approving.decline(has, proposal_id, actor, reason=reason))
    has.db.dispose()


def _opened() -> tuple[Services, Actor]:
    has = wiring.build(load_settings())
    installation.require(has)
    return has, Actor.operator(getpass.getuser())


def _state(code: str) -> str:
    """In words; what has lapsed is over, unlike what ends well by itself."""
    return gettext("Hết hiệu lực") if code == "lapsed" else label("state", code)


def _print(row: dict[str, Any]) -> None:
    until = f"{gettext('Hết hạn lúc')} {moment(datetime.fromisoformat(row['expires_at']))}"
    by = f"{gettext('Người đề nghị')} {row['proposer']['label']}"
    click.echo(f"{row['id']}  {row['title']}  {_state(row['state'])}  {by}  {until}")


def _print_shown(found: approving.Shown) -> None:
    _print(found.row)
    for code in found.row["why"]:
        click.echo(f"  {label('second', code)}")
    for name, value in found.unplanned:
        click.echo(f"  {name}: {value}")
    if found.decision is not None:
        one = found.decision
        click.echo(f"  {gettext('Quyết định số')} {one.number}, {day(one.issued_on)}, {one.issuer}")
    if found.plan is not None:
        print_plan(found.plan | {"conflicts": []})
    if found.hindrance:
        click.echo(f"  ! {found.hindrance}")


commands: list[click.Command] = [proposal]
