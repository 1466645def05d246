"""Passkeys: whose they are, what each signature proves, and what is refused.

The authenticator is our own (tests/security_key.py). What is right is said by W3C Web Authentication
Level 3 and by what went wrong for others.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select, update

from directory.people import User, UserStatus
from idp import sessions
from idp.factors.enrolled import EnrolledFactor
from idp.factors.throttle import Throttle
from tests import hr_world
from tests.browser_client import following, open_login, shown, submit
from tests.hr_world import PASSWORD, Hr
from tests.security_key import InvalidStateError, Offered, SecurityKey, press
from tests.someone import OUTSIDE, PAPER, Someone, trail

AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
WAYS = "/portal/ways"
NEW = f"{WAYS}/passkey"


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marked = request.node.get_closest_marker("settings")
    own = {"second_factor": "outside", "inside_networks": ["10.0.0.0/8"]}
    return make_settings(**(own | (marked.kwargs if marked else {})))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@dataclass
class Holder:
    """Somebody with a device."""

    person: Someone
    device: SecurityKey

    def open(self, where: str = "/portal/profile") -> Any:
        asked = {"return_to": where, "prompt": "login"}
        return self.person.client.get("/login", query_string=asked, follow_redirects=True)

    def sign_in(self, where: str = "/portal/profile", **how: Any) -> Any:
        """Begin and end a sign-in with the key; the last answer."""
        answer = press(self.person.client, self.open(where), self.device, **how)
        assert answer.status_code == 303, answer.text
        return following(self.person.client, answer)

    def session(self) -> Any:
        """The session of this very browser."""
        cookie = self.person.client.get_cookie("dinhdanh")
        if cookie is None:
            return None
        has = self.person.hr.services
        with has.db.hot() as connection:
            return sessions.resolve(
                connection, has.keyring, cookie.value, now=has.clock(), settings=has.settings
            )

    def elsewhere(self, network: dict[str, str] | None = None) -> "Holder":
        return Holder(self.person.again(network), self.device)


def holder(hr: Hr, who: str = "lan", **device: Any) -> Holder:
    """Somebody who has just added a passkey to her password."""
    person = Someone(hr, who)
    person.password()
    one = Holder(person, SecurityKey(**device))
    answer = press(
        person.client, person.client.get(NEW), one.device, fields={"name": "Máy của tôi"}
    )
    assert answer.status_code in (200, 303), answer.text
    assert rows(hr, who)[0][:2] == ("passkey", None)
    return one


def rows(hr: Hr, who: str) -> list[tuple[str, str | None, int]]:
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people[who]
        found = session.scalars(select(EnrolledFactor).where(mine).order_by(EnrolledFactor.id))
        return [(row.kind, row.ended_as, row.counter) for row in found]


def counted(hr: Hr) -> list[Any]:
    with hr.services.db.read() as session:
        return [tuple(row) for row in session.execute(select(*Throttle.__table__.columns))]


def key_id(hr: Hr, who: str) -> int:
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people[who], EnrolledFactor.kind == "passkey"
        return int(session.scalars(select(EnrolledFactor.id).where(*mine)).first() or 0)


def refused(one: Holder, page: Any, sentence: str, **how: Any) -> Any:
    answer = press(one.person.client, page, one.device, **how)
    assert answer.status_code == 422, answer.headers
    assert sentence in answer.text
    assert one.session() is None
    return answer


# ---- adding one ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_passkey_is_added_by_a_form_and_comes_with_a_sheet_of_codes(hr: Hr) -> None:
    lan = Someone(hr, "lan")
    lan.password()
    page = lan.client.get(NEW)
    device = SecurityKey()
    answer = press(lan.client, page, device, fields={"name": "Điện thoại"})
    assert len(set(PAPER.findall(shown(lan.client, answer).text))) == 10
    told = lan.client.get(WAYS).text
    assert "Điện thoại" in told
    assert "Khóa đăng nhập (passkey)" in told
    assert rows(hr, "lan") == [("passkey", None, 0), ("recovery_code", None, 0)]
    assert trail(hr, "factor.enrol") == [{"factors": ["passkey"]}, {"factors": ["recovery_code"]}]


@pytest.mark.both_databases
def test_several_devices_know_her_as_one_and_no_device_makes_a_second_key(hr: Hr) -> None:
    """iosazee/expo-passkey#15: a new handle each time, and the second took the first one's place."""
    one = holder(hr)
    client = one.person.client
    one.sign_in(WAYS)
    other = SecurityKey()
    press(client, client.get(NEW), other, fields={"name": "Máy thứ hai"})
    assert [kind for kind, _, _ in rows(hr, "lan")].count("passkey") == 2
    assert one.device.keys[0].handle == other.keys[0].handle
    for device in (one.device, other):
        with pytest.raises(InvalidStateError):
            device.create(Offered.on(client.get(NEW)).asks)
        assert Holder(one.person.again(), device).sign_in().status_code == 303
    somebody = holder(hr, "mai")
    assert somebody.device.keys[0].handle != other.keys[0].handle


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://localhost:8000"},
        {"origin": "http://localhost:8000.evil.example"},
        {"rp_id": "evil.example"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"type": "webauthn.get"},
        {"present": False},
        {"framed": True},
    ],
    ids=lambda lie: "-".join(lie),
)
def test_a_key_made_for_another_page_is_not_added(hr: Hr, lie: dict[str, Any]) -> None:
    lan = Someone(hr, "lan")
    lan.password()
    answer = press(lan.client, lan.client.get(NEW), SecurityKey(), **lie)
    assert answer.status_code == 422
    assert "Khóa không xác nhận được" in answer.text
    assert rows(hr, "lan") == []


