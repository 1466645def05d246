"""A transfer, by console, API and command line: one door, the same effects, the same refusals."""

import getpass
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, select

from directory.assignments import Assignment
from directory.base.clock import local_day
from directory.base.outbox import Job
from directory.changes import present
from directory.changes.effects import Effect
from directory.changes.model import Change, ChangeLine
from directory.changes.proof import proof
from directory.permissions import Role
from idp.commands import changes as commands
from idp.run import wiring
from tests import hr_world
from tests.browser_client import hidden_fields
from tests.hr_world import PASSWORD, Hr, text_of
from tests.paper_slips import link_on

DECISION = {"number": "123/QĐ-UBND", "issued_on": "2026-02-27", "issuer": "UBND tỉnh Thanh Hóa"}
FORM = {"number": "123/QĐ-UBND", "issued_on": "27/02/2026", "issuer": "UBND tỉnh Thanh Hóa"}


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def by_api(hr: Hr, who: str, **more: Any) -> str:
    answer = hr.api(hr.token()).commit(
        kind="transfer", user=hr.names[who], to_unit="gso:14797", decision=DECISION, **more
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def by_console(hr: Hr, who: str) -> str:
    browser = hr.browser("officer")
    page = hr.preview(browser, who, "transfer", to_unit=hr.units["b"], **FORM)
    assert page.status_code == 200, text_of(page.text)
    answer = hr.confirm(browser, page)
    assert answer.status_code == 303, text_of(answer.text)
    return answer.headers["Location"].rsplit("/", 1)[1]


def by_command(hr: Hr, who: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    done = CliRunner().invoke(
        commands.change,
        [
            "transfer",
            hr.names[who],
            "--to",
            "gso:14797",
            "--yes",
            "--number",
            FORM["number"],
            "--date",
            FORM["issued_on"],
            "--issuer",
            FORM["issuer"],
        ],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    return done.output.strip().splitlines()[-1].split()[0]


def what_happened(hr: Hr, change_id: str) -> dict[str, Any]:
    """A change without what differs between two of the same: ids, people, times."""
    with hr.services.db.read() as session:
        found = present.proof_as_dict(proof(session, change_id))
        jobs = session.execute(
            select(Job.kind, Job.lane.is_(None), Job.priority, func.count())
            .where(Job.id.in_(select(Effect.job_id).where(Effect.change_id == change_id)))
            .group_by(Job.kind, Job.lane.is_(None), Job.priority)
            .order_by(Job.kind)
        ).all()
    return {
        "kind": found["kind"],
        "state": found["state"],
        "decision": found["decision"],
        "effective_on": found["effective_on"],
        "lines": [
            (li["table"], li["action"], li["label"], (li["after"] or {}).get("valid_to"))
            for li in found["lines"]
        ],
        "effects": sorted(
            (e["artefact"], e["kind"], e["label"], e["state"], e["final"]) for e in found["effects"]
        ),
        "jobs": [tuple(row) for row in jobs],
    }


@pytest.mark.both_databases
def test_console_api_and_command_line_do_the_same(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("lan", "hien", "plain"):
        hr.browser(who)
    ids = [by_api(hr, "lan"), by_console(hr, "hien"), by_command(hr, "plain", monkeypatch)]
    first, second, third = (what_happened(hr, i) for i in ids)
    assert first == second == third
    assert [li[:2] for li in first["lines"]] == [("assignment", "close"), ("assignment", "open")]
    assert ("access", "session.end") in {e[:2] for e in first["effects"]}


def test_the_command_line_asks_before_it_commits(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    before = hr.dump()
    refused = CliRunner().invoke(
        commands.change, ["transfer", hr.names["lan"], "--to", "gso:14797"], input="n\n"
    )
    assert refused.exit_code == 1
    assert "Lê Thị Lan" in refused.output
    assert hr.dump() == before


def test_the_command_lines_actor_is_the_operator_by_name(
    hr: Hr, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_id = by_command(hr, "lan", monkeypatch)
    with hr.services.db.read() as session:
        change = session.get_one(Change, change_id)
        assert (change.actor_kind, change.actor_label) == ("operator", getpass.getuser())


def test_the_access_of_the_person_is_gone_on_her_next_request(hr: Hr) -> None:
    lan = hr.browser("lan")
    assert lan.get("/portal/profile").status_code == 200
    by_console(hr, "lan")
    assert lan.get("/portal/profile").status_code == 303


def test_the_preview_says_what_changes_and_writes_nothing(hr: Hr) -> None:
    hr.browser("lan")
    officer = hr.browser("officer")
    before = hr.dump()
    page = hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"], **FORM)
    read = text_of(page.text)
    assert "Phòng Kinh tế" in read
    assert "Ủy ban nhân dân xã Nga Sơn" in read
    assert re.search(r"Một cửa Hà Trung Mất quyền", read)
    assert re.search(r"Quản lý văn bản Giữ quyền", read)
    assert re.search(r"Kết thúc phiên đăng nhập 1\b", read)
    assert hr.dump() == before


def test_a_stale_preview_is_shown_anew_and_may_then_be_confirmed(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"])
    hr.also("lan", "a")
    answer = hr.confirm(officer, page)
    assert answer.status_code == 409
    assert "bản xem trước mới" in text_of(answer.text)
    assert hidden_fields(answer.text)["fingerprint"] != hidden_fields(page.text)["fingerprint"]
    assert hr.confirm(officer, answer).status_code == 303


def test_the_api_answers_a_stale_fingerprint_with_the_fresh_plan(hr: Hr) -> None:
    api = hr.api(hr.token())
    body = {"kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:14797"}
    old = api.plan(**body)
    hr.also("lan", "a")
    answer = api.post("/api/v1/changes", body | {"fingerprint": old["fingerprint"]}, key="k1")
    assert (answer.status_code, answer.json["code"]) == (409, "plan_stale")
    fresh = answer.json["plan"]
    assert fresh["fingerprint"] != old["fingerprint"]
    again = api.post("/api/v1/changes", body | {"fingerprint": fresh["fingerprint"]}, key="k1")
    assert again.status_code == 201, again.text


def test_the_same_form_sent_twice_is_one_change(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"])
    first, second = hr.confirm(officer, page), hr.confirm(officer, page)
    assert first.headers["Location"] == second.headers["Location"]
    assert _changes(hr) == 1


def test_the_same_idempotency_key_gives_the_same_change(hr: Hr) -> None:
    api = hr.api(hr.token())
    body = {"kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:14797"}
    body["fingerprint"] = api.plan(**body)["fingerprint"]
    first = api.post("/api/v1/changes", body, key="một".encode().hex())
    before = hr.dump()
    second = api.post("/api/v1/changes", body, key="một".encode().hex())
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json == second.json
    assert hr.dump() == before


def _changes(hr: Hr) -> int:
    with hr.services.db.read() as session:
        return session.scalar(select(func.count()).select_from(Change)) or 0


@pytest.mark.parametrize(
    ("officer", "missing"), [("officer_a", "destination"), ("officer_b", "source")]
)
def test_an_officer_of_one_side_only_is_told_which_right_is_missing(
    hr: Hr, officer: str, missing: str
) -> None:
    unit = officer.removeprefix("officer_")
    before = hr.dump()
    refused = hr.api(hr.token(unit=unit)).post(
        "/api/v1/changes/preview",
        {"kind": "transfer", "user": hr.names["lan"], "to_unit": "gso:14797"},
    )
    assert (refused.status_code, refused.json["missing"]) == (403, missing)
    after = hr.dump()
    assert {t for t in before if before[t] != after[t]} <= {
        "client",
        "admin_role",
        "audit_entry",
        "client_token",
    }


def test_nobody_commits_a_change_about_herself(hr: Hr) -> None:
    hr.grant("lan", Role.HR_OFFICER)
    lan = hr.browser("lan")
    before = hr.dump()
    page = hr.preview(lan, "lan", "transfer", to_unit=hr.units["b"])
    assert page.status_code == 403
    assert "chính mình" in text_of(page.text)
    assert (
        "Điều động"
        not in text_of(lan.get(f"/console/people/{hr.people['lan']}").text).split("Thông tin")[0]
    )
    assert hr.dump() == before


def test_after_the_move_the_former_officer_sees_the_closed_assignment_and_the_proof_only(
    hr: Hr,
) -> None:
    change_id = by_api(hr, "lan")
    former = hr.browser("officer_a")
    page = former.get(f"/console/people/{hr.people['lan']}")
    read = text_of(page.text)
    assert page.status_code == 200
    assert "Phòng Kinh tế" in read
    assert "+84912345678" not in read
    assert former.get(f"/console/changes/{change_id}").status_code == 200
    assert "Lê Thị Lan" not in text_of(former.get("/console/people?q=lan").text).split("Tìm")[-1]
    later = hr.api(hr.token()).commit(kind="suspend", user=hr.names["lan"])
    assert later.status_code == 201
    assert former.get(f"/console/changes/{later.json['id']}").status_code == 404
    assert hr.browser("officer_b").get(f"/console/changes/{later.json['id']}").status_code == 200


def test_the_console_asks_for_the_password_and_counts_wrong_ones(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"])
    assert hr.confirm(officer, page, password="").status_code == 422
    for n in range(hr.services.settings.lock_after - 1):
        assert hr.confirm(officer, page, password=f"sai rồi {n}").status_code == 422
    assert hr.confirm(officer, page, password="sai rồi").status_code == 429
    assert hr.confirm(officer, page).status_code == 429
    assert _changes(hr) == 0


def test_the_password_is_not_asked_again_within_the_window(hr: Hr) -> None:
    officer = hr.browser("officer")
    assert (
        hr.confirm(
            officer, hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"])
        ).status_code
        == 303
    )
    page = hr.preview(officer, "hien", "transfer", to_unit=hr.units["b"])
    assert 'name="password"' not in page.text
    assert hr.confirm(officer, page, password="").status_code == 303
    for _ in range(5):
        hr.clock.advance(minutes=3)
        officer.get("/console/")
    page = hr.preview(officer, "plain", "transfer", to_unit=hr.units["b"])
    assert 'name="password"' in page.text


def test_the_console_is_left_idle_for_five_minutes_only(hr: Hr) -> None:
    officer = hr.browser("officer")
    assert officer.get("/console/").status_code == 200
    hr.clock.advance(minutes=4)
    assert officer.get("/console/").status_code == 200
    hr.clock.advance(minutes=6)
    for _ in range(2):
        answer = officer.get("/console/")
        assert (answer.status_code, "prompt=login" in answer.headers["Location"]) == (303, True)
    assert officer.get("/portal/profile").status_code == 200


def test_people_without_a_role_do_not_enter_the_console(hr: Hr) -> None:
    assert hr.browser("plain").get("/console/").status_code == 403
    assert hr.app.test_client().get("/console/people").status_code == 303


def test_a_denied_confirmation_returns_to_the_form_with_what_was_entered(hr: Hr) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "transfer", to_unit=hr.units["b"], **FORM)
    answer = hr.confirm(officer, page, decision="deny")
    assert answer.status_code == 303
    assert "123/QĐ-UBND" in officer.get(answer.headers["Location"]).text
    assert _changes(hr) == 0


def test_the_form_finds_a_unit_by_words_without_a_script(hr: Hr) -> None:
    officer = hr.browser("officer")
    path = f"/console/people/{hr.people['lan']}/transfer"
    page = officer.get(path, query_string={"unit_words": "son nga", "step": "search"})
    assert f'value="{hr.units["b"]}"' in page.text
    page = officer.get(path, query_string={"unit_words": "Nga Sơn", "step": "preview"})
    assert "Bản xem trước" in text_of(page.text) or "Xem trước" in text_of(page.text)
    assert "fingerprint" in page.text


def test_where_several_units_are_found_it_asks_for_the_choice(hr: Hr) -> None:
    path = f"/console/people/{hr.people['lan']}/transfer"
    asked = {"unit_words": "uy ban nhan dan xa", "step": "preview"}
    page = hr.browser("officer").get(path, query_string=asked)
    assert page.status_code == 422
    for unit in ("a", "b"):
        assert f'type="radio" name="to_unit" value="{hr.units[unit]}"' in page.text
    assert "Hãy chọn một đơn vị trong kết quả dưới đây." in text_of(page.text)
    nothing = hr.browser("officer").get(path, query_string={"step": "preview"})
    assert "Hãy chọn một đơn vị" not in text_of(nothing.text)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"to_unit": ""}, "to_unit"),
        ({"effective_on": "31/02/2026"}, "effective_on"),
        ({"effective_on": "mai"}, "effective_on"),
        ({"number": "1"}, "decision.issued_on"),
        ({"issued_on": "x"}, "decision.issued_on"),
        ({"position": "KHONG-CO"}, "position"),
    ],
)
def test_a_wrong_field_is_said_at_the_form(hr: Hr, query: dict[str, str], field: str) -> None:
    officer = hr.browser("officer")
    page = hr.preview(officer, "lan", "transfer", **({"to_unit": hr.units["b"]} | query))
    assert page.status_code == 422
    assert 'class="notice notice-bad"' in page.text


def test_a_change_of_a_later_day_waits_and_access_stays(hr: Hr) -> None:
    lan = hr.browser("lan")
    officer = hr.browser("officer")
    later = local_day(hr.clock()) + timedelta(days=10)
    page = hr.preview(
        officer, "lan", "transfer", to_unit=hr.units["b"], effective_on=f"{later:%d/%m/%Y}"
    )
    shown = officer.get(hr.confirm(officer, page).headers["Location"])
    assert f"Chờ đến ngày {later:%d/%m/%Y}" in text_of(shown.text)
    assert "Refresh" not in shown.headers
    assert lan.get("/portal/profile").status_code == 200


def test_an_undo_through_the_console_restores_the_rows_and_revives_no_session(hr: Hr) -> None:
    lan = hr.browser("lan")
    change_id = by_console(hr, "lan")
    officer = hr.browser("officer")
    page = officer.get(f"/console/changes/{change_id}/undo")
    assert page.status_code == 200
    answer = hr.confirm(officer, page)
    assert answer.status_code == 303, text_of(answer.text)
    with hr.services.db.read() as session:
        assert session.get_one(Change, change_id).state == "undone"
        held = session.scalars(
            select(Assignment).where(
                Assignment.user_id == hr.people["lan"], Assignment.valid_to.is_(None)
            )
        ).one()
        assert held.id == hr.posts["lan"]
    assert lan.get("/portal/profile").status_code == 303
    shown = officer.get(f"/console/changes/{change_id}/undo")
    assert shown.status_code == 303


@pytest.mark.parametrize(
    ("kind", "query", "status"),
    [("suspend", {}, "suspended"), ("leave", {"reason": "retire"}, "left")],
)
def test_the_same_pages_serve_the_other_kinds(
    hr: Hr, kind: str, query: dict[str, str], status: str
) -> None:
    officer = hr.browser("officer")
    assert hr.confirm(officer, hr.preview(officer, "lan", kind, **query)).status_code == 303
    assert hr.user("lan").status == status
    if kind == "suspend":
        assert hr.confirm(officer, hr.preview(officer, "lan", "resume")).status_code == 303
        assert hr.user("lan").status == "active"


def test_the_proof_page_reloads_itself_only_so_often(hr: Hr) -> None:
    hr.browser("lan")
    change_id = by_console(hr, "lan")
    officer = hr.browser("officer")
    path = f"/console/changes/{change_id}"
    assert officer.get(path).headers["Refresh"].endswith("?n=1")
    assert "Refresh" not in officer.get(f"{path}?n=60").headers


def test_the_proof_page_shows_every_effect_of_the_api(hr: Hr) -> None:
    hr.browser("lan")
    api = hr.api(hr.token())
    answer = api.commit(kind="transfer", user=hr.names["lan"], to_unit="gso:14797")
    effects = api.get(f"/api/v1/changes/{answer.json['id']}").json["effects"]
    page = hr.browser("officer").get(f"/console/changes/{answer.json['id']}")
    assert sorted(re.findall(r'data-effect="([^"]+)"', page.text)) == sorted(
        e["kind"] for e in effects
    )
    assert effects


def test_a_list_of_changes_pages_through_all_of_them(hr: Hr) -> None:
    api = hr.api(hr.token())
    ids = [
        api.commit(kind=kind, user=hr.names["lan"]).json["id"]
        for kind in ("suspend", "resume", "suspend")
        if hr.clock.advance(seconds=1)
    ]
    seen: list[str] = []
    after = None
    while True:
        page = api.get(
            "/api/v1/changes", query_string={"limit": 2} | ({"after": after} if after else {})
        ).json
        seen += [c["id"] for c in page["changes"]]
        after = page["after"]
        if after is None:
            break
    assert seen == ids[::-1]


def test_a_client_sees_only_changes_within_its_reach(hr: Hr) -> None:
    suspended = hr.api(hr.token()).commit(kind="suspend", user=hr.names["mai"]).json["id"]
    inside, outside = hr.api(hr.token(unit="b")), hr.api(hr.token(unit="a"))
    assert inside.get(f"/api/v1/changes/{suspended}").status_code == 200
    assert outside.get(f"/api/v1/changes/{suspended}").status_code == 404
    assert outside.get("/api/v1/changes").json["changes"] == []


def test_an_activation_slip_for_an_administrator_takes_an_administrator(hr: Hr) -> None:
    hr.grant("lan", Role.ADMINISTRATOR)
    path = f"/console/people/{hr.people['lan']}"

    def ask(who: str) -> Any:
        browser = hr.browser(who)
        fields = hidden_fields(browser.get(path).text) | {"password": PASSWORD}
        return browser.post(f"{path}/activation", data=fields, follow_redirects=True)

    assert ask("officer").status_code == 403
    hr.agree("admin", "lan")
    slip = ask("admin")
    assert slip.status_code == 200
    assert link_on(slip.text)


def test_what_is_written_of_a_change_names_no_citizen_number(hr: Hr) -> None:
    change_id = by_api(hr, "lan")
    with hr.services.db.read() as session:
        lines = session.scalars(select(ChangeLine).where(ChangeLine.change_id == change_id)).all()
        assert not re.search(
            r"\d{12}", json.dumps([[li.before, li.after, li.label] for li in lines])
        )
