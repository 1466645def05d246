"""The second factor: who is asked for it, how it is enrolled, and what a code is good for.

What is right is said by RFC 6238 (tests/authenticator.py is an app of its own), by design 13 and by
what went wrong for others.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from directory.people import User
from directory.permissions import Role
from idp.factors.by_recovery_code import RecoveryCode
from idp.factors.enrolled import EnrolledFactor
from idp.login.flow_rows import LoginFlow
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import open_login, submit
from tests.command_line import Operator, operator
from tests.hr_world import PASSWORD, Hr
from tests.relying_party import Flow, World
from tests.someone import INSIDE, OUTSIDE, Someone, trail

__all__ = ["operator"]
AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marked = request.node.get_closest_marker("settings")
    own = {"second_factor": "outside", "inside_networks": ["10.0.0.0/8"]}
    return make_settings(**(own | (marked.kwargs if marked else {})))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def someone(hr: Hr) -> Any:
    def make(who: str = "admin", network: dict[str, str] = INSIDE) -> Someone:
        return Someone(hr, who, network)

    return make


# ---- who is asked ----------------------------------------------------------------------------


def test_an_official_inside_signs_in_with_a_password(someone: Any) -> None:
    lan = someone("lan")
    assert lan.password().headers["Location"] == "/portal/profile"
    assert lan.session().acr == AAL1
    assert lan.client.get("/portal/profile").status_code == 200


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("who", "network", "reason"),
    [
        ("admin", INSIDE, "vì bạn có vai trò quản trị"),
        ("admin", OUTSIDE, "vì bạn có vai trò quản trị"),
        ("lan", OUTSIDE, "từ ngoài mạng của cơ quan"),
    ],
)
def test_who_is_asked_enrols_in_place_and_is_told_why(
    someone: Any, who: str, network: dict[str, str], reason: str
) -> None:
    person = someone(who, network)
    page = person.password("/")
    assert reason in page.text
    # Nothing is written and no door is open before the first code.
    assert person.session() is None
    assert person.client.get("/portal/profile").status_code == 303
    sheet = person.enrol(page)
    assert person.session() is None
    end = person.onward(sheet)
    assert end.headers["Location"] == "/"
    assert len(set(person.codes)) == 10
    found = person.session()
    assert (found.acr, found.amr) == (AAL2, ["pwd", "otp", "mfa"])
    assert person.client.get("/").status_code == 200
    assert trail(person.hr, "factor.enrol") == [
        {"factors": ["totp"]},
        {"factors": ["recovery_code"]},
    ]


def test_the_next_sign_in_asks_for_the_code(someone: Any, clock: Any) -> None:
    person = someone()
    person.whole()
    clock.advance(seconds=60)
    there = person.again()
    page = there.password()
    assert "vì bạn có vai trò quản trị" in page.text
    assert 'inputmode="numeric"' in page.text
    assert 'autocomplete="one-time-code"' in page.text
    assert 'name="password"' not in page.text
    done = there.type(page, there.code())
    assert done.headers["Location"] == "/portal/profile"
    assert there.session().acr == AAL2


@pytest.mark.settings(second_factor="everybody", inside_networks=["0.0.0.0/0", "::/0"])
def test_everybody_may_be_asked(someone: Any) -> None:
    assert "hai cách xác thực cho mọi lần đăng nhập" in someone("lan").password().text


@pytest.mark.settings(second_factor="administrators")
def test_administrators_alone_may_be_asked(someone: Any) -> None:
    assert someone("lan", OUTSIDE).password().headers["Location"] == "/portal/profile"
    assert "vai trò quản trị" in someone("admin").password().text


@pytest.mark.settings(second_factor="nobody")
def test_nobody_may_be_asked(someone: Any) -> None:
    assert someone("admin", OUTSIDE).password("/").headers["Location"] == "/"


@pytest.mark.settings(inside_networks=[])
def test_with_no_network_listed_everybody_comes_from_outside(someone: Any) -> None:
    assert "ngoài mạng của cơ quan" in someone("lan").password().text


@pytest.mark.both_databases
def test_a_session_of_inside_is_asked_for_more_outside(someone: Any, hr: Hr) -> None:
    """A laptop is taken home."""
    lan = someone("lan")
    lan.password()
    lan.client.environ_base |= OUTSIDE
    for path in ("/", "/portal/profile", "/portal/sessions", "/device"):
        answer = lan.client.get(path)
        assert answer.status_code == 303, path
        assert "least=urn:vn:aal:2" in answer.headers["Location"].replace("%3A", ":")
    lan.client.environ_base |= INSIDE
    assert lan.client.get("/portal/profile").status_code == 200


@pytest.mark.both_databases
def test_a_page_that_asks_for_more_lets_her_enrol_it(someone: Any, hr: Hr) -> None:
    """By her position, inside: there is nothing to prove, and to ask again would lead in a circle."""
    lan = someone("lan")
    assert lan.password().status_code == 303
    hr.services.settings.position_acr = {"CV": "urn:vn:aal:2"}
    page = lan.client.get("/portal/profile", follow_redirects=True)
    given = {"username": hr.names["lan"], "password": PASSWORD}
    page = lan.client.get(submit(lan.client, page, **given).headers["Location"])
    assert lan.onward(lan.enrol(page)).headers["Location"] == "/portal/profile"
    assert lan.client.get("/portal/profile").status_code == 200


def test_whoever_is_given_a_role_is_asked_at_her_next_page(someone: Any, hr: Hr) -> None:
    lan = someone("lan")
    lan.password()
    hr.grant("lan", Role.ADMINISTRATOR)
    for path in ("/portal/profile", "/console/"):
        assert "least=" in lan.client.get(path).headers["Location"]


def test_an_application_gets_nothing_from_a_session_that_is_too_weak_here(
    someone: Any, hr: Hr, services: Any, clock: Any
) -> None:
    lan = someone("lan")
    world = World(services, clock, lan.id, hr.posts["lan"], 0, 0)
    flow = Flow(lan.client, world.register())
    lan.password()
    assert "code" in flow.told(flow.ask())
    lan.client.environ_base |= OUTSIDE
    page = lan.client.get(flow.ask().headers["Location"])
    assert 'name="password"' in page.text
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"
    given = {"username": hr.names["lan"], "password": PASSWORD}
    page = lan.client.get(submit(lan.client, page, **given).headers["Location"])
    end = lan.onward(lan.enrol(page))
    assert "code" in flow.told(end)


# ---- enrolling -------------------------------------------------------------------------------


def test_the_secret_stays_until_it_is_confirmed(someone: Any, clock: Any) -> None:
    """keycloak#20210."""
    person = someone()
    page = person.password()
    first = Authenticator.scan(page.text)
    assert Authenticator.scan(person.client.get(page.request.path).text) == first
    wrong = person.type(page, first.wrong(clock()))
    assert wrong.status_code == 422
    assert "Mã không đúng" in wrong.text
    assert Authenticator.scan(wrong.text) == first
    assert first.issuer == "localhost"
    assert first.label == f"localhost:{person.hr.names['admin']}"


