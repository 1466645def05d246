"""A slip in somebody's hand: what she types, what she is asked, what she is told, where it leads.

Wrong codes count against whoever types them, wrong answers against the slip.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from directory import people
from directory.base.audit import AuditEntry
from directory.people import User
from idp.factors import paper_code
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields, shown, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import chosen, link_on, opened
from tests.someone import OUTSIDE, Someone

NEW = "con trâu đội nón lá"
NUMBER = "038180001234"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        lan = session.get_one(User, made.people["lan"])
        lan.birth_date = "1980-02-03"
        for column, value in people.citizen_columns(services.keyring, NUMBER).items():
            setattr(lan, column, value)
    return made


def printed(hr: Hr, who: str = "lan", issuer: str = "officer_a") -> Any:
    hr.agree(issuer, who)
    browser = hr.browser(issuer)
    page = f"/console/people/{hr.people[who]}"
    data = hidden_fields(browser.get(page).text) | {"password": PASSWORD}
    return browser.post(f"{page}/activation", data=data, follow_redirects=True)


def slip(hr: Hr, who: str = "lan") -> str:
    return link_on(printed(hr, who).text)


def someone(hr: Hr, ip: str = "203.0.113.7") -> Any:
    browser = hr.app.test_client()
    browser.environ_base |= {"REMOTE_ADDR": ip}
    return browser


def trail(hr: Hr) -> list[tuple[str, str, dict[str, Any]]]:
    with hr.services.db.read() as session:
        rows = session.scalars(
            select(AuditEntry)
            .where(AuditEntry.tag.in_(["login.fail", "activation.void"]))
            .order_by(AuditEntry.id)
        )
        return [(row.tag, row.subject_id, row.data) for row in rows]


def test_the_paper_says_what_to_do_until_when_and_whom_to_ask(hr: Hr) -> None:
    page = printed(hr)
    said = text_of(page.text)
    for words in (
        "Lê Thị Lan",
        hr.names["lan"],
        "localhost:8000/activate",
        "ngày sinh của bạn hoặc 4 số cuối",
        "bộ phận tổ chức cán bộ Ủy ban nhân dân xã Hà Trung",
    ):
        assert words in said, words
    assert NUMBER not in page.text
    assert '<svg viewBox="0 0' in page.text
    assert "style=" not in page.text.partition("<svg")[2].partition("</svg>")[0]
    assert re.search(r'id="activation-code">(\d{4} ){3}\d{4}<', page.text)


@pytest.mark.both_databases
def test_looking_uses_nothing_up_writes_nothing_and_tells_nothing(hr: Hr) -> None:
    link, nobodys = slip(hr), "/activate/" + paper_code.new()
    before = hr.dump()
    pages = []
    for where in (link, nobodys):
        browser = someone(hr)
        answer = browser.get(where)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/activate")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        code = where.rpartition("/")[2]
        assert code not in str(answer.headers) + answer.text
        page = browser.get("/activate")
        assert f'value="{paper_code.grouped(code)}"' in page.text
        pages.append(
            re.sub(r'(csrf_token|form_key)" value="[^"]*"', "", page.text).replace(
                paper_code.grouped(code), ""
            )
        )
    assert pages[0] == pages[1]
    assert hr.dump() == before


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "answer",
    ["3/2/1980", "03/02/1980", "03-02-1980", "03021980", "1980-02-03", "3 2 1980", "1234", NUMBER],
)
def test_she_answers_as_she_writes_it(hr: Hr, answer: str) -> None:
    link = slip(hr)
    browser = someone(hr)
    page = opened(browser, link, answer)
    assert page.status_code == 200
    assert hr.names["lan"] in page.text
    assert opened(someone(hr), link, answer).status_code == 200  # nothing is used up yet


@pytest.mark.both_databases
def test_five_wrong_answers_void_the_slip_and_not_one_is_lost(hr: Hr) -> None:
    link = slip(hr)
    empty = opened(someone(hr), link)
    assert "Hãy nhập ngày sinh của bạn, hoặc 4 số cuối" in empty.text  # no answer is no wrong one
    for n, wrong in enumerate(["4/2/1980", "1980", "0000", "3/2/1981"]):
        said = opened(someone(hr, f"203.0.113.{n}"), link, wrong)
        assert f"Còn {4 - n} lần" in said.text
    assert "trả lời sai quá nhiều lần" in opened(someone(hr), link, "9999").text
    assert "trả lời sai quá nhiều lần" in opened(someone(hr), link, "3/2/1980").text
    lan = str(hr.people["lan"])
    fails = [("login.fail", lan, {"factors": ["slip"]})] * 5
    assert trail(hr) == [*fails, ("activation.void", lan, {"reason": "answers"})]


@pytest.mark.both_databases
def test_of_thirty_answers_at_once_five_are_looked_at(hr: Hr) -> None:
    link = slip(hr)
    code = link.rpartition("/")[2]
    forms = []
    for n in range(30):
        browser = someone(hr, f"198.51.100.{n}")
        forms.append((browser, hidden_fields(browser.get("/activate").text)))

    def send(n: int) -> str:
        browser, fields = forms[n]
        return str(
            browser.post("/activate", data=fields | {"code": code, "answer": f"{n:04}"}).text
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, range(30)))
    assert len([one for one in trail(hr) if one[0] == "login.fail"]) == 5


def test_whom_nothing_is_known_of_is_asked_nothing(hr: Hr) -> None:
    page = printed(hr, "hien")
    assert "Khi được hỏi" not in page.text
    assert chosen(someone(hr), link_on(page.text), NEW).status_code == 303


def test_a_typing_error_is_told_and_not_counted(hr: Hr) -> None:
    code = slip(hr).rpartition("/")[2]
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    for typed in (wrong, code[:-1], "phiếu của tôi"):
        said = opened(someone(hr), f"/activate/{typed}")
        assert said.status_code == 422
    assert trail(hr) == []


@pytest.mark.both_databases
def test_wrong_codes_count_against_the_source_and_no_person(hr: Hr) -> None:
    link = slip(hr)
    slowed = hr.services.settings.source_failures // 2
    browser = someone(hr)
    page = browser.get("/activate")
    for n in range(slowed + 1):
        answer = submit(browser, page, "/activate", code=paper_code.new(), answer="3/2/1980")
        assert answer.status_code == (422 if n < slowed else 429)
        if n == 0:
            assert "Không có phiếu nào mang mã này" in answer.text
    assert {subject for _, subject, _ in trail(hr)} == {"unknown"}
    # The slip is what it was, for everybody else.
    assert opened(someone(hr, "198.51.100.1"), link, "3/2/1980").status_code == 200
    with hr.services.db.read() as session:
        assert (
            session.scalar(
                text("SELECT count(*) FROM throttle WHERE failures > 0 AND key LIKE 'user:%'")
            )
            == 0
        )


def test_wrong_codes_of_everybody_have_a_bound(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idp.factors.limits.MOST_SLIPS", 3)
    for n in range(4):
        browser = someone(hr, f"203.0.113.{n}")
        answer = submit(browser, browser.get("/activate"), "/activate", code=paper_code.new())
        assert answer.status_code == (422 if n < 2 else 429)


def test_what_was_opened_is_opened_for_this_browser_and_a_while(hr: Hr, clock: Any) -> None:
    link, browser = slip(hr), someone(hr)
    page = opened(browser, link, "1234")
    where = page.request.path
    assert someone(hr).get(where).headers["Location"] == "/activate"
    assert browser.get(where + "x").headers["Location"] == "/activate"
    clock.advance(seconds=hr.services.settings.flow_lifetime)
    assert browser.get(where).headers["Location"] == "/activate"


@pytest.mark.both_databases
def test_the_password_by_a_slip_is_a_sign_in(hr: Hr) -> None:
    """From paper to work on a phone: at most six screens, and 40 characters beside the password."""
    link = slip(hr)
    hr.services.settings.second_factor = "everybody"
    browser, typed, screens = someone(hr), 0, []

    def see(page: Any) -> Any:
        assert page.status_code == 200, page.text
        screens.append(page)
        return page

    page = see(browser.get(link, follow_redirects=True))
    code = re.findall(r'name="code"[^>]*value="([\d ]{19})"', page.text)[0]
    typed += len("03021980")
    answer = submit(browser, page, "/activate", code=code, answer="03021980")
    page = see(browser.get(answer.headers["Location"]))
    answer = submit(browser, page, password=NEW, again=NEW)
    page = see(browser.get(answer.headers["Location"]))
    app = Authenticator.scan(page.text)
    typed += 6
    page = see(
        shown(
            browser, submit(browser, page, f"{page.request.path}/enrol", code=app.code(hr.clock()))
        )
    )
    [onward] = re.findall(r'<a class="btn btn-primary" href="([^"]+)"', page.text)
    end = browser.get(onward)
    see(browser.get(end.headers["Location"]))
    assert len(screens) <= 6
    assert typed + 16 <= 40
    assert "Lê Thị Lan" in screens[-1].text


def test_with_a_second_factor_a_slip_gives_a_password_and_no_more(hr: Hr) -> None:
    """Whoever holds a slip has one factor: the other one is still asked for."""
    link = slip(hr)
    hr.services.settings.second_factor = "everybody"
    lan = Someone(hr, "lan", OUTSIDE)
    lan.whole()
    answer = chosen(thief := someone(hr), link, NEW, "1234")
    page = thief.get(answer.headers["Location"])
    assert "otpauth" not in page.text
    assert "Mã 6 chữ số" in page.text
    assert thief.get("/portal/profile").status_code == 303


def test_a_slip_of_the_release_before_works_until_it_lapses(hr: Hr) -> None:
    token = "A-b_" * 10 + "xyz"
    link = slip(hr)
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE activation SET digest = :d"),
            {"d": hr.services.keyring.keyed_hash("activation", token)},
        )
    assert opened(someone(hr), link, "1234").status_code == 422
    assert chosen(someone(hr), f"/activate/{token}", NEW, "1234").status_code == 303


def test_neither_code_nor_answer_is_stored_or_logged(
    hr: Hr, caplog: pytest.LogCaptureFixture
) -> None:
    page = printed(hr)
    code = link_on(page.text).rpartition("/")[2]
    chosen(someone(hr), f"/activate/{code}", NEW, NUMBER)
    dump = repr(hr.dump())
    assert code not in dump
    assert paper_code.grouped(code) not in dump
    assert NUMBER not in dump
    assert code not in caplog.text
    assert NUMBER not in caplog.text
