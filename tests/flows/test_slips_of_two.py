"""A slip that one alone may not print: for whoever has signed in before, and for holders of wider rights.

HR could otherwise become anyone she prints a slip for. Nothing printable is there before a second
person has agreed, and what is agreed upon is good for one slip, for her who asked, for a day, while
everybody stands as she stood.
"""

import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Tag, record
from directory.permissions import Role
from idp import approving
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import OPERATOR, PASSWORD, Hr, text_of
from tests.paper_slips import CODE, chosen, link_on

NEW = "con trâu đội nón lá"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def press(hr: Hr, officer: str, act: str, who: str = "lan") -> Any:
    """A button on somebody's page; the page that follows."""
    browser = hr.browser(officer)
    page = f"/console/people/{hr.people[who]}"
    data = hidden_fields(browser.get(page).text) | {"password": PASSWORD}
    return browser.post(f"{page}/{act}", data=data, follow_redirects=True)


def ask(hr: Hr, officer: str = "officer_a", who: str = "lan") -> str:
    """The address of a new proposal."""
    page = press(hr, officer, "activation/propose", who)
    assert page.request.path.startswith("/console/proposals/"), text_of(page.text)
    return str(page.request.path)


def decide(hr: Hr, officer: str, where: str, decision: str = "approve", **more: str) -> Any:
    browser = hr.browser(officer)
    page = browser.get(where)
    fingerprint = re.findall(r'name="fingerprint" value="([^"]+)"', page.text)
    data = hidden_fields(page.text) | {"decision": decision, "password": PASSWORD} | more
    if fingerprint:
        data["fingerprint"] = fingerprint[0]
    return browser.post(where, data=data, follow_redirects=True)


def agreed(hr: Hr, asks: str = "officer_a", approves: str = "officer", who: str = "lan") -> str:
    where = ask(hr, asks, who)
    page = decide(hr, approves, where)
    assert "Đã phê duyệt" in page.text, text_of(page.text)
    return where


def hers(hr: Hr, officer: str = "officer_a", who: str = "lan") -> str:
    """What the officer reads on somebody's page."""
    return text_of(hr.browser(officer).get(f"/console/people/{hr.people[who]}").text)


def count(hr: Hr, what: str = "activation") -> int:
    with hr.services.db.read() as session:
        return int(session.scalar(text(f"SELECT count(*) FROM {what}")) or 0)


def someone(hr: Hr) -> Any:
    browser = hr.app.test_client()
    browser.environ_base |= {"REMOTE_ADDR": "203.0.113.7"}
    return browser


# ---- the first one -------------------------------------------------------------------------------


def test_the_first_slip_of_an_ordinary_person_is_one_step(hr: Hr) -> None:
    hr.unactivated("lan")
    page = press(hr, "officer_a", "activation")
    assert CODE.search(page.text)
    assert chosen(someone(hr), link_on(page.text), NEW).status_code == 303


def test_whoever_has_a_password_is_given_none_in_one_step(hr: Hr) -> None:
    page = press(hr, "officer_a", "activation")
    assert page.status_code == 403
    assert "cần người thứ hai phê duyệt" in text_of(page.text)
    assert "Đã từng kích hoạt" in hers(hr)
    assert "Cấp phiếu kích hoạt" not in hers(hr)
    assert count(hr) == 0


@pytest.mark.both_databases
@pytest.mark.parametrize("trace", ["slip", "app", "link", "reset", "password", "unlinked"])
def test_whoever_ever_had_a_way_to_sign_in_is_not_new_again(hr: Hr, trace: str, clock: Any) -> None:
    """Else a reset today and a slip tomorrow would be one person's way into another's account."""
    hr.unactivated("lan")
    with hr.services.db.write() as session:
        if trace == "slip":
            session.execute(
                text(
                    "INSERT INTO activation (digest, user_id, issued_at, issued_by, expires_at, used_at)"
                    " VALUES ('x', :u, :t, 'test', :t, :t)"
                ),
                {"u": hr.people["lan"], "t": "2026-01-01 00:00:00"},
            )
        elif trace == "link":
            hr.linked("lan", session)
        elif trace in ("password", "unlinked"):
            tag = {"password": Tag.PASSWORD_SET, "unlinked": Tag.EID_LINK}[trace]
            record(session, tag, at=clock(), actor=OPERATOR, subject=("user", hr.people["lan"]))
        else:
            session.execute(
                text(
                    "INSERT INTO enrolled_factor (user_id, kind, name, origin, created_at, ended_at,"
                    " ended_as) VALUES (:u, 'totp', 'x', 'x', :t, :e, :w)"
                ),
                {
                    "u": hr.people["lan"],
                    "t": "2026-01-01 00:00:00",
                    "e": "2026-01-02 00:00:00" if trace == "reset" else None,
                    "w": "reset" if trace == "reset" else None,
                },
            )
    assert not CODE.search(press(hr, "officer_a", "activation").text)
    assert "Đề nghị cấp phiếu" in hers(hr)


