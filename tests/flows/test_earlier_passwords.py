"""Administrators take none of their last ten passwords again; nobody else is asked about that."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from directory.base.audit import Actor
from directory.permissions import Role
from idp.factors import passwords
from tests import factories
from tests.browser_client import sign_in, submit
from tests.flows.test_passwords_as_typed import PASSWORD, make_person, settings

__all__ = ["make_person", "settings"]

WORDS = ("bông", "cói", "dâu", "ghe", "hến", "kén", "lúa", "mận", "ngô", "rơm", "sen", "tằm")
NEW = [f"gạch {word} rêu phơi thóc mới" for word in WORDS]
"""Passwords, each unlike the others."""


@pytest.fixture
def person(client: FlaskClient, make_person: Any) -> Any:
    found = make_person()
    sign_in(client, found.username, PASSWORD)
    return found


@pytest.fixture
def administrator(person: Any, services: Any) -> Any:
    with services.db.write() as session:
        factories.make_role(session, person, Role.AUDITOR)
    return person


def _change(client: FlaskClient, current: str, new: str) -> Any:
    page = client.get("/portal/profile")
    fields = {"current": current, "password": new, "again": new}
    return submit(client, page, "/portal/profile/password", **fields)


def _through(client: FlaskClient, *wanted: str) -> str:
    """One after the other; the last."""
    now = PASSWORD
    for new in wanted:
        assert _change(client, now, new).status_code == 303, new
        now = new
    return now


@pytest.mark.both_databases
def test_none_of_the_last_ten_is_taken_again(client: FlaskClient, administrator: Any) -> None:
    now = _through(client, *NEW[:9])  # with the first of all she has had ten
    for used in (PASSWORD, NEW[0], NEW[7]):
        refused = _change(client, now, used)
        assert refused.status_code == 422
        assert "10 mật khẩu gần đây" in refused.text
    # Typed on another keyboard it is the same one.
    assert _change(client, now, NEW[0].replace("ê", "e\u0302")).status_code == 422
    assert _change(client, now, NEW[9]).status_code == 303
    assert _change(client, NEW[9], PASSWORD).status_code == 303  # the eleventh from the newest


def test_nobody_else_is_asked(client: FlaskClient, person: Any) -> None:
    now = _through(client, *NEW[:2])
    assert _change(client, now, NEW[0]).status_code == 303


def test_what_she_had_before_she_administered_counts(
    client: FlaskClient, person: Any, services: Any
) -> None:
    now = _through(client, *NEW[:2])
    with services.db.write() as session:
        factories.make_role(session, person, Role.AUDITOR)
    assert _change(client, now, NEW[0]).status_code == 422


@pytest.mark.settings(admin_password_history=3)
def test_how_many_is_a_setting(client: FlaskClient, administrator: Any) -> None:
    now = _through(client, *NEW[:3])
    assert _change(client, now, NEW[0]).status_code == 422
    assert _change(client, now, PASSWORD).status_code == 303


def test_a_reset_does_not_make_an_old_one_new(services: Any, administrator: Any) -> None:
    """With a slip she begins anew, but not with a password that she had."""
    with services.db.write() as session:
        assert passwords.forget(session, [administrator.id]) == [administrator.id]
        asked = passwords.choosing(
            session,
            administrator,
            settings=services.settings.model_copy(update={"admin_password_history": 10}),
            now=services.clock(),
            first=True,
        )
    with pytest.raises(Exception, match="gần đây"):
        asked.hash(services.passwords, PASSWORD, again=PASSWORD)


@pytest.mark.both_databases
def test_no_more_are_kept_than_any_rule_asks_about(services: Any, make_person: Any) -> None:
    one, other = make_person(), make_person()
    with services.db.write() as session:
        for number in range(40):
            passwords.store(
                session,
                one.id,
                f"hash {number}",
                must_change=False,
                now=services.clock(),
                actor=Actor.system(),
            )
        passwords.store(
            session, other.id, "x", must_change=False, now=services.clock(), actor=Actor.system()
        )
        kept = "SELECT hash FROM earlier_password WHERE user_id = :u ORDER BY id"
        mine = list(session.execute(text(kept), {"u": one.id}).scalars())
        theirs = list(session.execute(text(kept), {"u": other.id}).scalars())
    assert mine == [f"hash {number}" for number in range(15, 39)]
    assert len(theirs) == 1
