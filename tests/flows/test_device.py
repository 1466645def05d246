"""A device lets a person sign in elsewhere (RFC 8628)."""

import re
from typing import Any

import pytest
from sqlalchemy import select

from directory.base.audit import AuditEntry, Tag
from idp.oidc.authorization.consent import Consent
from idp.oidc.clients import AuthMethod, Client, GrantType, Options
from idp.oidc.grant_types.device import DeviceRequest
from idp.oidc.grants import Grant
from idp.run.housekeeping import sweep
from tests.browser_client import hidden_fields
from tests.device_flow import DEVICE, Device, register_device
from tests.relying_party import World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def device(world: World, client: Any) -> Device:
    made = Device(client, register_device(world))
    world.sign_in(client)
    return made


@pytest.mark.both_databases
def test_a_device_is_let_in_by_a_person_elsewhere(world: World, device: Device) -> None:
    device.begin()
    said = device.answer
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", said["user_code"])
    assert said["verification_uri"] == "http://localhost:8000/device"
    assert said["verification_uri_complete"] == (
        f"http://localhost:8000/device?user_code={said['user_code']}"
    )
    assert (said["expires_in"], said["interval"]) == (600, 5)
    assert device.error() == "authorization_pending"

    page = device.confirmation()
    assert "Máy tính bảng" in page.text
    assert said["user_code"] in page.text
    assert "02/03/2026 09:00" in page.text
    assert "127.0.0.1" in page.text
    assert "Họ tên, tên đăng nhập, ngày sinh và giới tính" in page.text
    assert "Đã cho phép" in device.decide().text

    world.clock.advance(seconds=5)
    answer = device.poll().get_json()
    assert answer["token_type"] == "Bearer"
    assert answer["scope"] == "openid profile offline_access"
    assert "id_token" in answer
    assert device.flow.userinfo(answer["access_token"]).get_json()["name"] == "Lê Thị Lan"
    again = device.flow.refresh(answer["refresh_token"]).get_json()
    assert device.flow.introspect(again["access_token"])["active"] is True


def test_the_answer_is_not_to_be_cached(device: Device) -> None:
    response = device.ask()
    assert response.headers["Cache-Control"] == "no-store"
    assert response.mimetype == "application/json"


def test_only_a_keyed_hash_of_the_user_code_is_kept(world: World, device: Device) -> None:
    code = device.begin().answer["user_code"].replace("-", "")
    (row,) = world.all(DeviceRequest)
    assert code not in str(vars(row))
    assert device.answer["device_code"] not in str(vars(row))


def test_the_code_may_be_typed_in_any_spelling(device: Device) -> None:
    code = device.begin().answer["user_code"]
    for spelt in (code.lower(), code.replace("-", ""), f" {code[:4]} {code[5:]} ", f"{code}."):
        assert device.type_code(spelt).status_code == 303


def test_a_code_in_the_address_is_filled_in_and_not_sent(world: World, device: Device) -> None:
    """RFC 8628 §3.3.1: she is to compare it with what the device shows."""
    code = device.begin().answer["user_code"]
    page = device.browser.get("/device", query_string={"user_code": code})
    assert f'value="{code}"' in page.text
    assert "có đúng là mã" in page.text
    assert device.error() == "authorization_pending"


def test_who_is_not_signed_in_comes_back_to_the_code(
    world: World, device: Device, app: Any
) -> None:
    code = device.begin().answer["user_code"]
    response = app.test_client().get(f"/device?user_code={code}")
    assert response.status_code == 303
    assert code in response.headers["Location"]
    assert response.headers["Location"].startswith("/login?")


@pytest.mark.both_databases
def test_a_device_that_does_not_wait_is_told_to_slow_down(world: World, device: Device) -> None:
    """RFC 8628 §3.5: by five seconds more, for this and all later questions."""
    device.begin()
    assert device.error() == "authorization_pending"
    world.clock.advance(seconds=1)
    assert device.error() == "slow_down"
    world.clock.advance(seconds=6)
    assert device.error() == "slow_down"
    world.clock.advance(seconds=15)
    assert device.error() == "authorization_pending"


def test_a_refusal_reaches_the_device(world: World, device: Device) -> None:
    device.begin()
    assert "Đã từ chối" in device.decide("deny").text
    assert device.error() == "access_denied"
    assert not world.all(Grant)


def test_both_codes_run_out(world: World, device: Device) -> None:
    device.begin()
    world.clock.advance(seconds=601)
    assert device.error() == "expired_token"
    assert device.type_code().status_code == 422


def test_an_answer_nobody_fetched_in_time_runs_out(world: World, device: Device) -> None:
    device.begin().decide()
    world.clock.advance(seconds=601)
    assert device.error() == "expired_token"


def test_a_device_code_is_good_once(world: World, device: Device) -> None:
    """A device that asks twice at once keeps its tokens; later two parties hold the code."""
    answer = device.tokens()
    assert device.error() == "invalid_grant"
    assert device.flow.introspect(answer["access_token"])["active"] is True
    world.clock.advance(seconds=11)
    assert device.error() == "invalid_grant"
    assert device.flow.introspect(answer["access_token"]) == {"active": False}
    assert device.flow.refresh(answer["refresh_token"]).status_code == 400


