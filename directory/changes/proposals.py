"""Proposals: changes that wait for a second person. What is done with them is in ``approval``.

A proposal is worked out for its proposer, under the posts she acted in; the approver's own rights
are checked beside it. It lapses when nobody has approved it in time, when its plan would be another
by now (its people have moved, the rules or the proposer's rights have changed), when the proposer's
access epoch moves or a dated cut of hers has come (she has left, was moved, suspended, her password
was reset; a client was disabled), and when the installation is restored. Nothing waits for the moment
it lapses: whoever looks is told, whoever approves is refused, and a chore writes it down. It says
nothing about its subjects' future to themselves, and binds nobody: what happens to them meanwhile
makes it stale.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import ForeignKey, Index, Select, and_, or_, select
from sqlalchemy.orm import Mapped, Session, defer, mapped_column

from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.db import Base, Key
from directory.base.errors import Conflict, NotFound
from directory.base.rows import batches
from directory.changes import history, kind, limits, titles
from directory.changes.model import Spec
from directory.entitlements import Installation
from directory.people import User, UserCut
from directory.permissions import Do, Rights
from directory.units import OrgUnit, ids_of

_OPEN = 500
"""Proposals that a home page looks through at most: the oldest that wait."""
_EXAMINED = 1000
"""Rows that one page of a list looks through at most."""


class ProposalState(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class Lapse(StrEnum):
    """Why a proposal lapsed."""

    EXPIRED = "expired"
    STALE = "stale"
    PROPOSER = "proposer"
    RESTORED = "restored"


SENTENCES: dict[str, str] = {
    Lapse.EXPIRED: "Đề nghị đã hết hạn mà chưa được phê duyệt.",
    Lapse.STALE: "Dữ liệu đã thay đổi sau khi đề nghị; hãy xem trước và đề nghị lại.",
    Lapse.PROPOSER: "Quyền truy cập của người đề nghị đã thay đổi sau khi đề nghị.",
    Lapse.RESTORED: "Hệ thống đã được khôi phục từ bản sao lưu sau khi đề nghị.",
    ProposalState.APPROVED: "Đề nghị này đã được phê duyệt.",
    ProposalState.DECLINED: "Đề nghị này đã bị từ chối.",
    ProposalState.WITHDRAWN: "Đề nghị này đã được rút.",
}


class Proposal(Base):
    """A change that was proposed."""

    __tablename__ = "proposal"
    __table_args__ = (
        Index("ix_proposal_state", "state", "proposed_at", "id"),
        Index("ix_proposal_proposer", "proposer_kind", "proposer_id", "state"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    about: Mapped[str]
    """The name of the one person it is about, or nothing."""
    size: Mapped[int]
    """People, or rows, that its title counts."""
    undoes: Mapped[str | None]
    """The kind of the change that it takes back, if it does."""
    state: Mapped[str]
    proposer_kind: Mapped[str]
    proposer_id: Mapped[int | None] = mapped_column(Key)
    proposer_label: Mapped[str]
    proposer_ip: Mapped[str | None]
    proposer_port: Mapped[int | None]
    proposer_posts: Mapped[list[Any] | None]
    """The assignments she acted under; None where all of hers counted."""
    proposer_epoch: Mapped[int | None]
    installation_epoch: Mapped[int]
    proposed_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    effective_on: Mapped[date]
    decision_number: Mapped[str | None]
    people_count: Mapped[int]
    subjects: Mapped[list[Any]]
    """Whom it concerns, by id."""
    why: Mapped[list[Any]]
    """What it takes a second person for: codes of the plan's conflicts."""
    needs: Mapped[list[Any]]
    """[action, path] of the rights that it takes; what lists go by."""
    spec: Mapped[dict[str, Any]]
    """The whole request while it waits; afterwards nothing of it: the change has its own."""
    fingerprint: Mapped[str]
    decided_at: Mapped[datetime | None]
    decider_kind: Mapped[str | None]
    decider_id: Mapped[int | None] = mapped_column(Key)
    decider_label: Mapped[str | None]
    reason: Mapped[str | None]
    """What the approver said, who declined it."""
    lapse: Mapped[str | None]
    change_id: Mapped[str | None] = mapped_column(ForeignKey("change.id"))

    @property
    def proposer(self) -> Actor:
        """Whose change it is to be, as she stood when she proposed it."""
        posts = None if self.proposer_posts is None else frozenset(self.proposer_posts)
        return Actor(
            self.proposer_kind,
            self.proposer_id,
            self.proposer_label,
            self.proposer_ip,
            self.proposer_port,
            posts,
        )

    @property
    def title(self) -> str:
        """What lists call it."""
        if self.undoes is not None:
            return titles.undoing(self.undoes, self.about, self.size)
        return titles.composed(self.kind, self.about, self.size)

    @property
    def request(self) -> Spec:
        """What is asked for, while it waits."""
        return thawed(self.spec)

    def waits(self, now: datetime) -> bool:
        """Whether it may be approved, as far as its own row says."""
        return self.state == ProposalState.PROPOSED.value and now < self.expires_at

    def is_of(self, actor: Actor) -> bool:
        """Whether the actor proposed it."""
        return self.proposer.key == actor.key


