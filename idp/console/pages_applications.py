"""Applications and their rules, as those who answer for them see and change them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from connectors.accounts import apply, orphans
from connectors.accounts.orphans import OrphanAccount
from directory import assignments, entitlements, units
from directory.assignments import Position
from directory.base.audit import Actor
from directory.base.errors import NotFound
from directory.changes import rules
from directory.entitlements import Account, Application, Rule
from directory.permissions import Rights
from directory.units import UnitView
from idp.oidc import clients
from idp.oidc.clients import Client


@dataclass(frozen=True)
class ApplicationRow:
    """An application with what hangs on it."""

    application: Application
    rules: int
    accounts: dict[str, int]
    clients: int


def listed(session: Session, granted: Rights) -> list[ApplicationRow]:
    """The applications the asker manages, by name."""
    by_rule = _counted(
        session,
        select(Rule.application_id, func.count()).where(Rule.enabled).group_by(Rule.application_id),
    )
    by_client = _counted(
        session,
        select(Client.application_id, func.count())
        .where(Client.enabled)
        .group_by(Client.application_id),
    )
    states: dict[int, dict[str, int]] = {}
    for app, state, count in session.execute(
        select(Account.application_id, Account.state, func.count()).group_by(
            Account.application_id, Account.state
        )
    ):
        states.setdefault(app, {})[state] = count
    return [
        ApplicationRow(a, by_rule.get(a.id, 0), states.get(a.id, {}), by_client.get(a.id, 0))
        for a in entitlements.applications(session)
        if granted.may_manage(a.id)
    ]


def _counted(session: Session, query: object) -> dict[int, int]:
    return dict(session.execute(query).all())  # type: ignore[call-overload]


@dataclass(frozen=True)
class ApplicationPage:
    """One application with its rules, clients and the choices of the rule form."""

    application: Application
    rules: list[tuple[Rule, UnitView | None]]
    clients: list[Client]
    positions: list[Position]
    position_names: dict[str, str]
    orphans: list[OrphanAccount]
    """Accounts there that belonged to nobody when the list was last read."""


def whole(session: Session, granted: Rights, application_id: int) -> ApplicationPage:
    """Raises NotFound, also for an application the asker does not manage."""
    application = session.get(Application, application_id)
    if application is None or not granted.may_manage(application_id):
        raise NotFound("application_unknown", "Không tìm thấy ứng dụng.")
    found = list(
        session.scalars(
            select(Rule)
            .where(Rule.application_id == application_id, Rule.enabled)
            .order_by(Rule.priority, Rule.id)
        )
    )
    views = units.views(session, {r.unit_id for r in found if r.unit_id})
    positions = assignments.positions(session)
    return ApplicationPage(
        application,
        [(r, views.get(r.unit_id) if r.unit_id else None) for r in found],
        clients.clients_of(session, application_id),
        positions,
        {p.code: p.name for p in positions},
        orphans.listed(session, application_id),
    )


def add_rule(
    session: Session, application_id: int, wanted: rules.Wanted, *, actor: Actor, now: datetime
) -> None:
    """Add a rule and look again at everybody it concerns. Raises NotAllowed, InvalidInput."""
    rules.set_rule(session, application_id, wanted, actor=actor, now=now)
    apply.recompute(session, application_id, now=now)


def remove_rule(session: Session, rule_id: int, *, actor: Actor, now: datetime) -> int:
    """Remove a rule and look again at everybody it concerned; the application's id."""
    application_id = rules.remove_rule(session, rule_id, actor=actor, now=now)
    apply.recompute(session, application_id, now=now)
    return application_id
