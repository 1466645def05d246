"""``dinhdanh change …``: plan, ask, commit, and wait for the proof, at the installation's own line.

The plan printed here is the one the API and the console show; the operator's name comes from
the operating system and stands in the audit trail.
"""

import getpass
import json
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click

from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError, InvalidInput
from directory.changes.model import ChangeState
from directory.changes.person import LEAVE_REASONS
from directory.changes.proof import Proof
from idp import edge
from idp.console import forms
from idp.edge import Ask
from idp.run import installation, wiring
from idp.services import Services
from idp.web.i18n import day, duration, gettext, instant
from idp.web.labels import label

_WAIT_AT_MOST = timedelta(seconds=120)


class NotSettled(DinhdanhError):
    """The change stands; its effects are not all final yet."""

    status = 503


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """What every command that commits has: only look, do not ask, wait for the proof."""
    command = click.option("--json", "as_json", is_flag=True, help="Only print the plan, as JSON.")(
        command
    )
    command = click.option("--dry-run", is_flag=True, help="Only print the plan.")(command)
    command = click.option("--wait", is_flag=True, help="Wait until every effect is final.")(
        command
    )
    return click.option("--yes", is_flag=True, help="Commit without asking.")(command)


def _dated(command: Callable[..., None]) -> Callable[..., None]:
    """The effective day and the decision, which every change of a person may have."""
    for name, text in (
        ("--issuer", "Who issued the decision."),
        ("--date", "The decision's date (dd/mm/yyyy)."),
        ("--number", "The decision's number."),
        ("--effective", "The effective day (dd/mm/yyyy); today when left out."),
    ):
        command = click.option(name, default="", help=text)(command)
    return _asking(command)


@click.group("change")
def change() -> None:
    """Thay đổi nhân sự. / Changes: transfer, suspend, resume, leave, undo, show."""


@change.command("transfer")
@click.argument("user")
@click.option("--to", "to_unit", required=True, help="The unit: id or scheme:code (gso:14758).")
@click.option("--position", default="", help="The position's catalogue code; kept when left out.")
@_dated
def transfer(user: str, to_unit: str, position: str, **options: Any) -> None:
    """Điều động. / Move USER to another unit."""
    more = {"to_unit": to_unit} | ({"position": position} if position else {})
    _change("transfer", user, more, options)


@change.command("suspend")
@click.argument("user")
@_dated
def suspend(user: str, **options: Any) -> None:
    """Tạm đình chỉ công tác. / Suspend USER: access ends, assignments stay."""
    _change("suspend", user, {}, options)


@change.command("resume")
@click.argument("user")
@_dated
def resume(user: str, **options: Any) -> None:
    """Trở lại công tác. / End USER's suspension."""
    _change("resume", user, {}, options)


@change.command("leave")
@click.argument("user")
@click.option("--reason", type=click.Choice(sorted(LEAVE_REASONS)), required=True)
@_dated
def leave(user: str, reason: str, **options: Any) -> None:
    """Thôi việc, nghỉ hưu. / USER leaves the agency."""
    _change("leave", user, {"reason": reason}, options)


@change.command("undo")
@click.argument("change_id")
@_asking
def undo(change_id: str, **options: Any) -> None:
    """Hoàn tác. / Undo a change: directory rows come back, sessions and certificates do not."""
    has, actor = _opened()
    _commit(has, actor, edge.undoing(change_id), options)


@change.command("show")
@click.argument("change_id")
@click.option("--wait", is_flag=True, help="Wait until every effect is final.")
def show(change_id: str, *, wait: bool) -> None:
    """Xem bằng chứng. / Print a change with every effect."""
    has, actor = _opened()
    _print_proof(_proof(has, actor, change_id, wait=wait))
    has.db.dispose()


def _opened() -> tuple[Services, Actor]:
    has = wiring.build(load_settings())
    installation.require(has)
    return has, Actor.operator(getpass.getuser())


def _change(kind: str, user: str, more: dict[str, Any], options: dict[str, Any]) -> None:
    has, actor = _opened()
    body = {"kind": kind, "user": user, **more, **_when_and_why(options)}
    ask = edge.asked(has, body)
    _commit(has, actor, ask, options)


