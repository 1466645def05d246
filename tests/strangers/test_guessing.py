"""Guessing is slowed down, and slows down nobody else: decision 0041, asked from outside.

Neither an outsider nor a colleague locks anybody out where she works, and no browser that knows one
person buys guesses at another.
"""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput, Locked
from idp.assurance import Demand, Strength
from idp.factors import by_password, registry
from idp.factors.factor import Answer, Asking, Epochs, Form, Passed, Proven, Source
from tests import hr_world
from tests.bent import bent
from tests.browser_client import hidden_fields, open_login, sign_in, submit
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import chosen, link_on

HOME, OFFICE = "198.51.100.7", "203.0.113.9"
KNOWN = "dinhdanh-known"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def browser_at(hr: Hr, address: str, who: str = "") -> FlaskClient:
    """A browser at an address, in which somebody has signed in before and out again."""
    made = hr.app.test_client()
    made.environ_base["REMOTE_ADDR"] = address
    if who:
        sign_in(made, hr.names[who], PASSWORD)
        made.delete_cookie("dinhdanh")
    return made


def guess(hr: Hr, browser: FlaskClient, who: str, password: str = "sai rồi") -> Any:
    name = hr.names.get(who, who)
    return submit(browser, open_login(browser), username=name, password=password)


def statuses(hr: Hr, browser: FlaskClient, who: str, times: int) -> list[int]:
    return [guess(hr, browser, who).status_code for _ in range(times)]


def signs_in(hr: Hr, browser: FlaskClient, who: str) -> bool:
    """Whether her password is taken; she signs out again."""
    taken = guess(hr, browser, who, PASSWORD).status_code == 303
    browser.delete_cookie("dinhdanh")
    return bool(taken)


# ---- nobody is locked out by others ----------------------------------------------------------


@pytest.mark.both_databases
def test_no_outsider_locks_anybody_out_where_she_works(hr: Hr) -> None:
    hers = browser_at(hr, OFFICE, "admin")
    for n in range(30):
        statuses(hr, browser_at(hr, f"192.0.2.{n}"), "admin", 5)
    assert guess(hr, browser_at(hr, HOME), "admin", PASSWORD).status_code == 429
    assert signs_in(hr, hers, "admin")


@pytest.mark.both_databases
def test_one_address_locks_nobody_out_elsewhere(hr: Hr) -> None:
    assert statuses(hr, browser_at(hr, OFFICE), "lan", 6) == [422] * 4 + [429] * 2
    assert signs_in(hr, browser_at(hr, HOME), "lan")


def test_an_insider_locks_no_colleague_out_behind_the_same_address(hr: Hr) -> None:
    colleagues = ["lan", "hien", "mai", "admin"]
    theirs = {who: browser_at(hr, OFFICE, who) for who in colleagues}
    insider = browser_at(hr, OFFICE, "plain")
    for _ in range(12):
        for who in (*colleagues, "tên bịa", "plain"):
            guess(hr, insider, who)
        guess(hr, insider, f"ai{len(hr.names)}")
        hr.clock.advance(seconds=20)
    for who, browser in theirs.items():
        assert statuses(hr, browser, who, 3) == [422] * 3
        assert signs_in(hr, browser, who)


def test_ten_people_with_three_typing_errors_each_are_not_blocked(hr: Hr, make_people: Any) -> None:
    people = make_people(10)
    browsers = [browser_at(hr, OFFICE) for _ in people]
    for _ in range(3):
        for browser, name in zip(browsers, people, strict=True):
            assert guess(hr, browser, name).status_code == 422
    for browser, name in zip(browsers, people, strict=True):
        assert guess(hr, browser, name, PASSWORD).status_code == 303


@pytest.fixture
def make_people(hr: Hr) -> Any:
    def make(count: int) -> list[str]:
        names = []
        with hr.services.db.write() as session:
            phc = session.scalar(
                text("SELECT hash FROM password_credential WHERE user_id = :u"),
                {"u": hr.people["lan"]},
            )
            for n in range(count):
                user = hr_world.make_user(session, f"Nguyễn Văn Người {'abcdefghijkl'[n]}")
                unit = session.get_one(hr_world.OrgUnit, hr.units["a"])
                hr_world.make_assignment(session, user, unit)
                session.execute(
                    text(
                        "INSERT INTO password_credential"
                        " (user_id, hash, must_change, set_at, changed_by, generation)"
                        " SELECT :u, :h, must_change, set_at, changed_by, 1"
                        " FROM password_credential LIMIT 1"
                    ),
                    {"u": user.id, "h": phc},
                )
                names.append(user.username)
        return names

    return make


# ---- what a browser that knows her is worth --------------------------------------------------


