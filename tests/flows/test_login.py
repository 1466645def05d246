"""Signing in, as a browser sees it."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from bench.statements import heard
from directory.assignments import Assignment, HeldAs
from directory.base.audit import Actor, AuditEntry, Tag
from directory.base.clock import day_start, local_day
from directory.people import User, UserCut, UserStatus
from directory.permissions import Role
from idp import sessions
from idp.factors import by_password, passwords, registry, slips
from idp.factors.factor import Epochs, Passed, Source
from idp.login import finishing
from idp.login import flow as flows
from idp.sessions import SsoSession
from tests import factories
from tests.bent import bent
from tests.browser_client import hidden_fields, open_login, sign_in, submit
from tests.paper_slips import opened

PASSWORD = "bếp củi reo vui sớm mai"
COOKIE = "dinhdanh"


@dataclass
class Person:
    """Somebody who may sign in."""

    id: int
    username: str
    capacities: list[int]


@pytest.fixture(scope="module")
def phc() -> str:
    return passwords.hashed(factories.QUICK, PASSWORD)


@pytest.fixture
def make_person(services: Any, phc: str) -> Any:
    def make(posts: int = 1, *, must_change: bool = False, **columns: Any) -> Person:
        with services.db.write() as session:
            unit = factories.make_unit(session)
            user = factories.make_user(session, **columns)
            held = [
                factories.make_assignment(
                    session,
                    user,
                    unit,
                    kind=(HeldAs.CONCURRENT if n else HeldAs.PRIMARY).value,
                )
                for n in range(posts)
            ]
            passwords.store(
                session,
                user.id,
                phc,
                must_change=must_change,
                now=services.clock(),
                actor=Actor.system(),
            )
            return Person(user.id, user.username, [a.id for a in held])

    return make


@pytest.fixture
def person(make_person: Any) -> Person:
    return make_person()


def is_signed_in(client: FlaskClient) -> bool:
    status = client.get("/session/status").status_code
    assert status in (200, 204, 401)
    return status != 401


@pytest.mark.both_databases
def test_signing_in_gives_a_session_and_returns_to_where_it_began(
    client: FlaskClient, person: Person
) -> None:
    guarded = client.get("/portal/profile?a=1")
    assert guarded.status_code == 303
    page = client.get(guarded.headers["Location"], follow_redirects=True)
    answer = submit(client, page, username=person.username, password=PASSWORD)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/portal/profile?a=1"
    assert is_signed_in(client)
    assert client.get("/portal/profile").status_code == 200


def test_the_session_cookie_cannot_be_read_by_scripts_nor_sent_across_sites(
    client: FlaskClient, person: Person
) -> None:
    (cookie,) = [
        value
        for name, value in sign_in(client, person.username, PASSWORD).headers
        if name == "Set-Cookie" and value.startswith(COOKIE + "=")
    ]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


def test_unknown_names_and_wrong_passwords_look_the_same(
    client: FlaskClient, person: Person
) -> None:
    def shown(username: str) -> tuple[int, str]:
        answer = submit(client, open_login(client), username=username, password="sai mật khẩu")
        text = re.sub(
            r'(csrf_token" value|username" value|value|data-asks)="[^"]*"', "", answer.text
        )
        return answer.status_code, re.sub(r"/login/[\w.-]+", "", text)

    assert shown(person.username) == shown("khongcoai")
    assert not is_signed_in(client)


def test_five_wrong_passwords_lock_known_and_unknown_names_alike(
    client: FlaskClient, person: Person, services: Any
) -> None:
    for username in (person.username, "khongcoai"):
        statuses = [
            submit(client, open_login(client), username=username, password="sai").status_code
            for _ in range(6)
        ]
        assert statuses == [422] * 4 + [429] * 2
    locked = submit(client, open_login(client), username=person.username, password=PASSWORD)
    assert locked.status_code == 429
    assert int(locked.headers["Retry-After"]) > 11 * 3600
    services.clock.advance(hours=12, seconds=1)
    sign_in(client, person.username, PASSWORD)
    assert is_signed_in(client)


def _locked(client: FlaskClient, person: Person) -> Any:
    """The page that says how long to wait."""
    for _ in range(4):
        submit(
            client, open_login(client, "/portal/profile"), username=person.username, password="x"
        )
    page = open_login(client, "/portal/profile")
    answer = submit(client, page, username=person.username, password="x")
    assert answer.status_code == 429
    return answer


def _switch(page: Any, code: str) -> str:
    """Where the page's switch of language leads."""
    found = re.search(rf'hreflang="{code}"[^>]*href="([^"]+)"', page.text)
    assert found is not None, page.text
    return unescape(found[1])


