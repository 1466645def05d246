"""Of what people have enrolled, the keys: each says itself which it is, and counts for itself."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Text, and_, bindparam, cast, or_, select, update
from sqlalchemy.orm import Session

from directory.base.db import UTCDateTime, core
from directory.base.rows import batches
from directory.entitlements import Installation
from directory.people import User
from idp.factors.enrolled import LIVE, EnrolledFactor
from idp.factors.factor import Epochs

_USE = (
    update(EnrolledFactor)
    .where(
        EnrolledFactor.id == bindparam("factor"),
        or_(
            EnrolledFactor.counter < bindparam("step", type_=BigInteger()),
            and_(EnrolledFactor.counter == 0, bindparam("step", type_=BigInteger()) == 0),
        ),
        LIVE,
    )
    .values(
        counter=bindparam("step", type_=BigInteger()),
        public=bindparam("told", type_=EnrolledFactor.public.type),
        last_used_at=bindparam("now", type_=UTCDateTime()),
    )
    .returning(EnrolledFactor.id)
)
_NAMED = (
    select(
        EnrolledFactor.id,
        EnrolledFactor.user_id,
        EnrolledFactor.public,
        EnrolledFactor.counter,
        EnrolledFactor.ended_at,
        User.access_epoch,
        select(Installation.epoch).scalar_subquery().label("installation"),
    )
    .join(User, User.id == EnrolledFactor.user_id)
    .where(EnrolledFactor.origin == bindparam("origin"), EnrolledFactor.kind == bindparam("kind"))
)


@dataclass(frozen=True)
class Named:
    """One that says itself which it is, and the epochs before anything is looked at."""

    id: int
    user_id: int
    public: Mapping[str, Any]
    counter: int
    live: bool
    epochs: Epochs


def named_by(where: Connection | Session, origin: str, kind: str) -> Named | None:
    """The one of this origin, anybody's, ended or not. One SELECT."""
    row = core(where).execute(_NAMED, {"origin": origin, "kind": kind}).one_or_none()
    if row is None:
        return None
    epochs = Epochs(row.access_epoch, row.installation)
    return Named(row.id, row.user_id, row.public, row.counter, row.ended_at is None, epochs)


def give_way(session: Session, origin: str) -> None:
    """The one of this origin that has ended, anybody's, is found by it no more: something that comes
    back may be enrolled anew.
    """
    session.execute(
        update(EnrolledFactor)
        .where(EnrolledFactor.origin == origin, EnrolledFactor.ended_at.is_not(None))
        .values(origin=EnrolledFactor.origin + ":" + cast(EnrolledFactor.id, Text))
        .execution_options(synchronize_session=False)
    )


def publics_of(where: Connection | Session, user_id: int, kind: str) -> list[Mapping[str, Any]]:
    """What anybody may know of those of a kind that she has, oldest first. One SELECT."""
    mine = EnrolledFactor.user_id == user_id, EnrolledFactor.kind == kind, LIVE
    found = select(EnrolledFactor.public).where(*mine).order_by(EnrolledFactor.id)
    return list(core(where).execute(found).scalars())


def publics_of_many(
    session: Session, user_ids: Iterable[int], kind: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The same of many people, with whose each is."""
    for part in batches(sorted(set(user_ids))):
        theirs = EnrolledFactor.user_id.in_(part), EnrolledFactor.kind == kind, LIVE
        rows = session.execute(
            select(EnrolledFactor.user_id, EnrolledFactor.public)
            .where(*theirs)
            .order_by(EnrolledFactor.user_id, EnrolledFactor.id)
        )
        for user_id, public in rows:
            yield user_id, public or {}


def use(
    session: Session,
    factor_id: int,
    step: int,
    *,
    public: Mapping[str, Any],
    now: datetime,
) -> bool:
    """Write down that one was used which counts for itself; False where it has ended, or where its
    count does not go on. One that never counts stays at 0.
    """
    told = {"factor": factor_id, "step": step, "told": dict(public), "now": now}
    return core(session).execute(_USE, told).one_or_none() is not None
