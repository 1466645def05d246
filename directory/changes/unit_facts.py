"""What the changes of units in time share: planning a fact, writing it, taking it back.

A fact begins on the day of the change, in the past as well as in the future; what holds before and
after it follows (``directory.units.facts``). So any such change can be taken back whenever what then
holds instead is possible: no unit below itself, no code borne by two.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Annotated, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from directory import units
from directory.assignments import Assignment
from directory.base import outbox
from directory.base.errors import Conflict
from directory.base.rows import in_force
from directory.base.text import search_key, sort_key
from directory.changes import tree_day, unit_names, waiting_moves
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Ground, iso, said
from directory.changes.field_types import UnitRef
from directory.changes.kind import Subjects
from directory.changes.model import Change, ChangeLine, Line, Plan, Spec
from directory.changes.notices import Notice
from directory.permissions import Do
from directory.units import OrgUnit, UnitCode, UnitEdge, UnitName, facts, moves
from directory.units.facts import Fact, Span

TABLES: dict[str, type[Any]] = {
    table.__tablename__: table for table in (UnitName, UnitEdge, UnitCode)
}


class OfUnit(Fields):
    """What each of them asks for first."""

    unit: Annotated[
        UnitRef,
        Ask("Đơn vị", says="The unit: id or scheme:code (gso:14758).", option="--unit"),
    ]


class FactDraft:
    """Collects what a planner finds about one unit in time."""

    def __init__(self, session: Session, spec: Spec, ground: Ground) -> None:
        self.session = session
        self.spec = spec
        self.ground = ground
        self.lines: list[Line] = []
        self.warnings: list[Notice] = []
        self.conflicts: list[Notice] = []
        self.working = 0

    def warn(self, code: str, message: str, /, **args: Any) -> None:
        self.warnings.append(Notice(code, message, args=args))

    def conflict(self, code: str, message: str, /, named: str | None = None, **args: Any) -> None:
        self.conflicts.append(Notice(code, message, named=named, args=args))

    def concerned(self, unit: OrgUnit) -> None:
        """Say how many work there today: whoever does on the day is concerned."""
        people = self._working(unit)
        if people:
            self.warn(
                "concerned",
                "{n} người đang làm việc trong đơn vị này: khi ngày đến, tài khoản của ai có liên "
                "quan được đồng bộ lại.",
                n=people,
            )

    def _working(self, unit: OrgUnit) -> int:
        return (
            self.session.scalar(
                select(func.count(Assignment.user_id.distinct()))
                .join(OrgUnit, OrgUnit.id == Assignment.unit_id)
                .where(units.subtree(unit.path), in_force(Assignment, self.ground.today))
            )
            or 0
        )

    def done(self) -> Plan:
        """The plan; no person is named in it, whoever works there when its day comes is concerned."""
        return Plan(
            spec=self.spec,
            now=self.ground.now,
            rights=self.ground.rights,
            rulebook=self.ground.rulebook,
            lines=tuple(self.lines),
            warnings=tuple(self.warnings),
            conflicts=tuple(self.conflicts),
            units=tuple(sorted({line.unit_id for line in self.lines if line.unit_id})),
            working=self.working,
        )

    # ---- beginning a fact ------------------------------------------------------------------------

    def begin(self, unit: OrgUnit, fact: Fact) -> None:
        """One fact that begins on the day of the change, and what stands against it."""
        on = self.spec.effective_on
        if on < unit.valid_from or not in_force(unit, max(on, unit.valid_from)):
            self.conflict(
                "unit_not_there",
                "{unit} không tồn tại vào ngày {day}.",
                named="effective_on",
                unit=unit.name,
                day=said(on),
            )
            return
        standing = standing_with_first(self.session, unit, fact)
        before, after = facts.spans(standing), facts.spans(standing, plus=fact)
        now = next((span for span in before if in_force(span, on)), None)
        mine = next(span for span in after if span.fact is fact)
        none_before = now is None and isinstance(fact, UnitCode) and not fact.value
        if none_before or (now is not None and self._shown(now.fact) == self._shown(fact)):
            self.conflict(
                "nothing_changes", "Vào ngày {day} đã đúng như vậy.", day=said(on), named=None
            )
            return
        until = mine.valid_to
        if isinstance(fact, UnitName):
            columns = unit_names.decided(self._shown(now.fact) if now else None, self._shown(fact))
            until = unit_names.until(self.session, fact, columns)
        self._say_when(on, now, until)
        self.possible(unit, fact, after, moves.gained(before, after))
        self.lines.append(
            Line(
                type(fact).__tablename__,
                "begin",
                None,
                None,
                unit.id,
                unit.name,
                {**self._shown(now.fact), "valid_from": iso(now.valid_from)} if now else None,
                {**self._shown(fact), "valid_from": iso(on), "valid_to": iso(mine.valid_to)},
            )
        )

    def _shown(self, fact: Fact) -> dict[str, Any]:
        return shown(self.session, fact)

    def _say_when(self, on: date, now: Span | None, until: date | None) -> None:
        if on < self.ground.today:
            self.warn(
                "back_dated", "Ngày hiệu lực đã qua: các trang của những ngày từ đó đổi theo."
            )
        if self.spec.decision is None:
            self.warn("no_decision", "Chưa ghi số, ngày và cơ quan ban hành quyết định.")
        if now is not None and now.valid_from == on and now.fact.opened_by is not None:
            self.warn("replaces", "Thay cho điều đã quyết định cho cùng ngày {day}.", day=said(on))
        if until is not None:
            self.warn(
                "until",
                "Chỉ đến trước ngày {day}: từ ngày đó đã có quyết định khác.",
                day=said(until),
            )

    def possible(
        self, unit: OrgUnit, fact: Fact, after: Sequence[Span], gained: Sequence[Span]
    ) -> None:
        """Conflicts where what would hold is impossible on one of its days."""
        if isinstance(fact, UnitEdge):
            self.working += self._working(unit)  # sight and rights over them change
            day = moves.below_itself(self.session, unit.id, after, gained)
            if day is not None:
                self.conflict(
                    "below_itself",
                    "Vào ngày {day} {unit} sẽ nằm dưới chính mình.",
                    named="parent",
                    unit=unit.name,
                    day=said(day),
                )
            missing = moves.parent_not_there(self.session, gained)
            if missing is not None:
                self.conflict(
                    "parent_not_there",
                    "{unit} không tồn tại trong suốt thời gian đó.",
                    named="parent",
                    unit=missing.name,
                )
        if isinstance(fact, UnitCode):
            for other in moves.bearers(self.session, unit.id, gained)[:1]:
                self.conflict(
                    "code_taken",
                    "Mã {code} thuộc về {unit} từ ngày {day}.",
                    named="value",
                    code=f"{other.scheme}:{other.value}",
                    unit=units.get(self.session, other.unit_id).name,
                    day=said(other.valid_from),
                )

    # ---- taking one back -------------------------------------------------------------------------

    def take_back(self, fact: Fact) -> None:
        """One fact that never was, and what stands against what holds instead."""
        unit = units.get(self.session, fact.unit_id)
        scheme = fact.scheme if isinstance(fact, UnitCode) else ""
        of: type[Any] = type(fact)
        standing: Sequence[Fact] = facts.line(self.session, of, unit.id, scheme)
        before, after = facts.spans(standing), facts.spans(standing, but=fact.id)
        self.possible(unit, fact, after, moves.gained(before, after))
        instead = next((span for span in after if in_force(span, fact.valid_from)), None)
        if isinstance(fact, UnitName):
            for later, _ in unit_names.following(self.session, fact):
                self.warn(
                    "follows",
                    "Tên gọi đã quyết định cho ngày {day} cũng đổi theo, trừ phần mà quyết định đó "
                    "nêu riêng.",
                    day=said(later.valid_from),
                )
        self.lines.append(
            Line(
                type(fact).__tablename__,
                "take_back",
                fact.id,
                None,
                unit.id,
                unit.name,
                {
                    **self._shown(fact),
                    "valid_from": iso(fact.valid_from),
                    "valid_to": iso(fact.valid_to),
                },
                self._shown(instead.fact) if instead is not None else None,
            )
        )


def standing_with_first(session: Session, unit: OrgUnit, fact: Fact) -> Sequence[Fact]:
    """The facts like this one; a unit made by the release before has its name in its columns only."""
    scheme = fact.scheme if isinstance(fact, UnitCode) else ""
    of: type[Any] = type(fact)
    found: Sequence[Fact] = facts.line(session, of, unit.id, scheme)
    if found or of is not UnitName:
        return found
    return [
        name_fact(
            unit.id, unit.name, unit.short_name, unit.kind, unit.valid_from, key=unit.sort_key
        )
    ]


def name_fact(
    unit_id: int, name: str, short_name: str, kind: str, since: date, *, key: str = ""
) -> UnitName:
    """A name as a fact to be recorded."""
    return UnitName(
        unit_id=unit_id,
        name=name,
        short_name=short_name,
        kind=kind,
        search_key=search_key(name, short_name),
        sort_key=key or sort_key(name),
        valid_from=since,
    )


def shown(session: Session, fact: Fact) -> dict[str, Any]:
    """What a fact says, as lines keep it."""
    if isinstance(fact, UnitName):
        return {"name": fact.name, "short_name": fact.short_name, "kind": fact.kind}
    if isinstance(fact, UnitEdge):
        parent = session.get(OrgUnit, fact.parent_id) if fact.parent_id else None
        return {"parent": fact.parent_id, "parent_name": parent.name if parent else None}
    return {"scheme": fact.scheme, "value": fact.value}


def require(ground: Ground, *sides: tuple[OrgUnit, str]) -> None:
    """Whoever changes units must manage the installation there. Raises NotAllowed."""
    for unit, missing in sides:
        ground.rights.require(Do.MANAGE_INSTALLATION, unit.path, missing=missing)


def written(session: Session, change_id: str) -> list[ChangeLine]:
    """The lines by which a change began facts."""
    return list(
        session.scalars(
            select(ChangeLine)
            .where(ChangeLine.change_id == change_id, ChangeLine.table.in_(TABLES))
            .order_by(ChangeLine.id)
        )
    )


def plan_undo(session: Session, change: Change, spec: Spec, ground: Ground) -> Plan:
    """The change taken back, as of now. Raises Conflict, NotAllowed."""
    draft = FactDraft(session, spec, ground)
    for line in written(session, change.id):
        unit = units.get(session, line.unit_id or 0)
        require(ground, (unit, "source"))
        fact = session.get(TABLES[line.table], line.row_id, populate_existing=True)
        if fact is None or fact.taken_back_at is not None:
            raise Conflict("not_undoable", "Thay đổi này không thể hoàn tác.")
        draft.take_back(fact)
    return draft.done()


def write(session: Session, plan: Plan, change: Change) -> Plan:
    """The facts of a plan, recorded or taken back; today's columns where they count today."""
    lines = [_written(session, line, plan, change) for line in plan.lines]
    if not plan.scheduled or plan.spec.undo_of is not None:
        tree_day.turn(session, now=plan.now)
    if any(line.table == UnitEdge.__tablename__ for line in lines):
        waiting_moves.cut(session, now=plan.now)
    if plan.scheduled:
        outbox.enqueue_rows(session, [tree_day.job(plan.spec.effective_on, now=plan.now)])
    return replace(plan, lines=tuple(lines))


