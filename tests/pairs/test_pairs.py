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
is ``long``. A failure names each of its cells; one of them by itself, or some:

    scripts/with-postgresql .venv/bin/pytest tests/pairs -m long --cells "open: ('leave', 10, 'retire'), then"
"""

from typing import Any

import pytest

from tests.pairs.facts import ACTIVE, AWAY, LEFT, NEXT, Facts
from tests.pairs.play import World
from tests.pairs.rounds import Found, play
from tests.pairs.table import ABOUT_HER, BASES, FIRST, SECOND, SEEN_WRONG, Base, every, sample


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
@pytest.mark.timeout(300)  # some seconds of work, and many statements to a busy server
def test_cells_on_which_faults_were_seen_come_out_as_the_naive_model_says(world: World) -> None:
    found = play(world, SEEN_WRONG)
    assert not any(found.values()), told(found)


@pytest.mark.both_databases
@pytest.mark.timeout(300)
def test_a_sample_of_pairs_comes_out_as_the_naive_model_says(world: World) -> None:
    found = play(world, sample())
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


@pytest.mark.parametrize("code", ABOUT_HER)
def test_no_kind_of_change_is_forgotten(code: str) -> None:
    assert code in FIRST, f"{code} belongs into table.STEPS"
    assert code in SECOND