@pytest.mark.both_databases
def test_an_offer_to_add_one_is_good_for_one_key_one_session_and_a_while(
    hr: Hr, clock: Any
) -> None:
    lan, thief = Someone(hr, "lan"), Someone(hr, "mai")
    lan.password()
    thief.password()
    offered = Offered.on(lan.client.get(NEW))
    made = SecurityKey().create(offered.asks)
    # Another person's page, and the same person's other session.
    other = lan.again()
    other.password()
    for person in (thief, other):
        own = Offered.on(person.client.get(NEW))
        answer = own.answer(person.client, made, kept=offered.fields["kept"])
        assert answer.status_code == 422
    for kept in ("", "x", offered.fields["kept"][:-3]):
        assert offered.answer(lan.client, made, kept=kept).status_code == 422
    assert offered.answer(lan.client, made).status_code in (200, 303)
    assert rows(hr, "lan")[0] == ("passkey", None, 0)
    assert rows(hr, "mai") == []


def test_nobody_registers_the_id_of_another_persons_key(hr: Hr) -> None:
    one = holder(hr)
    thief = Someone(hr, "mai")
    thief.password()
    answer = press(thief.client, thief.client.get(NEW), SecurityKey(), id=one.device.keys[0].id)
    assert answer.status_code == 422
    assert "đã được thêm" in answer.text
    assert rows(hr, "mai") == []
    assert one.elsewhere().sign_in().status_code == 303


def test_whoever_has_a_second_factor_adds_with_no_less(hr: Hr, clock: Any) -> None:
    one = holder(hr)
    again = Someone(hr, "lan")
    again.password()
    assert AAL2 in again.client.get(NEW).headers["Location"].replace("%3A", ":")
    clock.advance(minutes=30)
    stale = one.elsewhere()
    stale.sign_in(NEW)
    offered = Offered.on(stale.person.client.get(NEW))
    clock.advance(seconds=hr.services.settings.sudo_window)
    answer = offered.answer(stale.person.client, SecurityKey().create(offered.asks))
    assert "prompt=login" in answer.headers["Location"]
    assert [kind for kind, _, _ in rows(hr, "lan")].count("passkey") == 1


# ---- signing in ------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_sign_in_begins_and_ends_with_a_key_that_asked_for_a_pin(hr: Hr) -> None:
    """From outside, too, where two are asked for."""
    one = holder(hr).elsewhere(OUTSIDE)
    page = one.open()
    assert 'autocomplete="username webauthn"' in page.text
    assert "allowCredentials" not in page.text or not Offered.on(page).asks["allowCredentials"]
    assert one.sign_in().headers["Location"] == "/portal/profile"
    found = one.session()
    assert found is not None
    assert (found.acr, list(found.amr)) == (AAL2, ["pop", "user", "mfa"])


@pytest.mark.both_databases
def test_without_a_pin_a_key_is_one_factor(hr: Hr) -> None:
    """voidauth/voidauth#361: no PIN, yet two factors."""
    one = holder(hr, "lan", pin=False)
    inside = one.elsewhere()
    inside.sign_in()
    found = inside.session()
    assert found is not None
    assert (found.acr, list(found.amr)) == (AAL1, ["pop", "user"])
    outside = one.elsewhere(OUTSIDE)
    page = outside.sign_in()
    assert page.status_code == 200
    assert 'name="password"' in page.text
    assert outside.session() is None
    given = {"username": hr.names["lan"], "password": PASSWORD}
    done = submit(outside.person.client, page, **given)
    assert done.headers["Location"] == "/portal/profile"
    found = outside.session()
    assert found is not None
    assert (found.acr, list(found.amr)) == (AAL2, ["pop", "user", "pwd", "mfa"])


