"""Electronic identities that somebody must look at: what upstream says otherwise than our record."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from connectors.eid import reviews, upstreams
from connectors.eid.reviews import Decision, Question
from directory import assignments, search
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.errors import NotAllowed
from directory.permissions import Do, Rights


@dataclass(frozen=True)
class Open:
    """A question with what its page says of it."""

    asked: Question
    title: str
    """Of the upstream."""
    unit: str
    may_decide: bool


def waiting(session: Session, keyring: Keyring, granted: Rights, *, now: datetime) -> list[Open]:
    """What waits for a decision within the asker's reach, the oldest first."""
    titles = {row.name: row.title for row in upstreams.every(session)}
    found = []
    for one in reviews.waiting(session, keyring, granted, granted.actor, on=local_day(now)):
        may, unit = _place(session, granted, one.user.id, now)
        decides = may and not one.entered_by_viewer
        found.append(Open(one, titles.get(one.upstream, one.upstream), unit, decides))
    return found


def decide(
    session: Session,
    granted: Rights,
    review_id: int,
    decision: Decision,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Say whether it is one person. Raises NotFound, NotAllowed, Conflict."""
    may, _ = _place(session, granted, reviews.person(session, review_id), now)
    if not may:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="source")
    reviews.decide(session, review_id, decision, now=now, actor=actor)


def _place(session: Session, granted: Rights, user_id: int, now: datetime) -> tuple[bool, str]:
    """(whether the asker may change her, where she is). Raises NotFound for whom she may not see."""
    found = search.person(session, granted, user_id, on=local_day(now))
    at = found.primary or assignments.last_of(found.timeline)
    return granted.may(Do.CHANGE, at.unit.path if at else None), at.unit.name if at else ""