def _written(session: Session, line: Line, plan: Plan, change: Change) -> Line:
    if line.action == "take_back":
        gone = session.get_one(TABLES[line.table], line.row_id)
        facts.take_back(session, gone, at=plan.now)
        if isinstance(gone, UnitName):
            unit_names.taken_back(session, gone)
        return line
    fact = _fact(line, plan.spec)
    fact.opened_by, fact.recorded_at = change.id, plan.now
    facts.begin(session, fact)
    if isinstance(fact, UnitName):
        unit_names.begun(session, fact, unit_names.decided(line.before, line.after))
    return replace(line, row_id=fact.id)


def _fact(line: Line, spec: Spec) -> Fact:
    said_, unit_id, since = line.after or {}, line.unit_id or 0, spec.effective_on
    if line.table == UnitName.__tablename__:
        return name_fact(unit_id, said_["name"], said_["short_name"], said_["kind"], since)
    if line.table == UnitEdge.__tablename__:
        return UnitEdge(unit_id=unit_id, parent_id=said_["parent"], valid_from=since)
    return UnitCode(
        unit_id=unit_id,
        scheme=said_["scheme"],
        value=said_["value"],
        issuer=spec.decision.issuer if spec.decision else "",
        valid_from=since,
    )


def subjects(_session: Session, spec: Spec) -> Subjects:
    """The units that are named. What follows for whoever works there is decided on the day."""
    named = {getattr(spec.asked, name, None) for name in ("unit", "parent")}
    return Subjects(units=frozenset(unit_id for unit_id in named if unit_id is not None))
