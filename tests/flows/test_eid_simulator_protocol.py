"""What the simulated providers accept and refuse, and what their pages and their control say.

No sockets: the WSGI application alone, with a clock that stands still.
"""

import base64
import hashlib
import html
import json
import re
import runpy
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from werkzeug.test import Client as Browser
from werkzeug.test import TestResponse

from dinhdanh.eid_simulator import clients, jose, people, sign_ins
from dinhdanh.eid_simulator.application import Application
from dinhdanh.eid_simulator.certainty import DETAILS
from dinhdanh.eid_simulator.faults import transport
from dinhdanh.eid_simulator.faults.fault import FOR_EVERYBODY, Stage
from dinhdanh.eid_simulator.faults.registry import FAULTS
from dinhdanh.eid_simulator.people import WrongFile
from dinhdanh.eid_simulator.simulation import MOUNTS, Mount, Settings

ROOT = Path(__file__).parents[2]
BASE = "http://localhost:8470"
BACK = "https://app.example.vn/callback"
KEY = ECKey.generate_key("P-256", {"kid": "its-key"})
PARTIES: list[dict[str, Any]] = [
    {
        "client_id": "app",
        "client_secret": "s3cret:+ /",
        "redirect_uris": [BACK],
        "post_logout_redirect_uris": ["https://app.example.vn/bye"],
    },
    {"client_id": "other", "client_secret": "other", "redirect_uris": [BACK]},
    {
        "client_id": "by-key",
        "redirect_uris": [BACK],
        "jwks": {"keys": [KEY.as_dict(private=False)]},
        "id_token_signed_response_alg": "ES256",
    },
    {"client_id": "public", "redirect_uris": [BACK]},
]
AUTHORIZE = {
    "standard": "/standard/authorize",
    "dvcqg": "/dvcqg/oauth2/authorize",
    "vneid2026": "/vneid2026/auth",
}
TOKEN = {
    "standard": "/standard/token",
    "dvcqg": "/dvcqg/oauth2/token",
    "vneid2026": "/vneid2026/token",
}
VERIFIER = "a" * 50
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(clock: Clock) -> Application:
    return made(clock=clock)


def made(base: str = BASE, **settings: Any) -> Application:
    entries = tuple(clients.made_of(each, said_by="client") for each in PARTIES)
    return Application(Settings(base, clients=entries, **settings))


@pytest.fixture
def browser(app: Application) -> Browser:
    return Browser(app)


def request(client_id: str = "app", **more: str) -> dict[str, str]:
    asked = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": BACK,
        "scope": "openid",
        "state": "a state",
    }
    return {name: value for name, value in (asked | more).items() if value}


def ask(browser: Browser, profile: str = "standard", **more: str) -> TestResponse:
    return browser.get(AUTHORIZE[profile], query_string=request(**more))


def said(response: TestResponse) -> dict[str, str]:
    """What came back to the relying party."""
    assert response.status_code == 303, response.text
    assert response.location.startswith(BACK)
    return {name: v[0] for name, v in parse_qs(urlsplit(response.location).query).items()}


def redeem(
    browser: Browser, code: str, profile: str = "standard", client: str = "app", **more: str
) -> TestResponse:
    secret = {"app": "s3cret:+ /", "other": "other"}.get(client, "")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "client_id": client,
    }
    form |= {"client_secret": secret} if secret else {}
    return browser.post(TOKEN[profile], data={n: v for n, v in (form | more).items() if v})


def signed_in(app: Application, browser: Browser, profile: str = "standard", **more: str) -> dict:
    """A token answer."""
    app.control.next(person="huong")
    return redeem(browser, said(ask(browser, profile, **more))["code"], profile).json


# ---- the authorization request -----------------------------------------------------------------


