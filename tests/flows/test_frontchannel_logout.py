"""Front-Channel Logout 1.0, and what the pages around a sign-out do in a browser."""

import base64
import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from directory.base.outbox import Job, JobKind
from idp.oidc.clients import Options, SubjectType
from tests.browser_client import hidden_fields
from tests.relying_party import REDIRECT, Flow, World, build_world

ISSUER = "http://localhost:8000"
BYE = "http://localhost:9001/bye"
FRAME = re.compile(r'<iframe[^>]* src="([^"]+)"')


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def listening(world: World, port: int = 9001, *, sid: bool = True, **columns: Any) -> Any:
    """A client with a front-channel logout address at an origin of its own."""
    origin = f"http://localhost:{port}"
    return world.register(
        f"Ứng dụng {port}",
        redirect_uris=(f"{origin}/callback",),
        post_logout_redirect_uris=(f"{origin}/bye",),
        options=Options(
            frontchannel_logout_uri=f"{origin}/gone?x=1", frontchannel_logout_session_required=sid
        ),
        **columns,
    )


def signed_in_to(browser: FlaskClient, party: Any, port: int = 9001, **changes: Any) -> Any:
    """The tokens of a sign-in to the client."""
    flow = Flow(browser, party, redirect_uri=f"http://localhost:{port}/callback")
    return flow.tokens(**changes)


def frames(page: Any) -> list[str]:
    return [unescape(address) for address in FRAME.findall(page.text)]


def leave(browser: FlaskClient, **query: str) -> Any:
    return browser.get("/oauth2/logout", query_string=query)


@pytest.mark.both_databases
def test_the_signed_out_page_opens_the_address_of_every_application_of_the_session(
    world: World, client: FlaskClient
) -> None:
    first, second = listening(world), listening(world, 9002, sid=False)
    listening(world, 9003)  # nobody has signed in to this one
    view = world.sign_in(client)
    hint = signed_in_to(client, first)["id_token"]
    signed_in_to(client, second, 9002)
    page = leave(client, id_token_hint=hint, post_logout_redirect_uri=BYE, state="s 1")
    assert page.status_code == 200
    opened = frames(page)
    assert len(opened) == 2
    required = parse_qs(urlsplit(opened[0]).query)
    assert opened[0].startswith("http://localhost:9001/gone?")
    assert required == {"x": ["1"], "iss": [ISSUER], "sid": [view.id]}
    assert opened[1] == "http://localhost:9002/gone?x=1"
    assert leave(client).headers["Location"] == "/signed-out"


def test_the_page_goes_on_without_javascript(world: World, client: FlaskClient) -> None:
    party = listening(world)
    world.sign_in(client)
    hint = signed_in_to(client, party)["id_token"]
    page = leave(client, id_token_hint=hint, post_logout_redirect_uri=BYE, state='s"&<1')
    refresh = re.findall(r'<meta http-equiv="refresh" content="(\d+);url=([^"]+)">', page.text)
    assert [(int(seconds) < 10, unescape(url)) for seconds, url in refresh] == [
        (True, f"{BYE}?state=s%22%26%3C1")
    ]
    assert f'<a class="btn btn-primary" href="{refresh[0][1]}">' in page.text
    assert "<script" not in page.text


def test_only_this_page_may_hold_frames_and_only_of_these_origins(
    world: World, client: FlaskClient
) -> None:
    party = listening(world)
    world.sign_in(client)
    assert "frame-src 'none'" in client.get("/").headers["Content-Security-Policy"]
    hint = signed_in_to(client, party)["id_token"]
    policy = leave(client, id_token_hint=hint).headers["Content-Security-Policy"]
    assert "frame-src http://localhost:9001;" in policy
    assert "frame-ancestors 'none'" in policy
    after = client.get("/signed-out")
    assert "frame-src 'none'" in after.headers["Content-Security-Policy"]


def test_signing_out_in_the_portal_opens_them_too(world: World, client: FlaskClient) -> None:
    party = listening(world)
    view = world.sign_in(client)
    signed_in_to(client, party)
    home = client.get("/")
    page = client.post("/logout", data=hidden_fields(home.text), follow_redirects=True)
    assert [parse_qs(urlsplit(url).query)["sid"] for url in frames(page)] == [[view.id]]
    assert "refresh" not in page.text
    assert client.get("/").status_code == 303


def test_a_code_that_was_never_redeemed_opens_nothing(world: World, client: FlaskClient) -> None:
    party = listening(world)
    world.sign_in(client)
    Flow(client, party, redirect_uri=REDIRECT).code()
    page = client.post("/logout", data=hidden_fields(client.get("/").text))
    assert page.status_code == 303


