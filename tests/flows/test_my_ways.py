"""My ways to sign in: whatever is touched asks for as much as it gives, and a loss is no way down."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from connectors.eid import upstreams
from directory import eid_links, people
from directory.base.audit import Actor
from directory.eid_links import EidLink, Identity
from directory.people import User, citizen_columns
from idp.factors import second_factors
from idp.factors.enrolled import EnrolledFactor
from tests import hr_world
from tests.authenticator import Authenticator
from tests.browser_client import open_login, shown, submit
from tests.command_line import Operator, operator
from tests.hr_world import PASSWORD, Hr, text_of
from tests.someone import OUTSIDE, PAPER, Someone, trail

__all__ = ["operator"]
AAL1, AAL2 = "urn:vn:aal:1", "urn:vn:aal:2"
WAYS = "/portal/ways"


@pytest.fixture
def settings(make_settings: Any) -> Any:
    return make_settings(second_factor="outside", inside_networks=["10.0.0.0/8"])


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def lan(hr: Hr) -> Someone:
    """Signed in with her password, with nothing else."""
    lan = Someone(hr, "lan")
    lan.password()
    return lan


@pytest.fixture
def admin(hr: Hr, clock: Any) -> Someone:
    """Signed in with password and app, a minute after she has enrolled it."""
    admin = Someone(hr, "admin")
    admin.whole()
    clock.advance(minutes=1)
    return admin


def rows(hr: Hr, who: str) -> list[tuple[str, str | None]]:
    with hr.services.db.read() as session:
        mine = EnrolledFactor.user_id == hr.people[who]
        found = session.scalars(select(EnrolledFactor).where(mine).order_by(EnrolledFactor.id))
        return [(row.kind, row.ended_as) for row in found]


def way(hr: Hr, who: str, kind: str = "totp") -> int:
    with hr.services.db.read() as session:
        return int(
            session.scalars(
                select(EnrolledFactor.id)
                .where(
                    EnrolledFactor.user_id == hr.people[who],
                    EnrolledFactor.kind == kind,
                    EnrolledFactor.ended_at.is_(None),
                )
                .order_by(EnrolledFactor.id.desc())
            ).first()
            or 0
        )


# ---- what each page asks for -------------------------------------------------------------------

ACTS = {
    "rename": {"name": "Máy mới"},
    "remove": {},
}


@pytest.mark.both_databases
def test_the_first_app_asks_for_a_password_of_a_moment_ago(
    lan: Someone, hr: Hr, clock: Any
) -> None:
    clock.advance(seconds=hr.services.settings.sudo_window)
    answer = lan.client.get(f"{WAYS}/app")
    assert answer.status_code == 303
    assert "prompt=login" in answer.headers["Location"]
    page = lan.step_up(f"{WAYS}/app")
    lan.app = Authenticator.scan(page.text)
    assert Authenticator.scan(lan.client.get(f"{WAYS}/app").text) == lan.app
    wrong = lan.act(f"{WAYS}/app", f"{WAYS}/app", code=lan.app.wrong(clock()), name="Điện thoại")
    assert wrong.status_code == 422
    assert Authenticator.scan(wrong.text) == lan.app
    sheet = lan.act(f"{WAYS}/app", f"{WAYS}/app", code=lan.code(), name="Điện thoại")
    codes = PAPER.findall(shown(lan.client, sheet).text)
    assert len(set(codes)) == 10
    assert "Điện thoại" in lan.client.get(WAYS).text
    assert trail(hr, "factor.enrol") == [{"factors": ["totp"]}, {"factors": ["recovery_code"]}]


@pytest.mark.both_databases
@pytest.mark.parametrize("act", sorted(ACTS))
@pytest.mark.parametrize("had", ["password", "stale", "both"])
def test_a_way_is_touched_with_no_less_than_it_gives(
    admin: Someone, hr: Hr, clock: Any, act: str, had: str
) -> None:
    """CVE-2026-3429: a password session took the second factor away."""
    _second_app(admin)
    if had == "password":
        hr.services.settings.second_factor = "nobody"
        person = admin.again()
        person.password()
        assert person.session().acr == AAL1
    else:
        person = admin
        if had == "stale":
            clock.advance(seconds=hr.services.settings.sudo_window + 1)
    before = rows(hr, "admin")
    where = f"{WAYS}/{way(hr, 'admin')}/{act}"
    answer = person.act(where, **ACTS[act])
    assert answer.status_code == 303
    if had == "both":
        assert answer.headers["Location"] == WAYS
        return
    assert "/login?" in answer.headers["Location"]
    assert AAL2 in answer.headers["Location"].replace("%3A", ":")
    assert rows(hr, "admin") == before
    for path in ("app", "codes"):
        if path == "codes":
            answer = person.act(f"{WAYS}/codes")
        else:
            answer = person.client.get(f"{WAYS}/app")
        assert "/login?" in answer.headers["Location"]
    assert rows(hr, "admin") == before


def _second_app(person: Someone) -> Authenticator:
    page = person.client.get(f"{WAYS}/app")
    app = Authenticator.scan(page.text)
    assert app != person.app
    submit(person.client, page, f"{WAYS}/app", code=app.code(person.hr.clock()), name="Máy thứ hai")
    return app


def test_the_only_second_factor_stays_where_two_are_asked(admin: Someone, hr: Hr) -> None:
    admin.act(f"{WAYS}/{way(hr, 'admin')}/remove")
    assert "Hãy thêm cách khác trước" in admin.client.get(WAYS).text
    assert rows(hr, "admin") == [("totp", None), ("recovery_code", None)]


def test_with_the_last_app_goes_the_paper(lan: Someone, hr: Hr, clock: Any) -> None:
    lan.app = _second_app(lan)
    clock.advance(minutes=1)
    page = lan.step_up(f"{WAYS}/app")
    assert page.status_code == 200
    lan.act(f"{WAYS}/{way(hr, 'lan')}/remove")
    assert rows(hr, "lan") == [("totp", "removed"), ("recovery_code", "removed")]


@pytest.mark.both_databases
def test_new_codes_end_the_old_sheet(admin: Someone, hr: Hr) -> None:
    old = admin.codes
    page = shown(admin.client, admin.act(f"{WAYS}/codes"))
    new = PAPER.findall(page.text)
    assert len(set(new)) == 10
    assert not set(new) & set(old)
    # What is shown once survives a reload.
    assert PAPER.findall(admin.client.get(page.request.path).text) == new
    assert rows(hr, "admin")[1:] == [("recovery_code", "replaced"), ("recovery_code", None)]
    there = admin.again()
    page = there.password()
    page = there.client.get(f"{page.request.path}?way=recovery_code")
    assert there.type(page, old[0]).status_code == 422
    assert there.type(page, new[0]).status_code == 303


@pytest.mark.parametrize("act", ["codes", "rename", "remove"])
def test_nothing_is_done_for_a_session_that_is_cut_meanwhile(
    admin: Someone, hr: Hr, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """Her access is cut after the request has been let in and before it has its turn."""
    _second_app(admin)
    before = rows(hr, "admin")
    lock = people.lock

    def late(session: Any, ids: Any) -> Any:
        cut = update(User).where(User.id == hr.people["admin"])
        session.execute(cut.values(access_epoch=User.access_epoch + 1))
        return lock(session, ids)

    monkeypatch.setattr(people, "lock", late)
    where = f"{WAYS}/codes" if act == "codes" else f"{WAYS}/{way(hr, 'admin')}/{act}"
    assert admin.act(where, name="Máy lạ").status_code == 409
    monkeypatch.undo()
    assert rows(hr, "admin") == before
    assert "Máy lạ" not in admin.client.get(WAYS).text


def test_a_name_is_hers_to_give_and_is_bounded(admin: Someone, hr: Hr) -> None:
    where = f"{WAYS}/{way(hr, 'admin')}/rename"
    admin.act(where, name="  Điện   thoại <b>cơ quan</b> ")
    assert "Điện thoại &lt;b&gt;cơ quan&lt;/b&gt;" in admin.client.get(WAYS).text
    for bad in ("", " ", "x" * 61):
        admin.act(where, name=bad)
        assert "Tên dài từ 1 đến 60 ký tự" in admin.client.get(WAYS).text


@pytest.mark.parametrize("act", ["rename", "remove", "lost"])
def test_nobody_touches_what_is_somebody_elses(
    admin: Someone, hr: Hr, clock: Any, act: str
) -> None:
    other = Someone(hr, "officer")
    other.whole()
    hers = way(hr, "officer")
    clock.advance(minutes=1)
    admin.act(f"{WAYS}/{hers}/{act}", name="của tôi")
    assert ("totp", None) in rows(hr, "officer")
    assert trail(hr, "factor.rename") == []


# ---- a loss ------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_loss_is_cut_at_once_and_the_demand_stays(admin: Someone, hr: Hr, clock: Any) -> None:
    """A password session → report a loss → enrol: refused (LeanerCloud/CUDly#1915)."""
    elsewhere = admin.again()
    page = elsewhere.password()
    elsewhere.type(page, elsewhere.code())
    halfway = admin.again()
    halfway_page = halfway.password()
    for kind in ("totp", "recovery_code"):
        admin.act(f"{WAYS}/{way(hr, 'admin', kind)}/lost")
    assert rows(hr, "admin") == [("totp", "lost"), ("recovery_code", "lost")]
    # Every other session has ended, and whoever was halfway in is out.
    assert elsewhere.client.get(WAYS).status_code == 303
    clock.advance(minutes=1)
    halfway.type(halfway_page, halfway.code())
    assert halfway.client.get(halfway_page.request.path).status_code == 409
    assert halfway.client.get(WAYS).status_code == 303
    # This one goes on as one of the password alone, and can enrol nothing.
    assert admin.session().acr == AAL1
    told = text_of(admin.client.get(WAYS).text)
    assert "Bạn đã báo mất một cách đăng nhập" in told
    for answer in (admin.client.get(f"{WAYS}/app"), admin.act(f"{WAYS}/app", code="123456")):
        assert answer.status_code == 403
    for path in ("/portal/profile", "/", "/console/"):
        answer = admin.client.get(path)
        assert answer.status_code == 403
        assert "báo mất" in answer.text
    # Nor does a new sign-in lead to more: no enrolment is offered.
    anew = admin.again()
    end = anew.password()
    assert end.headers["Location"] == "/portal/profile"
    assert anew.client.get(f"{WAYS}/app").status_code == 403
    assert anew.session().acr == AAL1


@pytest.mark.both_databases
def test_another_of_her_factors_makes_a_loss_good(admin: Someone, hr: Hr, clock: Any) -> None:
    admin.act(f"{WAYS}/{way(hr, 'admin')}/lost")
    there = admin.again()
    page = there.password()
    assert "otpauth" not in page.text
    there.type(page, admin.codes[0])
    assert there.session().acr == AAL2
    page = there.client.get(f"{WAYS}/app")
    there.app = Authenticator.scan(page.text)
    submit(there.client, page, f"{WAYS}/app", code=there.code())
    assert rows(hr, "admin") == [
        ("totp", "made_good"),
        ("recovery_code", None),
        ("totp", None),
    ]


def test_a_loss_asks_for_any_session(admin: Someone, hr: Hr, clock: Any) -> None:
    clock.advance(seconds=hr.services.settings.sudo_window + 60)
    answer = admin.act(f"{WAYS}/{way(hr, 'admin')}/lost")
    assert answer.headers["Location"] == WAYS
    assert rows(hr, "admin")[0] == ("totp", "lost")


# ---- she is told -------------------------------------------------------------------------------


def test_she_is_told_of_everything_that_happens_to_it(admin: Someone, hr: Hr, clock: Any) -> None:
    thief = admin.again(OUTSIDE)
    thief.type(thief.password(), admin.app.wrong(clock()))
    told = text_of(admin.client.get(WAYS).text)
    assert "nhập đúng mật khẩu của bạn nhưng sai mã" in told
    assert OUTSIDE["REMOTE_ADDR"] in told
    assert "Thêm cách xác thực : Mã trong ứng dụng xác thực".replace(" :", ":") in told


# ---- officers ----------------------------------------------------------------------------------


def _officer(hr: Hr, who: str) -> Someone:
    officer = Someone(hr, who)
    officer.whole("/console/")
    return officer


def _reset(officer: Someone, who: str, what: str = "second-factor") -> Any:
    page = f"/console/people/{officer.hr.people[who]}"
    if what == "activation":
        officer.hr.agree(officer.who, who)
    answer = officer.act(f"{page}/{what}", page, password=PASSWORD)
    return shown(officer.client, answer), text_of(officer.client.get(page).text)


@pytest.fixture
def enrolled_lan(lan: Someone) -> Someone:
    _second_app(lan)
    return lan


@pytest.mark.both_databases
def test_an_officer_resets_what_she_has_lost_and_she_begins_anew(
    enrolled_lan: Someone, hr: Hr, clock: Any
) -> None:
    lan = enrolled_lan
    lan.act(f"{WAYS}/{way(hr, 'lan', 'recovery_code')}/lost")
    officer = _officer(hr, "officer")
    _, told = _reset(officer, "lan")
    assert "Đã đặt lại cách xác thực thứ hai" in told
    assert "hủy mật khẩu" in told
    assert rows(hr, "lan") == [("totp", "reset"), ("recovery_code", "reset")]
    assert lan.client.get(WAYS).status_code == 303  # her sessions have ended
    _signs_in_by_no_password(lan)
    ended = [entry for entry in trail(hr, "factor.end") if "password" in str(entry)]
    assert len(ended) == 1
    assert "reset" in str(ended)
    # Nor does the officer who has reset it give her the next one.
    page, told = _reset(officer, "lan", "activation")
    assert "Trong 24 giờ" in told
    page, _ = _reset(_officer(hr, "officer_a"), "lan", "activation")
    assert "/activate" in page.text


def _signs_in_by_no_password(who: Someone) -> None:
    """A stolen password enrols nothing."""
    client = who.again(OUTSIDE).client
    given = {"username": who.hr.names[who.who], "password": PASSWORD}
    answer = submit(client, open_login(client, "/portal/profile"), **given)
    assert answer.status_code != 303
    assert "otpauth://" not in answer.text


def test_who_has_lost_everything_is_reset_by_one_officer_and_given_a_slip_by_another(
    enrolled_lan: Someone, hr: Hr, clock: Any
) -> None:
    _loses_everything(enrolled_lan)
    officer = _officer(hr, "officer")
    page = officer.client.get(f"/console/people/{hr.people['lan']}").text
    assert "Đã báo mất, chưa thêm cách mới" in text_of(page)
    assert f"/console/people/{hr.people['lan']}/second-factor" in page
    _, told = _reset(officer, "lan")
    assert "chưa thêm cách mới" not in told
    assert rows(hr, "lan") == [("totp", "reset"), ("recovery_code", "reset")]
    assert f"/console/people/{hr.people['lan']}/second-factor" not in told
    _signs_in_by_no_password(enrolled_lan)
    _, told = _reset(officer, "lan", "activation")
    assert "Trong 24 giờ" in told


def _loses_everything(who: Someone) -> None:
    for kind in ("totp", "recovery_code"):
        who.act(f"{WAYS}/{way(who.hr, who.who, kind)}/lost")
    assert {why for _, why in rows(who.hr, who.who)} == {"lost"}


def _link(hr: Hr, who: str) -> None:
    """An upstream has vouched for her."""
    has, now, issuer = hr.services, hr.clock(), "https://dinhdanh.example"
    with has.db.write() as session:
        row = upstreams.made(
            has.keyring,
            name="vneid",
            title="VNeID",
            profile="standard",
            issuer=issuer,
            said={"client_id": "x", "assume": AAL2},
            secret="x",
            key=None,
            now=now,
        )
        upstreams.add(session, row, actor=hr_world.OPERATOR)
        number = citizen_columns(has.keyring, "038190001234")
        hers = update(User).where(User.id == hr.people[who])
        session.execute(hers.values(**number).execution_options(synchronize_session=False))
        whose = Identity("vneid", issuer, "s", str(number["citizen_hash"]), 2)
        eid_links.make(session, hr.people[who], whose, now=now, actor=Actor.system())


@pytest.mark.both_databases
def test_a_link_that_she_cannot_use_any_more_is_reset_like_the_rest(
    lan: Someone, hr: Hr, clock: Any
) -> None:
    """Else nothing that anybody does would let her enrol; and one officer alone becomes nobody."""
    _link(hr, "lan")
    officer = _officer(hr, "officer")
    _, told = _reset(officer, "lan")
    assert "Đã đặt lại cách xác thực thứ hai" in told
    with hr.services.db.read() as session:
        assert session.scalars(select(EidLink)).all() == []
        assert second_factors.of(session, hr.people["lan"]).may_begin()
    assert trail(hr, "eid.unlink")[-1]["why"] == "reset"
    _signs_in_by_no_password(lan)
    page, told = _reset(officer, "lan", "activation")
    assert "Trong 24 giờ" in told
    assert "/activate" not in page.text
    page, _ = _reset(_officer(hr, "officer_a"), "lan", "activation")
    assert "/activate" in page.text


def test_the_operator_resets_a_link_too(lan: Someone, hr: Hr, operator: Operator) -> None:
    _link(hr, "lan")
    assert operator("user", "reset", hr.names["lan"]).code == 0
    _signs_in_by_no_password(lan)
    assert operator("user", "reset", hr.names["lan"]).code == 0  # nothing is left to reset
    assert len(trail(hr, "eid.unlink")) == 1


@pytest.mark.both_databases
@pytest.mark.parametrize("first", ["activation", "second-factor"])
def test_one_officer_resets_the_password_or_the_rest_within_a_day(
    enrolled_lan: Someone, hr: Hr, clock: Any, first: str
) -> None:
    second = {"activation": "second-factor", "second-factor": "activation"}[first]
    officer = _officer(hr, "officer")
    _reset(officer, "lan", first)
    if first == "second-factor":
        assert ("totp", "reset") in rows(hr, "lan")
    _, told = _reset(officer, "lan", second)
    assert "Trong 24 giờ" in told
    if first == "activation":
        assert ("totp", None) in rows(hr, "lan")
    # Another officer may.
    other = _officer(hr, "officer_a")
    page, _ = _reset(other, "lan", second)
    if second == "activation":
        assert "/activate" in page.text
    else:
        assert ("totp", "reset") in rows(hr, "lan")


@pytest.mark.both_databases
def test_after_a_day_the_same_officer_may(enrolled_lan: Someone, hr: Hr, clock: Any) -> None:
    officer = _officer(hr, "officer")
    _reset(officer, "lan", "activation")
    clock.advance(hours=24, seconds=1)
    officer = officer.again()
    page = officer.password("/console/")
    officer.type(page, officer.code())
    _reset(officer, "lan")
    assert ("totp", "reset") in rows(hr, "lan")


def test_whoever_may_not_give_a_slip_resets_nothing(hr: Hr, lan: Someone, clock: Any) -> None:
    _second_app(lan)
    other = _officer(hr, "officer_b")
    page = f"/console/people/{hr.people['mai']}"
    answer = other.act(f"/console/people/{hr.people['lan']}/second-factor", page, password=PASSWORD)
    assert answer.status_code in (403, 404)
    assert ("totp", None) in rows(hr, "lan")


def test_the_operator_resets_it_for_whom_nobody_else_can(
    admin: Someone, hr: Hr, operator: Operator
) -> None:
    """The only administrator has lost her phone."""
    said = operator("user", "reset", hr.names["admin"])
    assert (said.code, said.err) == (0, ""), said.said
    assert rows(hr, "admin") == [("totp", "reset"), ("recovery_code", "reset")]
    assert admin.client.get(WAYS).status_code == 303
    assert f"dinhdanh user slip {hr.names['admin']}" in said.out
    _signs_in_by_no_password(admin)
    assert operator("user", "slip", hr.names["admin"], "--alone").code == 0
    assert operator("user", "reset", "nobody").code == 1


@pytest.mark.parametrize("first", ["slip", "reset"])
def test_nor_does_one_operator_do_both_within_a_day_unless_nobody_else_is_there(
    enrolled_lan: Someone,
    hr: Hr,
    operator: Operator,
    monkeypatch: pytest.MonkeyPatch,
    first: str,
) -> None:
    second, name = {"slip": "reset", "reset": "slip"}[first], hr.names["lan"]
    monkeypatch.setattr("getpass.getuser", lambda: "một")
    assert operator("user", first, name).code == 0
    refused = operator("user", second, name)
    assert refused.code == 1
    assert "24 hours" in refused.err
    assert operator("user", "admin", name).code == (1 if first == "reset" else 0)
    monkeypatch.setattr("getpass.getuser", lambda: "hai")
    assert operator("user", second, name).code == 0
    if first == "slip":
        assert operator("user", first, name).code == 1
    monkeypatch.setattr("getpass.getuser", lambda: "một")
    assert operator("user", second, name, "--alone").code == 0


# ---- the rest of her life ------------------------------------------------------------------------


def test_whoever_is_suspended_does_not_sign_in_with_it_and_has_it_when_she_is_back(
    enrolled_lan: Someone, hr: Hr, clock: Any
) -> None:
    api = hr.api(hr.token())
    assert api.commit(kind="suspend", user=hr.names["lan"]).status_code in (200, 201)
    assert enrolled_lan.again().password().status_code == 403
    assert rows(hr, "lan") == [("totp", None), ("recovery_code", None)]


def test_whoever_comes_back_after_she_has_left_begins_anew(
    enrolled_lan: Someone, hr: Hr, clock: Any
) -> None:
    """As her password is void: whoever kept her phone or her paper signs in with neither."""
    api = hr.api(hr.token())
    assert api.commit(kind="leave", user=hr.names["lan"], reason="resign").status_code in (200, 201)
    assert rows(hr, "lan") == [("totp", None), ("recovery_code", None)]
    clock.advance(days=2)
    api = hr.api(hr.token())
    back = {
        "kind": "rejoin",
        "user": hr.names["lan"],
        "to_unit": hr.units["room"],
        "position": "CV",
    }
    plan = api.plan(**back)
    assert "factor.void" in str(plan)
    assert api.commit(**back).status_code in (200, 201)
    assert [why.partition(":")[0] for _, why in rows(hr, "lan")] == ["change", "change"]


def test_whoever_had_reported_a_loss_before_she_left_begins_anew_as_well(
    enrolled_lan: Someone, hr: Hr, clock: Any
) -> None:
    _loses_everything(enrolled_lan)
    api = hr.api(hr.token())
    assert api.commit(kind="leave", user=hr.names["lan"], reason="resign").status_code in (200, 201)
    clock.advance(days=2)
    with hr.services.db.read() as session:
        assert not second_factors.of(session, hr.people["lan"]).may_begin()
    to = {"kind": "rejoin", "user": hr.names["lan"], "to_unit": hr.units["room"], "position": "CV"}
    api = hr.api(hr.token())
    assert "factor.void" in str(api.plan(**to))
    assert api.commit(**to).status_code in (200, 201)
    with hr.services.db.read() as session:
        assert second_factors.of(session, hr.people["lan"]).may_begin()


@pytest.mark.parametrize("away", ["suspend", "leave"])
def test_a_loss_outlasts_what_does_not_begin_her_anew(
    enrolled_lan: Someone, hr: Hr, clock: Any, away: str
) -> None:
    _loses_everything(enrolled_lan)
    more = {"reason": "resign"} if away == "leave" else {}
    api = hr.api(hr.token())
    assert api.commit(kind=away, user=hr.names["lan"], **more).status_code in (200, 201)
    with hr.services.db.read() as session:
        assert not second_factors.of(session, hr.people["lan"]).may_begin()


def test_the_page_is_there_for_everybody_signed_in(lan: Someone) -> None:
    page = lan.client.get(WAYS)
    assert page.status_code == 200
    assert "Bạn chỉ có mật khẩu" in page.text
