"""Every kind of change × every kind on one subject × when × taken back or not: the pair table.

One decision is made on day 0, a second on day 1, both for that day or a later one; then one or both
are taken back, before their day or after it. On every day on which something is decided or comes, the
product is asked where she serves, what her status is, which administrator's roles count and where each
change stands (where something comes by itself: before its worker has run, and after). When decisions
were taken back, and at the end, the offices she was to go to are asked what they see of her, whether
they may decide about her, and whether she holds their place. What is right comes from ``facts``, a
naive model that knows nothing of the product; what the model calls impossible must be refused by the
preview, and what the preview lets pass must be committed.

A sample runs with every ``make test``: one cell of every second pair of kinds (of the others in ``make
test-slow``), and the cells on which an earlier release was seen wrong (``table.SEEN_WRONG``; docs/decisions/0011 says on which and how). The whole table
is ``long``. A failure names each of its cells; one of them by itself, or some:

    scripts/with-postgresql .venv/bin/pytest tests/pairs -m long --cells "open: ('leave', 10, 'retire'), then"
"""

from dataclasses import replace
from typing import Annotated, Any

import pytest
from sqlalchemy.orm import Session

from directory.changes import kind as registry
from directory.changes import personal
from directory.changes import spec as specs
from directory.changes.asks import Ask, Fields
from directory.changes.drafting import Draft, Ground
from directory.changes.field_types import Phone
from directory.changes.kind import About, Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from tests.pairs.asked import NoExample
from tests.pairs.facts import ACTIVE, AWAY, LEFT, NEXT, Facts
from tests.pairs.play import World
from tests.pairs.rounds import Found, play
from tests.pairs.table import BASES, SEEN_WRONG, Base, about_her, every, first, sample, second


def told(found: Found) -> str:
    """What is wrong, cell by cell, for whoever reads the failure."""
    wrong = {case: what for case, what in found.items() if what}
    return "\n".join(
        [
            f"{len(wrong)} of {len(found)} cells",
            *(f"{c} → {'; '.join(w)}" for c, w in wrong.items()),
        ]
    )


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return World.build(services, clock)


@pytest.mark.both_databases
@pytest.mark.timeout(600)  # some seconds of work, and many statements to a busy server
def test_cells_on_which_faults_were_seen_come_out_as_the_naive_model_says(world: World) -> None:
    found = play(world, SEEN_WRONG)
    assert not any(found.values()), told(found)


@pytest.mark.both_databases
@pytest.mark.timeout(600)
@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_sample_of_pairs_comes_out_as_the_naive_model_says(world: World, half: int) -> None:
    found = play(world, sample()[half::2])
    assert not any(found.values()), told(found)


FALSE_STATUS = "the model has no suspension"
FALSE_REFUSAL = "the model never refuses"


@pytest.mark.parametrize("false", [FALSE_STATUS, FALSE_REFUSAL])
def test_a_fault_is_told_of_each_of_its_cells_as_of_that_cell_alone(
    world: World, monkeypatch: pytest.MonkeyPatch, false: str
) -> None:
    steps = [("suspend", 1, None), ("leave", 10, "resign"), ("transfer", 5, NEXT)]
    table = [
        case
        for case in every()
        if case.base.name == "open" and case.first == ("transfer", 10, AWAY)
        if case.second in steps and len(case.back) < 2
    ]
    if false == FALSE_STATUS:
        monkeypatch.setattr(Facts, "status", lambda self, day: LEFT if self.gone(day) else ACTIVE)
    else:
        monkeypatch.setattr(Facts, "undo_refused", lambda *_: None)
    together = play(world, table)
    alone = {case: play(world, [case])[case] for case in table}
    assert list(together) == table
    assert together == alone
    right = [case for case, what in together.items() if not what]
    assert 0 < len(right) < len(table)


@pytest.mark.long
@pytest.mark.both_databases
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name.replace(" ", "_"))
def test_every_pair_comes_out_as_the_naive_model_says(
    world: World, base: Base, request: pytest.FixtureRequest
) -> None:
    named = request.config.getoption("--cells", "")
    found = play(world, [case for case in every() if case.base == base and named in str(case)])
    assert not any(found.values()), told(found)


@pytest.mark.parametrize("kind", about_her(), ids=lambda kind: kind.code)
def test_each_kind_can_be_asked_for(world: World, kind: Kind) -> None:
    her = world.subject(in_post=kind.about != About.NEWCOMER, term=None)
    steps = [*first(kind), *second(kind)]
    assert steps, f"{kind.code} is decided nowhere in the table"
    for step in steps:
        with world.services.db.read() as session:
            specs.parse(
                session, world.asked(her, step), now=world.clock(), keyring=world.services.keyring
            )


class _Phone(Fields):
    phone: Annotated[Phone, Ask("Điện thoại", now="phone")] = None


def _plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    draft = Draft(spec, ground)
    list(personal.changed(session, spec, draft, ground, Event.CONTACT, _Phone))
    return draft.done(units_touched=set())


CALL = Kind(
    "call", "Đổi số điện thoại", "USER has another number.", _plan, asks=_Phone, undoable=True
)


def test_a_further_kind_has_its_row_and_its_column(world: World) -> None:
    with registry.registered(CALL):
        table = every()
        assert {case.second[0] for case in table if case.first[0] == "call"} > {"call", "leave"}
        assert {case.first[0] for case in table if case.second[0] == "call"} > {"call", "join"}
        found = play(world, [c for c in sample() if "call" in (c.first[0], c.second[0])])
    assert not any(found.values()), told(found)


class _Unknown(Fields):
    shoe_size: int


def test_a_kind_that_asks_for_what_nobody_knows_is_named(world: World) -> None:
    her = world.subject(in_post=True, term=None)
    shoes = replace(CALL, code="shoes", asks=_Unknown)
    with registry.registered(shoes), pytest.raises(NoExample, match=r"shoes\.shoe_size"):
        world.asked(her, first(shoes)[0])
