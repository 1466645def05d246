"""What a command says when it is done: in words, with what comes next."""

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import system_clock
from idp.commands import changes as commands
from idp.run.performing import drain
from tests import hr_world
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.hr_world import Hr

VIETNAMESE = "vi_VN.UTF-8"


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _join(hr: Hr, operator: Operator, *more: str) -> Any:  # noqa: F811
    who = ("--full-name", "Trịnh Thị Hạnh", "--to", str(hr.units["a"]), "--position", "CV")
    return operator("change", "join", *who, *more)


def test_whoever_joins_somebody_is_told_how_she_comes_to_her_password(
    hr: Hr,
    operator: Operator,  # noqa: F811
) -> None:
    dry = _join(hr, operator, "--dry-run")
    assert dry.code == 0, dry.said
    assert "user slip" not in dry.out
    done = _join(hr, operator, "--yes")
    assert done.code == 0, done.said
    step = re.search(r"dinhdanh (user slip \w+)$", done.out.strip())
    assert step, done.out
    assert "/activate/" in operator(*step[1].split()).out


def test_who_comes_back_needs_one_as_well_and_who_moves_does_not(
    hr: Hr,
    operator: Operator,  # noqa: F811
) -> None:
    name = hr.names["lan"]
    assert "user slip" not in operator("change", "leave", name, "--reason", "retire", "--yes").out
    back = operator(
        "change", "rejoin", name, "--to", str(hr.units["b"]), "--position", "CV", "--yes"
    )
    assert back.code == 0, back.said
    assert f"dinhdanh user slip {name}" in back.out
    moved = operator("change", "transfer", name, "--to", str(hr.units["a"]), "--yes")
    assert moved.code == 0, moved.said
    assert "user slip" not in moved.out


@pytest.mark.parametrize(
    ("given", "undone"),
    [
        (("app", "grant", "vanban", "can_bo"), ("app", "withdraw")),
        (("role", "grant", "auditor", "--user", "{lan}"), ("role", "end")),
    ],
)
def test_what_was_added_is_said_in_words_with_the_way_to_take_it_away(
    hr: Hr,
    operator: Operator,  # noqa: F811
    given: tuple[str, ...],
    undone: tuple[str, ...],
) -> None:
    done = operator(*(part.format(**hr.names) for part in given), language=VIETNAMESE)
    assert done.code == 0, done.said
    command = "dinhdanh " + " ".join(undone)
    found = re.match(rf"Đã .* số (\d+) \(.* {command} (\d+)\)", done.out)
    assert found, done.out
    assert found[1] == found[2]
    assert operator(*undone, found[1]).code == 0


def test_who_waits_for_work_by_hand_is_told_whom_she_waits_for(
    hr: Hr,
    operator: Operator,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with hr.services.db.write() as session:
        session.execute(
            text(
                "UPDATE application SET connector = 'manual', "
                'connector_settings = \'{"owner": "Phòng Tin học", "days": 2}\''
                " WHERE code = 'vanban'"
            )
        )
    today, turns = replace(hr.services, clock=system_clock), iter(range(3))

    def sleep(_seconds: float) -> None:
        if next(turns, None) is None:
            raise commands.NotSettled("not_settled", "Hết kiên nhẫn.")
        drain(today)

    monkeypatch.setattr(commands, "time", SimpleNamespace(sleep=sleep))
    move = ("change", "transfer", hr.names["lan"], "--to", str(hr.units["b"]), "--yes", "--wait")
    waited = operator(*move, language=VIETNAMESE)
    assert waited.code != 0
    assert waited.err.count("Đang chờ người làm tay: 1 việc") == 1, waited.said
    assert "dinhdanh app work" in waited.err