@pytest.mark.parametrize("profile", AUTHORIZE)
@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": "nobody"},
        {"client_id": ""},
        {"redirect_uri": ""},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?a=b"},
        {"redirect_uri": "https://elsewhere.example.vn/callback"},
    ],
    ids=str,
)
def test_an_answer_goes_only_to_an_address_of_a_known_client(browser, profile, wrong) -> None:
    response = ask(browser, profile, **wrong)
    assert response.status_code == 400
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "eyJ"}, "request_not_supported"),
        ({"request_uri": "https://x"}, "request_uri_not_supported"),
    ],
)
def test_what_is_wrong_with_a_request_goes_back_to_its_client(browser, wrong, error) -> None:
    answer = said(ask(browser, **wrong))
    assert (answer["error"], answer["state"]) == (error, "a state")
    assert answer["iss"] == f"{BASE}/standard"


def test_a_parameter_that_stands_there_twice_is_refused(browser) -> None:
    pairs = [*request().items(), ("state", "another")]
    query = "&".join(f"{name}={quote(value)}" for name, value in pairs)
    assert browser.get(AUTHORIZE["standard"], query_string=query).status_code == 400


def test_only_the_client_demo_may_return_to_any_address_of_this_machine(browser) -> None:
    for uri in ("http://localhost:5000/cb", "http://127.0.0.1:1/x?y=z", "http://[::1]:7/"):
        assert ask(browser, client_id="demo", redirect_uri=uri).status_code == 303
    for uri in ("http://localhost.example.vn/", "javascript://localhost/", "http://localhost/#a"):
        assert ask(browser, client_id="demo", redirect_uri=uri).status_code == 400
        assert ask(browser, redirect_uri=uri).status_code == 400


def test_a_client_without_a_public_key_cannot_use_the_profile_that_encrypts(app, browser) -> None:
    app.control.next()
    response = ask(browser, "vneid2026")
    assert response.status_code == 400
    assert "public_key" in response.text


# ---- the code ----------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["standard", "dvcqg"])
def test_a_code_is_good_once_for_its_client_its_address_and_a_minute(
    app, browser, clock, profile
) -> None:
    def code() -> str:
        app.control.next()
        return said(ask(browser, profile))["code"]

    first = code()
    assert redeem(browser, first, profile, "other").json["error"] == "invalid_grant"
    assert redeem(browser, first, profile, redirect_uri=BACK + "/").status_code == 400
    assert redeem(browser, first, profile, code_verifier=VERIFIER).status_code == 400
    assert redeem(browser, first, profile, client_secret="no").status_code == 401
    assert redeem(browser, first, profile).status_code == 200
    assert redeem(browser, first, profile).json["error"] == "invalid_grant"
    second = code()
    clock.now += timedelta(seconds=60)
    assert redeem(browser, second, profile).json["error"] == "invalid_grant"


def test_a_code_of_one_provider_is_nothing_to_another(app, browser) -> None:
    app.control.next()
    code = said(ask(browser, "dvcqg"))["code"]
    assert redeem(browser, code, "standard").json["error"] == "invalid_grant"
    assert redeem(browser, code, "dvcqg").status_code == 200


def test_a_verifier_must_fit_its_challenge(app, browser) -> None:
    how = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    for verifier, status in (("", 400), ("b" * 50, 400), (VERIFIER, 200)):
        app.control.next()
        code = said(ask(browser, **how))["code"]
        assert redeem(browser, code, code_verifier=verifier).status_code == status


def test_a_client_names_itself_in_one_way_at_a_time(app, browser) -> None:
    app.control.next(times=9)
    basic = base64.b64encode(f"app:{quote('s3cret:+ /', safe='')}".encode()).decode()
    form = {"grant_type": "authorization_code", "redirect_uri": BACK}

    def called(more: dict, header: str = "") -> int:
        code = said(ask(browser))["code"]
        headers = {"Authorization": header} if header else {}
        return browser.post(
            TOKEN["standard"], data=form | {"code": code} | more, headers=headers
        ).status_code

    assert called({}, f"Basic {basic}") == 200
    assert called({"client_id": "app"}, f"Basic {basic}") == 200
    assert called({"client_id": "other"}, f"Basic {basic}") == 401
    assert called({"client_id": "app", "client_secret": "s3cret:+ /"}, f"Basic {basic}") == 401
    assert called({"client_id": "app", "client_secret": "s3cret:+ /"}) == 200
    assert called({"client_id": "app"}) == 401
    assert called({}, "Basic !!") == 401


