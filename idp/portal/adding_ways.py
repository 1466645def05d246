"""What holds of each way to sign in that I add: who may, how many, and the codes that come with the first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from flask import redirect, render_template, url_for
from sqlalchemy.orm import Session

from directory import people
from directory.base.errors import Conflict
from idp.assurance import TWO_FACTORS, reaches
from idp.factors import by_recovery_code, second_factors
from idp.factors.enrolled import HeldFactor
from idp.portal import pages_ways
from idp.sessions import SessionView
from idp.web import gate
from idp.web.gate import actor, current_session, services

MOST_APPS = 5
"""Apps one person may have at once."""
MOST_PASSKEYS = 10
MOST_CERTIFICATES = 5


def me() -> SessionView:
    """The session of a guarded view."""
    return cast("SessionView", current_session())


def here() -> Any:
    """Back to the page of my ways."""
    return redirect(url_for("portal.ways"), 303)


def proven_anew() -> Any:
    """Where whoever is to prove herself as strongly as what she touches goes; None where she has, a
    moment ago. Raises NotAllowed where she cannot.
    """
    has, mine = services(), me()
    with has.db.read() as session:
        least = pages_ways.asked_for(session, mine, now=has.clock(), settings=has.settings)
    if least is None:
        return None
    return redirect(gate.login_url(gate.back_here(), prompt="login", least=least), 303)


def room(held: Sequence[HeldFactor], kind: str, most: int) -> bool:
    """Whether she may have one more of a kind."""
    return sum(one.kind == kind for one in held) < most


def lock(session: Session, mine: SessionView) -> None:
    """Nothing of hers changes until this is written. Raises Conflict where something just has: what
    is cut meanwhile leaves nothing new behind.
    """
    person = people.lock(session, [mine.user_id])[0]
    if person.access_epoch != mine.user_epoch:
        raise Conflict(
            "login_overtaken", "Thông tin công tác của bạn vừa thay đổi. Hãy đăng nhập lại."
        )


def may_add(session: Session, mine: SessionView) -> bool:
    """Whether she may enrol one more now; she is locked. Raises Conflict."""
    lock(session, mine)
    # Where it is not so, somebody who knows the password too was first.
    beside = second_factors.of(session, mine.user_id)
    return reaches(mine.acr, TWO_FACTORS) or beside.may_begin()


def first_sheet(session: Session, held: Sequence[HeldFactor], *, now: datetime) -> Any:
    """The codes that come with her first second factor; None for whoever has a sheet."""
    if by_recovery_code.CODE in {one.kind for one in held}:
        return None
    return by_recovery_code.issue(session, services().keyring, me().user_id, now=now, actor=actor())


def sheet(codes: Any) -> str:
    """New codes, to be printed."""
    has, mine = services(), me()
    return render_template(
        "portal/recovery_codes.html",
        codes=codes,
        username=mine.username,
        full_name=mine.full_name,
        made_at=has.clock(),
        asked_where=gate.absolute("/"),
    )
