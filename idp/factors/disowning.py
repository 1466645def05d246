"""What ends when somebody says of a sign-in in her name that it was not she.

Her password is void: whoever knows it is no nearer. She begins again with a slip from the office, which
asks of her what it asks of everybody. What she has enrolled stays, unless the sign-in proved more than a
password, or it was enrolled since: then it is lost, as if she had reported so, and nothing lower than
it opens the way (``enrolled``).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from connectors import notices
from connectors.notices import Notice
from directory.base import audit
from directory.base.audit import Actor, Tag
from idp.factors import by_password, enrolled, passwords, slips


def void(
    session: Session,
    user_id: int,
    *,
    beyond_password: bool,
    since: datetime,
    now: datetime,
    actor: Actor,
) -> Sequence[str]:
    """The codes of what is void now. The caller has her lock, and ends her sessions."""
    gone = []
    if passwords.forget(session, [user_id]):
        gone.append(by_password.CODE)
        audit.record(
            session,
            Tag.FACTOR_END,
            at=now,
            actor=actor,
            subject=("user", user_id),
            data={"factors": [by_password.CODE], "reason": "disowned"},
        )
    notices.tell(session, user_id, Notice.DISOWNED, now=now, actor=actor)
    slips.void(session, [user_id], why="password", now=now, actor=actor)
    before = _held(session, user_id)
    enrolled.end(
        session,
        [user_id],
        why="lost",
        since=None if beyond_password else since,
        now=now,
        actor=actor,
    )
    return [*gone, *sorted(before - _held(session, user_id))]


def _held(session: Session, user_id: int) -> set[str]:
    return {one.kind for one in enrolled.held(session, user_id)}
