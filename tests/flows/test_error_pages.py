"""What people are told when something goes wrong: plain words, a request id, and no internals."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from idp.oidc.clients import Client
from tests.browser_client import hidden_fields
from tests.relying_party import Flow, World, build_world

TEMPLATES = Path(__file__).parents[2] / "idp" / "templates"
INTERNALS = re.compile(
    r"Traceback|sqlalchemy|werkzeug|authlib|joserfc|jinja2|File \"|/idp/|SELECT |at 0x[0-9a-f]+"
)
EVENT = re.compile(r"\son[a-z]+\s*=", re.IGNORECASE)


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def unregistered(world: World, browser: FlaskClient) -> Any:
    return browser.get("/oauth2/authorize?client_id=nobody")


def elsewhere(world: World, browser: FlaskClient) -> Any:
    return Flow(browser, world.register(), redirect_uri="https://evil.example/").ask()


def disabled(world: World, browser: FlaskClient) -> Any:
    party = world.register()
    world.change(Client, party.id, enabled=False)
    return Flow(browser, party).ask()


def repeated(world: World, browser: FlaskClient) -> Any:
    return browser.get("/oauth2/authorize?client_id=a&client_id=b")


def used_up(world: World, browser: FlaskClient) -> Any:
    party = world.register()
    query = {"client_id": party.client_id, "request_uri": "urn:ietf:params:oauth:request_uri:x"}
    return browser.get("/oauth2/authorize", query_string=query)


def expired_form(world: World, browser: FlaskClient) -> Any:
    world.sign_in(browser)
    page = Flow(browser, world.register(first_party=False)).ask()
    form = hidden_fields(page.text) | {"decision": "allow", "csrf_token": ""}
    return browser.post("/oauth2/consent", data=form)


def expired_way_back(world: World, browser: FlaskClient) -> Any:
    page = browser.get(Flow(browser, world.register()).ask().headers["Location"])
    return browser.post(page.request.path.replace("/login/", "/oauth2/cancel/"))


def expired_question(world: World, browser: FlaskClient) -> Any:
    world.sign_in(browser)
    return browser.post("/oauth2/logout", data={"decision": "logout"})


def bad_hint(world: World, browser: FlaskClient) -> Any:
    return browser.get("/oauth2/logout?id_token_hint=x")


def bad_return(world: World, browser: FlaskClient) -> Any:
    return browser.get("/oauth2/logout?post_logout_redirect_uri=https://evil.example/")


def nowhere(world: World, browser: FlaskClient) -> Any:
    return browser.get("/portal/nowhere")


def no_such_flow(world: World, browser: FlaskClient) -> Any:
    return browser.get("/login/nothing")


PLACES: dict[str, tuple[Callable[[World, FlaskClient], Any], int, str, str]] = {
    "a client nobody knows": (unregistered, 400, "chưa được đăng ký", "not registered"),
    "a disabled client": (disabled, 400, "đã bị khóa", "disabled"),
    "an address not registered": (elsewhere, 400, "không đúng với đăng ký", "as registered"),
    "a repeated parameter": (repeated, 400, "yêu cầu không hợp lệ", "not valid"),
    "a used request": (used_up, 400, "đã dùng rồi hoặc đã hết hạn", "has expired"),
    "an old consent form": (expired_form, 400, "Biểu mẫu đã hết hạn", "form has expired"),
    "an old way back": (expired_way_back, 400, "Biểu mẫu đã hết hạn", "form has expired"),
    "an old sign-out form": (expired_question, 400, "Biểu mẫu đã hết hạn", "form has expired"),
    "a hint that is not ours": (bad_hint, 400, "ID token", "ID token"),
    "an address to return to": (bad_return, 400, "chưa được đăng xuất", "not been signed out"),
    "no such page": (nowhere, 404, "Không tìm thấy", "not found"),
}


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("place", PLACES)
def test_a_refusal_is_a_page_in_plain_words_with_a_request_id(
    world: World, client: FlaskClient, place: str, language: str
) -> None:
    act, status, vietnamese, english = PLACES[place]
    client.set_cookie("lang", language, domain="localhost")
    answer = act(world, client)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert f'<html lang="{language}">' in answer.text
    assert (vietnamese if language == "vi" else english).lower() in answer.text.lower()
    assert answer.headers["X-Request-ID"] in answer.text
    assert not INTERNALS.search(answer.text)


AT_THE_DOOR = {
    "another host": ("GET", {"Host": "evil.example"}, 421),
    "another origin": ("POST", {"Origin": "https://evil.example"}, 403),
    "no token against forgery": ("POST", {}, 400),
}


@pytest.mark.parametrize("what", AT_THE_DOOR)
def test_a_request_refused_at_the_door_is_answered_in_its_own_language(
    client: FlaskClient, what: str
) -> None:
    """Not in that of whoever the same thread has served before."""
    method, headers, status = AT_THE_DOOR[what]
    for before, language in (("en", "vi"), ("vi", "en")):
        client.get("/login/nothing", headers={"Accept-Language": before})
        said = headers | {"Accept-Language": language}
        answer = client.open("/login/nothing", method=method, headers=said)
        assert answer.status_code == status
        assert f'<html lang="{language}">' in answer.text


def test_a_fault_is_told_without_its_cause(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.oidc import answering

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("SELECT secret FROM /idp/keys")

    monkeypatch.setattr(answering, "decide", broken)
    client.application.testing = False
    answer = Flow(client, world.register()).ask()
    assert answer.status_code == 500
    assert answer.mimetype == "text/html"
    assert answer.headers["X-Request-ID"] in answer.text
    assert not INTERNALS.search(answer.text)


def test_a_program_is_told_as_a_program(client: FlaskClient) -> None:
    answer = client.get("/oauth2/nowhere")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["request_id"] == answer.headers["X-Request-ID"]


def test_a_flow_that_is_gone_offers_to_begin_anew(world: World, client: FlaskClient) -> None:
    answer = no_such_flow(world, client)
    assert answer.status_code == 404
    assert 'href="/login?return_to=' in answer.text


@pytest.mark.parametrize(
    "file", sorted(TEMPLATES.rglob("*.html")), ids=lambda f: str(f.relative_to(TEMPLATES))
)
def test_a_template_has_no_script_and_no_style_of_its_own(file: Path) -> None:
    """The content security policy would refuse them: nothing may depend on one."""
    text = re.sub(r"{#.*?#}", "", file.read_text("utf-8"), flags=re.DOTALL)
    scripts = re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text)
    assert not scripts
    assert "<style" not in text
    assert not re.search(r"<[a-z][^>{]*\sstyle\s*=", text)
    assert not re.search(r"<[a-z][^>{]*" + EVENT.pattern, text, re.IGNORECASE)
    assert "javascript:" not in text


def test_five_scripts_are_used_and_nothing_but_passkeys_needs_them() -> None:
    """One sends the form that a button sends, the others show a button that prints, and one that shows
    a password; what this one says while a password is typed, the page says when it was sent. One warns
    before the session ends, whose time the page names without it. Passkeys
    need theirs, which the page says where none runs.
    """
    using = {
        str(file.relative_to(TEMPLATES))
        for file in TEMPLATES.rglob("*.html")
        if "<script" in file.read_text("utf-8")
    }
    assert using == {"oidc/form_post.html", "parts.html", "passkey.html", "session_end.html"}
    ends = (TEMPLATES / "session_end.html").read_text("utf-8")
    assert ends.count("<script") == 1
    note, dialog = ends.split("<dialog", 1)
    assert "session-note" in note
    assert " open" not in dialog.partition(">")[0]
    passkey = (TEMPLATES / "passkey.html").read_text("utf-8")
    assert passkey.count("<script") == passkey.count("<noscript>") == 1
    assert re.search(r'<button[^>]* type="submit" hidden>', passkey)
    assert "<button" in (TEMPLATES / "oidc/form_post.html").read_text("utf-8")
    parts = (TEMPLATES / "parts.html").read_text("utf-8")
    assert parts.count("<script") == 2
    assert re.search(r"<button[^>]* data-print hidden>", parts)
    assert re.search(r"<button[^>]* data-shows [^>]*hidden>", parts)
