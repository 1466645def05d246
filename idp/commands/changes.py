"""``dinhdanh change …``: plan, ask, commit, and wait for the proof, at the installation's own line.

The plan printed here is the one the API and the console show; the operator's name comes from
the operating system and stands in the audit trail.
"""

import getpass
import json
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from connectors.accounts import work_items
from directory.base.audit import Actor
from directory.base.config import load_settings
from directory.base.errors import DinhdanhError, InvalidInput
from directory.changes import (
    kind,
    kinds,  # noqa: F401 (registered by being imported)
)
from directory.changes.asks import Input
from directory.changes.effects import Effect
from directory.changes.kind import About, Kind
from directory.changes.leaves import Leaf, leaves, nested
from directory.changes.model import Change, ChangeState
from directory.changes.proof import Proof
from idp import edge
from idp.console import forms
from idp.edge import Ask
from idp.run import installation
from idp.services import Services
from idp.web.i18n import day, duration, gettext, instant
from idp.web.labels import field_label, field_value, label, told

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


class _Kinds(click.Group):
    """One command for each kind of change that people may ask for, made from what it asks."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*(one.code for one in kind.requested()), *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = kind.find(cmd_name)
        if found is not None and found.requested:
            return _command(found)
        return super().get_command(ctx, cmd_name)


class _Option(click.Option):
    """Told by its first name alone; what it was called before is still understood."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        names, self.opts = self.opts, self.opts[:1]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = names


def _command(one: Kind) -> click.Command:
    fields = leaves(one.asks)

    def run(user: str = "", **options: Any) -> None:
        given = {leaf.name: value for leaf in fields if _is_given(value := options[_name(leaf)])}
        whom = {"user": user} if one.about == About.PEOPLE else {}
        _change({"kind": one.code, **whom, **nested(given)}, options)

    command: Callable[..., None] = _dated(run)
    for leaf in reversed(fields):
        command = _option(leaf)(command)
    if one.about == About.PEOPLE:
        command = click.argument("user")(command)
    return click.command(one.code, help=f"{one.title}. / {one.summary}")(command)


def _name(leaf: Leaf) -> str:
    """Under which an option's value is handed over."""
    return "of_" + leaf.name.replace(".", "_")


def _is_given(value: Any) -> bool:
    return value is not None and value != ()


