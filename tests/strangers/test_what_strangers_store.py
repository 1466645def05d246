"""What anybody can have us write down: nothing, or so much and no more (decision 0026)."""

import secrets
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from directory.base.db import Base
from directory.base.nodes import SignOfLife
from idp.oidc import rate_limit
from idp.oidc.clients import AuthMethod, GrantType
from tests import hr_world
from tests.browser_client import hidden_fields, submit
from tests.device_flow import Device
from tests.hr_world import PASSWORD, Hr
from tests.proving import Holding
from tests.relying_party import Flow, Party, World
from tests.signed_requests import SignedFlow, dpop, register

LONG = secrets.token_urlsafe(4_500)
"""A state as long as any that comes."""


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def world(hr: Hr) -> World:
    return World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)


@pytest.fixture
def flow(hr: Hr, world: World) -> Flow:
    return Flow(hr.app.test_client(), world.register())


@pytest.fixture
def public(world: World) -> Party:
    """A public client that may do all that a public one may."""
    grants = (GrantType.CODE, GrantType.DEVICE, GrantType.REFRESH)
    return world.register(auth_method=AuthMethod.NONE, grant_types=grants)


def _rows(hr: Hr) -> dict[str, int]:
    return {table: len(rows) for table, rows in hr.dump().items()}


def _page(browser: FlaskClient, answer: Any) -> Any:
    assert answer.status_code == 303, answer.text
    page = browser.get(answer.headers["Location"])
    assert (page.status_code, 'name="password"' in page.text) == (200, True)
    return page


def _signed_in(hr: Hr, flow: Flow, page: Any) -> dict[str, str]:
    """What the application is told once she has signed in on this page."""
    sent = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    assert sent.status_code == 303, sent.text
    return flow.told(sent)


# ---- who comes from an application --------------------------------------------------------------


@pytest.mark.both_databases
def test_an_application_s_sign_in_page_stores_nothing(hr: Hr, world: World, flow: Flow) -> None:
    """Whoever knows a client id may ask for it; so may a search engine."""
    signing = register(world)
    before = _rows(hr)
    for n in range(20):
        stranger = Flow(hr.app.test_client(), flow.party)
        for changes in (
            {},
            {"prompt": "login", "max_age": "60", "login_hint": f"a{n}@example.vn"},
            {"state": LONG},
            {"claims": '{"id_token":{"email":null}}', "ui_locales": "en"},
        ):
            _page(stranger.browser, stranger.ask(**changes))
        signs = SignedFlow(stranger.browser, signing, now=int(hr.clock().timestamp()))
        _page(signs.browser, signs.bring(signs.signed()))
    assert _rows(hr) == before


def test_a_wrong_password_there_stores_no_sign_in_either(hr: Hr, flow: Flow) -> None:
    page = _page(flow.browser, flow.ask())
    wrong = submit(flow.browser, page, username=hr.names["lan"], password="sai")
    assert wrong.status_code == 422
    assert _rows(hr)["login_flow"] == 0
    assert "code" in _signed_in(hr, flow, wrong)


def test_a_pushed_request_that_strangers_bring_stays_one_row(hr: Hr, flow: Flow) -> None:
    pushed = flow.post("/oauth2/par", flow.query).get_json()["request_uri"]
    before = _rows(hr)
    query = {"client_id": flow.party.client_id, "request_uri": pushed}
    for _ in range(10):
        stranger = hr.app.test_client()
        _page(stranger, stranger.get("/oauth2/authorize", query_string=query))
    assert _rows(hr) == before
    page = _page(flow.browser, flow.browser.get("/oauth2/authorize", query_string=query))
    assert "code" in _signed_in(hr, flow, page)


# ---- what must go on working ---------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "state", ["s", LONG, "trạng thái “lạ” & khác=1#x"], ids=["s", "long", "odd"]
)
def test_whatever_the_application_said_comes_back(hr: Hr, flow: Flow, state: str) -> None:
    page = _page(flow.browser, flow.ask(state=state))
    assert len(page.request.path) < len(state) + 1_500
    assert _signed_in(hr, flow, page)["state"] == state


