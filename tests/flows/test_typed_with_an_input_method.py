"""Telex and VNI type every slip, user name and sixty passwords, at the pages themselves.

Each goes through as it was meant, or the page that refuses it speaks of the input method, whoever it
was and whatever arrived: a key pressed twice takes a letter away and leaves no mark (``hiennv11`` is
``hiennv1`` where VNI is on, somebody else's name).
"""

from typing import Any

import pytest
from flask import Flask

from directory.base.text import username_base
from directory.people import User
from idp.factors import paper_code, slips
from tests import hr_world
from tests.browser_client import open_login, submit
from tests.hr_world import Hr, text_of
from tests.paper_slips import chosen, opened
from tests.telex_and_vni import Method, telex, vni
from tests.unit.idp.test_input_methods import CHOSEN

BOTH = pytest.mark.parametrize("method", [telex, vni], ids=["telex", "vni"])
NEW = "con trâu đội nón lá"
ASKED = "bộ gõ"
PEOPLE = [
    *(
        "Nguyễn Văn Hiển",
        "Lê Thị Hoa",
        "Trần Xuân Soạn",
        "Đỗ Duy Dũng",
        "Phạm Sỹ Ninh",
        "Vũ Thị Ơn",
    ),
    *(
        "Hoàng Đức Thắng",
        "Ngô Xuân Phương",
        "Bùi Thị Thùy",
        "Lương Thị Ánh",
        "Tạ Quang Bửu",
        "Hồ Sĩ Rạng",
    ),
    *("Trịnh Thị Oanh", "Lê Đình Ân", "Mai Xuân Sửu", "Cao Sơn Hải", "Đặng Rô Sa", "Lò Văn Xôm"),
]


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    made = hr_world.build(services, clock, app)
    with services.db.write() as session:
        session.get_one(User, made.people["lan"]).birth_date = "1980-02-03"
    services.settings.source_failures = 10_000
    return made


def someone(hr: Hr, n: int) -> Any:
    browser = hr.app.test_client()
    browser.environ_base |= {"REMOTE_ADDR": f"198.51.{n // 250}.{n % 250}"}
    return browser


@BOTH
def test_a_slip_and_its_answer_are_typed_whatever_is_on(hr: Hr, method: Method) -> None:
    for answer in ("03021980", "3/2/1980", "03-02-1980"):
        with hr.services.db.write() as session:
            code = slips.issue(
                session,
                hr.services.keyring,
                hr.people["lan"],
                now=hr.clock(),
                lifetime=3600,
                actor=hr_world.OPERATOR,
            )
        for written in (code, paper_code.grouped(code), paper_code.grouped(code).replace(" ", "-")):
            link = f"/activate/{method.field(written)}"
            assert opened(someone(hr, 1), link, method.field(answer)).status_code == 200, written
        link = f"/activate/{method.field(code)}"
        password = method.field(method.keys(NEW))
        assert chosen(someone(hr, 1), link, password, method.field(answer)).status_code == 303


def names() -> list[str]:
    """As they are made: with the numbers that tell those of one name apart."""
    bases = [username_base(name) for name in PEOPLE]
    return [base + number for base in bases for number in ("", "2", "11", "25", "100")]


@BOTH
def test_every_user_name_and_password_goes_through_or_brings_the_hint(
    hr: Hr, method: Method
) -> None:
    typed = [(name, "mật khẩu nào đó", method.field(name), "mật khẩu nào đó") for name in names()]
    # Nobody's name each time: guesses at one person would be slowed down.
    typed += [(f"nk-{n}", one, f"nk-{n}", method.field(one)) for n, one in enumerate(CHOSEN)]
    changed = [(came, word) for *meant, came, word in typed if meant != [came, word]]
    silent = []
    for n, (came, word) in enumerate(changed):
        browser = someone(hr, n)
        page = open_login(browser, "/portal/profile")
        answer = submit(browser, page, username=came, password=word)
        if ASKED not in text_of(answer.text).lower():
            silent.append((answer.status_code, came, word))
    assert silent == []
    assert len(changed) > 30
