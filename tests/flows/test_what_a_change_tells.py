"""What previews, proofs, proposals and the command line say of a change to whoever decides on it."""

import secrets
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from connectors.accounts import work_items
from directory.changes.model import Change
from idp.commands import applications as app_commands
from idp.commands import changes as commands
from idp.run import wiring
from idp.web import i18n
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import Hr, text_of

DECISION = {"number": "12/QĐ-UBND", "issued_on": "2026-03-01", "issuer": "UBND tỉnh"}
WRITTEN = {"number": "12/QĐ-UBND", "issued_on": "01/03/2026", "issuer": "UBND tỉnh"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


@pytest.fixture
def run(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line of this installation."""
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(app_commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)

    def run(*arguments: str, group: Any = commands.change, language: str = "vi") -> Result:
        i18n.use(language)
        done = CliRunner().invoke(group, arguments)
        i18n.use("vi")
        return done

    return run


# ---- who she is, before she is taken in ----------------------------------------------------------


def test_a_join_shows_what_was_said_of_her_and_her_number_masked(hr: Hr) -> None:
    browser = hr.browser("officer")
    form = hidden_fields(browser.get("/console/people/new").text)
    said = {
        "person.full_name": "Trịnh Thị Hạnh",
        "person.birth_date": "12/03/1990",
        "person.gender": "female",
        "person.citizen_number": "038190001234",
        "person.email": "hanh@thanhhoa.gov.vn",
        "person.phone": "0912345678",
        "position": "CV",
        "to_unit": str(hr.units["room"]),
        "step": "preview",
    }
    page = browser.post("/console/people/new", data=form | said, follow_redirects=True)
    read = text_of(page.text)
    for word in ("12/03/1990", "Nữ", "038*****1234", "hanh@thanhhoa.gov.vn", "0912345678"):
        assert word in read, word
    assert "038190001234" not in read
    agreed = hidden_fields(page.text) | {"decision": "allow", "password": hr_world.PASSWORD}
    proof = browser.post("/console/people/new", data=agreed, follow_redirects=True)
    assert "038*****1234" in text_of(proof.text)
    assert "038190001234" not in proof.text


# ---- why she leaves ------------------------------------------------------------------------------


def test_the_reason_to_leave_is_told_before_and_after(hr: Hr) -> None:
    browser = hr.browser("officer")
    page = hr.preview(browser, "lan", "leave", reason="end_of_contract")
    assert "Lý do Chấm dứt hợp đồng" in text_of(page.text)
    where = hr.confirm(browser, page).location
    assert "Lý do Chấm dứt hợp đồng" in text_of(browser.get(where).text)
    api = hr.api(hr.token())
    proof = api.get(f"/api/v1/changes/{where.rsplit('/', 1)[-1]}").json
    assert proof["asked"] == {"reason": "end_of_contract"}
    plan = api.plan(kind="leave", user=hr.names["hien"], reason="retire")
    assert {"field": "Lý do", "value": "Nghỉ hưu"} in plan["asked"]


# ---- what is taken back --------------------------------------------------------------------------


def test_an_undo_says_what_it_takes_back(hr: Hr) -> None:
    browser = hr.browser("officer")
    page = hr.preview(browser, "lan", "transfer", to_unit=hr.units["b"], **WRITTEN)
    where = hr.confirm(browser, page).location
    undo = browser.get(where + "/undo")
    assert "Xem trước: Hoàn tác · Điều động: Lê Thị Lan" in text_of(undo.text)
    undone = hr.confirm(browser, undo).location
    proof = text_of(browser.get(undone).text)
    assert "Hoàn tác · Điều động: Lê Thị Lan" in proof
    assert "Hoàn tác của Điều động: Lê Thị Lan Quyết định số 12/QĐ-UBND" in proof
    assert "Hoàn tác · Điều động: Lê Thị Lan" in text_of(browser.get("/console/changes").text)
    api = hr.api(hr.token())
    assert api.get(f"/api/v1/changes/{undone.rsplit('/', 1)[-1]}").json["title"] == (
        "Hoàn tác · Điều động: Lê Thị Lan"
    )


# ---- what two have decided -----------------------------------------------------------------------


def test_an_approved_proposal_keeps_its_decision(hr: Hr) -> None:
    hr.grant("admin", hr_world.Role.HR_OFFICER)
    api = hr.api(hr.token())
    body = {
        "kind": "number",
        "user": hr.names["lan"],
        "citizen_number": "038180005678",
        "decision": DECISION,
    }
    sent = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    row = api.post("/api/v1/proposals", sent, key=secrets.token_hex(8)).json
    admin = hr.browser("admin")
    where = f"/console/proposals/{row['id']}"
    told = f"Quyết định số {DECISION['number']} Ngày 01/03/2026 Cơ quan ban hành UBND tỉnh"
    page = admin.get(where)
    assert told in text_of(page.text)
    agreed = hidden_fields(page.text) | {"decision": "approve", "password": hr_world.PASSWORD}
    done = admin.post(where, data=agreed)
    assert told in text_of(admin.get(where).text)
    assert told in text_of(admin.get(done.location).text)
    assert api.get(f"/api/v1/proposals/{row['id']}").json["decision"] == DECISION
    change = done.location.rsplit("/", 1)[-1]
    assert api.get(f"/api/v1/changes/{change}").json["decision"] == DECISION
    with hr.services.db.read() as session:
        kept = session.get_one(Change, change)
        assert (kept.decision_number, kept.decision_issuer) == ("12/QĐ-UBND", "UBND tỉnh")


def test_whoever_approves_a_number_can_compare_it_with_the_papers(hr: Hr) -> None:
    new = "038180005678"
    hr.grant("admin", hr_world.Role.HR_OFFICER)
    hr.grant("owner", hr_world.Role.HR_OFFICER)
    proposer, admin, officer = (hr.browser(who) for who in ("officer", "admin", "officer_b"))
    where = f"/console/people/{hr.people['lan']}/number"
    fields = hidden_fields(proposer.get(where).text) | {"citizen_number": new, "step": "preview"}
    page = proposer.post(where, data=fields, follow_redirects=True)
    asked = {"decision": "propose", "password": hr_world.PASSWORD}
    left = proposer.post(where, data=hidden_fields(page.text) | asked).location
    assert left.startswith("/console/proposals/")
    assert new not in proposer.get(left).text  # she knows what she has typed
    assert "Đối chiếu với giấy tờ" in text_of(admin.get(left).text)
    assert new in admin.get(left).text
    assert officer.get(left).status_code == 404
    token = hr.own_token("admin", scopes=("changes:read", "changes:write"))
    shown = hr.api(token).get(left.replace("/console/", "/api/v1/"))
    assert shown.status_code == 200
    assert new not in shown.text  # an application that she uses is none of those
    agreed = hidden_fields(admin.get(left).text)
    agreed |= {"decision": "approve", "password": hr_world.PASSWORD}
    done = admin.post(left, data=agreed)
    assert done.status_code == 303
    assert new not in admin.get(left).text + admin.get(done.location).text


# ---- at the command line -------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "state"), [("vi", "Đã hoàn tất"), ("en", "Settled")])
def test_the_command_line_tells_states_in_the_language_spoken(
    hr: Hr, run: Any, language: str, state: str
) -> None:
    done = run("suspend", hr.names["lan"], "--yes", language=language)
    last = done.output.splitlines()[-1]
    assert "committed" not in last
    assert last.endswith(state)
    change = last.split()[0]
    shown = run("show", change, language=language).output
    assert state in shown
    assert "settled" not in shown


def test_a_name_is_called_the_same_wherever_it_is_asked_for(hr: Hr, run: Any) -> None:
    where = ("--to", "gso:14758", "--position", "CV", "--dry-run")
    for option in ("--full-name", "--name"):  # the second as it was called before
        done = run("join", option, "Tạ Thị Vân", *where)
        assert done.exit_code == 0, done.output
        assert "Tạ Thị Vân" in done.output
    listed = run("join", "--help").output
    assert "--full-name" in listed
    assert "--name" not in listed
    assert "--full-name" in run("rename", "--help").output


def test_work_by_hand_is_due_on_a_day_as_people_write_it(
    hr: Hr, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(*_: Any, **__: Any) -> list[Any]:
        from types import SimpleNamespace

        item = SimpleNamespace(
            id=3, due_at=hr.clock(), action="created", wanted={"username": "lanlt"}
        )
        return [SimpleNamespace(item=item, late=False, person="Lê Thị Lan", application="Kho")]

    monkeypatch.setattr(work_items, "listed", one)
    said = run("work", group=app_commands.app).output
    assert f"{i18n.day(hr.clock())}" in said
    assert "Tạo tài khoản" in said
