"""Every kind of change × every kind on one subject × when × taken back or not: the pair table.

One decision is made on day 0, a second on day 1, both for that day or a later one; then one or both
are taken back, before their day or after it. On every day on which something is decided or comes, the
product is asked where she serves, what her status is, which administrator's roles count and where each
change stands (where something comes by itself: before its worker has run, and after). When decisions
were taken back, and at the end, the offices she was to go to are asked what they see of her, whether
they may decide about her, and whether she holds their place. What is right comes from ``facts``, a
naive model that knows nothing of the product; what the model calls impossible must be refused by the
preview, and what the preview lets pass must be committed.

A sample runs with every ``make test``: one cell of each pair of kinds, and the cells on which an earlier
release was seen wrong (``table.SEEN_WRONG``; docs/decisions/0011 says on which and how). The whole table
is ``long``.
"""

from typing import Any

import pytest

from tests.pairs.facts import ACTIVE, ENDS, HORIZON, HOST, SIDE, Decision, Facts
from tests.pairs.play import Broken, Subject, World
from tests.pairs.table import (
    ABOUT_HER,
    FIRST,
    LAST,
    SECOND,
    SEEN_WRONG,
    Case,
    Step,
    cases,
    sample,
)


class Played:
    """One cell in play: the product's person and the model's, side by side."""

    def __init__(self, world: World, case: Case) -> None:
        self.world, self.case = world, case
        joins = case.first[0] == "join"
        term = None if case.base.term_set else case.base.term
        self.facts = Facts(born_in_post=not joins, term=term)
        self.her: Subject = world.subject(in_post=not joins, term=term)
        self.made: list[Decision | None] = []
        self.wrong: dict[object, str] = {}
        """What came out wrong: of each thing only how it began."""
        self.apart = False
        """One of the two has refused what the other let pass: from then on they differ."""

    def live(self, today: int) -> None:
        """One day: it comes, the worker sees it, something is decided, and everybody asks."""
        self.facts.come(today)
        if today in self.case.comes:
            self._compare(today, worked=False)
            self.world.work(self.her)
            self._compare(today)
        if not self.apart and self._act(today):
            self.world.work(self.her)
            self._compare(today)
        base = self.case.base
        if base.term is not None and today == base.term_set > 0:
            self.facts.term = base.term
            self.world.end_of_term(self.her, base.term)
        if today in (self.case.back_on, LAST):
            self._compare_offices(today)

    def _act(self, today: int) -> bool:
        """What is decided on this day; whether there was anything."""
        if today > 1 and not (self.case.back and today == self.case.back_on):
            return False
        try:
            if today == 0:
                for step in self.case.before:
                    self._decide(step, today)
                if self.case.base.taken_back:
                    self._undo(0, today)
                self.made.clear()
                self._decide(self.case.first, today)
            elif today == 1:
                self._decide(self.case.second, today)
            else:
                for which in self.case.back:
                    self._undo(which, today)
        except Broken as broken:
            self._part(today, str(broken))
        return True

    def _decide(self, step: Step, today: int) -> None:
        kind, day, to = step
        where = None if kind in ENDS else to  # then it says why
        why = self.facts.refused(kind, day, today, where) if kind != "join" else None
        if self.apart:
            return
        change = self.world.decide(self.her, kind, day, to)
        self.made.append(self._same(why, change, today, step))
        if change is not None and why is None:
            made = self.facts.decide(kind, day, today, where)
            self.made[-1] = made
            self.her.changes[made.number] = change

    def _undo(self, which: int, today: int) -> None:
        one = self.made[which] if which < len(self.made) else None
        if one is None or self.apart:
            return
        why = self.facts.undo_refused(one, today)
        change = self.world.undo(self.her.changes[one.number])
        self._same(why, change, today, f"taking back {one}")
        if change is not None and why is None:
            self.facts.undo(one, today)

    def _same(self, why: str | None, change: str | None, today: int, what: object) -> None:
        if why is None and change is None:
            self._part(today, f"{what} is refused, and possible")
        elif why is not None and change is not None:
            self._part(today, f"{what} is let pass, but {why}")

    def _compare(self, today: int, *, worked: bool = True) -> None:
        """What holds today, by the product and by the model."""
        if self.apart or self.her.user is None:
            return
        facts, status = self.facts, self.facts.status(today)
        right: dict[Any, Any] = {
            "status": status,
            "may act": status == ACTIVE,
            "post": facts.post(today),
            "second post": facts.second_post(today),
            "post beside": facts.further(SIDE, today),
            "secondment": facts.further(HOST, today),
            "free role": facts.free_role(today),
            "bound role": facts.bound_role(today),
        }
        seen: dict[Any, Any] = dict(self.world.look(self.her))
        if worked:
            known = [d for d in facts.decisions if d.number in self.her.changes]
            right |= {d.number: facts.state(d, today) for d in known}
            seen |= self.world.states(self.her)
        self._equal(today, right, seen, "" if worked else ", before the worker")

    def _compare_offices(self, today: int) -> None:
        """What the offices she goes to have to do with her today, by both."""
        if self.apart or self.her.user is None:
            return
        for unit in self.case.offices:
            concerned = self.facts.concerns(unit, today)
            right: dict[Any, Any] = {
                f"sight of her in {unit}": self.facts.sight(unit, today),
                f"{unit} lists her": concerned,
                f"{unit} decides about her": self.facts.decides(unit, today),
            }
            seen = self.world.office(self.her, unit)
            if today != LAST:  # then nothing lies ahead for which a place could be kept
                right[f"place in {unit} taken"] = concerned
                seen[f"place in {unit} taken"] = self.world.place_taken(self.her, unit)
            self._equal(today, right, seen, "")
        if today == LAST:
            return
        for unit in self.case.beside:
            what = f"place in {unit} taken"
            taken = any(self.facts.further(unit, day) for day in range(today, HORIZON))
            self._equal(today, {what: taken}, {what: self.world.place_taken(self.her, unit)}, "")

    def _equal(self, today: int, right: dict[Any, Any], seen: dict[Any, Any], when: str) -> None:
        for name, value in right.items():
            if seen[name] != value:
                what = f"{name} is {seen[name]!r}, should be {value!r}{when}"
                self.wrong.setdefault(name, f"{self.case} → day {today}: {what}")

    def _part(self, today: int, what: str) -> None:
        self.apart = True
        self.wrong[what] = f"{self.case} → day {today}: {what}"