def test_each_browser_is_shown_a_secret_of_its_own(someone: Any) -> None:
    """Whoever knows the password too must not know what she will scan."""
    one, other = someone(), someone()
    assert Authenticator.scan(one.password().text) != Authenticator.scan(other.password().text)


@pytest.mark.settings(issuer="https://[fd00::1]:8443")
def test_an_issuer_without_a_name_is_called_by_the_products(settings: Any) -> None:
    from idp.factors import by_totp

    assert by_totp.issuer(settings) == "Dinhdanh"


@pytest.mark.both_databases
def test_of_two_who_enrol_with_one_password_the_first_wins(someone: Any) -> None:
    one, other = someone(), someone()
    first, second = one.password(), other.password()
    one.onward(one.enrol(first))
    late = other.enrol(second)
    assert late.status_code == 303
    page = other.client.get(late.headers["Location"])
    assert "otpauth" not in page.text  # she is asked for the code of the app that there is
    assert other.session().id == one.session().id


@pytest.mark.both_databases
def test_a_form_that_enrols_twice_enrols_once(someone: Any, hr: Hr) -> None:
    person = someone()
    page = person.password()
    person.enrol(page)
    person.enrol(page)
    with hr.services.db.read() as session:
        kinds = sorted(session.scalars(select(EnrolledFactor.kind)))
    assert kinds == ["recovery_code", "totp"]


def test_the_secret_and_the_codes_are_nowhere_in_clear(someone: Any, hr: Hr) -> None:
    person = someone()
    person.whole()
    dump = repr(hr.dump())
    assert person.app.secret not in dump
    for code in person.codes:
        assert code not in dump
        assert code.replace(" ", "") not in dump


# ---- a code is good once ---------------------------------------------------------------------


@pytest.mark.both_databases
def test_the_code_that_enrolled_signs_nobody_in(someone: Any, clock: Any) -> None:
    """teamhanko/hanko#2723."""
    person = someone()
    page = person.password()
    while len(Authenticator.scan(page.text).near(clock())) < 7:  # by chance two steps have one code
        clock.advance(seconds=30)
    person.onward(person.enrol(page))
    there = person.again()
    answer = there.type(there.password(), there.code())
    assert answer.status_code == 422
    assert "Mã này đã dùng rồi" in answer.text
    clock.advance(seconds=30)
    assert there.type(there.client.get(answer.request.path), there.code()).status_code == 303


