"""What an officer's reset ends: all that a person has enrolled, and her password with it.

A password alone would be enough to enrol the first factor anew: whoever has stolen it would wait for
the reset. So she begins with a slip, which another officer gives her.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import Actor, Tag
from idp.factors import by_password, enrolled, passwords


def reset(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """End what she has enrolled or lost, and void her password; False, and nothing done, if there was
    nothing. The caller has her lock, and ends her sessions.
    """
    if not enrolled.reset(session, user_id, now=now, actor=actor):
        return False
    if passwords.forget(session, [user_id]):
        audit.record(
            session,
            Tag.FACTOR_END,
            at=now,
            actor=actor,
            subject=("user", user_id),
            data={"factors": [by_password.CODE], "reason": "reset"},
        )
    return True
