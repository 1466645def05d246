"""How strong a sign-in was, and whether that is enough: pure rules, row by row."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from idp import assurance
from idp.assurance import Demand, StepUp
from idp.factors import registry

AAL1, AAL2, AAL3, AAL4 = (f"urn:vn:aal:{n}" for n in (1, 2, 3, 4))
NOW = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("have", "wanted", "enough"),
    [
        (AAL1, AAL1, True),
        (AAL2, AAL1, True),
        (AAL4, AAL3, True),
        (AAL1, AAL2, False),
        (AAL3, AAL4, False),
        ("phrh", "phr", True),
        ("phr", "phrh", False),
        ("phr", AAL1, True),
        ("phr", AAL2, False),
        (AAL4, "phr", False),
        (AAL4, "urn:vn:aal:9", False),
        ("0", "0", True),
        ("0", AAL1, False),
        (AAL2, "", False),
    ],
)
def test_a_level_includes_those_below_it(have: str, wanted: str, enough: bool) -> None:
    assert assurance.reaches(have, wanted) is enough


def test_what_can_be_reached_is_what_is_said_to_be_supported() -> None:
    assert assurance.supported(registry.reachable()) == [AAL1, AAL2]


@pytest.mark.parametrize(
    ("demand", "have", "met", "worth"),
    [
        (Demand(), AAL1, True, False),
        (Demand(voluntary=(AAL1,)), AAL1, True, False),
        # Wanted, not needed, and nobody can reach it today: no reason to ask anything.
        (Demand(voluntary=(AAL3, "phr")), AAL1, True, False),
        (Demand(voluntary=(AAL3, AAL1)), AAL1, True, False),
        (Demand(voluntary=(AAL1,)), "0", True, True),
        (Demand(essential=(AAL3,)), AAL1, False, False),
        (Demand(essential=(AAL3, AAL1)), AAL1, True, False),
        (Demand(essential=(AAL1,)), "0", False, True),
        (Demand(essential=(AAL2,)), AAL3, True, False),
        (Demand(least=(AAL1, AAL2)), AAL1, False, False),
        (Demand(least=(AAL1, AAL2)), AAL2, True, False),
        (Demand(least=(AAL1,)), "0", False, True),
        (Demand(essential=(AAL1,), least=(AAL2,)), AAL1, False, False),
    ],
)
def test_a_demand_is_met_or_worth_another_sign_in_or_neither(
    demand: Demand, have: str, met: bool, worth: bool
) -> None:
    assert demand.met_by(have) is met
    assert demand.worth_asking(have, [AAL1]) is worth


@pytest.mark.parametrize(
    ("demand", "have", "told"),
    [
        (Demand(), AAL2, AAL2),
        (Demand(voluntary=(AAL1,)), AAL2, AAL2),
        (Demand(essential=(AAL2, AAL1)), AAL3, AAL2),
        (Demand(essential=(AAL1, AAL2)), AAL3, AAL1),
        # What is told must not fall short of the minimum that the grant is held to later.
        (Demand(essential=(AAL1, AAL2), least=(AAL2,)), AAL3, AAL2),
        (Demand(essential=(AAL1,), least=(AAL2,)), AAL3, AAL3),
    ],
)
def test_the_level_told_is_one_of_the_essential_values(
    demand: Demand, have: str, told: str
) -> None:
    """OIDC Core §5.5.1.1."""
    assert demand.stated(have) == told


@pytest.mark.parametrize(
    "demand",
    [
        Demand(),
        Demand(voluntary=(AAL3, "phr"), essential=(AAL2,), least=(AAL1, AAL2)),
        Demand(prompt=frozenset({"login", "consent"}), max_age=timedelta(seconds=60)),
        Demand(max_age=timedelta(0)),
    ],
)
def test_a_sign_in_keeps_what_is_demanded_of_it(demand: Demand) -> None:
    assert Demand.read(json.loads(json.dumps(demand.stored))) == demand


@pytest.mark.parametrize(
    ("demand", "age", "outlived", "anew"),
    [
        (Demand(), 10**6, False, False),
        (Demand(max_age=timedelta(seconds=60)), 60, False, False),
        (Demand(max_age=timedelta(seconds=60)), 61, True, False),
        (Demand(max_age=timedelta(0)), 0, True, False),
        (Demand(prompt=frozenset({"login"})), 0, False, True),
        (Demand(prompt=frozenset({"select_account", "consent"})), 0, False, True),
        (Demand(prompt=frozenset({"consent", "none"})), 0, False, False),
    ],
)
def test_a_demand_says_how_new_a_sign_in_must_be(
    demand: Demand, age: int, outlived: bool, anew: bool
) -> None:
    """OIDC Core §3.1.2.1."""
    assert demand.outlived(NOW - timedelta(seconds=age), NOW) is outlived
    assert demand.anew is anew


def test_minimums_of_client_and_scopes_count_together() -> None:
    scope_acr = {"org": AAL2, "email": AAL1, "changes:write": AAL3}
    assert assurance.least(AAL2, ["openid", "org", "email"], scope_acr) == (AAL2, AAL1)
    assert assurance.least(None, ["openid"], scope_acr) == ()


@pytest.mark.parametrize(
    ("acr", "age", "wanted"),
    [
        (AAL3, 0, None),
        (AAL3, 600, None),
        (AAL3, 601, StepUp((), 600)),
        (AAL1, 0, StepUp((AAL3,), None)),
        (AAL2, 601, StepUp((AAL3,), 600)),
    ],
)
def test_a_resource_says_what_the_sign_in_lacks(acr: str, age: int, wanted: StepUp | None) -> None:
    """RFC 9470 §3: any one of the values named is enough."""
    found = assurance.step_up(
        acr,
        NOW - timedelta(seconds=age),
        scopes=("changes:read", "changes:write"),
        scope_acr={"changes:read": AAL2, "changes:write": AAL3},
        scope_max_age={"changes:write": 600, "changes:read": 3600},
        now=NOW,
    )
    assert found == wanted
