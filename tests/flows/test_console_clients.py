"""An application owner's pages: a client in under a minute, its secrets, a trial sign-in, and who
has not acknowledged a sign-out.
"""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from sqlalchemy import select

from connectors import outbound
from directory.base.outbox import Job, JobKind
from directory.entitlements import Application
from directory.people import User
from directory.permissions import Role
from idp.console import snippets
from idp.oidc.clients import Client, GrantType, Options, Profile, Registration, register
from idp.oidc.grants import Grant
from idp.run.performing import drain
from tests import hr_world
from tests.browser_client import hidden_fields, shown
from tests.factories import make_role
from tests.hr_world import OPERATOR, PASSWORD, Hr, text_of
from tests.relying_party import REDIRECT, Flow, Party

SECRET = re.compile(r'id="client-secret">([^<]+)<')
ID = re.compile(r'id="client-id">([^<]+)<')


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def send(browser: Any, page: str, action: str = "", **fields: Any) -> Any:
    """Submit a form of a page, with the password."""
    token = hidden_fields(browser.get(page).text)["csrf_token"]
    form = {"csrf_token": token, "password": PASSWORD} | fields
    return shown(browser, browser.post(action or page, data=form))


def application(hr: Hr, code: str) -> int:
    with hr.services.db.read() as session:
        return session.scalars(select(Application.id).where(Application.code == code)).one()


def row(hr: Hr, client_id: str) -> Client:
    with hr.services.db.read() as session:
        return session.scalars(select(Client).where(Client.client_id == client_id)).one()


def made(hr: Hr, code: str | None = "vanban", **columns: Any) -> Party:
    """A client of an application that everybody with a post is given."""
    wanted = {
        "redirect_uris": (REDIRECT,),
        "application_id": application(hr, code) if code else None,
    } | columns
    with hr.services.db.write() as session:
        found, secret = register(
            session,
            Registration(name="Văn bản", **wanted),
            keyring=hr.services.keyring,
            actor=OPERATOR,
            now=hr.clock(),
        )
        return Party(found.id, found.client_id, secret, found.application_id)


def owner_of(hr: Hr, who: str, code: str) -> Any:
    """The person owns this one application; her browser."""
    with hr.services.db.write() as session:
        make_role(
            session,
            session.get_one(User, hr.people[who]),
            Role.APPLICATION_OWNER,
            application_id=application(hr, code),
        )
    return hr.browser(who)


# ---- registering -------------------------------------------------------------------------------


def test_three_fields_make_a_client_that_signs_people_in(hr: Hr) -> None:
    browser = owner_of(hr, "mai", "vanban")
    form = browser.get("/console/clients/new?use=flask")
    proposed = re.findall(r"<textarea[^>]*name=\"redirect_uris\"[^>]*>([^<]*)<", form.text)
    assert proposed == ["http://localhost:5000/callback"]
    assert "Không thuộc ứng dụng nào" not in form.text
    shown = send(
        browser,
        "/console/clients/new",
        name="Văn bản Nga Sơn",
        use="flask",
        application_id=str(application(hr, "vanban")),
        redirect_uris=REDIRECT,
    )
    assert shown.status_code == 200, text_of(shown.text)
    client_id, secret = ID.findall(shown.text)[0], SECRET.findall(shown.text)[0]
    code = unescape(re.findall(r"<code>(.*?)</code>", shown.text, re.DOTALL)[0])
    assert client_id in code
    assert secret in code
    compile(code, "app.py", "exec")
    found = row(hr, client_id)
    assert found.scopes == ["openid", "profile", "email", "org"]
    assert found.post_logout_redirect_uris == ["http://localhost:9001/"]
    party = Party(found.id, client_id, secret)
    flow = Flow(hr.browser("lan"), party, scope="openid")
    agreed = flow.browser.post(
        "/oauth2/consent", data=hidden_fields(flow.ask().text) | {"decision": "allow"}
    )
    assert flow.redeem(flow.told(agreed)["code"]).status_code == 200


