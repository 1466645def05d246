"""An administrator comes in by a sealed envelope: when nothing else does, once, and never quietly."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from connectors.notices.told import NoticeRow
from directory.entitlements import Installation
from directory.people import User, UserStatus
from directory.permissions import AdminRole, Role
from idp.factors import passwords
from idp.factors.envelopes import Envelope
from idp.sessions import SsoSession
from tests import hr_world
from tests.browser_client import hidden_fields, open_login, submit
from tests.command_line import Operator, operator
from tests.hr_world import Hr, text_of
from tests.relying_party import Flow, World
from tests.someone import OUTSIDE, trail

__all__ = ["operator"]
CODE = re.compile(r"(?:\d{4} ){3}\d{4}")
AAL2 = "urn:vn:aal:2"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", break_glass="one")


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def seal(hr: Hr, operator: Operator, who: str = "admin", halves: str = "one") -> list[str]:
    """What is printed, once."""
    hr.services.settings.break_glass = halves
    said = operator("user", "break-glass", hr.names[who], break_glass=halves)
    assert said.code == 0, said.said
    codes = CODE.findall(said.out)
    assert len(codes) == (2 if halves == "two" else 1)
    with hr.services.db.write() as session:
        # The command line lives by the machine's clock.
        session.execute(update(Envelope).values(sealed_at=hr.clock()))
    return codes


def _form(client: FlaskClient, where: str = "/console/") -> Any:
    """The form of the envelope, by the link on the sign-in page."""
    page = open_login(client, where)
    assert "Phong bì khẩn cấp" in page.text
    return client.get(f"{page.request.path}?way=break_glass")


class Browser:
    """A browser of nobody in particular, from outside."""

    def __init__(self, hr: Hr) -> None:
        self.hr, self.client = hr, hr.app.test_client()
        self.client.environ_base |= OUTSIDE

    def open(self, *codes: str, who: str = "admin", where: str = "/console/") -> Any:
        given = dict(zip(("code", "code2"), codes, strict=False))
        name = self.hr.names.get(who, who)
        return submit(self.client, _form(self.client, where), username=name, **given)


def living(hr: Hr) -> list[SsoSession]:
    with hr.services.db.read() as session:
        return list(session.scalars(select(SsoSession).where(SsoSession.ended_at.is_(None))))


def refused(hr: Hr, answer: Any, *said: str) -> None:
    assert answer.status_code == 422, answer.status_code
    for words in said:
        assert words in text_of(answer.text)
    assert living(hr) == []


@pytest.mark.both_databases
def test_an_envelope_lets_its_administrator_in_when_nothing_else_does(
    hr: Hr, operator: Operator, clock: Any
) -> None:
    """No password, no second factor, from outside: she is in, as strongly as is asked of her, for an hour."""
    [code] = seal(hr, operator)
    with hr.services.db.write() as session:
        passwords.forget(session, [hr.people["admin"]])
    browser = Browser(hr)
    began = clock()
    answer = browser.open(code)
    assert answer.headers["Location"] == "/console/"
    page = browser.client.get("/console/")
    assert page.status_code == 200
    assert "Phiên khẩn cấp" in text_of(page.text)
    assert "Phiên khẩn cấp" in text_of(browser.client.get("/portal/profile").text)
    [session] = living(hr)
    assert (session.acr, session.amr) == (AAL2, ["break_glass"])
    assert session.expires_at == began + timedelta(hours=1)
    assert len(trail(hr, "login.break_glass")) == 1
    assert trail(hr, "session.start")[0]["factors"] == ["break_glass"]
    with hr.services.db.read() as session_:
        told = set(session_.scalars(select(NoticeRow.what)))
    assert {"break_glass", "break_glass.hers"} <= told
    for _ in range(5):
        clock.advance(minutes=11)
        assert browser.client.get("/console/").status_code == 200
    clock.advance(minutes=6)
    assert browser.client.get("/console/").headers["Location"].startswith("/login")


def test_what_is_written_asks_for_no_password_that_she_may_not_have(
    hr: Hr, operator: Operator, clock: Any
) -> None:
    [code] = seal(hr, operator)
    browser = Browser(hr).client
    submit(browser, _form(browser), username=hr.names["admin"], code=code)
    browser.get("/console/")
    clock.advance(minutes=12)
    page = hr.preview(browser, "lan", "suspend")
    assert page.status_code == 200
    assert hr.confirm(browser, page, password="").status_code == 303
    assert hr.user("lan").status == UserStatus.SUSPENDED.value


def test_no_application_keeps_what_it_was_given_there(hr: Hr, operator: Operator) -> None:
    """Offline access lasts for weeks: what an envelope opens ends with it."""
    [code] = seal(hr, operator)
    party = World(hr.services, hr.clock, hr.people["admin"], 0, 0, 0).register()
    flow = Flow(Browser(hr).client, party, scope="openid offline_access")
    page = flow.browser.get(flow.ask().headers["Location"])
    page = flow.browser.get(f"{page.request.path}?way=break_glass")
    answer = submit(flow.browser, page, username=hr.names["admin"], code=code)
    told = flow.redeem(flow.told(answer)["code"])
    assert told.status_code == 200
    assert flow.browser.post("/logout", data=hidden_fields(flow.browser.get("/").text)).status_code
    assert living(hr) == []
    assert flow.refresh(told.json["refresh_token"]).json["error"] == "invalid_grant"


@pytest.mark.both_databases
def test_of_two_who_open_it_at_one_moment_one_is_in(hr: Hr, operator: Operator) -> None:
    [code] = seal(hr, operator)
    browsers = [Browser(hr) for _ in range(2)]
    pages = [_form(one.client) for one in browsers]
    barrier, answers = threading.Barrier(2), [0, 0]

    def post(n: int) -> None:
        given = hidden_fields(pages[n].text) | {"username": hr.names["admin"], "code": code}
        barrier.wait()
        answers[n] = browsers[n].client.post(pages[n].request.path, data=given).status_code

    threads = [threading.Thread(target=post, args=(n,)) for n in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    assert sorted(answers) == [303, 422]
    assert len(living(hr)) == 1
    assert len(trail(hr, "login.break_glass")) == 1


def test_it_is_good_once(hr: Hr, operator: Operator) -> None:
    [code] = seal(hr, operator)
    first = Browser(hr)
    first.open(code)
    answer = Browser(hr).open(code)
    assert answer.status_code == 422
    assert "đã dùng rồi" in text_of(answer.text)
    assert len(living(hr)) == 1


def test_a_wrong_code_and_anothers_name_are_told_alike_and_lock_nobody(
    hr: Hr, operator: Operator
) -> None:
    [code] = seal(hr, operator)
    wrong = "0000 0000 0000 0000"
    for who, given in (("lan", code), ("admin", wrong), ("khong.ai", code), ("khong.ai", wrong)):
        refused(hr, Browser(hr).open(given, who=who), "Tên đăng nhập hoặc mã không đúng")
    assert len(trail(hr, "login.fail")) == 4
    assert trail(hr, "login.lock") == []
    # None of that has used it up.
    assert Browser(hr).open(code).status_code == 303


def test_a_lock_of_her_name_does_not_stop_it(hr: Hr, operator: Operator) -> None:
    [code] = seal(hr, operator)
    hr.services.settings.lock_after = 1
    browser = Browser(hr)
    page = open_login(browser.client, "/console/")
    submit(browser.client, page, username=hr.names["admin"], password="sai rồi")
    assert len(trail(hr, "login.lock")) == 1
    assert Browser(hr).open(code).status_code == 303


def test_wrong_codes_slow_their_source(hr: Hr, operator: Operator) -> None:
    seal(hr, operator)
    hr.services.settings.source_failures = 4
    answers = [Browser(hr).open("0000 0000 0000 0000").status_code for _ in range(4)]
    assert answers[-1] == 429


def test_two_halves_are_needed_whoever_types_them_first(hr: Hr, operator: Operator) -> None:
    a, b = seal(hr, operator, halves="two")
    for given in ((a, a), (b, b), (a, "0000 0000 0000 0000")):
        refused(hr, Browser(hr).open(*given), "Tên đăng nhập hoặc mã không đúng")
    assert Browser(hr).open(a).status_code == 422
    assert Browser(hr).open(b, a).status_code == 303


def test_half_an_envelope_is_none_when_one_is_asked_for(hr: Hr, operator: Operator) -> None:
    a, _ = seal(hr, operator, halves="two")
    hr.services.settings.break_glass = "one"
    refused(hr, Browser(hr).open(a))


def _role_ended(hr: Hr) -> None:
    with hr.services.db.write() as session:
        mine = AdminRole.user_id == hr.people["admin"]
        session.execute(update(AdminRole).where(mine).values(valid_to=hr.clock().date()))
    hr.grant("admin", Role.ADMINISTRATOR)  # given anew: another role


def _left(hr: Hr) -> None:
    with hr.services.db.write() as session:
        hers = User.id == hr.people["admin"]
        session.execute(update(User).where(hers).values(status=UserStatus.LEFT.value))


def _restored(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(update(Installation).values(epoch=Installation.epoch + 1))


def _old(hr: Hr) -> None:
    hr.clock.advance(days=400)


def _old_by_another_rule(hr: Hr) -> None:
    hr.services.settings.break_glass_days = 1
    hr.clock.advance(days=2)


@pytest.mark.parametrize("moved", [_role_ended, _left, _restored, _old, _old_by_another_rule])
def test_it_is_void_as_soon_as_what_it_was_made_for_is_another(
    hr: Hr, operator: Operator, moved: Any
) -> None:
    [code] = seal(hr, operator)
    moved(hr)
    refused(hr, Browser(hr).open(code), "hết hiệu lực")


def test_a_new_password_and_a_lost_phone_do_not_void_it(hr: Hr, operator: Operator) -> None:
    """They raise her epoch, and are what it is kept for."""
    [code] = seal(hr, operator)
    with hr.services.db.write() as session:
        hers = User.id == hr.people["admin"]
        session.execute(update(User).where(hers).values(access_epoch=User.access_epoch + 1))
        passwords.forget(session, [hr.people["admin"]])
    assert Browser(hr).open(code).status_code == 303


def test_a_suspension_voids_it_for_good(hr: Hr, operator: Operator) -> None:
    hr.grant("lan", Role.ADMINISTRATOR)
    [code] = seal(hr, operator, "lan")
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    hr.clock.advance(minutes=1)
    for kind in ("suspend", "resume"):
        assert api.commit(kind=kind, user=hr.names["lan"]).status_code == 201
        refused(hr, Browser(hr).open(code, who="lan"), "hết hiệu lực")
    assert [one["reason"] for one in trail(hr, "envelope.void")] == ["change"]


def test_a_newer_one_voids_it(hr: Hr, operator: Operator) -> None:
    [old] = seal(hr, operator)
    [new] = seal(hr, operator)
    refused(hr, Browser(hr).open(old), "hết hiệu lực")
    assert [one["reason"] for one in trail(hr, "envelope.void")] == ["newer"]
    assert Browser(hr).open(new).status_code == 303


def test_only_administrators_of_all_of_it_have_one(hr: Hr, operator: Operator) -> None:
    for who in ("lan", "officer"):
        said = operator("user", "break-glass", hr.names[who], break_glass="one")
        assert said.code != 0
        assert not CODE.search(said.said)
    assert operator("user", "break-glass", hr.names["admin"]).code != 0  # where it is off


def test_nothing_of_a_code_is_kept(hr: Hr, operator: Operator) -> None:
    [code] = seal(hr, operator)
    Browser(hr).open(code)
    everything = str(hr.dump())
    assert code not in everything
    assert code.replace(" ", "") not in everything


def test_where_it_is_off_there_is_no_such_way(hr: Hr, operator: Operator) -> None:
    [code] = seal(hr, operator)
    hr.services.settings.break_glass = "off"
    browser = hr.app.test_client()
    page = open_login(browser, "/console/")
    assert "Phong bì" not in page.text
    given = hidden_fields(page.text) | {"step": "break_glass", "code": code}
    browser.post(page.request.path, data=given | {"username": hr.names["admin"]})
    assert trail(hr, "login.break_glass") == []
    assert living(hr) == []


def test_the_check_says_what_is_wrong_with_envelopes(hr: Hr, operator: Operator) -> None:
    assert "no emergency envelope" in operator("check", break_glass="one").said
    assert "envelope" not in operator("check").said
    operator("user", "break-glass", hr.names["admin"], break_glass="one")
    assert "envelope" not in operator("check", break_glass="one").said
    said = operator("check", break_glass="one", break_glass_days="20").said
    assert hr.names["admin"] in said
