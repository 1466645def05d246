"""``dinhdanh app`` and ``dinhdanh role``: applications, their rules, and who administers what."""

import getpass
from datetime import date
from typing import Any

import click
from sqlalchemy import select

from connectors.accounts import apply, orphans, registry, work_items
from directory import entitlements, people, units
from directory.assignments import Assignment, current
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import load_settings
from directory.base.errors import InvalidInput
from directory.changes import proof, rules
from directory.changes.granting import Holder, end_role, grant_role
from directory.entitlements import Rule
from directory.permissions import AdminRole, Role, counting
from idp.factors import slips
from idp.oidc import clients
from idp.run.installation import opened
from idp.services import Services
from idp.web.i18n import day, gettext
from idp.web.labels import label


def _open() -> tuple[Services, Actor]:
    return opened(load_settings()), Actor.operator(getpass.getuser())


@click.group()
def app() -> None:
    """Ứng dụng và quy tắc cấp quyền. / Applications and entitlement rules."""


@app.command("create")
@click.argument("code")
@click.argument("name")
@click.option("--launch-url", help="Where the portal's tile leads.")
@click.option("--open-to-all", is_flag=True, help="People without an entitlement may sign in, too.")
@click.option("--connector", help=f"How accounts get there: {', '.join(registry.kinds())}.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A connector's setting.")
@click.option("--secret-file", type=click.File("r"), help="The connector's token or password.")
def app_create(
    code: str, name: str, pairs: tuple[str, ...], secret_file: Any, **columns: Any
) -> None:
    """Create application CODE, called NAME. Nobody has it until a rule gives it."""
    services, actor = _open()
    settings = dict(_pair(pair) for pair in pairs)
    if columns["connector"]:
        registry.check(columns["connector"], settings)
    with services.db.write() as session:
        made = rules.create_application(
            session,
            code=code,
            name=name,
            actor=actor,
            now=services.clock(),
            connector_settings=settings,
            **columns,
        )
        if secret_file is not None:
            registry.save_secret(
                session, made, secret_file.read().strip(), keyring=services.keyring
            )
    click.echo(code)