@pytest.mark.parametrize(
    ("use", "method", "grant", "code"),
    [
        ("web", "client_secret_basic", "authorization_code", ["flask", "express", "apache"]),
        ("express", "client_secret_basic", "authorization_code", ["express"]),
        ("apache", "client_secret_basic", "authorization_code", ["apache"]),
        ("native", "none", "authorization_code", []),
        ("machine", "client_secret_basic", "client_credentials", []),
    ],
)
def test_each_kind_has_sensible_values(
    hr: Hr, use: str, method: str, grant: str, code: list[str]
) -> None:
    browser = hr.browser("owner")
    form = browser.get(f"/console/clients/new?use={use}")
    proposed = re.findall(r"<textarea[^>]*name=\"redirect_uris\"[^>]*>([^<]*)<", form.text)
    shown = send(
        browser,
        "/console/clients/new",
        name="X",
        use=use,
        application_id=str(application(hr, "vanban")),
        redirect_uris="".join(proposed),
    )
    assert shown.status_code == 200, text_of(shown.text)
    found = row(hr, ID.findall(shown.text)[0])
    assert (found.auth_method, found.grant_types[0]) == (method, grant)
    assert bool(SECRET.findall(shown.text)) == (method != "none")
    assert re.findall(r'id="snippet-(\w+)"', shown.text) == code
    if use == "apache":
        assert found.backchannel_logout_uri == f"{found.redirect_uris[0]}?logout=backchannel"


def test_the_proposed_address_is_at_the_applications_own_host(hr: Hr) -> None:
    with hr.services.db.write() as session:
        app = session.get_one(Application, application(hr, "vanban"))
        app.launch_url = "https://vanban.example/home?x=1"
    page = hr.browser("owner").get(
        "/console/clients/new", query_string={"use": "web", "application_id": str(app.id)}
    )
    assert ">https://vanban.example/callback</textarea>" in page.text


def test_a_wrong_address_is_said_at_its_field(hr: Hr) -> None:
    answer = send(
        hr.browser("owner"),
        "/console/clients/new",
        name="X",
        use="web",
        application_id=str(application(hr, "vanban")),
        redirect_uris="http://somewhere.example/cb",
    )
    assert answer.status_code == 422
    assert "http://somewhere.example/cb</textarea>" in answer.text
    assert "Địa chỉ phải dùng https" in text_of(answer.text)


def test_whoever_owns_one_application_registers_for_no_other(hr: Hr) -> None:
    browser = owner_of(hr, "mai", "motcua")
    wanted = {"name": "X", "use": "web", "redirect_uris": REDIRECT}
    page = "/console/clients/new"
    foreign = send(browser, page, application_id=str(application(hr, "vanban")), **wanted)
    assert foreign.status_code == 403
    own = send(browser, page, application_id=str(application(hr, "motcua")), **wanted)
    assert own.status_code == 200


# ---- editing -----------------------------------------------------------------------------------


def edit(browser: Any, client_id: str, /, **fields: Any) -> Any:
    form = {"name": "Mới", "redirect_uris": REDIRECT, "scopes": ["openid"]} | fields
    return send(browser, f"/console/clients/{client_id}/edit", **form)


def test_addresses_are_edited_and_count_at_once(hr: Hr) -> None:
    party = made(hr, first_party=True)
    browser = hr.browser("owner")
    other = "http://localhost:9001/other"
    saved = edit(
        browser,
        party.client_id,
        redirect_uris=other,
        backchannel_logout_uri="http://localhost:9001/out",
        frontchannel_logout_uri="http://localhost:9001/gone",
        frontchannel_logout_session_required="yes",
        scopes=["openid", "org"],
    )
    assert saved.status_code == 303, text_of(saved.text)
    lan = hr.browser("lan")
    assert Flow(lan, party, scope="openid").ask().status_code == 400
    assert "code=" in Flow(lan, party, scope="openid", redirect_uri=other).ask().location
    found = row(hr, party.client_id)
    assert (found.name, found.scopes) == ("Mới", ["openid", "org"])
    assert Options.of(found.options).frontchannel_logout_session_required
    page = browser.get(f"/console/clients/{party.client_id}").text
    assert "http://localhost:9001/gone" in page


