"""The next step of a sign-in is decided from stored state alone."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from idp.login.policy import FlowState, Policy, Step, capacity, next_step

NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)

NEW = FlowState(
    id="f",
    return_to="/",
    client_id=None,
    request={},
    browser="b",
    expires_at=NOW,
    user_id=None,
    password_at=None,
    user_epoch=None,
    must_change=False,
    assignment_id=None,
    capacity_chosen=False,
    done_at=None,
)
PROVEN = replace(NEW, user_id=7, password_at=NOW, user_epoch=1)
ONE = Policy(active=True, capacities=(10,))
TWO = Policy(active=True, capacities=(10, 11))


@pytest.mark.parametrize(
    ("flow", "policy", "step"),
    [
        (NEW, Policy(), Step.PASSWORD),
        (PROVEN, ONE, Step.DONE),
        (PROVEN, TWO, Step.CAPACITY),
        (replace(PROVEN, assignment_id=11, capacity_chosen=True), TWO, Step.DONE),
        (replace(PROVEN, assignment_id=12, capacity_chosen=True), TWO, Step.CAPACITY),
        (PROVEN, replace(TWO, acting=11), Step.DONE),
        (PROVEN, replace(TWO, acting=12), Step.CAPACITY),
        (replace(PROVEN, must_change=True), TWO, Step.CHANGE_PASSWORD),
        (PROVEN, Policy(active=True), Step.NO_CAPACITY),
        (PROVEN, Policy(active=True, administers=True), Step.DONE),
        (PROVEN, replace(ONE, active=False), Step.INACTIVE),
        (replace(PROVEN, must_change=True), replace(ONE, active=False), Step.INACTIVE),
        (replace(PROVEN, done_at=NOW), TWO, Step.FINISHED),
    ],
    ids=[
        "nobody yet",
        "one capacity is taken silently",
        "several capacities are offered",
        "a chosen capacity is enough",
        "a choice that is no longer hers is asked again",
        "a repeated sign-in stays in its capacity",
        "unless that has ended",
        "a temporary password is changed first",
        "nobody without a post gets in",
        "except administrators",
        "nobody who may not act gets in",
        "nor is she asked for a new password",
        "a finished flow stays finished",
    ],
)
def test_next_step(flow: FlowState, policy: Policy, step: Step) -> None:
    assert next_step(flow, policy) is step


@pytest.mark.parametrize(
    ("flow", "policy", "assignment"),
    [
        (PROVEN, ONE, 10),
        (PROVEN, replace(TWO, acting=11), 11),
        (replace(PROVEN, assignment_id=10, capacity_chosen=True), replace(TWO, acting=11), 10),
        (PROVEN, Policy(active=True, administers=True), None),
    ],
    ids=["the only one", "the present one", "the chosen one before the present one", "none"],
)
def test_capacity_of_a_finished_sign_in(
    flow: FlowState, policy: Policy, assignment: int | None
) -> None:
    assert capacity(flow, policy) == assignment
