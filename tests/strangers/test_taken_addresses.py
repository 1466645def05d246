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


def _contact(hr: Hr, officer: Api, who: str, email: str) -> str:
    answer = officer.commit(kind="contact", user=hr.names[who], email=email)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def _undone(officer: Api, change: str) -> tuple[dict[str, Any], int]:
    """The preview of taking a change back, and what its commit is answered."""
    where = f"/api/v1/changes/{change}/undo"
    plan = officer.post(f"{where}/preview").json
    answer = officer.post(where, {"fingerprint": plan["fingerprint"]}, key=f"u{change}")
    return dict(plan), answer.status_code


def test_nor_by_taking_back_that_she_gave_it_up(hr: Hr) -> None:
    address = _address(hr, "lan")
    change = _contact(hr, _officer(hr), "lan", "lan.moi@thanhhoa.example")
    _contact(hr, _officer(hr, unit="b"), "mai", address)
    plan, answer = _undone(_officer(hr), change)
    assert [c["code"] for c in plan["conflicts"]] == ["email_taken"]
    assert (answer, _address(hr, "lan")) == (409, "lan.moi@thanhhoa.example")
    assert _told(hr, "mai") == address


def test_whoever_sees_both_is_warned_when_one_gets_it_back(hr: Hr) -> None:
    address = _address(hr, "lan")
    change = _contact(hr, _officer(hr), "lan", "lan.moi@thanhhoa.example")
    _contact(hr, _officer(hr, unit="b"), "mai", address)
    plan, answer = _undone(_officer(hr, unit="root"), change)
    assert (plan["conflicts"], answer) == ([], 201)
    assert "email_shared" in [w["code"] for w in plan["warnings"]]


def test_an_address_that_is_nobody_elses_is_given_back_without_a_word(hr: Hr) -> None:
    address = _address(hr, "lan")
    change = _contact(hr, _officer(hr), "lan", "lan.moi@thanhhoa.example")
    plan, answer = _undone(_officer(hr), change)
    assert (plan["conflicts"], plan["warnings"], answer) == ([], [], 201)
    assert _address(hr, "lan") == address


def test_who_comes_back_comes_back_whoever_has_her_address_by_now(hr: Hr) -> None:
    """Nobody chooses the address here, and a wrong dismissal must be taken back: it is a warning."""
    address = _address(hr, "lan")
    left = _officer(hr).commit(kind="leave", reason="resign", user=hr.names["lan"])
    _contact(hr, _officer(hr, unit="b"), "mai", address)
    plan, answer = _undone(_officer(hr), left.json["id"])
    assert (plan["conflicts"], answer) == ([], 201)
    assert "email_shared" in [w["code"] for w in plan["warnings"]]
    assert "Mai" not in str(plan["warnings"])