def test_a_public_client_needs_its_verifier(app, browser) -> None:
    app.control.next(times=2)
    how = {"code_challenge": CHALLENGE, "code_challenge_method": "S256", "client_id": "public"}
    assert redeem(browser, said(ask(browser, **how))["code"], client="public").status_code == 400
    code = said(ask(browser, **how))["code"]
    assert redeem(browser, code, client="public", code_verifier=VERIFIER).status_code == 200


def test_a_client_signs_its_request_with_its_key_once_to_this_provider(app, browser, clock) -> None:
    def assertion(**more: Any) -> str:
        claims = {
            "iss": "by-key",
            "sub": "by-key",
            "aud": f"{BASE}/standard",
            "exp": int(clock.now.timestamp()) + 60,
            "jti": "one",
        }
        return jwt.encode({"alg": "ES256", "kid": "its-key"}, claims | more, KEY)

    def called(signed: str) -> TestResponse:
        app.control.next()
        return redeem(
            browser,
            said(ask(browser, client_id="by-key"))["code"],
            client="by-key",
            client_assertion=signed,
            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        )

    good = called(assertion())
    assert good.status_code == 200
    keys = KeySet.import_key_set(browser.get("/standard/jwks").json)
    assert jwt.decode(good.json["id_token"], keys, ["ES256"]).header["alg"] == "ES256"
    assert called(assertion()).status_code == 401  # the same jti
    assert called(assertion(jti="2", aud="https://elsewhere")).status_code == 401
    assert called(assertion(jti="3", exp=int(clock.now.timestamp()) - 300)).status_code == 401
    assert called(assertion(jti="4", sub="app")).status_code == 401
    assert called("e30.e30.").status_code == 401
    stranger = ECKey.generate_key("P-256", {"kid": "its-key"})
    claims = {"iss": "by-key", "sub": "by-key", "aud": f"{BASE}/standard", "jti": "5"}
    claims["exp"] = int(clock.now.timestamp()) + 60
    assert (
        called(jwt.encode({"alg": "ES256", "kid": "its-key"}, claims, stranger)).status_code == 401
    )


# ---- tokens ------------------------------------------------------------------------------------


def test_a_token_is_good_for_userinfo_by_header_or_body_until_it_ends(app, browser, clock) -> None:
    token = signed_in(app, browser)["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/standard/userinfo", headers=bearer).json["name"] == "Nguyễn Thị Hương"
    assert browser.post("/standard/userinfo", headers=bearer).status_code == 200
    assert browser.post("/standard/userinfo", data={"access_token": token}).status_code == 200
    assert browser.get(f"/standard/userinfo?access_token={token}").status_code == 401
    assert browser.get("/dvcqg/oauth2/userinfo", headers=bearer).status_code == 401
    clock.now += timedelta(seconds=300)
    refused = browser.get("/standard/userinfo", headers=bearer)
    assert refused.status_code == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]


def test_the_portal_introspects_and_revokes(app, browser) -> None:
    token = signed_in(app, browser, "dvcqg")["access_token"]
    me, other = (
        {"client_id": "app", "client_secret": "s3cret:+ /", "token": token},
        {"client_id": "other", "client_secret": "other", "token": token},
    )
    assert browser.post("/dvcqg/oauth2/introspect", data=me).json["active"] is True
    assert browser.post("/dvcqg/oauth2/revoke", data=me | {"client_secret": "x"}).status_code == 401
    assert browser.post("/dvcqg/oauth2/revoke", data=other).status_code == 200
    assert browser.post("/dvcqg/oauth2/introspect", data=me).json["active"] is True
    assert browser.post("/dvcqg/oauth2/revoke", data=me).status_code == 200
    assert browser.post("/dvcqg/oauth2/introspect", data=me).json == {"active": False}
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/dvcqg/oauth2/userinfo", headers=bearer).status_code == 401


