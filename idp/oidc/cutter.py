"""The door's column ACCESS: sessions, grants and all that hangs on them.

The door itself raises epochs, writes dated cuts and ends assignments; from then on nothing here
answers "good" any more. This marks the rows (so that an undo revives nothing), and orders what
tells the world and what proves the cut:

    session.end      probed with the session's own cookie             verified
    grant.end        introspected as an ordinary client would         verified
    logout.deliver   logout token to the relying party                acknowledged
    token.lapse      a JWT somebody may be checking offline           lapsed
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, select
from sqlalchemy.orm import Session

from directory.assignments import Assignment
from directory.base import outbox
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.db import UTCDateTime
from directory.base.outbox import JobKind, Priority
from directory.base.rows import batches, not_over
from directory.base.text import by_name
from directory.changes import effects
from directory.changes.effects import Due, Effect, Foreseen, State
from directory.changes.model import Change, Person, Plan
from directory.changes.table import Action, Column
from directory.people import UserCut
from idp import sessions
from idp.oidc import grants
from idp.oidc.clients.kinds import TokenFormat
from idp.oidc.live_grants import LiveGrant, not_revoked
from idp.sessions import SsoSession, describe_browser

RELYING_PARTY_SESSION = timedelta(days=1)
"""How long an application may keep its own session after ours has run out: it is told that long."""
MANY = 50
"""A change of more people than this gives way to changes of single ones."""
LANES = 4

SESSION, GRANT, LOGOUT, LAPSE = "session.end", "grant.end", "logout.deliver", "token.lapse"


@dataclass(frozen=True)
class Targets:
    """Whose access ends: everything of some people, or what acts in ended assignments."""

    everything: frozenset[int]
    acting: dict[int, frozenset[int]]
    before: datetime | None = None
    """The moment of a dated cut: what was issued from then on is none of its business. Nothing can
    have been issued since in a post that has ended.
    """
    paused: dict[int, frozenset[int]] = field(default_factory=dict)
    """What acts in posts that she keeps: that, and nothing issued in them since."""

    @property
    def users(self) -> list[int]:
        """Everybody concerned."""
        return sorted({*self.everything, *self.acting, *self.paused})

    def covers(self, one: "SsoSession | LiveGrant | OpenSession") -> bool:
        """Whether this session or grant ends."""
        if one.assignment_id in self.acting.get(one.user_id, ()):
            return True
        older = self.before is None or one.issued_at < self.before
        paused = one.assignment_id in self.paused.get(one.user_id, ())
        return older and (paused or one.user_id in self.everything)


@dataclass(frozen=True)
class EndingAccess:
    """What ends, as it stands at this moment."""

    sessions: list[SsoSession]
    grants: list[LiveGrant]
    """Those that could still give access."""
    told: list[LiveGrant]
    """One per relying party and session: whoever may have a session of her own."""


class AccessCutter:
    """Implements ``directory.changes.cutter.Cutter`` for the column ACCESS."""

    columns = frozenset({Column.ACCESS})

    def __init__(self, settings: Settings) -> None:
        self._token_lifetime = timedelta(seconds=settings.access_token_lifetime)
        # A code may be redeemed by a request that this commit cannot see yet; its tokens are
        # dead, but the relying party may have begun a session and must be told.
        self._code_in_flight = timedelta(seconds=2 * settings.code_lifetime)

    def preview(self, session: Session, plan: Plan) -> Sequence[Foreseen]:
        """How much would end, counted at this moment, and where she is signed in."""
        found = self._find(session, _ordered(plan.people), plan.now)
        foreseen = []
        concerned = {s.user_id for s in found.sessions} | {g.user_id for g in found.grants}
        for user_id in sorted(concerned):
            own = [g for g in found.grants if g.user_id == user_id]
            counts = (
                (SESSION, "Phiên đăng nhập", [s for s in found.sessions if s.user_id == user_id]),
                (GRANT, "Ứng dụng đang đăng nhập", own),
                ("refresh.end", "Quyền truy cập dài hạn", [g for g in own if g.refreshable]),
            )
            apps = sorted({g.application_name or g.client_name for g in own}, key=by_name)
            foreseen += [
                Foreseen(
                    Column.ACCESS,
                    kind,
                    user_id,
                    target=str(user_id),
                    label=label,
                    count=len(rows),
                    counted=True,
                    detail={"applications": apps} if kind == GRANT else {},
                )
                for kind, label, rows in counts
                if rows
            ]
        return foreseen

    def cut(self, session: Session, plan: Plan, change: Change) -> Sequence[Due]:
        """End what lives now. A scheduled plan is cut by its dates; see ``due``."""
        if plan.scheduled:
            return ()
        priority = Priority.BULK if len(plan.people) > MANY else Priority.URGENT
        return self._end(session, _ordered(plan.people), change, plan.now, priority)

    def due(self, session: Session, change: Change, users: Sequence[int]) -> Sequence[Due]:
        """The day has come: end and prove what lives by now."""
        now = change.took_effect_at or change.effective_at
        targets = _by_date(session, change, users, now)
        priority = Priority.BULK if len(users) > MANY else Priority.URGENT
        return self._end(session, targets, change, now, priority)

    def _find(self, session: Session, targets: Targets, now: datetime) -> EndingAccess:
        users = targets.users
        living = [row for row in sessions.living(session, users, now=now) if targets.covers(row)]
        held = [
            grant
            for grant in not_revoked(session, user_ids=users, since=now - RELYING_PARTY_SESSION)
            if targets.covers(grant)
            and (grant.given_at or grant.issued_at > now - self._code_in_flight)
        ]
        alive = [g for g in held if self._could_give_access(g, now)]
        return EndingAccess(living, alive, latest_per_party(held))

    def _could_give_access(self, grant: LiveGrant, now: datetime) -> bool:
        """Not a grant whose only access token has expired long since."""
        if grant.expires_at <= now or grant.given_at is None:
            return False
        last = grant.code_used_at or grant.given_at
        return grant.refreshable or last + self._token_lifetime > now

    def _end(
        self,
        session: Session,
        targets: Targets,
        change: Change,
        now: datetime,
        priority: int,
    ) -> list[Due]:
        found = self._find(session, targets, now)
        reason = f"change:{change.id}"
        # Everything of theirs is marked, also what was too idle to count as living.
        open_sessions = [row.id for row in not_ended(session, targets.users) if targets.covers(row)]
        sessions.end_many(session, open_sessions, now=now, reason=reason)
        unrevoked = [
            g.id
            for g in not_revoked(session, user_ids=targets.users, since=now)
            if targets.covers(g)
        ]
        grants.revoke(session, unrevoked, now=now, reason=reason)
        dues = [
            _probed(SESSION, f"session:{row.id}", row.user_id, _device(row), now, priority, n)
            for n, row in enumerate(found.sessions)
        ]
        for n, grant in enumerate(found.grants):
            label = grant.application_name or grant.client_name
            dues.append(_probed(GRANT, f"grant:{grant.id}", grant.user_id, label, now, priority, n))
            if grant.access_token_format == TokenFormat.JWT:
                dues.append(
                    Due(
                        Column.ACCESS,
                        LAPSE,
                        grant.user_id,
                        grant.id,
                        label,
                        State.LAPSED,
                        lapses_at=now + self._token_lifetime,
                    )
                )
        for n, grant in enumerate(found.told):
            dues.append(
                Due(
                    Column.ACCESS,
                    LOGOUT,
                    grant.user_id,
                    grant.id,
                    grant.application_name or grant.client_name,
                    State.ACKNOWLEDGED,
                    job=logout_job(grant, n, now=now, priority=priority),
                )
            )
        return dues


def _ordered(people: Iterable[Person]) -> Targets:
    everything, acting, paused = set(), {}, {}
    for person in people:
        action = person.orders(Column.ACCESS)
        if action is Action.END_ALL:
            everything.add(person.id)
        elif action is Action.END_ACTING and person.ended:
            acting[person.id] = frozenset(person.ended)
        if action is Action.END_ACTING and person.paused:
            paused[person.id] = frozenset(person.paused)
    return Targets(frozenset(everything), acting, paused=paused)


def _by_date(session: Session, change: Change, users: Sequence[int], now: datetime) -> Targets:
    """What a scheduled change wrote for its day: dated cuts, and assignments it closed."""
    everything: set[int] = set()
    acting: dict[int, set[int]] = {}
    paused: dict[int, set[int]] = {}
    for part in batches(users):
        for cut in session.execute(
            select(UserCut.user_id, UserCut.assignment_id).where(
                UserCut.change_id == change.id, UserCut.at <= now, UserCut.user_id.in_(part)
            )
        ):
            if cut.assignment_id is None:
                everything.add(cut.user_id)
            else:
                paused.setdefault(cut.user_id, set()).add(cut.assignment_id)
        for row in session.execute(
            select(Assignment.id, Assignment.user_id).where(
                Assignment.closed_by == change.id,
                ~not_over(Assignment, local_day(now)),
                Assignment.user_id.in_(part),
            )
        ):
            acting.setdefault(row.user_id, set()).add(row.id)
    ended, kept = (
        {user_id: frozenset(ids) for user_id, ids in posts.items()} for posts in (acting, paused)
    )
    return Targets(frozenset(everything), ended, before=change.effective_at, paused=kept)


class OpenSession(NamedTuple):
    """A session that nobody has ended."""

    id: str
    user_id: int
    assignment_id: int | None
    issued_at: datetime


def not_ended(session: Session, user_ids: Sequence[int]) -> list[OpenSession]:
    """Sessions nobody has ended, idle ones too."""
    found: list[OpenSession] = []
    for some in batches(user_ids):
        rows = session.execute(
            select(
                SsoSession.id,
                SsoSession.user_id,
                SsoSession.assignment_id,
                SsoSession.issued_at,
            ).where(
                SsoSession.user_id.in_(some),
                SsoSession.ended_at.is_(None),
            )
        )
        found += (OpenSession(*row) for row in rows)
    return found


def latest_per_party(held: Iterable[LiveGrant]) -> list[LiveGrant]:
    """The latest grant of each client and session that can be told: one logout token ends all
    that the client knows under that ``sid``.
    """
    latest = {(g.client_id, g.session_id, g.user_id): g for g in held if g.backchannel_logout_uri}
    return list(latest.values())


def logout_job(grant: LiveGrant, n: int, *, now: datetime, priority: int) -> dict[str, Any]:
    """The job that tells one relying party; four lanes each, so that a slow one delays itself."""
    return outbox.row_for(
        JobKind.LOGOUT_DELIVER,
        grant.id,
        now=now,
        lane=f"rp:{grant.client_id}:{n % LANES}",
        priority=priority,
    )


def _probed(
    kind: str, key: str, user_id: int, label: str, now: datetime, priority: int, n: int
) -> Due:
    job = outbox.row_for(
        JobKind.ACCESS_PROBE, key, now=now, lane=f"probe:{n % LANES}", priority=priority
    )
    target = key.partition(":")[2]
    return Due(Column.ACCESS, kind, user_id, target, label, State.VERIFIED, job=job)


def _device(row: SsoSession) -> str:
    browser = describe_browser(row.user_agent)
    return f"{browser} ({row.ip})" if row.ip else browser or row.acr


_LAPSING = and_(
    Effect.kind == LAPSE,
    Effect.state == State.PENDING.value,
    Effect.lapses_at <= bindparam("now", type_=UTCDateTime()),
)
_LAPSES = select(Effect.id).where(_LAPSING).limit(1)


def lapse_waits(connection: Connection, now: datetime) -> bool:
    """Whether any JWT's last moment has come: one statement, for who asks every few seconds."""
    return connection.scalar(_LAPSES, {"now": now}) is not None


def lapse_due(session: Session, now: datetime) -> set[str]:
    """JWTs whose last moment has come have lapsed; the changes to settle. For the worker."""
    waiting = session.scalars(select(Effect).where(_LAPSING), {"now": now}).all()
    return effects.advance(session, waiting, State.LAPSED, at=now)