def _when_and_why(options: dict[str, Any]) -> dict[str, Any]:
    """Day and decision as the body of the API has them. Raises InvalidInput."""
    found: dict[str, Any] = {}
    effective_on = forms.day(options["effective"], "effective_on")
    if effective_on:
        found["effective_on"] = effective_on
    issued_on = forms.day(options["date"], "decision.issued_on")
    if options["number"] or issued_on or options["issuer"]:
        found["decision"] = {
            "number": options["number"],
            "issued_on": issued_on,
            "issuer": options["issuer"],
        }
    return found


def _commit(has: Services, actor: Actor, ask: Ask, options: dict[str, Any]) -> None:
    plan = edge.preview(has, ask, actor)
    if options["as_json"]:
        click.echo(json.dumps(plan, indent=2))
        return
    _print_plan(plan)
    if not plan["committable"]:
        raise InvalidInput("conflicts", "Chưa thể xác nhận.", field="conflicts")
    if options["dry_run"]:
        return
    if not options["yes"]:
        click.confirm(gettext("Xác nhận thực hiện") + "?", abort=True)
    done = edge.commit(
        has, ask, actor, fingerprint=plan["fingerprint"], key=f"cli:{secrets.token_urlsafe(24)}"
    )
    click.echo(f"{done.id}  {done.state}")
    if options["wait"]:
        _print_proof(_proof(has, actor, done.id, wait=True))
    has.db.dispose()


def _proof(has: Services, actor: Actor, change_id: str, *, wait: bool) -> Proof:
    """The proof, when ``wait`` once it is settled. Raises NotFound, NotSettled."""
    give_up = has.clock() + _WAIT_AT_MOST
    while True:
        with has.db.read() as session:
            found = edge.seen(session, actor, change_id, now=has.clock())
        waiting = found.change.state == ChangeState.COMMITTED.value
        if not wait or not waiting or found.change.needs_attention:
            return found
        if has.clock() > give_up:
            raise NotSettled("not_settled", "Thay đổi đã ghi nhưng chưa hoàn tất; hãy xem lại sau.")
        time.sleep(0.2)


# ---- on the screen ---------------------------------------------------------------------------


def _print_plan(plan: dict[str, Any]) -> None:
    click.echo(
        f"{label('change', plan['kind'])}, {gettext('Có hiệu lực từ ngày')} {_iso(plan['effective_on'])}"
    )
    for person in plan["people"]:
        click.echo(f"\n{person['full_name']} ({person['username']})")
        if person["status_before"] != person["status_after"]:
            before, after = (label("status", person[f"status_{w}"]) for w in ("before", "after"))
            click.echo(f"  {before} → {after}")
        for sign, side in (("-", "before"), ("+", "after")):
            for held in person[side]:
                click.echo(
                    f"  {sign} {held['position']['name']}, {held['unit']['name']}"
                    f" ({label('kind', held['kind'])}, {gettext('từ')} {_iso(held['valid_from'])})"
                )
    for row in plan["applications"]:
        click.echo(f"  {label('access', row['access'])}: {row['application']['name']}")
    for effect in plan["effects"]:
        count = f" × {effect['count']}" if effect["counted"] else ""
        click.echo(f"  {label('effect', effect['kind'])}: {effect['label']}{count}")
    for notice in plan["warnings"]:
        click.echo(f"  ! {notice['message']}")
    for notice in plan["conflicts"]:
        click.echo(f"  ✗ {notice['message']}", err=True)


def _print_proof(found: Proof) -> None:
    one = found.change
    click.echo(
        f"{one.id}  {one.title}  {one.state}{'  needs attention' if one.needs_attention else ''}"
    )
    click.echo(
        f"{gettext('Có hiệu lực từ ngày')} {day(one.effective_on)}, {gettext('Xác nhận lúc')} {instant(one.committed_at)}"
    )
    for effect in found.effects:
        reached = effect.reached_at if effect.done else effect.acknowledged_at
        click.echo(
            f"  {effect.state:<13} {duration(effect.latency):>8}  {instant(reached):<24}"
            f" {label('effect', effect.kind)}: {effect.label}"
        )
        if effect.reason:
            click.echo(f"                {effect.reason}")


def _iso(value: str) -> str:
    return f"{value[8:10]}/{value[5:7]}/{value[:4]}"


commands: list[click.Command] = [change]
