"""The operator as the second person, at the command line."""

import getpass
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.audit import Actor
from directory.permissions import Role
from idp import approving, edge
from idp.commands import main
from idp.web import i18n
from tests import hr_world, machine_time
from tests.hr_world import Hr

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    clock.set(machine_time.now())  # the command has no other
    made = hr_world.build(services, clock, app)
    made.grant("lan", Role.AUDITOR)
    return made


@pytest.fixture
def run(
    hr: Hr, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    def command(*arguments: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["dinhdanh", "proposal", *arguments])
            patch.setenv("DINHDANH_DATA_DIR", str(settings.data_dir))
            patch.setenv("DINHDANH_DATABASE_URL", settings.database_url)
            patch.setenv("DINHDANH_KEYRING_FILE", str(settings.keyring_file))
            patch.delenv("LC_ALL", raising=False)
            patch.setenv("LANG", "vi_VN.UTF-8")
            with pytest.raises(SystemExit) as ended:
                main.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    yield command
    i18n.use(None)


def proposed(hr: Hr, **body: Any) -> str:
    body = body or {"kind": "leave", "reason": "dismiss", "user": hr.names["lan"]}
    officer = Actor("user", hr.people["officer"], hr.names["officer"])
    ask = edge.asked(hr.services, body)
    fingerprint = edge.preview(hr.services, ask, officer)["fingerprint"]
    made = approving.propose(hr.services, ask, officer, fingerprint=fingerprint, key=None)
    return str(made["id"])


def test_the_operator_lists_reads_and_approves(hr: Hr, run: Run) -> None:
    row = proposed(hr)
    status, out, _ = run("list")
    assert status == 0
    assert row in out
    _, out, _ = run("list", "--json")
    assert json.loads(out)["proposals"][0]["id"] == row
    status, out, err = run("show", row)
    assert status == 0, err
    for words in ("Buộc thôi việc", "Lê Thị Lan", hr.names["officer"]):
        assert words in out, words
    status, out, err = run("approve", row, "--yes")
    assert status == 0, err
    assert hr.user("lan").leaves_on is not None
    with hr.services.db.read() as session:
        found = session.execute(
            text("SELECT actor_label, approver_kind, approver_label FROM change")
        )
        assert found.one() == (hr.names["officer"], "operator", getpass.getuser())
    status, _, err = run("approve", row, "--yes")
    assert status != 0
    assert "không còn chờ" in err


def test_the_operator_sees_what_is_changed_of_what_is_known(hr: Hr, run: Run) -> None:
    row = proposed(hr, kind="number", user=hr.names["hien"], citizen_number="038190001234")
    status, out, err = run("show", row)
    assert status == 0, err
    assert "… → 038*****1234" in out
    assert "038190001234" not in out


def test_the_operator_compares_a_number_with_the_papers_before_she_agrees(hr: Hr, run: Run) -> None:
    number = "038190001234"
    row = proposed(hr, kind="number", user=hr.names["hien"], citizen_number=number)
    assert number not in run("show", row)[1]
    status, out, _ = run("approve", row)  # nobody answers the question
    assert status != 0
    assert f"Đối chiếu với giấy tờ: Số định danh cá nhân {number}" in out
    assert number not in run("approve", row, "--yes")[1]


def test_the_operator_declines_with_a_reason(hr: Hr, run: Run) -> None:
    row = proposed(hr)
    assert run("decline", row)[0] != 0
    status, out, err = run("decline", row, "--reason", "Chưa họp")
    assert status == 0, err
    assert "Đã từ chối" in out
    assert run("list")[1] == ""
    assert row in run("list", "--state", "declined")[1]
    assert hr.user("lan").leaves_on is None


def test_a_proposal_that_there_is_not(run: Run) -> None:
    status, _, err = run("show", "x")
    assert status != 0
    assert "Không tìm thấy đề nghị này" in err
