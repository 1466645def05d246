"""What an operator is told, and what is not done to her data, while something on her machine is wrong.

A file that cannot be read is one sentence that names it. With the keyring of another installation nothing
is written: what that key has sealed, or hashed to be found again, would be lost to the right one. A
list says what is so, and a printed link works.
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.permissions import Role
from directory.units import OrgUnit
from idp.run.performing import drain
from tests import hr_world, machine_time
from tests.command_line import Operator, operator  # noqa: F401 (a fixture)
from tests.factories import make_application, make_assignment, make_role, make_user
from tests.hr_world import Hr


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    clock.set(machine_time.now())  # the command line has the real one
    return hr_world.build(services, clock, app)


# ---- files -----------------------------------------------------------------------------------

COMMANDS = [("check",), ("role", "list"), ("user", "admin", "quantri"), ("audit", "verify")]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_keyring_that_cannot_be_read_is_a_sentence(
    operator: Operator,  # noqa: F811
    database: Any,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    folder = tmp_path / "keyring.json"
    folder.mkdir()
    told = operator(*arguments, keyring_file=str(folder))
    assert told.code == 1, told.said
    assert str(folder) in told.said
    if arguments == ("check",):  # and everything else, as always
        assert "level3" in told.out


@pytest.mark.parametrize("arguments", [("migrate",), ("role", "list"), ("worker",)], ids=" ".join)
def test_a_data_folder_that_cannot_be_one_is_a_sentence(
    operator: Operator,  # noqa: F811
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "var"
    told = operator(*arguments, data_dir=str(inside), database_url="")
    assert told.code == 1, told.said
    assert str(tmp_path / "file") in told.said
    assert len(told.err.splitlines()) <= 2


# ---- another installation's keyring ----------------------------------------------------------

WRITING: dict[str, Callable[[Hr, Path], tuple[str, ...]]] = {
    "feed load": lambda hr, work: ("feed", "load", str(_folder(work))),
    "user slip": lambda hr, work: ("user", "slip", hr.names["lan"]),
    "user admin": lambda hr, work: ("user", "admin", hr.names["lan"]),
    "role grant": lambda hr, work: ("role", "grant", "auditor", "--user", hr.names["lan"]),
    "client invite": lambda hr, work: ("client", "invite"),
    "keys rotate": lambda hr, work: ("keys", "rotate", "ES256"),
    "cert crl": lambda hr, work: ("cert", "crl"),
    "change suspend": lambda hr, work: ("change", "suspend", hr.names["lan"], "--yes"),
    "app done": lambda hr, work: ("app", "done", _by_hand(hr)),
    "app orphans": lambda hr, work: ("app", "orphans", "vanban"),
}


def _by_hand(hr: Hr) -> str:
    """Something to be done by hand; its number."""
    with hr.services.db.write() as session:
        session.execute(text("UPDATE application SET connector = 'manual' WHERE code = 'vanban'"))
    moved = hr.api(hr.token()).commit(
        kind="transfer", user=hr.names["lan"], to_unit=hr.units["b"], position="CV"
    )
    assert moved.status_code == 201, moved.text
    drain(hr.services)
    with hr.services.db.read() as session:
        return str(session.scalars(text("SELECT id FROM work_item WHERE done_at IS NULL")).one())


def _folder(work: Path) -> Path:
    made = work / "feed"
    made.mkdir()
    (made / "people.csv").write_text(
        "source_key,full_name,birth_date,gender,citizen_number,email,phone\n"
        "k1,Cao Thị Sen,1990,,038123456780,,\n",
        "utf-8",
    )
    return made


@pytest.mark.parametrize("command", WRITING)
def test_with_another_keyring_nothing_is_written(
    hr: Hr,
    operator: Operator,  # noqa: F811
    tmp_path: Path,
    command: str,
) -> None:
    other = tmp_path / "other.json"
    Keyring.open(other, create=True)
    arguments = WRITING[command](hr, tmp_path)
    before = hr.dump()
    told = operator(*arguments, keyring_file=str(other))
    assert told.code == 1, told.said
    assert hr.services.keyring.current in told.said
    assert hr.dump() == before


# ---- roles -----------------------------------------------------------------------------------


def test_every_role_in_force_is_listed_and_no_other(
    hr: Hr,
    operator: Operator,  # noqa: F811
) -> None:
    today = local_day(hr.clock())
    with hr.services.db.write() as session:
        unit = session.get_one(OrgUnit, hr.units["a"])
        one_app = make_application(session, "hoso", name="Hồ sơ")
        people = {
            name: make_user(session, f"Tô Thị {name}", username=name)
            for name in ("retires", "gone", "later", "owns", "postless")
        }
        make_role(
            session, people["retires"], Role.ADMINISTRATOR, valid_to=today + timedelta(days=9)
        )
        make_role(session, people["gone"], Role.ADMINISTRATOR, valid_to=today)
        make_role(
            session, people["later"], Role.ADMINISTRATOR, valid_from=today + timedelta(days=1)
        )
        make_role(session, people["owns"], Role.APPLICATION_OWNER, application_id=one_app.id)
        over = make_assignment(session, people["postless"], unit, valid_to=today)
        make_role(session, people["postless"], Role.HR_OFFICER, unit, assignment_id=over.id)
    told = operator("role", "list")
    assert told.code == 0, told.said
    listed = {line.split()[2]: line for line in told.out.splitlines()}
    assert {"retires", "owns", hr.names["admin"], hr.names["officer"]} <= set(listed)
    assert not {"gone", "later", "postless"} & set(listed)
    assert "hoso" in listed["owns"]
    assert (today + timedelta(days=9)).strftime("%d/%m/%Y") in listed["retires"]


# ---- links -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["slip", "admin"])
@pytest.mark.parametrize("standing", ["suspended", "left"])
def test_no_link_is_printed_that_would_not_work(
    hr: Hr,
    operator: Operator,  # noqa: F811
    command: str,
    standing: str,
) -> None:
    api = hr.api(hr.token(unit=None))
    kind = {"kind": "suspend"} if standing == "suspended" else {"kind": "leave", "reason": "retire"}
    assert api.commit(user=hr.names["lan"], **kind).status_code == 201
    before = hr.dump()
    told = operator("user", command, hr.names["lan"])
    assert told.code == 1, told.said
    assert "/activate/" not in told.said
    assert hr.dump() == before


def test_nor_for_somebody_who_has_nothing_to_sign_in_as(
    hr: Hr,
    operator: Operator,  # noqa: F811
) -> None:
    with hr.services.db.write() as session:
        make_user(session, "Tô Thị Không", username="khong")
    assert operator("user", "slip", "khong").code == 1
    told = operator("user", "admin", "khong")
    assert told.code == 0, told.said
    link = told.out.split("http://localhost:8000")[1].split()[0]
    assert hr.app.test_client().get(link, follow_redirects=True).status_code == 200


def test_one_is_printed_before_the_first_day(
    hr: Hr,
    operator: Operator,  # noqa: F811
) -> None:
    with hr.services.db.write() as session:
        soon = make_user(session, "Tô Thị Mai Sau", username="maisau")
        begins = local_day(hr.clock()) + timedelta(days=3)
        make_assignment(session, soon, session.get_one(OrgUnit, hr.units["a"]), valid_from=begins)
    assert operator("user", "slip", "maisau").code == 0
