"""Every kind of change × every kind on one subject × when × taken back or not: the pair table.

One decision is made on day 0, a second on day 1, both for that day or a later one; then one or both
are taken back, before their day or after it. On every day of interest the product is asked, before
and after its worker has run, where she serves, what her status is, which administrator's roles count,
where each change stands, who sees her and whether she holds a place. What is right comes from
``facts``, a naive model that knows nothing of the product; what the model calls impossible must be
refused by the preview, and what the preview lets pass must be committed.

On the commit before the promises of changes were kept (9ba8525) the sample fails wherever a suspension
and its end wipe a day of leaving, a leave taken back writes an old status over a new one, a second
move or a dismissal is refused because one waits, a post with a term can be neither left nor moved from,
a cancelled leave leaves a role with its end, or a leave undone gives a role back. That a cancelled
change gives no office sight and holds no place is asked, too; there the sample does not come to it.

A sample runs with every ``make test``; the whole table is ``long``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from directory.base.errors import InvalidInput
from directory.changes import spec as specs
from directory.changes.model import ChangeKind
from tests.pairs.facts import ACTIVE, AWAY, HOME, NEXT, Decision, Facts
from tests.pairs.play import Broken, Subject, World

NOT_ABOUT_A_PERSON = {
    ChangeKind.UNIT_CREATE,
    ChangeKind.POSITION_CREATE,
    ChangeKind.POST_CREATE,
}
"""Kinds that open nothing of anybody's and end nothing."""

Step = tuple[str, int, str | None]
"""(kind, day, where to, or why)."""

FIRST: dict[ChangeKind, list[Step]] = {
    ChangeKind.JOIN: [("join", 0, HOME), ("join", 10, HOME)],
    ChangeKind.TRANSFER: [
        ("transfer", 0, AWAY),
        ("transfer", 10, AWAY),
        ("transfer", 10, NEXT),
        ("transfer", -3, AWAY),
    ],
    ChangeKind.SUSPEND: [("suspend", 0, None)],
    ChangeKind.RESUME: [("resume", 0, None)],
    ChangeKind.LEAVE: [
        ("leave", 0, "dismiss"),
        ("leave", 10, "retire"),
        ("leave", 10, "die"),
    ],
}
SECOND: dict[ChangeKind, list[Step]] = {
    ChangeKind.JOIN: [],  # nobody joins twice: a known person is a conflict of its own
    ChangeKind.TRANSFER: [
        ("transfer", 1, NEXT),
        ("transfer", 5, NEXT),
        ("transfer", 10, NEXT),
        ("transfer", 15, NEXT),
        ("transfer", 5, AWAY),
        ("transfer", 15, AWAY),
        ("transfer", -2, NEXT),
    ],
    ChangeKind.SUSPEND: [("suspend", 1, None)],
    ChangeKind.RESUME: [("resume", 1, None)],
    ChangeKind.LEAVE: [
        ("leave", 1, "dismiss"),
        ("leave", 1, "die"),
        ("leave", 5, "retire"),
        ("leave", 10, "resign"),
        ("leave", 15, "retire"),
        ("leave", -2, "die"),
    ],
}
BACK: list[tuple[int, tuple[int, ...]]] = [
    (2, ()),
    (2, (0,)),
    (2, (1,)),
    (2, (0, 1)),
    (2, (1, 0)),
    (12, (0,)),
    (12, (1,)),
    (12, (1, 0)),
]
"""(day, which of the two are taken back, in that order); ChangeKind.UNDO is played here."""
BASES: list[tuple[str, int | None]] = [("open", None), ("term", 40)]
DAYS = (0, 1, 2, 5, 10, 12, 15, 41)


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    base: str
    term: int | None
    first: Step
    second: Step
    back_on: int
    back: tuple[int, ...]

    def __str__(self) -> str:
        undone = f", taken back on {self.back_on}: {self.back}" if self.back else ""
        return f"{self.base}: {self.first}, then {self.second}{undone}"


def cases(kind: ChangeKind) -> Iterator[Case]:
    """The row of the table that begins with this kind."""
    for base, term in BASES:
        if kind == ChangeKind.JOIN and base != "open":
            continue
        for first in FIRST[kind]:
            for second in (s for steps in SECOND.values() for s in steps):
                for back_on, back in BACK:
                    yield Case(base, term, first, second, back_on, back)