def test_what_is_not_in_the_form_stays(hr: Hr) -> None:
    options = Options(require_pkce=False, contacts=("a@b.example",))
    party = made(hr, first_party=True, scopes=("openid", "changes:read"), options=options)
    assert edit(hr.browser("admin"), party.client_id).status_code == 303
    found = row(hr, party.client_id)
    assert found.scopes == ["openid", "changes:read"]
    assert found.first_party
    assert Options.of(found.options) == options


def test_what_a_form_does_not_show_it_does_not_take_away(hr: Hr) -> None:
    device = (GrantType.DEVICE, GrantType.REFRESH)
    party = made(hr, redirect_uris=(), grant_types=device, scopes=("openid", "email"))
    page = f"/console/clients/{party.client_id}/edit"
    browser = hr.browser("admin")
    assert 'name="scopes"' not in browser.get(page).text
    assert send(browser, page, name="Mới").status_code == 303
    found = row(hr, party.client_id)
    assert (found.name, found.scopes) == ("Mới", ["openid", "email"])


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256"])
def test_both_forms_offer_the_signatures_there_are(hr: Hr, alg: str) -> None:
    browser, page = hr.browser("admin"), "/console/clients/new"
    assert f'<option value="{alg}"' in browser.get(page).text
    shown = send(browser, page, name="X", use="web", redirect_uris=REDIRECT, alg=alg)
    found = row(hr, ID.findall(shown.text)[0])
    assert found.id_token_alg == alg
    edit = browser.get(f"/console/clients/{found.client_id}/edit").text
    assert f'<option value="{alg}" selected' in edit


@pytest.mark.parametrize(
    "field",
    [
        {"first_party": "yes"},
        {"scopes": ["openid", "changes:write"]},
        {"introspect_all": "yes"},
        {"resource_server": "yes"},
        {"auth_method": "none"},
        {"application_id": "2"},
        {"client_id": "dinhdanh-probe"},
        {"minimum_acr": "urn:vn:aal:1"},
    ],
    ids=lambda field: next(iter(field)),
)
def test_an_owner_changes_nothing_an_administrator_decides(hr: Hr, field: dict[str, Any]) -> None:
    party = made(hr)
    before = row(hr, party.client_id)
    assert edit(hr.browser("owner"), party.client_id, **field).status_code == 303
    after = row(hr, party.client_id)
    kept = ("first_party", "introspect_all", "resource_server", "auth_method", "application_id")
    assert [getattr(after, n) for n in kept] == [getattr(before, n) for n in kept]
    assert after.client_id == before.client_id
    assert "changes:write" not in after.scopes
    assert Options.of(after.options).minimum_acr is None


def test_an_owner_touches_no_client_of_another_application(hr: Hr) -> None:
    party = made(hr, "motcua")
    browser = owner_of(hr, "mai", "vanban")
    own = made(hr, "vanban")
    assert browser.get(f"/console/clients/{own.client_id}").status_code == 200
    for path in ("", "/edit"):
        assert browser.get(f"/console/clients/{party.client_id}{path}").status_code == 404
    token = f"/console/clients/{own.client_id}"
    for action in ("edit", "rotate", "retire", "disable", "enable", "test-sign-in"):
        answer = send(browser, token, f"/console/clients/{party.client_id}/{action}", name="X")
        assert answer.status_code == 404, action
    assert row(hr, party.client_id).enabled


@pytest.mark.parametrize("action", ["edit", "rotate", "enable"])
def test_an_owner_does_not_take_over_a_client_that_reaches_beyond(hr: Hr, action: str) -> None:
    party = made(hr, scopes=("openid", "changes:write"))
    path = f"/console/clients/{party.client_id}"
    before = row(hr, party.client_id)
    answer = send(hr.browser("owner"), path, f"{path}/{action}", name="X")
    assert answer.status_code in (403, 422)
    after = row(hr, party.client_id)
    assert (after.secrets, after.name, after.epoch) == (before.secrets, before.name, before.epoch)


