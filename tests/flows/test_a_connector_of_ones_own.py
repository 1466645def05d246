"""A connector that only this test knows: command line, preview, proof and pages show what it does.

Its target is a dictionary; what belongs to nobody in it is found and left alone.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from connectors.accounts.contract import AccountPage
from directory.base.clock import system_clock
from idp.run.performing import drain
from tests import hr_world
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.factories import make_user
from tests.hr_world import Hr, text_of
from tests.ledger import Ledger
from tests.ledger import ledger as ledger

pytestmark = pytest.mark.both_databases


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, ledger: Ledger) -> Hr:
    """An office with people in it."""
    return hr_world.build(services, clock, app)


def created(hr: Hr, operator: Operator) -> None:  # noqa: F811
    made = operator("app", "create", "so", "Sổ tay", "--connector", "ledger", "--set", "shelf=A1")
    assert made.code == 0, made.said
    assert operator("app", "grant", "so", "user").code == 0
    hr.clock.set(system_clock())  # the command line knows no other
    drain(hr.services)


VIETNAMESE = re.compile(r"[^\x00-\x7f]")


def test_the_commands_speak_the_language_of_the_environment(
    hr: Hr,
    ledger: Ledger,
    operator: Operator,  # noqa: F811
    tmp_path: Path,
) -> None:
    created(hr, operator)
    ledger.put("7", "who-left-long-ago")
    headings = "unit,kind,name,parent,short_name,bloc\n"
    (tmp_path / "units.csv").write_text(headings + "U1,no_such_kind,X,,,\n", encoding="utf-8")
    lines = (
        ("app", "grant", "so", "user"),
        ("app", "orphans", "so"),
        ("feed", "load", str(tmp_path)),
    )
    for line in lines:
        english = operator(*line).said
        assert not VIETNAMESE.search(english), english
        vietnamese = operator(*line, language="vi_VN.UTF-8").said
        assert VIETNAMESE.search(vietnamese), vietnamese
        assert not {"accounts", "nobody", "refused:"} & set(vietnamese.split())


def test_its_settings_are_asked_for_and_checked(hr: Hr, operator: Operator) -> None:  # noqa: F811
    wrong = operator("app", "create", "so", "Sổ tay", "--connector", "ledger", "--set", "x=1")
    assert wrong.code != 0
    assert "shelf" in wrong.said
    unknown = operator("app", "create", "so", "Sổ tay", "--connector", "no such")
    assert unknown.code != 0


def test_it_is_previewed_worked_and_proven(hr: Hr, ledger: Ledger, operator: Operator) -> None:  # noqa: F811
    created(hr, operator)
    lan = hr.user("lan")
    assert ledger.entries[lan.sub].active
    api = hr.api(hr.token())
    order = {
        "kind": "suspend",
        "user": hr.people["lan"],
        "decision": {"number": "8/QĐ", "issued_on": "2026-03-01", "issuer": "Tỉnh"},
    }
    planned = [e for e in api.plan(**order)["effects"] if e["artefact"] == "accounts"]
    assert [e["label"] for e in planned] == ["Sổ tay"]
    done = api.commit(**order)
    drain(hr.services)
    assert not ledger.entries[lan.sub].active
    (effect,) = [
        e
        for e in api.get(f"/api/v1/changes/{done.json['id']}").json["effects"]
        if e["artefact"] == "accounts"
    ]
    assert effect["state"] == "verified"
    assert effect["detail"]["shelf"] == "shut"


def test_what_belongs_to_nobody_is_found_and_left_alone(
    hr: Hr,
    ledger: Ledger,
    operator: Operator,  # noqa: F811
) -> None:
    created(hr, operator)
    ledger.put("7", "who-left-long-ago")
    ledger.put("8", None, active=False)
    before = dict(ledger.entries)
    said = operator("app", "orphans", "so").out
    assert "u-7" in said
    assert "u-8" in said
    assert hr.names["lan"] not in said
    assert None in ledger.cursors
    assert len(ledger.cursors) > 2
    assert ledger.entries == before
    with hr.services.db.read() as session:
        found = session.scalar(text("SELECT id FROM application WHERE code = 'so'"))
    page = text_of(hr.browser("owner").get(f"/console/applications/{found}").text)
    assert "Tài khoản không có chủ" in page
    assert "u-7" in page
    del ledger.entries["7"]
    assert "u-7" not in operator("app", "orphans", "so").out


def test_half_a_list_says_nothing(hr: Hr, ledger: Ledger, operator: Operator) -> None:  # noqa: F811
    created(hr, operator)
    ledger.put("7", "who-left-long-ago")
    operator("app", "orphans", "so")
    del ledger.entries["7"]
    ledger.endless = True
    refused = operator("app", "orphans", "so")
    assert refused.code != 0
    assert "without end" in refused.said
    ledger.endless = False
    with hr.services.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM orphan_account")) == 1


def test_who_comes_while_the_list_is_read_is_no_stranger(
    hr: Hr,
    ledger: Ledger,
    operator: Operator,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    created(hr, operator)
    fetch = ledger.fetch

    def slowly(cursor: str | None = None) -> AccountPage:
        if cursor == "2":
            with hr.services.db.write() as session:
                ledger.put("9", make_user(session, "Trịnh Thị Hạnh").sub)
            ledger.put("7", "who-left-long-ago")
        return fetch(cursor)

    monkeypatch.setattr(ledger, "fetch", slowly)
    said = operator("app", "orphans", "so").out
    assert "u-7" in said
    assert "u-9" not in said