@pytest.mark.both_databases
def test_her_own_browser_is_like_any_other_after_ten_failures(hr: Hr) -> None:
    hers = browser_at(hr, HOME, "lan")
    assert statuses(hr, hers, "lan", 16) == [422] * 14 + [429] * 2
    # Elsewhere, and in another of her browsers, nothing has happened.
    other = browser_at(hr, OFFICE, "lan")
    assert statuses(hr, other, "lan", 3) == [422] * 3
    hr.clock.advance(hours=12, seconds=1)
    assert statuses(hr, hers, "lan", 1) == [422]
    assert signs_in(hr, hers, "lan")
    # She has signed in there: it is hers once more.
    finish(hr, hers, "lan")
    assert statuses(hr, hers, "lan", 9) == [422] * 9
    assert signs_in(hr, hers, "lan")


def finish(hr: Hr, browser: FlaskClient, who: str) -> None:
    sign_in(browser, hr.names[who], PASSWORD)
    browser.delete_cookie("dinhdanh")


def test_an_insiders_browser_buys_no_guesses_at_colleagues(hr: Hr) -> None:
    insider = browser_at(hr, OFFICE, "plain")
    assert statuses(hr, insider, "lan", 6) == [422] * 4 + [429] * 2


def test_a_shared_browser_knows_each_of_them(hr: Hr) -> None:
    shared = browser_at(hr, OFFICE, "lan")
    finish(hr, shared, "mai")
    for who in ("lan", "mai"):
        assert statuses(hr, shared, who, 9) == [422] * 9
        assert signs_in(hr, shared, who)


@pytest.mark.parametrize(
    "what", ["tampered", "a new password", "too old", "another installation's"]
)
def test_what_a_browser_shows_is_good_for_her_as_she_is(hr: Hr, what: str) -> None:
    hers = browser_at(hr, OFFICE, "lan")
    cookie = hers.get_cookie(KNOWN)
    assert cookie is not None
    assert cookie.http_only
    shown = cookie.value
    match what:
        case "tampered":
            shown = bent(shown, -6)
        case "a new password":
            with hr.services.db.write() as session:
                session.execute(
                    text("UPDATE users SET access_epoch = access_epoch + 1 WHERE id = :u"),
                    {"u": hr.people["lan"]},
                )
        case "too old":
            hr.clock.advance(days=hr.services.settings.known_browser_days, seconds=1)
        case _:
            shown = f"{Keyring.generate().current}.{shown.partition('.')[2]}"
    hers.set_cookie(KNOWN, shown)
    assert statuses(hr, hers, "lan", 6) == [422] * 4 + [429] * 2


def test_a_browser_that_has_signed_in_is_written_nowhere_until_it_fails(hr: Hr) -> None:
    hers = browser_at(hr, OFFICE, "lan")
    sign_in(hers, hr.names["lan"], PASSWORD)
    assert not rows(hr, "%#%")
    hers.delete_cookie("dinhdanh")
    guess(hr, hers, "lan")
    assert len(rows(hr, "%#%")) == 1
    assert signs_in(hr, hers, "lan")
    assert not rows(hr, "%#%")


def rows(hr: Hr, like: str) -> list[Any]:
    with hr.services.db.read() as session:
        return list(session.execute(text("SELECT * FROM throttle WHERE key LIKE :k"), {"k": like}))


# ---- names ------------------------------------------------------------------------------------


def test_a_name_is_one_name_however_it_is_typed(hr: Hr) -> None:
    name = hr.names["lan"]
    wide = "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in name)
    spellings = [name.upper(), f" {name} ", name.title(), wide, name]
    stranger = browser_at(hr, OFFICE)
    found = [guess(hr, stranger, one).status_code for one in spellings]
    assert found == [422] * 4 + [429]


@pytest.mark.both_databases
def test_known_and_unknown_names_cannot_be_told_apart_by_how_they_close(hr: Hr) -> None:
    def run(name: str, at: str) -> list[tuple[int, Any]]:
        stranger = browser_at(hr, at)
        found = [guess(hr, stranger, name) for _ in range(7)]
        return [(one.status_code, one.headers.get("Retry-After")) for one in found]

    assert run(hr.names["lan"], HOME) == run("không ai tên vậy", OFFICE)


