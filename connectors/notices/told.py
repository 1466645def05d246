"""The table of notices: who is told what, at which addresses, and what became of it.

Addresses are those on record when it is told: whoever changes them afterwards does not choose who
learns of what he did before. A notice that is still waiting is not sent when its person has left, or when
a backup was put back: nobody knows whether it had gone out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, and_, bindparam, cast, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.notices.words import FACTS, WORDS, Notice, Words
from directory.assignments import Assignment
from directory.base import outbox, storable
from directory.base.audit import Actor
from directory.base.crypto import random_id
from directory.base.db import AUTOINCREMENT, Base, ByBytes, Key, core
from directory.base.outbox import Job, JobKind
from directory.base.rows import batches
from directory.base.text import clean
from directory.entitlements import Installation
from directory.people import User, UserStatus, active
from directory.permissions import AdminRole, Role, counting

FACT_LONGEST = 200
LANES = 2
"""How many notices are under way at once: a mail server that is slow delays only them."""


class Ending(StrEnum):
    """What became of a notice that nothing more is done about."""

    SENT = "sent"
    NO_ADDRESS = "no_address"
    NO_CHANNEL = "no_channel"
    LEFT = "left"
    RESTORED = "restored"


class NoticeRow(Base):
    """One thing that one person is told."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_user", "user_id", "id"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    ref: Mapped[str] = mapped_column(unique=True)
    """Names its messages outside, the same at every try."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    """Whom it is about."""
    what: Mapped[str]
    facts: Mapped[dict[str, Any]]
    addresses: Mapped[dict[str, Any]]
    """Where it goes, by medium, as on record when it was told; empty where officers are told."""
    installation_epoch: Mapped[int]
    told_at: Mapped[datetime] = mapped_column(index=True)
    sent: Mapped[dict[str, Any]]
    """When which channel took it for which address."""
    ended_at: Mapped[datetime | None]
    ended_as: Mapped[str | None]


class Medium(StrEnum):
    """In what form an address is written to."""

    MAIL = "mail"
    TEXT = "text"


@dataclass(frozen=True)
class Reach:
    """How somebody is reached."""

    email: str | None = None
    phone: str | None = None

    def at(self, medium: Medium) -> str | None:
        """Her address of that medium."""
        return self.email if medium is Medium.MAIL else self.phone


def tell(
    session: Session,
    user_id: int,
    what: Notice,
    *,
    now: datetime,
    actor: Actor | None = None,
    former: Reach | None = None,
    **facts: str | None,
) -> int:
    """Tell a person, at every address on record and at the ``former`` ones where they have just changed;
    of a notice for those who answer for security, them about her. The id of its row.

    ``facts`` are those of ``words.FACTS``, those that are not known left out; who did it and from where is
    taken from ``actor``.
    """
    return tell_all(session, {user_id: former}, what, now=now, actor=actor, **facts)[0]


def tell_all(
    session: Session,
    whom: Mapping[int, Reach | None],
    what: Notice,
    *,
    now: datetime,
    actor: Actor | None = None,
    **facts: str | None,
) -> list[int]:
    """The same to many, each with how she was reached before; in as few statements as for one."""
    connection, said, officers = core(session), _facts(facts, actor), WORDS[what].to_officers
    rows = []
    for some in batches(sorted(whom)):
        for person in connection.execute(_REACH, {"users": some}):
            reaches = [whom[person.id] or Reach(), Reach(person.email, person.phone)]
            addresses = {} if officers else _addresses(reaches)
            silent = not addresses and not officers
            rows.append(
                {
                    "ref": random_id(),
                    "user_id": person.id,
                    "what": what.value,
                    "facts": said,
                    "addresses": addresses,
                    "installation_epoch": person.epoch or 0,
                    "told_at": now,
                    "sent": {},
                    "ended_at": now if silent else None,
                    "ended_as": Ending.NO_ADDRESS.value if silent else None,
                }
            )
    if not rows:
        return []
    made = insert(NoticeRow).returning(NoticeRow.id, NoticeRow.ended_at)
    written = connection.execute(made, rows).all()
    jobs = [
        outbox.row_for(JobKind.NOTICE_SEND, str(row.id), now=now, lane=f"notice:{row.id % LANES}")
        for row in written
        if row.ended_at is None
    ]
    outbox.enqueue_rows(session, jobs)
    return [row.id for row in written]


_REACH = (
    select(
        User.id,
        User.email,
        User.phone,
        select(Installation.epoch).scalar_subquery().label("epoch"),
    )
    .where(User.id.in_(bindparam("users", expanding=True)))
    .order_by(User.id)
)


def _addresses(reaches: Iterable[Reach]) -> dict[str, list[str]]:
    """By medium, each once, the former first."""
    found = {m.value: dict.fromkeys(a for r in reaches if (a := r.at(m))) for m in Medium}
    return {medium: list(them) for medium, them in found.items() if them}


def _facts(given: Mapping[str, str | None], actor: Actor | None) -> dict[str, str]:
    known = {"by": actor.key, "ip": actor.ip} if actor is not None else {}
    said = {**known, **given}
    if strange := said.keys() - FACTS.keys():
        raise ValueError(f"no facts of a notice: {sorted(strange)}")
    return {name: _harmless(value) for name, value in said.items() if value}


_LINKED = re.compile(r"(?<=[^\W\d])\.(?=\w)|://|(?<=\w)@(?=\w)")


def _harmless(value: str) -> str:
    """One short line in which no mail program sees a link: part of it may be a stranger's own words (the
    name that his browser gives itself).
    """
    return _LINKED.sub(" ", storable.text(clean(value), FACT_LONGEST))


@dataclass(frozen=True)
class Due:
    """A notice as it is about to be sent."""

    id: int
    ref: str
    what: Notice
    facts: Mapping[str, str]
    addresses: Mapping[str, Sequence[str]]
    sent: Mapping[str, str]
    told_at: datetime
    user_id: int
    name: str
    left: bool
    restored: bool
    """Whether a backup was put back since it was told."""
    sender: str
    """The installation's name."""


