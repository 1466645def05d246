"""Every way that yields or honours a token, asked of another process than the one that brought about
a state which must refuse it: refused by its next request, whichever way that is.

Ways, states and what is excused are those of tests/flows/test_grant_matrix.py. The asked process has
gone every way before; what it remembers of that is put back before each request.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from idp import sessions
from idp.run import wiring
from idp.services import Services
from idp.sessions.session_rows import SsoSession
from tests.flows.test_grant_matrix import EVERY, OK, STATES, Stage, prepared, set_up, settings
from tests.process_memory import Memory
from tests.relying_party import OPERATOR, build_world

__all__ = ["settings"]

pytestmark = pytest.mark.slow  # several processes


def _signed_out(stage: Stage) -> None:
    with stage.world.services.db.write() as session:
        ids = list(session.scalars(select(SsoSession.id).where(SsoSession.ended_at.is_(None))))
        now = stage.world.clock()
        sessions.end_many(session, ids, now=now, reason="logout", actor=OPERATOR)


HERE = STATES | {"session ended": _signed_out}
"""The states as the process brings them about that her browser is not with."""


@pytest.fixture
def stage(services: Any, clock: Any, another_app: Callable[[Services], Flask]) -> Iterator[Stage]:
    world = build_world(services, clock)
    other = wiring.build(services.settings, clock=clock)
    yield set_up(world, another_app(other).test_client())
    other.db.dispose()


@pytest.mark.both_databases
@pytest.mark.parametrize("state", HERE)
def test_a_state_refuses_in_another_process_by_its_next_request(
    stage: Stage, state: str, subtests: pytest.Subtests
) -> None:
    uses = prepared(stage)
    remembered = Memory.now()
    HERE[state](stage)
    for name, use in uses.items():
        with subtests.test(way=name):
            remembered.put_back()
            way = EVERY[name]
            assert use() in ({OK} if state in way.excused else way.refusals)
