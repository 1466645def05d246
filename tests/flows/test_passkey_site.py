"""Where passkeys are good: the RP ID, what ``check`` says of it, and what pages say where there are none."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from idp.factors import passkey_site
from tests import hr_world
from tests.command_line import Operator, operator
from tests.hr_world import Hr
from tests.security_key import Offered, SecurityKey, press
from tests.someone import Someone

__all__ = ["operator"]
NEW = "/portal/ways/passkey"
PROVINCES = [
    "angiang",
    "bacgiang",
    "backan",
    "baclieu",
    "bacninh",
    "bentre",
    "binhdinh",
    "binhduong",
    "binhphuoc",
    "binhthuan",
    "camau",
    "cantho",
    "caobang",
    "daklak",
    "daknong",
    "danang",
    "dienbien",
    "dongnai",
    "dongthap",
    "gialai",
    "hagiang",
    "haiduong",
    "haiphong",
    "hanam",
    "hanoi",
    "hatinh",
    "haugiang",
    "hoabinh",
    "hungyen",
    "khanhhoa",
    "kiengiang",
    "kontum",
    "laichau",
    "lamdong",
    "langson",
    "laocai",
    "longan",
    "namdinh",
    "nghean",
    "ninhbinh",
    "ninhthuan",
    "phutho",
    "phuyen",
    "quangbinh",
    "quangnam",
    "quangngai",
    "quangninh",
    "quangtri",
    "soctrang",
    "sonla",
    "tayninh",
    "thaibinh",
    "thainguyen",
    "thanhhoa",
    "thanhphohochiminh",
    "thuathienhue",
    "tiengiang",
    "travinh",
    "tuyenquang",
    "vinhlong",
    "vinhphuc",
    "yenbai",
]


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marked = request.node.get_closest_marker("settings")
    return make_settings(**(marked.kwargs if marked else {}))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def test_the_names_of_provinces_are_suffixes_and_names_under_them_are_none() -> None:
    """publicsuffix/list#1776: 62 of them, which old lists lack."""
    lacking = [one for one in PROVINCES if not passkey_site.is_suffix(f"{one}.vn")]
    assert lacking == []
    for suffix in (
        "vn",
        "gov.vn",
        "edu.vn",
        "com.vn",
        "id.vn",
        "io.vn",
        "uk",
        "co.uk",
        "github.io",
    ):
        assert passkey_site.is_suffix(suffix), suffix
    for name in ("localhost", "thanhhoa.gov.vn", "sso.thanhhoa.vn", "dinhdanh.noibo", "a.b.c"):
        assert not passkey_site.is_suffix(name), name


@pytest.mark.parametrize(
    ("issuer", "rp_id", "related", "why"),
    [
        ("http://localhost:8000", "", [], None),
        ("http://sso.localhost", "", [], None),
        ("https://sso.thanhhoa.gov.vn", "", [], None),
        ("https://sso.thanhhoa.gov.vn:8443", "thanhhoa.gov.vn", [], None),
        ("https://SSO.thanhhoa.gov.vn", "", [], None),
        ("https://dinhdanh.noibo", "", [], None),
        ("http://127.0.0.1:8000", "", [], "address"),
        ("https://10.0.0.5", "", [], "address"),
        ("https://[fd00::5]", "", [], "address"),
        ("https://10.0.0.5", "thanhhoa.gov.vn", [], "address"),
        ("http://sso.thanhhoa.gov.vn", "", [], "insecure"),
        ("http://dinhdanh", "", [], "insecure"),
        ("https://thanhhoa.vn", "", [], "suffix"),
        ("https://sso.thanhhoa.vn", "thanhhoa.vn", [], "suffix"),
        ("https://sso.thanhhoa.gov.vn", "gov.vn", [], "suffix"),
        ("https://sso.thanhhoa.gov.vn", "thanhhoa.gov.vn.evil.example", [], "elsewhere"),
        ("https://sso.thanhhoa.gov.vn", "hoa.gov.vn", [], "elsewhere"),
        ("https://new.gov.vn", "old.gov.vn", [], "elsewhere"),
        ("https://new.gov.vn", "old.gov.vn", ["https://other.gov.vn"], "elsewhere"),
        ("https://new.gov.vn", "old.gov.vn", ["https://new.gov.vn"], None),
    ],
)
def test_where_passkeys_are_possible(
    make_settings: Any, issuer: str, rp_id: str, related: list[str], why: str | None
) -> None:
    given = {"issuer": issuer, "passkey_rp_id": rp_id, "passkey_related_origins": related}
    settings = make_settings(**given)
    assert passkey_site.without(settings) == why
    site = passkey_site.site(settings)
    assert (site is None) == (why is not None)
    if site is not None:
        assert site.rp_id == (rp_id or issuer.lower().partition("://")[2].partition(":")[0])


