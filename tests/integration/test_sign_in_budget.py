"""How many requests and statements a full sign-in costs: a budget, not a measurement."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from idp.factors import passwords
from idp.login.flow_rows import LoginFlow
from idp.oidc import answering
from idp.oidc.clients import ResponseType
from idp.sessions import SsoSession
from tests import hr_world
from tests.browser_client import following, hidden_fields, open_login, submit
from tests.hr_world import Hr
from tests.relying_party import Flow, World, build_world, counted
from tests.someone import INSIDE, OUTSIDE, Someone

pytestmark = pytest.mark.both_databases

PASSWORD = "bếp củi reo vui sớm mai"
ON_POSTGRESQL, ON_SQLITE = 12, 14
FURTHER = 8


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(
        second_factor="nobody", response_types=[kind.value for kind in ResponseType]
    )


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    made = build_world(services, clock)
    with services.db.write() as session:
        hasher = services.passwords
        passwords.set_password(
            session, hasher, made.user_id, PASSWORD, must_change=False, now=clock()
        )
    return made


@pytest.fixture
def name(world: World) -> str:
    with world.services.db.read() as session:
        found: str = session.execute(text("SELECT username FROM users")).scalar_one()
    return found


def first_page(flow: Flow, **changes: str | None) -> Any:
    """The page that asks for the password, on the way to the application."""
    return flow.browser.get(flow.ask(**changes).headers["Location"])


def sign_in(flow: Flow, name: str, **changes: str | None) -> Any:
    return submit(flow.browser, first_page(flow, **changes), username=name, password=PASSWORD)


@contextmanager
def requests(app: Flask) -> Iterator[list[str]]:
    seen: list[str] = []
    inner = app.wsgi_app

    def watched(environ: Any, start_response: Any) -> Any:
        seen.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO'].split('/')[1]}")
        return inner(environ, start_response)

    app.wsgi_app = watched  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        app.wsgi_app = inner  # type: ignore[method-assign]


@pytest.mark.parametrize("restricted", [False, True], ids=["open to all", "given by a rule"])
def test_a_full_sign_in_is_four_requests_and_twelve_statements(
    world: World, app: Flask, name: str, restricted: bool
) -> None:
    party = world.restricted() if restricted else world.register()
    warm = Flow(app.test_client(), party)
    warm.redeem(warm.told(sign_in(warm, name))["code"])  # rules and keys are read once per process
    flow = Flow(app.test_client(), party)
    with requests(app) as seen, counted(world.services) as cost:
        answer = sign_in(flow, name)
        assert flow.redeem(flow.told(answer)["code"]).status_code == 200
    assert answer.status_code == 303
    assert seen == ["GET oauth2", "GET login", "POST login", "POST oauth2"]
    most = ON_SQLITE if world.services.db.is_sqlite else ON_POSTGRESQL
    assert sum(cost.values()) <= most, cost
    # In a browser that knows her nothing is more.
    flow.browser.delete_cookie("dinhdanh")
    with counted(world.services) as cost:
        flow.redeem(flow.told(sign_in(flow, name))["code"])
    assert sum(cost.values()) <= most, cost


def rows(world: World, table: type) -> list[Any]:
    with world.services.db.read() as session:
        return list(session.scalars(select(table)))


def test_what_is_written_of_it_is_written_once(world: World, app: Flask, name: str) -> None:
    flow = Flow(app.test_client(), world.register())
    flow.told(sign_in(flow, name))
    (one,), (session,) = rows(world, LoginFlow), rows(world, SsoSession)
    assert (one.session_id, one.user_id, one.consumed) == (session.id, world.user_id, True)
    with world.services.db.read() as reading:
        tags = reading.scalars(text("SELECT tag FROM audit_entry WHERE tag LIKE 'session.%'")).all()
    assert tags == ["session.start"]


@pytest.mark.parametrize("between", ["nothing", "the first answer is lost"])
def test_the_same_form_twice_gives_one_session(
    world: World, app: Flask, name: str, between: str
) -> None:
    flow = Flow(app.test_client(), world.register())
    page = first_page(flow)
    sent = hidden_fields(page.text) | {"username": name, "password": PASSWORD}
    first = flow.browser.post(page.request.path, data=sent)
    assert "code" in flow.told(first)
    if between != "nothing":
        flow.browser.delete_cookie("dinhdanh")
    again = flow.browser.post(page.request.path, data=sent, follow_redirects=False)
    assert len(rows(world, SsoSession)) == 1
    while again.headers.get("Location", "").startswith("/"):
        again = flow.browser.get(again.headers["Location"])
    if between == "nothing":
        assert "code" in flow.told(again)
    else:
        assert 'name="password"' in again.text
    assert len(rows(world, SsoSession)) == 1


def test_the_page_looked_at_once_more_goes_where_she_was_going(
    world: World, app: Flask, name: str
) -> None:
    flow = Flow(app.test_client(), world.register())
    page = first_page(flow)
    submit(flow.browser, page, username=name, password=PASSWORD)
    back = flow.browser.get(page.request.path)
    assert back.status_code == 303
    assert "code" in flow.told(flow.browser.get(back.headers["Location"]))
    assert len(rows(world, SsoSession)) == 1


def test_a_sign_in_that_was_asked_for_answers_its_request_once(
    world: World, app: Flask, name: str
) -> None:
    """OIDC Core §3.1.2.1, prompt=login: neither the address nor the form is good a second time."""
    flow = Flow(app.test_client(), world.register())
    page = first_page(flow, prompt="login")
    assert "code" in flow.told(submit(flow.browser, page, username=name, password=PASSWORD))
    back = flow.browser.get(page.request.path)
    assert "/login/" in flow.browser.get(back.headers["Location"]).headers["Location"]


@pytest.mark.parametrize("prompt", [None, "login", "consent", "login consent"])
def test_where_a_page_is_needed_first_it_comes_and_then_the_code(
    world: World, app: Flask, name: str, prompt: str | None
) -> None:
    flow = Flow(app.test_client(), world.register(first_party=False))
    answer = sign_in(flow, name, prompt=prompt)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/oauth2/authorize?")
    page = flow.browser.get(answer.headers["Location"])
    assert page.status_code == 200
    allowed = submit(flow.browser, page, "/oauth2/consent", decision="allow")
    assert "code" in flow.told(allowed)


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post", "jwt"])
def test_every_way_of_answering_is_given_with_the_sign_in(
    world: World, app: Flask, name: str, mode: str
) -> None:
    flow = Flow(app.test_client(), world.register())
    answer = sign_in(flow, name, response_mode=mode)
    if mode == "form_post":
        assert answer.status_code == 200
        assert hidden_fields(answer.text)["code"]
    else:
        assert answer.status_code == 303
        assert flow.told(answer).keys() & {"code", "response"}
    assert flow.browser.get_cookie("dinhdanh") is not None


def test_who_may_not_use_the_application_is_told_so_on_its_page(
    world: World, app: Flask, name: str
) -> None:
    flow = Flow(app.test_client(), world.restricted(unit_id=world.other_unit_id))
    answer = sign_in(flow, name)
    assert answer.headers["Location"].startswith("/oauth2/authorize?")
    assert flow.browser.get(answer.headers["Location"]).status_code == 403


def test_a_fault_on_the_way_to_the_application_loses_no_session(
    world: World, app: Flask, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """She is signed in; the application is asked for once more, where a fault would be told."""
    flow = Flow(app.test_client(), world.register())
    page = first_page(flow, prompt="login")
    with monkeypatch.context() as broken:
        broken.setattr(answering, "decide", lambda _: 1 / 0)
        answer = submit(flow.browser, page, username=name, password=PASSWORD)
    assert answer.headers["Location"].startswith("/oauth2/authorize?")
    assert "code" in flow.told(flow.browser.get(answer.headers["Location"]))
    assert len(rows(world, SsoSession)) == 1


def test_a_pushed_request_is_used_up_by_the_sign_in_it_waited_for(
    world: World, app: Flask, name: str
) -> None:
    flow = Flow(app.test_client(), world.register())
    pushed = flow.post("/oauth2/par", flow.query).get_json()["request_uri"]
    asked = {"client_id": flow.party.client_id, "request_uri": pushed}
    page = flow.browser.get(
        flow.browser.get("/oauth2/authorize", query_string=asked).headers["Location"]
    )
    code = flow.told(submit(flow.browser, page, username=name, password=PASSWORD))["code"]
    assert flow.redeem(code).status_code == 200
    assert flow.browser.get("/oauth2/authorize", query_string=asked).status_code == 400


def test_another_persons_sign_in_ends_the_first_ones_session(
    world: World, app: Flask, name: str, client: FlaskClient
) -> None:
    """Shared computers: who signs in over somebody else's session leaves none behind."""
    flow = Flow(client, world.register())
    before = world.sign_in(client)
    answer = sign_in(flow, name, prompt="login")
    assert "code" in flow.told(answer)
    (session,) = rows(world, SsoSession)  # the same person, in the same capacity: it goes on
    assert session.id == before.id
    assert session.generation == 2