@dataclass(frozen=True)
class Outside:
    """What approval hangs on and lies above the directory."""

    client_epoch: Callable[[Session, int], int | None]
    """Of a client that is enabled; None of any other."""
    require_apart: Callable[[Session, Actor, Actor, datetime], None]
    """Raises NotAllowed where proposer and approver may be one and the same."""


# ---- a request as JSON and back, whole ---------------------------------------------------------


def frozen(spec: Spec) -> dict[str, Any]:
    """A request as JSON, with all that its plan is made of."""
    kept = {}
    if spec.asked is not None:
        for name in sorted(spec.asked.model_fields_set):
            value = getattr(spec.asked, name)
            kept[name] = _field(type(spec.asked), name).dump_python(value, mode="json")
    plain: dict[str, Any] = _PLAIN.dump_python(replace(spec, asked=None), mode="json")
    return plain | {"asked": kept}


def thawed(kept: dict[str, Any]) -> Spec:
    """What ``frozen`` has kept. Nothing is checked again: references have been resolved, and what a
    field makes of its value has been made.
    """
    spec = _PLAIN.validate_python(kept | {"asked": None})
    model = kind.get(spec.kind).asks
    asked = {
        name: _field(model, name).validate_python(value) for name, value in kept["asked"].items()
    }
    if spec.rows:
        return spec
    return replace(spec, asked=model.model_construct(set(asked), **asked))


_PLAIN = TypeAdapter(Spec)