def test_what_the_last_signature_said_counts_and_not_what_the_first_did(hr: Hr) -> None:
    one = holder(hr, "lan", pin=True)
    one.device.pin = False
    there = one.elsewhere()
    there.sign_in()
    found = there.session()
    assert found is not None
    assert found.acr == AAL1


@pytest.mark.settings(passkey_user_verification="required")
def test_a_pin_may_be_required(hr: Hr) -> None:
    one = holder(hr)
    page = one.elsewhere().open()
    assert Offered.on(page).asks["userVerification"] == "required"
    there = one.elsewhere()
    refused(there, there.open(), "mã PIN", pin=False)
    assert trail(hr, "login.fail") == [{"factors": ["passkey"], "why": "no_pin"}]


@pytest.mark.both_databases
def test_a_key_stands_beside_a_password_and_only_hers(hr: Hr) -> None:
    """w3c/webauthn#753: knowing Bob's password, Eve signed Bob's challenge with her own key."""
    lan, eve = holder(hr), holder(hr, "mai")
    thief = lan.elsewhere(OUTSIDE)
    page = thief.person.password()
    asks = Offered.on(page).asks
    assert [one["id"] for one in asks["allowCredentials"]] == [lan.device.get(asks)["id"]]
    for lie in ({}, {"handle": None}, {"handle": lan.device.keys[0].handle}):
        answer = press(thief.person.client, page, eve.device, key=eve.device.keys[0], **lie)
        assert answer.status_code == 422
        assert "không phải của người đang đăng nhập" in answer.text
        page = answer
    assert thief.session() is None
    assert [one["why"] for one in trail(hr, "login.fail")] == ["anothers"] * 3
    press(thief.person.client, page, lan.device, handle=None)
    found = thief.session()
    assert found is not None
    assert found.user_id == hr.people["lan"]
    assert set(found.amr) == {"pwd", "pop", "user", "mfa"}


@pytest.mark.parametrize("handle", [None, b"somebody", b""])
def test_who_begins_with_a_key_is_named_by_it(hr: Hr, handle: bytes | None) -> None:
    one = holder(hr).elsewhere()
    refused(one, one.open(), "không phải của người đang đăng nhập", handle=handle)


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8001"},
        {"rp_id": "evil.example"},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"type": "webauthn.create"},
        {"present": False},
        {"framed": True},
    ],
    ids=lambda lie: "-".join(lie),
)
def test_what_was_signed_for_another_page_is_refused(hr: Hr, lie: dict[str, Any]) -> None:
    one = holder(hr).elsewhere()
    page = refused(one, one.open(), "Khóa không xác nhận được", **lie)
    assert trail(hr, "login.fail") == [{"factors": ["passkey"], "why": "unverified"}]
    # The page that says so has a challenge of its own, and the way is open.
    done = press(one.person.client, page, one.device)
    assert done.headers["Location"] == "/portal/profile"


def test_a_signature_by_another_key_is_refused(hr: Hr) -> None:
    one, other = holder(hr).elsewhere(), holder(hr, "mai")
    refused(one, one.open(), "Khóa không xác nhận được", by=other.device.keys[0])


@pytest.mark.both_databases
def test_a_challenge_is_good_once(hr: Hr) -> None:
    one = holder(hr)
    there = one.elsewhere(OUTSIDE)
    offered = Offered.on(there.open())
    signed = one.device.get(offered.asks)
    there.person.client.post(offered.action, data={})
    assert offered.answer(there.person.client, signed).status_code == 303
    # The same sign-in again, before it is finished; and a sign-in of its own with the same answer.
    assert offered.answer(there.person.client, signed).status_code == 303
    anew = one.elsewhere(OUTSIDE)
    own = Offered.on(anew.open())
    answer = own.answer(anew.person.client, signed)
    assert answer.status_code == 422
    answer = own.answer(anew.person.client, signed, kept=offered.fields["kept"])
    assert answer.status_code == 422
    assert "Trang này đã dùng rồi" in answer.text
    assert anew.session() is None


