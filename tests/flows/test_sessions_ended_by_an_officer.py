"""``sessions.end``: an officer signs somebody out everywhere, from her page, by the API and at the
command line: previewed, audited, within the officer's own subtree.
"""

from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from directory.base.audit import AuditEntry, Tag
from directory.base.outbox import Job, JobKind
from directory.permissions import Role
from idp.commands import changes as commands
from idp.run import wiring
from tests import hr_world
from tests.hr_world import Hr, text_of
from tests.relying_party import Flow, World

KIND = "sessions.end"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def signed_in(browser: Any) -> bool:
    return bool(browser.get("/portal/profile").status_code == 200)


@pytest.mark.both_databases
def test_the_console_signs_somebody_out_everywhere(hr: Hr) -> None:
    world = World(hr.services, hr.clock, hr.people["lan"], hr.posts["lan"], 0, 0)
    party = world.register(backchannel_logout_uri="http://localhost:9001/out")
    here, there, other = hr.browser("lan"), hr.app.test_client(), hr.browser("mai")
    world.sign_in(there)
    held = Flow(there, party).tokens()
    officer = hr.browser("officer")
    person = officer.get(f"/console/people/{hr.people['lan']}")
    assert f"/console/people/{hr.people['lan']}/{KIND}" in person.text
    page = hr.preview(officer, "lan", KIND)
    assert page.status_code == 200
    assert "Phiên đăng nhập" in text_of(page.text)
    assert signed_in(here)
    done = hr.confirm(officer, page)
    assert done.status_code == 303
    assert not signed_in(here)
    assert not signed_in(there)
    assert signed_in(other)
    assert Flow(there, party).userinfo(held["access_token"]).status_code == 401
    told = [job for job in world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER.value]
    assert len(told) == 1
    entries = [one for one in world.all(AuditEntry) if one.tag == Tag.CHANGE_COMMIT.value]
    assert [(one.actor_kind, one.actor_id) for one in entries] == [("user", hr.people["officer"])]
    ended = [one for one in world.all(AuditEntry) if one.tag == Tag.SESSION_END.value]
    assert {one.subject_id for one in ended} == {str(hr.people["lan"])}
    proof = officer.get(done.location)
    assert "Kết thúc các phiên đăng nhập: Lê Thị Lan" in text_of(proof.text)
    assert f"{done.location}/undo" not in proof.text
    # She has lost nothing else: password and posts are what they were.
    assert signed_in(hr.browser("lan"))


def test_pressing_twice_and_previewing_again_ends_no_later_session(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", KIND)
    first = hr.confirm(officer, page)
    again = hr.browser("lan")
    assert hr.confirm(officer, page).location == first.location
    assert signed_in(again)


@pytest.mark.parametrize(
    ("who", "whom", "status"),
    [
        ("officer_b", "lan", 403),  # another subtree
        ("officer_a", "mai", 403),
        ("auditor", "lan", 403),  # sees, does not act
        ("officer_a", "lan", 200),
    ],
)
def test_only_whoever_is_over_her(hr: Hr, who: str, whom: str, status: int) -> None:
    browser = hr.browser(whom)
    assert hr.preview(hr.browser(who), whom, KIND).status_code in (
        (status,) if status == 200 else (403, 404)
    )
    assert signed_in(browser)


def test_of_whoever_has_wider_rights_a_second_person_decides(hr: Hr) -> None:
    hr.grant("lan", Role.ADMINISTRATOR)
    lan = hr.browser("lan")
    page = hr.preview(hr.browser("officer"), "lan", KIND)
    assert "vai trò rộng hơn quyền của bạn" in text_of(page.text)
    assert 'id="confirm"' not in page.text
    assert signed_in(lan)


def test_the_api_and_the_command_line_do_it_too(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = hr.browser("lan")
    api = hr.api(hr.token(unit="b"))
    refused = api.post("/api/v1/changes/preview", {"kind": KIND, "user": hr.names["lan"]})
    assert refused.status_code in (403, 404, 422)
    answer = hr.api(hr.token(unit="a")).commit(kind=KIND, user=hr.names["lan"])
    assert answer.status_code == 201
    assert not signed_in(browser)
    browser = hr.browser("lan")
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    said = CliRunner().invoke(commands.change, [KIND, hr.names["lan"], "--yes"])
    assert said.exit_code == 0, said.output
    assert not signed_in(browser)


def test_nobody_is_signed_in_and_it_is_no_fault(hr: Hr) -> None:
    answer = hr.api(hr.token()).commit(kind=KIND, user=hr.names["lan"])
    assert answer.status_code == 201
    with hr.services.db.read() as session:
        ended = select(AuditEntry.id).where(AuditEntry.tag == Tag.SESSION_END.value)
        assert session.scalar(ended) is None
