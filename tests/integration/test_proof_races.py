"""Of one proof presented several times at the same moment, one is the first: on every node."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from directory.base.replay_cache import UsedOnce
from idp.oidc.clients import AuthMethod, Options
from tests.proving import TOKEN, USERINFO, Asserting, Holding
from tests.relying_party import World, build_world
from tests.signed_requests import key_for, public

pytestmark = pytest.mark.both_databases
FORM = {"grant_type": "client_credentials"}


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def together(app: Any, work: Callable[[Any], Any], times: int = 4) -> list[Any]:
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


def test_of_parallel_assertions_one_is_taken(world: World, app: Any, client: Any) -> None:
    """RFC 7523 §3 item 7."""
    options = Options(jwks=public(key_for("ES256")))
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=options)
    flow = Asserting(client, party, clock=world.clock)
    for _ in range(3):
        form = FORM | flow.fields()
        answers = together(app, lambda browser, f=form: browser.post(TOKEN, data=f))
        assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]
    assert len(world.all(UsedOnce)) == 3


def test_of_parallel_proofs_one_is_taken(world: World, app: Any, client: Any) -> None:
    """RFC 9449 §11.1."""
    flow = Holding(client, world.machine(), clock=world.clock)
    for _ in range(3):
        headers = flow.party.basic | {"DPoP": flow.proof("POST", TOKEN)}
        answers = together(app, lambda b, h=headers: b.post(TOKEN, data=FORM, headers=h))
        assert sorted(a.status_code for a in answers) == [200, 400, 400, 400]
        assert {a.get_json().get("error") for a in answers} == {None, "invalid_dpop_proof"}


def test_of_parallel_proofs_at_a_resource_one_is_taken(world: World, app: Any, client: Any) -> None:
    world.sign_in(client)
    flow = Holding(client, world.register(), clock=world.clock)
    text = flow.tokens()["access_token"]
    proof = flow.proof("GET", USERINFO, token=text)
    headers = {"Authorization": f"DPoP {text}", "DPoP": proof}
    answers = together(app, lambda browser: browser.get(USERINFO, headers=headers))
    assert sorted(a.status_code for a in answers) == [200, 401, 401, 401]


def test_parallel_refreshes_with_a_key_all_succeed(world: World, app: Any, client: Any) -> None:
    """FAPI 2.0 §5.3.2.1 item 9: nothing is spent, so that nobody comes too late."""
    world.sign_in(client)
    flow = Holding(client, world.register(), clock=world.clock)
    text = flow.tokens()["refresh_token"]
    answers = together(
        app, lambda browser: Holding(browser, flow.party, clock=world.clock).refresh(text)
    )
    assert [a.status_code for a in answers] == [200] * 4
    assert {a.get_json()["refresh_token"] for a in answers} == {text}
