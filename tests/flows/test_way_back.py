"""Whoever would rather not sign in goes back to the application, which is told so."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from directory.people import User
from idp.factors import passwords
from idp.login.flow_rows import LoginFlow
from idp.oidc.clients import Client, Options
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields, open_login, submit
from tests.relying_party import OPERATOR, REDIRECT, Flow, World, build_world
from tests.signed_requests import ISSUER, SignedFlow, register

PASSWORD = "Mưa rơi trên mái ngói đỏ"
BACK = "Hủy, quay lại ứng dụng"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    return Flow(client, world.register())


def _page(flow: Flow, **changes: str | None) -> Any:
    return _opened(flow, flow.ask(**changes))


def _opened(flow: Flow, answer: Any) -> Any:
    assert answer.status_code == 303, answer.text
    return flow.browser.get(answer.headers["Location"])


def _signs_in(world: World, flow: Flow, page: Any, *, must_change: bool) -> None:
    """Her password fits; what else is missing stays so."""
    has, now = world.services, world.clock()
    with has.db.write() as session:
        passwords.store(
            session,
            world.user_id,
            has.passwords.hash(PASSWORD),
            must_change=must_change,
            now=now,
            actor=OPERATOR,
        )
    with has.db.read() as session:
        username = session.get_one(User, world.user_id).username
    answer = submit(flow.browser, page, username=username, password=PASSWORD)
    assert answer.status_code == 303, answer.text


def _cancel(flow: Flow, page: Any, *, browser: Any = None, **changes: str) -> Any:
    """Press the button, as a browser without JavaScript does."""
    form = page.text.split(BACK)[0].rpartition("<form ")[2]
    action = form.partition('action="')[2].partition('"')[0]
    fields = {"csrf_token": hidden_fields(form)["csrf_token"]} | changes
    return (browser or flow.browser).post(action, data=fields)


@pytest.mark.both_databases
def test_the_application_is_told_that_she_would_rather_not(world: World, flow: Flow) -> None:
    """OIDC Core §3.1.2.6."""
    page = _page(flow)
    by_key = page.text.count('type="submit" hidden')  # until a script finds that there are passkeys
    assert page.text.count('type="submit"') - by_key == 1  # the way in is the one that is named so
    answer = _cancel(flow, page)
    assert answer.status_code == 303
    told = flow.told(answer)
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", flow.state, ISSUER)
    assert not world.all(Grant)


def test_the_sign_in_is_over_then(world: World, flow: Flow) -> None:
    page = _page(flow)
    _cancel(flow, page)
    assert flow.browser.get(page.request.path).status_code == 404
    given = hidden_fields(page.text) | {"username": "lan", "password": "x"}
    assert flow.browser.post(page.request.path, data=given).status_code == 404
    again = _cancel(flow, page)
    assert again.headers["Location"] == page.request.path
    # The next request begins a new one.
    assert BACK in _page(flow).text


@pytest.mark.parametrize(
    ("mode", "where"), [("fragment", "#error=access_denied"), ("query", "?error=access_denied")]
)
def test_the_answer_goes_the_way_the_application_asked_for(
    flow: Flow, mode: str, where: str
) -> None:
    answer = _cancel(flow, _page(flow, response_mode=mode))
    assert answer.headers["Location"].startswith(REDIRECT + where)


def test_a_posted_answer_is_posted(flow: Flow) -> None:
    """OAuth 2.0 Form Post Response Mode §2."""
    page = _page(flow, response_mode="form_post")
    assert "http://localhost:9001" in page.headers["Content-Security-Policy"]
    answer = _cancel(flow, page)
    assert answer.status_code == 200
    assert hidden_fields(answer.text)["error"] == "access_denied"
    assert f'action="{REDIRECT}"' in answer.text


def test_a_pushed_request_is_used_up_by_it(world: World, flow: Flow) -> None:
    """RFC 9126 §7.3."""
    pushed = flow.post("/oauth2/par", flow.query).get_json()["request_uri"]
    query = {"client_id": flow.party.client_id, "request_uri": pushed}
    page = _opened(flow, flow.browser.get("/oauth2/authorize", query_string=query))
    assert flow.told(_cancel(flow, page))["error"] == "access_denied"
    assert flow.browser.get("/oauth2/authorize", query_string=query).status_code == 400


def test_a_signed_request_is_answered_as_it_was_signed(world: World, client: Any) -> None:
    signs = register(world, options={"require_signed_request_object": True})
    flow = SignedFlow(client, signs, now=int(world.clock().timestamp()))
    told = flow.told(_cancel(flow, _opened(flow, flow.bring(flow.signed()))))
    assert (told["error"], told["state"]) == ("access_denied", flow.state)


def test_every_step_of_the_sign_in_has_it(world: World, flow: Flow) -> None:
    page = _page(flow)
    wrong = hidden_fields(page.text) | {"username": "", "password": ""}
    refused = flow.browser.post(page.request.path, data=wrong)
    assert refused.status_code == 422
    assert BACK in refused.text
    _signs_in(world, flow, page, must_change=True)
    page = flow.browser.get(page.request.path)
    assert "Mật khẩu bạn vừa dùng là mật khẩu tạm." in page.text
    assert flow.told(_cancel(flow, page))["error"] == "access_denied"


def test_who_came_by_herself_has_nowhere_to_go_back_to(world: World, client: Any) -> None:
    page = open_login(client, "/portal/profile")
    assert "password" in page.text
    assert BACK not in page.text
    path = page.request.path
    given = {"csrf_token": hidden_fields(page.text)["csrf_token"]}
    answer = client.post(f"/oauth2/cancel/{path.rpartition('/')[2]}", data=given)
    assert answer.headers["Location"] == path
    assert client.get(path).status_code == 200


def test_it_speaks_english_too(flow: Flow) -> None:
    answer = flow.ask(ui_locales="en")
    page = flow.browser.get(answer.headers["Location"])
    assert "Cancel, back to the application" in page.text


# ---- nobody else does it for her ---------------------------------------------------------------


def test_the_way_back_needs_the_page_s_own_form(flow: Flow) -> None:
    """CWE-352."""
    page = _page(flow)
    assert _cancel(flow, page, csrf_token="").status_code == 400
    action = f"/oauth2/cancel/{page.request.path.rpartition('/')[2]}"
    assert flow.browser.get(action).status_code == 405
    assert flow.browser.get(page.request.path).status_code == 200


def test_another_browser_cannot_give_up_her_sign_in(flow: Flow) -> None:
    """CWE-639."""
    page = _page(flow)
    other = flow.browser.application.test_client()
    theirs = Flow(other, flow.party)
    own = {"csrf_token": hidden_fields(_page(theirs).text)["csrf_token"]}
    answer = other.post(f"/oauth2/cancel/{page.request.path.rpartition('/')[2]}", data=own)
    assert answer.headers["Location"] == page.request.path
    assert flow.browser.get(page.request.path).status_code == 200


def test_a_sign_in_that_is_done_is_not_given_up(world: World, flow: Flow) -> None:
    """RFC 9700 §4.5: one request has one answer, and who has signed in has given it."""
    page = _page(flow)
    _signs_in(world, flow, page, must_change=False)
    back = flow.browser.get(page.request.path).headers["Location"]
    (before,) = world.all(LoginFlow)
    token = hidden_fields(flow.browser.get("/portal/profile").text)["csrf_token"]
    answer = _cancel(flow, page, csrf_token=token)
    assert answer.headers["Location"] == page.request.path
    (after,) = world.all(LoginFlow)
    assert (after.done_at, after.expires_at) == (before.done_at, before.expires_at)
    assert "code" in flow.told(flow.browser.get(back))


def test_a_sign_in_that_is_too_old_is_not_given_up(world: World, flow: Flow) -> None:
    page = _page(flow)
    world.clock.advance(minutes=16)
    assert _cancel(flow, page).headers["Location"] == page.request.path
    assert not world.all(LoginFlow)


def test_a_client_that_was_disabled_is_told_nothing(world: World, flow: Flow) -> None:
    page = _page(flow)
    world.change(Client, flow.party.id, enabled=False)
    answer = _cancel(flow, page)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_an_address_that_is_not_registered_any_more_is_not_gone_back_to(
    world: World, flow: Flow
) -> None:
    """RFC 9700 §4.11: the request is judged again, whole."""
    page = _page(flow)
    world.change(Client, flow.party.id, redirect_uris=["http://localhost:9001/other"])
    answer = _cancel(flow, page)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_client_that_must_be_answered_signed_is(world: World, client: Any) -> None:
    """JARM §2.3.1."""
    flow = Flow(client, world.register(options=Options(authorization_signed_response_alg="ES256")))
    answer = _cancel(flow, _page(flow, response_mode="query.jwt"))
    assert dict(parse_qsl(urlsplit(answer.headers["Location"]).query)).keys() == {"response"}


@pytest.mark.both_databases
def test_a_sign_in_nobody_could_have_begun_is_not_looked_for(flow: Flow) -> None:
    """CWE-20: PostgreSQL's text holds no NUL."""
    token = {"csrf_token": hidden_fields(_page(flow).text)["csrf_token"]}
    for name in ("a%00b", "%FF", "x" * 5000):
        answer = flow.browser.post(f"/oauth2/cancel/{name}", data=token)
        assert answer.status_code in (303, 400, 404), name
