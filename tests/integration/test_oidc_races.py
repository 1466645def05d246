"""What may be used once is used once, also when two ask at the same moment."""

import threading
from typing import Any

import pytest

from idp.console import pages_clients
from idp.oidc import clients
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields
from tests.device_flow import Device, register_device
from tests.relying_party import OPERATOR, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _together(app: Any, work: Any, times: int = 4) -> list[Any]:
    """Run ``work`` with a browser each, all at the same moment."""
    barrier, answers, lock = threading.Barrier(times), [], threading.Lock()

    def one() -> None:
        browser = app.test_client()
        barrier.wait()
        answer = work(browser)
        with lock:
            answers.append(answer)

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.both_databases
def test_of_parallel_redemptions_one_wins_and_its_tokens_die(
    world: World, app: Any, client: Any
) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    for _ in range(3):
        code = flow.code()
        answers = _together(
            app, lambda b, c=code: Flow(b, flow.party, verifier=flow.verifier).redeem(c).get_json()
        )
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"]) == {"active": False}


@pytest.mark.both_databases
def test_of_parallel_refreshes_one_wins_and_goes_on(world: World, app: Any, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = flow.tokens()["refresh_token"]
    for _ in range(3):
        answers = _together(app, lambda b, t=text: Flow(b, flow.party).refresh(t).get_json())
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"])["active"] is True
        text = won[0]["refresh_token"]


@pytest.mark.both_databases
def test_of_parallel_polls_one_wins_and_keeps_its_tokens(
    world: World, app: Any, client: Any
) -> None:
    """A device that asks twice at once has done nothing wrong; its answers must not be two."""
    device = Device(client, register_device(world))
    world.sign_in(client)
    for _ in range(3):
        held = device.begin().answer
        device.decide()
        answers = _together(
            app, lambda b, h=held: Device(b, device.party, answer=h).poll().get_json()
        )
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert device.flow.introspect(won[0]["access_token"])["active"] is True
        assert device.flow.refresh(won[0]["refresh_token"]).status_code == 200


@pytest.mark.both_databases
def test_of_parallel_answers_to_a_device_one_counts(world: World, app: Any, client: Any) -> None:
    device = Device(client, register_device(world))
    world.sign_in(client)
    for _ in range(3):
        form = hidden_fields(device.begin().confirmation().text)
        cookies = {c.key: c.value for c in client._cookies.values()}

        def answer(browser: Any, form: Any = form, cookies: Any = cookies) -> Any:
            for name, value in cookies.items():
                browser.set_cookie(name, value, domain="localhost")
            return browser.post("/device/confirm", data=form | {"decision": "allow"})

        before = len(world.all(Grant))
        answers = [a for a in _together(app, answer) if a.headers.get("Location")]
        assert [a.headers["Location"] for a in answers].count("/device/allowed") == 1
        assert len(world.all(Grant)) == before + 1
        assert device.poll().status_code == 200


@pytest.mark.both_databases
def test_secrets_of_parallel_rotations_all_are_the_clients_in_turn(world: World, app: Any) -> None:
    party, has = world.register(), world.services

    def rotate(_browser: Any) -> str:
        with has.db.write() as session:
            _, secret = pages_clients.rotate(
                session, party.client_id, actor=OPERATOR, keyring=has.keyring, now=world.clock()
            )
            return secret

    for _ in range(3):
        given = _together(app, rotate, times=2)
        with has.db.read() as session:
            kept = clients.get(session, party.client_id).secrets
        digests = {has.keyring.keyed_hash("client-secret", secret) for secret in given}
        assert {each["hash"] for each in kept} == digests
