"""Everybody's own pages."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient

from directory.base.audit import Actor
from directory.base.outbox import Job, JobKind
from directory.entitlements import Account
from idp.factors import passwords
from idp.sessions import describe_browser
from tests import factories
from tests.browser_client import hidden_fields, shown, sign_in, submit
from tests.device_flow import Device, register_device
from tests.relying_party import Flow, Party, World, build_world

PASSWORD = "bếp củi reo vui sớm mai"


@pytest.fixture
def person(services: Any) -> Any:
    """An official with a post in a commune and a concurrent one in its office."""
    with services.db.write() as session:
        commune = factories.make_unit(session, "Ủy ban nhân dân xã Hà Trung")
        office = factories.make_unit(session, "Văn phòng xã Hà Long", parent=None)
        user = factories.make_user(session, "Nguyễn Thị Hồng Hạnh", citizen_masked="038*****1234")
        first = factories.make_assignment(session, user, commune)
        second = factories.make_assignment(session, user, office, kind="concurrent")
        passwords.set_password(
            session,
            services.passwords,
            user.id,
            PASSWORD,
            must_change=False,
            now=services.clock(),
            actor=Actor.system(),
        )
        for code, unit, columns in (
            ("van-ban", commune, {"connector": "scim", "launch_url": "https://vb.example/"}),
            ("mot-cua", commune, {"connector": "scim", "launch_url": "https://mc.example/"}),
            ("ho-so", office, {"launch_url": "https://hs.example/"}),
            ("ngam", commune, {"launch_url": "javascript:alert(1)"}),
        ):
            application = factories.make_application(session, code, name=f"App {code}", **columns)
            factories.make_rule(session, application, unit_id=unit.id)
            if code == "van-ban":
                session.add(Account(user_id=user.id, application_id=application.id, state="active"))
        factories.make_application(
            session, "chung", name="App chung", launch_url="https://c.example/", open_to_all=True
        )
        factories.make_application(
            session,
            "tat",
            name="App tat",
            launch_url="https://t.example/",
            open_to_all=True,
            enabled=False,
        )
        user.capacities = [first.id, second.id]
    return user


def test_the_launcher_follows_the_acting_capacity(client: FlaskClient, person: Any) -> None:
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    page = client.get("/")
    for offered in ("https://vb.example/", "https://mc.example/", "https://c.example/"):
        assert f'href="{offered}"' in page.text
    for hidden in ("https://hs.example/", "https://t.example/", "javascript:"):
        assert hidden not in page.text
    assert page.text.count("Tài khoản sẵn sàng") == 1
    assert page.text.count("Đang cấp tài khoản") == 1
    assert page.text.count("Mở được ngay") == 1
    assert "App ngam" in page.text
    submit(client, client.get("/portal/capacity"), assignment=str(person.capacities[1]))
    page = client.get("/")
    assert 'href="https://hs.example/"' in page.text
    assert 'href="https://vb.example/"' not in page.text


def test_a_tile_of_an_application_open_to_all_says_whether_there_is_an_account(
    client: FlaskClient, person: Any, services: Any
) -> None:
    with services.db.write() as session:
        kept = {"connector": "scim", "launch_url": "https://k.example/", "open_to_all": True}
        guest = factories.make_application(session, "khach", **kept)
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    page = client.get("/")
    assert page.text.count("Bạn không có tài khoản ở đây") == 1
    assert page.text.count("Mở được ngay") == 1
    assert "You have no account there" in client.get("/", headers={"Accept-Language": "en"}).text
    with services.db.write() as session:
        session.add(Account(user_id=person.id, application_id=guest.id, state="active"))
    page = client.get("/")
    assert "Bạn không có tài khoản ở đây" not in page.text
    assert page.text.count("Tài khoản sẵn sàng") == 2


def test_an_empty_launcher_says_what_to_do(client: FlaskClient, services: Any) -> None:
    with services.db.write() as session:
        user = factories.make_user(session)
        factories.make_assignment(session, user, factories.make_unit(session))
        passwords.set_password(
            session, services.passwords, user.id, PASSWORD, must_change=False, now=services.clock()
        )
    sign_in(client, user.username, PASSWORD)
    page = client.get("/")
    assert "Bạn chưa được cấp ứng dụng nào" in page.text
    assert "quy tắc cấp quyền" in page.text


def test_my_details_show_the_citizen_number_masked(client: FlaskClient, person: Any) -> None:
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    text = client.get("/portal/profile").text
    assert "038*****1234" in text
    assert "Nguyễn Thị Hồng Hạnh" in text


def test_every_page_is_shown_in_english_too(client: FlaskClient, person: Any) -> None:
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    assert client.get("/lang/en?next=/portal/sessions").headers["Location"] == "/portal/sessions"
    for path, words in (
        ("/", "Applications"),
        ("/portal/sessions", "My sessions"),
        ("/portal/capacity", "Switch post"),
        ("/portal/consents", "Applications I have allowed"),
        ("/portal/everywhere", "Sign out everywhere"),
        ("/portal/certificates", "Certificates"),
        ("/portal/profile", "My details"),
    ):
        page = client.get(path)
        assert page.status_code == 200
        assert words in page.text
        assert '<html lang="en">' in page.text


def _csr() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ai đó")]))
        .sign(key, hashes.SHA256())
    )
    return request.public_bytes(serialization.Encoding.PEM).decode()


def test_a_csr_becomes_a_certificate_that_only_its_owner_downloads(
    client: FlaskClient, person: Any, services: Any
) -> None:
    sign_in(client, person.username, PASSWORD, assignment=person.capacities[0])
    page = client.get("/portal/certificates")
    assert submit(client, page, csr="không phải CSR").status_code == 422
    issued = shown(client, submit(client, page, csr=_csr()))
    assert issued.status_code == 200
    assert "-----BEGIN CERTIFICATE-----" in issued.text
    assert submit(client, page, csr=_csr()).status_code == 409
    listed = client.get("/portal/certificates").text
    assert "Có hiệu lực" in listed
    (where,) = {
        part.split('"')[0] for part in listed.split('href="') if part.split('"')[0].endswith(".pem")
    }
    downloaded = client.get(where)
    assert downloaded.headers["Content-Disposition"].startswith("attachment")
    leaf = x509.load_pem_x509_certificates(downloaded.data)[0]
    assert person.username in leaf.subject.rfc4514_string()
    with services.db.write() as session:
        stranger = factories.make_user(session)
        factories.make_assignment(session, stranger, factories.make_unit(session))
        passwords.set_password(
            session,
            services.passwords,
            stranger.id,
            PASSWORD,
            must_change=False,
            now=services.clock(),
        )
    client.delete_cookie("dinhdanh")
    sign_in(client, stranger.username, PASSWORD)
    assert client.get(where).status_code == 404


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Gecko/2010 Firefox/140.0", "Firefox · Windows"),
        ("Mozilla/5.0 (iPhone; CPU) AppleWebKit Version/18 Safari/604", "Safari · iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/130 Safari/537 Edg/130", "Microsoft Edge · Windows"),
        ("curl/8.5", "curl/8.5"),
        ("", ""),
    ],
)
def test_devices_are_named_as_people_know_them(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words


# ---- what applications were allowed, and signing out everywhere ---------------------------------


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def third_party(world: World, **columns: Any) -> Party:
    """A client that asks for consent and may keep access while the person is away."""
    options = {"first_party": False, "backchannel_logout_uri": "http://localhost:9001/out"}
    return world.register("Lịch công tác", **(options | columns))


def allow(browser: FlaskClient, party: Party, scope: str) -> dict[str, Any]:
    """Sign in to the client and say yes."""
    flow = Flow(browser, party, scope=scope)
    page = flow.ask()
    answer = browser.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "allow"})
    assert answer.status_code == 303, answer.text
    return {"flow": flow} | flow.redeem(flow.told(answer)["code"]).get_json()


def told(world: World) -> list[Job]:
    return [job for job in world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER.value]


@pytest.mark.both_databases
def test_what_was_allowed_is_listed_and_taken_back(world: World, client: FlaskClient) -> None:
    party = third_party(world)
    world.sign_in(client)
    held = allow(client, party, "openid email offline_access")
    assert held["flow"].userinfo(held["access_token"]).status_code == 200
    page = client.get("/portal/consents")
    assert "Lịch công tác" in page.text
    assert "Địa chỉ thư điện tử" in page.text
    assert "Họ tên, tên đăng nhập, ngày sinh và giới tính" not in page.text
    assert "Bạn đồng ý lúc 02/03/2026 09:00" in page.text
    assert "Truy cập dài hạn" in page.text
    gone = submit(client, page, f"/portal/consents/{party.client_id}/revoke")
    assert gone.status_code == 303
    assert held["flow"].userinfo(held["access_token"]).status_code == 401
    assert held["flow"].refresh(held["refresh_token"]).status_code == 400
    assert len(told(world)) == 1
    assert "Lịch công tác" not in client.get("/portal/consents").text
    # It must ask again.
    assert 'value="allow"' in held["flow"].ask().text


def test_nobody_takes_back_what_another_person_allowed(world: World, client: FlaskClient) -> None:
    party = third_party(world)
    world.sign_in(client)
    held = allow(client, party, "openid offline_access")
    with world.services.db.write() as session:
        other = factories.make_user(session, "Phạm Văn Nam")
    browser = client.application.test_client()
    world.sign_in(browser, user_id=other.id, assignment_id=None)
    page = browser.get("/portal/consents")
    assert "Lịch công tác" not in page.text
    submit(browser, browser.get("/portal/sessions"), f"/portal/consents/{party.client_id}/revoke")
    assert held["flow"].introspect(held["access_token"])["active"] is True
    assert "Lịch công tác" in client.get("/portal/consents").text


def test_taking_back_needs_the_page_s_own_form(world: World, client: FlaskClient) -> None:
    party = third_party(world)
    world.sign_in(client)
    held = allow(client, party, "openid offline_access")
    assert client.post(f"/portal/consents/{party.client_id}/revoke").status_code == 400
    assert client.get(f"/portal/consents/{party.client_id}/revoke").status_code == 405
    assert held["flow"].introspect(held["access_token"])["active"] is True


def test_an_unknown_application_cannot_be_taken_back(world: World, client: FlaskClient) -> None:
    world.sign_in(client)
    page = client.get("/portal/sessions")
    assert submit(client, page, "/portal/consents/nobody/revoke").status_code == 404


def test_the_agency_s_own_application_is_listed_while_it_may_act_alone(
    world: World, client: FlaskClient
) -> None:
    party = world.register("Thư điện tử")
    world.sign_in(client)
    Flow(client, party).tokens()
    assert "Thư điện tử" not in client.get("/portal/consents").text
    Flow(client, party, scope="openid offline_access").tokens()
    page = client.get("/portal/consents")
    assert "Thư điện tử" in page.text
    assert "Có quyền từ" in page.text
    world.clock.advance(days=400)
    world.sign_in(client)
    assert "Thư điện tử" not in client.get("/portal/consents").text


@pytest.mark.both_databases
def test_signing_out_everywhere_ends_every_session_and_all_that_is_held(
    world: World, client: FlaskClient
) -> None:
    party = third_party(world)
    elsewhere = client.application.test_client()
    stranger = client.application.test_client()
    with world.services.db.write() as session:
        other = factories.make_user(session, "Phạm Văn Nam")
    world.sign_in(stranger, user_id=other.id, assignment_id=None)
    world.sign_in(elsewhere)
    lasting = allow(elsewhere, party, "openid offline_access")
    elsewhere.post("/logout", data=hidden_fields(elsewhere.get("/").text))
    world.sign_in(elsewhere)
    world.sign_in(client)
    here = Flow(client, world.register("Văn bản")).tokens()
    page = client.get("/portal/everywhere")
    assert page.text.count("đăng nhập lúc") == 2
    assert "Lịch công tác" in page.text
    assert client.get("/").status_code == 200  # asking ends nothing
    assert submit(client, page, decision="logout").status_code == 303
    assert client.get("/").status_code == elsewhere.get("/").status_code == 303
    assert stranger.get("/").status_code == 200
    flow = lasting["flow"]
    assert flow.refresh(lasting["refresh_token"]).status_code == 400
    assert flow.userinfo(here["access_token"]).status_code == 401
    assert len(told(world)) == 1


def test_signing_out_everywhere_needs_the_page_s_own_form(
    world: World, client: FlaskClient
) -> None:
    world.sign_in(client)
    assert client.post("/portal/everywhere", data={"decision": "logout"}).status_code == 400
    assert client.get("/").status_code == 200


def test_a_device_without_a_browser_is_listed_and_put_out(
    world: World, client: FlaskClient
) -> None:
    world.sign_in(client)
    device = Device(client, register_device(world)).begin()
    device.decide()
    held = device.poll().get_json()
    page = client.get("/portal/consents")
    assert "Máy tính bảng" in page.text
    assert "1 thiết bị không có trình duyệt" in page.text
    assert "Máy tính bảng" in client.get("/portal/everywhere").text
    submit(client, page, f"/portal/consents/{device.party.client_id}/revoke")
    assert device.flow.userinfo(held["access_token"]).status_code == 401
    assert device.flow.refresh(held["refresh_token"]).status_code == 400
    assert "Máy tính bảng" not in client.get("/portal/consents").text


def test_signing_out_everywhere_puts_devices_out_too(world: World, client: FlaskClient) -> None:
    world.sign_in(client)
    device = Device(client, register_device(world)).begin()
    device.decide()
    held = device.poll().get_json()
    submit(client, client.get("/portal/everywhere"), decision="logout")
    assert device.flow.refresh(held["refresh_token"]).status_code == 400