def test_the_locked_page_stays_what_it_is_in_the_other_language(
    app: Flask, client: FlaskClient, person: Person, services: Any
) -> None:
    page = _locked(client, person)
    time = re.search(r"\d\d:\d\d", page.text)
    assert time is not None
    english = client.get(_switch(page, "en"), follow_redirects=True)
    assert english.status_code == 429
    assert int(english.headers["Retry-After"]) == int(page.headers["Retry-After"])
    assert ("locked" in english.text, time[0] in english.text) == (True, True)
    assert 'name="password"' not in english.text
    back = client.get(_switch(english, "vi"), follow_redirects=True)
    assert (back.status_code, "Tạm khóa" in back.text) == (429, True)
    # The way back is to the sign-in it belongs to, and the page is its browser's.
    where = english.request.path.partition("/locked/")[0]
    assert f'href="{where}"' in english.text
    assert client.get(where).status_code == 200
    stranger = app.test_client()
    stranger.get("/login")
    assert stranger.get(english.request.full_path).status_code != 429
    # Once the wait is over it is a sign-in page again, or begins anew.
    services.clock.advance(hours=12, seconds=1)
    anew = client.get(english.request.path, follow_redirects=True)
    assert (anew.status_code, 'name="password"' in anew.text) == (200, True)
    submit(client, anew, username=person.username, password=PASSWORD)


def test_nobody_makes_up_how_long_to_wait(client: FlaskClient, person: Person) -> None:
    page = _locked(client, person)
    path = client.get(_switch(page, "en")).headers["Location"]
    until = path.rpartition("/")[2].partition(".")[0]
    for made_up in (path.replace(until, str(int(until) + 60)), path[:-1], path + "A"):
        assert client.get(made_up).status_code == 303, made_up


def test_a_throttled_source_does_not_count_against_the_person(
    app: Flask, services: Any, person: Person
) -> None:
    flood = app.test_client()
    for n in range(services.settings.source_failures):
        submit(flood, open_login(flood), username=f"ai{n}", password="sai")
    for _ in range(6):
        answer = submit(flood, open_login(flood), username=person.username, password="sai")
        assert answer.status_code == 429
    elsewhere = app.test_client()
    elsewhere.environ_base["REMOTE_ADDR"] = "198.51.100.7"
    sign_in(elsewhere, person.username, PASSWORD)
    assert is_signed_in(elsewhere)


def test_forms_without_their_token_are_refused(client: FlaskClient, person: Person) -> None:
    page = open_login(client)
    answer = client.post(
        page.request.path, data={"username": person.username, "password": PASSWORD}
    )
    assert answer.status_code == 400
    assert "Biểu mẫu đã hết hạn" in answer.text


