"""The day of a change has come, and no worker has run for hours: what began since is hers.

A dated cut ends what was issued before its moment. Whoever signs in after it, in her new post, is
signed in; the worker that comes later pushes what the cut has ended, and ends nothing else.
"""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import day_start, local_day
from directory.units import OrgUnit
from tests.factories import make_unit
from tests.relying_party import Flow, Party, World, build_world

pytestmark = pytest.mark.both_databases


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def party(world: World) -> Party:
    return world.register(backchannel_logout_uri="http://127.0.0.1:9/logout")


def moved(world: World, *, to_unit: int, **since_midnight: int) -> None:
    """She is moved tomorrow, and it is so long after midnight; no worker has noticed."""
    tomorrow = local_day(world.clock()) + timedelta(days=1)
    world.do(
        kind="transfer", user=world.user_id, to_unit=to_unit, effective_on=tomorrow.isoformat()
    )
    world.clock.set(day_start(tomorrow) + timedelta(**since_midnight))


def sign_in_there(world: World, flow: Flow) -> None:
    """She signs in, in the post that she has begun."""
    with world.services.db.read() as session:
        post = session.execute(
            text("SELECT id FROM assignment WHERE user_id = :user AND valid_to IS NULL"),
            {"user": world.user_id},
        ).scalar_one()
    world.sign_in(flow.browser, assignment_id=post)


def work(world: World) -> None:
    """A minute later a worker has come."""
    world.clock.advance(minutes=1)
    with world.services.db.write() as session:
        world.services.door.take_effect(session, world.user_id, now=world.clock())


def signed_in(flow: Flow) -> bool:
    return bool(flow.browser.get("/session/status").status_code == 200)


def room_next_door(world: World) -> int:
    with world.services.db.write() as session:
        room = session.get_one(OrgUnit, world.unit_id)
        commune = session.get_one(OrgUnit, room.parent_id)
        return make_unit(session, "Phòng Văn hóa", parent=commune, legal_person=False).id


@pytest.mark.parametrize("where", ["another legal person", "the same one"])
def test_who_signs_in_after_midnight_stays_signed_in(
    world: World, party: Party, app: Flask, where: str
) -> None:
    evening, morning = Flow(app.test_client(), party), Flow(app.test_client(), party)
    world.sign_in(evening.browser)
    before = evening.tokens()
    unit = world.other_unit_id if where == "another legal person" else room_next_door(world)
    moved(world, to_unit=unit, hours=8)
    sign_in_there(world, morning)
    since = morning.tokens()
    work(world)
    assert signed_in(morning)
    assert morning.userinfo(since["access_token"]).status_code == 200
    assert morning.introspect(since["access_token"])["active"] is True
    assert not signed_in(evening)
    assert evening.userinfo(before["access_token"]).status_code == 401


def test_only_what_the_cut_has_ended_is_told_and_proven(
    world: World, party: Party, app: Flask
) -> None:
    evening, morning = Flow(app.test_client(), party), Flow(app.test_client(), party)
    midnight = day_start(local_day(world.clock()) + timedelta(days=1))
    world.clock.set(midnight - timedelta(minutes=2))
    world.sign_in(evening.browser)
    evening.tokens()
    moved(world, to_unit=world.other_unit_id, minutes=1)
    sign_in_there(world, morning)
    morning.tokens()
    work(world)
    with world.services.db.read() as session:
        kinds = session.execute(text("SELECT kind FROM effect WHERE \"column\" = 'access'"))
        assert sorted(kinds.scalars()) == ["grant.end", "logout.deliver", "session.end"]
    assert signed_in(morning)
    assert not signed_in(evening)
