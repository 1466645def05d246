"""What an upstream says otherwise than our records: held until somebody has looked.

Name or birth date differ, the number is hers. Nobody is linked meanwhile. Whoever decides has not
entered what differs; her yes is for exactly what was said, and the link is still made by the person
herself. Name and birth date are sealed, and forgotten with the decision.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.eid.vouched import Vouched, same_birth, same_name
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.errors import Conflict, NotAllowed, NotFound
from directory.changes.model import Change, ChangeLine
from directory.eid_links import Identity
from directory.people import User
from directory.permissions import Rights, visible_people

_PURPOSE = "eid-review"


class Decision(StrEnum):
    """What somebody has found."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class EidReview(Base):
    """One difference between an upstream's word and a person's record."""

    __tablename__ = "eid_review"
    __table_args__ = (UniqueConstraint("user_id", "issuer", "subject", "said"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    upstream: Mapped[str]
    issuer: Mapped[str]
    subject: Mapped[str]
    said: Mapped[str]
    """Keyed digest of name and birth date on both sides: another word is another question."""
    told_sealed: Mapped[str | None]
    """Name and birth date as upstream has them, until it is decided."""
    differs: Mapped[list[str]]
    """``full_name``, ``birth_date``."""
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decision: Mapped[str | None]
    decided_by: Mapped[int | None] = mapped_column(Key)


@dataclass(frozen=True)
class Question:
    """An open review as its page shows it."""

    id: int
    user: User
    upstream: str
    differs: Sequence[str]
    full_name: str
    birth_date: str
    created_at: datetime
    entered_by_viewer: bool


def differences(user: User, vouched: Vouched) -> list[str]:
    """Which of name and birth date are not the same person's."""
    found = []
    if not same_name(user.full_name, vouched.full_name):
        found.append("full_name")
    if not same_birth(user.birth_date, vouched.birth_date):
        found.append("birth_date")
    return found


def _digest(keyring: Keyring, user: User, vouched: Vouched) -> str:
    both = [user.full_name, user.birth_date, vouched.full_name, vouched.birth_date]
    return keyring.keyed_hash("eid-review", json.dumps(both, ensure_ascii=False))


def decided(
    session: Session, keyring: Keyring, user: User, identity: Identity, vouched: Vouched
) -> Decision | None:
    """What was found of exactly this difference; None where nobody has decided."""
    found = session.scalar(
        select(EidReview.decision).where(*_same(keyring, user, identity, vouched))
    )
    return Decision(found) if found else None


def _same(keyring: Keyring, user: User, identity: Identity, vouched: Vouched) -> Sequence[Any]:
    return (
        EidReview.user_id == user.id,
        EidReview.issuer == identity.issuer,
        EidReview.subject == identity.subject,
        EidReview.said == _digest(keyring, user, vouched),
    )


def ask(
    session: Session,
    keyring: Keyring,
    user: User,
    identity: Identity,
    vouched: Vouched,
    *,
    now: datetime,
    actor: Actor,
) -> None:
    """Put a difference before somebody, once."""
    if session.scalar(select(EidReview.id).where(*_same(keyring, user, identity, vouched))):
        return
    differs = differences(user, vouched)
    told = json.dumps([vouched.full_name, vouched.birth_date], ensure_ascii=False)
    session.add(
        EidReview(
            user_id=user.id,
            upstream=identity.upstream,
            issuer=identity.issuer,
            subject=identity.subject,
            said=_digest(keyring, user, vouched),
            told_sealed=keyring.encrypt(_PURPOSE, told.encode()),
            differs=differs,
            created_at=now,
        )
    )
    session.flush()
    audit.record(
        session,
        Tag.EID_REVIEW,
        at=now,
        actor=actor,
        subject=("user", user.id),
        data={"upstream": identity.upstream, "what": "asked", "differs": differs},
    )


def waiting(
    session: Session, keyring: Keyring, rights: Rights, viewer: Actor, *, on: date
) -> list[Question]:
    """What waits for a decision about people whom the viewer may see, the oldest first."""
    rows = session.execute(
        select(EidReview, User)
        .join(User, User.id == EidReview.user_id)
        .where(EidReview.decision.is_(None), visible_people(rights, on))
        .order_by(EidReview.id)
        .limit(200)
    ).all()
    found = []
    for row, user in rows:
        name, birth = json.loads(keyring.decrypt(_PURPOSE, row.told_sealed or ""))
        if same_name(user.full_name, name) and same_birth(user.birth_date, birth):
            continue  # the record has been corrected since
        entered = _entered(session, user.id, viewer)
        found.append(
            Question(row.id, user, row.upstream, row.differs, name, birth, row.created_at, entered)
        )
    return found


def _entered(session: Session, user_id: int, actor: Actor) -> bool:
    """Whether somebody has entered what our record says of a person, or is that person."""
    if actor.kind == "user" and actor.id == user_id:
        return True
    found = session.scalar(
        select(Change.id)
        .join(ChangeLine, ChangeLine.change_id == Change.id)
        .where(
            ChangeLine.table == "users",
            ChangeLine.user_id == user_id,
            Change.actor_kind == actor.kind,
            Change.actor_id == actor.id
            if actor.id is not None
            else Change.actor_label == actor.label,
        )
        .limit(1)
    )
    return found is not None


def person(session: Session, review_id: int) -> int:
    """Whom it is about. Raises NotFound."""
    found = session.scalar(select(EidReview.user_id).where(EidReview.id == review_id))
    if found is None:
        raise NotFound("eid_review_unknown", "Không tìm thấy mục cần xem lại.")
    return found


def decide(
    session: Session, review_id: int, decision: Decision, *, now: datetime, actor: Actor
) -> None:
    """Say whether it is one person. Whether the actor may act for her has been asked. Raises
    NotAllowed for whoever entered the data, Conflict where it is decided.
    """
    user_id = person(session, review_id)
    if _entered(session, user_id, actor):
        raise NotAllowed(
            "eid_review_own",
            "Người đã nhập dữ liệu, hoặc chính người đó, không được tự quyết định. Hãy nhờ đồng"
            " nghiệp.",
            missing="second",
        )
    done = session.execute(
        update(EidReview)
        .where(EidReview.id == review_id, EidReview.decision.is_(None))
        .values(decision=decision.value, decided_at=now, decided_by=actor.id, told_sealed=None)
        .returning(EidReview.upstream)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if done is None:
        raise Conflict("eid_review_done", "Mục này đã được quyết định.")
    audit.record(
        session,
        Tag.EID_REVIEW,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"upstream": done.upstream, "what": decision.value},
    )
