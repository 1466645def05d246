"""Plays many cells side by side, and what they have in common once.

Days pass once for all. Cells that begin with the same are one person, until they part: then what each
of them would decide is previewed, the database is kept, and it goes on once for each way, put back in
between. What is refused changes nothing, so that those cells go on as one with those in which nothing
was decided. However a cell is played, alone or among all others, the same is asked of it.
"""

from itertools import zip_longest
from typing import Any

from directory.changes.model import Plan
from tests.pairs.kept import kept
from tests.pairs.play import Broken, World
from tests.pairs.played import NOTHING, Played
from tests.pairs.table import LAST, Act, Case

Way = tuple[Played, Act, Plan | None]
"""Who goes on, by what, and the plan of it; None where nothing is done."""
Found = dict[Case, list[str]]
Looks = dict[int, dict[Any, Any]]
"""What the product says of each, by who it is."""


def play(world: World, table: list[Case]) -> Found:
    """What came out wrong, by cell; every cell of the table is among them."""
    alike: dict[object, list[Case]] = {}
    for case in table:
        alike.setdefault((case.base, case.first), []).append(case)
    rounds = _Rounds(world)
    rounds.go_on([Played.begin(world, cases) for cases in alike.values()], 0, 0)
    return {case: rounds.found[case] for case in table}


class _Rounds:
    def __init__(self, world: World) -> None:
        self.world = world
        self.found: Found = {}

    def go_on(self, living: list[Played], today: int, turn: int) -> None:
        """From this turn of this day to the last of all days."""
        while today <= LAST:
            self.world.come(today)
            if turn == 0:
                self._morning([one for one in living if one.lives(today)], today)
            while turn < max((len(c.acts(today)) for one in living for c in one.cases), default=0):
                ways = [way for one in living if (way := self._ways(one, today, turn))]
                turn += 1
                several = [list(filter(None, some)) for some in zip_longest(*ways)]
                if len(several) > 1:
                    self._each(several, today, turn)
                    return
                living = self._go(several[0], today) if several else []
            self._evening([one for one in living if one.lives(today)], today)
            today, turn = today + 1, 0
        self._over(living)

    def _each(self, several: list[list[Way]], today: int, turn: int) -> None:
        with kept(self.world.services.db) as moment:
            for number, ways in enumerate(several):
                if number:
                    moment.put_back()
                    self.world.come(today)
                self.go_on(self._go(ways, today), today, turn)

    def _ways(self, one: Played, today: int, turn: int) -> list[Way]:
        """The different ways in which its cells go on."""
        turns = one.turns(today, turn)
        idle, ways = turns.pop(NOTHING, []), []
        for act, cases in turns.items():
            try:
                plan, why = one.previewed(act, today)
            except Broken as broken:
                self._lost(one.apart(cases), today, f"{_of(act)}: {broken}")
                continue
            if (plan is None) != (why is not None):
                verdict = "is refused, and possible" if why is None else f"is let pass, but {why}"
                self._lost(one.apart(cases), today, f"{_of(act)} {verdict}")
            elif plan is None:
                idle += cases
            else:
                ways.append((one.apart(cases), act, plan))
        return [(one.apart(idle), NOTHING, None), *ways] if idle else ways

    def _go(self, ways: list[Way], today: int) -> list[Played]:
        living = []
        for one, act, plan in ways:
            try:
                if plan is not None:
                    one.do(act, plan, today)
                living.append(one)
            except Broken as broken:
                self._lost(one, today, f"{_of(act)}: {broken}")
        return living

    def _morning(self, living: list[Played], today: int) -> None:
        """The day comes: before its workers, and after them."""
        for one in living:
            one.facts.come(today)
        awaited = [one for one in living if one.awaits(today) and one.her.user is not None]
        seen = self._look(awaited)
        for one in awaited:
            one.compare(today, seen[id(one)], None)
        self._worked(awaited, today, seen)

    def _evening(self, living: list[Played], today: int) -> None:
        """All is decided that is decided today."""
        asked = [one for one in living if any(case.acts(today) for case in one.cases)]
        self._worked([one for one in asked if one.her.user is not None], today, {})
        for one in living:
            base = one.cases[0].base
            if base.term is not None and today == base.term_set > 0:
                one.facts.term = base.term
                self.world.end_of_term(one.her, base.term)
            if one.her.user is not None and one.looked_at(today):
                one.compare_offices(today)

    def _worked(self, living: list[Played], today: int, seen: Looks) -> None:
        """The worker does what is due; then all is compared. Who was ``seen`` before, and has nothing
        due, is as she was.
        """
        if not living:
            return
        due = {id(her) for her in self.world.due([one.her for one in living])}
        for one in living:
            if id(one.her) not in due:
                continue
            seen.pop(id(one), None)
            try:
                self.world.work(one.her)
            except Broken as broken:
                one.wrong.setdefault("worker", f"day {today}: {broken}")
        states = self.world.states([one.her for one in living])
        seen |= self._look([one for one in living if id(one) not in seen])
        for one in living:
            one.compare(today, seen[id(one)], states)

    def _look(self, living: list[Played]) -> Looks:
        if not living:
            return {}
        looks = self.world.look([one.her for one in living])
        return {id(one): seen for one, seen in zip(living, looks, strict=True)}

    def _lost(self, one: Played, today: int, what: str) -> None:
        """Product and model part over these cells: from then on they differ."""
        one.wrong[what] = f"day {today}: {what}"
        self._over([one])

    def _over(self, living: list[Played]) -> None:
        for one in living:
            self.found |= one.told()


def _of(act: Act) -> str:
    return f"{act.name} {act.step}" if act.step else f"taking back the {act.name}"
