"""The policy of sign-ins as a table: who, where, doing what → what is asked, and which rule says so.

Rows are written by hand from what the rules are to mean; nothing here is worked out by the code.
"""

from dataclasses import replace

import pytest

from idp import demands
from idp.assurance import Because
from idp.demands import Asked, Operation, Rules, Situation, levels, short, strongest

AAL0, AAL1, AAL2, AAL3, AAL4 = ("0", *(f"urn:vn:aal:{n}" for n in (1, 2, 3, 4)))
IN, IN6, OUT, OUT6, NOWHERE = "10.1.2.3", "fd00::7", "203.0.113.9", "2001:db8::7", None
DATA = Rules(
    inside=("10.0.0.0/8", "fd00::/8"),
    scopes={"org": AAL1, "changes:read": AAL2, "changes:write": AAL3},
    positions={"CT": AAL2, "BT": AAL3, "BV": AAL1},
    operations={"secret": AAL2, "approval": AAL3, "work": AAL1},
)
NOBODY, ADMINS, OUTSIDE, ALL = "nobody", "administrators", "outside", "everybody"
A, O, E = Because.ADMINISTERS, Because.OUTSIDE, Because.EVERYBODY  # noqa: E741
APP, SCOPE, POST, DO = (
    Because.APPLICATION,
    Because.SCOPE,
    Because.POSITION,
    Because.OPERATION,
)


def official(ip: str | None = IN, **more: object) -> Situation:
    return replace(Situation(present=True, ip=ip, client="Văn bản"), **more)


def admin(ip: str | None = IN, **more: object) -> Situation:
    return official(ip, administers=True, **more)


def program(**more: object) -> Situation:
    """She is not there: a server brings what she once gave it."""
    return replace(Situation(client="Văn bản"), **more)


S = Operation.SECRET
ROWS: list[tuple[str, Situation, str, Because | None, str]] = [
    # rule, situation, what she has → which rule asks for more (none: it is enough), and for what
    #
    # roles and networks, one factor
    (NOBODY, official(OUT), AAL1, None, ""),
    (NOBODY, admin(OUT), AAL1, None, ""),
    (ADMINS, official(IN), AAL1, None, ""),
    (ADMINS, official(OUT), AAL1, None, ""),
    (ADMINS, admin(IN), AAL1, A, AAL2),
    (ADMINS, admin(OUT), AAL1, A, AAL2),
    (OUTSIDE, official(IN), AAL1, None, ""),
    (OUTSIDE, official(IN6), AAL1, None, ""),
    (OUTSIDE, official(OUT), AAL1, O, AAL2),
    (OUTSIDE, official(OUT6), AAL1, O, AAL2),
    (OUTSIDE, official(NOWHERE), AAL1, O, AAL2),
    (OUTSIDE, official("nonsense"), AAL1, O, AAL2),
    (OUTSIDE, official("::ffff:10.1.2.3"), AAL1, None, ""),
    (OUTSIDE, official("::ffff:203.0.113.9"), AAL1, O, AAL2),
    (OUTSIDE, admin(IN), AAL1, A, AAL2),
    (OUTSIDE, admin(OUT), AAL1, A, AAL2),
    (ALL, official(IN), AAL1, E, AAL2),
    (ALL, official(OUT), AAL1, E, AAL2),
    (ALL, admin(IN), AAL1, A, AAL2),
    # the same, with two and more
    (ADMINS, admin(OUT), AAL2, None, ""),
    (OUTSIDE, official(OUT), AAL2, None, ""),
    (OUTSIDE, official(OUT), AAL3, None, ""),
    (ALL, official(IN), AAL4, None, ""),
    # nothing proven, and what is no level of ours
    (ALL, official(IN), AAL0, E, AAL2),
    (OUTSIDE, official(OUT), "phr", O, AAL2),
    (OUTSIDE, official(OUT), "urn:elsewhere:9", O, AAL2),
    (NOBODY, official(IN), AAL0, None, ""),
    # an application's minimum
    (NOBODY, official(minimum=AAL1), AAL1, None, ""),
    (NOBODY, official(minimum=AAL2), AAL1, APP, AAL2),
    (NOBODY, official(minimum=AAL2), AAL2, None, ""),
    (NOBODY, official(minimum=AAL3), AAL2, APP, AAL3),
    (NOBODY, official(minimum="phrh"), AAL4, APP, "phrh"),
    (OUTSIDE, official(IN, minimum=AAL2), AAL1, APP, AAL2),
    (OUTSIDE, official(OUT, minimum=AAL1), AAL1, O, AAL2),
    # both ask for two factors: what holds wherever she goes is told
    (OUTSIDE, official(OUT, minimum=AAL2), AAL1, O, AAL2),
    (OUTSIDE, admin(IN, minimum=AAL2), AAL1, A, AAL2),
    # the application asks for more than the house
    (OUTSIDE, official(OUT, minimum=AAL3), AAL1, APP, AAL3),
    (OUTSIDE, admin(OUT, minimum=AAL3), AAL2, APP, AAL3),
    # scopes
    (NOBODY, official(scopes=("openid",)), AAL1, None, ""),
    (NOBODY, official(scopes=("openid", "org")), AAL1, None, ""),
    (NOBODY, official(scopes=("openid", "org")), AAL0, SCOPE, AAL1),
    (NOBODY, official(scopes=("changes:read",)), AAL1, SCOPE, AAL2),
    (NOBODY, official(scopes=("changes:read", "changes:write")), AAL1, SCOPE, AAL3),
    (NOBODY, official(scopes=("changes:read", "changes:write")), AAL2, SCOPE, AAL3),
    (NOBODY, official(scopes=("changes:read", "changes:write")), AAL3, None, ""),
    (NOBODY, official(scopes=("changes:read",), minimum=AAL3), AAL1, APP, AAL3),
    (NOBODY, official(scopes=("changes:write",), minimum=AAL2), AAL1, SCOPE, AAL3),
    (OUTSIDE, official(OUT, scopes=("changes:write",)), AAL1, SCOPE, AAL3),
    # positions
    (NOBODY, official(position="CV"), AAL1, None, ""),
    (NOBODY, official(position="BV"), AAL1, None, ""),
    (NOBODY, official(position="CT"), AAL1, POST, AAL2),
    (NOBODY, official(position="CT"), AAL2, None, ""),
    (NOBODY, official(position="BT"), AAL2, POST, AAL3),
    (OUTSIDE, official(IN, position="CT"), AAL1, POST, AAL2),
    (OUTSIDE, official(OUT, position="CT"), AAL1, O, AAL2),
    (OUTSIDE, official(OUT, position="BT"), AAL1, POST, AAL3),
    (ADMINS, admin(IN, position="BT"), AAL2, POST, AAL3),
    (NOBODY, official(position="CT", minimum=AAL3), AAL1, APP, AAL3),
    (NOBODY, official(position="BT", minimum=AAL2), AAL1, POST, AAL3),
    (NOBODY, official(position="ct"), AAL1, None, ""),
    # operations
    (NOBODY, admin(operation=Operation.CHANGE), AAL1, None, ""),
    (NOBODY, admin(operation=Operation.WORK), AAL1, None, ""),
    (NOBODY, admin(operation=S), AAL1, DO, AAL2),
    (NOBODY, admin(operation=S), AAL2, None, ""),
    (NOBODY, admin(operation=Operation.APPROVAL), AAL2, DO, AAL3),
    (NOBODY, admin(operation=Operation.APPROVAL), AAL3, None, ""),
    (OUTSIDE, admin(IN, operation=S), AAL1, A, AAL2),
    (OUTSIDE, admin(OUT, operation=Operation.APPROVAL), AAL1, DO, AAL3),
    (ADMINS, admin(operation=Operation.APPROVAL, position="CT"), AAL2, DO, AAL3),
    (ADMINS, admin(operation=S, position="BT"), AAL2, POST, AAL3),
    (ALL, admin(operation=Operation.CHANGE, position="CV"), AAL2, None, ""),
    # a server that brings her token: its own minimum and its scopes count, and the post she acts in;
    # where the server stands says nothing of her
    (ALL, program(), AAL1, None, ""),
    (OUTSIDE, program(ip=OUT, administers=True), AAL1, None, ""),
    (ALL, program(minimum=AAL2), AAL1, APP, AAL2),
    (ALL, program(scopes=("changes:read",)), AAL1, SCOPE, AAL2),
    (ALL, program(position="CT"), AAL1, POST, AAL2),
    (ALL, program(minimum=AAL2, scopes=("changes:read",), position="CT"), AAL2, None, ""),
    # everything at once
    (
        OUTSIDE,
        admin(OUT, operation=S, position="BT", minimum=AAL2, scopes=("changes:read",)),
        AAL2,
        POST,
        AAL3,
    ),
    (
        OUTSIDE,
        admin(OUT, operation=S, position="CT", minimum=AAL2, scopes=("changes:read",)),
        AAL2,
        None,
        "",
    ),
    (
        ALL,
        official(OUT, position="BT", minimum=AAL4, scopes=("changes:write",)),
        AAL3,
        APP,
        AAL4,
    ),
]