def test_a_password_typed_into_the_name_is_written_nowhere(
    hr: Hr, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "MậtKhẩuGõNhầmÔ99"
    for typed in (secret, secret.upper()):
        guess(hr, browser_at(hr, OFFICE), typed)
    with hr.services.db.read() as session:
        everything = " ".join(
            str(row)
            for table in ("throttle", "audit_entry", "login_flow")
            for row in session.execute(text(f"SELECT * FROM {table}"))
        )
    out = capsys.readouterr()
    for where in (everything, out.out, out.err):
        assert secret.lower() not in where.lower()


# ---- what people are told --------------------------------------------------------------------


def test_whoever_waits_for_a_moment_keeps_her_form(hr: Hr) -> None:
    stranger = browser_at(hr, OFFICE)
    for n in range(15):
        guess(hr, stranger, f"ai{n}")
    page = guess(hr, stranger, "lan", PASSWORD)
    assert page.status_code == 429
    wait = int(page.headers["Retry-After"])
    words = text_of(page.text)
    assert f"gửi lại sau {wait} giây" in words
    assert "chưa được kiểm tra" in words
    assert f'value="{hr.names["lan"]}"' in page.text
    hr.clock.advance(seconds=wait)
    fields = {"username": hr.names["lan"], "password": PASSWORD}
    answer = stranger.post(page.request.path, data=hidden_fields(page.text) | fields)
    assert answer.status_code == 303


class Word:
    """Nothing of it can be guessed."""

    code, title, first, gives = "word", "Lời người khác", True, Strength(2)

    def __init__(self, hr: Hr) -> None:
        self._hr = hr

    def offers(self, *_: Any) -> bool:
        return True

    def begin(self, *_: Any) -> Form:
        return Form("Người khác biết bạn.", "Tiếp tục")

    def check(self, has: Any, asking: Asking, _answer: Answer) -> Passed:
        proven = Proven(self.code, asking.now, Epochs(1, 1), 2, ("word",))
        return Passed(self._hr.people["lan"], proven)


def test_what_cannot_be_guessed_goes_on_while_the_password_is_locked(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "FACTORS", (*registry.FACTORS, Word(hr)))
    stranger = browser_at(hr, OFFICE)
    statuses(hr, stranger, "lan", 4)
    locked = guess(hr, stranger, "lan")
    assert locked.status_code == 429
    found = re.search(r'href="([^"]+way=word)"', locked.text)
    assert found is not None
    page = stranger.get(found[1].replace("&amp;", "&"))
    assert submit(stranger, page).status_code == 303
    with hr.services.db.read() as session:
        assert session.execute(text("SELECT count(*) FROM login_flow")).scalar() == 1


def test_the_locked_page_says_what_unlocks_and_it_does(hr: Hr) -> None:
    stranger, hers = browser_at(hr, OFFICE), browser_at(hr, OFFICE, "lan")
    words = text_of([guess(hr, stranger, "lan") for _ in range(5)][-1].text)
    assert "đã từng đăng nhập, bạn vẫn đăng nhập được" in words
    assert signs_in(hr, hers, "lan")
    assert "đặt mật khẩu mới là mở khóa" in words
    hr.agree("officer_a", "lan")
    officer = hr.browser("officer_a")
    made = submit(
        officer,
        officer.get(f"/console/people/{hr.people['lan']}"),
        f"/console/people/{hr.people['lan']}/activation",
        password=PASSWORD,
    )
    slip = officer.get(made.headers["Location"]).text if made.status_code == 303 else made.text
    new = "con trâu đội nón lá"
    assert chosen(stranger, link_on(slip), new).status_code == 303
    assert guess(hr, stranger, "lan", new).status_code == 303


# ---- the policy, as a whole ------------------------------------------------------------------


class Looked:
    """How often a password was looked at."""

    def __init__(self, hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self._hr = hr

        def verify(*_: Any, **__: Any) -> bool:
            self.times += 1
            return False

        monkeypatch.setattr(hr.services.passwords, "verify", verify)

    def guess(self, name: str, address: str) -> None:
        source = Source(address, 1, "")
        asking = Asking("", None, Demand(), "", source, self._hr.clock(), str, "")
        try:
            by_password.Password().check(
                self._hr.services, asking, Answer({"username": name, "password": "sai"})
            )
        except (InvalidInput, Locked):
            return
        raise AssertionError("let in")


@pytest.fixture
def looked(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> Looked:
    return Looked(hr, monkeypatch)


def test_two_thousand_guesses_at_one_name_from_a_hundred_addresses_are_twenty(
    hr: Hr, looked: Looked
) -> None:
    for n in range(2_000):
        looked.guess(hr.names["lan"], f"192.0.2.{n % 100}")
    assert looked.times == 20
    hr.clock.advance(hours=12, seconds=1)
    looked.guess(hr.names["lan"], "192.0.2.200")
    assert looked.times == 20
    hr.clock.advance(hours=12)
    looked.guess(hr.names["lan"], "192.0.2.200")
    assert looked.times == 21


@pytest.mark.slow  # ten thousand forms are sent
def test_ten_thousand_guesses_at_all_names_from_a_hundred_addresses_are_fifteen_of_each(
    hr: Hr, looked: Looked
) -> None:
    for n in range(10_000):
        looked.guess(f"ai{n}", f"192.0.2.{n % 100}")
    assert looked.times == 100 * 15


def test_an_address_that_waits_as_it_is_told_looks_at_thirty_names_in_ten_minutes(
    hr: Hr, looked: Looked
) -> None:
    for n in range(600):
        looked.guess(f"ai{n}", OFFICE)
        hr.clock.advance(seconds=1)
    assert looked.times <= hr.services.settings.source_failures
