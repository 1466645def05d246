"""The cells of the pair table: two decisions about one person, when, and what is taken back.

This is the one place that names kinds of change; ``facts`` says what each of them means.
"""

from dataclasses import dataclass

from directory.changes import kind as registry
from directory.changes import kinds as _kinds  # noqa: F401 (registered by being imported)
from directory.changes.kind import About
from tests.pairs.facts import (
    AWAY,
    COUNCIL,
    DATED,
    ENDS,
    HOME,
    HOST,
    MOVES,
    NEXT,
    SIDE,
    STATUS,
    TAKES,
)

Step = tuple[str, int, str | None]
"""(kind, day, where to, or why, or what it is called from then on)."""


def _steps(*steps: tuple[int, str | None]) -> list[tuple[int, str | None]]:
    return list(steps)


STEPS: dict[str, tuple[list[tuple[int, str | None]], list[tuple[int, str | None]]]] = {
    # nobody joins twice: a known person is a conflict of its own
    "join": (_steps((0, HOME), (10, HOME)), []),
    "transfer": (
        _steps((0, AWAY), (10, AWAY), (10, NEXT), (-3, AWAY)),
        _steps((1, NEXT), (5, NEXT), (10, NEXT), (15, NEXT), (5, AWAY), (15, AWAY), (-2, NEXT)),
    ),
    "suspend": (_steps((0, None)), _steps((1, None))),
    "resume": (_steps((0, None)), _steps((1, None))),
    "leave": (
        _steps((0, "dismiss"), (10, "retire"), (10, "die")),
        _steps(
            (1, "dismiss"), (1, "die"), (5, "retire"), (10, "resign"), (15, "retire"), (-2, "die")
        ),
    ),
    "rejoin": (_steps((0, HOME), (10, HOME)), _steps((1, HOME), (5, HOME), (15, HOME))),
    "appoint": (_steps((0, SIDE), (10, SIDE)), _steps((1, SIDE), (5, SIDE), (15, SIDE))),
    "relieve": (
        _steps((0, COUNCIL), (10, COUNCIL)),
        _steps((1, COUNCIL), (5, COUNCIL), (15, COUNCIL), (5, SIDE), (10, SIDE), (15, SIDE)),
    ),
    "second": (_steps((0, HOST), (10, HOST)), _steps((1, HOST), (5, HOST), (15, HOST))),
    "return": (_steps((0, HOST), (10, HOST)), _steps((1, HOST), (5, HOST), (10, HOST), (15, HOST))),
    "rename": (_steps((0, "Lê Thị Lan Anh")), _steps((1, "Lê Thị Lan Chi"))),
    "contact": (_steps((0, "a")), _steps((1, "b"))),
    "number": (_steps((0, "1")), _steps((1, "2"))),
}
"""By kind: when it is decided first, and second, and with what."""
ABOUT_HER = [one.code for one in registry.every() if one.about in (About.PEOPLE, About.NEWCOMER)]
"""Every kind that is about a person: each has its row and its column."""
FIRST: dict[str, list[Step]] = {
    code: [(code, *step) for step in STEPS[code][0]] for code in ABOUT_HER if code in STEPS
}
SECOND: dict[str, list[Step]] = {
    code: [(code, *step) for step in STEPS[code][1]] for code in ABOUT_HER if code in STEPS
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
"""(day, which of the two are taken back, in that order): the kind ``undo``."""


@dataclass(frozen=True)
class Base:
    """How she stands when the first of the two is decided."""

    name: str
    term: int | None = None
    """The day on which the post she began with ends by itself."""
    term_set: int = 0
    """The day on which that is written down: 0 is before everything."""
    promised: Step | None = None
    """A decision that waits for its day, and must survive the two."""
    taken_back: bool = False
    """Whether that decision was taken back at once, so that it is as if it had never been."""


BASES = (
    Base("open"),
    Base("term", 40),
    Base("term set later", 40, term_set=12),
    Base("about to leave", promised=("leave", 15, "retire")),
    Base("leave taken back", promised=("leave", 15, "retire"), taken_back=True),
    Base("about to move", promised=("transfer", 15, NEXT)),
)
LAST = 41


@dataclass(frozen=True)
class Act:
    """A decision that is made, or taken back."""

    name: str
    """By which the decision is known in its cell."""
    step: Step | None = None
    """None where it is taken back."""


THE_TWO = ("first", "second")


@dataclass(frozen=True)
class Case:
    """One cell of the table."""

    base: Base
    first: Step
    second: Step
    back_on: int = 2
    back: tuple[int, ...] = ()

    def __str__(self) -> str:
        undone = f", taken back on {self.back_on}: {self.back}" if self.back else ""
        return f"{self.base.name}: {self.first}, then {self.second}{undone}"

    def acts(self, day: int) -> list[Act]:
        """What is decided on a day, in its order."""
        if day == 0:
            return [*self._before(), Act("first", self.first)]
        if day == 1:
            return [Act("second", self.second)]
        return [Act(THE_TWO[which]) for which in self.back] if day == self.back_on else []

    def _before(self) -> list[Act]:
        """What is decided before the first of the two."""
        found = [Act("promised", self.base.promised)] if self.base.promised else []
        there = {
            "resume": ("suspend", 0, None),
            "return": ("second", -5, HOST),
            "rejoin": ("leave", -5, "resign"),
        }
        if needed := there.get(self.first[0]):
            found.append(Act("there", needed))
        return [*found, Act("promised")] if self.base.taken_back else found

    @property
    def offices(self) -> list[str]:
        """Where she is to go by any of it."""
        steps = (self.base.promised, self.first, self.second)
        return sorted({str(s[2]) for s in steps if s and s[0] in MOVES} - {HOME})

    @property
    def beside(self) -> list[str]:
        """Where she is to hold a further post by any of it."""
        return sorted({str(s[2]) for s in (self.first, self.second) if s[0] in TAKES})

    @property
    def comes(self) -> set[int]:
        """Days on which something comes by itself: decided before, or the end of a term."""
        steps = (self.base.promised, self.first, self.second)
        return {LAST} | {s[1] for s in steps if s and s[1] > 1}

    @property
    def days(self) -> set[int]:
        """Days on which something is decided or comes."""
        return {0, 1, self.back_on, self.base.term_set} | self.comes

    def asked(self) -> bool:
        """Whether the cell says anything: every pair does, on most bases."""
        steps = (self.first, self.second)
        if self.base.taken_back:
            return self.first[0] in ENDS and self.second[0] in STATUS
        if self.base.promised:  # what has no day of its own must not touch one
            return all(kind in STATUS for kind, _, _ in steps)
        if self.base.term is not None and self.first[0] == "join":
            return False  # the post she begins with is the one she is given
        if self.base.term is not None and "rejoin" in (self.first[0], self.second[0]):
            return False  # the post she began with is over
        if self.base.term_set:  # nothing else may have ended that post by then
            dated = {n for n, step in enumerate(steps) if step[0] in DATED}
            waits = any(steps[n][0] in MOVES and steps[n][1] > self.back_on for n in dated)
            return waits and dated <= set(self.back)
        return True


def cases(one: str, other: str) -> list[Case]:
    """The cells that begin with the one kind and go on with the other."""
    cells = (
        Case(base, first, second, back_on, back)
        for base in BASES
        for first in FIRST[one]
        for second in SECOND[other]
        for back_on, back in BACK
    )
    return [case for case in cells if case.asked()]


def every() -> list[Case]:
    """The whole table."""
    return [case for one in FIRST for other in SECOND for case in cases(one, other)]


_OPEN, _TERM, _TERM_SET_LATER, _ABOUT_TO_LEAVE, _LEAVE_TAKEN_BACK, _ = BASES
SEEN_WRONG = [
    # a suspension, and its end, wiped a day of leaving
    Case(_OPEN, ("leave", 10, "retire"), ("suspend", 1, None)),
    Case(_ABOUT_TO_LEAVE, ("suspend", 0, None), ("resume", 1, None)),
    # a post with a term could be neither left nor moved from
    Case(_TERM, ("transfer", 0, AWAY), ("suspend", 1, None)),
    Case(_TERM, ("suspend", 0, None), ("leave", 5, "retire"), 2, (1,)),
    # what was taken back gave sight, held the place and, once her own post was over, rights over her
    Case(_TERM_SET_LATER, ("transfer", 10, AWAY), ("resume", 1, None), 2, (0,)),
    # a leave taken back left the roles with its end, and a second one gave back what it had ended
    Case(_OPEN, ("leave", 10, "retire"), ("resume", 1, None), 2, (0,)),
    Case(_LEAVE_TAKEN_BACK, ("leave", 0, "dismiss"), ("resume", 1, None), 2, (0,)),
    # a leave found a move that waited, and was refused
    Case(_OPEN, ("transfer", 10, NEXT), ("leave", 1, "dismiss"), 2, (1,)),
]
"""Cells on which an earlier release was wrong, one kind of fault after the other."""
_STRIDE = 29


def sample() -> list[Case]:
    """For every test run: a cell of each pair of kinds, whose bases and days differ."""
    pairs = [cases(one, other) for one in FIRST for other in SECOND if SECOND[other]]
    return [of[number * _STRIDE % len(of)] for number, of in enumerate(pairs, 1)]
