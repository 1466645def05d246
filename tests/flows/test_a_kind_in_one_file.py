"""A kind of change that only this file knows: form, command line, API, preview, proof, undo."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from click.testing import CliRunner
from flask import Flask
from jsonschema import Draft202012Validator
from sqlalchemy.orm import Session

from directory.changes import kind as registry
from directory.changes.asks import Ask, Fields, OneOf
from directory.changes.drafting import Draft, Ground, people_of, require_over
from directory.changes.field_types import MaybeDay, Text
from directory.changes.kind import Kind
from directory.changes.model import Plan, Spec
from directory.changes.table import Event
from directory.people import UserStatus
from idp.commands import changes as commands
from idp.run import wiring
from tests import hr_world
from tests.hr_world import Hr, text_of

PREVIEW = "/api/v1/changes/preview"


class Asks(Fields):
    how: Annotated[
        str,
        OneOf({"aloud": "Trước toàn cơ quan", "softly": "Riêng"}, wrong="Khen thế nào?"),
        Ask(
            "Cách khen", says="How she is praised.", missing=("how_missing", "Chưa ghi cách khen.")
        ),
    ]
    gender: Annotated[Text, Ask("Xưng hô", says="What she is called.", now="gender")] = None
    until: Annotated[MaybeDay, Ask("Đến ngày", says="Until when.")] = None


def plan(session: Session, spec: Spec, ground: Ground) -> Plan:
    asked = spec.ask(Asks)
    draft = Draft(spec, ground)
    said = {"gender": asked.gender} if "gender" in asked.model_fields_set else {}
    for user, before in people_of(session, spec):
        require_over(ground, before, spec.effective_on)
        draft.warn("praised", "{name} được khen.", user, name=user.full_name)
        draft.person(user, Event.APPOINT, before, [], said=said)
    return draft.done(units_touched=set())


PRAISE = Kind(
    code="praise",
    title="Khen thưởng",
    summary="Praise USER.",
    asks=Asks,
    plan=plan,
    undoable=True,
    offered_to=frozenset({UserStatus.ACTIVE}),
    order=35,
)


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask) -> Iterator[Hr]:
    with registry.registered(PRAISE):
        yield hr_world.build(services, clock, app)


def test_her_page_offers_it_and_its_form_asks_what_it_asks(hr: Hr) -> None:
    browser = hr.browser("officer")
    assert (
        f"/console/people/{hr.people['lan']}/praise"
        in browser.get(f"/console/people/{hr.people['lan']}").text
    )
    form = browser.get(f"/console/people/{hr.people['lan']}/praise").text
    for said in ("Khen thưởng", "Cách khen", "Trước toàn cơ quan", 'name="until"', 'name="gender"'):
        assert said in form
    assert "unit_words" not in form


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "Chưa ghi cách khen."),
        ({"how": "loudly"}, "Khen thế nào?"),
        ({"how": "aloud", "until": "31/02/2026"}, "Ngày này không có trong lịch."),
        ({"how": "aloud", "until": "cuối tháng"}, "Ngày phải viết dạng ngày/tháng/năm"),
    ],
)
def test_a_wrong_field_is_said_at_its_form(hr: Hr, query: dict[str, str], message: str) -> None:
    page = hr.preview(hr.browser("officer"), "lan", "praise", **query)
    assert page.status_code == 422
    assert message in text_of(page.text)


def test_the_console_previews_commits_proves_and_undoes_it(hr: Hr) -> None:
    browser = hr.browser("officer")
    before = hr.user("lan").gender
    page = hr.preview(browser, "lan", "praise", how="softly", gender="cô", until="01/04/2026")
    assert page.status_code == 200
    assert "được khen" in text_of(page.text)
    assert "→ cô" in text_of(page.text)
    done = hr.confirm(browser, page)
    assert done.status_code == 303
    assert hr.user("lan").gender == "cô"
    proof = browser.get(done.location)
    assert "Khen thưởng: Lê Thị Lan" in text_of(proof.text)
    assert "→ cô" in text_of(proof.text)
    undo = browser.get(done.location + "/undo")
    assert hr.confirm(browser, undo).status_code == 303
    assert hr.user("lan").gender == before


def test_an_emptied_field_takes_the_value_away_and_one_left_out_does_not(hr: Hr) -> None:
    api = hr.api(hr.token())
    assert (
        api.commit(kind="praise", user=hr.names["lan"], how="aloud", gender="cô").status_code == 201
    )
    browser = hr.browser("officer")
    assert 'value="cô"' in browser.get(f"/console/people/{hr.people['lan']}/praise").text
    page = hr.preview(browser, "lan", "praise", how="softly", gender="")
    assert "cô → …" in text_of(page.text)
    hr.confirm(browser, page)
    assert hr.user("lan").gender is None


def test_the_api_describes_it_and_does_it(hr: Hr) -> None:
    document = hr.app.test_client().get("/api/openapi.json").json
    schema = {
        "$ref": "#/components/schemas/ChangeRequest",
        "components": document["components"],
    }
    check = Draft202012Validator(schema)
    good = {"kind": "praise", "user": hr.names["lan"], "how": "aloud"}
    assert check.is_valid(good)
    assert not check.is_valid(good | {"how": "loudly"})
    assert not check.is_valid({"kind": "praise", "user": "x"})
    assert not check.is_valid(good | {"to_unit": 1})
    api = hr.api(hr.token())
    refused = api.post(PREVIEW, {"kind": "praise", "user": hr.names["lan"]})
    assert (refused.status_code, refused.json["code"], refused.json["field"]) == (
        422,
        "how_missing",
        "how",
    )
    done = api.commit(**good, gender="bà")
    assert done.status_code == 201
    proof = api.get(f"/api/v1/changes/{done.json['id']}").json
    assert proof["kind"] == "praise"
    assert proof["title"] == "Khen thưởng: Lê Thị Lan"
    assert [line["after"] for line in proof["lines"]] == [{"gender": "bà"}]


def test_the_command_line_has_its_options(hr: Hr, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "load_settings", lambda: hr.services.settings)
    monkeypatch.setattr(wiring, "build", lambda settings: hr.services)
    run = CliRunner().invoke
    assert "praise" in run(commands.change, ["--help"]).output
    options = run(commands.change, ["praise", "--help"]).output
    assert "--how [aloud|softly]" in options
    assert "How she is praised." in options
    done = run(
        commands.change,
        ["praise", hr.names["lan"], "--how", "aloud", "--until", "01/04/2026", "--json"],
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["kind"] == "praise"


def test_the_event_of_each_person_is_kept_with_the_change(hr: Hr) -> None:
    from directory.changes.model import Change

    api = hr.api(hr.token())
    people = [hr.names["lan"], hr.names["hien"]]
    done = api.commit(kind="praise", users=people, how="aloud", gender="bà")
    with hr.services.db.read() as session:
        change = session.get_one(Change, done.json["id"])
        assert {change.event_of(hr.people[w]) for w in ("lan", "hien")} == {Event.APPOINT}
        assert change.event_of(hr.people["plain"]) is None
        assert change.title == "Khen thưởng (2)"


def test_two_kinds_cannot_have_one_code(hr: Hr) -> None:
    with pytest.raises(ValueError, match="praise"):
        registry.register(PRAISE)
