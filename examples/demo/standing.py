"""Where the listed people stand today: what happened in earlier starts counts."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from directory import assignments, entitlements, units
from directory.base.clock import local_day
from directory.people import User
from examples.demo.ground import Ground
from idp.run.wiring import build


@dataclass(frozen=True)
class Official:
    """One official who may be transferred: the post of today, and where to go next."""

    user: dict[str, Any]
    unit: str
    posts: int
    applications: tuple[str, ...]
    """Codes of the applications the rules give."""
    moved: bool
    """No longer in the unit that credentials.json lists: the way to go leads back."""
    goal: dict[str, str]
    """Unit and position, by their codes."""
    goal_unit: str
    goal_position: str


def of_movers(ground: Ground, users: list[dict[str, Any]]) -> list[Official]:
    """Everybody with ``transfer_to`` who is still in service, in the order of the list."""
    services = build(ground.settings)
    on = local_day(services.clock())
    found = []
    try:
        with services.db.read() as session:
            rules = entitlements.rulebook(session).rules
            codes = {a.id: a.code for a in entitlements.applications(session)}
            positions = {p.code: p.name for p in assignments.positions(session)}
            for listed in users:
                user = session.scalars(
                    select(User).where(User.username == listed["username"])
                ).one_or_none()
                held = assignments.current(session, user.id, on) if user else []
                if user is None or not held or not listed.get("transfer_to"):
                    continue
                wanted = entitlements.desired_accounts(rules, held, status=user.status, on=on)
                home = {"unit": listed["unit"], "position": listed["position"]}
                moved = held[0].unit.id != units.by_ref(session, home["unit"], on=on).id
                goal = home if moved else listed["transfer_to"]
                found.append(
                    Official(
                        listed,
                        held[0].unit.name,
                        len(held),
                        tuple(codes[i] for i in wanted),
                        moved,
                        goal,
                        units.by_ref(session, goal["unit"], on=on).name,
                        positions.get(goal["position"], goal["position"]),
                    )
                )
    finally:
        services.db.dispose()
    return found
