"""An application written by somebody else, registered with nothing but its name and address.

It takes what libraries take without being told (OIDC Registration §2: RS256, client_secret_basic),
sends its secret in the header or in the form, and finds the reason of a refusal on its page in the
console, where its owner is, never in an answer to whoever called.
"""

import base64
import json
import re
from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.browser_client import hidden_fields
from tests.command_line import Operator, Outcome, operator
from tests.hr_world import PASSWORD, Hr, text_of
from tests.relying_party import REDIRECT, Flow, Party, World, build_world, counted

__all__ = ["operator"]

ID = re.compile(r'id="client-id">([^<]+)<')
SECRET = re.compile(r'id="client-secret">([^<]+)<')


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def admin(hr: Hr) -> Any:
    return hr.browser("admin")


def registered(admin: Any, **fields: str) -> Party:
    """A client made in the console; its id and its secret, as the page shows them."""
    page = "/console/clients/new?use=" + fields.get("use", "web")
    form = hidden_fields(admin.get(page).text)
    said = {"name": "Cổng Nextcloud", "redirect_uris": REDIRECT, "first_party": "yes"}
    data = form | {"password": PASSWORD} | said | fields
    shown = admin.post("/console/clients/new", data=data, follow_redirects=True)
    secret = SECRET.findall(shown.text)
    assert ID.findall(shown.text), text_of(shown.text)
    return Party(0, ID.findall(shown.text)[0], secret[0] if secret else None)


def edited(admin: Any, party: Party, **fields: str) -> None:
    """The client's form, sent with other values."""
    page = f"/console/clients/{party.client_id}/edit"
    data = hidden_fields(admin.get(page).text) | {"password": PASSWORD}
    said = {"name": "Cổng Nextcloud", "redirect_uris": REDIRECT}
    answer = admin.post(page, data=data | said | {"scopes": ["openid", "email"]} | fields)
    assert answer.status_code == 303, text_of(answer.text)


def page_of(admin: Any, party: Party) -> str:
    """What its owner reads on its page."""
    return text_of(admin.get(f"/console/clients/{party.client_id}").text)


def part(token: str, number: int) -> dict[str, Any]:
    """Header (0) or claims (1) of a JWT, its signature aside."""
    text = token.split(".")[number]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def redeemed(flow: Flow, code: str) -> Any:
    """The code, redeemed without a verifier."""
    return flow.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)


def values(outcome: Outcome) -> dict[str, str]:
    """Lines of two words, by the first."""
    assert outcome.code == 0, outcome.said
    return dict(line.split(None, 1) for line in outcome.out.splitlines())


def by_post(flow: Flow, code: str, **changes: str) -> Any:
    """The code, redeemed with the secret in the form (client_secret_post)."""
    return flow.browser.post(
        "/oauth2/token",
        data={
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": flow.verifier,
            "client_id": flow.party.client_id,
            "client_secret": flow.party.secret,
        }
        | changes,
    )


# ---- what it is without being told ---------------------------------------------------------------


@pytest.mark.parametrize("use", ["web", "flask", "express", "apache"])
def test_a_client_of_the_console_is_given_rs256(hr: Hr, admin: Any, use: str) -> None:
    flow = Flow(hr.browser("lan"), registered(admin, use=use), scope="openid email")
    assert part(flow.tokens()["id_token"], 0)["alg"] == "RS256"


def test_es256_is_there_for_whoever_chooses_it(hr: Hr, admin: Any) -> None:
    flow = Flow(hr.browser("lan"), registered(admin, alg="ES256"), scope="openid")
    assert part(flow.tokens()["id_token"], 0)["alg"] == "ES256"


def test_its_secret_is_taken_from_the_header_and_from_the_form(hr: Hr, admin: Any) -> None:
    flow = Flow(hr.browser("lan"), registered(admin), scope="openid email")
    assert flow.redeem(flow.code()).status_code == 200
    assert by_post(flow, flow.code()).status_code == 200
    # RFC 6749 §2.3: never by two at once.
    both = flow.party.basic | {"Content-Type": "application/x-www-form-urlencoded"}
    form = {"grant_type": "client_credentials", "client_secret": flow.party.secret}
    answer = flow.browser.post("/oauth2/token", data=form, headers=both)
    assert answer.get_json()["error"] == "invalid_request"


def test_the_form_may_pin_one_way_and_free_it_again(hr: Hr, admin: Any) -> None:
    party = registered(admin, auth_method="client_secret_post")
    flow = Flow(hr.browser("lan"), party, scope="openid email")
    assert flow.redeem(flow.code()).status_code == 401
    assert by_post(flow, flow.code()).status_code == 200
    edited(admin, party, auth_method="client_secret_basic")
    hr.clock.advance(minutes=1)
    assert by_post(flow, flow.code()).status_code == 401
    assert "client_secret_post ≠ client_secret_basic" in page_of(admin, party)
    assert flow.redeem(flow.code()).status_code == 200
    edited(admin, party, auth_method="client_secret")
    assert by_post(flow, flow.code()).status_code == 200
    assert flow.redeem(flow.code()).status_code == 200