@pytest.mark.both_databases
def test_of_many_answers_to_one_challenge_one_counts(hr: Hr) -> None:
    one = holder(hr, "lan", pin=False)
    there = one.elsewhere(OUTSIDE)
    offered = Offered.on(there.open())
    signed = one.device.get(offered.asks)
    there.person.client.get(offered.action)

    def send(_: int) -> int:
        browser = there.person.client.application.test_client()
        browser._cookies = there.person.client._cookies
        browser.environ_base = there.person.client.environ_base
        return int(offered.answer(browser, signed).status_code)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(send, range(4))) <= {303, 422}
    with hr.services.db.read() as session:
        used = session.scalars(select(EnrolledFactor.last_used_at)).all()
    assert sum(at is not None for at in used) == 1


def test_each_tab_has_a_challenge_of_its_own(hr: Hr) -> None:
    """GoogleChromeLabs/project-sesame#96: the second tab's challenge took the first one's place."""
    one = holder(hr)
    there = one.elsewhere()
    first, second = there.open(), there.open()
    assert Offered.on(first).asks["challenge"] != Offered.on(second).asks["challenge"]
    again = there.person.client.get(first.request.path)
    assert Offered.on(again).asks["challenge"] != Offered.on(first).asks["challenge"]
    done = press(there.person.client, first, one.device)
    assert done.headers["Location"] == "/portal/profile"
    assert there.session() is not None


@pytest.mark.parametrize("kept", ["", "x", "cut", "others"])
def test_a_challenge_comes_back_as_it_went(hr: Hr, kept: str) -> None:
    one = holder(hr)
    there = one.elsewhere()
    offered, other = Offered.on(there.open()), Offered.on(there.open())
    given = {"cut": offered.fields["kept"][:-4], "others": other.fields["kept"]}.get(kept, kept)
    answer = offered.answer(there.person.client, one.device.get(other.asks), kept=given)
    assert answer.status_code == 422
    assert "Trang này đã dùng rồi" in answer.text
    assert there.session() is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"id":"AA"}',
        '{"id":"A","response":{}}',
        '{"id":"AA","response":[]}',
        '{"id":"AA","response":{"userHandle":5}}',
        '{"id":"AA","id":"AB","response":{}}',
        '{"id":"AA","response":{"userHandle":"é"}}',
        "[" * 5000,
        "x" * 40_000,
    ],
)
def test_an_answer_that_is_none_is_refused(hr: Hr, text: str) -> None:
    there = Holder(Someone(hr, "lan"), SecurityKey())
    answer = Offered.on(there.open()).answer(there.person.client, text)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


@pytest.mark.parametrize(
    "part", ["clientDataJSON", "authenticatorData", "signature", "rawId", "type"]
)
@pytest.mark.parametrize("value", ["", "AA", "*", None, 7, {}, "9" * 5000])
def test_a_known_key_with_nonsense_is_refused(hr: Hr, part: str, value: Any) -> None:
    one = holder(hr).elsewhere()
    offered = Offered.on(one.open())
    signed = one.device.get(offered.asks)
    if part in signed:
        signed[part] = value
    else:
        signed["response"][part] = value
    answer = offered.answer(one.person.client, signed)
    assert answer.status_code == 422
    assert one.session() is None


# ---- counters and flags ----------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_synced_key_stays_at_nought_and_its_flags_flip(hr: Hr) -> None:
    """w3c/webauthn#2363, supabase/auth#2732."""
    one = holder(hr)
    for synced in (True, False, True):
        one.device.synced = synced
        there = one.elsewhere()
        there.sign_in()
        assert there.session() is not None
        with hr.services.db.read() as session:
            row = session.get_one(EnrolledFactor, key_id(hr, "lan"))
            assert row.public is not None
            assert row.public["backed_up"] is synced
            assert row.counter == 0


@pytest.mark.both_databases
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_count_that_does_not_go_on_is_refused_and_told(hr: Hr, count: int) -> None:
    one = holder(hr, "lan", counts=True, synced=False)
    one.elsewhere().sign_in()
    one.elsewhere().sign_in()
    assert rows(hr, "lan")[0] == ("passkey", None, 2)
    there = one.elsewhere()
    refused(there, there.open(), "dấu hiệu bị sao chép", count=count)
    assert trail(hr, "login.fail") == [{"factors": ["passkey"], "why": "copied"}]
    assert rows(hr, "lan")[0] == ("passkey", None, 2)
    still = one.elsewhere()
    still.device.keys[0].count = 7
    still.sign_in(WAYS)
    assert "hai bản của một passkey" in still.person.client.get(WAYS).text


