"""This tree beside others, in alternation: a ratio for each operation, with its spread.

All are served at the same time, each with a database of its own; one of them is loaded, the others
rest. An operation begins with runs that are not counted, until whatever a state compiles, caches or
plans on the way is ready.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import mean, median

from bench import database, peer, revision
from bench.installation import Tree, installed
from bench.load import Served, measure
from bench.operations import Operation, Unexpected, User
from bench.ratios import Ratio, alternating, ratio


@dataclass
class Compared:
    """One operation: milliseconds of server and database per run, of each round, by state."""

    costs: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """States that it could not be measured on, each with the reason."""

    def cost(self, label: str) -> float | None:
        """Of a state, over all rounds."""
        return median(self.costs[label]) if label in self.costs else None

    def ratio(self, ours: str, theirs: str) -> Ratio | None:
        """The costs of one ÷ those of the other; None where one could not be measured."""
        if ours not in self.costs or theirs not in self.costs:
            return None
        return ratio(self.costs[ours], self.costs[theirs])


@contextmanager
def states(
    server: str, revisions: Sequence[str], peers: Sequence[str], people: int
) -> Iterator[list[Served]]:
    """This tree, the revisions and the peers, all served, for as long as the block lasts.

    Raises LookupError for a revision that there is not, Absent for a peer that is not installed.
    """
    with ExitStack() as stack:
        trees = [Tree(revision.present())]
        trees += [stack.enter_context(revision.checked_out(each)) for each in revisions]
        found: list[Served] = []
        for tree in trees:
            made = stack.enter_context(database.fresh(server))
            found.append(stack.enter_context(installed(tree, made, people)))
        for each in peers:
            made = stack.enter_context(database.fresh(server))
            assert made is not None
            stored = each == "node-stored"
            found.append(stack.enter_context(peer.serving(made, people, stored=stored)))
        yield found


def compare(
    served: list[Served], operations: Sequence[Operation], *, rounds: int, runs: int
) -> Iterator[tuple[Operation, Compared]]:
    """Each operation when it is measured; ``runs`` in each of a state's two turns of a round."""
    with ExitStack() as stack:
        loads = [(each, stack.enter_context(each.users())) for each in served]
        for operation in operations:
            yield operation, _compared(loads, operation, rounds=rounds, runs=runs)


Loaded = tuple[Served, list[User]]


def _compared(loads: list[Loaded], operation: Operation, *, rounds: int, runs: int) -> Compared:
    made = Compared()
    for load in loads:  # not counted
        _turn(made, load, operation, load[0].warming)
    for _ in range(rounds):
        turns: dict[str, list[float]] = {state.label: [] for state, _ in loads}
        for load in alternating(loads):
            turns[load[0].label] += _turn(made, load, operation, runs)
        for label, both in turns.items():
            if label not in made.missing:
                made.costs.setdefault(label, []).append(mean(both))
    for label in made.missing:
        made.costs.pop(label, None)
    return made


def _turn(made: Compared, load: Loaded, operation: Operation, runs: int) -> list[float]:
    """The cost of a run in one turn; nothing, with the reason kept, where it can not be told."""
    state, users = load
    if operation.name in state.lacks:
        made.missing[state.label] = state.lacks[operation.name]
    if state.label in made.missing:
        return []
    try:
        cost = measure(state, users, operation, runs)
    except (Unexpected, OSError) as error:
        made.missing[state.label] = str(error)[:120]
        return []
    if cost.errors:  # what refuses costs less than what is asked for
        made.missing[state.label] = cost.errors[0]
    return [cost.whole]