def test_two_tabs_of_two_applications_a_reload_and_the_way_back(
    hr: Hr, world: World, flow: Flow
) -> None:
    other = Flow(flow.browser, world.register("Thứ hai"), state="của tab thứ hai")
    one, two = _page(flow.browser, flow.ask()), _page(flow.browser, other.ask())
    hr.clock.advance(seconds=5)
    assert _signed_in(hr, flow, flow.browser.get(one.request.path))["state"] == flow.state
    # The other tab is carried on by that sign-in, and goes to its own application.
    back = flow.browser.get(two.request.path)
    assert other.told(flow.browser.get(back.headers["Location"]))["state"] == other.state
    # Back on the first page: it is over, and leads where it led.
    over = flow.browser.get(one.request.path)
    assert over.status_code == 303
    assert flow.browser.get(over.headers["Location"]).status_code == 302


def test_a_sign_in_that_was_asked_for_is_asked_for_once(hr: Hr, flow: Flow) -> None:
    """OIDC Core §3.1.2.1: prompt=login."""
    assert "code" in _signed_in(hr, flow, _page(flow.browser, flow.ask()))
    page = _page(flow.browser, flow.ask(prompt="login"))
    sent = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    assert "code" in flow.told(sent)
    back = flow.browser.get(page.request.path).headers["Location"]
    # What answered one request answers no second one.
    _page(flow.browser, flow.browser.get(back))


def test_an_address_belongs_to_one_browser_and_is_made_by_us(hr: Hr, flow: Flow) -> None:
    page = _page(flow.browser, flow.ask())
    path, thief = page.request.path, hr.app.test_client()
    assert thief.get(path).status_code == 404
    given = hidden_fields(thief.get("/login", follow_redirects=True).text)
    for act in (path, path.replace("/login/", "/oauth2/cancel/")):
        answer = thief.post(act, data=given)
        assert "localhost:9001" not in answer.headers.get("Location", "") + answer.text
    for changed in (path[:-2], path + "A", path.swapcase(), path.replace(".", "")):
        assert flow.browser.get(changed).status_code == 404, changed
    assert "code" in _signed_in(hr, flow, flow.browser.get(path))


def test_a_sign_in_given_up_stays_over_as_long_as_its_address_lives(hr: Hr, flow: Flow) -> None:
    from idp.run.housekeeping import purge

    page = _page(flow.browser, flow.ask())
    gone = submit(flow.browser, page, page.request.path.replace("/login/", "/oauth2/cancel/"))
    assert flow.told(gone)["error"] == "access_denied"
    assert _rows(hr)["login_flow"] == 1
    for _ in range(3):
        hr.clock.advance(minutes=4)
        purge(hr.services, hr.clock())
        assert flow.browser.get(page.request.path).status_code == 404
    hr.clock.advance(minutes=20)
    purge(hr.services, hr.clock())
    assert _rows(hr)["login_flow"] == 0


def test_an_old_release_s_rows_still_lead_where_they_led(hr: Hr, flow: Flow) -> None:
    """A node of the release before has written the sign-in down."""
    from idp.login import flow as flows

    _page(flow.browser, flow.ask())
    cookie = flow.browser.get_cookie("dinhdanh-browser")
    assert cookie is not None
    with hr.services.db.write() as session:
        row = flows.begin(
            session,
            return_to="/portal/profile",
            client_id=None,
            request={},
            now=hr.clock(),
            settings=hr.services.settings,
            browser=cookie.value.partition(".")[0],
        )
    page = flow.browser.get(f"/login/{row}")
    sent = submit(flow.browser, page, username=hr.names["lan"], password=PASSWORD)
    assert sent.headers["Location"] == "/portal/profile"


# ---- every address there is -----------------------------------------------------------------------

NAMES = {
    "flow_id": "A" * 22,
    "token": "B" * 43,
    "digest": "c" * 64,
    "code": "en",
    "client_id": "nobody",
    "serial": "01",
    "encoded": "MEUwQzBBMD8wPTAJBgUrDgMCGgUABBQ",
}
"""What stands in the addresses' places; 1 in all others."""
MAY_GROW = {
    # Rows of their own kind, so many of one source in ten minutes, gone when they expire
    # (test_public_clients_fill_nothing below).
    ("oidc.push", "POST"): {"pushed_request", "throttle"},
    ("oidc.device_authorization", "POST"): {"device_request", "throttle"},
    # A wrong password: so many of one source in ten minutes (tests/integration/
    # test_attacks_guessing.py). The trail keeps every one.
    ("login.record", "POST"): {"throttle", "audit_entry"},
    # Given up: a form of ours, with its token; as small as a row can be, for half an hour.
    ("oidc.cancelled", "POST"): {"login_flow"},
    # Why a client was refused: one a minute and reason (test_client_defaults.py). Proofs that come
    # with nothing of ours: so many of one source (below).
    ("oidc.token", "POST"): {"client_refusal", "used_once", "throttle"},
    # A list is made when one is due, by whoever asks first.
    ("pki.both_lists", "GET"): {"crl"},
    ("pki.revocation_list", "GET"): {"crl"},
    # One row for all processes (below).
    ("health.readyz", "GET"): {"sign_of_life"},
}
"""Addresses where a stranger has us write, and the tables; everywhere else nothing is written."""


