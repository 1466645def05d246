"""Kind: one kind of change as one value, and the registry of all of them.

A kind lives in its own file, ``kinds/<name>.py``, as the value ``KIND``. Door, API, console, command
line and previews know kinds only by what stands here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from directory import assignments
from directory.assignments import Held
from directory.base.errors import InvalidInput
from directory.changes import lines, titles
from directory.changes.asks import Input, Nothing, Reading
from directory.changes.drafting import Ground
from directory.changes.leaves import leaves
from directory.changes.model import Change, Decision, Plan, Spec
from directory.changes.places import Place
from directory.people import User, UserStatus


class About(StrEnum):
    """Whom a kind is about, and so what is asked first."""

    PEOPLE = "people"
    """People who exist: ``user`` or ``users``."""
    NEWCOMER = "newcomer"
    """Somebody who does not exist yet."""
    UNIT = "unit"
    """A unit that exists: what is asked has a field ``unit``."""
    NONE = "none"
    """Nobody that a request names: it comes from feeds and other pages."""


@dataclass(frozen=True)
class Subjects:
    """What a plan of a kind rests on, to be locked: people, then units, then places of posts."""

    people: frozenset[int] = frozenset()
    units: frozenset[int] = frozenset()
    places: frozenset[Place] = frozenset()


def of_people(session: Session, spec: Spec) -> Subjects:
    """The people asked about, and every unit they hold or held a post in."""
    held = posts_of(session, spec)
    return Subjects(frozenset(spec.users), frozenset(h.unit.id for h in held))


def of_taking_up(session: Session, spec: Spec, unit_id: int, position_id: int | None) -> Subjects:
    """As ``of_people``, and what a post in this unit takes: its place, of the position asked for or of
    those they have.
    """
    held = posts_of(session, spec)
    positions = {position_id} if position_id else {h.position_id for h in held}
    return Subjects(
        frozenset(spec.users),
        frozenset({unit_id, *(h.unit.id for h in held)}),
        frozenset((unit_id, position) for position in positions),
    )


def of_nobody(_session: Session, _spec: Spec) -> Subjects:
    """What makes new rows rests on nobody."""
    return Subjects()


def posts_of(session: Session, spec: Spec) -> list[Held]:
    """All that the people asked about hold or held."""
    return [h for one in assignments.recorded(session, spec.users).values() for h in one]


@dataclass(frozen=True)
class Answers:
    """What was given for what the kind asks, before a Spec is made of it."""

    fields: Any
    reading: Reading
    decision: Decision | None

    @property
    def effective_on(self) -> date:
        """The day it takes effect."""
        return self.reading.effective_on


@dataclass(frozen=True)
class Kind:
    """One kind of change. Nothing outside its file, the table, words and tests knows its code."""

    code: str
    title: str
    """Vietnamese, as lists and forms call it."""
    summary: str
    """English, one sentence; for the command line and the description of the API."""
    plan: Callable[[Session, Spec, Ground], Plan]
    """What it would do. Reads only."""
    about: About = About.PEOPLE
    asks: type[BaseModel] = Nothing
    subjects: Callable[[Session, Spec], Subjects] = of_people
    write: Callable[[Session, Plan, Change], Plan] = lines.write
    """The directory's rows; gives the plan with real ids where it had negative ones."""
    rows: Callable[[Answers], tuple[dict[str, Any], ...]] | None = None
    """Makes rows of what was asked, where the plan is made of rows as a feed's is."""
    fed: Callable[[User, Mapping[str, Any]], Mapping[str, Any]] | None = None
    """Which of the columns that a later load brings otherwise, of somebody known, it takes: they
    come to its plan as rows ``{"row", "user", "said"}``."""
    moves_tree: bool = False
    """Whether it changes the tree of units or their codes, which is then locked before all else."""
    undoable: bool = False
    take_back: Callable[[Session, Change, Spec, Ground], Plan] | None = None
    """How a change of this kind is undone, where its lines are not about people; ``write`` writes that
    plan, too."""
    needs_approval: bool = False
    """Whether it is never done by one person alone."""
    offered_to: frozenset[UserStatus] = field(default_factory=frozenset)
    """Whose page offers it, by status."""
    of_posts: frozenset[str] = field(default_factory=frozenset)
    """It is about a post of one of these kinds: offered to whoever holds one."""
    order: int = 100
    """Its place among what a page offers."""
    icon: str = ""

    @property
    def requested(self) -> bool:
        """Whether people may ask for it: by form, API and command line."""
        return self.about != About.NONE

    def offered(self, status: UserStatus, held: Iterable[Held]) -> bool:
        """Whether the page of somebody who stands so, and holds these posts, offers it."""
        fits = not self.of_posts or any(h.kind in self.of_posts for h in held)
        return fits and status in self.offered_to

    @property
    def private(self) -> bool:
        """Whether its form asks to type what is a person's own (a name, a number, an address): its
        fields are sent and never stand in an address, which histories and logs keep.
        """
        typed = (Input.TEXT, Input.BIRTH)
        return self.about != About.UNIT and any(
            leaf.ask.secret or leaf.input in typed for leaf in leaves(self.asks)
        )


_KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """From now on there is this kind. Raises ValueError for a code that is taken."""
    if kind.code in _KINDS:
        raise ValueError(f"two kinds of change are called {kind.code}")
    _KINDS[kind.code] = kind
    titles.name(kind.code, kind.title)


@contextmanager
def registered(kind: Kind) -> Iterator[Kind]:
    """There is this kind for as long as the block runs: for tests."""
    register(kind)
    try:
        yield kind
    finally:
        del _KINDS[kind.code]
        titles.forget(kind.code)


def find(code: str) -> Kind | None:
    """The kind with this code, if there is one."""
    return _KINDS.get(code)


def get(code: str) -> Kind:
    """The kind with this code. Raises InvalidInput."""
    kind = _KINDS.get(code)
    if kind is None:
        raise InvalidInput(
            "kind_not_supported", "Chưa hỗ trợ loại thay đổi {kind}.", field="kind", kind=code
        )
    return kind


def every() -> list[Kind]:
    """All kinds, in the order pages offer them."""
    return sorted(_KINDS.values(), key=lambda kind: (kind.order, kind.code))


def requested() -> list[Kind]:
    """The kinds that people may ask for."""
    return [kind for kind in every() if kind.requested]


def choices() -> dict[str, dict[str, str]]:
    """The choices of every kind, by kind and field: code → Vietnamese words."""
    return {
        f"{kind.code}.{leaf.name}": dict(leaf.words)
        for kind in every()
        for leaf in leaves(kind.asks)
        if leaf.words
    }


def told(spec: Spec) -> dict[str, str]:
    """What was chosen for a request and no line of its plan tells: field → code, or ISO day."""
    found = {}
    for leaf in leaves(get(spec.kind).asks) if spec.asked is not None else ():
        value: Any = spec.asked
        for part in leaf.path:
            value = getattr(value, part, None)
        if leaf.input in (Input.CHOICE, Input.DAY) and value is not None and not leaf.ask.secret:
            found[leaf.name] = value.isoformat() if isinstance(value, date) else str(value)
    return found


def words_of_fields() -> dict[str, str]:
    """What forms call the fields of a person: column → Vietnamese words."""
    return {
        leaf.path[-1]: leaf.ask.label
        for kind in reversed(requested())
        for leaf in leaves(kind.asks)
        if leaf.ask.now or kind.about == About.NEWCOMER
    }
