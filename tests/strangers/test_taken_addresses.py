"""Nobody takes an e-mail address from whom she has no rights over by giving it to somebody else.

What two people have is told of neither: who enters a second one decides about the first as well.
"""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.permissions import Role
from tests import hr_world
from tests.hr_world import Api, Hr
from tests.relying_party import Flow, World

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _address(hr: Hr, who: str) -> str:
    with hr.services.db.read() as session:
        of = text("SELECT email FROM users WHERE id = :u")
        return str(session.execute(of, {"u": hr.people[who]}).scalar_one())


def _told(hr: Hr, who: str) -> str | None:
    """The address that an application is told of her."""
    world = World(hr.services, hr.clock, hr.people[who], hr.posts[who], 0, 0)
    flow = Flow(hr.app.test_client(), world.register())
    world.sign_in(flow.browser)
    found = flow.userinfo(flow.tokens()["access_token"]).json
    return found.get("email")


def _join(email: str) -> dict[str, Any]:
    person = {"full_name": "Cao Thị Sen", "citizen_number": "038190123456", "email": email}
    return {"kind": "join", "to_unit": "gso:14758", "position": "KT", "person": person}


def _officer(hr: Hr, unit: str | None = "a", role: Role = Role.HR_OFFICER) -> Api:
    return hr.api(hr.token(role=role, unit=unit))


def test_an_officer_cannot_take_the_address_of_somebody_out_of_reach(hr: Hr) -> None:
    address = _address(hr, "mai")
    assert _told(hr, "mai") == address
    for written in (address, address.upper()):
        plan = _officer(hr).plan(**_join(written))
        assert [c["code"] for c in plan["conflicts"]] == ["email_taken"]
        assert plan["committable"] is False
        assert "Mai" not in str(plan)
        assert _officer(hr).commit(**_join(written)).status_code == 409
    assert _told(hr, "mai") == address


def test_whoever_sees_both_is_warned_and_decides(hr: Hr) -> None:
    plan = _officer(hr, unit="root").plan(**_join(_address(hr, "mai")))
    assert plan["conflicts"] == []
    assert "email_shared" in [w["code"] for w in plan["warnings"]]


def test_an_address_of_somebody_who_has_left_is_free(hr: Hr) -> None:
    address = _address(hr, "mai")
    above = _officer(hr, unit=None, role=Role.ADMINISTRATOR)
    assert above.commit(kind="leave", reason="retire", user=hr.names["mai"]).status_code == 201
    assert _officer(hr).commit(**_join(address)).status_code == 201


def test_an_address_of_ones_own_people_is_a_warning(hr: Hr) -> None:
    plan = _officer(hr).plan(**_join(_address(hr, "lan")))
    assert plan["conflicts"] == []
    assert "Lê Thị Lan" in str(plan["warnings"])