def test_a_wrong_edit_changes_nothing_and_keeps_what_was_typed(hr: Hr) -> None:
    party = made(hr)
    browser = hr.browser("owner")
    answer = edit(browser, party.client_id, redirect_uris="https://x.example/#part")
    assert answer.status_code == 422
    assert "https://x.example/#part" in answer.text
    assert (
        edit(browser, party.client_id, frontchannel_logout_uri="https://y.example/").status_code
        == 422
    )
    assert row(hr, party.client_id).redirect_uris == [REDIRECT]


def test_editing_needs_the_password_of_this_session(hr: Hr) -> None:
    party = made(hr)
    assert edit(hr.browser("owner"), party.client_id, password="sai").status_code == 422
    assert row(hr, party.client_id).name == "Văn bản"


# ---- secrets -----------------------------------------------------------------------------------


def secret_works(hr: Hr, party: Party, secret: str) -> bool:
    flow = Flow(hr.app.test_client(), Party(party.id, party.client_id, secret))
    answer = flow.post("/oauth2/token", {"grant_type": "authorization_code", "code": "x"})
    return answer.get_json()["error"] != "invalid_client"


def test_a_new_secret_leaves_the_old_one_seven_days_or_until_it_is_ended(hr: Hr) -> None:
    party = made(hr)
    browser = hr.browser("owner")
    page = f"/console/clients/{party.client_id}"
    shown = send(browser, page, f"{page}/rotate")
    fresh = SECRET.findall(shown.text)[0]
    assert "Mật khẩu cũ còn dùng được đến 09/03/2026 09:00" in shown.text
    assert fresh in unescape(shown.text.split('id="snippet-flask"')[1])
    assert secret_works(hr, party, party.secret or "")
    assert secret_works(hr, party, fresh)
    assert "Mật khẩu cũ còn dùng được đến 09/03/2026 09:00" in browser.get(page).text
    assert send(browser, page, f"{page}/retire").status_code == 303
    assert not secret_works(hr, party, party.secret or "")
    assert secret_works(hr, party, fresh)
    assert "Kết thúc mật khẩu cũ ngay" not in browser.get(page).text


def test_the_overlap_ends_by_itself(hr: Hr) -> None:
    party = made(hr)
    page = f"/console/clients/{party.client_id}"
    send(hr.browser("owner"), page, f"{page}/rotate")
    hr.clock.advance(days=7, seconds=1)
    assert not secret_works(hr, party, party.secret or "")
    assert "Kết thúc mật khẩu cũ ngay" not in hr.browser("owner").get(page).text


# ---- a trial sign-in ---------------------------------------------------------------------------


def begin(browser: Any, party: Party) -> str:
    page = f"/console/clients/{party.client_id}"
    token = hidden_fields(browser.get(page).text)["csrf_token"]
    answer = browser.post(f"{page}/test-sign-in", data={"csrf_token": token})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def owner_with_a_post(hr: Hr) -> Any:
    hr.grant("lan", Role.APPLICATION_OWNER)
    return hr.browser("lan")


@pytest.mark.parametrize(
    "columns",
    [
        {"first_party": True},
        {"first_party": True, "id_token_alg": "ES256"},
        {
            "first_party": True,
            "redirect_uris": ("https://a.example/cb",),
            "options": Options(require_pushed_authorization_requests=True),
        },
    ],
    ids=["ours", "es256", "pushed only"],
)
def test_the_owner_sees_what_the_application_would_know_of_her(
    hr: Hr, columns: dict[str, Any]
) -> None:
    party = made(
        hr,
        scopes=("openid", "profile", "org"),
        backchannel_logout_uri="https://a.example/out",
        **columns,
    )
    browser = owner_with_a_post(hr)
    before = row(hr, party.client_id)
    answer = browser.get(begin(browser, party))
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(
        f"http://localhost:8000/console/clients/{party.client_id}/test-sign-in/answer?"
    )
    page = browser.get(answer.headers["Location"])
    said = text_of(page.text)
    assert "Đăng nhập được." in said
    assert "Lê Thị Lan" in said
    assert "Phòng Kinh tế" in said
    assert "+84912345678" not in said  # the client has no scope phone
    # Nothing is left: no token, no living grant, no address registered.
    (grant,) = [g for g in _all(hr, Grant) if g.client_id == party.id]
    assert grant.revoked_at is not None
    assert row(hr, party.client_id).redirect_uris == before.redirect_uris
    again = browser.get(answer.headers["Location"])
    assert "đã dùng hoặc đã hết hạn" in text_of(again.text)
    # Nor is the application told anything when she signs out.
    browser.post("/logout", data=hidden_fields(browser.get("/").text))
    assert _deliveries(hr) == []


