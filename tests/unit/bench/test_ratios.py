"""A ratio from rounds measured in alternation: what it says, and what it must not say."""

import pytest

from bench.ratios import Ratio, alternating, ratio

LOAD = (1.0, 1.4, 0.9, 1.1, 2.0, 1.3, 0.8, 1.2, 1.05)
"""What a shared machine makes of a cost, round by round: of both states alike."""
NOISE = (0.004, -0.006, 0.011, -0.009, 0.002, -0.003, 0.008, -0.012, 0.005)
"""And of one of them alone."""


def noisy(ratio_of: float) -> Ratio:
    ours = [ratio_of * load * (1 + noise) for load, noise in zip(LOAD, NOISE, strict=True)]
    return ratio(ours, LOAD)


# The interval for a median by the sign test, as statistics' tables print it: for n values, the
# rank of its lower end, and the confidence.
TABLE = [
    (5, 1, 0.938),
    (6, 1, 0.969),
    (8, 1, 0.992),
    (9, 2, 0.961),
    (10, 2, 0.979),
    (12, 3, 0.961),
    (15, 4, 0.965),
    (20, 6, 0.959),
    (25, 8, 0.957),
]


@pytest.mark.parametrize(("n", "rank", "confidence"), TABLE)
def test_the_interval_is_the_sign_tests(n: int, rank: int, confidence: float) -> None:
    found = ratio([float(k) for k in range(n, 0, -1)], [1.0] * n)
    assert (found.low, found.high) == (rank, n + 1 - rank)
    assert found.confidence == pytest.approx(confidence, abs=0.0006)


@pytest.mark.parametrize("change", [0.97, 1.03])
def test_a_change_of_three_percent_is_seen_under_load(change: float) -> None:
    found = noisy(change)
    assert found.differs
    assert found.middle == pytest.approx(change, abs=0.006)


def test_no_change_is_not_taken_for_one() -> None:
    assert not noisy(1.0).differs


def test_one_wild_round_moves_nothing_much() -> None:
    wild = ratio([*LOAD[:-1], 50.0], LOAD)
    assert (wild.middle, wild.low, wild.high) == (1.0, 1.0, 1.0)


def test_what_grows_steadily_meets_all_states_alike() -> None:
    """There and back: the mean moment of each state's turns is the same."""
    order = list(alternating("ABC"))
    assert order == ["A", "B", "C", "C", "B", "A"]
    moments = {state: [n for n, each in enumerate(order) if each == state] for state in "ABC"}
    assert {sum(each) for each in moments.values()} == {len(order) - 1}


def test_one_round_says_nothing_for_sure() -> None:
    found = ratio([3.0], [2.0])
    assert (found.middle, found.low, found.high, found.confidence) == (1.5, 1.5, 1.5, 0.0)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [1.0, 2.0])])
def test_rounds_must_be_pairs(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"round|argument"):
        ratio(ours, theirs)


def test_it_is_told_with_its_spread() -> None:
    assert str(Ratio(0.804, 0.795, 0.811, 0.96)) == "0.80 (0.80–0.81)"
