"""What an HR officer does for a person's sign-in: a new slip, an end to a lock, the second factor reset.

One officer alone must not become anybody: whoever has given a person a slip, and so a password, resets
nothing else of hers for a day, nor the other way round.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from directory import people, permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, NotAllowed
from idp import sessions
from idp.console import pages_people
from idp.factors import resetting, slips, throttle

APART = timedelta(hours=24)


def issue_slip(
    session: Session,
    user_id: int,
    *,
    actor: Actor,
    keyring: Keyring,
    settings: Settings,
    now: datetime,
) -> str:
    """The code of a new activation slip. Raises NotFound, NotAllowed, Conflict."""
    _require_reset(session, user_id, actor, now)
    people.lock(session, [user_id])  # of a slip and a reset at one moment the second sees the first
    if resetting.done_by(session, user_id, actor, since=now - APART):
        raise Conflict(
            "both_factors",
            "Bạn vừa đặt lại cách xác thực thứ hai của người này. Trong 24 giờ, phiếu kích hoạt phải "
            "do cán bộ khác cấp.",
        )
    return slips.issue(
        session, keyring, user_id, now=now, lifetime=settings.activation_lifetime, actor=actor
    )


def reset_factors(
    session: Session, user_id: int, *, actor: Actor, now: datetime
) -> list[str] | None:
    """End what a person has beside her password, this and her sessions, for her to begin anew with a
    slip: which sessions these were; None if she had nothing. Raises NotFound, NotAllowed, Conflict.
    """
    _require_reset(session, user_id, actor, now)
    user = people.lock(session, [user_id])[0]
    if slips.issued_by(session, user_id, actor, since=now - APART):
        raise Conflict(
            "both_factors",
            "Bạn vừa cấp phiếu kích hoạt cho người này. Trong 24 giờ, cách xác thực thứ hai phải do "
            "cán bộ khác đặt lại.",
        )
    if not resetting.reset(session, user_id, now=now, actor=actor):
        return None
    throttle.unlock(session, user_id, now=now, actor=actor)
    _, gone = sessions.cut_others(
        session,
        user_id,
        epoch=user.access_epoch,
        keep=None,
        now=now,
        actor=actor,
        reason="factor",
    )
    return gone


def unlock(session: Session, user_id: int, *, actor: Actor, now: datetime) -> bool:
    """Let a person try to sign in again; False if she was not locked. Raises NotFound, NotAllowed."""
    _require_reset(session, user_id, actor, now)
    return throttle.unlock(session, user_id, now=now, actor=actor)


def _require_reset(session: Session, user_id: int, actor: Actor, now: datetime) -> None:
    granted = permissions.rights(session, actor, local_day(now))
    if not pages_people.whole(session, granted, user_id, now=now).may_reset:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="source")