class Stranger:
    """Somebody who knows a public client, and sends what that client would."""

    def __init__(self, hr: Hr, party: Party) -> None:
        self.hr, self.flow = hr, Flow(hr.app.test_client(), party)

    def token(self) -> dict[str, str]:
        """Of a page's form."""
        return hidden_fields(self.flow.browser.get("/login", follow_redirects=True).text)

    def sent(self, endpoint: str, method: str) -> dict[str, Any]:
        """A request that comes as far as a stranger's can."""
        flow, asked = self.flow, self.flow.query | {"client_id": self.flow.party.client_id}
        if endpoint == "oidc.authorization":
            return {"query_string": asked} if method == "GET" else {"data": asked}
        if endpoint in ("oidc.push", "oidc.device_authorization"):
            return {"data": asked}
        if endpoint == "oidc.token":
            proof = dpop("POST", "/oauth2/token", now=int(self.hr.clock().timestamp()))
            form = {"grant_type": "authorization_code", "code": "x" * 40, "code_verifier": "y" * 43}
            form |= {"client_id": flow.party.client_id, "redirect_uri": flow.redirect_uri}
            return {"data": form, "headers": {"DPoP": proof}}
        if endpoint == "oidc.logout":
            return {"query_string": {"client_id": flow.party.client_id, "state": "x"}}
        if endpoint == "oidc.consented":
            return {"data": self.token() | {"request": urlencode(asked), "decision": "allow"}}
        if method in ("POST", "PUT", "PATCH"):
            wrong = {"username": self.hr.names["lan"], "password": "sai", "again": "sai"}
            return {"data": self.token() | wrong}
        return {}

    def path(self, adapter: Any, rule: Any) -> str:
        """The address, of a sign-in of her own where there is one."""
        names = {name: NAMES.get(name, 1) for name in rule.arguments}
        if "flow_id" in rule.arguments and rule.endpoint != "login.show":
            page = _page(self.flow.browser, self.flow.ask())
            names["flow_id"] = page.request.path.rpartition("/")[2]
        return str(
            adapter.build(rule.endpoint, names, method="GET" if "GET" in rule.methods else None)
        )


def _growth(before: dict[str, int], after: dict[str, int]) -> set[str]:
    return {table for table, rows in after.items() if rows > before[table]}


@pytest.mark.both_databases
def test_no_address_has_us_write_for_a_stranger_but_those_that_say_so(
    hr: Hr, public: Party
) -> None:
    adapter = hr.app.url_map.bind("localhost:8000")
    found: dict[tuple[str, str], set[str]] = {}
    seen = 0
    for rule in sorted(hr.app.url_map.iter_rules(), key=str):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            if rule.endpoint.startswith(("static", "bootstrap")):
                continue
            stranger = Stranger(hr, public)
            path = stranger.path(adapter, rule)
            before = _whole(hr)
            for _ in range(2):
                asked = stranger.sent(rule.endpoint, method)
                answer = stranger.flow.browser.open(path, method=method, **asked)
                # The tests' clock is not that of a database server, and readiness says so.
                assert answer.status_code < 500 or path == "/readyz", (method, path)
            seen += 1
            if grown := _growth(before, _whole(hr)):
                found[rule.endpoint, method] = grown
    assert seen > 100
    assert found == MAY_GROW


def _whole(hr: Hr) -> dict[str, int]:
    """Rows of every table."""
    with hr.services.db.hot() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


