"""What the page about my ways to sign in shows, and what touching one of them asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.notices import told
from connectors.notices.told import Told
from directory import people
from directory.base.audit import AuditEntry, Tag
from directory.base.config import Settings
from idp.assurance import TWO_FACTORS, Level, reaches
from idp.factors import by_passkey, by_recovery_code, enrolled, registry, second_factors
from idp.factors.enrolled import HeldFactor
from idp.factors.passwords import PasswordCredential
from idp.sessions import SessionView
from idp.web import beyond_reach

TOLD_FOR = timedelta(days=90)
MOST_TOLD = 12


@dataclass(frozen=True)
class News:
    """Something that happened to her ways to sign in."""

    at: datetime
    tag: str
    factors: Sequence[str]
    reason: str
    source: str
    own: bool
    """Whether she did it herself, as far as that is known."""
    guess: bool
    """Whether somebody had her password right and a code wrong."""
    copied: bool
    """Whether there seem to be two of one of her passkeys."""


@dataclass(frozen=True)
class Ways:
    """By what she can prove herself."""

    password_set_at: datetime | None
    others: Sequence[HeldFactor]
    """Apps and passkeys, oldest first."""
    sheet: HeldFactor | None
    left: int
    """Unused codes of the sheet."""
    lost: bool
    """Whether a loss stands in the way of enrolling."""
    news: Sequence[News]
    told: Sequence[Told]
    """Of what, and at which addresses."""
    full_name: str


def ways(session: Session, user_id: int, *, now: datetime) -> Ways:
    """What she has, and what happened to it lately."""
    held = enrolled.held(session, user_id)
    password = session.get(PasswordCredential, user_id)
    sheets = [one for one in held if one.kind == by_recovery_code.CODE]
    return Ways(
        password.set_at if password is not None else None,
        [one for one in held if one.kind != by_recovery_code.CODE],
        sheets[-1] if sheets else None,
        by_recovery_code.left(session, user_id),
        second_factors.of(session, user_id).lost,
        _news(session, user_id, since=now - TOLD_FOR),
        told.of_person(session, user_id, limit=MOST_TOLD),
        people.get(session, user_id).full_name,
    )


def asked_for(
    session: Session, me: SessionView, *, now: datetime, settings: Settings
) -> Level | None:
    """What whoever touches them must prove first, as much as they give; None where she has, a moment
    ago. Raises NotAllowed where she cannot.
    """
    beside = second_factors.of(session, me.user_id)
    least = Level.AAL1 if beside.may_begin() else TWO_FACTORS
    fresh = now - me.asked_at < timedelta(seconds=settings.sudo_window)
    if fresh and reaches(me.acr, least):
        return None
    if not beside.codes and not beside.may_begin():
        raise beyond_reach.lost()
    return least


_TOLD = (
    Tag.FACTOR_ENROL,
    Tag.FACTOR_RENAME,
    Tag.FACTOR_END,
    Tag.PASSWORD_SET,
    Tag.LOGIN_FAIL,
    Tag.LOGIN_LOCK,
)


def _news(session: Session, user_id: int, *, since: datetime) -> list[News]:
    rows = session.scalars(
        select(AuditEntry)
        .where(
            AuditEntry.subject_kind == "user",
            AuditEntry.subject_id == str(user_id),
            AuditEntry.tag.in_([tag.value for tag in _TOLD]),
            AuditEntry.at > since,
        )
        .order_by(AuditEntry.id.desc())
        .limit(MOST_TOLD)
    )
    return [_told(row, user_id) for row in rows]


def _is_second(code: str) -> bool:
    return any(one.code == code and not one.first for one in registry.FACTORS)


def _told(row: AuditEntry, user_id: int) -> News:
    data: Mapping[str, Any] = row.data
    factors = [str(one) for one in data.get("factors") or ()]
    return News(
        row.at,
        row.tag,
        factors,
        str(data.get("reason") or ""),
        row.source_ip or "",
        own=row.actor_kind == "user" and row.actor_id == user_id,
        guess=row.tag == Tag.LOGIN_FAIL and any(map(_is_second, factors)),
        copied=data.get("why") == by_passkey.Flaw.COPIED,
    )