def _pair(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        raise InvalidInput("setting", "Viết dạng khóa=giá trị.", field="set")
    return key, {"true": True, "false": False}.get(
        value, int(value) if value.isdecimal() else value
    )


@app.command("list")
def app_list() -> None:
    """Every application with its connector and its number of rules."""
    services, _ = _open()
    with services.db.read() as session:
        for row in entitlements.applications(session):
            wanted = select(Rule.id).where(Rule.application_id == row.id, Rule.enabled)
            count = len(session.scalars(wanted).all())
            click.echo(f"{row.code:16} {row.connector or '-':6} {count:3}  {row.name}")


@app.command("grant")
@click.argument("code")
@click.argument("role")
@click.option("--unit", help="This unit and everything below it (scheme:code or id).")
@click.option("--unit-kind")
@click.option("--bloc")
@click.option("--position", help="A position's code.")
@click.option("--leadership/--staff", default=None)
@click.option("--priority", default=100, show_default=True)
def app_grant(code: str, **wanted: Any) -> None:
    """Add a rule: whoever meets all conditions gets application CODE in ROLE."""
    services, actor = _open()
    with services.db.write() as session:
        found = entitlements.application_by_code(session, code)
        rule = rules.set_rule(
            session, found.id, rules.Wanted(**wanted), actor=actor, now=services.clock()
        )
        waiting = apply.recompute(session, found.id, now=services.clock())
    click.echo(
        gettext(
            "Đã thêm quy tắc số {rule} (bỏ bằng dinhdanh app withdraw {rule}); "
            "số tài khoản sẽ được rà soát: {count}.",
            rule=rule.id,
            count=waiting,
        )
    )


@app.command("orphans")
@click.argument("code")
def app_orphans(code: str) -> None:
    """List the accounts of application CODE and keep those that belong to nobody here."""
    services, _ = _open()
    with services.db.read() as session:
        found = entitlements.application_by_code(session, code)
    looked = orphans.look(services, found)
    with services.db.read() as session:
        for row in orphans.listed(session, found.id, limit=1000):
            state = label("state", "active" if row.active else "disabled")
            click.echo(f"{state:21} {day(row.first_seen_at)} {row.remote_id:40} {row.username}")
    click.echo(
        gettext(
            "Số tài khoản: {accounts}, không có chủ: {orphans}, mới thấy: {new}.",
            accounts=looked.accounts,
            orphans=looked.orphans,
            new=looked.new,
        )
    )


@app.command("work")
@click.argument("code", required=False)
def app_work(code: str | None) -> None:
    """What is to be done by hand, at application CODE or at all."""
    services, _ = _open()
    with services.db.read() as session:
        found = entitlements.applications(session)
        if code is not None:
            found = [entitlements.application_by_code(session, code)]
        for row in work_items.listed(session, [a.id for a in found], now=services.clock()):
            late = " !" if row.late else ""
            item = row.item
            click.echo(
                f"{item.id:6} {day(item.due_at)}{late} {label('work', item.action):19} {row.person}"
                f" ({item.wanted['username']})  {row.application}"
            )


@app.command("done")
@click.argument("item", type=int)
@click.option("--as", "remote_id", help="What the account is called there.")
def app_done(item: int, remote_id: str | None) -> None:
    """The work ITEM is done."""
    services, actor = _open()
    with services.db.write() as session:
        now = services.clock()
        found = session.get(work_items.WorkItem, item)
        digest = found.digest if found else ""
        touched = work_items.done(session, item, digest, remote_id=remote_id, actor=actor, now=now)
        proof.settle(session, touched, now=now)


@app.command("withdraw")
@click.argument("rule", type=int)
def app_withdraw(rule: int) -> None:
    """Take a rule away; accounts it gave are disabled."""
    services, actor = _open()
    with services.db.write() as session:
        found = rules.remove_rule(session, rule, actor=actor, now=services.clock())
        apply.recompute(session, found, now=services.clock())


@click.group()
def role() -> None:
    """Vai trò quản trị. / Administrators' roles."""


@role.command("grant")
@click.argument("role", type=click.Choice([r.value for r in Role]))
@click.option("--user", help="Username or id; bound to her primary post.")
@click.option("--client", help="The client_id of an OAuth client.")
@click.option("--unit", help="Over this unit and everything below it.")
@click.option("--application", help="For an application owner: the application's code.")
def role_grant(
    role: str, user: str | None, client: str | None, unit: str | None, application: str | None
) -> None:
    """Give ROLE to a person or a client; without --unit over the whole installation."""
    services, actor = _open()
    now = services.clock()
    with services.db.write() as session:
        granted = grant_role(
            session,
            Role(role),
            _holder(session, user, client, local_day(now)),
            actor=actor,
            now=now,
            unit_id=units.by_ref(session, unit, on=local_day(now)).id if unit else None,
            application_id=entitlements.application_by_code(session, application).id
            if application
            else None,
        )
        if granted.user_id is not None:
            slips.void(session, [granted.user_id], why="role", now=now, actor=actor)
        click.echo(
            gettext(
                "Đã giao vai trò số {role} (thu lại bằng dinhdanh role end {role}).",
                role=granted.id,
            )
        )


def _holder(session: Any, user: str | None, client: str | None, today: date) -> Holder:
    if client is not None and user is None:
        return Holder(client_id=clients.get(session, client).id)
    if user is None or client is not None:
        raise InvalidInput(
            "holder", "Vai trò thuộc về một người hoặc một ứng dụng.", field="holder"
        )
    person = people.by_ref(session, user)
    held = current(session, person.id, today)
    return Holder(user_id=person.id, assignment_id=held[0].id if held else None)


@role.command("list")
def role_list() -> None:
    """Every role in force, where it counts, and until when that is known."""
    services, _ = _open()
    today = local_day(services.clock())
    with services.db.read() as session:
        codes = {a.id: a.code for a in entitlements.applications(session)}
        rows = session.scalars(
            select(AdminRole)
            .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
            .where(counting(today))
            .order_by(AdminRole.id)
        )
        for row in rows:
            if row.user_id is not None:
                holder = people.get(session, row.user_id).username
            else:
                holder = f"client {row.client_id}"
            reach = units.get(session, row.unit_id).name if row.unit_id else "*"
            if row.application_id is not None:
                reach = codes[row.application_id]
            until = f"  → {day(row.valid_to)}" if row.valid_to else ""
            click.echo(f"{row.id:6} {row.role:18} {holder:24} {reach}{until}")


@role.command("end")
@click.argument("role", type=int)
def role_end(role: int) -> None:
    """End a role; it counts no more at the next request."""
    services, actor = _open()
    with services.db.write() as session:
        now = services.clock()
        ended = end_role(session, role, actor=actor, now=now)
        if ended.user_id is not None:
            slips.void(session, [ended.user_id], why="role", now=now, actor=actor)


commands: list[click.Command] = [app, role]