# ---- two -----------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_one_asks_another_approves_and_who_asked_prints_once(hr: Hr) -> None:
    where = ask(hr)
    assert count(hr) == 0
    assert "đang chờ người thứ hai" in hers(hr)
    page = decide(hr, "officer", where)
    assert not CODE.search(page.text)
    assert count(hr) == 0  # nothing printable comes of an approval
    page = hr.browser("officer_a").get(where)
    assert f'href="/console/people/{hr.people["lan"]}#slip"' in page.text
    assert "Bạn in được một lần, chậm nhất lúc 03/03/2026" in hers(hr)
    assert not CODE.search(press(hr, "officer", "activation").text)  # it is not the approver's
    page = press(hr, "officer_a", "activation")
    link = link_on(page.text)
    assert not CODE.search(press(hr, "officer_a", "activation").text)
    assert count(hr) == 1
    assert chosen(someone(hr), link, NEW).status_code == 303


@pytest.mark.both_databases
def test_both_are_named_in_the_trail_and_with_the_slip(hr: Hr) -> None:
    agreed(hr)
    press(hr, "officer_a", "activation")
    with hr.services.db.read() as session:
        row = session.execute(
            text("SELECT issuer_id, approver_kind, approver_id, change_id FROM activation")
        ).one()
        assert row[:3] == (hr.people["officer_a"], "user", hr.people["officer"])
        told = dict(
            session.execute(
                text("SELECT tag, actor_id FROM audit_entry WHERE change_id = :c"), {"c": row[3]}
            ).all()
        )
    assert told["activation.issue"] == hr.people["officer_a"]
    assert told["change.approve"] == hr.people["officer"]


@pytest.mark.parametrize("who", ["officer_a", "lan", "officer_b", "auditor", "plain"])
def test_who_is_no_second_person(hr: Hr, who: str) -> None:
    """Neither who asked nor whom it is for, nor who has less."""
    if who == "lan":  # she could agree to anybody else's
        hr.grant("lan", Role.HR_OFFICER)
    where = ask(hr)
    decide(hr, who, where)
    assert count(hr, "change") == 0


def test_for_wider_rights_the_approvers_are_as_wide(hr: Hr) -> None:
    """A clerk of the commune is an auditor of everything: another officer is not enough."""
    hr.unactivated("lan")
    hr.grant("lan", Role.AUDITOR)
    assert "Giữ hoặc sắp giữ vai trò" in hers(hr)
    where = ask(hr)
    decide(hr, "officer", where)
    assert count(hr, "change") == 0
    decide(hr, "admin", where)
    assert count(hr, "change") == 1
    assert CODE.search(press(hr, "officer_a", "activation").text)


@pytest.mark.both_databases
@pytest.mark.parametrize("meanwhile", ["subject", "proposer", "day"])
def test_it_lapses_when_anybody_has_moved_or_a_day_is_over(
    hr: Hr, clock: Any, meanwhile: str
) -> None:
    where = ask(hr)
    if meanwhile == "day":
        clock.advance(hours=24, seconds=1)
    else:
        moved = {"subject": "lan", "proposer": "officer_a"}[meanwhile]
        with hr.services.db.write() as session:
            session.execute(
                text("UPDATE users SET access_epoch = access_epoch + 1 WHERE id = :u"),
                {"u": hr.people[moved]},
            )
    decide(hr, "officer", where)
    assert count(hr, "change") == 0


@pytest.mark.both_databases
@pytest.mark.parametrize("meanwhile", ["moved", "late", "password"])
def test_what_was_agreed_upon_is_good_while_she_stands_so_and_for_a_day(
    hr: Hr, clock: Any, meanwhile: str
) -> None:
    agreed(hr)
    if meanwhile == "late":
        clock.advance(hours=24, seconds=1)
    elif meanwhile == "moved":
        plan = hr.api(hr.token(Role.ADMINISTRATOR, None)).commit(
            kind="transfer", user=hr.names["lan"], to_unit=hr.units["room2"]
        )
        assert plan.status_code == 201
    else:
        with hr.services.db.write() as session:
            session.execute(
                text(
                    "UPDATE password_credential SET generation = generation + 1 WHERE user_id = :u"
                ),
                {"u": hr.people["lan"]},
            )
    assert not CODE.search(press(hr, "officer_a", "activation").text)
    assert count(hr) == 0