def _option(leaf: Leaf) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option of one field; one that is left out says nothing."""
    names = (leaf.option, *leaf.ask.also, _name(leaf))
    more: dict[str, Any] = {"help": leaf.ask.says, "required": leaf.required, "cls": _Option}
    if leaf.ask.secret:  # one that may be left out is asked for where its option stands alone
        more |= {"prompt": leaf.ask.label, "prompt_required": leaf.required, "hide_input": True}
        return click.option(*names, **more)
    if leaf.input == Input.CHOICE:
        return click.option(*names, type=click.Choice(sorted(leaf.words)), **more)
    if leaf.input == Input.HELD_MANY:
        return click.option(*names, type=int, multiple=True, **more, callback=_as_list)
    if leaf.input == Input.HELD:
        return click.option(*names, type=int, **more)
    if leaf.input == Input.DAY:
        return click.option(*names, callback=_as_day(leaf), **more)
    return click.option(*names, **more)


def _as_list(_ctx: click.Context, _option: click.Parameter, value: tuple[int, ...]) -> Any:
    return list(value) or None


def _as_day(leaf: Leaf) -> Callable[..., str | None]:
    def read(_ctx: click.Context, _option: click.Parameter, value: str | None) -> str | None:
        return forms.day(value, leaf.name) if value else value

    return read


@click.group("change", cls=_Kinds)
def change() -> None:
    """Thay đổi nhân sự. / Changes: one command for each kind; undo, show."""


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
    has = installation.opened(load_settings())
    return has, Actor.operator(getpass.getuser())


def _change(body: dict[str, Any], options: dict[str, Any]) -> None:
    has, actor = _opened()
    ask = edge.asked(has, body | _when_and_why(options))
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
    print_plan(plan)
    if not plan["committable"]:
        raise InvalidInput("conflicts", "Chưa thể xác nhận.", field="conflicts")
    if options["dry_run"]:
        return
    if not options["yes"]:
        click.confirm(gettext("Xác nhận thực hiện") + "?", abort=True)
    done = edge.commit(
        has, ask, actor, fingerprint=plan["fingerprint"], key=f"cli:{secrets.token_urlsafe(24)}"
    )
    click.echo(f"{done.id}  {label('state', done.state)}")
    found = _proof(has, actor, done.id, wait=options["wait"])
    if options["wait"]:
        _print_proof(found)
    if found.starters:
        _print_next_step(plan)
    has.db.dispose()


def _proof(has: Services, actor: Actor, change_id: str, *, wait: bool) -> Proof:
    """The proof, when ``wait`` once it is settled. Raises NotFound, NotSettled."""
    give_up, told = has.clock() + _WAIT_AT_MOST, 0
    while True:
        with has.db.read() as session:
            found = edge.seen(session, actor, change_id, now=has.clock())
        waiting = found.change.state == ChangeState.COMMITTED.value
        if not wait or not waiting or found.change.needs_attention:
            return found
        by_hand = work_items.awaited(found.effects)
        if len(by_hand) > told:
            told = len(by_hand)
            click.echo(_by_hand(by_hand), err=True)
        if has.clock() > give_up:
            raise NotSettled("not_settled", "Thay đổi đã ghi nhưng chưa hoàn tất; hãy xem lại sau.")
        time.sleep(0.2)


def _by_hand(waiting: list[Effect]) -> str:
    """That a person is waited for, and until when she has time."""
    return gettext(
        "Đang chờ người làm tay: {n} việc, hạn sớm nhất {day}; xem bằng dinhdanh app work.",
        n=len(waiting),
        day=day(datetime.fromisoformat(waiting[0].detail["due_at"])),
    )


# ---- on the screen ---------------------------------------------------------------------------


def print_plan(plan: dict[str, Any]) -> None:
    """A plan on the screen."""
    undoes = plan["undoes"]
    what = f" · {label('change', undoes['kind'])}: {undoes['about']}" if undoes else ""
    click.echo(
        f"{label('change', plan['kind'])}{what}, {gettext('Có hiệu lực từ ngày')} {_iso(plan['effective_on'])}"
    )
    for one in plan["asked"]:
        click.echo(f"  {one['field']}: {one['value']}")
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
    _print_personal(plan["lines"])
    for row in plan["applications"]:
        click.echo(f"  {label('access', row['access'])}: {row['application']['name']}")
    for effect in plan["effects"]:
        count = f" × {effect['count']}" if effect["counted"] else ""
        click.echo(f"  {label('effect', effect['kind'])}: {effect['label']}{count}")
    _print_notices(plan)


def _print_next_step(plan: dict[str, Any]) -> None:
    """Of who is new here, or back: how she comes to her password."""
    for person in plan["people"]:
        click.echo(f"{gettext('Việc tiếp theo')}: dinhdanh user slip {person['username']}")


def _print_notices(plan: dict[str, Any]) -> None:
    """Warnings and conflicts, these with the options that settle them."""
    for notice in plan["warnings"]:
        click.echo(f"  ! {notice['message']}")
    for notice in plan["conflicts"]:
        click.echo(f"  ✗ {notice['message']}", err=True)
        for one in notice.get("choices", ()):
            option = f"--{notice['field'].rpartition('.')[2].replace('_', '-')}"
            click.echo(f"      {option} {one['value']}: {one['label']}", err=True)


def _print_personal(lines: list[dict[str, Any]]) -> None:
    """What is known of somebody new; of others what is changed of it: name, was → will be."""
    for line in lines:
        if line["table"] != "users":
            continue
        before = line["before"]
        for name, value in (line["after"] or {}).items():
            if name in ("status", "leaves_on", "username") or (before is None and not value):
                continue
            told_before = before is not None and name != "same_as"
            was = f"{field_value(name, before.get(name)) or '…'} → " if told_before else ""
            click.echo(f"  {field_label(name)}: {was}{field_value(name, value) or '…'}")


def _print_proof(found: Proof) -> None:
    one = found.change
    state = label("state", "attention" if one.needs_attention else one.state)
    click.echo(f"{one.id}  {_titled(one)}  {state}")
    click.echo(
        f"{gettext('Có hiệu lực từ ngày')} {day(one.effective_on)}, {gettext('Xác nhận lúc')} {instant(one.committed_at)}"
    )
    if one.decision_number:
        click.echo(
            f"{gettext('Quyết định số')} {one.decision_number}, {day(one.decision_issued_on)}, {one.decision_issuer}"
        )
    for name, value in told(one.kind, one.told):
        click.echo(f"{name}: {value}")
    for effect in found.effects:
        reached = effect.reached_at if effect.done else effect.acknowledged_at
        click.echo(
            f"  {label('state', effect.state):<17} {duration(effect.latency):>8}  {instant(reached):<24}"
            f" {label('effect', effect.kind)}: {effect.label}"
        )
        if effect.reason:
            click.echo(f"                {effect.reason}")


def _titled(one: Change) -> str:
    """As lists of the console call it, in the language in force."""
    undone = f" · {label('change', one.undoes)}" if one.undoes else ""
    return f"{label('change', one.kind)}{undone}{f': {one.named}' if one.named else ''}"


def _iso(value: str) -> str:
    return f"{value[8:10]}/{value[5:7]}/{value[:4]}"


commands: list[click.Command] = [change]