def test_a_subject_is_the_same_after_a_restart_and_another_at_another_provider(clock) -> None:
    def subject(app: Application, profile: str) -> str:
        browser = Browser(app)
        token = signed_in(app, browser, profile)["id_token"]
        return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"]

    first, second = made(clock=clock), made(clock=clock)
    assert subject(first, "standard") == subject(second, "standard")
    assert subject(first, "standard") != subject(first, "dvcqg")


def test_signing_out_leads_back_only_to_a_registered_address(app, browser) -> None:
    bye = {"post_logout_redirect_uri": "https://app.example.vn/bye", "state": "s s"}
    for profile, path in (("standard", "/standard/logout"), ("dvcqg", "/dvcqg/oidc/logout")):
        hint = {"id_token_hint": signed_in(app, browser, profile)["id_token"]}
        assert browser.get(path, query_string=bye | hint).location.endswith("/bye?state=s%20s")
        elsewhere = hint | {"post_logout_redirect_uri": "https://elsewhere.example.vn/"}
        assert browser.get(path, query_string=elsewhere).status_code == 400
        broken = bye | {"id_token_hint": hint["id_token_hint"][:-3]}
        assert browser.get(path, query_string=broken).status_code == 400
        assert browser.get(path, query_string=hint).status_code == 200
    assert browser.get("/standard/logout", query_string=bye | {"client_id": "app"}).location
    assert browser.get("/dvcqg/oidc/logout", query_string=bye).status_code == 400


# ---- in the browser ----------------------------------------------------------------------------


def choose(browser: Browser, at: str, **form: Any) -> TestResponse:
    where = urlsplit(at)
    waiting = parse_qs(where.query)["id"][0]
    return browser.post(where.path, data={"id": waiting, "person": "huong"} | form)


def test_a_choice_answers_a_request_once_and_is_remembered(browser) -> None:
    at = ask(browser, nonce="n").location
    page = browser.get(at)
    assert re.search(r'value="huong" required\s+checked', page.text)
    answer = choose(browser, at, person="anh", level="1", fault=["nonce_other", "level_true"])
    assert said(answer)["state"] == "a state"
    assert choose(browser, at).status_code == 400
    again = browser.get(ask(browser).location).text
    assert re.search(r'value="anh" required\s+checked', again)
    assert re.search(r'value="nonce_other" checked', again)
    assert 'value="1" selected' in again


def test_the_page_shows_what_is_asked_for_and_marks_that_assurance(app, browser) -> None:
    choose(browser, ask(browser).location, acr="urn:vn:aal:1")
    page = browser.get(ask(browser, acr_values="x urn:vn:aal:3 urn:vn:aal:2", max_age="0").location)
    assert 'value="urn:vn:aal:3" selected' in page.text
    assert "<dt>max_age</dt><dd>0</dd>" in page.text
    at = ask(browser, ui_locales="fr en vi").location
    assert '<html lang="en">' in browser.get(at).text
    code = said(choose(browser, at, acr="urn:vn:aal:3"))["code"]
    claims = redeem(browser, code).json["id_token"].split(".")[1]
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["acr"], told["amr"]) == ("urn:vn:aal:3", ["pwd", "face"])


def test_the_way_back_can_be_taken_to_another_browser(app, browser) -> None:
    app.control.next(faults=["in_another_browser"])
    page = ask(browser).text
    assert "MÔ PHỎNG" in page
    address = html.unescape(re.search(r'<a href="([^"]+)">Mở tại đây', page)[1])
    code = parse_qs(urlsplit(address).query)["code"][0]
    assert redeem(browser, code).status_code == 200


def test_what_a_request_brings_is_shown_as_text(browser) -> None:
    page = ask(browser, sim_fault="<script>alert(1)</script>")
    assert page.status_code == 400
    assert "<script" not in page.text
    page = browser.get(ask(browser, scope="openid <script>").location)
    assert "openid &lt;script&gt;" in page.text


def test_declining_goes_back_as_such(browser) -> None:
    at = ask(browser, "dvcqg").location
    assert said(choose(browser, at, decision="decline"))["error"] == "access_denied"