@pytest.mark.both_databases
@pytest.mark.parametrize("endpoint", ["par", "device_authorization"])
def test_public_clients_fill_nothing(
    hr: Hr, public: Party, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.run.housekeeping import sweep

    monkeypatch.setattr(rate_limit, "MOST", 5)
    before, answers = _whole(hr), []
    for _ in range(12):
        stranger = Stranger(hr, public)
        asked = stranger.sent("oidc.push", "POST")
        answers.append(stranger.flow.browser.post(f"/oauth2/{endpoint}", **asked).status_code)
    assert answers.count(429) == 7
    table = {"par": "pushed_request"}.get(endpoint, "device_request")
    assert _whole(hr)[table] - before[table] == 5
    hr.clock.advance(hours=1)
    sweep(hr.services, hr.clock())
    assert _whole(hr)[table] == before[table]


@pytest.mark.both_databases
def test_proofs_of_strangers_are_counted_and_those_of_people_are_not(
    hr: Hr, public: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MOST", 5)
    before, stranger = _whole(hr), Stranger(hr, public)
    answers = [
        stranger.flow.browser.post("/oauth2/token", **stranger.sent("oidc.token", "POST"))
        for _ in range(12)
    ]
    assert [a.status_code for a in answers] == [400] * 5 + [429] * 7
    assert _whole(hr)["used_once"] - before["used_once"] == 5
    # From the same address somebody with a code of ours gets her tokens.
    flow = Holding(hr.app.test_client(), public, clock=hr.clock)
    told = _signed_in(hr, flow, _page(flow.browser, flow.ask()))
    assert flow.redeem(told["code"]).status_code == 200


@pytest.mark.both_databases
@pytest.mark.parametrize("brought", ["of another grant type", "over", "asked too fast"])
def test_a_device_code_that_anybody_is_given_lifts_nothing(
    hr: Hr, public: Party, brought: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sign-in stands behind it: what it cannot give now is counted like nothing at all."""
    device = Device(hr.app.test_client(), public)
    begun = device.begin().answer
    flow = Holding(device.browser, public, clock=hr.clock)
    form = {"grant_type": GrantType.DEVICE.value, "device_code": begun["device_code"]}
    if brought == "of another grant type":
        form |= {"grant_type": "authorization_code", "code": "x" * 40}
    if brought == "over":
        hr.clock.advance(seconds=begun["expires_in"])
    if brought == "asked too fast":
        assert flow.token(**form).get_json()["error"] == "authorization_pending"
    monkeypatch.setattr(rate_limit, "MOST", 5)
    before = _whole(hr)
    answers = [flow.token(**form).status_code for _ in range(8)]
    assert answers == [400] * 5 + [429] * 3
    assert _whole(hr)["used_once"] - before["used_once"] == 5


@pytest.mark.both_databases
def test_a_device_that_waits_as_it_was_told_is_not_counted(
    hr: Hr, public: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Device(hr.app.test_client(), public)
    begun = device.begin().answer
    flow = Holding(device.browser, public, clock=hr.clock)
    monkeypatch.setattr(rate_limit, "MOST", 0)
    for _ in range(5):
        told = flow.token(
            grant_type=GrantType.DEVICE.value, device_code=begun["device_code"]
        ).get_json()
        assert told["error"] == "authorization_pending"
        hr.clock.advance(seconds=begun["interval"])


@pytest.mark.both_databases
def test_a_code_gives_once_and_its_refresh_token_while_it_lives(
    hr: Hr, public: Party, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The neighbours: a used code counts, and so does the refresh token of what it ended."""
    flow = Holding(hr.app.test_client(), public, clock=hr.clock)
    code = _signed_in(hr, flow, _page(flow.browser, flow.ask()))["code"]
    monkeypatch.setattr(rate_limit, "MOST", 1)
    held = flow.redeem(code).get_json()["refresh_token"]
    for _ in range(3):
        answer = flow.token(grant_type="refresh_token", refresh_token=held)
        assert answer.status_code == 200, answer.text
        held = answer.get_json().get("refresh_token", held)
    assert flow.redeem(code).status_code == 400  # It ends what it gave.
    assert flow.token(grant_type="refresh_token", refresh_token=held).status_code == 429


# ---- looks at the readiness ------------------------------------------------------------------------


@pytest.mark.both_databases
def test_readiness_is_written_once_in_some_seconds_however_many_look(hr: Hr) -> None:
    def written() -> Any:
        with hr.services.db.hot() as connection:
            return connection.scalar(select(SignOfLife.at).where(SignOfLife.name == "probe"))

    def look() -> None:
        for _ in range(20):
            told: Any = hr.app.test_client().get("/readyz").json
            assert told["checks"]["write"] == "ok"

    look()
    first, rows = written(), _whole(hr)
    hr.clock.advance(seconds=2)
    look()
    assert (written(), _whole(hr)) == (first, rows)
    hr.clock.advance(seconds=2)
    look()
    assert written() == hr.clock()
    assert _whole(hr) == rows
    # A node whose clock is ahead keeps nobody from looking for long.
    hr.clock.advance(seconds=-60)
    look()
    assert written() == hr.clock()
