"""``dinhdanh check --profile level3``: what the profile asks for and this installation does not do."""

import json
from typing import Any

import pytest

from idp.oidc.clients import AuthMethod, Client, GrantType, Options
from tests.command_line import Operator, operator
from tests.relying_party import World, build_world

__all__ = ["operator"]

KEYS = {"keys": [{"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "B" * 43, "kid": "1"}]}


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _told(operator: Operator, client_id: str) -> bool:
    """Whether the profile has something against this client."""
    lines = operator("check", "--profile", "level3").out.splitlines()
    return any(line.startswith("! level3: ") and client_id in line for line in lines)


@pytest.mark.parametrize(
    ("method", "weak"),
    [
        (AuthMethod.BASIC, True),
        (AuthMethod.POST, True),
        (AuthMethod.SECRET_JWT, True),
        (AuthMethod.KEY_JWT, False),
        (AuthMethod.TLS, False),
        (AuthMethod.SELF_SIGNED_TLS, False),
    ],
)
def test_a_machine_that_changes_people_needs_more_than_a_secret(
    world: World, operator: Operator, method: AuthMethod, weak: bool
) -> None:
    machine = world.machine("changes:read", "changes:write")
    world.change(Client, machine.id, auth_method=method.value, options=Options(jwks=KEYS).stored)
    assert _told(operator, machine.client_id) is weak


def test_nobody_else_is_held_to_that(world: World, operator: Operator) -> None:
    reads = world.machine("changes:read")
    # On her behalf: she has signed in, and can be asked for more.
    asks_people = world.register(scopes=("openid", "changes:write"))
    disabled = world.machine("changes:write")
    world.change(Client, disabled.id, enabled=False)
    for one in (reads, asks_people, disabled):
        assert not _told(operator, one.client_id)
    both = world.register(
        grant_types=(GrantType.CODE, GrantType.CLIENT), scopes=("openid", "changes:write")
    )
    assert _told(operator, both.client_id)


@pytest.mark.parametrize(
    ("name", "value", "weak"),
    [
        ("sudo_window", "600", False),
        ("sudo_window", "601", True),
        ("admin_password_history", "10", False),
        ("admin_password_history", "9", True),
        ("admin_password_history", "24", False),
    ],
)
def test_settings_weaker_than_the_profile_are_named(
    services: Any, operator: Operator, name: str, value: str, weak: bool
) -> None:
    said = operator("check", "--profile", "level3", **{name: value}).out
    assert (f"! level3: {name} = {value}" in said) is weak, json.dumps(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("operation_acr", '{"dance": "urn:vn:aal:2"}', "there is no operation dance"),
        ("operation_max_age", '{"dance": 60}', "there is no operation dance"),
        ("operation_acr", '{"secret": "urn:vn:aal:9"}', "urn:vn:aal:9, which secret takes"),
        ("position_acr", '{"CV": "urn:vn:aal:9"}', "urn:vn:aal:9, which CV takes"),
        ("position_acr", '{"NOWHERE": "urn:vn:aal:2"}', "there is no position NOWHERE"),
        ("operation_acr", '{"secret": "urn:vn:aal:2"}', ""),
        ("operation_max_age", '{"change": 60}', ""),
    ],
)
def test_what_nobody_meets_and_names_of_nothing_are_told(
    world: World, operator: Operator, name: str, value: str, said: str
) -> None:
    told = operator("check", **{name: value}).out
    assert (said in told) if said else (name not in told), told
