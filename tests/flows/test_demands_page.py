"""Rights and demands in force, as administrators read them."""

import re
from typing import Any

import pytest
from flask import Flask

from directory.permissions import Do, Role
from idp.console import pages_demands
from idp.demands import Operation
from idp.oidc.clients import AuthMethod, Client, GrantType, Options
from idp.web import asked_again
from tests import hr_world
from tests.hr_world import Hr, text_of
from tests.relying_party import World

AAL2, AAL3 = "urn:vn:aal:2", "urn:vn:aal:3"
PAGE = "/console/demands"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _read(hr: Hr, language: str = "vi") -> str:
    answer = hr.browser("admin").get(PAGE, headers={"Accept-Language": language})
    assert answer.status_code == 200
    return text_of(answer.text.split("<main")[1])


def _rows(hr: Hr) -> dict[str, str]:
    """Each row of the tables by its first cell."""
    page = hr.browser("admin").get(PAGE).text
    rows = re.findall(r"<tr>\s*<td[^>]*>(.*?)</td>(.*?)</tr>", page, re.DOTALL)
    return {text_of(first): text_of(rest) for first, rest in rows}


def test_it_says_who_may_do_what_and_how_many_do(hr: Hr) -> None:
    rows = _rows(hr)
    assert "Ghi thay đổi nhân sự" in rows["Cán bộ nhân sự"]
    assert rows["Cán bộ nhân sự"].endswith(" 3")
    assert "Giao vai trò" not in rows["Cán bộ nhân sự"]
    assert "Giao vai trò" in rows["Quản trị hệ thống"]
    assert "Đọc nhật ký" in rows["Kiểm toán viên"]
    assert len([name for name in rows if name in _names(hr)]) == len(Role)


def _names(hr: Hr) -> set[str]:
    with hr.services.db.read() as session:
        page = pages_demands.demanded(session, hr.services.settings, on=hr.clock().date())
    return {row.name for row in page.roles}


def test_every_right_and_every_operation_has_its_words() -> None:
    assert all(pages_demands.right(one) for one in Do)
    assert len({asked_again.done(one) for one in Operation}) == len(Operation)


@pytest.mark.parametrize(
    ("rule", "vietnamese", "english"),
    [
        ("everybody", "Mọi người, ở bất cứ đâu", "Of everybody, anywhere"),
        ("outside", "từ ngoài mạng của cơ quan", "from outside the agency's networks"),
        ("administrators", "Người khác: một cách", "Others: one, anywhere"),
        ("nobody", "Không ai được hỏi", "Nobody is asked"),
    ],
)
def test_it_says_of_whom_two_factors_are_asked(
    hr: Hr, monkeypatch: pytest.MonkeyPatch, rule: str, vietnamese: str, english: str
) -> None:
    from idp.web import gate

    monkeypatch.setattr(gate, "asked_more", lambda _view: None)
    browser = hr.browser("admin")
    hr.services.settings.second_factor = rule
    hr.services.settings.inside_networks = ["10.0.0.0/8"]
    for language, said in (("vi", vietnamese), ("en", english)):
        page = browser.get(PAGE, headers={"Accept-Language": language})
        assert said in text_of(page.text)
        assert "10.0.0.0/8" in page.text


def test_each_operation_is_shown_with_what_it_takes_in_force(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    from idp.web import gate

    rows = _rows(hr)
    for one in Operation:
        assert rows[asked_again.done(one)] == "một cách xác thực 10 phút"
    monkeypatch.setattr(gate, "asked_more", lambda _view: None)
    browser = hr.browser("admin")
    hr.services.settings.second_factor = "outside"
    hr.services.settings.operation_acr = {"secret": AAL3}
    page = text_of(browser.get(PAGE).text)
    assert f"{asked_again.done(Operation.CHANGE)} hai cách xác thực 10 phút" in page
    biometric = "hai cách xác thực, một cách là sinh trắc học"
    assert f"{asked_again.done(Operation.SECRET)} {biometric} 10 phút" in page


def test_positions_scopes_and_clients_are_there_where_they_ask_for_something(hr: Hr) -> None:
    assert "Theo chức vụ" not in _read(hr)
    settings = hr.services.settings
    settings.position_acr = {"CV": AAL2, "ZZ": AAL2}
    settings.scope_acr, settings.scope_max_age = {"org": AAL2}, {"changes:write": 900}
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    strict = world.register("Một cửa", options=Options(minimum_acr=AAL2, minimum_eid_level=2))
    by_secret = world.machine("changes:write")
    by_key = world.register(
        "Máy ký", grant_types=(GrantType.CLIENT,), redirect_uris=(), scopes=("changes:write",)
    )
    world.change(Client, by_key.id, auth_method=AuthMethod.KEY_JWT.value)
    plain = world.register("Bình thường")
    rows = _rows(hr)
    assert rows["Chuyên viên (CV)"] == "hai cách xác thực"
    assert rows["ZZ"] == "hai cách xác thực"
    assert rows["org"].startswith("hai cách xác thực")
    assert rows["changes:write"] == "như mọi nơi 15 phút"
    assert rows["Một cửa"] == "hai cách xác thực 2 –"
    assert rows["Máy"].endswith("chỉ bằng mật khẩu ứng dụng")
    assert rows["Máy ký"].endswith("bằng khóa hoặc chứng thư")
    assert "Bình thường" not in rows
    assert {strict.client_id, by_secret.client_id, plain.client_id}


def test_it_is_for_those_who_answer_for_the_whole_installation(hr: Hr) -> None:
    for who in ("officer", "owner", "auditor"):
        assert hr.browser(who).get(PAGE).status_code == 403
    hr.grant("plain", Role.AUDITOR)
    assert hr.browser("plain").get(PAGE).status_code == 200


def test_it_is_whole_in_english(hr: Hr) -> None:
    page = _read(hr, "en")
    for said in ("Who may do what", "Before something is done", "Confirmed within", "Time limits"):
        assert said in page
