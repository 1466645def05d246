"""What the pages about people ask: lists, one person with everything she holds, the CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors.eid import upstreams
from connectors.eid.upstreams import Identity
from connectors.notices import told
from connectors.notices.told import Told
from connectors.pki import issued
from connectors.pki.issued import CertificateView
from directory import assignments, entitlements, search, tree
from directory.assignments import Position
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.rows import in_force
from directory.changes import history, kind, returning
from directory.changes.kind import Kind
from directory.changes.model import Change
from directory.entitlements import Account, Desired
from directory.people import UserStatus
from directory.permissions import AdminRole, Do, Rights
from directory.search import Found, Page, PersonView, SearchFilter
from directory.units import OrgUnit
from idp import sessions
from idp.console import entries
from idp.factors import enrolled, second_factors, throttle
from idp.factors.enrolled import HeldFactor
from idp.factors.second_factors import SecondFactors
from idp.factors.throttle import Lock
from idp.sessions import SessionView


@dataclass(frozen=True)
class ListView:
    """A page of people with what its filters offer."""

    page: Page
    unit: OrgUnit | None
    positions: list[Position]


def listed(
    session: Session,
    granted: Rights,
    wanted: SearchFilter,
    *,
    now: datetime,
    keyring: Keyring,
    after: str | None,
) -> ListView:
    """One page of the people the asker may see. Raises InvalidInput, NotFound."""
    unit = tree.unit(session, granted, wanted.unit_id) if wanted.unit_id else None
    page = search.people(session, granted, wanted, on=local_day(now), keyring=keyring, after=after)
    return ListView(page, unit, assignments.positions(session))


def export(
    session: Session, granted: Rights, wanted: SearchFilter, *, now: datetime, keyring: Keyring
) -> Iterator[Found]:
    """The whole list behind the filters, page by page. Raises NotFound."""
    if wanted.unit_id:
        tree.unit(session, granted, wanted.unit_id)
    after: str | None = None
    while True:
        page = search.people(
            session, granted, wanted, on=local_day(now), keyring=keyring, after=after, limit=500
        )
        yield from page.rows
        after = page.after
        session.expunge_all()
        if after is None:
            return


@dataclass(frozen=True)
class AccountRow:
    """One application of a person: what the rules say and what was last seen there."""

    application: str
    desired: Desired | None
    account: Account | None


@dataclass(frozen=True)
class Whole:
    """A person's page."""

    person: PersonView
    accounts: list[AccountRow]
    certificates: list[CertificateView]
    sessions: list[SessionView]
    changes: list[Change]
    actors: dict[int, str]
    roles: list[tuple[str, str | None]]
    """Administrative roles today: (role, name of the unit or None for the installation)."""
    identities: list[Identity]
    """Who vouches for her elsewhere."""
    ways: list[HeldFactor]
    """What she has enrolled to sign in besides her password."""
    locks: list[Lock]
    """What of her sign-in is closed after too many wrong attempts."""
    beside: SecondFactors
    """What of this a second factor is, and whether she has reported a loss."""
    told: list[Told]
    """What she was told of her account."""
    may_change: bool
    offered: list[Kind]
    """The kinds of change her page offers, as she stands."""


def whole(
    session: Session,
    granted: Rights,
    user_id: int,
    *,
    now: datetime,
    called_on: date | None = None,
) -> Whole:
    """Everything the asker may know of a person; units are called as on that day. Raises NotFound."""
    on = local_day(now)
    found = search.person(session, granted, user_id, on=on, called_on=called_on)
    changes = history.listed(session, granted, user_id=user_id, limit=20).rows
    actors = entries.names(session, changes)
    if not found.full:
        return Whole(
            found,
            [],
            [],
            [],
            changes,
            actors,
            [],
            [],
            [],
            [],
            SecondFactors(),
            told=[],
            may_change=_may_take_back(session, granted, found),
            offered=_offered(found, on),
        )
    at = found.primary or assignments.last_of(found.timeline)
    path = at.unit.path if at else None
    herself = granted.actor.kind == "user" and granted.actor.id == user_id
    return Whole(
        found,
        _accounts(session, found, on),
        issued.certificates_of(session, user_id, now=now),
        sessions.good_ones(session, user_id, now=now),
        changes,
        actors,
        _roles(session, user_id, on),
        upstreams.identities(session, user_id),
        enrolled.held(session, user_id),
        throttle.locks(session, user_id, now=now),
        second_factors.of(session, user_id),
        told=told.of_person(session, user_id),
        may_change=granted.may(Do.CHANGE, path) and not herself,
        offered=_offered(found, on),
    )


def _offered(found: PersonView, on: date) -> list[Kind]:
    held = [h for h in found.timeline if h.in_force(on)]
    return [k for k in kind.requested() if k.offered(found.status, held)]


def _may_take_back(session: Session, granted: Rights, found: PersonView) -> bool:
    """Of somebody who works in none of her units: whether she has left, and the last one was hers."""
    if found.status != UserStatus.LEFT:
        return False
    user_id = found.user.id
    timelines = assignments.timeline(session, [user_id])
    written = returning.never_served(session, timelines)
    return returning.may_take_back(granted, timelines[user_id], written.get(user_id, ()))


def _accounts(session: Session, found: PersonView, on: date) -> list[AccountRow]:
    wanted = entitlements.desired_accounts(
        entitlements.rulebook(session).rules, found.timeline, status=found.status, on=on
    )
    links = {
        app: link for (_, app), link in entitlements.accounts_of(session, [found.user.id]).items()
    }
    return [
        AccountRow(a.name, wanted.get(a.id), links.get(a.id))
        for a in entitlements.applications(session)
        if a.id in wanted or a.id in links
    ]


def _roles(session: Session, user_id: int, on: date) -> list[tuple[str, str | None]]:
    rows = session.execute(
        select(AdminRole.role, OrgUnit.name)
        .outerjoin(OrgUnit, OrgUnit.id == AdminRole.unit_id)
        .where(
            AdminRole.user_id == user_id,
            in_force(AdminRole, on),
        )
        .order_by(AdminRole.id)
    )
    return [(row.role, row.name) for row in rows]
