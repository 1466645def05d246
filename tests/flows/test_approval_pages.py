"""Proposing and approving at the console, and what both home pages say of it."""

from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.permissions import Role
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr, text_of


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    made.grant("lan", Role.AUDITOR)
    return made


DECISION = {"number": "45/QĐ-UBND", "issued_on": "01/03/2026", "issuer": "UBND tỉnh"}


def proposed(hr: Hr, browser: Any = None) -> str:
    """The officer proposes to dismiss Lan; the page of her proposal."""
    browser = browser or hr.browser("officer")
    page = hr.preview(browser, "lan", "leave", reason="dismiss", **DECISION)
    assert page.status_code == 200, page.text
    answer = hr.confirm(browser, page, decision="propose")
    assert answer.status_code == 303, answer.text
    assert "/console/proposals/" in answer.headers["Location"]
    return str(answer.headers["Location"])


def decide(browser: Any, where: str, act: str, **fields: Any) -> Any:
    data = hidden_fields(browser.get(where).text) | {"decision": act, "password": PASSWORD}
    return browser.post(where, data=data | fields)


@pytest.mark.both_databases
def test_proposed_from_the_preview_and_approved_with_the_same_one(hr: Hr) -> None:
    officer = hr.browser("officer")
    preview = hr.preview(officer, "lan", "leave", reason="dismiss", **DECISION)
    assert 'value="propose"' in preview.text
    assert 'value="allow"' not in preview.text
    where = proposed(hr, officer)
    admin = hr.browser("admin")
    for home in ("/", "/console/"):
        assert where in admin.get(home).text, home
        assert "Chờ bạn phê duyệt" in text_of(admin.get(home).text)
        assert "Đề nghị của bạn đang chờ" in text_of(officer.get(home).text)
    page = admin.get(where)
    said = text_of(page.text)
    for words in ("Phạm Thị Hương", "Lê Thị Lan", "45/QĐ-UBND", "UBND tỉnh", "Buộc thôi việc"):
        assert words in said, words
    assert _plan(page.text) == _plan(preview.text)
    assert said.count("Buộc thôi việc") == 1
    answer = decide(admin, where, "approve")
    assert answer.status_code == 303, answer.text
    assert "/console/changes/" in answer.headers["Location"]
    proof = text_of(admin.get(answer.headers["Location"]).text)
    assert "Người thực hiện Phạm Thị Hương" in proof
    assert "Người phê duyệt Hoàng Văn Dũng" in proof
    assert hr.user("lan").leaves_on == date(2026, 3, 2)
    for home in ("/", "/console/"):
        assert where not in admin.get(home).text
        assert where not in officer.get(home).text
    assert "Đã phê duyệt" in text_of(officer.get(where).text)


def _plan(html: str) -> str:
    """What of a page says what would happen."""
    start = html.index('<section class="sheet when">')
    said = text_of(html[start : html.index("<form", start)])
    return said.replace("khi được phê duyệt", "khi xác nhận")


def test_a_form_sent_twice_acts_once(hr: Hr) -> None:
    officer, admin = hr.browser("officer"), hr.browser("admin")
    page = hr.preview(officer, "lan", "leave", reason="dismiss")
    data = hidden_fields(page.text) | {"decision": "propose", "password": PASSWORD}
    first, second = (officer.post(page.request.path, data=data) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    where = first.headers["Location"]
    again = hidden_fields(admin.get(where).text) | {"decision": "approve", "password": PASSWORD}
    done, repeated = (admin.post(where, data=again) for _ in range(2))
    assert (done.status_code, repeated.status_code) == (303, 303)
    assert done.headers["Location"] == repeated.headers["Location"]


def test_a_wrong_password_approves_nothing(hr: Hr) -> None:
    where = proposed(hr)
    answer = decide(hr.browser("admin"), where, "approve", password="sai")
    assert answer.status_code == 422 or answer.status_code == 303
    assert hr.user("lan").leaves_on is None


def test_declined_with_a_reason_that_the_proposer_reads(hr: Hr) -> None:
    officer, admin = hr.browser("officer"), hr.browser("admin")
    where = proposed(hr, officer)
    decide(admin, where, "decline", reason=" ")
    assert "Chờ phê duyệt" in text_of(officer.get(where).text)
    assert decide(admin, where, "decline", reason="Chưa họp").status_code == 303
    said = text_of(officer.get(where).text)
    assert "Đã từ chối" in said
    assert "Chưa họp" in said


def test_the_proposer_withdraws_and_has_no_button_to_approve(hr: Hr) -> None:
    officer = hr.browser("officer")
    where = proposed(hr, officer)
    page = officer.get(where)
    assert 'value="withdraw"' in page.text
    assert 'value="approve"' not in page.text
    assert decide(officer, where, "withdraw").status_code == 303
    assert "Đã rút" in text_of(officer.get(where).text)


def test_whoever_cannot_approve_is_told_why_and_whom_it_concerns_nothing(hr: Hr) -> None:
    where = proposed(hr)
    equal = hr.browser("officer_a").get(where)
    assert 'value="approve"' not in equal.text
    assert "vai trò rộng hơn" in text_of(equal.text)
    assert hr.browser("lan").get(where).status_code == 404
    assert hr.browser("officer_b").get(where).status_code == 404
    assert where not in hr.browser("lan").get("/").text


def test_the_list_shows_and_filters(hr: Hr) -> None:
    where = proposed(hr)
    admin = hr.browser("admin")
    assert where in admin.get("/console/proposals").text
    assert where in admin.get("/console/proposals?state=proposed").text
    assert where not in admin.get("/console/proposals?state=declined").text
    hr.clock.advance(days=1)
    late = hr.browser("admin")
    assert "Hết hiệu lực" in text_of(late.get("/console/proposals").text)
    assert "hết hạn mà chưa được phê duyệt" in text_of(late.get(where).text)


def test_an_undoing_is_proposed_from_its_preview(hr: Hr) -> None:
    officer, admin = hr.browser("officer"), hr.browser("admin")
    done = decide(admin, proposed(hr, officer), "approve").headers["Location"]
    page = officer.get(f"{done}/undo")
    assert 'value="propose"' in page.text
    where = hr.confirm(officer, page, decision="propose").headers["Location"]
    called = "Hoàn tác · Thôi việc, nghỉ hưu: Lê Thị Lan"
    for listed in ("/", "/console/", "/console/proposals", where):
        assert called in text_of(admin.get(listed).text), listed
    assert decide(admin, where, "approve").status_code == 303
    assert hr.user("lan").leaves_on is None


def test_an_undoing_that_was_declined_is_still_known_as_what_it_was_to_undo(hr: Hr) -> None:
    officer, admin = hr.browser("officer"), hr.browser("admin")
    done = decide(admin, proposed(hr, officer), "approve").headers["Location"]
    where = hr.confirm(officer, officer.get(f"{done}/undo"), decision="propose").location
    assert decide(admin, where, "decline", reason="Chưa đủ hồ sơ").status_code == 303
    called = "Hoàn tác · Thôi việc, nghỉ hưu: Lê Thị Lan"
    assert called in text_of(officer.get("/console/proposals?state=declined").text)
    titles = [one["title"] for one in hr.api(hr.token()).get("/api/v1/proposals").json["proposals"]]
    assert called in titles


def test_a_new_name_stands_once_on_the_page_of_its_proposal(hr: Hr) -> None:
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=0)
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "rename", full_name="Lê Thị Lan Anh")
    where = hr.confirm(officer, page, decision="propose").location
    assert text_of(officer.get(where).text).count("Lê Thị Lan Anh") == 1


