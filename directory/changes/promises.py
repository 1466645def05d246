"""What a person has been promised: changes that wait for their day, and whose an end date is.

A committed change that has not taken effect is a promise of lines. Another change may be made
before its day and then leaves it whole; it may make it pointless, and then *supersedes* it, said
in its lines, in the preview's warnings and in the state of the change put aside; or it is refused
by a conflict. Taking a change back takes back what that change wrote, and nothing of another's.

An end date that came with a post (a term, a feed) belongs to no change: it waits for nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.assignments import Assignment, Held, HeldAs
from directory.base.rows import batches
from directory.base.values import OPEN_FROM
from directory.changes import titles
from directory.changes.model import Change, ChangeLine, ChangeState, Line
from directory.changes.table import Event
from directory.people import UserStatus


@dataclass(frozen=True)
class Waiting:
    """A change about a person whose day has not come."""

    id: str
    kind: str
    effective_on: date
    about: str
    event: Event | None

    @property
    def title(self) -> str:
        """What lists call it."""
        return titles.composed(self.kind, self.about)


@dataclass(frozen=True)
class Promises:
    """What waits for one person, and which change gave each of her rows its end."""

    waiting: tuple[Waiting, ...] = ()
    """By day, then as they were committed."""
    opened_by: Mapping[int, str] | None = None
    closed_by: Mapping[int, str] | None = None
    """Assignment → the change whose day its end is; rows with an end of their own are not in it."""

    def from_day(self, on: date) -> tuple[Waiting, ...]:
        """What waits for this day or a later one."""
        return tuple(w for w in self.waiting if w.effective_on >= on)

    def is_waiting(self, change_id: str | None) -> bool:
        """Whether this is one of the waiting changes."""
        return any(w.id == change_id for w in self.waiting)

    def owner(self, held: Held) -> str | None:
        """The change that gave the row its end, if one did."""
        return (self.closed_by or {}).get(held.id)

    def opener(self, held: Held) -> str | None:
        """The change that opened the row."""
        return (self.opened_by or {}).get(held.id)

    def own_end(self, held: Held) -> date | None:
        """An end that came with the post (a term, a feed), not from a change nor written for none."""
        if self.owner(held) is not None or held.valid_to is None:
            return None
        return held.valid_to if held.valid_to.year < OPEN_FROM else None


NOTHING = Promises()


def is_waiting(change: Change, now: datetime) -> bool:
    """Whether its day has not come: by the date, whether or not a job has noticed."""
    return change.state == ChangeState.SCHEDULED.value and change.effective_at > now


def read(session: Session, user_ids: Iterable[int], *, now: datetime) -> dict[int, Promises]:
    """The promises made to each of these people."""
    wanted = sorted(set(user_ids))
    waiting: dict[int, list[Waiting]] = {u: [] for u in wanted}
    opened: dict[int, dict[int, str]] = {u: {} for u in wanted}
    closed: dict[int, dict[int, str]] = {u: {} for u in wanted}
    for part in batches(wanted):
        aside = superseded(session, part)
        for row in session.execute(
            select(ChangeLine.user_id, Change)
            .join(Change, Change.id == ChangeLine.change_id)
            .where(
                Change.state == ChangeState.SCHEDULED.value,
                Change.effective_at > now,
                ChangeLine.user_id.in_(part),
            )
            .order_by(Change.effective_on, Change.committed_at, Change.id)
        ):
            known = (w.id for w in waiting.get(row.user_id, ()))
            if (row.user_id, row.Change.id) not in aside and row.Change.id not in known:
                waiting[row.user_id].append(_waiting(row.Change, row.user_id))
        for held in session.execute(
            select(
                Assignment.id, Assignment.user_id, Assignment.opened_by, Assignment.closed_by
            ).where(Assignment.user_id.in_(part))
        ):
            opened[held.user_id][held.id] = held.opened_by
            if held.closed_by is not None:
                closed[held.user_id][held.id] = held.closed_by
    return {u: Promises(tuple(waiting[u]), opened[u], closed[u]) for u in wanted}


def _waiting(change: Change, user_id: int) -> Waiting:
    return Waiting(
        change.id, change.kind, change.effective_on, change.named, change.event_of(user_id)
    )


def superseded(session: Session, user_ids: list[int]) -> set[tuple[int, str]]:
    """(person, change) put aside for that person by a change that stands."""
    rows = session.execute(
        select(ChangeLine.user_id, ChangeLine.before)
        .join(Change, Change.id == ChangeLine.change_id)
        .where(
            ChangeLine.user_id.in_(user_ids),
            ChangeLine.table == "change",
            ChangeLine.action == "supersede",
            Change.state != ChangeState.UNDONE.value,
        )
    )
    return {(row.user_id, row.before["change"]) for row in rows}


def supersede_line(user_id: int, waiting: Waiting) -> Line:
    """The line that puts a waiting change aside for one person."""
    which = {"change": waiting.id, "effective_on": waiting.effective_on.isoformat()}
    return Line(
        "change",
        "supersede",
        None,
        user_id,
        None,
        waiting.about,
        {**which, "kind": waiting.kind, "state": ChangeState.SCHEDULED.value},
        {**which, "kind": waiting.kind, "state": ChangeState.SUPERSEDED.value},
    )


def revive_line(line: ChangeLine) -> Line:
    """What takes a ``supersede`` line back."""
    return Line(
        "change",
        "revive",
        None,
        line.user_id,
        None,
        line.label,
        before=line.after,
        after=line.before,
    )


def next_begin(timeline: Iterable[Held], on: date) -> Held | None:
    """The primary post that begins next after a day, promised by whatever change or feed."""
    later = [h for h in timeline if h.kind == HeldAs.PRIMARY and not h.void and h.valid_from > on]
    return min(later, key=lambda h: (h.valid_from, h.id), default=None)


def overlapping(timeline: Iterable[Held]) -> set[tuple[int, int]]:
    """Pairs of primary posts that hold on the same day: the one rule, for every way in."""
    rows = sorted(
        (h for h in timeline if h.kind == HeldAs.PRIMARY and not h.void),
        key=lambda h: (h.valid_from, h.valid_to or date.max, h.id),
    )
    found, longest = set(), None
    for earlier, later in pairwise(rows):
        if longest is None or _end(earlier) >= _end(longest):
            longest = earlier
        if _end(longest) > later.valid_from:
            found.add((longest.id, later.id))
    return found


def _end(held: Held) -> date:
    return held.valid_to or date.max


@dataclass(frozen=True)
class Log:
    """Everything that was ever written about some people, and where each change stands."""

    changes: Mapping[str, Change]
    lines: Mapping[int, tuple[ChangeLine, ...]]
    """By person, as they were written."""

    def stands(self, change_id: str) -> bool:
        """Whether the change was committed and not taken back."""
        found = self.changes.get(change_id)
        return found is not None and found.state != ChangeState.UNDONE.value

    def putting_aside(self, user_id: int, change_id: str) -> str | None:
        """The change that has superseded this one for the person, if one has and stands."""
        return next(
            (
                line.change_id
                for line in self.lines.get(user_id, ())
                if line.table == "change"
                and line.action == "supersede"
                and (line.before or {}).get("change") == change_id
                and self.stands(line.change_id)
            ),
            None,
        )

    def end_before(
        self, user_id: int, row_id: int, found: Mapping[str, Any]
    ) -> tuple[str | None, str | None]:
        """(end, change it belongs to) a row had before a line touched it, as it counts today:
        an end that belonged to a change taken back since is that change's ``before``, and so on.
        """
        end, owner = found.get("valid_to"), found.get("closed_by")
        while owner is not None and not self.stands(owner):
            line = next(
                (
                    line
                    for line in self.lines.get(user_id, ())
                    if (line.change_id, line.table, line.row_id) == (owner, "assignment", row_id)
                    and line.action in ("close", "void")
                ),
                None,
            )
            if line is None:
                return None, None
            before = line.before or {}
            end, owner = before.get("valid_to"), before.get("closed_by")
        return end, owner

    def status_without(self, user_id: int, change_id: str, *, now: datetime) -> str:
        """Her status by every change that stands and has taken effect, but for one."""
        status: str | None = None
        for line in self.lines.get(user_id, ()):
            if line.table != "users" or not _STANDING & (line.after or {}).keys():
                continue  # her name, her address
            if status is None:
                status = (line.before or {}).get("status", UserStatus.ACTIVE.value)
            change = self.changes.get(line.change_id)
            if change is not None and change.id != change_id and self._comes_back(line):
                status = UserStatus.ACTIVE.value
            if (
                change is None
                or change.id == change_id
                or not self.stands(change.id)
                or change.effective_at > now
                or status == UserStatus.LEFT.value
            ):
                continue
            status = _gives_status(line, change) or status
        return status or UserStatus.ACTIVE.value

    def _comes_back(self, line: ChangeLine) -> bool:
        """Whether by this line, which stands, somebody who had left is in service again."""
        change = self.changes[line.change_id]
        return comes_back(line) and change.undo_of is None and self.stands(change.id)

    def leaves_without(self, user_id: int, change_id: str, *, found: str | None) -> str | None:
        """Her day of leaving by every change that stands, but for one; ``found`` is what that one
        had found, kept where no change had set it.
        """
        days: list[str] = []
        known = set()
        for line in self.lines.get(user_id, ()):
            after = line.after or {}
            change = self.changes.get(line.change_id)
            if line.table != "users" or change is None or change.undo_of is not None:
                continue
            if "leaves_on" not in after:
                continue
            known.add(after.get("leaves_on"))
            if change.id == change_id or not self.stands(change.id):
                continue
            if comes_back(line):
                days.clear()
            else:
                days.append(str(after["leaves_on"]))
        if days:
            return min(days)
        return found if found not in known else None


def comes_back(line: ChangeLine) -> bool:
    """Whether a line takes somebody's day of leaving away because she comes back. What takes a
    change back may do so as well: that is no decision.
    """
    after = line.after or {}
    decided = line.table == "users" and after.get("status") == UserStatus.ACTIVE.value
    return decided and "leaves_on" in after and after["leaves_on"] is None


_STANDING = frozenset({"status", "leaves_on", "username"})
"""What a line about a person holds that decides her standing: it makes her, or moves it."""


def _gives_status(line: ChangeLine, change: Change) -> str | None:
    """The status that a line about a person decides; taking a change back decides none."""
    if change.undo_of is not None:
        return None
    if line.action == "create":
        return UserStatus.ACTIVE.value
    status: str | None = (line.after or {}).get("status")
    return status


def log(session: Session, user_ids: Iterable[int]) -> Log:
    """The log of these people."""
    lines: dict[int, list[ChangeLine]] = {u: [] for u in user_ids}
    changes: dict[str, Change] = {}
    for part in batches(sorted(lines)):
        for change, line in session.execute(
            select(Change, ChangeLine)
            .join(ChangeLine, ChangeLine.change_id == Change.id)
            .where(ChangeLine.user_id.in_(part))
            .order_by(ChangeLine.id)
            .execution_options(populate_existing=True)
        ):
            changes[change.id] = change
            lines[line.user_id or 0].append(line)
    return Log(changes, {u: tuple(rows) for u, rows in lines.items()})
