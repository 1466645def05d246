"""Somebody administers the installation, whoever acts at the same moment and whatever ends later."""

import secrets
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.permissions import Role
from tests import hr_world
from tests.hr_world import Hr
from tests.properties.stepping import Stepper, install

pytestmark = pytest.mark.both_databases

A_MOMENT = 0.4
CHECKED, LOCKED, DONE = "commit.begin", "commit.locked", "commit.before_commit"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Hr:
    install(monkeypatch)
    made = hr_world.build(services, clock, app)
    made.grant("lan", Role.ADMINISTRATOR)
    return made


def _by_another(hr: Hr, **body: Any) -> Any:
    """A change previewed now by an administrator of its own, to be committed later."""
    api = hr.api(hr.token(role=Role.ADMINISTRATOR, unit=None))
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    return lambda: api.post("/api/v1/changes", asked, key=secrets.token_hex(8))


def _administrators(hr: Hr) -> int:
    with hr.services.db.read() as session:
        return int(
            session.execute(
                text(
                    "SELECT count(DISTINCT users.id) FROM users JOIN admin_role"
                    " ON admin_role.user_id = users.id WHERE role = 'administrator'"
                    " AND unit_id IS NULL AND admin_role.valid_to IS NULL AND status = 'active'"
                    " AND leaves_on IS NULL"
                )
            ).scalar_one()
        )


@pytest.mark.parametrize("stop", [CHECKED, LOCKED, DONE])
@pytest.mark.parametrize("kind", ["suspend", "leave"])
def test_two_who_take_away_one_administrator_each_leave_one(hr: Hr, stop: str, kind: str) -> None:
    how = {"kind": kind} | ({"reason": "retire"} if kind == "leave" else {})
    acts = [_by_another(hr, **how, user=hr.names[who]) for who in ("admin", "lan")]
    ahead = Stepper(acts[0], stops=(stop,)).start()
    behind = Stepper(acts[1], stops=()).start(within=A_MOMENT)
    answers = [ahead.finish(), behind.finish()]
    assert sorted(a.status_code for a in answers) == [201, 403], [a.text for a in answers]
    assert next(a.json["code"] for a in answers if a.status_code == 403) == "last_administrator"
    assert _administrators(hr) == 1


def test_a_third_one_lets_both_of_them_go(hr: Hr) -> None:
    hr.grant("mai", Role.ADMINISTRATOR)
    acts = [_by_another(hr, kind="suspend", user=hr.names[who]) for who in ("admin", "lan")]
    ahead = Stepper(acts[0], stops=(DONE,)).start()
    behind = Stepper(acts[1], stops=()).start(within=A_MOMENT)
    answers = [ahead.finish(), behind.finish()]
    assert [a.status_code for a in answers] == [201, 201], [a.text for a in answers]
    assert _administrators(hr) == 1
