"""Where I am signed in, what became of the sign-ins in my name, and "this was not me"."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from connectors.notices.told import NoticeRow
from directory.base.audit import AuditEntry, Tag
from directory.base.outbox import Job, JobKind
from idp.factors import passwords, slips
from idp.factors.enrolled import EnrolledFactor
from idp.sessions import SsoSession
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields, open_login, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import chosen
from tests.relying_party import Flow, World
from tests.someone import Someone

SESSIONS = "/portal/sessions"
HISTORY = "/portal/sessions/history"
NOT_ME = "/portal/sessions/not-me"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def world(hr: Hr) -> World:
    return World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)


def trail(world: World, tag: Tag) -> list[AuditEntry]:
    found = [one for one in world.all(AuditEntry) if one.tag == tag.value]
    return sorted(found, key=lambda one: one.id)


def told(world: World) -> list[Job]:
    return [job for job in world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER.value]


def has_password(world: World) -> bool:
    with world.services.db.read() as session:
        return bool(passwords.having(session, [world.user_id]))


# ---- the list ----------------------------------------------------------------------------------


def test_a_session_says_what_it_is_known_by(world: World, hr: Hr) -> None:
    world.services.settings.network_names = {
        "192.0.2.0/24": "Mạng của tỉnh",
        "192.0.2.0/28": "Trụ sở Ủy ban",
        "10.0.0.0/8": "Mạng khác",
    }
    there, here = hr.app.test_client(), hr.browser("lan")
    view = world.sign_in(there)
    world.change(SsoSession, view.id, user_agent=FIREFOX)
    Flow(there, world.register("Quản lý văn bản")).tokens()
    page = text_of(here.get(SESSIONS).text)
    for said in (
        "Firefox · Windows",
        "Trụ sở Ủy ban",
        "192.0.2.7",
        "Quản lý văn bản",
        "mật khẩu",
        "một yếu tố",
        "Phiên này",
        "Chưa mở ứng dụng nào",
    ):
        assert said in page
    assert "Mạng của tỉnh" not in page  # the narrowest name
    english = here.get(SESSIONS, headers={"Accept-Language": "en"}).text
    assert "Applications opened" in english


@pytest.mark.both_databases
def test_ending_one_cuts_what_it_holds_and_tells_and_is_audited(world: World, hr: Hr) -> None:
    party = world.register(backchannel_logout_uri="http://localhost:9001/out")
    there, here, third = hr.app.test_client(), hr.browser("lan"), hr.app.test_client()
    view = world.sign_in(there)
    world.sign_in(third)
    held = Flow(there, party).tokens()
    page = here.get(SESSIONS)
    form = hidden_fields(page.text) | {"session": view.id}
    first = here.post(f"{SESSIONS}/end", data=form)
    again = here.post(f"{SESSIONS}/end", data=form)  # the button was pressed twice
    assert first.status_code == again.status_code == 303
    assert there.get("/").status_code == 303
    assert third.get("/").status_code == here.get("/").status_code == 200
    assert Flow(there, party).userinfo(held["access_token"]).status_code == 401
    assert len(told(world)) == 1
    [entry] = trail(world, Tag.SESSION_END)
    assert (entry.actor_id, entry.data["session"]) == (world.user_id, view.id)
    # Another tab still shows it: ending it once more is no fault.
    assert submit(here, page, f"{SESSIONS}/end", session=view.id).status_code == 303
    assert len(trail(world, Tag.SESSION_END)) == 1


def test_nobody_ends_somebody_else_s(world: World, hr: Hr) -> None:
    there, mai = hr.app.test_client(), hr.browser("mai")
    view = world.sign_in(there)
    submit(mai, mai.get(SESSIONS), f"{SESSIONS}/end", session=view.id)
    assert there.get("/").status_code == 200


# ---- the history -------------------------------------------------------------------------------


def test_the_history_tells_who_came_in_and_who_was_refused(world: World, hr: Hr) -> None:
    stranger = hr.app.test_client()
    page = open_login(stranger)
    submit(stranger, page, username=hr.names["lan"], password="sai bét nhè luôn")
    there, here = hr.app.test_client(), hr.browser("lan")
    world.sign_in(there)
    page = here.get(HISTORY)
    text = text_of(page.text)
    assert "Đăng nhập sai" in text
    assert text.count("Đăng nhập thành công") == 2
    assert "192.0.2.7" in text
    assert "Mật khẩu" in text
    # A guess that failed opened nothing; the sign-in of this browser is hers.
    assert page.text.count(f"{NOT_ME}?entry=") == 1
    assert "Đăng nhập sai" not in text_of(hr.browser("mai").get(HISTORY).text)


def test_the_history_is_paged(world: World, hr: Hr) -> None:
    for _ in range(24):
        world.sign_in(hr.app.test_client())
        hr.clock.advance(seconds=60)
    here = hr.browser("lan")
    first = here.get(HISTORY)
    [onward] = re.findall(r'rel="next" href="([^"]+)"', first.text)
    second = here.get(onward)
    assert [page.text.count('data-state="good"') for page in (first, second)] == [20, 5]
    assert 'rel="next"' not in second.text
    for odd in ("x", "-1", "99999999999999999999", "0"):
        assert here.get(HISTORY, query_string={"before": odd}).status_code == 200


# ---- not me ------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_not_me_ends_everything_and_voids_the_password(world: World, hr: Hr) -> None:
    party = world.register(first_party=True, backchannel_logout_uri="http://localhost:9001/out")
    stranger, here = hr.app.test_client(), hr.browser("lan")
    view = world.sign_in(stranger)
    flow = Flow(stranger, party, scope="openid offline_access")
    held = flow.tokens()
    other = hr.browser("mai")
    page = here.get(NOT_ME, query_string={"session": view.id})
    assert "192.0.2.7" in page.text
    assert here.get("/").status_code == stranger.get("/").status_code == 200  # asking ends nothing
    done = submit(here, page, NOT_ME)
    assert done.status_code == 303
    after = here.get(done.location)
    assert after.status_code == 200
    assert "Đến bộ phận tổ chức cán bộ" in after.text
    assert here.get("/").status_code == stranger.get("/").status_code == 303
    assert other.get("/").status_code == 200
    assert flow.userinfo(held["access_token"]).status_code == 401
    assert flow.refresh(held["refresh_token"]).status_code == 400
    assert not has_password(world)
    assert len(told(world)) == 1
    [entry] = trail(world, Tag.LOGIN_DISOWN)
    assert (entry.subject_id, entry.actor_id) == (str(world.user_id), world.user_id)
    assert entry.data["session"] == view.id
    assert entry.data["factors"] == ["password"]
    hers, notice = sorted(world.all(NoticeRow), key=lambda one: one.what)
    assert (hers.what, hers.user_id) == ("disowned", world.user_id)
    assert (notice.what, notice.user_id, notice.addresses) == ("not_me", world.user_id, {})
    assert notice.facts["ip"] == "192.0.2.7"
    # The password that somebody knows is no way in any more.
    again = hr.app.test_client()
    refused = submit(again, open_login(again), username=hr.names["lan"], password=PASSWORD)
    assert refused.status_code == 422
    # Another tab of hers, or back: nothing is done twice.
    assert submit(here, page, NOT_ME).status_code in (303, 400)
    assert len(trail(world, Tag.LOGIN_DISOWN)) == 1


@pytest.mark.both_databases
def test_of_two_tabs_at_one_moment_one_says_so(world: World, hr: Hr) -> None:
    view = world.sign_in(hr.app.test_client())
    here = hr.browser("lan")
    where = {"query_string": {"session": view.id}}
    tabs = [hidden_fields(here.get(NOT_ME, **where).text) for _ in range(4)]
    cookie = "; ".join(f"{one.key}={one.value}" for one in here._cookies.values())

    def press(form: dict[str, str]) -> int:
        other = hr.app.test_client(use_cookies=False)
        return int(other.post(NOT_ME, data=form, headers={"Cookie": cookie}).status_code)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(press, tabs))
    assert 303 in answers
    assert set(answers) <= {303, 409}
    assert len(trail(world, Tag.LOGIN_DISOWN)) == 1


def test_not_me_reaches_nobody_else_s_sign_in(world: World, hr: Hr) -> None:
    here, mai = hr.browser("lan"), hr.browser("mai")
    view = world.sign_in(hr.app.test_client())
    [entry] = [one for one in trail(world, Tag.SESSION_START) if one.data["session"] == view.id]
    for query in ({"session": view.id}, {"entry": entry.id}, {}, {"entry": "x"}):
        assert mai.get(NOT_ME, query_string=query).status_code == 404
        form = hidden_fields(mai.get(SESSIONS).text) | query
        assert mai.post(NOT_ME, data=form).status_code == 404
    assert here.get("/").status_code == mai.get("/").status_code == 200


def test_an_entry_whose_session_is_long_over_can_be_disowned(world: World, hr: Hr) -> None:
    view = world.sign_in(hr.app.test_client())
    hr.clock.advance(days=3)
    here = hr.browser("lan")
    [entry] = [one for one in trail(world, Tag.SESSION_START) if one.data["session"] == view.id]
    done = submit(here, here.get(NOT_ME, query_string={"entry": entry.id}), NOT_ME)
    assert done.status_code == 303
    assert not has_password(world)
    assert trail(world, Tag.LOGIN_DISOWN)[0].data["session"] == view.id


def live_factors(hr: Hr, who: str) -> set[tuple[str, str | None]]:
    with hr.services.db.read() as session:
        rows = session.execute(
            select(EnrolledFactor.kind, EnrolledFactor.ended_as).where(
                EnrolledFactor.user_id == hr.people[who]
            )
        )
        return {(row.kind, row.ended_as) for row in rows}


def enrol(hr: Hr) -> None:
    """She adds an app at a browser of her own."""
    lan, where = Someone(hr, "lan"), "/portal/ways/app"
    lan.password()
    lan.app = Authenticator.scan(lan.client.get(where).text)
    lan.act(where, where, code=lan.code(), name="Điện thoại")


@pytest.mark.both_databases
def test_not_me_is_no_way_down_for_whoever_has_a_second_factor(hr: Hr) -> None:
    """Of a sign-in by the password alone what she had enrolled stays, and is asked for after the slip."""
    enrol(hr)
    hr.clock.advance(days=1)
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    view = world.sign_in(hr.app.test_client())  # by the password alone
    here = hr.browser("lan")
    submit(here, here.get(NOT_ME, query_string={"session": view.id}), NOT_ME)
    assert live_factors(hr, "lan") == {("totp", None), ("recovery_code", None)}
    assert not has_password(world)


@pytest.mark.parametrize("how", ["proved more", "enrolled since"])
def test_what_the_other_could_prove_herself_with_is_lost(hr: Hr, how: str) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    view = world.sign_in(hr.app.test_client())
    if how == "proved more":
        world.change(SsoSession, view.id, amr=["pwd", "otp", "mfa"])
    enrol(hr)
    hr.clock.advance(hours=1)
    if how == "proved more":
        world.change(SsoSession, view.id, auth_time=hr.clock())
    here = hr.browser("lan")
    done = submit(here, here.get(NOT_ME, query_string={"session": view.id}), NOT_ME)
    assert "Đề nghị đặt lại cách xác thực thứ hai" in here.get(done.location).text
    assert live_factors(hr, "lan") == {("totp", "lost"), ("recovery_code", "lost")}


@pytest.mark.parametrize("kept", [True, False])
def test_the_slip_after_it_gives_a_password_and_no_more(hr: Hr, kept: bool) -> None:
    """Where her app stays it is asked for; where it is lost nothing is enrolled in its place."""
    enrol(hr)
    hr.clock.advance(days=1)
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    view = world.sign_in(hr.app.test_client())
    if not kept:
        world.change(SsoSession, view.id, amr=["pwd", "otp", "mfa"])
    here = hr.browser("lan")
    submit(here, here.get(NOT_ME, query_string={"session": view.id}), NOT_ME)
    hr.services.settings.second_factor = "everybody"
    with hr.services.db.write() as session:
        code = slips.issue(
            session,
            hr.services.keyring,
            world.user_id,
            now=hr.clock(),
            lifetime=3600,
            actor=hr_world.OPERATOR,
        )
    holder = hr.app.test_client()
    answer = chosen(holder, f"/activate/{code}", "gạch bông rêu phơi thóc", "5678")
    page = holder.get(answer.headers["Location"])
    assert "otpauth" not in page.text
    assert ("Mã 6 chữ số" in page.text) is kept
    assert holder.get("/portal/profile").status_code == (303 if kept else 403)
