"""Everybody's own pages."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask.testing import FlaskClient

from directory.base.audit import Actor
from directory.entitlements import Account
from idp.factors import passwords
from idp.sessions import describe_browser
from tests import factories
from tests.browser_client import sign_in, submit

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
    for shown in ("https://vb.example/", "https://mc.example/", "https://c.example/"):
        assert f'href="{shown}"' in page.text
    for hidden in ("https://hs.example/", "https://t.example/", "javascript:"):
        assert hidden not in page.text
    assert page.text.count("Tài khoản sẵn sàng") == 1
    assert page.text.count("Đang cấp tài khoản") == 1
    assert "App ngam" in page.text
    submit(client, client.get("/portal/capacity"), assignment=str(person.capacities[1]))
    page = client.get("/")
    assert 'href="https://hs.example/"' in page.text
    assert 'href="https://vb.example/"' not in page.text


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
    issued = submit(client, page, csr=_csr())
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