@pytest.mark.both_databases
def test_of_thirty_at_once_one_passes(someone: Any, clock: Any, hr: Hr) -> None:
    """artifact-keeper/artifact-keeper#1822: 14 of 30."""
    person = someone()
    person.whole()
    clock.advance(seconds=90)
    them = [person.again() for _ in range(30)]
    pages, before = [one.password() for one in them], proven_twice(hr)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda pair: pair[0].type(pair[1], pair[0].code()), zip(them, pages, strict=True)
            )
        )
    assert len(proven_twice(hr) - before) == 1


def proven_twice(hr: Hr) -> set[str]:
    """Sign-ins in which two things were proven."""
    with hr.services.db.read() as session:
        flows = session.scalars(select(LoginFlow).where(LoginFlow.proven.is_not(None)))
        return {flow.id for flow in flows if len(flow.proven["by"]) > 1}


@pytest.mark.parametrize(
    ("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)]
)
def test_a_clock_may_be_wrong_by_one_step(someone: Any, clock: Any, steps: int, fits: bool) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=10)
    while len(person.app.near(clock())) < 7:  # by chance two steps have one code
        clock.advance(seconds=30)
    there = person.again()
    answer = there.type(there.password(), there.app.code(clock(), steps=steps))
    assert (answer.status_code == 303) is fits


def test_an_older_step_is_no_good_after_a_newer_one(someone: Any, clock: Any) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=10)
    while len(person.app.near(clock())) < 7:
        clock.advance(seconds=30)
    before = person.app.code(clock(), steps=-1)
    there = person.again()
    there.type(there.password(), there.code())
    late = person.again()
    assert "Mã này đã dùng rồi" in late.type(late.password(), before).text


@pytest.mark.parametrize("apart", [" {} {}", "{}-{}", "{} {}", "{}.{}"])
def test_a_code_may_be_typed_in_groups(someone: Any, clock: Any, apart: str) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=10)
    there = person.again()
    code = there.code()
    assert there.type(there.password(), apart.format(code[:3], code[3:])).status_code == 303


def test_what_can_be_no_code_is_told_and_not_counted(someone: Any, clock: Any) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=10)
    there = person.again()
    page = there.password()
    for typed in ("", "12345", "1234567", "abcdef", "12a456"):
        page = there.type(page, typed)
        assert page.status_code == 422
        assert "Mã gồm đúng 6 chữ số" in page.text
    assert trail(person.hr, "login.fail") == []
    assert there.type(page, there.code()).status_code == 303


# ---- wrong codes -----------------------------------------------------------------------------


@pytest.mark.both_databases
def test_wrong_codes_count_over_sign_ins_and_addresses_and_not_as_passwords(
    someone: Any, clock: Any
) -> None:
    """keycloak#46164, #26177."""
    person = someone("admin")
    person.whole()
    clock.advance(minutes=10)
    for n in range(5):
        thief = person.again({"REMOTE_ADDR": f"203.0.113.{n}"})
        answer = thief.type(thief.password(), person.app.wrong(clock()))
        assert answer.status_code == (422 if n < 4 else 429)
    assert trail(person.hr, "login.fail")[-1] == {"factors": ["totp"]}
    there = person.again()
    page = there.password()  # the password is right, and not locked
    assert page.status_code == 200
    locked = there.type(page, there.code())
    assert locked.status_code == 429
    assert "cách xác thực này" in locked.text
    # A code on paper is another way, with a counter of its own.
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    assert there.type(page, person.codes[0]).status_code == 303
    clock.advance(seconds=there.hr.services.settings.lock_for)
    later = person.again()
    assert later.type(later.password(), later.code()).status_code == 303


def test_wrong_passwords_do_not_lock_codes(someone: Any, clock: Any, hr: Hr) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=10)
    there = person.again()
    page = there.password()
    thief = someone("admin", OUTSIDE)
    for _ in range(5):
        where = open_login(thief.client, "/")
        submit(thief.client, where, username=hr.names["admin"], password="sai hết cả rồi nhé")
    assert there.type(page, there.code()).status_code == 303


