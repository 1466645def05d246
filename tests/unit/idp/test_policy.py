"""The next step of a sign-in is decided from what was proven, what is demanded and what is true."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from idp.assurance import UNASKED, Because, Demand, Means, Strength
from idp.demands import Asked
from idp.factors import by_password
from idp.factors.factor import Epochs, Proven, methods, reached
from idp.login.policy import Policy, Step, capacity, next_step, ways_left

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)
AAL1, AAL2, AAL3, AAL4 = (f"urn:vn:aal:{n}" for n in (1, 2, 3, 4))


@dataclass(frozen=True)
class Way:
    """As much of a factor as decides what is asked."""

    code: str
    gives: Strength
    first: bool = False
    title: str = ""
    offers: Any = None
    begin: Any = None
    check: Any = None


def strength(*means: Means, level: int = 1, resists: bool = False) -> Strength:
    return Strength(level, frozenset(means), resists)


def of(way: Way, amr: str) -> Proven:
    given = way.gives
    return Proven(
        way.code,
        NOW,
        Epochs(1, 1),
        given.level,
        (amr,),
        tuple(given.means),
        given.phishing_resistant,
    )


PASSWORD = Way("password", strength(Means.KNOWLEDGE), first=True)
PIN = Way("pin", strength(Means.KNOWLEDGE))
CODES = Way("codes", strength(Means.POSSESSION))
FACE = Way("face", strength(Means.INHERENCE))
KEY = Way("key", strength(Means.POSSESSION, Means.KNOWLEDGE, level=2, resists=True), first=True)
ABROAD = Way("abroad", strength(level=2), first=True)
PROVEN = (by_password.proven(NOW, Epochs(1, 1)),)
WITH_CODES = (*PROVEN, of(CODES, "otp"))
ONE = Policy(ways=(PASSWORD,), active=True, capacities=(10,))
TWO = replace(ONE, capacities=(10, 11))
NOBODY = Policy(ways=(PASSWORD,))
SECOND = replace(ONE, ways=(PASSWORD, CODES, PIN))
MUST = Demand(least=(AAL2,))
HERE = Because.OUTSIDE
POST = (Asked(AAL2, Because.POSITION, "Chủ tịch"),)
LINKED = replace(ONE, ways=(PASSWORD, ABROAD), because=HERE)
"""Vouched for elsewhere, and with nothing else."""
UNTRIED = replace(LINKED, untried=frozenset({"abroad"}))
"""Somebody could vouch for her there, and never has."""
VOUCHED = of(ABROAD, "eid")
FAINTLY = Proven("abroad", NOW, Epochs(1, 1), 1, ("eid",))
"""Vouched for, as one factor."""


@pytest.mark.parametrize(
    ("proven", "demand", "policy", "step"),
    [
        pytest.param((), Demand(), NOBODY, Step.PROVE, id="nobody yet"),
        pytest.param((), Demand(), Policy(), Step.PROVE, id="nobody yet, and nothing to offer"),
        pytest.param(PROVEN, Demand(), ONE, Step.DONE, id="one capacity is taken silently"),
        pytest.param(PROVEN, Demand(), TWO, Step.CAPACITY, id="several capacities are offered"),
        pytest.param(
            PROVEN, Demand(), replace(TWO, chosen=11), Step.DONE, id="a chosen one is enough"
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, chosen=12),
            Step.CAPACITY,
            id="a choice that is no longer hers is asked again",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, acting=11),
            Step.DONE,
            id="a repeated sign-in stays in its capacity",
        ),
        pytest.param(
            PROVEN, Demand(), replace(TWO, acting=12), Step.CAPACITY, id="unless that has ended"
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, must_change=True),
            Step.CHANGE_PASSWORD,
            id="a temporary password is changed first",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, capacities=()),
            Step.NO_CAPACITY,
            id="nobody without a post gets in",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, capacities=(), administers=True),
            Step.DONE,
            id="except administrators",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, active=False, must_change=True),
            Step.INACTIVE,
            id="nobody who may not act gets in, nor is she asked for a new password",
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(SECOND, kept_out=True),
            Step.UNCONFIRMED,
            id="who is kept out proves nothing more",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, finished=True),
            Step.FINISHED,
            id="a finished flow stays finished",
        ),
        pytest.param(PROVEN, Demand(), SECOND, Step.DONE, id="what nobody demands is not asked"),
        pytest.param(
            PROVEN, Demand(), replace(SECOND, because=HERE), Step.PROVE, id="the house asks for it"
        ),
        pytest.param(
            WITH_CODES, Demand(), replace(SECOND, because=HERE), Step.DONE, id="and has got it"
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(SECOND, because=HERE, may_begin=True),
            Step.PROVE,
            id="who can prove it enrols nothing",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True),
            Step.ENROL,
            id="who has none enrols her first",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE),
            Step.DONE,
            id="who has lost hers gets a session of her password, and its pages refuse",
        ),
        pytest.param(
            PROVEN, Demand(), replace(ONE, may_begin=True), Step.DONE, id="unasked nobody enrols"
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(ONE, may_begin=True),
            Step.DONE,
            id="nor for an application, which refuses",
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(ONE, may_begin=True, ours=True),
            Step.ENROL,
            id="but for a page of ours, which could only ask again",
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(UNTRIED, because=None, may_begin=True, ours=True),
            Step.ENROL,
            id="wherever somebody might vouch for her",
        ),
        pytest.param(
            WITH_CODES,
            Demand(least=(AAL3,)),
            replace(ONE, may_begin=True, ours=True),
            Step.DONE,
            id="nobody enrols for what enrolling does not reach",
        ),
        pytest.param(
            (),
            Demand(),
            replace(ONE, because=HERE, may_begin=True),
            Step.PROVE,
            id="nobody enrols before she has proven who she is",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True, must_change=True),
            Step.CHANGE_PASSWORD,
            id="a temporary password goes first",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, because=HERE, may_begin=True),
            Step.ENROL,
            id="a capacity is chosen after it",
        ),
        pytest.param(
            WITH_CODES,
            Demand(),
            replace(TWO, because=HERE, may_begin=True),
            Step.CAPACITY,
            id="and then it is",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True, active=False),
            Step.INACTIVE,
            id="who may not act enrols nothing",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True, kept_out=True),
            Step.UNCONFIRMED,
            id="nor who is kept out",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True, capacities=()),
            Step.NO_CAPACITY,
            id="nor who has no post",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, because=HERE, may_begin=True, finished=True),
            Step.FINISHED,
            id="nor is a finished one begun again",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            LINKED,
            Step.PROVE,
            id="who is vouched for elsewhere is asked for that",
        ),
        pytest.param(
            (*PROVEN, VOUCHED), Demand(), LINKED, Step.DONE, id="and then has proven enough"
        ),
        pytest.param(
            (*PROVEN, FAINTLY),
            Demand(),
            replace(LINKED, may_begin=True),
            Step.ENROL,
            id="too little of all that she has: she enrols",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(UNTRIED, may_begin=True),
            Step.ENROL,
            id="who has none enrols, wherever somebody might vouch for her",
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(UNTRIED, may_begin=True),
            Step.ENROL,
            id="also where an application asks for it too",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(UNTRIED, may_begin=True, must_change=True),
            Step.CHANGE_PASSWORD,
            id="a temporary password goes first there, too",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            UNTRIED,
            Step.DONE,
            id="who has lost hers waits for no upstream that she has never used",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(UNTRIED, ways=(PASSWORD, CODES, ABROAD), may_begin=True),
            Step.PROVE,
            id="who can prove one of her own enrols nothing there either",
        ),
        pytest.param(
            PROVEN,
            MUST,
            replace(UNTRIED, because=None),
            Step.PROVE,
            id="what an application must have she may show where she never has",
        ),
        pytest.param(
            PROVEN,
            Demand(voluntary=(AAL2,)),
            replace(UNTRIED, because=None),
            Step.DONE,
            id="what it only wishes leads nobody to where she has never been",
        ),
        pytest.param(
            PROVEN,
            Demand(voluntary=(AAL2,)),
            replace(LINKED, because=None),
            Step.PROVE,
            id="but to where she has been",
        ),
        pytest.param(
            PROVEN, Demand(), replace(SECOND, here=POST), Step.PROVE, id="her post asks for it"
        ),
        pytest.param(
            WITH_CODES, Demand(), replace(SECOND, here=POST), Step.DONE, id="and has got it too"
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(ONE, here=POST, may_begin=True),
            Step.ENROL,
            id="who has none enrols her first for her post as well",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(SECOND, here=(Asked(AAL3, Because.POSITION),), may_begin=True),
            Step.DONE,
            id="a post that asks for what she cannot reach: its pages refuse",
        ),
        pytest.param(
            PROVEN,
            Demand(),
            replace(TWO, ways=SECOND.ways, chosen=11, here=POST),
            Step.PROVE,
            id="a chosen post asks before it is entered",
        ),
        pytest.param(PROVEN, MUST, SECOND, Step.PROVE, id="a minimum that she can meet is asked"),
        pytest.param(
            PROVEN, Demand(essential=(AAL2, AAL3)), SECOND, Step.PROVE, id="so is what must be"
        ),
        pytest.param(
            PROVEN, Demand(voluntary=(AAL2,)), SECOND, Step.PROVE, id="and what is only wished"
        ),
        pytest.param(
            PROVEN,
            Demand(voluntary=(AAL3, AAL1)),
            SECOND,
            Step.DONE,
            id="a wish that is met already is no reason to ask",
        ),
        pytest.param(
            PROVEN,
            Demand(least=(AAL3,)),
            SECOND,
            Step.DONE,
            id="nobody is asked for what she cannot reach: whoever demands it refuses",
        ),
        pytest.param(PROVEN, MUST, ONE, Step.DONE, id="nor who has nothing else"),
        pytest.param(WITH_CODES, MUST, SECOND, Step.DONE, id="met is met"),
        pytest.param(
            PROVEN,
            MUST,
            replace(SECOND, must_change=True),
            Step.PROVE,
            id="a password is changed by whoever has proven everything",
        ),
    ],
)
def test_next_step(proven: tuple[Proven, ...], demand: Demand, policy: Policy, step: Step) -> None:
    assert next_step(proven, demand, policy) is step


@pytest.mark.parametrize(
    ("proven", "demand", "ways", "codes"),
    [
        pytest.param((), MUST, (PASSWORD, CODES, KEY), "password key", id="who says who she is"),
        pytest.param(PROVEN, MUST, (PASSWORD, CODES, PIN, KEY), "codes key", id="what helps"),
        pytest.param(
            PROVEN, Demand(least=(AAL4,)), (CODES, FACE, PIN), "codes face", id="on the way there"
        ),
        pytest.param(PROVEN, MUST, (PIN,), "", id="two of one kind are one"),
        pytest.param(WITH_CODES, Demand(least=(AAL4,)), (CODES, FACE), "face", id="not twice"),
        pytest.param(
            PROVEN, Demand(voluntary=(AAL3,)), (CODES,), "", id="a wish beyond reach asks nothing"
        ),
    ],
)
def test_what_is_asked_is_what_brings_her_nearer(
    proven: tuple[Proven, ...], demand: Demand, ways: tuple[Way, ...], codes: str
) -> None:
    found = ways_left(proven, demand, replace(ONE, ways=ways))
    assert [one.code for one in found] == codes.split()


def test_whoever_enrols_may_be_vouched_for_instead() -> None:
    found = ways_left(PROVEN, Demand(), replace(UNTRIED, may_begin=True))
    assert [one.code for one in found] == ["abroad"]


@pytest.mark.parametrize(
    ("ways", "level"),
    [
        ((PASSWORD,), 1),
        ((PASSWORD, PIN), 1),
        ((PASSWORD, CODES), 2),
        ((KEY,), 2),
        ((PASSWORD, FACE), 3),
        ((PASSWORD, CODES, FACE), 4),
        ((KEY, FACE), 4),
        ((ABROAD,), 2),
        # Somebody else's word is never raised by ours.
        ((ABROAD, PASSWORD), 2),
    ],
)
def test_factors_count_together_by_what_they_rest_on(ways: tuple[Way, ...], level: int) -> None:
    """The levels of Nghị định 69/2024/NĐ-CP, in whatever order they were proven."""
    proven = [of(way, way.code) for way in ways]
    for order in (proven, proven[::-1]):
        assert reached(order).level == level
        assert reached(order).acr == f"urn:vn:aal:{level}"
    assert reached(proven).phishing_resistant == (KEY in ways)


def test_methods_say_when_they_are_several() -> None:
    """RFC 8176 §2."""
    assert methods(PROVEN) == ["pwd"]
    assert methods(WITH_CODES) == ["pwd", "otp", "mfa"]
    assert methods((*PROVEN, of(PIN, "pin"))) == ["pwd", "pin"]


def test_whoever_was_asked_here_was_asked() -> None:
    """An upstream that cannot say when it asked her stands beside a proof of ours that can."""
    silent = replace(VOUCHED, amr=("eid", UNASKED))
    assert methods([silent]) == ["eid", UNASKED]
    assert methods([*PROVEN, silent]) == methods([*PROVEN, VOUCHED]) == ["pwd", "eid"]
    assert methods([silent, *PROVEN]) == ["eid", "pwd"]


def test_what_was_proven_is_kept_as_it_was() -> None:
    for one in (*WITH_CODES, of(KEY, "hwk"), of(ABROAD, "eid")):
        assert Proven.read(one.stored) == one


@pytest.mark.parametrize(
    ("policy", "assignment"),
    [
        pytest.param(ONE, 10, id="the only one"),
        pytest.param(replace(TWO, acting=11), 11, id="the present one"),
        pytest.param(replace(TWO, chosen=10, acting=11), 10, id="the chosen one before it"),
        pytest.param(replace(ONE, capacities=(), administers=True), None, id="none"),
    ],
)
def test_capacity_of_a_finished_sign_in(policy: Policy, assignment: int | None) -> None:
    assert capacity(policy) == assignment