def test_without_a_page_whoever_is_signed_in_is_signed_in_again(app, browser, clock) -> None:
    choose(browser, ask(browser).location, person="anh")
    clock.now += timedelta(seconds=100)
    code = said(ask(browser, prompt="none"))["code"]
    claims = redeem(browser, code).json["id_token"].split(".")[1]
    then = json.loads(base64.urlsafe_b64decode(claims + "=="))["auth_time"]
    assert then == int(clock.now.timestamp()) - 100
    assert said(ask(browser, prompt="none", max_age="99"))["error"] == "login_required"
    browser.get("/standard/logout")
    assert said(ask(browser, prompt="none"))["error"] == "login_required"


def test_an_answer_by_form_post_is_a_page_with_a_button(app, browser) -> None:
    app.control.next()
    page = ask(browser, response_mode="form_post")
    assert page.status_code == 200
    assert f'action="{BACK}"' in page.text
    assert re.search(r'name="code" value="[\w-]+"', page.text)
    assert "<script" not in page.text


def test_the_request_itself_can_choose(app, browser) -> None:
    def number(**more: str) -> str:
        token = redeem(browser, said(ask(browser, **more))["code"]).json["access_token"]
        return browser.get("/standard/userinfo", headers={"Authorization": f"Bearer {token}"}).json[
            "citizen_id"
        ]

    assert number(sim_person="anh", sim_auto="1") == "038988000004"
    assert number(login_hint="sim?person=anh&auto=1&fault=number_of_nine") == "988000004"
    assert number(login_hint="sim?auto=1") == "038985000001"
    proposed = ask(browser, login_hint="sim?person=anh&fault=level_1&level=1").location
    page = browser.get(proposed).text
    assert re.search(r'value="anh" required\s+checked', page)
    assert 'value="level_1" checked' in page
    assert ask(browser, sim_fault="nonsense").status_code == 400
    assert ask(browser, sim_person="nobody", sim_auto="1").status_code == 400


PAGES = ("/", "/faults", "/certainty", "/nowhere", "/standard/authorize", "/vneid2026/logout")


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("page", [*PAGES, "choose", "back"])
def test_every_page_says_in_both_languages_that_it_is_a_simulation(
    app, browser, page, language
) -> None:
    if page == "choose":
        page = ask(browser).location
    if page == "back":
        app.control.next()
        page = f"/standard/authorize?{urlencode(request(response_mode='form_post'))}"
    joint = "&" if "?" in page else "?"
    text = browser.get(f"{page}{joint}lang={language}").text
    assert "MÔ PHỎNG, không phải VNeID" in text
    assert "SIMULATION, this is not VNeID" in text
    assert "<script" not in text
    addresses = re.findall(r'(?:href|src|action)="([^"]+)"', text)
    assert all(each.startswith((BASE, "?", BACK)) for each in addresses)


def test_a_page_in_english_has_no_vietnamese_but_its_people_and_labels(browser) -> None:
    text = browser.get(f"{ask(browser).location}&lang=en").text
    text = re.sub(r'<(\w+)[^>]* lang="vi">.*?</\1>', "", text, flags=re.DOTALL)
    names = [name for each in people.PEOPLE for name in (each.full_name, each.former_name) if name]
    for name in (*names, "Thuỷ", "Thủy", "Mức độ 2"):
        text = text.replace(name.replace("'", "&#39;"), "")
    assert re.findall(r"[à-ỹĐđ]", text.casefold()) == []


def test_the_page_of_certainty_shows_every_detail_with_its_mark(browser) -> None:
    text = browser.get("/certainty").text
    assert {detail.certainty for detail in DETAILS} == {"A", "B", "C", "assumed"}
    assert {detail.profile for detail in DETAILS} == set(AUTHORIZE)
    for detail in DETAILS:
        assert detail.what.vi in text
        assert all((detail.what.en, detail.source.vi, detail.source.en))