def test_several_capacities_are_offered_and_the_chosen_one_acts(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(posts=3)
    page = open_login(client)
    submit(client, page, username=person.username, password=PASSWORD)
    choices = client.get(page.request.path)
    assert [int(v) for v in re.findall(r'name="assignment" value="(\d+)"', choices.text)] == (
        person.capacities
    )
    assert re.search(rf'value="{person.capacities[0]}" required checked', choices.text)
    refused = submit(client, choices, assignment="999999")
    assert refused.status_code == 422
    submit(client, choices, assignment=str(person.capacities[2]))
    client.get(page.request.path)
    with services.db.read() as session:
        (living,) = sessions.living(session, [person.id], now=services.clock())
    assert living.assignment_id == person.capacities[2]


def test_people_without_a_post_are_refused_and_administrators_are_not(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(posts=0)
    page = open_login(client)
    submit(client, page, username=person.username, password=PASSWORD)
    refused = client.get(page.request.path)
    assert refused.status_code == 403
    assert "chưa có phân công công tác có hiệu lực" in refused.text
    with services.db.write() as session:
        factories.make_role(session, session.get_one(User, person.id), Role.ADMINISTRATOR)
    assert client.get(page.request.path).headers["Location"] == "/"
    assert is_signed_in(client)


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.LEFT])
def test_people_who_may_not_act_are_refused(
    client: FlaskClient, make_person: Any, status: UserStatus
) -> None:
    person = make_person(status=status.value)
    page = open_login(client)
    submit(client, page, username=person.username, password=PASSWORD)
    assert client.get(page.request.path).status_code == 403
    assert not is_signed_in(client)


def test_a_temporary_password_is_changed_before_anything_else(
    client: FlaskClient, make_person: Any
) -> None:
    person = make_person(must_change=True)
    new = "con trâu đội nón lá"
    page = open_login(client)
    submit(client, page, username=person.username, password=PASSWORD)
    form = client.get(page.request.path)
    assert not is_signed_in(client)
    for password, again in ((PASSWORD, PASSWORD), (new, new + "x"), ("ngắn", "ngắn")):
        assert submit(client, form, password=password, again=again).status_code == 422
    submit(client, form, password=new, again=new)
    client.get(page.request.path)
    assert is_signed_in(client)
    assert submit(client, open_login_again(client), username=person.username, password=PASSWORD)
    client.delete_cookie(COOKIE)
    sign_in(client, person.username, new)
    assert is_signed_in(client)


def open_login_again(client: FlaskClient) -> Any:
    """A sign-in that is asked for although there is a session."""
    return client.get("/login?prompt=login", follow_redirects=True)


@pytest.mark.both_databases
def test_a_printed_slip_sets_the_password_once_and_ends_every_session(
    app: Flask, client: FlaskClient, person: Person, services: Any
) -> None:
    elsewhere = app.test_client()
    sign_in(elsewhere, person.username, PASSWORD)
    with services.db.write() as session:
        token = slips.issue(
            session,
            services.keyring,
            person.id,
            now=services.clock(),
            lifetime=3600,
            actor=Actor.operator("root"),
        )
    new = "con trâu đội nón lá"
    link = f"/activate/{token}"
    form = opened(client, link)
    assert person.username in form.text
    assert opened(client, link).status_code == 200
    set_once = submit(client, form, password=new, again=new)
    assert set_once.status_code == 303
    assert client.get(set_once.headers["Location"]).headers["Location"] == "/"
    assert opened(client, link).status_code == 422
    other = new + " đỏ"
    late = hidden_fields(form.text) | {"password": other, "again": other}
    assert client.post(form.request.path, data=late).status_code == 400  # its form is over
    assert not is_signed_in(elsewhere)
    assert is_signed_in(client)
    sign_in(client.application.test_client(), person.username, new)


def test_an_expired_sign_in_says_so_and_offers_a_new_one(
    client: FlaskClient, person: Person, services: Any
) -> None:
    page = open_login(client)
    services.clock.advance(seconds=services.settings.flow_lifetime + 1)
    for answer in (
        client.get(page.request.path),
        submit(client, page, username=person.username, password=PASSWORD),
    ):
        assert answer.headers["Location"] == "/login?return_to=/"
    assert "mở quá lâu" in client.get("/login", follow_redirects=True).text
    answer = client.get("/login/khong-co")
    assert answer.status_code == 404
    assert "/login?return_to=/" in answer.text


def test_a_sign_in_under_way_belongs_to_one_browser(app: Flask, person: Person) -> None:
    one, other = app.test_client(), app.test_client()
    page = open_login(one)
    assert other.get(page.request.path).status_code == 404
    submit(one, page, username=person.username, password=PASSWORD)
    assert other.get(page.request.path).status_code == 404
    assert not is_signed_in(other)


