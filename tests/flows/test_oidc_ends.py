"""Each way in, and everything that closes it: good a moment ago, refused at the next request."""

from typing import Any

import pytest
from sqlalchemy import select

from directory.assignments import Assignment
from directory.base.audit import Actor
from directory.base.clock import local_day, next_day
from directory.changes.effects import of_change
from directory.changes.undo import spec_of
from directory.entitlements import Application, Installation, Rule, installation
from directory.people import User
from idp.oidc import clients
from idp.oidc.clients import Client
from tests.factories import make_application
from tests.relying_party import Flow, Party, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register())
    world.sign_in(client)
    return made


def _suspend(world: World, _flow: Flow) -> None:
    world.do(kind="suspend", user=world.user_id)


def _leave(world: World, _flow: Flow) -> None:
    world.do(kind="leave", user=world.user_id, reason="resign")


def _transfer(world: World, _flow: Flow) -> None:
    world.do(kind="transfer", user=world.user_id, to_unit=world.other_unit_id)


def _tomorrow(world: World, _flow: Flow) -> None:
    day = next_day(local_day(world.clock()))
    world.do(
        kind="transfer",
        user=world.user_id,
        to_unit=world.other_unit_id,
        effective_on=day.isoformat(),
    )


def _assignment_ends(world: World, _flow: Flow) -> None:
    world.change(Assignment, world.assignment_id, valid_to=local_day(world.clock()))


def _client_disabled(world: World, flow: Flow) -> None:
    with world.services.db.write() as session:
        made = session.get_one(Client, flow.party.id)
        clients.disable(session, made, actor=Actor.system(), now=world.clock())
        clients.enable(session, made, actor=Actor.system(), now=world.clock())


def _application_disabled(world: World, flow: Flow) -> None:
    world.change(Application, flow.party.application_id, enabled=False)


def _application_was_disabled(world: World, flow: Flow) -> None:
    world.change(Application, flow.party.application_id, epoch=Application.epoch + 1)


def _restored(world: World, _flow: Flow) -> None:
    world.change(Installation, 1, epoch=Installation.epoch + 1)


PERSONAL = {
    "suspended": _suspend,
    "left": _leave,
    "transferred": _transfer,
    "assignment ended": _assignment_ends,
}
ANYBODY = {
    "client disabled": _client_disabled,
    "application disabled": _application_disabled,
    "application was disabled": _application_was_disabled,
    "restored from a backup": _restored,
}


@pytest.fixture
def linked(world: World, client: Any) -> Flow:
    made = Flow(client, world.restricted(), scope="openid offline_access")
    world.sign_in(client)
    return made


@pytest.mark.parametrize("event", [*PERSONAL, *ANYBODY])
@pytest.mark.parametrize("way", ["authorize", "code", "refresh", "userinfo", "introspection"])
def test_what_was_good_a_moment_ago_is_refused(
    world: World, linked: Flow, event: str, way: str
) -> None:
    act = (PERSONAL | ANYBODY)[event]
    answer, code = linked.tokens(), linked.code()
    assert linked.userinfo(answer["access_token"]).status_code == 200
    assert linked.introspect(answer["access_token"])["active"] is True

    act(world, linked)

    if way == "authorize":
        response = linked.ask(prompt="none")
        if event in PERSONAL or event == "restored from a backup":
            assert linked.told(response)["error"] == "login_required"
        elif event == "application disabled":
            assert response.status_code == 400
    elif way == "code":
        _dead(linked.redeem(code))
    elif way == "refresh":
        _dead(linked.refresh(answer["refresh_token"]))
    elif way == "userinfo":
        assert linked.userinfo(answer["access_token"]).status_code == 401
    else:
        probe = Flow(linked.browser, _probe(world))
        assert probe.introspect(answer["access_token"]) == {"active": False}
        assert probe.introspect(answer["refresh_token"]) == {"active": False}


def _dead(response: Any) -> None:
    assert response.get_json()["error"] in ("invalid_grant", "invalid_client")
    assert "access_token" not in response.get_json()


def _probe(world: World) -> Any:
    return Party(0, clients.PROBE, clients.probe_secret(world.services.keyring))


@pytest.mark.parametrize("event", list(ANYBODY))
def test_a_machines_token_ends_with_its_client(world: World, client: Any, event: str) -> None:
    with world.services.db.write() as session:
        application = make_application(session)
    machine = Flow(client, world.machine(application_id=application.id))
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    probe = Flow(client, _probe(world))
    assert probe.introspect(text)["active"] is True
    ANYBODY[event](world, machine)
    assert probe.introspect(text) == {"active": False}


def test_a_dated_cut_closes_everything_on_its_day_and_not_before(
    world: World, client: Any, make_settings: Any
) -> None:
    flow = Flow(client, world.register(), scope="openid offline_access")
    world.clock.advance(hours=14, minutes=59)  # 23:59 in Viet Nam
    world.sign_in(client)
    answer = flow.tokens()
    _tomorrow(world, flow)
    assert flow.userinfo(answer["access_token"]).status_code == 200
    again = flow.refresh(answer["refresh_token"]).get_json()
    code = flow.code()
    world.clock.advance(seconds=60)
    assert flow.userinfo(again["access_token"]).status_code == 401
    assert flow.introspect(again["access_token"]) == {"active": False}
    _dead(flow.refresh(again["refresh_token"]))
    _dead(flow.redeem(code))
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"


def test_a_session_that_raced_the_commit_gives_dead_grants(world: World, flow: Flow) -> None:
    """The grant carries the session's epoch: raised meanwhile, the code is worth nothing."""
    code = flow.code()
    world.change(User, world.user_id, access_epoch=User.access_epoch + 1)
    _dead(flow.redeem(code))


def test_undo_revives_nothing(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    change = world.do(kind="suspend", user=world.user_id)
    has = world.services
    with has.db.read() as session:
        spec = spec_of(session, change.id)
        actor = Actor.operator("x")
        plan = has.door.plan(session, spec, actor, now=world.clock())
    with has.db.write() as session:
        has.door.commit(session, spec, actor, now=world.clock(), fingerprint=plan.fingerprint)
    assert flow.userinfo(answer["access_token"]).status_code == 401
    _dead(flow.refresh(answer["refresh_token"]))


def test_losing_the_entitlement_ends_the_grant_at_the_next_refresh(
    world: World, linked: Flow
) -> None:
    answer = linked.tokens()
    with world.services.db.write() as session:
        for rule in session.scalars(select(Rule)):
            rule.enabled = False
        installation(session).rules_revision += 1
    _dead(linked.refresh(answer["refresh_token"]))
    assert linked.userinfo(answer["access_token"]).status_code == 401


def test_a_party_whose_code_was_in_flight_at_the_commit_is_told_too(
    world: World, client: Any
) -> None:
    """It may redeem the code unseen by the commit and begin a session of its own."""
    party = world.register(backchannel_logout_uri="http://localhost:9001/backchannel-logout")
    flow = Flow(client, party)
    world.sign_in(client)
    flow.code()
    change = world.do(kind="transfer", user=world.user_id, to_unit=world.other_unit_id)
    with world.services.db.read() as session:
        kinds = [effect.kind for effect in of_change(session, change.id)]
    assert "logout.deliver" in kinds
