"""Certificates of others that we do not believe, whatever their issuer says of them.

Dated rows, like the marks of our own (``tables.CertificateMark``): from ``at`` on, until
``lifted_at``. By whom: an operator, or a change that the certificate's holder is part of.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    and_,
    exists,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from connectors.pki.hierarchies import HierarchyAuthority
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.rows import ends_after

OPERATOR = "operator"
"""The cause of rows that no change has ordered."""


class ForeignDistrust(Base):
    """From ``at`` on (and until ``lifted_at``) a certificate of another authority is not believed."""

    __tablename__ = "foreign_distrust"
    __table_args__ = (
        Index("ix_foreign_distrust_certificate", "authority_id", "serial"),
        Index("ix_foreign_distrust_change", "change_id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    authority_id: Mapped[int] = mapped_column(ForeignKey("hierarchy_authority.id"))
    serial: Mapped[str]
    """As ``serial_of`` writes it."""
    cause: Mapped[str]
    """The event that ordered it, or ``operator``."""
    at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    change_id: Mapped[str | None]
    lifted_by: Mapped[str | None]
    """The change that lifted it."""
    created_at: Mapped[datetime]


@dataclass(frozen=True)
class Foreign:
    """A certificate by its issuer and number."""

    authority_id: int
    serial: str


def serial_of(number: int) -> str:
    """A serial number as it is kept: hexadecimal, at least 32 digits."""
    return f"{number:032x}"


def distrusted(session: Session, one: Foreign, *, now: datetime) -> bool:
    """Whether it is not believed at a moment."""
    return bool(session.scalar(select(holds(literal(one.authority_id), one.serial, now=now))))


def holds(
    authority_id: ColumnElement[int] | InstrumentedAttribute[int], serial: str, *, now: datetime
) -> ColumnElement[bool]:
    """The same as a condition. What was not dated ahead counts at once, by whatever clock."""
    begun = or_(ForeignDistrust.at <= ForeignDistrust.created_at, ForeignDistrust.at <= now)
    return exists().where(
        ForeignDistrust.authority_id == authority_id,
        ForeignDistrust.serial == serial,
        begun,
        ends_after(ForeignDistrust.lifted_at, now),
    )


def add(
    session: Session,
    which: Iterable[Foreign],
    *,
    cause: str,
    at: datetime,
    now: datetime,
    change_id: str | None = None,
) -> None:
    """Believe these no more from ``at`` on."""
    rows = [
        {
            "authority_id": one.authority_id,
            "serial": one.serial,
            "cause": cause,
            "at": at,
            "change_id": change_id,
            "created_at": now,
        }
        for one in which
    ]
    if rows:
        session.execute(insert(ForeignDistrust), rows)


def lift(
    session: Session,
    which: Iterable[Foreign],
    *,
    cause: str | None = None,
    at: datetime,
    change_id: str | None = None,
) -> bool:
    """Take back, from ``at`` on, what this cause has ordered, or whatever has; whether there was any."""
    of_cause = [ForeignDistrust.cause == cause] if cause is not None else []
    lifted: list[int] = []
    for one in which:
        lifted += session.scalars(
            update(ForeignDistrust)
            .where(_about(one), ForeignDistrust.lifted_at.is_(None), *of_cause)
            .values(lifted_at=at, lifted_by=change_id)
            .returning(ForeignDistrust.id)
            .execution_options(synchronize_session=False)
        )
    return bool(lifted)


def withdraw(session: Session, of_change: str, *, now: datetime, change_id: str) -> None:
    """Take back what a change would have done at a moment still to come, or would have lifted."""
    ahead = (ForeignDistrust.at > ForeignDistrust.created_at, ForeignDistrust.at > now)
    session.execute(
        update(ForeignDistrust)
        .where(ForeignDistrust.change_id == of_change, *ahead, ForeignDistrust.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=change_id)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(ForeignDistrust)
        .where(ForeignDistrust.lifted_by == of_change, ForeignDistrust.lifted_at > now)
        .values(lifted_at=None, lifted_by=None)
        .execution_options(synchronize_session=False)
    )


def _about(one: Foreign) -> ColumnElement[bool]:
    return and_(
        ForeignDistrust.authority_id == one.authority_id, ForeignDistrust.serial == one.serial
    )


def numbered(session: Session, hierarchy_id: int, number: int) -> list[Foreign]:
    """The certificate of this serial number, of whichever authority of the hierarchy."""
    of = HierarchyAuthority.hierarchy_id == hierarchy_id
    ids = session.scalars(select(HierarchyAuthority.id).where(of).order_by(HierarchyAuthority.id))
    return [Foreign(one, serial_of(number)) for one in ids]
