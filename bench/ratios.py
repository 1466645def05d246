"""A ratio of two costs and how far it can be trusted, from rounds measured in alternation.

A round measures every state twice, in an order and back again (A B B A), so that whatever grows
or falls steadily meanwhile meets both alike. Each round gives one ratio; what is told is their
median, and the interval that holds the true median with at least 95 %, from the order of the
ratios alone: nothing is supposed about how the noise is spread, and one wild round moves nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import TypeVar

T = TypeVar("T")

WANTED = 0.95
"""How often the interval shall hold the true value."""


@dataclass(frozen=True)
class Ratio:
    """One cost divided by another."""

    middle: float
    low: float
    high: float
    confidence: float
    """How often an interval made so holds the true value; below 0.95 with fewer than six rounds."""

    @property
    def differs(self) -> bool:
        """Whether the two costs can be told apart."""
        return not self.low <= 1 <= self.high

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f}–{self.high:.2f})"


def alternating(states: Sequence[T]) -> Iterator[T]:
    """The order of one round: there and back."""
    yield from states
    yield from reversed(states)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """``ours`` ÷ ``theirs``, each the cost in the same rounds. Raises ValueError without any."""
    rounds = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    if not rounds:
        raise ValueError("No round was measured.")
    left_out, confidence = _trimmed(len(rounds))
    return Ratio(median(rounds), rounds[left_out], rounds[-1 - left_out], confidence)


def _trimmed(rounds: int) -> tuple[int, float]:
    """How many of the ordered rounds may be left out at each end, and the confidence then.

    The interval between the k-th smallest and the k-th largest misses the median when fewer than
    k rounds fall on one side of it, as coins do (the sign test's interval).
    """

    def held(left_out: int) -> float:
        fewer = sum(comb(rounds, n) for n in range(left_out + 1))
        return float(1 - 2 * fewer / 2**rounds)

    best = 0
    while best + 1 <= (rounds - 1) // 2 and held(best + 1) >= WANTED:
        best += 1
    return best, max(held(best), 0.0)