def test_a_device_code_is_its_clients_alone(world: World, device: Device) -> None:
    device.begin().decide()
    other = Device(device.browser, register_device(world), answer=device.answer)
    assert other.error() == "invalid_grant"
    assert device.poll().status_code == 200


def test_a_public_client_may_ask_and_needs_no_secret(world: World, device: Device) -> None:
    party = register_device(world, auth_method=AuthMethod.NONE)
    answer = Device(device.browser, party).tokens()
    assert "refresh_token" in answer


@pytest.mark.parametrize(
    ("form", "error", "status"),
    [
        ({"scope": "admin"}, "invalid_scope", 400),
        ({"scope": "offline_access"}, "unauthorized_client", 400),
        ({"client_secret": "x"}, "invalid_request", 400),
    ],
)
def test_a_wrong_request_is_refused(
    world: World, device: Device, form: dict[str, str], error: str, status: int
) -> None:
    party = device.party
    if error == "unauthorized_client":
        party = world.register()
    response = Device(device.browser, party).ask(**form)
    assert (response.status_code, response.get_json()["error"]) == (status, error)
    assert not world.all(DeviceRequest)


def test_without_the_refresh_grant_there_is_no_offline_access(world: World, device: Device) -> None:
    party = register_device(world, grant_types=(GrantType.DEVICE,))
    made = Device(device.browser, party)
    answer = made.tokens()
    assert "refresh_token" not in answer
    assert answer["scope"] == "openid profile"
    assert made.flow.introspect(answer["access_token"])["active"] is True


def test_the_grant_outlives_the_browsers_session(world: World, device: Device) -> None:
    """There is no session behind it: a television stays on when the browser signs out."""
    answer = device.tokens()
    page = device.browser.get("/portal/sessions")
    device.browser.post("/logout", data=hidden_fields(page.text))
    assert device.browser.get("/session/status").status_code == 401
    assert device.flow.refresh(answer["refresh_token"]).status_code == 200


def test_who_lacks_the_entitlement_is_told_and_may_not_allow(world: World, client: Any) -> None:
    party = world.restricted(leadership=True)
    world.sign_in(client)
    with world.services.db.write() as session:
        from idp.oidc.clients import Client

        row = session.get_one(Client, party.id)
        row.grant_types = [*row.grant_types, DEVICE]
    device = Device(client, party).begin()
    page = device.confirmation()
    assert page.status_code == 403
    assert 'name="decision"' not in page.text
    assert device.error() == "authorization_pending"


def test_a_foreign_application_is_remembered_among_her_consents(
    world: World, device: Device
) -> None:
    party = register_device(world, first_party=False)
    other = Device(device.browser, party)
    other.tokens()
    (row,) = world.all(Consent)
    assert row.scopes == ["offline_access", "openid", "profile"]
    device.tokens()
    assert len(world.all(Consent)) == 1


def test_the_service_a_device_asks_for_is_shown_and_remembered(
    world: World, device: Device
) -> None:
    """RFC 8707: what she lets it do there she has not allowed elsewhere."""
    files = "https://files.example/v1"
    party = register_device(world, first_party=False, options=Options(resources=(files,)))
    other = Device(device.browser, party).begin(resource=files)
    assert files in other.confirmation().text
    other.decide()
    (row,) = world.all(Consent)
    assert row.scopes == [f"{s} {files}" for s in ("offline_access", "openid", "profile")]
    assert files in device.browser.get("/portal/consents").text
    assert files not in device.begin().confirmation().text


def test_the_permission_is_audited_with_the_devices_address(world: World, device: Device) -> None:
    device.begin().decide()
    with world.services.db.read() as session:
        told = session.scalars(
            select(AuditEntry).where(AuditEntry.tag == Tag.GRANT_ISSUE.value)
        ).one()
    assert told.data["device_ip"] == "127.0.0.1"
    assert told.actor_id == world.user_id


def test_metadata_names_the_endpoint(device: Device) -> None:
    """RFC 8628 §4."""
    told = device.browser.get("/.well-known/oauth-authorization-server").get_json()
    assert told["device_authorization_endpoint"].endswith("/oauth2/device_authorization")
    assert DEVICE in told["grant_types_supported"]


def test_pages_speak_english_too(device: Device) -> None:
    device.begin()
    device.browser.set_cookie("lang", "en", domain="localhost")
    assert "Only enter the code of a device" in device.browser.get("/device").text
    assert "refuse: by agreeing you let them" in device.confirmation().text


@pytest.mark.both_databases
def test_what_has_run_out_is_forgotten_minutes_later(world: World, device: Device) -> None:
    device.begin()
    world.clock.advance(minutes=11)
    sweep(world.services, world.clock())
    assert world.all(DeviceRequest)
    assert device.error() == "expired_token"
    world.clock.advance(minutes=10)
    sweep(world.services, world.clock())
    assert not world.all(DeviceRequest)
    assert device.error() == "invalid_grant"


def test_she_allows_what_the_client_may_have_by_then(world: World, device: Device) -> None:
    device.begin(scope="openid profile offline_access")
    world.change(Client, device.party.id, scopes=["openid", "phone"])
    assert "giới tính" not in device.confirmation().text
    device.decide()
    assert device.poll().get_json()["scope"] == "openid"
    assert [grant.scopes for grant in world.all(Grant)] == [["openid"]]
