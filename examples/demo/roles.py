"""Who may do what: the listed administrators' roles, and the personnel system's."""

from typing import Any

from sqlalchemy import select

from directory import entitlements, units
from directory.assignments import Assignment, Kind
from directory.base import audit
from directory.base.audit import Tag
from directory.base.clock import local_day
from directory.people import User
from directory.permissions import AdminRole
from examples.demo import cast
from examples.demo.work import Work
from idp.oidc import clients


def grant_all(work: Work, players: list[cast.Player]) -> None:
    for player in players:
        for reach in player.reaches:
            grant(work, reach, person=player.source_key)


def grant(
    work: Work, reach: cast.Reach, *, person: str | None = None, client: str | None = None
) -> None:
    """Give a role to a person, bound to her primary post, or to a client; once."""
    now = work.services.clock()
    with work.services.db.write() as session:
        holder: dict[str, int | None] = {"user_id": None, "client_id": None}
        post = None
        if person is not None:
            holder["user_id"] = user_of(session, person).id
            post = session.scalars(
                select(Assignment.id).where(
                    Assignment.user_id == holder["user_id"],
                    Assignment.kind == Kind.PRIMARY.value,
                    Assignment.valid_to.is_(None),
                )
            ).one()
        if client is not None:
            holder["client_id"] = clients.get(session, client).id
        known = session.scalar(
            select(AdminRole.id).where(
                *(getattr(AdminRole, name) == value for name, value in holder.items()),
                AdminRole.role == reach.role,
            )
        )
        if known is not None:
            return
        unit = units.by_ref(session, f"sample:{reach.unit}").id if reach.unit else None
        application = (
            entitlements.application_by_code(session, reach.application).id
            if reach.application
            else None
        )
        role = AdminRole(
            **holder,
            role=reach.role,
            unit_id=unit,
            application_id=application,
            assignment_id=post,
            valid_from=local_day(now),
            granted_by=work.actor.key,
        )
        session.add(role)
        session.flush()
        audit.record(
            session,
            Tag.ROLE_GRANT,
            at=now,
            actor=work.actor,
            subject=("user", holder["user_id"]) if person else ("client", holder["client_id"]),
            data={"role": reach.role, "unit": unit, "application": application},
        )


def user_of(session: Any, source_key: str) -> User:
    """The person the sample knows by this key."""
    found: User = session.scalars(select(User).where(User.source_key == source_key)).one()
    return found