def test_a_registration_by_command_has_the_same_defaults(
    services: Any, clock: Any, client: Any, operator: Operator
) -> None:
    world = build_world(services, clock)
    register = ("client", "register", "Moodle", "--redirect-uri", REDIRECT, "--first-party")
    made = values(operator(*register))
    party = Party(0, made["client_id"], made["client_secret"])
    world.sign_in(client)
    flow = Flow(client, party, scope="openid")
    assert part(flow.tokens()["id_token"], 0)["alg"] == "RS256"
    assert by_post(flow, flow.code()).status_code == 200
    assert operator("client", "set", party.client_id, "pin_auth_method=true").code == 0
    assert by_post(flow, flow.code()).status_code == 401
    pinned = values(operator(*register, "--auth-method", "client_secret_post"))
    flow.party = Party(0, pinned["client_id"], pinned["client_secret"])
    assert flow.redeem(flow.code()).status_code == 401


def test_who_registers_itself_is_pinned_by_what_it_says_and_by_nothing_else(
    services: Any, clock: Any, client: Any, operator: Operator
) -> None:
    build_world(services, clock)

    def posted(**said: str) -> int:
        token = values(operator("client", "invite"))["initial_access_token"]
        made = client.post(
            "/oauth2/register",
            json={"redirect_uris": ["https://app.example/cb"], **said},
            headers={"Authorization": f"Bearer {token}"},
        ).get_json()
        form = {
            "grant_type": "refresh_token",
            "refresh_token": "x",
            "client_id": made["client_id"],
            "client_secret": made["client_secret"],
        }
        return int(client.post("/oauth2/token", data=form).status_code)

    assert posted() == 400  # let in, and the token is none
    assert posted(token_endpoint_auth_method="client_secret_post") == 400
    assert posted(token_endpoint_auth_method="client_secret_basic") == 401


# ---- PKCE ----------------------------------------------------------------------------------------


def test_an_application_that_sends_no_pkce_needs_one_box_which_its_page_names(
    hr: Hr, admin: Any
) -> None:
    party = registered(admin)
    flow = Flow(hr.browser("lan"), party, scope="openid email")
    bare = {"code_challenge": None, "code_challenge_method": None}
    assert flow.told(flow.ask(**bare))["error"] == "invalid_request"
    assert "Ứng dụng này không gửi PKCE" in page_of(admin, party)
    edited(admin, party, no_pkce="yes")
    assert redeemed(flow, flow.code(**bare)).status_code == 200
    # Whoever sends a challenge is held to it (RFC 9700 §2.1.1).
    assert redeemed(flow, flow.code()).status_code == 400
    edited(admin, party)
    assert flow.told(flow.ask(**bare))["error"] == "invalid_request"


def test_the_box_is_in_the_form_with_its_warning_and_nowhere_for_native_clients(
    hr: Hr, admin: Any
) -> None:
    form = text_of(admin.get("/console/clients/new?use=web").text)
    assert "Ứng dụng này không gửi PKCE" in form
    assert "Ứng dụng này không gửi PKCE" not in admin.get("/console/clients/new?use=native").text
    party = registered(admin, use="native", no_pkce="yes", redirect_uris="http://127.0.0.1/cb")
    flow = Flow(hr.browser("lan"), party, redirect_uri="http://127.0.0.1:9/cb", scope="openid")
    bare = {"code_challenge": None, "code_challenge_method": None}
    assert flow.told(flow.ask(**bare))["error"] == "invalid_request"


# ---- claims --------------------------------------------------------------------------------------


def test_claims_come_in_the_id_token_of_those_who_never_ask_userinfo(hr: Hr, admin: Any) -> None:
    party = registered(admin)
    flow = Flow(hr.browser("lan"), party, scope="openid email")
    assert "email" not in part(flow.tokens()["id_token"], 1)
    edited(admin, party, id_token_scope_claims="yes")
    told = flow.tokens()
    assert part(told["id_token"], 1)["email"].endswith("@thanhhoa.example")
    # What was not asked for stays out, and a narrower refresh is told less.
    assert "phone_number" not in part(told["id_token"], 1)
    less = flow.refresh(told["refresh_token"], scope="openid").get_json()
    assert "email" not in part(less["id_token"], 1)


class TestOurMail:
    """Addresses at domains that the installation runs itself."""

    @pytest.fixture
    def settings(self, make_settings: Any) -> Any:
        return make_settings(mail_domains=["ThanhHoa.example"])

    @pytest.mark.parametrize(
        ("address", "verified"),
        [
            ("lan@thanhhoa.example", True),
            ("Lan@THANHHOA.EXAMPLE", True),
            ("lan@x.thanhhoa.example", False),
            ("lan@evilthanhhoa.example", False),
            ("lan@gmail.example", False),
            ("lan@thanhhoa.example@gmail.example", False),
        ],
    )
    def test_an_address_is_verified_where_the_domain_is_ours(
        self, services: Any, clock: Any, client: Any, address: str, verified: bool
    ) -> None:
        from directory.people import User

        world = build_world(services, clock)
        world.change(User, world.user_id, email=address)
        world.sign_in(client)
        flow = Flow(client, world.register())
        told = flow.userinfo(flow.tokens()["access_token"]).get_json()
        assert told["email_verified"] is verified