@pytest.mark.parametrize(
    "name", ["https://a.gov.vn", "a.gov.vn:443", "A.gov.vn", "a b", "10.0.0.5:1"]
)
def test_an_rp_id_is_a_name(make_settings: Any, name: str) -> None:
    from directory.base.config import Settings

    with pytest.raises(ValueError, match="is no name like"):
        Settings(passkey_rp_id=name)
    with pytest.raises(ValueError, match="is no origin like"):
        Settings(passkey_related_origins=[name.replace("https://a", "https://a/")])


# ---- check -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"issuer": "https://thanhhoa.vn"}, "✗ passkey_rp_id: thanhhoa.vn is a public suffix"),
        (
            {"issuer": "https://sso.a.gov.vn", "passkey_rp_id": "gov.vn"},
            "✗ passkey_rp_id: gov.vn is",
        ),
        (
            {"issuer": "https://new.gov.vn", "passkey_rp_id": "old.gov.vn"},
            "✗ passkey_rp_id: old.gov.vn is neither",
        ),
        ({"issuer": "http://127.0.0.1:8000"}, "! issuer is an IP address: there are no passkeys"),
        ({"issuer": "http://sso.a.gov.vn"}, "! issuer does not use https: there are no passkeys"),
        ({"issuer": "https://sso.a.gov.vn"}, "! Passkeys: scanning a QR code with a phone needs"),
    ],
)
def test_check_says_what_is_wrong_with_the_name(
    operator: Operator, hr: Hr, given: dict[str, str], says: str
) -> None:
    said = operator("check", **given)
    assert says in said.out
    assert ("✗ passkey" in said.out) == says.startswith("✗")
    assert said.code == 1 or not says.startswith("✗")


@pytest.mark.both_databases
def test_the_name_is_frozen_once_somebody_has_a_key(hr: Hr, operator: Operator) -> None:
    lan = Someone(hr, "lan")
    lan.password()
    press(lan.client, lan.client.get(NEW), SecurityKey())
    assert "people's passkeys" not in operator("check").out
    moved = operator("check", issuer="https://sso.a.gov.vn")
    assert moved.code == 1
    assert "belong to localhost, and it is sso.a.gov.vn now" in moved.out
    # A page of before the move, and one of after it, add nothing under the new name.
    mai = Someone(hr, "mai")
    mai.password()
    offered = Offered.on(mai.client.get(NEW))
    hr.services.settings.passkey_rp_id = "other.example"
    hr.services.settings.passkey_related_origins = ["http://localhost:8000"]
    made = SecurityKey().create(offered.asks | {"rp": {"id": "other.example"}})
    answer = offered.answer(mai.client, made)
    assert answer.status_code == 409
    assert "đặt lại passkey_rp_id = localhost" in answer.text
    assert mai.client.get(NEW).status_code == 409


# ---- pages and documents ---------------------------------------------------------------------


def nothing_offered(hr: Hr, says: str) -> None:
    lan = Someone(hr, "lan")
    assert "data-passkey" not in lan.client.get("/login", follow_redirects=True).text
    lan.password()
    page = lan.client.get("/portal/ways").text
    assert says in page
    assert NEW not in page
    assert lan.client.get(NEW).status_code == 409


@pytest.mark.settings(issuer="http://127.0.0.1:8000")
def test_at_an_address_there_are_none_and_the_page_says_why(hr: Hr) -> None:
    nothing_offered(hr, "địa chỉ IP")


@pytest.mark.settings(issuer="http://sso.thanhhoa.gov.vn")
def test_without_tls_there_are_none_and_the_page_says_why(hr: Hr) -> None:
    nothing_offered(hr, "trang https")


@pytest.mark.settings(passkey_rp_id="gov.vn")
def test_under_a_suffix_there_are_none_and_the_page_says_who_knows_why(hr: Hr) -> None:
    nothing_offered(hr, "dinhdanh check")


def test_related_origins_are_told_where_there_are_any(client: FlaskClient, services: Any) -> None:
    assert client.get("/.well-known/webauthn").status_code == 404
    services.settings.passkey_related_origins = ["https://moi.thanhhoa.gov.vn"]
    answer = client.get("/.well-known/webauthn")
    assert answer.json == {"origins": ["https://moi.thanhhoa.gov.vn"]}
    assert answer.mimetype == "application/json"
