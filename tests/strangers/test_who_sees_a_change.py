"""Who may see a change is decided by the units that were recorded with it when it was committed:
where she was then, and where it takes her. Neither what happens to her later nor a day in the past
that a decision names opens it to anybody else.
"""

import secrets
from datetime import date
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from idp.run import migrate
from tests import hr_world
from tests.hr_world import Api, Hr

pytestmark = pytest.mark.both_databases

BEFORE = "2026-02-01"
"""A day on which she was still in the first office."""


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Hr:
    return hr_world.build(services, clock, app)


def _api(hr: Hr, unit: str) -> Api:
    return hr.api(hr.token(unit=unit))


def _moved(hr: Hr, who: str = "lan") -> str:
    """She goes from the first office to the second today; ten days pass."""
    done = _api(hr, "root").commit(
        kind="transfer", user=hr.names[who], to_unit=hr.units["b"], position="CV"
    )
    assert done.status_code == 201, done.text
    hr.clock.advance(days=10)
    return str(done.json["id"])


def _ids(hr: Hr, unit: str) -> set[str]:
    """The changes an officer of this unit's subtree finds, leafing through the whole list."""
    api, found, after = _api(hr, unit), set(), ""
    while True:
        page = api.get(f"/api/v1/changes?limit=1{after}").json
        found |= {change["id"] for change in page["changes"]}
        if page["after"] is None:
            return found
        after = f"&after={page['after']}"


def _sees(hr: Hr, unit: str, change_id: str) -> bool:
    """Whether she finds it in the list and can open it: both or neither."""
    listed = change_id in _ids(hr, unit)
    answer = _api(hr, unit).get(f"/api/v1/changes/{change_id}")
    assert answer.status_code == (200 if listed else 404)
    return listed


@pytest.mark.parametrize("kind", ["suspend", "resume"])
def test_a_back_dated_suspension_is_the_present_officers_to_see(hr: Hr, kind: str) -> None:
    _moved(hr)
    root = _api(hr, "root")
    if kind == "resume":
        root.commit(kind="suspend", user=hr.names["lan"])
    done = root.commit(kind=kind, user=hr.names["lan"], effective_on=BEFORE).json["id"]
    assert _sees(hr, "b", done)
    assert _sees(hr, "root", done)
    assert not _sees(hr, "a", done)
    page = hr.browser("officer_b").get(f"/console/changes/{done}")
    assert page.status_code == 200
    assert hr.browser("officer_a").get(f"/console/changes/{done}").status_code == 404
    # Undoing it belongs to the same people.
    undo = f"/api/v1/changes/{done}/undo/preview"
    assert _api(hr, "b").post(undo).status_code == 200
    assert _api(hr, "a").post(undo).status_code == 404


def test_who_saw_a_suspension_goes_on_seeing_it_after_she_has_moved(hr: Hr) -> None:
    root = _api(hr, "root")
    done = root.commit(kind="suspend", user=hr.names["lan"]).json["id"]
    hr.clock.advance(days=1)
    _api(hr, "root").commit(kind="resume", user=hr.names["lan"])
    _moved(hr)
    assert _sees(hr, "a", done)
    assert not _sees(hr, "b", done)


def test_a_move_that_is_taken_back_changes_nobodys_sight_of_what_was_recorded(hr: Hr) -> None:
    """A correction of the past rewrites her timeline, not who was told what."""
    moved = _moved(hr)
    done = _api(hr, "root").commit(kind="suspend", user=hr.names["lan"]).json["id"]
    hr.clock.advance(days=1)
    _api(hr, "root").commit(kind="resume", user=hr.names["lan"])
    root = _api(hr, "root")
    path = f"/api/v1/changes/{moved}/undo"
    fingerprint = root.post(f"{path}/preview").json["fingerprint"]
    answer = root.post(path, {"fingerprint": fingerprint}, key=secrets.token_hex(4))
    assert answer.status_code == 201, answer.text
    assert _sees(hr, "b", done)
    assert not _sees(hr, "a", done)


def test_whoever_loses_and_whoever_gains_her_see_the_move_and_its_undoing(hr: Hr) -> None:
    moved = _moved(hr)
    assert _sees(hr, "a", moved)
    assert _sees(hr, "b", moved)
    later = _api(hr, "root").commit(kind="suspend", user=hr.names["lan"]).json["id"]
    assert not _sees(hr, "a", later)


