"""States in alternation: who is measured when, and whose costs count."""

from collections.abc import Callable, Iterator

import pytest

from bench import paired
from bench.load import Cost, Served
from bench.operations import Operation, Parties, Party, Unexpected

NOBODY = Party("", "")
OPERATION = Operation("token", lambda _user, _value: None)


class Measured:
    """Stands in for the load: says what each turn costs, and remembers the turns."""

    def __init__(self, cost: Callable[[str], tuple[float, list[str]]]) -> None:
        self.turns: list[str] = []
        self.runs: list[int] = []
        self._cost = cost

    def __call__(self, served: Served, _users: object, _operation: Operation, runs: int) -> Cost:
        self.turns.append(served.label)
        self.runs.append(runs)
        whole, errors = self._cost(served.label)
        return Cost(whole / 2, whole / 2, runs, 1.0, [0.1], errors)


def states(*labels: str, lacks: dict[str, str] | None = None) -> list[Served]:
    parties = Parties("", NOBODY, NOBODY, NOBODY, NOBODY)
    return [Served(each, parties, [], 0, None, lacks or {}) for each in labels]


@pytest.fixture
def comparing(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., tuple[Measured, paired.Compared]]]:
    def compare(
        served: list[Served], cost: Callable[[str], tuple[float, list[str]]]
    ) -> tuple[Measured, paired.Compared]:
        load = Measured(cost)
        monkeypatch.setattr(paired, "measure", load)
        ((_, found),) = paired.compare(served, [OPERATION], rounds=2, runs=10)
        return load, found

    return compare


def test_rounds_go_there_and_back_after_runs_that_do_not_count(comparing) -> None:
    served = states("A", "B")
    load, found = comparing(served, lambda label: ({"A": 2.0, "B": 4.0}[label], []))
    assert load.turns == list("AB" + "ABBA" * 2)
    assert load.runs == [served[0].warming] * 2 + [10] * 8
    assert found.costs == {"A": [2.0, 2.0], "B": [4.0, 4.0]}
    ratio = found.ratio("A", "B")
    assert ratio is not None
    assert ratio.middle == 0.5


def test_whatever_was_answered_with_an_error_is_no_cost(comparing) -> None:
    _, found = comparing(states("A", "B"), lambda label: (1.0, ["400"] if label == "B" else []))
    assert found.ratio("A", "B") is None
    assert found.missing == {"B": "400"}
    assert found.cost("A") == 1.0


def test_whatever_can_not_be_made_ready_is_not_measured(comparing) -> None:
    def cost(label: str) -> tuple[float, list[str]]:
        if label == "A":
            raise Unexpected("404")
        return 1.0, []

    _, found = comparing(states("A", "B"), cost)
    assert found.missing == {"A": "404"}
    assert found.costs == {"B": [1.0, 1.0]}


def test_what_a_state_lacks_is_not_asked_of_it(comparing) -> None:
    lacks = {OPERATION.name: "knows no such thing"}
    served = [*states("A"), *states("B", lacks=lacks)]
    load, found = comparing(served, lambda _label: (1.0, []))
    assert set(load.turns) == {"A"}
    assert found.missing == {"B": "knows no such thing"}