def _all(hr: Hr, table: type) -> list[Any]:
    with hr.services.db.read() as session:
        return list(session.scalars(select(table)))


def test_the_trial_goes_through_the_consent_page(hr: Hr) -> None:
    party = made(hr, scopes=("openid", "email"))
    browser = owner_with_a_post(hr)
    consent = browser.get(begin(browser, party))
    assert 'value="allow"' in consent.text
    denied = browser.post(
        "/oauth2/consent", data=hidden_fields(consent.text) | {"decision": "deny"}
    )
    refused = browser.get(denied.headers["Location"])
    assert "Bạn đã từ chối chia sẻ" in refused.text
    consent = browser.get(begin(browser, party))
    allowed = browser.post(
        "/oauth2/consent", data=hidden_fields(consent.text) | {"decision": "allow"}
    )
    assert "Đăng nhập được." in browser.get(allowed.headers["Location"]).text


def test_whoever_is_not_entitled_is_told_why(hr: Hr) -> None:
    hr.grant("mai", Role.APPLICATION_OWNER)
    party = made(hr, "motcua", first_party=True)  # for the other commune
    browser = hr.browser("mai")
    page = browser.get(begin(browser, party))
    assert page.status_code == 403
    back = unescape(re.findall(r'href="(http://localhost:8000/console/[^"]+)"', page.text)[0])
    said = browser.get(back).text
    assert "không được cấp ứng dụng này" in said
    assert f"/console/applications/{party.application_id}" in said
    assert "Nga Sơn" in said


def test_an_answer_counts_only_in_the_session_that_asked(hr: Hr) -> None:
    party = made(hr, first_party=True)
    browser = owner_with_a_post(hr)
    location = browser.get(begin(browser, party)).headers["Location"]
    hr.grant("hien", Role.APPLICATION_OWNER)
    stolen = hr.browser("hien").get(location)
    assert "không bắt đầu từ phiên đăng nhập này" in stolen.text
    assert "Lê Thị Lan" not in stolen.text
    # Nor is the code good for the client itself: it belongs to a verifier nobody has.
    code = parse_qs(urlsplit(location).query)["code"][0]
    flow = Flow(hr.app.test_client(), party, redirect_uri=location.partition("?")[0])
    assert flow.redeem(code).get_json()["error"] == "invalid_grant"
    assert "Đăng nhập được." in browser.get(location).text


def test_the_trial_takes_a_quarter_of_an_hour_at_most(hr: Hr) -> None:
    party = made(hr, first_party=True)
    browser = owner_with_a_post(hr)
    path = begin(browser, party)
    hr.clock.advance(minutes=16)
    assert browser.get(path).status_code == 400


def test_the_consoles_address_is_nobody_elses_redirect_uri(hr: Hr) -> None:
    """Without the pushed request of the console the address is simply not registered."""
    party = made(hr, first_party=True)
    browser = owner_with_a_post(hr)
    location = browser.get(begin(browser, party)).headers["Location"]
    address, _, query = location.partition("?")
    state = parse_qs(query)["state"][0]
    flow = Flow(browser, party, scope="openid", redirect_uri=address)
    assert flow.ask().status_code == 400
    assert flow.ask(state=state).status_code == 400
    pushed = flow.post("/oauth2/par", flow.query | {"state": state})
    assert pushed.status_code == 400


