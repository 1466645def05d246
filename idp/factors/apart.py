"""What one officer does not do to one person within a day: give her a password, and take all else.

Whoever did both would have become her. It is asked of console and command line alike, in both orders;
another officer may, and so may the same one a day later.
"""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.errors import Conflict
from idp.factors import resetting, slips

APART = timedelta(hours=24)


def require_slip(session: Session, user_id: int, actor: Actor, *, now: datetime) -> None:
    """Raises Conflict where this officer has reset what the person had beside her password."""
    if resetting.done_by(session, user_id, actor, since=now - APART):
        raise Conflict(
            "both_factors",
            "Bạn vừa đặt lại cách xác thực thứ hai của người này. Trong 24 giờ, phiếu kích hoạt phải "
            "do cán bộ khác cấp.",
        )


def require_reset(session: Session, user_id: int, actor: Actor, *, now: datetime) -> None:
    """Raises Conflict where this officer has given the person a slip."""
    if slips.issued_by(session, user_id, actor, since=now - APART):
        raise Conflict(
            "both_factors",
            "Bạn vừa cấp phiếu kích hoạt cho người này. Trong 24 giờ, cách xác thực thứ hai phải do "
            "cán bộ khác đặt lại.",
        )