def test_the_table_is_a_table() -> None:
    assert len(ROWS) >= 60
    assert len({repr(row[:3]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("rule", "at", "have", "why", "wanted"), ROWS)
def test_what_is_asked_and_by_which_rule(
    rule: str, at: Situation, have: str, why: Because | None, wanted: str
) -> None:
    lacking = strongest(short(demands.of(replace(DATA, second_factor=rule), at), have))
    assert (lacking and lacking.because) is why
    assert (lacking.level if lacking else "") == wanted


def test_all_that_apply_count_and_each_is_named() -> None:
    at = admin(
        OUT,
        operation=S,
        position="CT",
        position_name="Chủ tịch",
        minimum=AAL1,
        scopes=("changes:write", "email"),
    )
    found = demands.of(replace(DATA, second_factor=OUTSIDE), at)
    assert set(found) == {
        Asked(AAL2, A),
        Asked(AAL2, DO, "secret"),
        Asked(AAL1, APP, "Văn bản"),
        Asked(AAL3, SCOPE, "changes:write"),
        Asked(AAL2, POST, "Chủ tịch"),
    }
    assert sorted(levels(found)) == [AAL1, AAL2, AAL3]
    assert [one.because for one in short(found, AAL2)] == [SCOPE]
    assert short(found, AAL3) == ()


def test_levels_that_do_not_include_each_other_are_all_asked_for() -> None:
    found = (Asked(AAL4, POST, "x"), Asked("phrh", APP, "y"))
    assert {one.level for one in short(found, AAL4)} == {"phrh"}
    assert {one.level for one in short(found, "phrh")} == {AAL4}


def test_who_asked_is_kept_with_a_sign_in_and_anything_else_is_nothing() -> None:
    for one in (Asked(AAL2, A), Asked(AAL3, SCOPE, "changes:write")):
        assert Asked.read(one.stored) == one
    for other in (None, [], [AAL2], [AAL2, "whim", ""], [AAL2, "scope", None], "scope", {}):
        assert Asked.read(other) is None


def test_every_operation_can_be_asked_about() -> None:
    for one in Operation:
        rules = Rules(operations={one.value: AAL3})
        assert levels(demands.of(rules, Situation(operation=one))) == (AAL3,)
        assert demands.of(rules, Situation()) == ()
