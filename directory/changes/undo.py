"""plan_undo: take back what one earlier change wrote, and nothing that another wrote.

Never revives a session, a token, a certificate or a role. Refused when a later change builds on
it. Undoing what has not taken effect yet takes its dated marks away and ends nothing. A row goes
back to the end it would have without the change: where that end belonged to a change taken back
meanwhile, to what was before that one (``promises.Log``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory import assignments, people
from directory.assignments import Assignment, Held
from directory.base.errors import Conflict, NotFound
from directory.base.rows import batches, is_fact
from directory.changes import addresses, kind, lines, places, promises
from directory.changes.drafting import Ground, iso, require_over, said
from directory.changes.model import Change, ChangeLine, ChangeState, Line, Person, Plan, Spec
from directory.changes.notices import Notice
from directory.changes.promises import Log
from directory.changes.table import ENDS_POSTS, TABLE, Action, Column, Event
from directory.people import User, UserStatus
from directory.permissions import Do

UNDO = "undo"


def spec_of(session: Session, change_id: str) -> Spec:
    """The Spec that undoes a change. Raises NotFound."""
    change = session.get(Change, change_id)
    if change is None:
        raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")
    users = session.scalars(
        select(ChangeLine.user_id)
        .where(ChangeLine.change_id == change_id, ChangeLine.user_id.is_not(None))
        .distinct()
    )
    return Spec(
        UNDO,
        change.effective_on,
        users=tuple(sorted(u for u in users if u is not None)),
        undo_of=change_id,
    )


def undoable(change: Change) -> bool:
    """Whether this kind of change, as it stands, can be taken back at all."""
    found = kind.find(change.kind)
    return (
        found is not None
        and found.undoable
        and change.state
        not in (
            ChangeState.UNDONE.value,
            ChangeState.SUPERSEDED.value,
        )
    )


def plan_undo(session: Session, spec: Spec, ground: Ground) -> Plan:
    """The change taken back, as of now. Raises Conflict, NotFound, NotAllowed."""
    change = session.get(Change, spec.undo_of, populate_existing=True)
    if change is None:
        raise NotFound("change_unknown", "Không tìm thấy thay đổi này.")
    if change.state == ChangeState.SUPERSEDED.value:
        raise Conflict(
            "superseded",
            "Thay đổi này đã được một thay đổi khác thay thế; hãy hoàn tác thay đổi đó trước.",
        )
    if not undoable(change):
        raise Conflict("not_undoable", "Thay đổi này không thể hoàn tác.")
    if (take_back := kind.get(change.kind).take_back) is not None:
        return take_back(session, change, spec, ground)
    event = Event.CANCEL if promises.is_waiting(change, ground.now) else Event.UNDO
    found = promises.log(session, spec.users)
    timelines = assignments.recorded(session, spec.users)
    rows = _rows(session, spec.users)
    draft = _Undo(change, ground, found)
    for user_id in spec.users:
        own = _like(change.event_of(user_id)) or event
        draft.about(people.get(session, user_id), tuple(timelines[user_id]), rows, own)
    for path in sorted(draft.paths):
        ground.rights.require(Do.CHANGE, path, missing="source")
    if not draft.paths:
        for user_id in spec.users:
            require_over(ground, timelines[user_id], ground.today)
    held = [h for user_id in spec.users for h in timelines[user_id]]
    given, back = _addresses(session, draft)
    # Rows are voided before others reopen: one open primary at a time, also in between.
    ordered = sorted(draft.lines, key=lambda li: li.action != "void")
    return Plan(
        spec=spec,
        now=ground.now,
        rights=ground.rights,
        rulebook=ground.rulebook,
        people=tuple(draft.people),
        lines=tuple(ordered),
        warnings=(*draft.warnings, *addresses.shared(session, [*given, *back], ground)),
        conflicts=(
            *draft.conflicts,
            *addresses.taken(session, given, ground),
            *places.gone(session, ordered, held, ground.today),
        ),
    )


def _addresses(
    session: Session, draft: "_Undo"
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """E-mail addresses that people get back by this: the address itself, which somebody else may have
    by now and which another may be entered for; or themselves with the one they have, since nobody
    chooses it here and who was dismissed wrongly must be able to come back.
    """
    given, back = [], []
    for line in draft.lines:
        before, after = line.before or {}, line.after or {}
        if line.table != "users" or line.user_id is None:
            continue
        user = people.get(session, line.user_id)
        email = after.get("email") or user.email
        row = {
            "row": None,
            "user": user.id,
            "person": {"email": email, "full_name": user.full_name},
        }
        if after.get("email"):
            given.append(row)
        elif before.get("status") == UserStatus.LEFT.value != after.get("status", user.status):
            back.append(row)
    return given, back


def _like(event: Event | None) -> Event | None:
    """What only updates what she has is taken back by updating it again."""
    return event if event and TABLE[event][Column.ACCOUNTS] is Action.UPDATE else None


def _rows(session: Session, users: tuple[int, ...]) -> dict[int, Assignment]:
    found: dict[int, Assignment] = {}
    for some in batches(users):
        for row in session.scalars(
            select(Assignment)
            .where(Assignment.user_id.in_(some))
            .execution_options(populate_existing=True)
        ):
            found[row.id] = row
    return found


@dataclass
class _Undo:
    """Collects what taking one change back means for each of its people."""

    change: Change
    ground: Ground
    log: Log
    lines: list[Line] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    conflicts: list[Notice] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def about(
        self, user: User, timeline: tuple[Held, ...], rows: dict[int, Assignment], event: Event
    ) -> None:
        """One person's part."""
        written = [x for x in self.log.lines[user.id] if x.change_id == self.change.id]
        aside = self.log.putting_aside(user.id, self.change.id)
        if aside is not None and any(line.action == "supersede" for line in written):
            self._later(user, self.log.changes[aside].title)
        touched = {line.row_id for line in written if line.table == "assignment"}
        new: list[Line] = []
        for held in timeline:
            row = rows[held.id]
            if held.id not in touched and row.closed_by != self.change.id:
                continue
            self.paths.add(held.unit.path)
            if aside is None:
                new += self._row(user, held, row, written)
            elif row.opened_by == self.change.id and row.closed_by not in (None, aside):
                self._later(user, self.log.changes[row.closed_by].title)
        if aside is None:
            new += self._standing(user, written)
            new += self._revived(user, written)
        self._refuse_twice(user, timeline, new)
        self.lines += new
        self.people.append(_person(user, timeline, new, event))

    def _refuse_twice(self, user: User, timeline: tuple[Held, ...], new: list[Line]) -> None:
        """A further post that she has taken up again since does not come back beside itself."""
        back = {line.row_id: line.after or {} for line in new if line.action == "reopen"}
        for held in (h for h in timeline if h.id in back):
            end = back[held.id]["valid_to"]
            for other in timeline:
                again = other.id > held.id and is_fact(other) and other.id not in back
                same = (other.unit.id, other.position_id) == (held.unit.id, held.position_id)
                if again and same and (end is None or iso(other.valid_from) < end):
                    self._later(user, f"{other.position_name}, {other.unit.name}")
                    return

    def _row(
        self, user: User, held: Held, row: Assignment, written: list[ChangeLine]
    ) -> Iterator[Line]:
        line = next((x for x in written if x.table == "assignment" and x.row_id == row.id), None)
        label = line.label if line else f"{held.position_name}, {held.unit.name}"
        if line is not None and line.action == "open":
            own = (line.after or {}).get("closed_by")
            if row.closed_by not in (None, own):
                by = self.log.changes.get(row.closed_by)
                self._later(user, by.title if by else label)
            yield self._line("void", held, label, iso(row.valid_from), None)
            return
        if row.closed_by != self.change.id:
            return  # its end has become another change's since
        if line is None:
            # A post that ends only because this change was already waiting when it was opened.
            yield self._line("reopen", held, label, *self._at_most(user, row, None, None))
        elif line.action == "close" or self._may_begin(row):
            end, owner = self.log.end_before(user.id, row.id, line.before or {})
            yield self._line("reopen", held, label, *self._at_most(user, row, end, owner))

    def _at_most(
        self, user: User, row: Assignment, end: str | None, owner: str | None
    ) -> tuple[str | None, str | None]:
        """The end of a post that comes back: a decision made since, by which every post ends, would
        have ended it too.
        """
        own = self.log.lines[user.id]
        after = max(
            x.id
            for x in own
            if x.change_id == self.change.id
            or (x.table, x.action, x.row_id) == ("assignment", "open", row.id)
        )
        first = {x.change_id: x.id for x in reversed(own)}
        since = [change_id for change_id, line in first.items() if line > after]
        for other in sorted((self.log.changes[i] for i in since), key=lambda c: c.effective_on):
            day = other.effective_on
            if (
                other.event_of(user.id) in ENDS_POSTS
                and self.log.stands(other.id)
                and self.log.putting_aside(user.id, other.id) is None
                and row.id not in (other.spec.get("keep") or ())
                and row.valid_from <= day
                and (end is None or day.isoformat() < end)
            ):
                return day.isoformat(), other.id
        return end, owner

    def _may_begin(self, row: Assignment) -> bool:
        """A post that this change kept from beginning, unless its own change is gone."""
        return row.opened_by not in self.log.changes or self.log.stands(row.opened_by)

    @staticmethod
    def _line(action: str, held: Held, label: str, end: str | None, owner: str | None) -> Line:
        after: dict[str, Any] = {"valid_to": end} | ({"closed_by": owner} if owner else {})
        return Line(
            "assignment",
            action,
            held.id,
            held.user_id,
            held.unit.id,
            label,
            {"valid_to": iso(held.valid_to)},
            after,
        )

    def _standing(self, user: User, written: list[ChangeLine]) -> Iterator[Line]:
        """Her status, day of leaving and what is known of her, without this change."""
        line = next((x for x in written if x.table == "users"), None)
        if line is None:
            return
        before, after = self._columns(user, line)
        said = (line.after or {}).keys()
        if line.action == "create" or promises.comes_back(line):
            self._refuse(user, line, lambda _: True)  # she would not have been here
            before |= {"status": user.status, "leaves_on": iso(user.leaves_on)}
            after |= {"status": UserStatus.LEFT.value, "leaves_on": self._leaves(user, line)}
        elif "leaves_on" in said:
            self._refuse(user, line, promises.comes_back)
            before |= {"status": user.status, "leaves_on": iso(user.leaves_on)}
            after["leaves_on"] = self._leaves(user, line)
            if user.status == UserStatus.LEFT.value:
                after["status"] = self._status(user)
        elif "status" in said:
            before["status"] = user.status
            self._refuse_later(user, line, "status", but="leaves_on")
            if user.status == UserStatus.LEFT.value:
                self._later(user, user.full_name)
            after["status"] = self._status(user)
        yield Line("users", "update", user.id, user.id, None, line.label, before, after)

    def _columns(self, user: User, line: ChangeLine) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is known of her as it is, and as it was before this change."""
        if line.action == "create":
            return {}, {}
        said = [name for name in lines.PERSONAL if name in (line.after or {})]
        for name in said:
            self._refuse_later(user, line, name)
        was = line.before or {}
        return {n: getattr(user, n) for n in said}, {n: was.get(n) for n in said}

    def _leaves(self, user: User, line: ChangeLine) -> str | None:
        was = (line.before or {}).get("leaves_on")
        return self.log.leaves_without(user.id, self.change.id, found=was)

    def _status(self, user: User) -> str:
        return self.log.status_without(user.id, self.change.id, now=self.ground.now)

    def _refuse_later(self, user: User, line: ChangeLine, column: str, *, but: str = "") -> None:
        """A change that has since decided the same column of hers, and stands."""

        def decides(later: ChangeLine) -> bool:
            said = later.after or {}
            return later.table == "users" and column in said and but not in said

        self._refuse(user, line, decides)

    def _refuse(self, user: User, line: ChangeLine, builds: Callable[[ChangeLine], bool]) -> None:
        """A change since, which stands and builds on this one."""
        for later in self.log.lines[user.id]:
            if builds(later) and self._comes_after(later, line):
                self._later(user, self.log.changes[later.change_id].title)
                return

    def _comes_after(self, later: ChangeLine, line: ChangeLine) -> bool:
        change = self.log.changes[later.change_id]
        stands = change.undo_of is None and self.log.stands(change.id)
        return later.id > line.id and change.id != self.change.id and stands

    def _revived(self, user: User, written: list[ChangeLine]) -> Iterator[Line]:
        """What this change had put aside waits again, unless it was taken back meanwhile."""
        for line in written:
            if line.table != "change" or line.action != "supersede":
                continue
            other = self.log.changes[(line.before or {})["change"]]
            if not self.log.stands(other.id):
                continue
            yield promises.revive_line(line)
            self.warnings.append(
                Notice(
                    "revives",
                    "Việc đã bị thay thế lại chờ đến ngày: {title}, có hiệu lực từ ngày {day}.",
                    user.id,
                    args={"title": other.title, "day": said(other.effective_on)},
                )
            )

    def _later(self, user: User, label: str) -> None:
        self.conflicts.append(
            Notice(
                "later_change",
                "Một thay đổi sau đó đã sửa cùng dữ liệu: {label}.",
                user.id,
                args={"label": label},
            )
        )


def _person(user: User, before: tuple[Held, ...], lines: list[Line], event: Event) -> Person:
    moved = {line.row_id: line for line in lines if line.table == "assignment"}
    after, ended = [], []
    for held in before:
        line = moved.get(held.id)
        if line is None or line.after is None:
            after.append(held)
            continue
        end = line.after["valid_to"]
        after.append(replace(held, valid_to=date.fromisoformat(end) if end else None))
        if line.action == "void":
            ended.append(held.id)
    statuses = [(li.after or {}).get("status") for li in lines if li.table == "users"]
    status = next((s for s in statuses if s is not None), user.status)
    return Person(
        user.id,
        user.sub,
        user.username,
        user.full_name,
        user.status,
        status,
        event,
        before,
        tuple(after),
        tuple(ended),
    )