def test_a_client_that_signs_nobody_in_is_not_tried(hr: Hr) -> None:
    party = made(hr, redirect_uris=(), grant_types=(GrantType.CLIENT,), scopes=())
    browser = hr.browser("owner")
    assert 'id="try"' not in browser.get(f"/console/clients/{party.client_id}").text
    assert begin(browser, party) == f"/console/clients/{party.client_id}"


def test_a_disabled_client_is_not_tried(hr: Hr) -> None:
    party = made(hr)
    browser = hr.browser("owner")
    page = f"/console/clients/{party.client_id}"
    send(browser, page, f"{page}/disable")
    assert begin(browser, party) == page
    assert "đang ngừng" in text_of(browser.get(page).text)


def test_the_trial_must_be_begun_by_a_form(hr: Hr) -> None:
    party = made(hr)
    browser = hr.browser("owner")
    path = f"/console/clients/{party.client_id}/test-sign-in"
    assert browser.get(path).status_code == 405
    assert browser.post(path).status_code == 400


def test_a_client_of_the_strictest_profile_is_tried_as_well(hr: Hr) -> None:
    """Pushed, signed and answered by JWT, with tokens that belong to a key."""
    key = {"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "1"}
    from joserfc.jwk import ECKey

    from idp.oidc.clients import AuthMethod

    public = ECKey.generate_key("P-256").as_dict(private=False) | key
    party = made(
        hr,
        first_party=True,
        redirect_uris=("https://a.example/cb",),
        auth_method=AuthMethod.KEY_JWT,
        options=Options(profile=Profile.FAPI2_SIGNED, jwks={"keys": [public]}),
    )
    browser = owner_with_a_post(hr)
    answer = browser.get(begin(browser, party))
    assert "response=" in answer.headers["Location"]
    assert "Đăng nhập được." in browser.get(answer.headers["Location"]).text


# ---- who has not acknowledged ------------------------------------------------------------------


class Receiver:
    """A relying party's logout address as the network shows it."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.asked: list[str] = []

    def request(self, _method: str, url: str, **_: Any) -> Any:
        self.asked.append(url)
        return outbound.Response(self.status, {}, b"")


def silent(hr: Hr, code: str | None = "vanban", who: str = "lan") -> Party:
    """A client that has refused a logout token of a person."""
    party = made(hr, code, first_party=True, backchannel_logout_uri="https://a.example/out")
    browser = hr.browser(who)
    Flow(browser, party, scope="openid").tokens()
    browser.post("/logout", data=hidden_fields(browser.get("/").text))
    job = _deliveries(hr)[-1]
    with hr.services.db.write() as session:
        held = session.get_one(Job, job.id)
        held.state, held.reason, held.attempts = "parked", "Ứng dụng từ chối (400).", 3
    return party


def _deliveries(hr: Hr) -> list[Job]:
    found = [job for job in _all(hr, Job) if job.kind == JobKind.LOGOUT_DELIVER.value]
    return sorted(found, key=lambda job: job.id)


def test_a_refused_logout_token_is_listed_with_its_reason_and_sent_again(hr: Hr) -> None:
    party = silent(hr)
    hr.clock.advance(minutes=5)
    browser = hr.browser("admin")
    page = browser.get("/console/logouts")
    said = text_of(page.text)
    for words in ("Văn bản", "Ứng dụng từ chối (400).", "https://a.example/out", "Lê Thị Lan"):
        assert words in said
    assert "5 phút" in said
    assert f"/console/logouts?client={party.client_id}" in page.text
    job = _deliveries(hr)[0]
    sent = browser.post(f"/console/logouts/{job.id}/retry", data=hidden_fields(page.text))
    assert sent.status_code == 303
    assert [j.state for j in _deliveries(hr)] == ["done", "ready"]


def test_an_owner_sees_and_sends_what_is_hers_and_no_names(hr: Hr) -> None:
    own, other = silent(hr, "vanban"), silent(hr, "motcua", "hien")
    browser = owner_of(hr, "mai", "vanban")
    page = browser.get("/console/logouts")
    assert own.client_id in page.text
    assert other.client_id not in page.text
    assert "Lê Thị Lan" not in page.text
    first, second = _deliveries(hr)
    form = hidden_fields(page.text)
    assert browser.post(f"/console/logouts/{second.id}/retry", data=form).status_code == 404
    path = f"/console/clients/{other.client_id}/logouts/retry"
    assert browser.post(path, data=form).status_code == 404
    path = f"/console/clients/{own.client_id}/logouts/retry"
    assert browser.post(path, data=form).status_code == 303
    assert {j.id: j.state for j in _deliveries(hr)}[second.id] == "parked"
    assert {j.id: j.state for j in _deliveries(hr)}[first.id] == "done"
    assert "1" in text_of(browser.get(f"/console/clients/{own.client_id}").text)


def test_an_auditor_looks_at_her_subtree_and_sends_nothing(hr: Hr) -> None:
    silent(hr)
    with hr.services.db.write() as session:
        from directory.units import OrgUnit

        role = make_role(
            session,
            session.get_one(User, hr.people["mai"]),
            Role.AUDITOR,
            session.get_one(OrgUnit, hr.units["b"]),
        )
        assert role.id
    auditor = hr.browser("auditor")
    page = auditor.get("/console/logouts")
    assert "Lê Thị Lan" in page.text
    assert "Gửi lại" not in text_of(page.text)
    elsewhere = hr.browser("mai").get("/console/logouts")
    assert "Mọi ứng dụng đã xác nhận" in elsewhere.text
    job = _deliveries(hr)[0]
    answer = auditor.post(f"/console/logouts/{job.id}/retry", data=hidden_fields(page.text))
    assert answer.status_code == 404
    assert _deliveries(hr)[0].state == "parked"


def test_what_was_acknowledged_is_listed_no_longer(hr: Hr, monkeypatch: Any) -> None:
    party = silent(hr)
    browser = hr.browser("admin")
    client_page = f"/console/clients/{party.client_id}"
    assert "Còn 1 lượt báo đăng xuất" in text_of(browser.get(client_page).text)
    page = browser.get("/console/logouts", query_string={"client": party.client_id})
    browser.post(f"/console/logouts/{_deliveries(hr)[0].id}/retry", data=hidden_fields(page.text))
    receiver = Receiver(200)
    monkeypatch.setattr(
        outbound.Outbound, "request", lambda _self, *a, **o: receiver.request(*a, **o)
    )
    drain(hr.services)
    assert receiver.asked == ["https://a.example/out"]
    assert "Mọi ứng dụng đã xác nhận" in browser.get("/console/logouts").text
    assert "Còn 1 lượt báo đăng xuất" not in text_of(browser.get(client_page).text)


@pytest.mark.both_databases
def test_the_page_filters_and_goes_on(hr: Hr) -> None:
    party = silent(hr)
    browser = hr.browser("admin")
    for query in (
        "state=parked",
        f"client={party.client_id}",
        "before=1",
        "client=%00x",
        "before=x",
    ):
        assert browser.get(f"/console/logouts?{query}").status_code in (200, 400), query
    assert "Không còn lượt nào" in browser.get("/console/logouts?before=1").text
    assert "Không còn lượt nào" in browser.get("/console/logouts?client=nobody").text


# ---- snippets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", snippets.Snippet)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_snippet_carries_the_clients_values_and_pkce(kind: Any, language: str) -> None:
    from idp.web import i18n

    i18n.use(language)
    text = snippets.snippet(
        kind,
        issuer="https://id.example",
        client_id="abc",
        client_secret='a"b\\c',
        redirect_uri="https://app.example/cb",
        post_logout_redirect_uri="https://app.example/",
    )
    i18n.use(None)
    for value in ("https://id.example", '"abc"', '"a\\"b\\\\c"', "https://app.example/cb", "S256"):
        assert value in text, value
    if kind is snippets.Snippet.FLASK:
        compile(text, "app.py", "exec")


def test_there_is_no_snippet_for_what_no_test_runs() -> None:
    with pytest.raises(ValueError, match="php"):
        snippets.snippet("php", issuer="", client_id="", client_secret="", redirect_uri="")