def test_a_flow_begun_elsewhere_belongs_to_the_browser_that_opens_it_first(
    app: Flask, services: Any
) -> None:
    with services.db.write() as session:
        flow_id = flows.begin(
            session,
            return_to="/",
            client_id=None,
            request={"login_hint": "hanhnth"},
            now=services.clock(),
            settings=services.settings,
        )
    first, second = app.test_client(), app.test_client()
    assert 'value="hanhnth"' in first.get(f"/login/{flow_id}").text
    assert second.get(f"/login/{flow_id}").status_code == 404
    assert first.get(f"/login/{flow_id}").status_code == 200


def test_a_finished_sign_in_opened_again_goes_where_it_went(
    client: FlaskClient, person: Person
) -> None:
    page = open_login(client, "/portal/sessions")
    submit(client, page, username=person.username, password=PASSWORD)
    for _ in range(2):
        assert client.get(page.request.path).headers["Location"] == "/portal/sessions"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "evil.example",
        "",
    ],
)
def test_nobody_is_sent_to_another_site(client: FlaskClient, person: Person, target: str) -> None:
    sign_in(client, person.username, PASSWORD, return_to=target)
    assert client.get(f"/login?return_to={quote(target)}").headers["Location"] == "/"
    assert client.get(f"/lang/en?next={quote(target)}").headers["Location"] == "/"


