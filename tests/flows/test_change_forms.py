"""The forms of changes as somebody new to them fills them in: what is wanted, and what is wrong."""

import re
from typing import Any

import pytest
from flask import Flask

from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def label_of(page: str, field: str) -> str:
    """The label or legend of a field, as read."""
    found = re.search(rf'<label for="{re.escape(field)}"[^>]*>(.*?)</label>', page, re.DOTALL)
    assert found, field
    return text_of(found[1])


def errors(page: str) -> list[str]:
    """What is said at the fields, in their order."""
    return [text_of(e) for e in re.findall(r'class="field-error"[^>]*>(.*?)</', page, re.DOTALL)]


JOIN = "/console/people/new"


def join(hr: Hr, **fields: str) -> Any:
    browser = hr.browser("officer")
    form = hidden_fields(browser.get(JOIN).text)
    return browser.post(JOIN, data=form | {"step": "preview"} | fields, follow_redirects=True)


# ---- everything that is wrong, at once -----------------------------------------------------------


def test_a_form_tells_of_all_its_fields_at_once(hr: Hr) -> None:
    page = join(
        hr,
        **{
            "person.birth_date": "31/02/1990",
            "person.citizen_number": "123",
            "person.email": "ai đó",
            "effective_on": "hôm qua",
            "number": "12/QĐ",
            "issued_on": "32/01/2026",
        },
    )
    assert page.status_code == 422
    said = errors(page.text)
    assert len(said) == 9, said  # name, birth, number, e-mail, unit, position, day, date, issuer
    assert sum("ngày/tháng/năm, ví dụ" in one for one in said) == 1
    assert sum("không có trong lịch" in one for one in said) == 2
    assert all(said)
    assert "9 chỗ" in text_of(page.text)


def test_a_change_of_a_unit_does_too(hr: Hr) -> None:
    browser = hr.browser("admin")
    page = browser.get(
        f"/console/units/{hr.units['room']}/unit.rename",
        query_string={"step": "preview", "name": "", "effective_on": "x", "issuer": "UBND"},
    )
    assert page.status_code == 422
    assert len(errors(page.text)) >= 3


def test_a_unit_that_was_not_chosen_is_missed_in_words(hr: Hr) -> None:
    page = hr.preview(hr.browser("officer"), "lan", "transfer")
    assert page.status_code == 422
    assert errors(page.text) == ["Thiếu đơn vị đến."]


def test_the_api_names_every_wrong_field(hr: Hr) -> None:
    answer = hr.api(hr.token()).post(
        "/api/v1/changes/preview",
        {
            "kind": "join",
            "to_unit": "gso:0",
            "person": {"birth_date": "x", "citizen_number": "1"},
            "decision": {"number": "1"},
        },
    )
    assert answer.status_code == 422
    told = {e["field"]: e["detail"] for e in answer.json["errors"]}
    assert {"full_name", "birth_date", "citizen_number", "to_unit", "position"} <= told.keys()
    assert {"decision.issued_on", "decision.issuer"} <= told.keys()
    assert answer.json["field"] in told
    one = hr.api(hr.token()).post(
        "/api/v1/changes/preview", {"kind": "transfer", "user": hr.names["lan"]}
    )
    assert (one.json["field"], one.json["errors"]) == (
        "to_unit",
        [{"field": "to_unit", "code": "to_unit_missing", "detail": "Thiếu đơn vị đến."}],
    )


def test_whoever_may_change_nothing_is_told_of_no_field(hr: Hr) -> None:
    answer = hr.api(hr.token(role=None)).post(
        "/api/v1/changes/preview", {"kind": "transfer", "user": "nobody", "decision": {}}
    )
    assert answer.status_code == 403
    assert "errors" not in answer.json


# ---- what must be filled in ----------------------------------------------------------------------


def test_what_must_be_filled_in_is_marked(hr: Hr) -> None:
    page = hr.browser("officer").get(JOIN).text
    assert "Các mục có dấu * là bắt buộc" in text_of(page)
    for field in ("person.full_name", "position"):
        assert label_of(page, field).endswith("*")
    for field in ("person.birth_date", "person.citizen_number", "person.email"):
        assert not label_of(page, field).endswith("*")
    assert re.search(r"<legend>\s*Đơn vị tiếp nhận\s*<span[^>]*>\*", page)
    assert "Nếu ghi thì ghi đủ" in text_of(page)  # of a decision: all three or none


def test_a_form_of_a_unit_marks_it_as_well(hr: Hr) -> None:
    page = hr.browser("admin").get(f"/console/units/{hr.units['room']}/unit.code").text
    assert label_of(page, "scheme").endswith("*")


# ---- what stands there already -------------------------------------------------------------------


def test_a_day_of_birth_stands_as_people_write_it(hr: Hr) -> None:
    with hr.services.db.write() as session:
        from directory.people import User

        session.get_one(User, hr.people["lan"]).birth_date = "1980-02-03"
        session.get_one(User, hr.people["hien"]).birth_date = "1985"
    browser = hr.browser("officer")
    form = browser.get(f"/console/people/{hr.people['lan']}/rename").text
    assert 'value="03/02/1980"' in form
    assert "1980-02-03" not in form
    page = hr.preview(browser, "lan", "rename", full_name="Lê Thị Lan", birth_date="04/02/1980")
    assert "03/02/1980 → 04/02/1980" in text_of(page.text)
    done = browser.get(hr.confirm(browser, page).location)
    assert "03/02/1980 → 04/02/1980" in text_of(done.text)
    year = browser.get(f"/console/people/{hr.people['hien']}/rename").text
    assert 'value="1985"' in year


def test_a_choice_that_has_a_usual_answer_offers_it_once(hr: Hr) -> None:
    page = hr.browser("officer").get(f"/console/people/{hr.people['lan']}/appoint").text
    choice = re.search(r'<select[^>]*name="held_as".*?</select>', page, re.DOTALL)
    assert choice
    assert choice[0].count("Kiêm nhiệm") == 1
    assert re.search(r'value="concurrent" selected', choice[0])
