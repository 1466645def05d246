"""What the portal's pages show. Each function takes a session and reads; views only render."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from sqlalchemy.orm import Session

from connectors.eid import upstreams
from connectors.eid.upstreams import Identity
from connectors.pki import authority, issued
from connectors.pki.tables import Authority
from directory import assignments, entitlements, people, permissions
from directory.assignments import Held
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.errors import NotFound
from directory.changes.proposals import Proposal
from directory.entitlements import AccountState
from directory.people import User
from idp import approving
from idp.sessions import SessionView
from idp.web.labels import label

INITIALS = re.compile(r"\w+")


@dataclass(frozen=True)
class Tile:
    """One application in the launcher."""

    name: str
    description: str
    url: str
    initials: str
    hue: int
    role: str | None
    """The role the rules give in this capacity; None where the application is open to all."""
    state: str
    """``ready``, ``coming`` (the account is being made), ``guest`` (open to all, but no rule gives
    an account), or ``open`` (the application keeps no accounts)."""


@dataclass(frozen=True)
class Launcher:
    """The tiles of one capacity, and how many applications have no address to open."""

    tiles: Sequence[Tile]
    unopenable: Sequence[str]
    capacities: int


def launcher(session: Session, view: SessionView, *, now: datetime) -> Launcher:
    """The applications this capacity earns, and those open to everyone."""
    today = local_day(now)
    held = [
        h for h in assignments.timeline(session, [view.user_id])[view.user_id] if h.in_force(today)
    ]
    acting = [h for h in held if h.id == view.assignment_id]
    rules = entitlements.rulebook(session).rules
    wanted = entitlements.desired_accounts(rules, acting, status=view.status, on=today)
    accounts = entitlements.accounts_of(session, [view.user_id])
    tiles: list[Tile] = []
    unopenable: list[str] = []
    for app in entitlements.applications(session):
        desired = wanted.get(app.id)
        if not app.enabled or (desired is None and not app.open_to_all):
            continue
        if not app.launch_url or not app.launch_url.startswith(("http://", "https://", "/")):
            unopenable.append(app.name)
            continue
        account = accounts.get((view.user_id, app.id))
        state = "open"
        if app.connector:
            there = account is not None and account.state == AccountState.ACTIVE
            state = "ready" if there else "coming" if desired is not None else "guest"
        tiles.append(
            Tile(
                app.name,
                app.description,
                app.launch_url,
                _initials(app.name),
                app.id % 4,
                desired.role if desired else None,
                state,
            )
        )
    return Launcher(tiles, unopenable, len(held))


@dataclass(frozen=True)
class Approval:
    """A proposal in one line."""

    id: str
    title: str
    expires_at: datetime


@dataclass(frozen=True)
class Approvals:
    """Proposals that wait for me, and mine that wait for others."""

    to_decide: Sequence[Approval]
    own: Sequence[Approval]


def approvals(session: Session, actor: Actor, *, now: datetime) -> Approvals | None:
    """What waits for a second person and is mine; None where nothing does."""
    granted = permissions.rights(session, actor, local_day(now))
    found = approving.agenda(session, granted, now=now)
    if found is None:
        return None
    return Approvals([*map(_line, found.to_decide)], [*map(_line, found.own)])


def _line(row: Proposal) -> Approval:
    words = " · ".join(label("change", kind) for kind in (row.kind, row.undoes) if kind)
    count = f" ({row.size})" if row.size > 1 else ""
    return Approval(row.id, words + (f": {row.about}" if row.about else count), row.expires_at)


def _initials(name: str) -> str:
    words = INITIALS.findall(name)
    return "".join(word[0] for word in words[:2]).upper()


def capacities(session: Session, user_id: int, *, now: datetime) -> list[Held]:
    """What she may act as today, the primary assignment first."""
    return assignments.current(session, user_id, local_day(now))


@dataclass(frozen=True)
class OwnRecord:
    """What the directory holds about a person, as she may see it herself."""

    user: User
    held: Sequence[Held]
    """All assignments, the newest first."""
    identities: Sequence[Identity]
    """Who vouches for me elsewhere."""


def profile(session: Session, user_id: int) -> OwnRecord:
    """My own data; the citizen number masked."""
    held = assignments.timeline(session, [user_id])[user_id]
    identities = upstreams.identities(session, user_id)
    return OwnRecord(people.get(session, user_id), list(reversed(held)), identities)


def certificate_pem(session: Session, user_id: int, serial: str) -> str:
    """One of her own certificates with its chain. Raises NotFound, also for somebody else's."""
    row = issued.by_serial(session, serial)
    if row is None or row.user_id != user_id or row.der is None:
        raise NotFound("certificate_unknown", "Không tìm thấy chứng thư này.")
    issuer = session.get_one(Authority, row.authority_id)
    return authority.pem(
        [x509.load_der_x509_certificate(row.der), *authority.chain(session, issuer)]
    )