def play(world: World, table: list[Case]) -> list[str]:
    """Play all these cells on one installation; what came out wrong."""
    played = [Played(world, case) for case in table]
    for today in range(LAST + 1):
        living = [one for one in played if today in one.case.days]
        world.come(today)
        for one in living:
            one.live(today)
    return [wrong for one in played for wrong in one.wrong.values()]


def told(wrong: list[str]) -> str:
    """The first of what is wrong, for whoever reads the failure."""
    return "\n".join([f"{len(wrong)} wrong", *wrong[:30]])


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return World.build(services, clock)


@pytest.mark.both_databases
@pytest.mark.timeout(300)  # some seconds of work, and many statements to a busy server
def test_cells_on_which_faults_were_seen_come_out_as_the_naive_model_says(world: World) -> None:
    assert not (wrong := play(world, SEEN_WRONG)), told(wrong)


@pytest.mark.both_databases
@pytest.mark.timeout(300)
def test_a_sample_of_pairs_comes_out_as_the_naive_model_says(world: World) -> None:
    assert not (wrong := play(world, sample())), told(wrong)


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("second", [k for k in SECOND if SECOND[k]])
@pytest.mark.parametrize("first", FIRST)
def test_every_pair_comes_out_as_the_naive_model_says(
    world: World, first: str, second: str
) -> None:
    assert not (wrong := play(world, cases(first, second))), told(wrong)


@pytest.mark.parametrize("code", ABOUT_HER)
def test_no_kind_of_change_is_forgotten(code: str) -> None:
    assert code in FIRST, f"{code} belongs into table.STEPS"
    assert code in SECOND