@pytest.mark.parametrize("who", ["officer_a", "officer"])
def test_a_slip_of_two_is_good_while_both_could_give_it(hr: Hr, who: str) -> None:
    agreed(hr)
    link = link_on(press(hr, "officer_a", "activation").text)
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE admin_role SET valid_to = '2026-01-01' WHERE user_id = :u"),
            {"u": hr.people[who]},
        )
    page = chosen(someone(hr), link, NEW)
    assert page.status_code == 422
    assert "quyền cấp phiếu đã thay đổi" in text_of(page.text)


def test_a_first_slip_is_void_once_she_signs_in_some_other_way(hr: Hr) -> None:
    hr.unactivated("lan")
    link = link_on(press(hr, "officer_a", "activation").text)
    with hr.services.db.write() as session:
        hr.linked("lan", session)
    assert chosen(someone(hr), link, NEW).status_code == 422


def test_declined_and_withdrawn_allow_nothing(hr: Hr) -> None:
    where = ask(hr)
    decide(hr, "officer", where, "decline", reason="Chưa gặp người này")
    assert not CODE.search(press(hr, "officer_a", "activation").text)
    where = ask(hr)
    decide(hr, "officer_a", where, "withdraw")
    assert not CODE.search(press(hr, "officer_a", "activation").text)


@pytest.mark.both_databases
def test_she_is_told_at_every_address_once_it_is_printed(hr: Hr) -> None:
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE users SET email = 'lan@thanhhoa.gov.vn' WHERE id = :u"),
            {"u": hr.people["lan"]},
        )
    agreed(hr)
    assert count(hr, "notice") == 0
    press(hr, "officer_a", "activation")
    with hr.services.db.read() as session:
        [(user_id, what, addresses)] = session.execute(
            text("SELECT user_id, what, addresses FROM notice")
        ).all()
    assert (user_id, what) == (hr.people["lan"], "slip.issued")
    assert "lan@thanhhoa.gov.vn" in str(addresses)
    assert "+84912345678" in str(addresses)


def test_no_program_asks_for_a_slip(hr: Hr) -> None:
    """Who asks has the person before her; and a program would be handed the paper."""
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    body = {"kind": "slip", "user": hr.names["lan"], "because": "recovery"}
    assert api.post("/api/v1/changes/preview", body).status_code == 422
    refused = api.post("/api/v1/proposals", body | {"fingerprint": "x"}, key="k")
    assert refused.status_code == 422
    assert count(hr, "proposal") == 0


# ---- the operator ------------------------------------------------------------------------------


def test_the_operator_is_the_second_person_where_there_is_no_other(hr: Hr) -> None:
    proposal_id = ask(hr, "admin").rpartition("/")[2]
    shown = approving.shown(hr.services, proposal_id, OPERATOR)
    assert shown.plan is not None
    approving.approve(hr.services, proposal_id, OPERATOR, fingerprint=shown.plan["fingerprint"])
    link = link_on(press(hr, "admin", "activation").text)
    assert chosen(someone(hr), link, NEW).status_code == 303
    with hr.services.db.read() as session:
        approver = session.execute(text("SELECT approver_kind FROM activation")).scalar_one()
    assert approver == "operator"


# ---- a loss --------------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_a_slip_that_two_have_agreed_upon_makes_a_loss_good(hr: Hr, clock: Any) -> None:
    """Whoever has reported a loss enrols nothing by her password alone, but by such a slip."""
    hr.services.settings.second_factor = "outside"
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO enrolled_factor (user_id, kind, name, origin, created_at, ended_at,"
                " ended_as) VALUES (:u, 'totp', 'x', 'x', :t, :t, 'lost')"
            ),
            {"u": hr.people["lan"], "t": "2026-01-01 00:00:00"},
        )
    hr.services.settings.second_factor = "nobody"
    agreed(hr)
    link = link_on(press(hr, "officer_a", "activation").text)
    hr.services.settings.second_factor = "everybody"
    browser = someone(hr)
    answer = chosen(browser, link, NEW)
    page = browser.get(answer.headers["Location"])
    assert "otpauth" in page.text