def _field(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    """The bare type of a field, without what reads it."""
    bare: Any = model.model_fields[name].annotation
    return TypeAdapter(bare)


# ---- who may look, who may decide --------------------------------------------------------------


@dataclass(frozen=True)
class Sight:
    """What the actor may do with proposals. What they take is asked for where the units are today:
    one may have been moved since.
    """

    granted: Rights
    paths: Mapping[str, str]

    @classmethod
    def of(cls, session: Session, granted: Rights, rows: Iterable[Proposal]) -> "Sight":
        """For these proposals."""
        noted = {path: ids_of(path)[-1] for row in rows for _, path in row.needs if path}
        today: dict[int, str] = {}
        for some in batches(sorted(set(noted.values()))):
            found = session.execute(select(OrgUnit.id, OrgUnit.path).where(OrgUnit.id.in_(some)))
            today |= {unit.id: unit.path for unit in found}
        return cls(granted, {path: today.get(unit_id, path) for path, unit_id in noted.items()})

    def _may(self, action: Do, path: str | None) -> bool:
        return self.granted.may(action, self.paths.get(path, path) if path else path)

    def sees(self, row: Proposal) -> bool:
        """Whether the actor may look at it: her own, or about people and units she sees; never
        about herself.
        """
        actor = self.granted.actor
        if actor.kind == "user" and actor.id in row.subjects:
            return False
        if row.is_of(actor):
            return True
        return bool(row.needs) and all(self._may(Do.SEE, path) for _, path in row.needs)

    def may_decide(self, row: Proposal) -> bool:
        """Whether it may be hers to approve or decline, as far as lists can tell."""
        actor = self.granted.actor
        second = actor.kind in ("user", "operator") and not row.is_of(actor)
        return (
            second
            and self.sees(row)
            and all(self._may(Do(action), path) for action, path in row.needs)
        )


def may_decide(session: Session, row: Proposal, granted: Rights) -> bool:
    """As ``Sight.may_decide``, of one."""
    return Sight.of(session, granted, [row]).may_decide(row)


def find(session: Session, granted: Rights, proposal_id: str) -> Proposal:
    """A proposal. Raises NotFound, also for one the actor may not see."""
    row = session.get(Proposal, proposal_id[:64], populate_existing=True)
    if row is None or not Sight.of(session, granted, [row]).sees(row):
        raise NotFound("proposal_unknown", "Không tìm thấy đề nghị này.")
    return row


def lapsed(session: Session, row: Proposal, outside: Outside, *, now: datetime) -> Lapse | None:
    """Why it can no longer be approved, but for its plan; None while it can."""
    if now >= row.expires_at:
        return Lapse.EXPIRED
    if session.scalar(select(Installation.epoch)) != row.installation_epoch:
        return Lapse.RESTORED
    if epoch(session, row.proposer, outside, since=row.proposed_at, now=now) != row.proposer_epoch:
        return Lapse.PROPOSER
    return None


def epoch(
    session: Session, actor: Actor, outside: Outside, *, since: datetime, now: datetime
) -> int | None:
    """The epoch of what the actor holds; None where it has ended."""
    if actor.id is None:
        return None
    if actor.kind == "client":
        return outside.client_epoch(session, actor.id)
    user = session.get(User, actor.id, populate_existing=True)
    if user is None or not user.may_act(local_day(now)):
        return None
    acting = UserCut.assignment_id.in_(sorted(actor.posts or ()))
    dated = select(UserCut.id).where(
        UserCut.user_id == user.id,
        or_(UserCut.assignment_id.is_(None), acting),
        UserCut.at > since,
        UserCut.at <= now,
    )
    return None if session.scalar(dated.limit(1)) is not None else user.access_epoch


def closed(row: Proposal) -> Conflict:
    """What is said of a proposal that does not wait any more."""
    if row.state == ProposalState.LAPSED.value:
        return Conflict("proposal_lapsed", SENTENCES[row.lapse or Lapse.STALE])
    return Conflict("proposal_closed", SENTENCES[row.state])


# ---- lists ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProposalPage:
    """One page of proposals, newest first; ``after`` asks for the next, None on the last."""

    rows: list[Proposal]
    after: str | None


def listed(
    session: Session,
    granted: Rights,
    *,
    state: ProposalState | None = None,
    after: str | None = None,
    limit: int = 50,
) -> ProposalPage:
    """Proposals the actor may see. Raises InvalidInput for a mark that is none."""
    query = _rows().order_by(Proposal.proposed_at.desc(), Proposal.id.desc())
    if state is not None:
        query = query.where(Proposal.state == state.value)
    if after:
        at, last = history.marked(after)
        query = query.where(
            or_(Proposal.proposed_at < at, and_(Proposal.proposed_at == at, Proposal.id < last))
        )
    found: list[Proposal] = []
    examined = list(session.scalars(query.limit(_EXAMINED)))
    sight = Sight.of(session, granted, examined)
    for row in examined:
        if len(found) == limit:
            return ProposalPage(found, history.mark(found[-1].proposed_at, found[-1].id))
        if sight.sees(row):
            found.append(row)
    more = examined[-1] if len(examined) == _EXAMINED else None
    return ProposalPage(found, history.mark(more.proposed_at, more.id) if more else None)


def _rows() -> Select[Proposal]:
    """Rows without the requests in them: one may name 2,000 people."""
    return select(Proposal).options(defer(Proposal.spec))


@dataclass(frozen=True)
class Agenda:
    """What a home page shows: what the actor may decide, and what she has proposed herself."""

    to_decide: list[Proposal]
    own: list[Proposal]


def agenda(session: Session, granted: Rights, *, now: datetime) -> Agenda:
    """The proposals that wait for the actor, or that she waits for; the oldest first."""
    rows = session.scalars(
        _rows()
        .where(Proposal.state == ProposalState.PROPOSED.value, Proposal.expires_at > now)
        .order_by(Proposal.proposed_at, Proposal.id)
        .limit(_OPEN)
    ).all()
    sight = Sight.of(session, granted, rows)
    mine = [row for row in rows if sight.may_decide(row)]
    about = sorted({user for row in mine for user in row.subjects})
    wide = limits.wider_people(session, about, granted, today=local_day(now)) if about else set()
    return Agenda(
        [row for row in mine if not wide & set(row.subjects)],
        [row for row in rows if row.is_of(granted.actor)],
    )


def as_dict(row: Proposal, *, now: datetime) -> dict[str, Any]:
    """A proposal as plain data, without its plan."""
    over = row.state == ProposalState.PROPOSED.value and now >= row.expires_at
    decider = {"kind": row.decider_kind, "label": row.decider_label}
    return {
        "id": row.id,
        "kind": row.kind,
        "state": ProposalState.LAPSED.value if over else row.state,
        "title": row.title,
        "proposer": {"kind": row.proposer_kind, "label": row.proposer_label},
        "proposed_at": _iso(row.proposed_at),
        "expires_at": _iso(row.expires_at),
        "effective_on": row.effective_on.isoformat(),
        "people": row.people_count,
        "why": list(row.why),
        "fingerprint": row.fingerprint,
        "decided_by": decider if row.decider_kind else None,
        "decided_at": _iso(row.decided_at),
        "reason": row.reason,
        "lapsed": Lapse.EXPIRED.value if over else row.lapse,
        "change": row.change_id,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
