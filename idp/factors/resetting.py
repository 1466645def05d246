"""What an officer's reset ends: all that a person has enrolled, every link to an upstream, and her password.

A link that she cannot use any more would be asked for after the reset as it was before; whoever can use
it is shown what is linked, and links it again.

A password alone would be enough to enrol the first factor anew: whoever has stolen it would wait for
the reset. So she begins with a slip, which another officer gives her.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import notices
from connectors.notices import Notice
from directory import eid_links
from directory.base import audit
from directory.base.audit import Actor, AuditEntry, Tag
from idp.factors import by_password, enrolled, passwords

RESET = "reset"
"""Why all of it ended."""


def reset(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """End what she has enrolled or lost, her links, and her password; False, and nothing done, if there
    was nothing beside a password. The caller has her lock, and ends her sessions.
    """
    ended = enrolled.reset(session, user_id, now=now, actor=actor)
    unlinked = eid_links.end(session, [user_id], why=RESET, now=now, actor=actor)
    if not ended and not unlinked:
        return False
    if passwords.forget(session, [user_id]):
        audit.record(
            session,
            Tag.FACTOR_END,
            at=now,
            actor=actor,
            subject=("user", user_id),
            data={"factors": [by_password.CODE], "reason": RESET},
        )
    notices.tell(session, user_id, Notice.RESET, now=now, actor=actor)
    return True


def done_by(session: Session, user_id: int, actor: Actor, *, since: datetime) -> bool:
    """Whether this officer has reset what the person had since then."""
    if enrolled.reset_by(session, user_id, actor, since=since):
        return True
    unlinked = session.scalars(  # of a link nothing is left but this
        select(AuditEntry.data).where(
            AuditEntry.subject_kind == "user",
            AuditEntry.subject_id == str(user_id),
            AuditEntry.tag == Tag.EID_UNLINK,
            AuditEntry.actor_kind == actor.kind,
            AuditEntry.actor_id == actor.id,
            AuditEntry.at > since,
        )
    )
    return any(data.get("why") == RESET for data in unlinked)