# ---- further factors -------------------------------------------------------------------------


def paid(person: Someone, hr: Hr, *answers: Callable[[], dict[str, str]]) -> int:
    """The statements of a sign-in at a page of ours, from its first page to its end."""
    with counted(hr.services) as cost:
        page = open_login(person.client, "/portal/profile")
        for answer in answers:
            done = submit(person.client, page, **answer())
            page = following(person.client, done)
    assert page.headers["Location"] == "/portal/profile"
    return sum(cost.values())


@pytest.mark.parametrize("by", ["a code of her app", "a code on paper"])
def test_a_further_factor_costs_so_much_more(
    services: Any, clock: Any, app: Flask, by: str
) -> None:
    services.settings.second_factor = "outside"
    services.settings.inside_networks = ["10.0.0.0/8"]
    hr = hr_world.build(services, clock, app)
    lan = Someone(hr, "lan", OUTSIDE)
    lan.whole()
    password = {"username": hr.names["lan"], "password": hr_world.PASSWORD}
    lan.again(INSIDE).password()  # rules are read once per process
    clock.advance(seconds=90)
    alone = paid(lan.again(INSIDE), hr, lambda: password)
    paper = {"step": "recovery_code", "code": lan.codes[0]}
    second = (lambda: {"code": lan.code()}) if by.endswith("app") else (lambda: paper)
    both = paid(lan.again(OUTSIDE), hr, lambda: password, second)
    assert both - alone <= FURTHER, (alone, both)
