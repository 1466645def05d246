"""HR takes somebody in at the console: form, preview, commit, slip, first sign-in."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import day_start, local_day
from idp.run.performing import drain
from tests import hr_world
from tests.browser_client import hidden_fields, sign_in
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import link_on, opened

pytestmark = pytest.mark.both_databases

PAGE = "/console/people/new"
NUMBER = "038190001234"
BORN = "12/3/1990"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def fill(hr: Hr, browser: Any, **fields: Any) -> Any:
    """Send the form for a preview; what she is shown."""
    form = hidden_fields(browser.get(PAGE).text)
    said = {
        "person.full_name": "Trịnh Thị Hạnh",
        "person.birth_date": "12/03/1990",
        "person.citizen_number": NUMBER,
        "position": "CV",
        "to_unit": str(hr.units["room"]),
        "effective_on": "",
        "number": "12/QĐ-UBND",
        "issued_on": "01/03/2026",
        "issuer": "UBND tỉnh",
        "step": "preview",
    } | fields
    return browser.post(PAGE, data=form | said, follow_redirects=True)


def confirm(browser: Any, shown: Any, **fields: Any) -> Any:
    data = hidden_fields(shown.text) | {"decision": "allow", "password": PASSWORD} | fields
    return browser.post(PAGE, data=data, follow_redirects=True)


def people(hr: Hr, name: str) -> list[Any]:
    with hr.services.db.read() as session:
        wanted = text("SELECT * FROM users WHERE full_name = :name")
        return list(session.execute(wanted, {"name": name}))


def test_somebody_is_taken_in_and_signs_in_with_her_slip(hr: Hr) -> None:
    browser = hr.browser("officer")
    assert "Tiếp nhận người mới" in browser.get("/console/people").text
    shown = fill(hr, browser)
    assert "Chưa có gì được ghi" in shown.text
    assert "Phòng Kinh tế" in shown.text
    assert "hanhtt" in shown.text  # what she will sign in with
    assert people(hr, "Trịnh Thị Hạnh") == []
    done = confirm(browser, shown)
    assert done.status_code == 200, done.text
    (row,) = people(hr, "Trịnh Thị Hạnh")
    assert row.username.startswith("hanhtt")
    assert "Việc tiếp theo" in done.text
    assert "Quyền truy cập cũ hết hiệu lực" not in done.text  # there was none
    person = f"/console/people/{row.id}"
    assert person in done.text
    token = hidden_fields(browser.get(person).text) | {"password": PASSWORD}
    slip = browser.post(f"{person}/activation", data=token, follow_redirects=True)
    link = link_on(slip.text)
    newcomer = hr.app.test_client()
    page = opened(newcomer, link, BORN)
    secret = "mùa gặt rộn ràng khắp đồng"
    newcomer.post(
        page.request.path, data=hidden_fields(page.text) | {"password": secret, "again": secret}
    )
    sign_in(hr.app.test_client(), row.username, secret)


def test_no_address_ever_shows_the_citizen_number(hr: Hr) -> None:
    browser = hr.browser("officer")
    shown = fill(hr, browser)
    seen = [r.request.url for r in (*shown.history, shown)]
    done = confirm(browser, shown)
    seen += [r.request.url for r in (*done.history, done)]
    assert not any(NUMBER in url for url in seen)
    assert NUMBER not in done.text
    assert browser.get(PAGE, query_string={"person.citizen_number": NUMBER}).status_code == 200


def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(hr: Hr) -> None:
    browser = hr.browser("officer")
    shown = fill(hr, browser, **{"person.birth_date": "31/02/1990"})
    assert shown.status_code == 422
    assert 'value="Trịnh Thị Hạnh"' in shown.text
    assert "aria-invalid" in shown.text
    again = fill(hr, browser, step="search", unit_words="Nga Sơn")
    assert "Ủy ban nhân dân xã Nga Sơn" in again.text
    assert 'value="Trịnh Thị Hạnh"' in again.text
    back = browser.post(
        PAGE,
        data=hidden_fields(fill(hr, browser).text) | {"decision": "deny"},
        follow_redirects=True,
    )
    assert 'value="Trịnh Thị Hạnh"' in back.text


def test_somebody_known_by_her_number_is_not_entered_twice(hr: Hr) -> None:
    browser = hr.browser("officer")
    confirm(browser, fill(hr, browser))
    shown = fill(hr, browser, **{"person.full_name": "Trịnh Hạnh"})
    assert "đang công tác và mang số định danh này" in text_of(shown.text)
    assert "Chưa thể xác nhận" in shown.text
    confirm(browser, shown)
    assert people(hr, "Trịnh Hạnh") == []


def test_only_into_units_of_ones_own(hr: Hr) -> None:
    browser = hr.browser("officer_b")
    shown = fill(hr, browser)
    assert shown.status_code == 403
    assert people(hr, "Trịnh Thị Hạnh") == []
    for who in ("auditor", "owner"):
        nobody = hr.browser(who)
        assert nobody.get(PAGE).status_code == 403
        assert "Tiếp nhận người mới" not in nobody.get("/console/people").text


def test_a_slip_given_before_her_first_day_works_on_that_day(hr: Hr) -> None:
    browser = hr.browser("officer")
    day = local_day(hr.clock()) + timedelta(days=3)
    confirm(browser, fill(hr, browser, effective_on=f"{day:%d/%m/%Y}"))
    (row,) = people(hr, "Trịnh Thị Hạnh")
    person = f"/console/people/{row.id}"
    token = hidden_fields(browser.get(person).text) | {"password": PASSWORD}
    slip = browser.post(f"{person}/activation", data=token, follow_redirects=True)
    link = link_on(slip.text)
    hr.clock.set(day_start(day) + timedelta(hours=8))
    drain(hr.services)
    newcomer = hr.app.test_client()
    page = opened(newcomer, link, BORN)
    assert page.status_code == 200, page.text
    secret = "mùa gặt rộn ràng khắp đồng"
    newcomer.post(
        page.request.path, data=hidden_fields(page.text) | {"password": secret, "again": secret}
    )
    sign_in(hr.app.test_client(), row.username, secret)
