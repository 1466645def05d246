"""One cell in play, or several that have come to the same up to now: the product's person and the
model's, side by side.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from directory.changes.model import Plan
from tests.pairs.facts import ACTIVE, ENDS, HORIZON, HOST, SIDE, Decision, Facts
from tests.pairs.play import Subject, World
from tests.pairs.table import LAST, Act, Case

NOTHING = Act("")


@dataclass
class Played:
    """The cells, what was decided of her in both, and what came out wrong."""

    world: World
    cases: list[Case]
    facts: Facts
    her: Subject
    made: dict[str, Decision] = field(default_factory=dict)
    """What was decided, by its name in the cell."""
    wrong: dict[object, str] = field(default_factory=dict)
    """What came out wrong: of each thing only how it began."""

    @classmethod
    def begin(cls, world: World, cases: list[Case]) -> "Played":
        """Cells that begin with the same."""
        joins, base = cases[0].first[0] == "join", cases[0].base
        term = None if base.term_set else base.term
        facts = Facts(born_in_post=not joins, term=term)
        return cls(world, cases, facts, world.subject(in_post=not joins, term=term))

    def apart(self, cases: list[Case]) -> "Played":
        """The same up to now, for some of the cells; from now on it goes its own way."""
        of_its_own = {"facts": deepcopy(self.facts), "her": deepcopy(self.her)}
        made = {name: of_its_own["facts"].decisions[d.number] for name, d in self.made.items()}
        return replace(self, cases=cases, made=made, wrong=dict(self.wrong), **of_its_own)

    # ---- days ----

    def lives(self, today: int) -> bool:
        """Whether anything is decided or comes on this day."""
        return any(today in case.days for case in self.cases)

    def awaits(self, today: int) -> bool:
        """Whether something comes by itself."""
        return any(today in case.comes for case in self.cases)

    def looked_at(self, today: int) -> bool:
        """Whether the offices are asked about her in the evening."""
        return today == LAST or any(today == case.back_on for case in self.cases)

    # ---- deciding ----

    def turns(self, today: int, turn: int) -> dict[Act, list[Case]]:
        """What is decided at this turn of the day, by the cells in which it is: where the one thing
        was never decided, there is nothing to take back.
        """
        found: dict[Act, list[Case]] = {}
        for case in self.cases:
            acts = case.acts(today)
            act = acts[turn] if turn < len(acts) else NOTHING
            if act.step is None and act.name not in self.made:
                act = NOTHING
            found.setdefault(act, []).append(case)
        return found

    def previewed(self, act: Act, today: int) -> tuple[Plan | None, str | None]:
        """The product's plan and the model's reason against it. Raises Broken."""
        if act.step is None:
            one = self.made[act.name]
            plan = self.world.previewed_undo(self.her.changes[one.number])
            return plan, self.facts.undo_refused(one, today)
        kind, day, to = act.step
        plan = self.world.previewed(self.her, act.step)
        if kind == "join":  # nobody knows her yet: nothing stands against it
            return plan, None
        return plan, self.facts.refused(kind, day, today, _where(kind, to))

    def do(self, act: Act, plan: Plan, today: int) -> None:
        """What was previewed, by both. Raises Broken."""
        change = self.world.commit(self.her, plan)
        if act.step is None:
            self.facts.undo(self.made[act.name], today)
            return
        kind, day, to = act.step
        made = self.facts.decide(kind, day, today, _where(kind, to))
        self.made[act.name] = made
        self.her.changes[made.number] = change

    # ---- comparing ----

    def compare(self, today: int, seen: dict[Any, Any], states: dict[str, str] | None) -> None:
        """What holds today, by the product and by the model; ``states`` is None before the worker."""
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
        if states is not None:
            known = [d for d in facts.decisions if d.number in self.her.changes]
            right |= {d.number: facts.state(d, today) for d in known}
            seen = seen | {d.number: states[self.her.changes[d.number]] for d in known}
        self._equal(today, right, seen, ", before the worker" if states is None else "")

    def compare_offices(self, today: int) -> None:
        """What the offices she goes to have to do with her today, by both."""
        facts = self.facts
        offices = sorted({unit for case in self.cases for unit in case.offices})
        for unit in offices:
            right = {
                f"sight of her in {unit}": facts.sight(unit, today),
                f"{unit} lists her": facts.concerns(unit, today),
                f"{unit} decides about her": facts.decides(unit, today),
            }
            self._equal(today, right, self.world.office(self.her, unit), "")
        if today == LAST:
            return  # nothing lies ahead for which a place could be kept
        beside = sorted({unit for case in self.cases for unit in case.beside})
        taken = {f"place in {unit} taken": facts.concerns(unit, today) for unit in offices} | {
            f"place in {unit} taken": any(facts.further(unit, d) for d in range(today, HORIZON))
            for unit in beside
        }
        self._equal(today, taken, self.world.places_taken(self.her, [*offices, *beside]), "")

    def _equal(self, today: int, right: dict[Any, Any], seen: dict[Any, Any], when: str) -> None:
        for name, value in right.items():
            if seen[name] != value:
                what = f"{name} is {seen[name]!r}, should be {value!r}{when}"
                self.wrong.setdefault(name, f"day {today}: {what}")

    def told(self) -> Iterator[tuple[Case, list[str]]]:
        """Each of the cells, and what came out wrong in it."""
        for case in self.cases:
            yield case, list(self.wrong.values())


def _where(kind: str, to: str | None) -> str | None:
    return None if kind in ENDS else to  # then it says why
