"""Two things at one moment, about one second factor: one of them happens, and the other says so."""

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from directory.base.audit import AuditEntry
from idp.factors import second_factors, slips
from idp.factors.enrolled import EnrolledFactor
from idp.factors.slips import Activation
from idp.sessions import SsoSession
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import chosen, link_on
from tests.someone import OUTSIDE, Someone

pytestmark = pytest.mark.both_databases
NEW = "con trâu đội nón lá"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", inside_networks=["10.0.0.0/8"])


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def together(*acts: Callable[[], Any]) -> list[Any]:
    """What each gives, all begun at the same moment."""
    barrier, answers = threading.Barrier(len(acts)), [None] * len(acts)

    def one(n: int) -> None:
        barrier.wait()
        answers[n] = acts[n]()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def posting(person: Someone, action: str, fields: dict[str, str]) -> Callable[[], Any]:
    """This form in her browser, as often as it is called; each time as if for the first time."""
    cookies = "; ".join(f"{c.key}={c.value}" for c in person.client._cookies.values())
    where = dict(person.client.environ_base)

    def post() -> Any:
        browser = person.hr.app.test_client(use_cookies=False)
        return browser.post(
            action, data=fields, headers={"Cookie": cookies}, environ_overrides=where
        )

    return post


def rows(hr: Hr, table: Any, *conditions: Any) -> list[Any]:
    with hr.services.db.read() as session:
        return list(session.scalars(select(table).where(*conditions)))


def test_a_code_posted_twice_at_one_moment_signs_in_once(hr: Hr, clock: Any) -> None:
    """The button pressed twice: both lead on, no wrong code is counted."""
    lan = Someone(hr, "lan", OUTSIDE)
    lan.whole()
    for turn in range(3):
        clock.advance(seconds=90)
        again = lan.again()
        page = again.password()
        form = hidden_fields(page.text) | {"code": again.code()}
        post = posting(again, page.request.path, form)
        answers = together(*[post] * 4)
        assert {one.status_code for one in answers} == {303}, [one.text[:200] for one in answers]
        end = again.client.get(page.request.path)
        assert end.status_code == 303
        assert len(rows(hr, SsoSession)) == turn + 2
    assert not rows(hr, AuditEntry, AuditEntry.tag == "login.fail")


def test_the_first_code_posted_twice_at_one_moment_enrols_once(hr: Hr) -> None:
    """And of two browsers that know her password one enrols, whoever it is."""
    lan, other = Someone(hr, "lan", OUTSIDE), Someone(hr, "lan", OUTSIDE)
    posts = []
    for person in (lan, other):
        page = person.password()
        person.app = Authenticator.scan(page.text)
        form = hidden_fields(page.text) | {"code": person.code()}
        posts += [posting(person, f"{page.request.path}/enrol", form)] * 2
    answers = together(*posts)
    assert all(one.status_code in (200, 303) for one in answers), [one.status for one in answers]
    kinds = sorted(one.kind for one in rows(hr, EnrolledFactor, EnrolledFactor.ended_at.is_(None)))
    assert kinds == ["recovery_code", "totp"]


def _scanned(page: Any) -> Any:
    from tests.authenticator import Authenticator

    return Authenticator.scan(page.text)


def officer(hr: Hr, who: str) -> Someone:
    found = Someone(hr, who)
    found.whole("/console/")
    return found


def act(person: Someone, what: str) -> Callable[[], Any]:
    page = f"/console/people/{person.hr.people['lan']}"
    form = hidden_fields(person.client.get(page).text) | {"password": PASSWORD}
    return posting(person, f"{page}/{what}", form)


@pytest.mark.parametrize("turn", range(3))
def test_one_officer_gives_a_slip_and_resets_at_one_moment(hr: Hr, turn: int) -> None:
    Someone(hr, "lan", OUTSIDE).whole()
    one = officer(hr, "officer")
    hr.agree("officer", "lan")
    together(act(one, "activation"), act(one, "second-factor"))
    given = len(rows(hr, Activation))
    with hr.services.db.read() as session:
        reset = second_factors.of(session, hr.people["lan"]).may_begin()
    assert (given, reset) in ((1, False), (0, True)), turn


@pytest.mark.parametrize("turn", range(3))
def test_what_one_officer_gives_and_another_resets_at_one_moment(hr: Hr, turn: int) -> None:
    """A slip from before the reset is void; after it none is printed but what two agree to anew."""
    Someone(hr, "lan", OUTSIDE).whole()
    one, two = officer(hr, "officer"), officer(hr, "officer_a")
    hr.agree("officer", "lan")
    together(act(one, "activation"), act(two, "second-factor"))
    with hr.services.db.read() as session:
        assert second_factors.of(session, hr.people["lan"]).may_begin()
        order = list(
            session.scalars(
                select(AuditEntry.tag)
                .where(AuditEntry.tag.in_(("activation.issue", "factor.end")))
                .order_by(AuditEntry.id)
            )
        )
        found = list(session.scalars(select(Activation)))
        good = [slips.standing_of(session, one, now=hr.clock()).owner for one in found]
    assert len(found) == ("activation.issue" in order)
    assert not any(good), turn


def test_a_slip_printed_before_a_reset_is_void(hr: Hr, clock: Any) -> None:
    """Whoever kept it would be the first to enrol, by the password that it sets."""
    lan = Someone(hr, "lan", OUTSIDE)
    lan.whole()
    printed = officer(hr, "officer_a")
    hr.agree("officer_a", "lan")
    page = printed.act(
        f"/console/people/{hr.people['lan']}/activation",
        f"/console/people/{hr.people['lan']}",
        password=PASSWORD,
    )
    link = link_on(printed.client.get(page.headers["Location"]).text)
    assert act(officer(hr, "officer"), "second-factor")().status_code == 303
    used = chosen(hr.app.test_client(), link, NEW)
    assert used.status_code == 422
    assert "hết hiệu lực" in text_of(used.text)
    # So is it where she had no password that a reset could void.
    with hr.services.db.write() as session:
        session.execute(update(Activation).values(password_generation=0))
    assert chosen(hr.app.test_client(), link, NEW).status_code == 422
    assert not re.search("otpauth", used.text)
