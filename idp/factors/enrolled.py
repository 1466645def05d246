"""What a person has enrolled to prove herself with: one row each, whichever factor it belongs to.

A row belongs to one person, has a name that she gave it and ends once, for a reason that is kept:

    removed     by herself
    replaced    by newer ones of its kind
    used_up     nothing of it is left
    lost        she reported it; what is demanded of her stays what it was
    made_good   lost, and since then she has proven herself as strongly as before
    reset       by an officer, for her to begin anew
    change:<id> she is in service again and begins anew, or has another citizen number

Whatever somebody else does for her to begin anew (``reset``, ``change``) ends a reported loss as it
ends what is left: she is no worse off for having reported it. What she does herself never does, but
for enrolling, for which she has proven herself as strongly as before.

Nothing here opens a door: whether she may act is asked where it is used, as for her password.
Who may enrol the first, says ``second_factors``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors import notices
from connectors.notices import Notice
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.db import AUTOINCREMENT, Base, Key, UTCDateTime, core
from directory.base.errors import InvalidInput, NotFound
from directory.base.rows import batches, insert_into
from directory.base.text import clean
from directory.entitlements import Installation
from directory.people import User
from idp.factors.factor import Epochs

NAME_LONGEST = 60
"""Characters of the name that she gives it."""


class EnrolledFactor(Base):
    """One thing that one person proves herself with."""

    __tablename__ = "enrolled_factor"
    __table_args__ = (
        Index("ix_enrolled_factor_user", "user_id", "ended_at"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    """The code of its factor (``idp.factors.registry``)."""
    name: Mapped[str]
    origin: Mapped[str] = mapped_column(unique=True)
    """Keyed hash of the act that enrolled it: a form sent twice enrols once."""
    secret: Mapped[str | None]
    """Sealed by the keyring."""
    public: Mapped[dict[str, Any] | None]
    """What anybody may know of it."""
    counter: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """The newest that was spent: only ever raised, by ``spend``."""
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None]
    ended_by: Mapped[str | None]
    """Key of the actor."""


@dataclass(frozen=True)
class HeldFactor:
    """One that a person has, as she is shown it."""

    id: int
    kind: str
    name: str
    created_at: datetime
    last_used_at: datetime | None


LIVE = EnrolledFactor.ended_at.is_(None)
"""The condition of one that has not ended."""
_LOST = EnrolledFactor.ended_as == "lost"
_SPEND = (
    update(EnrolledFactor)
    .where(
        EnrolledFactor.id == bindparam("factor"),
        EnrolledFactor.counter < bindparam("step", type_=BigInteger()),
        LIVE,
    )
    .values(
        counter=bindparam("step", type_=BigInteger()),
        last_used_at=bindparam("now", type_=UTCDateTime()),
    )
    .returning(EnrolledFactor.id)
)
# An outer join: epochs are read where she has none of the kind, too.
_OF_KIND = (
    select(
        User.access_epoch,
        select(Installation.epoch).scalar_subquery().label("installation"),
        EnrolledFactor.id,
        EnrolledFactor.secret,
    )
    .outerjoin(
        EnrolledFactor,
        and_(EnrolledFactor.user_id == User.id, EnrolledFactor.kind == bindparam("kind"), LIVE),
    )
    .where(User.id == bindparam("user"))
    .order_by(EnrolledFactor.id)
)


@dataclass(frozen=True)
class Secrets:
    """Those of one kind that a person has, and the epochs before anything is looked at."""

    epochs: Epochs
    sealed: Mapping[int, str]


def secrets_of(where: Connection | Session, user_id: int, kind: str) -> Secrets:
    """Her sealed secrets of one kind, by the row, with the epochs. One SELECT."""
    rows = core(where).execute(_OF_KIND, {"user": user_id, "kind": kind}).all()
    epochs = Epochs(rows[0].access_epoch, rows[0].installation) if rows else Epochs(0, 0)
    return Secrets(epochs, {row.id: row.secret for row in rows if row.id is not None})


def held(where: Connection | Session, user_id: int) -> list[HeldFactor]:
    """What a person has, oldest first."""
    rows = core(where).execute(
        select(
            EnrolledFactor.id,
            EnrolledFactor.kind,
            EnrolledFactor.name,
            EnrolledFactor.created_at,
            EnrolledFactor.last_used_at,
        )
        .where(EnrolledFactor.user_id == user_id, LIVE)
        .order_by(EnrolledFactor.id)
    )
    return [HeldFactor(*row) for row in rows]


def count_ever(where: Connection | Session, user_id: int) -> int:
    """How many she has ever enrolled."""
    counted = select(func.count()).where(EnrolledFactor.user_id == user_id)
    return int(core(where).execute(counted).scalar_one())


def enrol(  # noqa: PLR0913 (one keyword per column)
    session: Session,
    user_id: int,
    *,
    kind: str,
    name: str,
    origin: str,
    now: datetime,
    actor: Actor,
    secret: str | None = None,
    public: Mapping[str, Any] | None = None,
    counter: int = 0,
    notice: Notice = Notice.FACTOR_ADDED,
) -> int | None:
    """The id of a new one; None where this very act has enrolled it before. A loss that she has
    reported is made good by it: the caller has seen her prove herself as strongly as before.
    """
    made: int | None = session.execute(
        insert_into(session, EnrolledFactor)
        .values(
            user_id=user_id,
            kind=kind,
            name=named(name),
            origin=origin,
            secret=secret,
            public=dict(public) if public is not None else None,
            counter=counter,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["origin"])
        .returning(EnrolledFactor.id)
    ).scalar_one_or_none()
    if made is not None:
        make_good(session, user_id)
        _record(session, Tag.FACTOR_ENROL, user_id, now=now, actor=actor, kind=kind)
        notices.tell(session, user_id, notice, now=now, actor=actor, factor=kind)
    return made


def make_good(session: Session, user_id: int) -> None:
    """What this person has lost stands in no way any more."""
    session.execute(
        update(EnrolledFactor)
        .where(EnrolledFactor.user_id == user_id, _LOST)
        .values(ended_as="made_good")
        .execution_options(synchronize_session=False)
    )


def spend(session: Session, factor_id: int, step: int, *, now: datetime) -> bool:
    """Use up one step, and all before it; False where it is used up, or the factor has ended. One
    UPDATE: of many at once, one is told True.
    """
    spent = {"factor": factor_id, "step": step, "now": now}
    return core(session).execute(_SPEND, spent).one_or_none() is not None


def rename(
    session: Session, user_id: int, factor_id: int, name: str, *, now: datetime, actor: Actor
) -> None:
    """Call it something else. Raises NotFound, InvalidInput."""
    changed = session.execute(
        update(EnrolledFactor)
        .where(EnrolledFactor.id == factor_id, EnrolledFactor.user_id == user_id, LIVE)
        .values(name=named(name))
        .returning(EnrolledFactor.kind)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if changed is None:
        raise unknown()
    _record(session, Tag.FACTOR_RENAME, user_id, now=now, actor=actor, kind=changed)
    notices.tell(session, user_id, Notice.FACTOR_RENAMED, now=now, actor=actor, factor=changed)


def end(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    user_ids: Iterable[int],
    *,
    why: str,
    now: datetime,
    actor: Actor,
    only: int | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    change_id: str | None = None,
    losses: bool = False,
) -> list[int]:
    """End what these people have: ``only`` this one, or those of a kind, or those enrolled ``since``;
    with ``losses`` for them to begin anew, so that what they have lost stands in no way either.
    Whose it was, each once. What is removed or lost is told here; of the other reasons tells whoever
    has them, with what else they do.
    """
    gone: dict[int, list[str]] = {}
    narrower = [EnrolledFactor.id == only] if only is not None else []
    narrower += [EnrolledFactor.kind == kind] if kind is not None else []
    narrower += [EnrolledFactor.created_at >= since] if since is not None else []
    for part in batches(sorted(set(user_ids))):
        rows = session.execute(
            update(EnrolledFactor)
            .where(
                EnrolledFactor.user_id.in_(part), or_(LIVE, _LOST) if losses else LIVE, *narrower
            )
            .values(ended_at=now, ended_as=why, ended_by=actor.key)
            .returning(EnrolledFactor.user_id, EnrolledFactor.kind)
            .execution_options(synchronize_session=False)
        ).all()
        for user_id, kind_ in sorted((row.user_id, row.kind) for row in rows):
            gone.setdefault(user_id, []).append(kind_)
            _record(
                session,
                Tag.FACTOR_END,
                user_id,
                now=now,
                actor=actor,
                kind=kind_,
                change_id=change_id,
                reason=why.partition(":")[0],
            )
    for user_id, ended in gone.items() if why in _TOLD else ():
        factors = ",".join(dict.fromkeys(ended))
        notices.tell(session, user_id, _TOLD[why], now=now, actor=actor, factor=factors)
    return sorted(gone)


_TOLD = {"removed": Notice.FACTOR_REMOVED, "lost": Notice.LOSS_REPORTED}


def reset(session: Session, user_id: int, *, now: datetime, actor: Actor) -> bool:
    """End what she has, and what she has lost with it, as reset by this officer; whether there was any."""
    return bool(end(session, [user_id], why="reset", now=now, actor=actor, losses=True))


def reset_by(where: Connection | Session, user_id: int, actor: Actor, *, since: datetime) -> bool:
    """Whether this officer has reset what she had enrolled since then."""
    found = select(EnrolledFactor.id).where(
        EnrolledFactor.user_id == user_id,
        EnrolledFactor.ended_as == "reset",
        EnrolledFactor.ended_by == actor.key,
        EnrolledFactor.ended_at > since,
    )
    return core(where).execute(found.limit(1)).first() is not None


def having(session: Session, user_ids: Iterable[int]) -> list[int]:
    """Those of these people who have something enrolled, or have reported a loss."""
    found: set[int] = set()
    for part in batches(sorted(set(user_ids))):
        mine = EnrolledFactor.user_id.in_(part)
        found.update(session.scalars(select(EnrolledFactor.user_id).where(mine, or_(LIVE, _LOST))))
    return sorted(found)


def ever_had_one() -> ColumnElement[bool]:
    """The SQL condition on ``User``: she has ever had something enrolled."""
    return exists().where(EnrolledFactor.user_id == User.id).correlate(User)


def named(name: str) -> str:
    """A name as it is stored. Raises InvalidInput."""
    name = clean(name)
    if not name or len(name) > NAME_LONGEST:
        raise InvalidInput(
            "factor_name", "Tên dài từ 1 đến {most} ký tự.", field="name", most=NAME_LONGEST
        )
    return name


def unknown() -> NotFound:
    """She has no such thing, or no longer."""
    return NotFound("factor_unknown", "Không còn cách đăng nhập này. Hãy tải lại trang.")


def _record(
    session: Session,
    tag: Tag,
    user_id: int,
    *,
    now: datetime,
    actor: Actor,
    kind: str,
    change_id: str | None = None,
    **more: str,
) -> None:
    audit.record(
        session,
        tag,
        at=now,
        actor=actor,
        subject=("user", user_id),
        change_id=change_id,
        data={"factors": [kind], **more},
    )