def test_every_fault_is_said_in_both_languages_and_can_be_marked_where_it_happens(browser) -> None:
    pages = {each: browser.get(ask(browser, each).location).text for each in AUTHORIZE}
    for fault in FAULTS.values():
        assert all((*fault.does, *fault.advice))
        for profile, page in pages.items():
            offered = f'value="{fault.code}"' in page
            assert offered is (profile in fault.profiles and fault.per_sign_in), fault.code


def test_the_document_says_what_the_simulator_says_of_itself() -> None:
    """scripts/eid-simulator-document writes its tables."""
    script = runpy.run_path(str(ROOT / "scripts/eid-simulator-document"))
    text = (ROOT / "docs/eid-simulator.md").read_text("utf-8")
    assert script["written"](text) == text
    assert all(f"`{code}`" in text for code in FAULTS)


def pairs_of(stages: set[Stage]) -> list[tuple[str, str]]:
    """Every two faults that change the same thing, in both orders."""
    chosen = [fault for fault in FAULTS.values() if fault.stage in stages]
    return [
        (one.code, two.code)
        for one in chosen
        for two in chosen
        if one.stage is two.stage and one is not two
    ]


@pytest.mark.slow
@pytest.mark.parametrize("profile", AUTHORIZE)
def test_any_two_faults_can_be_chosen_together(
    profile: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another fault has broken need not break again, but nothing else breaks of it."""
    monkeypatch.setattr(transport, "HUGE", 1000)
    app = made(clock=clock, people=people.PEOPLE[:1])
    app.simulation.stopping.set()  # nothing is slow
    demo = {"client_id": "demo", "client_secret": "simulation-only"}
    browser = Browser(app)
    code, token = app.simulation.memory.codes, app.simulation.memory.tokens
    for pair in pairs_of(set(Stage) - {Stage.OUTAGE, *FOR_EVERYBODY}):
        if any(profile not in FAULTS[each].profiles for each in pair):
            continue
        app.control.clear()
        app.control.next(faults=pair)
        answer = browser.get(
            AUTHORIZE[profile], query_string=request("demo", redirect_uri="http://localhost/cb")
        )
        assert answer.status_code in (200, 303), pair
        assert len(code._things) == 1, pair
        sign_in = next(iter(code._things.values()))
        form = {"grant_type": "authorization_code", "redirect_uri": "http://localhost/cb", **demo}
        form |= {"code": sign_in.code, "encrypt_key": sign_in.encrypt_key or ""}
        with suppress(ConnectionResetError):
            status = browser.post(TOKEN[profile], data=form).status_code
            assert status in (200, 307, 400, 401, 503), pair
        for bearer in list(token._things):
            with suppress(ConnectionResetError):
                headers = {"Authorization": f"Bearer {bearer}"}
                at = TOKEN[profile].replace("token", "userinfo")
                assert browser.get(at, headers=headers).status_code in (200, 503), pair


def test_faults_that_mix_people_up_need_no_second_person(clock: Clock) -> None:
    app = made(clock=clock, people=people.PEOPLE[:1])
    app.control.next(faults=["number_of_another"])
    browser = Browser(app)
    token = redeem(browser, said(ask(browser))["code"]).json["access_token"]
    told = browser.get("/standard/userinfo", headers={"Authorization": f"Bearer {token}"}).json
    assert told["citizen_id"] != people.PEOPLE[0].citizen_number


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "MOST", 3)
    shelf: sign_ins.Shelf[int] = sign_ins.Shelf()
    keys = [shelf.put(number) for number in range(5)]
    assert [shelf.get(key) for key in keys] == [None, None, 2, 3, 4]
    assert (shelf.take(keys[4]), shelf.take(keys[4])) == (4, None)


# ---- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({}, "key"),
        ({"citizen_number": "1234"}, "citizen_number"),
        ({"birth_date": "1.2.1990"}, "birth_date"),
        ({"gender": "x"}, "gender"),
        ({"level": 3}, "level"),
        ({"surname": "x"}, "surname"),
    ],
)
def test_a_wrong_file_of_people_says_where(tmp_path: Path, entry, place) -> None:
    good = {"key": "a", "full_name": "A", "citizen_number": "0" * 12, "birth_date": "1990"}
    file = tmp_path / "people.json"
    file.write_text(json.dumps([(good | entry) if entry else {}]), "utf-8")
    with pytest.raises(WrongFile, match=place):
        people.read(file)
    file.write_text(json.dumps([good, good]), "utf-8")
    with pytest.raises(WrongFile, match="twice"):
        people.read(file)
    file.write_text("[", "utf-8")
    with pytest.raises(WrongFile):
        people.read(file)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"client_id": ""}, "client_id"),
        ({"redirect_uris": "x"}, "redirect_uris"),
        ({"jwks": {"keys": [{"kty": "?"}]}}, "jwks"),
        ({"public_key": "x"}, "public_key"),
        ({"id_token_signed_response_alg": "none"}, "id_token_signed_response_alg"),
        ({"secret": "x"}, "secret"),
    ],
)
def test_a_wrong_file_of_clients_says_where(tmp_path: Path, entry, place) -> None:
    file = tmp_path / "clients.json"
    file.write_text(json.dumps([{"client_id": "a"} | entry]), "utf-8")
    with pytest.raises(WrongFile, match=place):
        clients.read(file)


def test_no_builtin_number_can_be_anybodys() -> None:
    """The fourth digit says the century and the sex: 8 and 9 are people born in 2300 and later."""
    for person in people.PEOPLE:
        assert re.fullmatch(r"\d{12}", person.citizen_number)
        assert person.citizen_number[3] == ("9" if person.gender == "female" else "8")
        assert person.citizen_number[4:6] == person.birth_date[2:4]
    assert len({person.citizen_number for person in people.PEOPLE}) == len(people.PEOPLE)


def test_a_key_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An RSA key costs more than a whole sign-in."""
    made_for = []
    monkeypatch.setattr(jose, "new_key", lambda alg: made_for.append(alg) or alg)
    keys = jose.SigningKeys()
    for _ in range(3):
        assert keys.current("RS256") == "RS256"
        assert keys.stranger("RS256") == "RS256"
    assert made_for == ["RS256", "RS256"]


def test_keys_are_kept_where_a_folder_is_named(tmp_path: Path) -> None:
    first, second = made(folder=tmp_path / "keep"), made(folder=tmp_path / "keep")
    for prefix in AUTHORIZE:
        keys = first.simulation.keys[prefix].published()
        assert keys == second.simulation.keys[prefix].published()
    assert all(file.stat().st_mode & 0o077 == 0 for file in (tmp_path / "keep").iterdir())
    third = made()
    assert third.simulation.keys["standard"].published() != keys


# ---- behind a proxy, beside others ---------------------------------------------------------------


@pytest.mark.parametrize("taken_away", [True, False])
def test_behind_a_proxy_all_addresses_are_those_the_world_sees(taken_away: bool) -> None:
    app = made("https://thu.example.vn/eid")
    browser = Browser(app)
    prefix = "" if taken_away else "/eid"
    document = browser.get(f"{prefix}/standard/.well-known/openid-configuration").json
    assert document["issuer"] == "https://thu.example.vn/eid/standard"
    assert document["token_endpoint"] == "https://thu.example.vn/eid/standard/token"
    at = browser.get(f"{prefix}/standard/authorize", query_string=request()).location
    assert at.startswith("https://thu.example.vn/eid/standard/choose?")
    waiting = parse_qs(urlsplit(at).query)["id"][0]
    answer = browser.post(f"{prefix}/standard/choose", data={"id": waiting, "person": "huong"})
    assert said(answer)["iss"] == "https://thu.example.vn/eid/standard"
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert all("Secure" in each and "Path=/eid" in each for each in cookies)


def test_two_providers_of_one_profile_are_two(clock) -> None:
    app = made(mounts=(*MOUNTS, Mount("standard", "truong")), clock=clock)
    browser = Browser(app)
    app.control.next(provider="truong")
    assert "choose" in ask(browser).location  # not for this one
    code = said(browser.get("/truong/authorize", query_string=request()))["code"]
    assert redeem(browser, code).json["error"] == "invalid_grant"
    assert browser.get("/truong/jwks").json != browser.get("/standard/jwks").json


# ---- control -----------------------------------------------------------------------------------


def test_the_control_over_http_does_what_the_control_in_process_does(app, browser) -> None:
    def call(verb: str, body: Any = None) -> TestResponse:
        return browser.post(f"/control/{verb}", json=body if body is not None else {})

    assert call("next", {"person": "anh", "faults": ["level_1"], "provider": "dvcqg"}).json[
        "faults"
    ] == ["level_1"]
    code = said(ask(browser, "dvcqg"))["code"]
    token = redeem(browser, code, "dvcqg").json["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert browser.get("/dvcqg/oauth2/userinfo", headers=bearer).json["IAL"] == 1
    assert call("always", {"faults": ["jwks_empty"]}).status_code == 200
    assert browser.get("/standard/jwks").json == {"keys": []}
    assert [each["endpoint"] for each in browser.get("/control/calls").json][:3] == [
        "authorize",
        "token",
        "userinfo",
    ]
    call("clear")
    before = browser.get("/standard/jwks").json["keys"]
    assert call("rotate", {"provider": "standard"}).status_code == 200
    after = browser.get("/standard/jwks").json["keys"]
    assert [each for each in before if each in after] == before
    assert len(after) == 2 * len(before)
    new = {"client_id": "new", "client_secret": "x", "redirect_uris": [BACK]}
    assert call("clients", new).json == {"client_id": "new"}
    assert ask(browser, client_id="new").status_code == 303
    somebody = {"key": "z", "full_name": "Z", "citizen_number": "1" * 12, "birth_date": "1999"}
    assert call("people", [somebody]).json == {"people": 1}
    assert [each["key"] for each in browser.get("/control/people").json] == ["z"]
    assert {each["code"] for each in browser.get("/control/faults").json} == set(FAULTS)
    assert len(browser.get("/control/configuration").json) == 3


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("next", {"person": "nobody"}),
        ("next", {"faults": ["nonsense"]}),
        ("next", {"provider": "nobody"}),
        ("next", {"colour": "red"}),
        ("next", {"level": "3"}),
        ("next", {"acr": "LoA1"}),
        ("next", {"account": "zalo"}),
        ("next", {"decision": "maybe"}),
        ("next", []),
        ("always", {}),
        ("down", {"seconds": "x"}),
        ("clients", {"client_id": 1}),
        ("people", [{}]),
        ("rotate", {"provider": "x"}),
    ],
)
def test_what_the_control_does_not_understand_it_refuses(browser, verb, body) -> None:
    assert browser.post(f"/control/{verb}", json=body).json["error"] == "invalid_request"