def test_a_transfer_between_password_and_finish_stops_the_sign_in(
    client: FlaskClient, make_person: Any, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, verify = make_person(), services.passwords.verify

    def transferred(*given: Any, **how: Any) -> bool:
        """While the password is looked at."""
        with services.db.write() as session:
            session.execute(
                update(User).where(User.id == person.id).values(access_epoch=User.access_epoch + 1)
            )
        return bool(verify(*given, **how))

    page = open_login(client, "/portal/profile")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(services.passwords, "verify", transferred)
        answer = submit(client, page, username=person.username, password=PASSWORD)
    assert answer.status_code == 409
    assert "vừa thay đổi" in answer.text
    assert not is_signed_in(client)
    with services.db.read() as session:
        assert session.scalars(select(SsoSession)).all() == []
    sign_in(client, person.username, PASSWORD)
    assert is_signed_in(client)


@pytest.mark.both_databases
def test_finishing_starts_one_session_however_often_it_is_asked(
    services: Any, person: Person
) -> None:
    from directory.base.errors import Conflict

    now = services.clock()
    with services.db.write() as session:
        flow_id = flows.begin(
            session,
            return_to="/",
            client_id=None,
            request={},
            now=now,
            settings=services.settings,
            browser="b",
        )
        found = passwords.candidate(session, person.username)
        assert found is not None
        flow = flows.find(session, flow_id, browser="b", now=now)
        assert flow is not None
        epochs = Epochs(found.user_epoch, 1)
        flows.record(session, flow, Passed(found.user_id, by_password.proven(now, epochs)))

    def finish() -> Any:
        with services.db.write() as session:
            return finishing.finish(
                session,
                flow_id,
                browser="b",
                ways=registry.FACTORS,
                acting=None,
                source=Source("203.0.113.9", 4711, "test"),
                now=now,
                settings=services.settings,
                keyring=services.keyring,
            )

    def outcome(_n: int) -> Any:
        try:
            return finish()
        except Conflict:
            return None

    with ThreadPoolExecutor(4) as pool:
        (done,) = [found for found in pool.map(outcome, range(4)) if found is not None]
    with services.db.write() as session:
        asked = {"return_to": "/", "now": now}
        assert not flows.consume_completed(session, flow_id, "another", **asked)
        assert not flows.consume_completed(
            session, flow_id, done.session_id, return_to="/x", now=now
        )
        late = {"return_to": "/", "now": now + timedelta(hours=1)}
        assert not flows.consume_completed(session, flow_id, done.session_id, **late)
        assert flows.consume_completed(session, flow_id, done.session_id, **asked)
        assert not flows.consume_completed(session, flow_id, done.session_id, **asked)


def test_signing_in_again_keeps_the_session_and_changes_the_cookie(
    client: FlaskClient, person: Person, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD)
    before = client.get_cookie(COOKIE)
    services.clock.advance(minutes=5)
    page = open_login_again(client)
    assert f'value="{person.username}"' in page.text
    submit(client, page, username=person.username, password=PASSWORD)
    client.get(page.request.path)
    after = client.get_cookie(COOKIE)
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with services.db.read() as session:
        (living,) = sessions.living(session, [person.id], now=services.clock())
    assert living.auth_time == services.clock()
    client.set_cookie(COOKIE, before.value)
    assert not is_signed_in(client)


def test_another_person_signing_in_ends_the_session_before(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    first, second = make_person(), make_person()
    sign_in(client, first.username, PASSWORD)
    page = open_login_again(client)
    submit(client, page, username=second.username, password=PASSWORD)
    client.get(page.request.path)
    with services.db.read() as session:
        assert sessions.living(session, [first.id], now=services.clock()) == []
        assert len(sessions.living(session, [second.id], now=services.clock())) == 1


@pytest.mark.both_databases
def test_switching_capacity_starts_another_session_and_ends_the_old(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    person = make_person(posts=2)
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    old = client.get_cookie(COOKIE)
    page = client.get("/portal/capacity")
    assert submit(client, page, assignment=str(person.capacities[1])).status_code == 303
    with services.db.read() as session:
        (living,) = sessions.living(session, [person.id], now=services.clock())
        ended = session.scalars(select(SsoSession).where(SsoSession.ended_at.is_not(None))).one()
    assert living.assignment_id == person.capacities[1]
    assert ended.end_reason == "switched"
    assert living.auth_time == ended.auth_time
    assert is_signed_in(client)
    assert old is not None
    client.set_cookie(COOKIE, old.value)
    assert not is_signed_in(client)


def test_nobody_switches_to_a_capacity_that_is_not_hers(
    client: FlaskClient, make_person: Any
) -> None:
    person, other = make_person(posts=2), make_person()
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    page = client.get("/portal/capacity")
    assert submit(client, page, assignment=str(other.capacities[0])).status_code == 422


@pytest.mark.both_databases
def test_a_session_dies_with_its_assignment_and_with_what_cuts_its_person(
    client: FlaskClient, make_person: Any, services: Any
) -> None:
    def end_assignment(session: Any, person: Person) -> None:
        session.execute(
            update(Assignment)
            .where(Assignment.id == person.capacities[0])
            .values(valid_to=local_day(services.clock()))
        )

    def raise_epoch(session: Any, person: Person) -> None:
        session.execute(update(User).where(User.id == person.id).values(access_epoch=9))

    def suspend(session: Any, person: Person) -> None:
        session.execute(update(User).where(User.id == person.id).values(status="suspended"))

    def cut(session: Any, person: Person) -> None:
        at = services.clock.advance(seconds=5)
        session.add(UserCut(user_id=person.id, at=at, change_id="c"))

    for kill in (end_assignment, raise_epoch, suspend, cut):
        person = make_person()
        client.delete_cookie(COOKIE)
        sign_in(client, person.username, PASSWORD)
        assert is_signed_in(client)
        with services.db.write() as session:
            kill(session, person)
        assert not is_signed_in(client), kill.__name__


def test_a_dated_cut_counts_from_its_moment_on(
    client: FlaskClient, person: Person, services: Any
) -> None:
    midnight = day_start(local_day(services.clock()))
    services.clock.set(midnight.replace(hour=midnight.hour - 1))
    sign_in(client, person.username, PASSWORD)
    with services.db.write() as session:
        session.add(UserCut(user_id=person.id, at=midnight, change_id="c"))
    services.clock.set(midnight.replace(minute=0))
    services.clock.advance(minutes=-46)
    assert is_signed_in(client)
    services.clock.set(midnight)
    assert not is_signed_in(client)


def test_idle_sessions_end_and_asking_for_the_status_is_no_sign_of_life(
    client: FlaskClient, person: Person, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD)
    services.clock.advance(minutes=14)
    assert client.get("/portal/profile").status_code == 200
    services.clock.advance(minutes=14)
    assert is_signed_in(client)
    services.clock.advance(minutes=2)
    assert not is_signed_in(client)


def test_no_session_outlives_its_lifetime(
    client: FlaskClient, person: Person, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD)
    for _ in range(12 * 6):
        assert client.get("/portal/profile").status_code == 200
        services.clock.advance(minutes=10)
    assert client.get("/portal/profile").status_code == 303


@pytest.mark.both_databases
def test_a_session_is_resolved_by_one_select_and_touched_once_a_minute(
    client: FlaskClient, person: Person, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    seen: list[str] = []

    def resolve(value: str) -> Any:
        seen.clear()
        with services.db.hot() as connection:
            return sessions.resolve(
                connection,
                services.keyring,
                value,
                now=services.clock(),
                settings=services.settings,
            )

    with heard(lambda said: seen.append(said.split()[0]), *services.db.engines):
        assert resolve(cookie.value).username == person.username
        assert seen == ["SELECT"]
        services.clock.advance(seconds=61)
        resolve(cookie.value)
        assert seen == ["SELECT", "UPDATE"]
        resolve(cookie.value)
        assert seen == ["SELECT"]
        for forged in (bent(cookie.value, -1), cookie.value + "x", "a.1.AAAA", "..", "", "é.1.x"):
            assert resolve(forged) is None
            assert seen == []


def test_signing_out_ends_the_session_everywhere(
    client: FlaskClient, person: Person, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD)
    cookie = client.get_cookie(COOKIE)
    answer = submit(client, client.get("/portal/profile"), action="/logout")
    assert answer.headers["Location"] == "/signed-out"
    assert client.get("/signed-out").status_code == 200
    assert client.get_cookie(COOKIE) is None
    assert cookie is not None
    client.set_cookie(COOKIE, cookie.value)
    assert not is_signed_in(client)


def test_other_sessions_are_listed_and_ended(app: Flask, make_person: Any) -> None:
    person, stranger = make_person(), make_person()
    here, there, elsewhere = app.test_client(), app.test_client(), app.test_client()
    for client in (here, there):
        sign_in(client, person.username, PASSWORD)
    sign_in(elsewhere, stranger.username, PASSWORD)
    page = here.get("/portal/sessions")
    assert page.text.count("Phiên này") == 1
    assert len(re.findall(r'name="session" value="[\w-]{22}"', page.text)) == 2
    foreign = re.search(
        r'name="session" value="([\w-]{22})"', elsewhere.get("/portal/sessions").text
    )
    assert foreign is not None
    submit(here, page, action="/portal/sessions/end", session=foreign[1])
    assert is_signed_in(elsewhere)
    submit(here, page, action="/portal/sessions/end", session="others")
    assert is_signed_in(here)
    assert not is_signed_in(there)


@pytest.mark.both_databases
def test_changing_the_password_ends_every_other_session(app: Flask, person: Person) -> None:
    here, there = app.test_client(), app.test_client()
    for client in (here, there):
        sign_in(client, person.username, PASSWORD)
    new = "con trâu đội nón lá"
    page = here.get("/portal/profile")
    where = "/portal/profile/password"
    wrong = submit(here, page, action=where, current="sai", password=new, again=new)
    assert wrong.status_code == 422
    assert is_signed_in(there)
    done = submit(here, page, action=where, current=PASSWORD, password=new, again=new)
    assert done.status_code == 303
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_every_sign_in_and_failure_is_audited_with_its_source(
    client: FlaskClient, person: Person, services: Any
) -> None:
    submit(client, open_login(client), username=person.username, password="sai")
    sign_in(client, person.username, PASSWORD)
    submit(client, client.get("/portal/profile"), action="/logout")
    with services.db.read() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    found = [
        (row.tag, row.source_ip)
        for row in rows
        if (row.subject_kind, row.subject_id) == ("user", str(person.id))
        and row.tag.startswith(("login.", "session."))
    ]
    assert found == [
        (tag.value, "127.0.0.1") for tag in (Tag.LOGIN_FAIL, Tag.SESSION_START, Tag.SESSION_END)
    ]
    assert PASSWORD not in repr([(r.data, r.personal) for r in rows])