def test_a_further_post_gives_sight_of_a_suspension(hr: Hr) -> None:
    """She works there, too; and when she does no longer, what they saw they still see."""
    hr.also("lan", "b")
    done = _api(hr, "root").commit(kind="suspend", user=hr.names["lan"]).json["id"]
    assert _sees(hr, "b", done)
    with hr.services.db.write() as session:
        session.execute(
            text("UPDATE assignment SET valid_to = :day WHERE user_id = :user AND unit_id = :unit"),
            {"day": date(2026, 3, 2), "user": hr.people["lan"], "unit": hr.units["b"]},
        )
    assert _sees(hr, "b", done)


def test_of_a_change_about_many_each_officer_is_shown_her_own(hr: Hr) -> None:
    _moved(hr)
    both = [hr.names["lan"], hr.names["hien"]]
    done = _api(hr, "root").commit(kind="suspend", users=both, effective_on=BEFORE).json["id"]
    shown = {}
    for unit in ("a", "b", "root"):
        lines = _api(hr, unit).get(f"/api/v1/changes/{done}").json["lines"]
        shown[unit] = {line["user"] for line in lines}
    lan, hien = hr.people["lan"], hr.people["hien"]
    assert shown == {"a": {hien}, "b": {lan}, "root": {lan, hien}}


# ---- what a preview tells ----------------------------------------------------------------------


def _two_communes(hr: Hr) -> str:
    """The token of an officer over the first office and a third one, not over the second."""
    token = hr.token(unit="a")
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO admin_role (client_id, role, unit_id, valid_from, granted_by)"
                " SELECT client_id, role, :unit, valid_from, granted_by FROM admin_role"
                " WHERE client_id = (SELECT max(client_id) FROM admin_role)"
            ),
            {"unit": hr.units["c"]},
        )
    return token


@pytest.fixture
def three(hr: Hr) -> Hr:
    from directory.units import OrgUnit
    from tests.factories import make_unit

    with hr.services.db.write() as session:
        root = session.get_one(OrgUnit, hr.units["root"])
        hr.units["c"] = make_unit(session, "Ủy ban nhân dân xã Vạn Lộc", parent=root).id
    return hr


@pytest.mark.parametrize("kind", ["transfer", "leave", "suspend", "resume"])
def test_a_back_dated_preview_tells_a_former_officer_nothing(three: Hr, kind: str) -> None:
    _moved(three)
    former = three.api(_two_communes(three))
    body: dict[str, Any] = {"kind": kind, "user": three.names["lan"], "effective_on": BEFORE}
    if kind == "transfer":
        body["to_unit"] = three.units["c"]
    if kind == "leave":
        body["reason"] = "resign"
    answer = former.post("/api/v1/changes/preview", body)
    assert "Nga Sơn" not in answer.text
    assert answer.status_code == 403, answer.text
    assert answer.json["missing"] == "source"


def test_taking_a_move_back_tells_a_former_officer_nothing_of_what_came_after(three: Hr) -> None:
    """From the first office to the third, which are both hers; then to the second, which is not."""
    former = three.api(_two_communes(three))
    moved = former.commit(kind="transfer", user=three.names["lan"], to_unit=three.units["c"])
    assert moved.status_code == 201, moved.text
    three.clock.advance(days=5)
    later = _api(three, "root").commit(
        kind="transfer", user=three.names["lan"], to_unit=three.units["b"], position="KT"
    )
    assert later.status_code == 201, later.text
    former = three.api(_two_communes(three))
    answer = former.post(f"/api/v1/changes/{moved.json['id']}/undo/preview")
    assert "Nga Sơn" not in answer.text
    assert "Kế toán" not in answer.text


# ---- what was committed before units were recorded ---------------------------------------------


def test_changes_of_earlier_versions_are_seen_by_those_who_had_her_then(hr: Hr) -> None:
    """The migration fills in what the timeline knew at the commit."""
    root = _api(hr, "root")
    first = root.commit(kind="suspend", user=hr.names["lan"]).json["id"]
    hr.clock.advance(minutes=1)
    _api(hr, "root").commit(kind="resume", user=hr.names["lan"])
    _moved(hr)
    second = (
        _api(hr, "root")
        .commit(kind="suspend", user=hr.names["lan"], effective_on=BEFORE)
        .json["id"]
    )
    with hr.services.db.write() as session:
        session.execute(text("DELETE FROM change_unit"))
    assert not _sees(hr, "a", first)
    engine = hr.services.db.engine
    migrate.downgrade(engine, "0008")
    migrate.upgrade(engine)
    assert _sees(hr, "a", first)
    assert not _sees(hr, "b", first)
    assert _sees(hr, "b", second)
    assert not _sees(hr, "a", second)
