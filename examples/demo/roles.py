"""Who may do what: the listed administrators' roles, and the personnel system's."""

from typing import Any

from sqlalchemy import select

from directory import entitlements, units
from directory.assignments import current
from directory.base.clock import local_day
from directory.changes.granting import Holder, grant_role
from directory.people import User
from directory.permissions import Role
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
        holder = Holder(client_id=clients.get(session, client).id) if client else None
        if person is not None:
            user = user_of(session, person)
            held = current(session, user.id, local_day(now))
            holder = Holder(user_id=user.id, assignment_id=held[0].id)
        assert holder is not None
        grant_role(
            session,
            Role(reach.role),
            holder,
            actor=work.actor,
            now=now,
            unit_id=units.by_ref(session, f"sample:{reach.unit}", on=local_day(now)).id
            if reach.unit
            else None,
            application_id=entitlements.application_by_code(session, reach.application).id
            if reach.application
            else None,
        )


def user_of(session: Any, source_key: str) -> User:
    """The person the sample knows by this key."""
    found: User = session.scalars(select(User).where(User.source_key == source_key)).one()
    return found
