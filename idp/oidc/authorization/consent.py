"""Consent: what a person has allowed a client that is not ours to be told and to do, remembered
per scope and, for services of others (RFC 8707), per service.

``standing`` reads, in one SELECT, all that an authorization must know beside session and client:
the capacity (for entitlement) and the remembered consent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    ForeignKey,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.assignments import Assignment
from directory.base import audit, hot
from directory.base.audit import Actor, Tag
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.failpoints import failpoint
from directory.base.rows import insert_into
from directory.people import User
from idp.oidc import resources
from idp.oidc.claims import Capacity, capacity, with_capacity
from idp.oidc.grants import Grant


class Consent(Base):
    """One person's standing answer to one client."""

    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("user_id", "client_id"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), index=True)
    scopes: Mapped[list[str]]
    """As ``each`` writes them."""
    given_at: Mapped[datetime]


def each(scopes: Iterable[str], named: Iterable[str], *, issuer: str) -> frozenset[str]:
    """What a yes to these scopes at these resources allows: ``scope`` for the client itself and
    our own endpoints, ``scope resource`` for each service of others.
    """
    asked, everywhere = frozenset(scopes), list(named)
    others = resources.of_others(everywhere, issuer)
    at_others = frozenset(f"{scope} {uri}" for scope in asked for uri in others)
    return at_others if others and others == everywhere else asked | at_others


def parted(allowed: Iterable[str]) -> tuple[set[str], set[str]]:
    """(scopes, services of others) of what ``each`` wrote."""
    pairs = [text.partition(" ") for text in allowed]
    return {scope for scope, _, _ in pairs}, {uri for _, _, uri in pairs if uri}


@dataclass(frozen=True)
class ConsentStanding:
    """What a person is and has allowed, before she is asked anything."""

    capacity: Capacity
    allowed: frozenset[str]
    consent_id: int | None
    """The row of it: another one, once she has taken it back and given it again."""


COLUMNS = (Consent.scopes.label("allowed"), Consent.id.label("consent_id"))
"""Beside those of ``with_capacity`` what ``standing_of`` reads."""
_STANDING = hot.read(
    with_capacity(
        select(User.id.label("user_id"), *COLUMNS)
        .select_from(User)
        .outerjoin(
            Assignment,
            and_(Assignment.id == bindparam("assignment"), Assignment.user_id == User.id),
        )
        .outerjoin(
            Consent, and_(Consent.user_id == User.id, Consent.client_id == bindparam("client"))
        )
    ).where(User.id == bindparam("user"))
)


def standing(
    connection: Connection,
    user_id: int,
    *,
    assignment_id: int | None,
    client_id: int,
) -> ConsentStanding:
    """The capacity and the remembered consent of one person towards one client."""
    return standing_of(
        _STANDING.one(connection, user=user_id, assignment=assignment_id, client=client_id)
    )


def standing_of(row: Any) -> ConsentStanding:
    """The standing of such a row."""
    return ConsentStanding(capacity(row), frozenset(row.allowed or ()), row.consent_id)


def remember(
    session: Session,
    *,
    user_id: int,
    client_id: int,
    scopes: Iterable[str],
    actor: Actor,
    now: datetime,
) -> int:
    """She allows these scopes (as of ``each``), beside what she allowed before; the row's id."""
    connection, hers = core(session), (Consent.user_id == user_id, Consent.client_id == client_id)
    # A row first, so that of two answers at the same moment the second waits for the first.
    connection.execute(
        insert_into(connection, Consent)
        .values(user_id=user_id, client_id=client_id, scopes=[], given_at=now)
        .on_conflict_do_nothing(index_elements=["user_id", "client_id"])
    )
    before = connection.execute(
        select(Consent.id, Consent.scopes).where(*hers).with_for_update()
    ).one()
    connection.execute(
        update(Consent).where(*hers).values(scopes=sorted({*before.scopes, *scopes}), given_at=now)
    )
    audit.record(
        session,
        Tag.GRANT_ISSUE,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"client": client_id, "consent": sorted(scopes)},
    )
    return int(before.id)


def withdraw(
    session: Session, *, user_id: int, client_id: int, actor: Actor, now: datetime
) -> list[str]:
    """She takes her consent back: the client's grants end with it, offline ones too."""
    core(session).execute(
        delete(Consent).where(Consent.user_id == user_id, Consent.client_id == client_id)
    )
    ended = list(
        session.execute(
            update(Grant)
            .where(
                Grant.user_id == user_id,
                Grant.client_id == client_id,
                Grant.revoked_at.is_(None),
            )
            .values(revoked_at=now, revoke_reason="consent_withdrawn")
            .returning(Grant.id)
            .execution_options(synchronize_session=False)
        ).scalars()
    )
    audit.record(
        session,
        Tag.GRANT_REVOKE,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"client": client_id, "reason": "consent_withdrawn", "grants": len(ended)},
    )
    failpoint("consent.withdrawn")
    return ended
