"""Printed slips and links: good for the person as she stood when they were made, and no longer.

Whoever holds a slip becomes its person. So it is void as soon as her access was cut, her standing,
her roles or her password are others, or whoever issued it could not issue it any more.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.errors import Conflict
from directory.permissions import Role
from tests import hr_world
from tests.browser_client import Page, hidden_fields, sign_in, submit
from tests.factories import make_assignment, make_position, make_unit, make_user
from tests.hr_world import PASSWORD, Hr
from tests.paper_slips import link_on, opened

NEW = "con trâu đội nón lá"
LINK = re.compile(r"/activate/\d{16}")


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def sql(hr: Hr, statement: str, **values: Any) -> None:
    with hr.services.db.write() as session:
        session.execute(text(statement), values)


def slip(hr: Hr, issuer: str, who: str) -> str:
    """The address on a slip that the issuer has the console print for somebody."""
    hr.agree(issuer, who)
    browser = hr.browser(issuer)
    page = browser.get(f"/console/people/{hr.people[who]}")
    answer = browser.post(
        f"/console/people/{hr.people[who]}/activation",
        data=hidden_fields(page.text) | {"password": PASSWORD},
        follow_redirects=True,
    )
    return link_on(answer.text)


def used(hr: Hr, link: str) -> bool:
    """Whether the slip still sets a password."""
    browser = hr.app.test_client()
    page = opened(browser, link)
    if page.status_code != 200:
        assert page.status_code == 422
        return False
    answer = submit(browser, page, password=NEW, again=NEW)
    return answer.status_code == 303 and answer.headers["Location"].startswith("/login/")


def signs_in(hr: Hr, who: str, password: str) -> bool:
    try:
        sign_in(hr.app.test_client(), hr.names[who], password)
    except Page:
        return False
    return True


def commit(hr: Hr, kind: str, who: str = "lan", **more: Any) -> str:
    """The id of a change that HR's own system commits."""
    answer = hr.api(hr.token(Role.ADMINISTRATOR, None)).commit(
        kind=kind, user=hr.names[who], **more
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def undo(hr: Hr, change: str) -> None:
    api = hr.api(hr.token(Role.ADMINISTRATOR, None))
    plan = api.post(f"/api/v1/changes/{change}/undo/preview")
    assert plan.status_code == 200, plan.text
    answer = api.post(
        f"/api/v1/changes/{change}/undo", {"fingerprint": plan.json["fingerprint"]}, key=change
    )
    assert answer.status_code == 201, answer.text


def nothing(_hr: Hr) -> None:
    pass


def transfer(hr: Hr) -> None:
    commit(hr, "transfer", to_unit=hr.units["b"])


def transfer_within(hr: Hr) -> None:
    commit(hr, "transfer", to_unit=hr.units["room2"])


def suspend(hr: Hr) -> None:
    commit(hr, "suspend")


def suspend_and_resume(hr: Hr) -> None:
    commit(hr, "suspend")
    commit(hr, "resume")


def leave(hr: Hr) -> None:
    commit(hr, "leave", reason="resign")


def leave_on_a_day_that_has_come(hr: Hr) -> None:
    commit(hr, "leave", reason="resign", effective_on="2026-03-05")
    hr.clock.advance(days=3)


def move_on_a_day_that_has_come(hr: Hr) -> None:
    commit(hr, "transfer", to_unit=hr.units["room2"], effective_on="2026-03-05")
    hr.clock.advance(days=3)


def role(hr: Hr) -> None:
    hr.grant("lan", Role.ADMINISTRATOR)


def role_given_and_taken(hr: Hr) -> None:
    hr.grant("lan", Role.AUDITOR)
    sql(hr, "UPDATE admin_role SET valid_to = valid_from WHERE user_id = :u", u=hr.people["lan"])


def own_password(hr: Hr) -> None:
    browser = hr.browser("lan")
    fields = {"current": PASSWORD, "password": NEW + " đỏ", "again": NEW + " đỏ"}
    answer = submit(browser, browser.get("/portal/profile"), "/portal/profile/password", **fields)
    assert answer.status_code == 303


def newer_slip(hr: Hr) -> None:
    slip(hr, "officer_a", "lan")


def issuer_without_role(hr: Hr) -> None:
    sql(
        hr,
        "UPDATE admin_role SET valid_to = '2026-03-02' WHERE user_id = :u",
        u=hr.people["officer_a"],
    )


def issuer_elsewhere(hr: Hr) -> None:
    sql(
        hr,
        "UPDATE admin_role SET unit_id = :b WHERE user_id = :u",
        u=hr.people["officer_a"],
        b=hr.units["b"],
    )


def issuer_suspended(hr: Hr) -> None:
    commit(hr, "suspend", "officer_a")


def issuer_gone(hr: Hr) -> None:
    commit(hr, "leave", "officer_a", reason="resign", effective_on="2026-03-04")
    hr.clock.advance(days=2)


def restored(hr: Hr) -> None:
    sql(hr, "UPDATE installation SET epoch = epoch + 1")


EVENTS = (
    transfer,
    transfer_within,
    suspend,
    suspend_and_resume,
    leave,
    leave_on_a_day_that_has_come,
    move_on_a_day_that_has_come,
    role,
    role_given_and_taken,
    own_password,
    newer_slip,
    issuer_without_role,
    issuer_elsewhere,
    issuer_suspended,
    issuer_gone,
    restored,
)


@pytest.mark.both_databases
@pytest.mark.parametrize("event", [e for e in EVENTS if e is not newer_slip])
def test_a_slip_is_void_after(hr: Hr, event: Callable[[Hr], None]) -> None:
    link = slip(hr, "officer_a", "lan")
    event(hr)
    assert not used(hr, link)
    assert not signs_in(hr, "lan", NEW)


def test_a_slip_is_void_after_a_newer_one(hr: Hr) -> None:
    link = slip(hr, "officer_a", "lan")
    newer_slip(hr)
    assert not used(hr, link)


@pytest.mark.both_databases
def test_a_slip_is_void_after_the_undo_of_what_came_before_it(hr: Hr) -> None:
    change = commit(hr, "transfer", to_unit=hr.units["room2"])
    link = slip(hr, "officer_a", "lan")
    undo(hr, change)
    assert not used(hr, link)


@pytest.mark.both_databases
def test_a_slip_works_while_nothing_has_happened(hr: Hr) -> None:
    link = slip(hr, "officer_a", "lan")
    hr.browser("lan")  # signing in, or a change about somebody else, is nothing to it
    commit(hr, "suspend", "hien")
    hr.clock.advance(days=2)
    assert used(hr, link)
    assert signs_in(hr, "lan", NEW)
    assert not used(hr, link)


def test_while_she_is_suspended_none_is_made(hr: Hr, operators_slip: Callable[[str], str]) -> None:
    commit(hr, "suspend")
    with pytest.raises(Conflict):
        operators_slip("lan")
    commit(hr, "resume")
    assert used(hr, operators_slip("lan"))


def test_a_slip_handed_out_before_the_first_day_works_from_that_day_on(hr: Hr) -> None:
    first = date(2026, 3, 5)
    with hr.services.db.write() as session:
        user = make_user(session, "Lê Thị Xuân")
        room = make_unit(session, "Phòng Nội vụ", legal_person=False)
        room.path = f"/{hr.units['root']}/{hr.units['a']}/{room.id}/"
        make_assignment(session, user, room, make_position(session), valid_from=first)
        hr.people["xuan"], hr.names["xuan"] = user.id, user.username
    link = slip(hr, "officer_a", "xuan")
    assert not used(hr, link)
    hr.clock.advance(days=3)
    assert used(hr, link)
    assert signs_in(hr, "xuan", NEW)


@pytest.mark.both_databases
def test_a_preview_counts_open_slips_and_the_proof_shows_them_ended(hr: Hr) -> None:
    slip(hr, "officer_a", "lan")
    api = hr.api(hr.token())
    body = {"kind": "transfer", "user": hr.names["lan"], "to_unit": hr.units["b"]}
    foreseen = api.plan(**body)["effects"]
    assert [e["count"] for e in foreseen if e["kind"] == "slip.void"] == [1]
    done = api.commit(**body)
    effects = api.get(f"/api/v1/changes/{done.json['id']}").json["effects"]
    assert [e["state"] for e in effects if e["kind"] == "slip.void"] == ["acknowledged"]


TOLD = {
    transfer: "công tác, vai trò hoặc quyền cấp phiếu đã thay đổi",
    suspend_and_resume: "công tác, vai trò hoặc quyền cấp phiếu đã thay đổi",
    role: "công tác, vai trò hoặc quyền cấp phiếu đã thay đổi",
    own_password: "mật khẩu đã được đặt lại sau khi in phiếu",
    newer_slip: "đã có phiếu mới hơn thay",
    issuer_without_role: "công tác, vai trò hoặc quyền cấp phiếu đã thay đổi",
}


@pytest.mark.parametrize("event", list(TOLD))
def test_whoever_has_its_code_is_told_what_became_of_it(
    hr: Hr, event: Callable[[Hr], None]
) -> None:
    link = slip(hr, "officer_a", "lan")
    event(hr)
    said = opened(hr.app.test_client(), link).text
    assert TOLD[event] in said
    assert "Lê Thị Lan" not in said


def test_a_used_slip_and_one_out_of_date_say_so(hr: Hr) -> None:
    link = slip(hr, "officer_a", "lan")
    assert used(hr, link)
    assert "đã dùng rồi" in opened(hr.app.test_client(), link).text
    late = slip(hr, "officer_a", "hien")
    hr.clock.advance(seconds=hr.services.settings.activation_lifetime)
    assert "đã hết hạn" in opened(hr.app.test_client(), late).text


@pytest.mark.parametrize("event", [suspend, role, own_password, transfer, restored])
def test_the_operators_slips_are_void_alike(
    hr: Hr, event: Callable[[Hr], None], operators_slip: Callable[[str], str]
) -> None:
    link = operators_slip("lan")
    event(hr)
    assert not used(hr, link)


def test_an_operators_slip_works(hr: Hr, operators_slip: Callable[[str], str]) -> None:
    assert used(hr, operators_slip("lan"))


@pytest.fixture
def operators_slip(hr: Hr, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[[str], str]:
    """The address that ``dinhdanh user slip`` prints, at the test's own time."""
    from click.testing import CliRunner

    from idp.commands.main import cli
    from idp.run import wiring

    monkeypatch.setenv("DINHDANH_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("DINHDANH_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DINHDANH_KEYRING_FILE", str(settings.keyring_file))
    build = wiring.build

    def at_the_tests_time(found: Any) -> Any:
        return build(found, clock=hr.clock)

    monkeypatch.setattr("idp.run.wiring.build", at_the_tests_time)

    def issue(who: str) -> str:
        answer = CliRunner().invoke(cli, ["user", "slip", hr.names[who]], catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        found = LINK.search(answer.output)
        assert found, answer.output
        return found[0]

    return issue


def test_two_who_use_one_slip_at_once_set_one_password(hr: Hr) -> None:
    link = slip(hr, "officer_a", "lan")
    browser, other = hr.app.test_client(), hr.app.test_client()
    mine, hers = opened(browser, link), opened(other, link)
    assert submit(browser, mine, password=NEW, again=NEW).status_code == 303
    assert submit(other, hers, password=NEW + " đỏ", again=NEW + " đỏ").status_code == 422
    hr.clock.advance(seconds=1)
    assert signs_in(hr, "lan", NEW)


def test_the_command_line_s_roles_void_a_slip_and_the_trail_says_why(
    hr: Hr, operators_slip: Callable[[str], str]
) -> None:
    from click.testing import CliRunner

    from idp.commands.main import cli

    def role_command(*arguments: str) -> str:
        answer = CliRunner().invoke(cli, ["role", *arguments])
        assert answer.exit_code == 0, answer.output
        return answer.output.strip()

    link = operators_slip("lan")
    said = role_command("grant", "auditor", "--user", hr.names["lan"])
    number = said.rpartition(" end ")[2].rstrip(").")
    assert not used(hr, link)
    link = operators_slip("lan")
    role_command("end", number)
    assert not used(hr, link)
    with hr.services.db.read() as session:
        found = session.scalars(
            text("SELECT data FROM audit_entry WHERE tag = 'activation.void' ORDER BY id")
        ).all()
    assert ["role" in str(data) for data in found] == [True, True]
