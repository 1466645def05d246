"""The cells of the pair table: two decisions about one person, when, and what is taken back.

Every kind of the registry that is about a person has its row and its column. When a kind is decided, and
where she goes by it, follows from what ``facts`` says that it means; what else it asks for, from its ``asks``.
"""

from dataclasses import dataclass

from directory.changes import kind as registry
from directory.changes import kinds as _kinds  # noqa: F401 (registered by being imported)
from directory.changes.kind import About, Kind
from tests.pairs import asked
from tests.pairs.facts import (
    AWAY,
    DATED,
    ENDS,
    GIVES_UP,
    HOME,
    HOST,
    MOVES,
    NEXT,
    RETURN,
    STATUS,
    TAKES,
)

Step = tuple[str, int, str | None]
"""(kind, day, where to, or why, or which of the things that are said of her)."""
Choice = tuple[int, str | None]


def about_her() -> list[Kind]:
    """Every kind that is about a person."""
    about = (About.PEOPLE, About.NEWCOMER)
    return [one for one in registry.every() if one.about in about]


def first(kind: Kind) -> list[Step]:
    """A kind's steps where it is decided first, on day 0."""
    return [(kind.code, *choice) for choice in _first(kind)]


def second(kind: Kind) -> list[Step]:
    """A kind's steps where it is decided second, on day 1."""
    return [(kind.code, *choice) for choice in _second(kind)]


def _first(kind: Kind) -> list[Choice]:
    code = kind.code
    if kind.about == About.NEWCOMER or code == RETURN:
        return [(0, HOME), (10, HOME)]
    if code in MOVES:
        return [(0, AWAY), (10, AWAY), (10, NEXT), (-3, AWAY)]
    if code in ENDS:
        return [(0, "dismiss"), (10, "retire"), (10, "die")]
    if code in TAKES:
        return [(day, TAKES[code]) for day in (0, 10)]
    if code in GIVES_UP:
        return [(day, GIVES_UP[code][0]) for day in (0, 10)]
    return [(0, None if code in STATUS else asked.FIRST)]


def _second(kind: Kind) -> list[Choice]:
    code = kind.code
    if kind.about == About.NEWCOMER:
        return []  # nobody joins twice: a known person is a conflict of its own
    if code == RETURN:
        return [(day, HOME) for day in (1, 5, 15)]
    if code in MOVES:
        near = [(day, NEXT) for day in (1, 5, 10, 15, -2)]
        return [*near, (5, AWAY), (15, AWAY)]
    if code in ENDS:
        why = [(1, "dismiss"), (1, "die"), (5, "retire"), (10, "resign")]
        return [*why, (15, "retire"), (-2, "die")]
    if code in TAKES:
        return [(day, TAKES[code]) for day in (1, 5, 15)]
    if code in GIVES_UP:
        return [(day, unit) for unit in GIVES_UP[code] for day in (1, 5, 10, 15)]
    return [(1, None if code in STATUS else asked.SECOND)]


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
        if self.base.term is not None and RETURN in (self.first[0], self.second[0]):
            return False  # the post she began with is over
        if self.base.term_set:  # nothing else may have ended that post by then
            dated = {n for n, step in enumerate(steps) if step[0] in DATED}
            waits = any(steps[n][0] in MOVES and steps[n][1] > self.back_on for n in dated)
            return waits and dated <= set(self.back)
        return True


def cases(one: Kind, other: Kind) -> list[Case]:
    """The cells that begin with the one kind and go on with the other."""
    cells = (
        Case(base, begins, goes_on, back_on, back)
        for base in BASES
        for begins in first(one)
        for goes_on in second(other)
        for back_on, back in BACK
    )
    return [case for case in cells if case.asked()]


def every() -> list[Case]:
    """The whole table."""
    return [c for one in about_her() for other in about_her() for c in cases(one, other)]


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
    pairs = [found for one in about_her() for other in about_her() if (found := cases(one, other))]
    return [of[number * _STRIDE % len(of)] for number, of in enumerate(pairs, 1)]