def test_a_page_of_another_site_cannot_use_the_control(browser) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = browser.post("/control/clear", data="{}", content_type=kind)
        assert answer.status_code == 415


def test_a_host_name_made_to_mean_this_machine_cannot_use_the_control(app, browser) -> None:
    for host in ("localhost:8470", "127.0.0.1", "[::1]:8470"):
        assert browser.get("/control/calls", headers={"Host": host}).status_code == 200
    assert browser.get("/control/calls", headers={"Host": "evil.example"}).status_code == 403


def test_the_control_wants_its_token_and_can_be_off() -> None:
    guarded = Browser(made(control_token="a token"))
    assert guarded.get("/control/calls").status_code == 401
    assert guarded.post("/control/clear", json={}).status_code == 401
    bearer = {"Authorization": "Bearer a token"}
    assert guarded.post("/control/clear", json={}, headers=bearer).status_code == 200
    assert Browser(made(control=False)).get("/control/calls").status_code == 404


def test_what_is_remembered_of_calls_holds_nothing_secret(app, browser) -> None:
    token = signed_in(app, browser)["access_token"]
    browser.get("/standard/userinfo", headers={"Authorization": f"Bearer {token}"})
    told = json.dumps(app.control.calls())
    assert token not in told
    assert "038985000001" not in told
