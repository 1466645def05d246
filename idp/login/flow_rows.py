"""The stored sign-in, and the statements about it.

They are made once each: to make a statement, and to find it among those compiled, costs
SQLAlchemy more than to run it, and a sign-in is mostly statements.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    Boolean,
    ForeignKey,
    Text,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from directory.base import hot
from directory.base.db import Base, Key, UTCDateTime
from directory.base.rows import for_each_dialect
from directory.people import User
from idp.login import person


class LoginFlow(Base):
    """One sign-in under way."""

    __tablename__ = "login_flow"

    id: Mapped[str] = mapped_column(primary_key=True)
    return_to: Mapped[str]
    client_id: Mapped[int | None] = mapped_column(Key)
    """Internal id of the relying party that asks, if one does."""
    request: Mapped[dict[str, Any]]
    """demand, login_hint, ui_locales, form_origin, party; prompt for the release before."""
    browser: Mapped[str | None]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    user_epoch: Mapped[int | None]
    installation_epoch: Mapped[int | None]
    password_at: Mapped[datetime | None]
    """When the password was proven, if it was: what the release before looks at."""
    proven: Mapped[dict[str, Any] | None]
    """``user``: whose the proofs are; ``by``: each, oldest first. Those count that are of the row's
    person and epochs.
    """
    must_change: Mapped[bool] = mapped_column(default=False)
    assignment_id: Mapped[int | None] = mapped_column(Key)
    capacity_chosen: Mapped[bool] = mapped_column(default=False)
    done_at: Mapped[datetime | None]
    session_id: Mapped[str | None]
    consumed: Mapped[bool] = mapped_column(default=False)


_NOW = bindparam("now", type_=UTCDateTime())
_FLOW: BindParameter[str] = bindparam("flow", type_=Text())
BEGIN = for_each_dialect(
    lambda insert: insert(LoginFlow).on_conflict_do_nothing(index_elements=["id"])
)
STATE = (
    LoginFlow.id,
    LoginFlow.return_to,
    LoginFlow.client_id,
    LoginFlow.request,
    LoginFlow.browser,
    LoginFlow.expires_at,
    LoginFlow.user_id,
    LoginFlow.password_at,
    LoginFlow.proven,
    LoginFlow.user_epoch,
    LoginFlow.installation_epoch,
    LoginFlow.must_change,
    LoginFlow.assignment_id,
    LoginFlow.capacity_chosen,
    LoginFlow.done_at,
)
LOAD = hot.read(
    {
        name: select(*STATE, *columns)
        .select_from(LoginFlow)
        .outerjoin(User, User.id == LoginFlow.user_id)
        .where(
            LoginFlow.id == _FLOW,
            or_(
                LoginFlow.browser.is_(None), LoginFlow.browser == bindparam("browser", type_=Text())
            ),
        )
        for name, columns in person.COLUMNS.items()
    }
)
"""With whoever has proven something in it, as she stands (``person.of``)."""
_AT = bindparam("at", type_=UTCDateTime())
_CHANGE = bindparam("change", type_=Boolean())
_ON = bindparam("on", type_=Boolean())
"""Whether the post that she has chosen stays chosen."""
PROVEN_FIRST = (
    update(LoginFlow)
    .where(LoginFlow.id == _FLOW, LoginFlow.done_at.is_(None))
    .values(
        user_id=bindparam("user"),
        user_epoch=bindparam("epoch"),
        installation_epoch=bindparam("installation"),
        password_at=_AT,
        proven=bindparam("list", type_=LoginFlow.proven.type),
        must_change=_CHANGE,
        assignment_id=None,
        capacity_chosen=False,
    )
    .returning(LoginFlow.id)
)
"""Whatever stood there before was somebody else's, or is void."""
PROVEN_MORE = (
    update(LoginFlow)
    .where(
        LoginFlow.id == _FLOW,
        LoginFlow.done_at.is_(None),
        LoginFlow.user_id == bindparam("user"),
        LoginFlow.user_epoch == bindparam("epoch"),
        LoginFlow.installation_epoch == bindparam("installation"),
    )
    .values(
        password_at=func.coalesce(_AT, LoginFlow.password_at),
        proven=bindparam("list", type_=LoginFlow.proven.type),
        must_change=or_(LoginFlow.must_change, _CHANGE),
        assignment_id=case((_ON, LoginFlow.assignment_id), else_=None),
        capacity_chosen=and_(LoginFlow.capacity_chosen, _ON),
    )
    .returning(LoginFlow.id)
)
"""One more of the same person, under the same epochs."""
FINISH = (
    update(LoginFlow)
    .where(
        LoginFlow.id == _FLOW,
        LoginFlow.browser == bindparam("by"),
        LoginFlow.done_at.is_(None),
        LoginFlow.expires_at > _NOW,
        LoginFlow.user_id.is_not(None),
    )
    .values(done_at=_NOW)
    .returning(*STATE)
)
GAVE = (
    update(LoginFlow)
    .where(LoginFlow.id == _FLOW)
    .values(
        session_id=bindparam("session", type_=Text()),
        consumed=bindparam("consumed", type_=Boolean()),
    )
)
OWED = update(LoginFlow).where(LoginFlow.id == _FLOW).values(consumed=False)
CONSUME = (
    update(LoginFlow)
    .where(
        LoginFlow.id == _FLOW,
        LoginFlow.session_id == bindparam("session", type_=Text()),
        LoginFlow.return_to == bindparam("where", type_=Text()),
        LoginFlow.expires_at > _NOW,
        LoginFlow.done_at.is_not(None),
        LoginFlow.consumed.is_(False),
    )
    .values(consumed=True)
    .returning(LoginFlow.id)
)