def test_check_says_that_no_address_is_verified(services: Any, operator: Operator) -> None:
    assert "mail_domains" in operator("check").out
    assert "mail_domains" not in operator("check", mail_domains='["thanhhoa.example"]').out
    wrong = operator("check", mail_domains='["@thanhhoa.example"]')
    assert wrong.code == 1
    assert "mail_domains" in wrong.err


# ---- why it was refused --------------------------------------------------------------------------


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _wrong_secret(flow: Flow) -> str:
    flow.party = Party(0, flow.party.client_id, "khong-dung")
    assert flow.refresh("x").status_code == 401
    return "Mật khẩu của ứng dụng không đúng"


def _no_proof(flow: Flow) -> str:
    form = {"client_id": flow.party.client_id, "grant_type": "client_credentials"}
    assert flow.browser.post("/oauth2/token", data=form).status_code == 401
    return "chỉ nêu client_id"


def _two_ways(flow: Flow) -> str:
    form = {"grant_type": "client_credentials", "client_secret": flow.party.secret}
    answer = flow.browser.post("/oauth2/token", data=form, headers=flow.party.basic)
    assert answer.get_json()["error"] == "invalid_request"
    return "bằng hai cách"


def _redirect(flow: Flow) -> str:
    assert flow.ask(redirect_uri=REDIRECT + "/").status_code == 400
    return REDIRECT + "/"


def _no_redirect(flow: Flow) -> str:
    assert flow.ask(redirect_uri=None).status_code == 400
    return "không nói địa chỉ chuyển về"


def _response_type(flow: Flow) -> str:
    assert flow.told(flow.ask(response_type="id_token"))["error"] == "unsupported_response_type"
    return "response_types"


def _logout(flow: Flow) -> str:
    query = {"client_id": flow.party.client_id, "post_logout_redirect_uri": "https://x.example/"}
    assert flow.browser.get("/oauth2/logout", query_string=query).status_code == 400
    return "https://x.example/"


def _code(flow: Flow) -> str:
    assert flow.redeem("ddc_x").status_code == 400
    return "invalid_grant"


@pytest.mark.parametrize(
    "refused",
    [_wrong_secret, _no_proof, _two_ways, _redirect, _no_redirect, _response_type, _logout, _code],
)
def test_the_reason_stands_on_the_clients_page_and_not_in_the_answer(
    hr: Hr, admin: Any, refused: Any
) -> None:
    party = registered(admin)
    before = page_of(admin, party)
    reason = refused(Flow(hr.browser("lan"), party, scope="openid"))
    assert reason not in before
    assert reason in page_of(admin, party)
    others = registered(admin, name="Khác")
    assert "khong-dung" not in page_of(admin, party)
    assert reason not in page_of(admin, others)


def test_whoever_calls_hears_the_same_for_every_reason(hr: Hr, admin: Any) -> None:
    party = registered(admin)
    flow = Flow(hr.app.test_client(), party)
    answers = set()
    for form in (
        {"client_id": party.client_id},
        {"client_id": party.client_id, "client_secret": "khong-dung"},
        {"client_id": "khong-co", "client_secret": "khong-dung"},
    ):
        answer = flow.browser.post("/oauth2/token", data={"grant_type": "x"} | form)
        answers.add((answer.status_code, answer.text))
    assert len(answers) == 1


def test_a_client_that_is_switched_off_finds_that_on_its_page(hr: Hr, admin: Any) -> None:
    party = registered(admin)
    page = f"/console/clients/{party.client_id}"
    data = hidden_fields(admin.get(page).text) | {"password": PASSWORD}
    assert admin.post(page + "/disable", data=data).status_code == 303
    assert Flow(hr.app.test_client(), party).refresh("x").status_code == 401
    assert "đang ngừng" in page_of(admin, party).partition("Lần bị từ chối")[2]


@pytest.mark.both_databases
def test_a_stranger_cannot_fill_the_list(
    world: World, services: Any, clock: Any, client: Any
) -> None:
    from sqlalchemy import text

    flow = Flow(client, Party(0, world.register().client_id, "khong-dung"))

    def kept() -> int:
        with services.db.hot() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM client_refusal")))

    for _ in range(20):
        flow.refresh("x")
    assert kept() == 1
    with counted(services) as cost:
        flow.refresh("x")
    assert cost == {"SELECT": 1}, "what this minute knows already is not written again"
    for number in range(20):
        flow.ask(redirect_uri=f"https://{number}.example/")
    assert kept() == 2
    for _ in range(300):
        clock.advance(minutes=1)
        flow.refresh("x")
    from idp.run import housekeeping

    housekeeping.sweep(services, clock())
    assert kept() <= 100
    clock.advance(days=8)
    housekeeping.sweep(services, clock())
    assert kept() == 0
    Flow(client, Party(0, "khong-co", "x")).refresh("x")
    assert kept() == 0