class Played:
    """One cell in play: the product's person and the model's, side by side."""

    def __init__(self, world: World, case: Case) -> None:
        self.world, self.case = world, case
        joins = case.first[0] == "join"
        self.facts = Facts(born_in_post=not joins, term=case.term)
        self.her: Subject = world.subject(in_post=not joins, term=case.term)
        self.made: list[Decision | None] = []
        self.wrong: list[str] = []
        if case.first[0] == "resume":
            self._decide(("suspend", 0, None), 0)
            self.made.clear()

    def act(self, today: int) -> None:
        """What is decided on this day."""
        if self.wrong:
            return
        try:
            if today == 0:
                self._decide(self.case.first, today)
            elif today == 1:
                self._decide(self.case.second, today)
            elif today == self.case.back_on:
                for which in self.case.back:
                    self._undo(which, today)
        except Broken as broken:
            self._say(today, str(broken))

    def _decide(self, step: Step, today: int) -> None:
        kind, day, to = step
        where = to if kind in ("join", "transfer") else None
        why = self.facts.refused(kind, day, today, where) if kind != "join" else None
        change = self.world.decide(self.her, kind, day, to)
        self.made.append(self._same(why, change, today, step))
        if change is not None and why is None:
            made = self.facts.decide(kind, day, today, where)
            self.made[-1] = made
            self.her.changes[made.number] = change

    def _undo(self, which: int, today: int) -> None:
        one = self.made[which] if which < len(self.made) else None
        if one is None:
            return
        why = self.facts.undo_refused(one, today)
        change = self.world.undo(self.her.changes[one.number])
        self._same(why, change, today, f"taking back {one}")
        if change is not None and why is None:
            self.facts.undo(one, today)

    def _same(self, why: str | None, change: str | None, today: int, what: object) -> None:
        if why is None and change is None:
            self._say(today, f"{what} is refused, and possible")
        elif why is not None and change is not None:
            self._say(today, f"{what} is let pass, but {why}")

    def compare(self, today: int, *, worked: bool, sight: bool) -> None:
        """What holds today, by the product and by the model."""
        if self.wrong or self.her.user is None:
            return
        facts, status = self.facts, self.facts.status(today)
        right: dict[Any, Any] = {
            "status": status,
            "may act": status == ACTIVE,
            "post": facts.post(today),
            "second post": facts.second_post(today),
            "free role": facts.free_role(today),
            "bound role": facts.bound_role(today),
        }
        seen: dict[Any, Any] = dict(self.world.look(self.her))
        if worked:
            known = [d for d in facts.decisions if d.number in self.her.changes]
            right |= {d.number: facts.state(d, today) for d in known}
            seen |= self.world.states(self.her)
        if sight and worked and today in (2, 12):
            for unit in (AWAY, NEXT):
                concerned = facts.concerns(unit, today)
                right |= {f"{unit} sees her": concerned, f"place in {unit} taken": concerned}
                seen |= self.world.sight(self.her, unit)
        for name, value in right.items():
            if seen[name] != value:
                when = "" if worked else ", before the worker"
                self._say(today, f"{name} is {seen[name]!r}, should be {value!r}{when}")

    def _say(self, today: int, what: str) -> None:
        self.wrong.append(f"{self.case} → day {today}: {what}")


def play(world: World, table: list[Case], *, sight: bool = False) -> list[str]:
    """Play all these cells on one installation; what came out wrong. With ``sight`` also who sees
    her and whether she holds a place, after decisions were taken back.
    """
    played = [Played(world, case) for case in table]
    for today in DAYS:
        world.come(today)
        for one in played:
            one.facts.come(today)
            one.compare(today, worked=False, sight=sight)
            one.world.work(one.her)
            one.compare(today, worked=True, sight=sight)
            one.act(today)
            one.world.work(one.her)
            one.compare(today, worked=True, sight=sight)
    return [wrong for one in played for wrong in one.wrong]


def told(wrong: list[str]) -> str:
    """The first of what is wrong, for whoever reads the failure."""
    return "\n".join([f"{len(wrong)} wrong", *wrong[:30]])


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return World.build(services, clock)


@pytest.mark.both_databases
def test_a_sample_of_pairs_comes_out_as_the_naive_model_says(world: World) -> None:
    table = [case for kind in FIRST for case in cases(kind)]
    assert not (wrong := play(world, table[5::131])), told(wrong)


def waits(step: Step) -> bool:
    """Whether somebody waits for her after this step."""
    return step[0] in ("join", "transfer") and step[1] > 2


@pytest.mark.both_databases
def test_a_sample_of_pairs_is_seen_and_counted_as_the_naive_model_says(world: World) -> None:
    table = [case for kind in FIRST for case in cases(kind) if case.back]
    table = [case for case in table if waits(case.first) or waits(case.second)]
    assert not (wrong := play(world, table[7::113], sight=True)), told(wrong)


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("sight", [False, True], ids=["held", "seen"])
@pytest.mark.parametrize("kind", FIRST, ids=lambda kind: kind.value)
def test_every_pair_comes_out_as_the_naive_model_says(
    world: World, kind: ChangeKind, sight: bool
) -> None:
    assert not (wrong := play(world, list(cases(kind)), sight=sight)), told(wrong)


@pytest.mark.parametrize("kind", ChangeKind, ids=lambda kind: kind.value)
def test_no_kind_of_change_is_forgotten(world: World, kind: ChangeKind) -> None:
    if kind in FIRST or kind in NOT_ABOUT_A_PERSON or kind == ChangeKind.UNDO:
        return
    with world.services.db.read() as session, pytest.raises(InvalidInput) as refused:
        specs.parse(
            session, {"kind": kind.value}, now=world.clock(), keyring=world.services.keyring
        )
    assert refused.value.code == "kind_not_supported", f"{kind} belongs into the table"