# ---- whose person may not, and locks ---------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize("why", ["removed", "lost"])
def test_a_key_that_has_ended_opens_nothing(hr: Hr, why: str) -> None:
    one = holder(hr)
    one.sign_in(WAYS)
    mine = f"{WAYS}/{key_id(hr, 'lan')}"
    act = "remove" if why == "removed" else "lost"
    assert one.person.act(f"{mine}/{act}").status_code == 303
    there = one.elsewhere()
    before = there.session()
    answer = press(there.person.client, there.open(), one.device)
    assert answer.status_code == 422
    assert "chưa được thêm ở đây hoặc đã bị bỏ" in answer.text
    assert trail(hr, "login.fail") == [{"factors": ["passkey"], "why": "ended"}]
    after = there.session()
    assert (before and before.id) == (after and after.id)


def test_a_key_that_nobody_has_here_writes_nothing(hr: Hr) -> None:
    one = holder(hr)
    with hr.services.db.write() as session:
        session.execute(delete(EnrolledFactor).where(EnrolledFactor.kind == "passkey"))
    there = one.elsewhere()
    refused_page = press(there.person.client, there.open(), one.device)
    assert refused_page.status_code == 422
    assert trail(hr, "login.fail") == []


@pytest.mark.both_databases
@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.LEFT])
def test_somebody_who_may_not_act_gets_nowhere_with_her_key(hr: Hr, status: UserStatus) -> None:
    one = holder(hr)
    with hr.services.db.write() as session:
        session.execute(update(User).where(User.id == hr.people["lan"]).values(status=status.value))
    there = one.elsewhere()
    answer = press(there.person.client, there.open(), one.device)
    page = there.person.client.get(answer.headers["Location"])
    assert page.status_code == 403
    assert there.session() is None


@pytest.mark.both_databases
def test_a_lock_of_what_is_guessed_neither_stops_a_key_nor_is_fed_by_one(hr: Hr) -> None:
    """keycloak#41476, #41477."""
    one = holder(hr)
    failing, before = one.elsewhere(), counted(hr)
    for _ in range(hr.services.settings.lock_after + 2):
        refused(failing, failing.open(), "Khóa không xác nhận được", origin="https://evil.example")
    assert counted(hr) == before
    guesser = Someone(hr, "lan")
    for _ in range(hr.services.settings.lock_after):
        page = open_login(guesser.client)
        answer = submit(guesser.client, page, username=hr.names["lan"], password="nhầm")
    assert answer.status_code == 429
    assert "Khóa đăng nhập (passkey)" in answer.text
    there = one.elsewhere()
    there.sign_in()
    assert there.session() is not None


def test_the_page_says_so_where_no_script_runs(hr: Hr) -> None:
    page = open_login(Someone(hr, "lan").client).text
    assert "cần JavaScript" in page
    assert "Chrome hoặc Safari" in page


# ---- enrolling in the midst of a sign-in -----------------------------------------------------


@pytest.mark.both_databases
def test_who_is_asked_for_two_factors_makes_a_key_in_place(hr: Hr) -> None:
    admin = Someone(hr, "admin")
    page = admin.password()
    assert "otpauth://" in page.text
    device = SecurityKey()
    sheet = shown(admin.client, press(admin.client, page, device))
    assert len(set(PAPER.findall(sheet.text))) == 10
    admin.onward(sheet)
    found = Holder(admin, device).session()
    # Nothing was signed when the key was made: that says so little as a first code does.
    assert (found.acr, list(found.amr)) == (AAL2, ["pwd", "pop", "mfa"])
    assert [row[:2] for row in rows(hr, "admin")] == [("passkey", None), ("recovery_code", None)]
    there = Holder(admin.again(OUTSIDE), device)
    there.sign_in()
    assert there.session().acr == AAL2


def test_a_key_for_another_sign_in_is_not_added_in_place(hr: Hr) -> None:
    admin = Someone(hr, "admin")
    page = admin.password()
    offered = Offered.on(page)
    made = SecurityKey().create(offered.asks)
    answer = offered.answer(admin.client, made, kept=offered.fields["kept"][:-4])
    assert answer.status_code == 422
    assert "Trang này đã dùng rồi" in answer.text
    other = Someone(hr, "admin")
    own = Offered.on(other.password())
    assert own.answer(other.client, made, kept=offered.fields["kept"]).status_code == 422
    assert rows(hr, "admin") == []


def test_beside_a_sheet_of_codes_the_key_is_asked_for_first(hr: Hr) -> None:
    one = holder(hr)
    page = one.elsewhere(OUTSIDE).person.password()
    assert Offered.on(page).does == "get"
    assert 'name="code"' not in page.text
    assert "way=recovery_code" in page.text
