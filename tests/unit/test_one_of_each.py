"""A quick run takes one row of each table, and over the runs every row."""

from dataclasses import dataclass

from tests.one_of_each import chosen


@dataclass(frozen=True)
class Item:
    nodeid: str


TABLE = [Item(f"test_a.py::test_refused[case {n}]") for n in range(3)]
ALONE = [Item("test_a.py::test_alone"), Item("test_b.py::test_refused")]


def test_what_has_no_table_always_runs_and_of_a_table_one_row() -> None:
    kept = chosen([*TABLE, *ALONE], seed=7)
    assert kept >= set(ALONE)
    assert len(kept & set(TABLE)) == 1


def test_every_row_has_its_turn() -> None:
    assert {item for seed in range(9) for item in chosen(TABLE, seed=seed)} == set(TABLE)


def test_the_same_seed_chooses_the_same() -> None:
    assert chosen(TABLE, seed=5) == chosen(TABLE, seed=5)
