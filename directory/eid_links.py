"""Links between a person and her electronic identities: who an upstream's subject is here.

A link is made once, by her, of a number that both sides know; it is good only while she has that
number. A subject is kept as a keyed digest: at some upstreams it is the citizen number. What tokens tell
of it (``User.eid_level`` and its neighbours) is what the newest use said.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    ForeignKey,
    UniqueConstraint,
    and_,
    delete,
    exists,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key, core, read_anew
from directory.base.errors import Conflict
from directory.base.rows import batches
from directory.people import User


class EidLink(Base):
    """One electronic identity of one person."""

    __tablename__ = "eid_link"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        UniqueConstraint("user_id", "upstream"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    upstream: Mapped[str]
    """Its name."""
    issuer: Mapped[str]
    subject: Mapped[str]
    """``digest``."""
    citizen_hash: Mapped[str]
    """Of the number that both sides knew when it was made."""
    level: Mapped[int]
    via: Mapped[str]
    linked_at: Mapped[datetime]
    used_at: Mapped[datetime]


@dataclass(frozen=True)
class Identity:
    """Who somebody is at an upstream, as a link knows it."""

    upstream: str
    issuer: str
    subject: str
    citizen_hash: str
    level: int
    via: str = ""


def digest(keyring: Keyring, issuer: str, subject: str) -> str:
    """What is kept of a subject."""
    return keyring.keyed_hash("eid-subject", f"{issuer}\0{subject}")


def good() -> ColumnElement[bool]:
    """The SQL condition on ``EidLink`` and ``User``: its number is hers today."""
    return and_(EidLink.user_id == User.id, EidLink.citizen_hash == User.citizen_hash)


def of_subject(where: Connection | Session, issuer: str, subject: str) -> tuple[int, str] | None:
    """(whose, of which number) the link of a subject is; None where there is none."""
    row = (
        core(where)
        .execute(
            select(EidLink.user_id, EidLink.citizen_hash).where(
                EidLink.issuer == issuer, EidLink.subject == subject
            )
        )
        .one_or_none()
    )
    return None if row is None else (row.user_id, row.citizen_hash)


def has(where: Connection | Session, user_id: int, upstream: str) -> bool:
    """Whether she has a link there that is good."""
    found = exists().where(good(), User.id == user_id, EidLink.upstream == upstream)
    return bool(core(where).scalar(select(found)))


def linked() -> ColumnElement[bool]:
    """The SQL condition on ``User``: some upstream has vouched for her, and may again."""
    return exists().where(good()).correlate(User)


def of_person(session: Session, user_id: int) -> Sequence[EidLink]:
    """Her links that are good, by upstream."""
    return session.scalars(
        select(EidLink)
        .join(User, good())
        .where(EidLink.user_id == user_id)
        .order_by(EidLink.upstream)
    ).all()


def make(
    session: Session, user_id: int, identity: Identity, *, now: datetime, actor: Actor
) -> None:
    """Link her, in the caller's transaction. Raises Conflict where her number has changed since, or
    where she, or the subject, has been linked otherwise.
    """
    number = session.scalar(
        select(User.citizen_hash).where(User.id == user_id).with_for_update(key_share=True)
    )
    if number != identity.citizen_hash:
        raise overtaken()
    before = of_subject(session, identity.issuer, identity.subject)
    if before == (user_id, number):
        use(session, user_id, identity, now=now)
        return
    if before is not None or has(session, user_id, identity.upstream):
        raise overtaken()
    session.execute(  # what is left of another number of hers
        delete(EidLink).where(EidLink.user_id == user_id, EidLink.upstream == identity.upstream)
    )
    session.add(
        EidLink(
            user_id=user_id,
            upstream=identity.upstream,
            issuer=identity.issuer,
            subject=identity.subject,
            citizen_hash=identity.citizen_hash,
            level=identity.level,
            via=identity.via,
            linked_at=now,
            used_at=now,
        )
    )
    session.flush()
    _tell(session, user_id, identity, now)
    audit.record(
        session,
        Tag.EID_LINK,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"upstream": identity.upstream, "issuer": identity.issuer, "level": identity.level},
    )


def use(session: Session, user_id: int, identity: Identity, *, now: datetime) -> None:
    """She has come by it again. Raises Conflict where it is no longer good."""
    number = select(User.citizen_hash).where(User.id == user_id).scalar_subquery()
    found = session.execute(
        update(EidLink)
        .where(
            EidLink.user_id == user_id,
            EidLink.issuer == identity.issuer,
            EidLink.subject == identity.subject,
            EidLink.citizen_hash == identity.citizen_hash,
            EidLink.citizen_hash == number,
        )
        .values(level=identity.level, via=identity.via, used_at=now)
        .returning(EidLink.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if found is None:
        raise overtaken()
    _tell(session, user_id, identity, now)


def _tell(session: Session, user_id: int, identity: Identity, now: datetime) -> None:
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(
            eid_issuer=identity.issuer,
            eid_subject=identity.subject,
            eid_level=identity.level,
            eid_verified_at=now,
        )
        .execution_options(synchronize_session=False)
    )
    read_anew(session)


def end(
    session: Session,
    users: Iterable[int],
    *,
    why: str,
    now: datetime,
    actor: Actor,
    change_id: str | None = None,
) -> list[int]:
    """Take their links away, and what tokens told of them. Whose they were, each once."""
    whose: set[int] = set()
    for part in batches(sorted(set(users))):
        gone = session.execute(
            delete(EidLink)
            .where(EidLink.user_id.in_(part))
            .returning(EidLink.user_id, EidLink.upstream, EidLink.issuer)
        ).all()
        session.execute(
            update(User)
            .where(User.id.in_(part))
            .values(eid_issuer=None, eid_subject=None, eid_level=None, eid_verified_at=None)
            .execution_options(synchronize_session=False)
        )
        whose.update(one.user_id for one in gone)
        for one in gone:
            audit.record(
                session,
                Tag.EID_UNLINK,
                at=now,
                actor=actor,
                subject=("user", one.user_id),
                change_id=change_id,
                data={"upstream": one.upstream, "issuer": one.issuer, "why": why},
            )
    read_anew(session)
    return sorted(whose)


def overtaken() -> Conflict:
    """What she was asked about is not so any more."""
    return Conflict("eid_overtaken", "Thông tin định danh của bạn vừa thay đổi. Hãy đăng nhập lại.")