def test_somebody_new_is_proposed_too_and_her_number_is_nowhere(hr: Hr) -> None:
    hr.services.door.thresholds = hr.services.door.thresholds.__class__(people=0)
    officer, admin = hr.browser("officer"), hr.browser("admin")
    page = "/console/people/new"
    fields = {
        "person.full_name": "Trịnh Văn Sơn",
        "person.citizen_number": "038095001234",
        "to_unit": str(hr.units["a"]),
        "position": "CV",
    }
    data = hidden_fields(officer.get(page).text) | fields | {"step": "preview"}
    preview = officer.post(page, data=data, follow_redirects=True)
    assert 'value="propose"' in preview.text, preview.text
    sent = hidden_fields(preview.text) | {"decision": "propose", "password": PASSWORD}
    where = officer.post(page, data=sent).headers["Location"]
    seen = admin.get(where)
    assert "Trịnh Văn Sơn" in text_of(seen.text)
    assert "038095001234" not in seen.text
    assert "038095001234" not in str(hr.dump())
    assert decide(admin, where, "approve").status_code == 303


# ---- who is not let at it ------------------------------------------------------------------------


def written(hr: Hr) -> tuple[str, int]:
    """Where the one proposal stands, and how many changes there are."""
    with hr.services.db.read() as session:
        state = session.scalar(text("SELECT state FROM proposal"))
        return str(state), int(session.scalar(text("SELECT count(*) FROM change")) or 0)


@pytest.mark.both_databases
@pytest.mark.parametrize("limit", ["admin_idle", "session_idle"])
@pytest.mark.parametrize("act", ["approve", "decline"])
def test_a_session_left_alone_neither_sees_nor_decides(hr: Hr, limit: str, act: str) -> None:
    where, admin = proposed(hr), hr.browser("admin")
    data = hidden_fields(admin.get(where).text)
    hr.clock.advance(seconds=getattr(hr.services.settings, limit) + 60)
    seen = admin.get(where)
    assert seen.status_code == 303
    assert "/login" in seen.headers["Location"]
    assert "Thị Lan" not in seen.text
    sent = data | {"decision": act, "password": PASSWORD, "reason": "chưa đủ hồ sơ"}
    answer = admin.post(where, data=sent)
    assert answer.status_code == 303
    assert where not in answer.headers["Location"].split("?")[0]
    assert written(hr) == ("proposed", 0)


@pytest.mark.both_databases
def test_after_a_restore_nobody_decides_what_was_proposed_before_it(hr: Hr) -> None:
    where, before = proposed(hr), [hr.browser("admin"), hr.browser("officer")]
    forms = [hidden_fields(browser.get(where).text) for browser in before]
    with hr.services.db.write() as session:
        restored = "UPDATE installation SET epoch = epoch + 1, unconfirmed_since = :now"
        session.execute(text(restored).bindparams(now=hr.clock()))
    for browser, form in zip(before, forms, strict=True):
        assert browser.get(where).status_code == 303
        sent = form | {"decision": "approve", "password": PASSWORD}
        assert browser.post(where, data=sent).status_code == 303
    assert written(hr) == ("proposed", 0)
    again = hr.browser("admin")  # administrators alone sign in until the staff list is confirmed
    page = again.get(where)
    assert page.status_code == 200
    assert "khôi phục từ bản sao lưu" in text_of(page.text)
    assert 'value="approve"' not in page.text
    refused = decide(again, where, "approve")
    assert refused.status_code == 409, refused.text
    assert hr.user("lan").leaves_on is None
    assert written(hr) == ("lapsed", 0)
