"""What may be used once is used once, also when two ask at the same moment."""

import threading
from typing import Any

import pytest

from tests.relying_party import Flow, World, build_world


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
