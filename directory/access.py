"""Whether something issued to a person is still good, decided in SQL at the moment of use.

One condition for sessions, grants and every token that hangs on them. It holds
only while

- the person is active and her day of leaving has not come,
- her access epoch and the installation's are those the thing was issued under (a counter, no
  clock: what raced an open commit carries the old epoch and is dead),
- no dated cut lies between its issue and now,
- the assignment it acts under, if any, is in force today.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select

from directory.assignments import Assignment
from directory.base.clock import local_day
from directory.base.rows import in_force
from directory.entitlements import Installation
from directory.people import User, UserCut, active


def still_good(
    *,
    user_epoch: Any,
    installation_epoch: Any,
    assignment_id: Any,
    issued_at: Any,
    now: datetime | Any,
    today: Any = None,
) -> ColumnElement[bool]:
    """The condition over the issued row's columns; the statement must join ``User`` on its
    user and outer-join ``Assignment`` on its assignment.

    Statements made once and run often give ``now`` and ``today`` as bound parameters.
    """
    today = local_day(now) if today is None else today
    cut = exists(
        select(UserCut.id).where(
            UserCut.user_id == User.id,
            or_(UserCut.assignment_id.is_(None), UserCut.assignment_id == assignment_id),
            UserCut.at > issued_at,
            UserCut.at <= now,
        )
    ).correlate_except(UserCut)
    return and_(
        active(today),
        User.access_epoch == user_epoch,
        select(Installation.epoch).scalar_subquery() == installation_epoch,
        or_(
            assignment_id.is_(None),
            in_force(Assignment, today),
        ),
        ~cut,
    )