def due(session: Session, notice_id: int, *, on: date) -> Due | None:
    """The notice with this id; None where it is over, or forgotten."""
    found = session.execute(
        select(NoticeRow, User)
        .join(User, User.id == NoticeRow.user_id)
        .where(NoticeRow.id == notice_id, NoticeRow.ended_at.is_(None))
    ).one_or_none()
    if found is None:
        return None
    row, user = found
    what = Notice(row.what)
    addresses = row.addresses
    if WORDS[what].to_officers:
        addresses = {Medium.MAIL.value: administrators(session, on=on)}
    installation = session.scalars(select(Installation)).one()
    return Due(
        row.id,
        row.ref,
        what,
        row.facts,
        addresses,
        row.sent,
        row.told_at,
        user.id,
        user.full_name,
        left=user.status == UserStatus.LEFT.value or user.has_left(on),
        restored=row.installation_epoch != installation.epoch,
        sender=installation.name,
    )


def administrators(session: Session, *, on: date) -> list[str]:
    """The mail addresses of whoever administers the whole installation on a day."""
    found = session.scalars(
        select(User.email)
        .join(AdminRole, AdminRole.user_id == User.id)
        .outerjoin(Assignment, Assignment.id == AdminRole.assignment_id)
        .where(
            AdminRole.role == Role.ADMINISTRATOR.value,
            AdminRole.unit_id.is_(None),
            counting(on),
            active(on),
            User.email.is_not(None),
        )
        .distinct()
        .order_by(User.email)
    )
    return [address for address in found if address]


def taken(session: Session, notice_id: int, by: str, *, now: datetime) -> None:
    """A channel took it for an address: ``by`` says which and where."""
    row = session.get(NoticeRow, notice_id, with_for_update=True)
    if row is not None:
        row.sent = {**row.sent, by: now.isoformat()}


def end(session: Session, notice_id: int, as_: Ending, *, now: datetime) -> None:
    """Nothing more is done about it."""
    session.execute(
        update(NoticeRow)
        .where(NoticeRow.id == notice_id, NoticeRow.ended_at.is_(None))
        .values(ended_at=now, ended_as=as_.value)
    )


@dataclass(frozen=True)
class Told:
    """A notice as the pages show it."""

    what: Notice
    told_at: datetime
    addresses: Sequence[str]
    state: str
    """How it ended (``Ending``), else the state of its job."""
    ended_at: datetime | None
    reason: str | None
    """Why its job waits."""

    @property
    def words(self) -> Words:
        """Its sentences."""
        return WORDS[self.what]


def of_person(session: Session, user_id: int, *, limit: int = 20) -> list[Told]:
    """What was told to her, or about her, newest first."""
    rows = session.execute(
        select(NoticeRow, Job.state, Job.reason)
        .outerjoin(
            Job,
            and_(
                Job.kind == JobKind.NOTICE_SEND.value,
                Job.key == cast(NoticeRow.id, ByBytes),
                Job.state != "done",
            ),
        )
        .where(NoticeRow.user_id == user_id)
        .order_by(NoticeRow.id.desc())
        .limit(limit)
    )
    return [
        Told(
            Notice(row.what),
            row.told_at,
            [each for them in row.addresses.values() for each in them],
            row.ended_as or state or "ready",
            row.ended_at,
            reason,
        )
        for row, state, reason in rows
    ]


def untold(
    session: Session, user_ids: Iterable[int], what: Notice, *, since: datetime
) -> list[int]:
    """Those of these people who were not told this since then."""
    wanted = sorted(set(user_ids))
    known: set[int] = set()
    for some in batches(wanted):
        known.update(
            session.scalars(
                select(NoticeRow.user_id).where(
                    NoticeRow.user_id.in_(some),
                    NoticeRow.what == what.value,
                    NoticeRow.told_at > since,
                )
            )
        )
    return [each for each in wanted if each not in known]


def subject_of(session: Session, notice_id: int) -> tuple[Notice, int] | None:
    """What is told about whom, for the list of jobs."""
    row = session.execute(
        select(NoticeRow.what, NoticeRow.user_id).where(NoticeRow.id == notice_id)
    ).one_or_none()
    return (Notice(row.what), row.user_id) if row is not None else None


def forget(session: Session, *, before: datetime) -> None:
    """Delete what was told before a moment and is over."""
    session.execute(
        delete(NoticeRow).where(NoticeRow.told_at < before, NoticeRow.ended_at.is_not(None))
    )
