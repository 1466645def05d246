"""Where I am signed in, what became of the sign-ins in my name, and what the page about one of them shows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.eid import upstreams
from directory.base.audit import AuditEntry, Tag
from directory.base.config import Settings
from directory.base.errors import NotFound
from directory.base.text import by_name
from idp import sessions
from idp.assurance import UNASKED
from idp.factors import by_envelope, by_password, registry, second_factors
from idp.oidc.cutter import RELYING_PARTY_SESSION
from idp.oidc.live_grants import not_revoked
from idp.sessions import SessionView, SsoSession, networks
from idp.web.labels import LABELS, label

SLIP = "slip"
ROWS = 20
"""Entries of a page of the history."""


@dataclass(frozen=True)
class Device:
    """One of my sessions."""

    id: str
    what: str
    network: str | None
    """What its network is called, where it has a name."""
    address: str
    since: datetime
    """When the sign-in was proven."""
    seen: datetime
    capacity: str | None
    applications: Sequence[str]
    """Opened from there, by name."""
    ways: Sequence[str]
    """What it was proven with, in words."""
    acr: str
    this: bool


def my_devices(
    session: Session, view: SessionView, *, now: datetime, settings: Settings
) -> list[Device]:
    """Where I am signed in, this browser first."""
    good = sessions.good_ones(session, view.user_id, now=now)
    opened: dict[str, set[str]] = {}
    held = not_revoked(
        session, session_ids=[one.id for one in good], since=now - RELYING_PARTY_SESSION
    )
    for grant in held:
        if grant.given_at is not None and grant.session_id is not None:
            name = grant.application_name or grant.client_name
            opened.setdefault(grant.session_id, set()).add(name)
    found = [
        Device(
            one.id,
            sessions.describe_browser(one.user_agent),
            networks.called(settings, one.ip),
            one.ip or "",
            one.auth_time,
            one.last_seen_at,
            f"{one.position_name} · {one.unit_name}" if one.position_name else None,
            sorted(opened.get(one.id, ()), key=by_name),
            [label("amr", way) for way in one.amr if way in LABELS["amr"]],
            one.acr,
            one.id == view.id,
        )
        for one in good
    ]
    return sorted(found, key=lambda one: not one.this)


# ---- what became of the sign-ins in my name ----------------------------------------------------


@dataclass(frozen=True)
class SignIn:
    """One entry: somebody came in as me, or was refused."""

    id: int
    at: datetime
    tag: str
    factors: Sequence[str]
    """In words."""
    network: str | None
    address: str
    what: str
    """The device, as far as it is known."""
    knew_password: bool
    """Refused, but the password was right."""
    this: bool
    """Whether it began the session that looks at it."""

    @property
    def came_in(self) -> bool:
        """Whether it led to a session."""
        return self.tag == Tag.SESSION_START.value

    @property
    def disownable(self) -> bool:
        """Whether there is something to be cut if it was not she: a guess that failed opened nothing."""
        return (self.came_in and not self.this) or self.knew_password


@dataclass(frozen=True)
class History:
    """A page of them, the newest first."""

    rows: Sequence[SignIn]
    before: int | None
    """Where the next page begins."""


_SHOWN = (Tag.SESSION_START.value, Tag.LOGIN_FAIL.value, Tag.LOGIN_LOCK.value)


def history(
    session: Session, view: SessionView, *, settings: Settings, before: int | None = None
) -> History:
    """Sign-ins and refusals in my name, from the audit trail."""
    older = [AuditEntry.id < before] if before is not None else []
    entries = session.scalars(
        select(AuditEntry)
        .where(*_of(view.user_id), *older)
        .order_by(AuditEntry.id.desc())
        .limit(ROWS + 1)
    ).all()
    rows = _told(session, entries[:ROWS], view, settings)
    return History(rows, entries[ROWS - 1].id if len(entries) > ROWS else None)


def _of(user_id: int) -> tuple[Any, ...]:
    return (
        AuditEntry.subject_kind == "user",
        AuditEntry.subject_id == str(user_id),
        AuditEntry.tag.in_(_SHOWN),
    )


def _told(
    session: Session, entries: Sequence[AuditEntry], view: SessionView, settings: Settings
) -> list[SignIn]:
    ids = {str(entry.data.get("session")) for entry in entries if entry.data.get("session")}
    begun = select(SsoSession.id, SsoSession.user_agent).where(SsoSession.id.in_(sorted(ids)))
    agents = {row.id: row.user_agent for row in session.execute(begun)}
    said = _words(session, (code for entry in entries for code in _factors(entry.data)))
    found = []
    for entry in entries:
        factors = _factors(entry.data)
        its = str(entry.data.get("session") or "")
        second = any(one.code in factors for one in registry.FACTORS if not one.first)
        found.append(
            SignIn(
                entry.id,
                entry.at,
                entry.tag,
                [said[code] for code in factors if code in said],
                networks.called(settings, entry.source_ip),
                entry.source_ip or "",
                sessions.describe_browser(agents[its]) if its in agents else "",
                knew_password=entry.tag == Tag.LOGIN_FAIL.value and second,
                this=its == view.id,
            )
        )
    return found


def _factors(data: Mapping[str, Any]) -> list[str]:
    return [str(code) for code in data.get("factors") or ()]


def _words(session: Session, codes: Iterable[str]) -> dict[str, str]:
    """What people call these factors."""
    wanted = set(codes)
    words = {code: title for code, title in registry.titles().items() if code in wanted}
    if SLIP in wanted:
        words[SLIP] = "Phiếu kích hoạt"
    if by_envelope.CODE in wanted:
        words[by_envelope.CODE] = by_envelope.ByEnvelope.title
    if any(code.startswith(second_factors.EID) for code in wanted):
        words |= {second_factors.EID + one.name: one.title for one in upstreams.every(session)}
    return words


# ---- not me --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Disowned:
    """A sign-in that was not mine, as its page shows it and as it is cut."""

    at: datetime
    what: str
    network: str | None
    address: str
    beyond_password: bool
    """Whether more than a password was proven: then somebody has what I prove myself with."""
    session_id: str | None = None
    entry: int | None = None


def disowned(
    session: Session, view: SessionView, *, settings: Settings, of: str = "", entry: int | None
) -> Disowned:
    """The session, or the entry of my history, that I say was not mine. Raises NotFound."""
    if of:
        row = session.get(SsoSession, of)
        if row is None or row.user_id != view.user_id or row.id == view.id:
            raise _unknown()
        return Disowned(
            row.auth_time,
            sessions.describe_browser(row.user_agent),
            networks.called(settings, row.ip),
            row.ip or "",
            _beyond(row.amr, {"pwd", UNASKED}),
            session_id=row.id,
        )
    found = session.scalars(
        select(AuditEntry).where(*_of(view.user_id), AuditEntry.id == entry)
    ).one_or_none()
    if found is None:
        raise _unknown()
    [told] = _told(session, [found], view, settings)
    if not told.disownable:
        raise _unknown()
    return Disowned(
        told.at,
        told.what,
        told.network,
        told.address,
        # A second factor that was wrong is not somebody else's.
        told.came_in and _beyond(_factors(found.data), {by_password.CODE, SLIP}),
        session_id=str(found.data.get("session") or "") or None,
        entry=found.id,
    )


def _beyond(proven: Iterable[str], least: Collection[str]) -> bool:
    return any(each not in least for each in proven)


def _unknown() -> NotFound:
    return NotFound("sign_in_unknown", "Không còn lần đăng nhập này trong danh sách của bạn.")