def test_an_officer_who_ends_a_lock_ends_that_of_codes(someone: Any, clock: Any, hr: Hr) -> None:
    from idp.factors import throttle

    person = someone()
    person.whole()
    clock.advance(minutes=10)
    there = person.again()
    page = there.password()
    for _ in range(5):
        there.type(page, person.app.wrong(clock()))
    with hr.services.db.write() as session:
        assert throttle.locked_until(session, person.id, now=clock()) is not None
        assert throttle.unlock(session, person.id, now=clock(), actor=hr_world.OPERATOR)
        assert throttle.locked_until(session, person.id, now=clock()) is None
    assert there.type(page, there.code()).status_code == 303


# ---- codes on paper --------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_code_on_paper_is_good_once(someone: Any, clock: Any, hr: Hr) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=1)
    for n, code in enumerate([person.codes[3], person.codes[3].replace(" ", "-")]):
        there = person.again()
        page = there.password()
        page = there.client.get(f"{page.request.path}?way=recovery_code")
        answer = there.type(page, code)
        assert answer.status_code == (303 if n == 0 else 422)
    assert "Mã này đã dùng rồi" in answer.text
    with hr.services.db.read() as session:
        used = list(session.scalars(select(RecoveryCode).where(RecoveryCode.used_at.is_not(None))))
    assert len(used) == 1


def test_a_code_on_paper_proves_as_much_as_the_app(someone: Any, clock: Any) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=1)
    there = person.again()
    page = there.password()
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    there.client.get(there.type(page, person.codes[0]).headers["Location"])
    assert there.session().acr == AAL2
    assert trail(person.hr, "session.start")[-1]["factors"] == ["password", "recovery_code"]


def test_a_typing_error_is_told_and_not_counted(someone: Any) -> None:
    person = someone()
    person.whole()
    there = person.again()
    page = there.password()
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    code = person.codes[0]
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    for _ in range(8):
        answer = there.type(page, wrong)
        assert "gõ nhầm" in answer.text
    assert trail(person.hr, "login.fail") == []
    assert there.type(answer, code).status_code == 303


def test_of_ten_used_codes_none_is_left_and_it_is_not_offered(someone: Any, clock: Any) -> None:
    person = someone()
    person.whole()
    for code in person.codes:
        there = person.again()
        page = there.password()
        page = there.client.get(f"{page.request.path}?way=recovery_code")
        assert there.type(page, code).status_code == 303
    assert "way=recovery_code" not in person.again().password().text


# ---- whose it is -----------------------------------------------------------------------------


@pytest.mark.both_databases
def test_another_persons_code_is_wrong(someone: Any, clock: Any) -> None:
    mine, hers = someone("admin"), someone("officer")
    mine.whole()
    hers.whole()
    clock.advance(minutes=1)
    while hers.code() in mine.app.near(clock()):  # by chance it is hers, too
        clock.advance(seconds=30)
    there = mine.again()
    page = there.password()
    assert there.type(page, hers.code()).status_code == 422
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    assert there.type(page, hers.codes[0]).status_code == 422


def test_choosing_another_way_reload_and_back_prove_nothing(someone: Any, clock: Any) -> None:
    """CVE-2026-18963."""
    person = someone()
    person.whole()
    clock.advance(minutes=1)
    there = person.again()
    page = there.password()
    for query in ("?way=recovery_code", "", "?way=totp", "?way=password", "?step=capacity"):
        answer = there.client.get(page.request.path + query)
        assert answer.status_code == 200
        assert 'name="code"' in answer.text
    for step in ("capacity", "enrol", "done", "password", ""):
        submit(there.client, page, step=step)
    posted = there.client.post(f"{page.request.path}/enrol", data={"code": "000000"})
    assert posted.status_code in (303, 400)
    assert there.session().id == person.session().id


def test_a_cut_in_the_midst_of_it_makes_both_proofs_void(someone: Any, clock: Any, hr: Hr) -> None:
    person = someone()
    person.whole()
    clock.advance(minutes=1)
    there = person.again()
    page = there.password()
    with hr.services.db.write() as session:
        session.get_one(User, person.id).access_epoch += 1
    there.type(page, there.code())
    assert 'name="password"' in there.client.get(page.request.path).text


def test_the_settings_default_asks_administrators_and_whoever_is_not_listed() -> None:
    from directory.base.config import Settings

    made = Settings()
    assert (made.second_factor, made.inside_networks) == ("outside", [])


@pytest.mark.parametrize(
    ("rule", "missing"), [("everybody", 0), ("outside", 0), ("administrators", 1), ("nobody", 2)]
)
def test_check_says_what_level_3_misses(operator: Operator, rule: str, missing: int) -> None:
    said = operator("check", second_factor=rule).said
    found = [line for line in said.splitlines() if "second factor" in line or "Two factors" in line]
    assert len(found) == missing, said
