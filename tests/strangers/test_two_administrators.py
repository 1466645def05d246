"""Somebody administers the installation, whoever acts at the same moment and whatever ends later."""

import secrets
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Actor
from directory.base.errors import NotAllowed
from directory.base.failpoints import failpoint
from directory.changes.granting import end_role
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


# ---- a role ended by hand ------------------------------------------------------------------------


def _role(hr: Hr, who: str) -> int:
    with hr.services.db.read() as session:
        found = text(
            "SELECT id FROM admin_role WHERE role = 'administrator' AND unit_id IS NULL"
            " AND user_id = :user"
        )
        return int(session.execute(found, {"user": hr.people[who]}).scalar_one())


def _ends(hr: Hr, who: str, by: Actor) -> Any:
    """The end of her administrator's role, as any way in orders it."""
    role_id = _role(hr, who)

    def end() -> str:
        try:
            with hr.services.db.write() as session:
                end_role(session, role_id, actor=by, now=hr.clock())
                failpoint("role.end")
        except NotAllowed as refused:
            return refused.code
        return "ended"

    return end


def _actor(hr: Hr, who: str) -> Actor:
    return Actor("user", hr.people[who], hr.names[who])


def test_nobody_but_the_operator_ends_the_last_administrators_role(hr: Hr) -> None:
    assert _ends(hr, "admin", _actor(hr, "lan"))() == "ended"
    assert _ends(hr, "lan", _actor(hr, "lan"))() == "last_administrator"
    assert _administrators(hr) == 1
    # One who sleeps, or has left, is nobody to rely on.
    hr.grant("hien", Role.ADMINISTRATOR)
    assert _by_another(hr, kind="suspend", user=hr.names["hien"])().status_code == 201
    assert _ends(hr, "lan", _actor(hr, "lan"))() == "last_administrator"
    assert _ends(hr, "lan", Actor.operator("kiểm thử"))() == "ended"


@pytest.mark.parametrize("who", [("admin", "lan"), ("lan", "admin")])
def test_two_who_end_one_administrators_role_each_leave_one(hr: Hr, who: tuple[str, str]) -> None:
    acts = [_ends(hr, one, _actor(hr, other)) for one, other in (who, who[::-1])]
    ahead = Stepper(acts[0], stops=("role.end",)).start()
    behind = Stepper(acts[1], stops=()).start(within=A_MOMENT)
    first, second = ahead.finish(), behind.finish()
    assert first == "ended"
    # Or her own right to end roles is gone by then.
    assert second in ("last_administrator", "not_allowed")
    assert _administrators(hr) == 1


@pytest.mark.parametrize("first", ["the role", "the person"])
def test_a_role_ended_while_the_other_administrator_goes_leaves_one(hr: Hr, first: str) -> None:
    away = _by_another(hr, kind="suspend", user=hr.names["admin"])
    ended = _ends(hr, "lan", _actor(hr, "lan"))
    if first == "the role":
        ahead = Stepper(ended, stops=("role.end",)).start()
        behind = Stepper(away, stops=()).start(within=A_MOMENT)
        ahead.finish()
        assert behind.finish().json["code"] == "last_administrator"
    else:
        ahead = Stepper(away, stops=(DONE,)).start()
        behind = Stepper(ended, stops=()).start(within=A_MOMENT)
        assert ahead.finish().status_code == 201
        assert behind.finish() == "last_administrator"
    assert _administrators(hr) == 1