def test_a_disabled_client_is_not_opened(world: World, client: FlaskClient) -> None:
    from idp.oidc.clients import Client

    party = listening(world)
    world.sign_in(client)
    signed_in_to(client, party)
    world.change(Client, party.id, enabled=False)
    assert client.post("/logout", data=hidden_fields(client.get("/").text)).status_code == 303


def test_a_pairwise_client_is_told_its_own_name_of_the_session(
    world: World, client: FlaskClient
) -> None:
    party = world.register(
        redirect_uris=("https://a.example/callback",),
        subject_type=SubjectType.PAIRWISE,
        options=Options(
            frontchannel_logout_uri="https://a.example/gone",
            frontchannel_logout_session_required=True,
        ),
    )
    view = world.sign_in(client)
    flow = Flow(client, party, redirect_uri="https://a.example/callback")
    hint = flow.tokens()["id_token"]
    body = hint.split(".")[1]
    known = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    told = parse_qs(urlsplit(frames(leave(client, id_token_hint=hint))[0]).query)
    assert told["sid"] == [known["sid"]] != [view.id]


def test_back_channel_and_front_channel_go_together(world: World, client: FlaskClient) -> None:
    party = listening(world, backchannel_logout_uri="http://localhost:9001/backchannel")
    world.sign_in(client)
    hint = signed_in_to(client, party)["id_token"]
    assert frames(leave(client, id_token_hint=hint))
    jobs = [job for job in world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER.value]
    assert len(jobs) == 1


def test_a_client_that_got_its_tokens_in_the_front_channel_is_told_as_well(
    make_settings: Any, clock: Any
) -> None:
    from idp.oidc.clients import GrantType, ResponseType
    from idp.run import wiring
    from idp.run.app import create_app

    settings = make_settings(response_types=["code", "id_token"])
    services = wiring.build(settings, clock=clock)
    browser = create_app(services).test_client()
    world = build_world(services, clock)
    uri = "https://a.example/callback"
    party = world.register(
        redirect_uris=(uri,),
        grant_types=(GrantType.IMPLICIT,),
        response_types=(ResponseType.ID_TOKEN,),
        backchannel_logout_uri="https://a.example/backchannel",
        options=Options(frontchannel_logout_uri="https://a.example/gone"),
    )
    world.sign_in(browser)
    answer = Flow(browser, party, redirect_uri=uri).ask(
        response_type="id_token", code_challenge=None, code_challenge_method=None
    )
    assert "id_token=" in answer.headers["Location"]
    home = browser.get("/")
    page = browser.post("/logout", data=hidden_fields(home.text), follow_redirects=True)
    assert frames(page) == ["https://a.example/gone"]
    assert [j.kind for j in world.all(Job)].count(JobKind.LOGOUT_DELIVER.value) == 1
    services.db.dispose()


def test_discovery_says_so(client: FlaskClient) -> None:
    said = client.get("/.well-known/openid-configuration").get_json()
    assert said["frontchannel_logout_supported"] is True
    assert said["frontchannel_logout_session_supported"] is True


def test_a_post_from_another_site_signs_out_all_the_same(
    world: World, client: FlaskClient, app: Any
) -> None:
    """It carries no SameSite=Lax cookie; the GET it is turned into does."""
    party = world.register(post_logout_redirect_uris=(BYE,))
    world.sign_in(client)
    hint = Flow(client, party).tokens()["id_token"]
    form = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "é&"}
    without_cookie = app.test_client().post("/oauth2/logout", data=form)
    assert without_cookie.status_code == 303
    arrived = client.get(without_cookie.headers["Location"])
    assert arrived.headers["Location"] == f"{BYE}?state=%C3%A9%26"
    assert client.get("/").status_code == 303


def test_ui_locales_choose_the_language_of_the_question(world: World, client: FlaskClient) -> None:
    world.sign_in(client)
    assert "Sign out of every application?" in leave(client, ui_locales="de en-GB vi").text
    assert "Đăng xuất khỏi mọi ứng dụng?" in leave(client, ui_locales="vi-VN en").text
    client.set_cookie("lang", "vi", domain="localhost")
    assert "Đăng xuất khỏi mọi ứng dụng?" in leave(client, ui_locales="en").text


def test_whoever_is_not_signed_in_confirms_before_she_is_taken_anywhere(
    world: World, client: FlaskClient
) -> None:
    """RP-Initiated Logout §3: without an ID token the address alone proves little."""
    party = world.register(post_logout_redirect_uris=(BYE,))
    page = leave(client, client_id=party.client_id, post_logout_redirect_uri=BYE, state="s")
    assert page.status_code == 200
    assert "localhost:9001" in page.text
    form = hidden_fields(page.text) | {"decision": "logout"}
    assert client.post("/oauth2/logout", data=form).headers["Location"] == f"{BYE}?state=s"
