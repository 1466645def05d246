"""A limit is decided where it is used up: of two who ask at the same moment, no more get than
there is.

One stands where it has checked and not yet written; the other comes meanwhile. Each test plays that
order and the other one, on both databases: on SQLite the second waits for the first's transaction,
on PostgreSQL only where the product makes it wait.
"""

import secrets
import threading
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from directory.changes.granting import Holder, grant_role
from directory.people import User
from directory.permissions import Role
from tests import hr_world
from tests.browser_client import hidden_fields, submit
from tests.factories import make_assignment, make_unit
from tests.hr_world import Hr
from tests.properties.stepping import Stepper, install
from tests.relying_party import Flow, World, build_world

pytestmark = pytest.mark.both_databases

A_MOMENT = 0.4
"""Whoever has not come to a stop by then waits for the other's lock."""
CHECKED, DONE = "commit.begin", "commit.before_commit"
"""A commit has read what it is about; has written everything and holds it."""


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    marker = request.node.get_closest_marker("settings")
    return make_settings(**(marker.kwargs if marker else {}))


@pytest.fixture
def hr(services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Hr:
    install(monkeypatch)
    return hr_world.build(services, clock, app)


@pytest.fixture
def world(services: Any, clock: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    install(monkeypatch)
    return build_world(services, clock)


def _places(hr: Hr, unit: str, position: str, places: int) -> None:
    """The post has so many places."""
    with hr.services.db.write() as session:
        session.execute(
            text(
                "INSERT INTO post (unit_id, position_id, headcount)"
                " SELECT :unit, id, :places FROM position WHERE code = :code"
            ),
            {"unit": hr.units[unit], "code": position, "places": places},
        )


def _holders(hr: Hr, unit: str, position: str) -> int:
    """How many hold the post for good."""
    with hr.services.db.read() as session:
        return int(
            session.execute(
                text(
                    "SELECT count(DISTINCT user_id) FROM assignment JOIN position"
                    " ON position.id = position_id WHERE unit_id = :unit AND code = :code"
                    " AND valid_to IS NULL"
                ),
                {"unit": hr.units[unit], "code": position},
            ).scalar_one()
        )


def _one_after_the_other(first: Any, second: Any, stop: str) -> list[Any]:
    """The answers of two acts: the second comes when the first stands at ``stop``."""
    ahead = Stepper(first, stops=(stop,)).start()
    behind = Stepper(second, stops=()).start(within=A_MOMENT)
    return [ahead.finish(), behind.finish()]


def _commit(hr: Hr, **body: Any) -> Any:
    """A change previewed now, to be committed later."""
    api = hr.api(hr.token())
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}
    return lambda: api.post("/api/v1/changes", asked, key=secrets.token_hex(8))


def _undo(hr: Hr, change_id: str) -> Any:
    """Its undoing, previewed now."""
    api, path = hr.api(hr.token()), f"/api/v1/changes/{change_id}/undo"
    asked = {"fingerprint": api.post(f"{path}/preview").json["fingerprint"]}
    return lambda: api.post(path, asked, key=secrets.token_hex(8))


def _there(hr: Hr, who: str) -> Any:
    """A transfer of this person to the post with one place."""
    to_unit = hr.units["room2"]
    return _commit(hr, kind="transfer", user=hr.names[who], to_unit=to_unit, position="KT")


def _appointed(hr: Hr, who: str) -> Any:
    """Her appointment to that post, beside her own."""
    to_unit = hr.units["room2"]
    return _commit(hr, kind="appoint", user=hr.names[who], to_unit=to_unit, position="KT")


def _newcomer(hr: Hr) -> Any:
    person = {"full_name": "Cao Thị Sen", "citizen_number": "038123456789"}
    return _commit(hr, kind="join", to_unit=hr.units["room2"], position="KT", person=person)


# ---- the places of a post --------------------------------------------------------------------


@pytest.mark.parametrize("stop", [CHECKED, DONE])
@pytest.mark.parametrize(
    "way", ["two transfers", "a transfer and a join", "two joins", "two appointments"]
)
def test_the_last_place_of_a_post_is_taken_once(hr: Hr, stop: str, way: str) -> None:
    _places(hr, "room2", "KT", 1)
    if way == "two transfers":
        acts = _there(hr, "lan"), _there(hr, "mai")
    elif way == "a transfer and a join":
        acts = _there(hr, "lan"), _newcomer(hr)
    elif way == "two appointments":
        acts = _appointed(hr, "lan"), _appointed(hr, "mai")
    else:
        other = {"full_name": "Tạ Văn Gió", "citizen_number": "038123456700"}
        acts = (
            _newcomer(hr),
            _commit(hr, kind="join", to_unit=hr.units["room2"], position="KT", person=other),
        )
    answers = _one_after_the_other(*acts, stop)
    assert sorted(a.status_code for a in answers) == [201, 409], [a.text for a in answers]
    assert next(a.json["code"] for a in answers if a.status_code == 409) == "post_full"
    assert _holders(hr, "room2", "KT") == 1


def test_of_many_transfers_at_once_as_many_succeed_as_there_are_places(hr: Hr) -> None:
    _places(hr, "room2", "KT", 2)
    acts = [_there(hr, who) for who in ("lan", "mai", "hien", "plain")]
    barrier, answers = threading.Barrier(len(acts)), []

    def one(act: Any) -> None:
        barrier.wait()
        answers.append(act())

    threads = [threading.Thread(target=one, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(a.status_code for a in answers) == [201, 201, 409, 409]
    assert _holders(hr, "room2", "KT") == 2


@pytest.mark.parametrize("first", ["undo", "transfer"])
def test_an_undo_takes_no_place_that_somebody_has_got(hr: Hr, first: str) -> None:
    """She left the only place; taking that back needs the place again."""
    _places(hr, "room2", "KT", 1)
    assert _there(hr, "lan")().status_code == 201
    hr.clock.advance(days=1)
    away = _commit(hr, kind="transfer", user=hr.names["lan"], to_unit=hr.units["b"], position="CV")
    gone = away().json["id"]
    acts = _undo(hr, gone), _there(hr, "mai")
    answers = _one_after_the_other(*(acts if first == "undo" else acts[::-1]), DONE)
    assert sorted(a.status_code for a in answers) == [201, 409], [a.text for a in answers]
    assert _holders(hr, "room2", "KT") == 1


def test_an_undo_whose_place_is_taken_says_so_in_its_preview(hr: Hr) -> None:
    _places(hr, "room2", "KT", 1)
    assert _there(hr, "lan")().status_code == 201
    hr.clock.advance(days=1)
    away = _commit(hr, kind="transfer", user=hr.names["lan"], to_unit=hr.units["b"], position="CV")
    gone = away().json["id"]
    assert _there(hr, "mai")().status_code == 201
    api = hr.api(hr.token())
    plan = api.post(f"/api/v1/changes/{gone}/undo/preview").json
    assert [c["code"] for c in plan["conflicts"]] == ["post_full"]
    assert plan["committable"] is False


# ---- one key, one change ---------------------------------------------------------------------


@pytest.mark.parametrize("stop", [CHECKED, DONE])
def test_of_two_requests_with_one_key_one_changes_and_both_are_told_of_it(
    hr: Hr, stop: str
) -> None:
    api, body = hr.api(hr.token()), {"kind": "suspend", "user": hr.names["lan"]}
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}

    def send() -> Any:
        again = hr_world.Api(hr.app.test_client(), api.token)
        return again.post("/api/v1/changes", asked, key="k1")

    answers = _one_after_the_other(send, send, stop)
    assert [a.status_code for a in answers] == [201, 201]
    assert answers[0].json["id"] == answers[1].json["id"]
    assert len(api.get("/api/v1/changes").json["changes"]) == 1


def test_of_two_requests_with_one_key_and_two_bodies_one_changes(hr: Hr) -> None:
    api, asked = hr.api(hr.token()), []
    for who in ("lan", "mai"):
        body = {"kind": "suspend", "user": hr.names[who]}
        asked.append(body | {"fingerprint": api.plan(**body)["fingerprint"]})

    def sending(body: Any) -> Any:
        again = hr_world.Api(hr.app.test_client(), api.token)
        return lambda: again.post("/api/v1/changes", body, key="k1")

    answers = _one_after_the_other(sending(asked[0]), sending(asked[1]), DONE)
    assert [a.status_code for a in answers] == [201, 422]
    assert len(api.get("/api/v1/changes").json["changes"]) == 1


def test_a_key_whose_change_was_refused_is_free_for_the_next(hr: Hr) -> None:
    api, body = hr.api(hr.token()), {"kind": "suspend", "user": hr.names["lan"]}
    wrong = body | {"fingerprint": "0" * 64}
    asked = body | {"fingerprint": api.plan(**body)["fingerprint"]}

    def sending(body: Any) -> Any:
        again = hr_world.Api(hr.app.test_client(), api.token)
        return lambda: again.post("/api/v1/changes", body, key="k1")

    answers = _one_after_the_other(sending(wrong), sending(asked), CHECKED)
    assert [a.status_code for a in answers] == [409, 201]


# ---- a role is held once -----------------------------------------------------------------------


@pytest.mark.parametrize("holder", ["a person", "a client"])
def test_a_role_given_twice_at_once_is_held_once(hr: Hr, holder: str) -> None:
    """Or whoever ends it leaves its twin."""
    hr.token(role=None)  # the first client
    whom = {"user_id": hr.people["lan"]} if holder == "a person" else {"client_id": 1}

    def give(session: Any) -> None:
        grant_role(
            session,
            Role.AUDITOR,
            Holder(**whom),
            actor=hr_world.OPERATOR,
            now=hr.clock(),
            unit_id=hr.units["a"],
        )

    def other() -> None:
        with hr.services.db.write() as session:
            give(session)

    thread = threading.Thread(target=other)
    with hr.services.db.write() as session:
        give(session)
        thread.start()
        thread.join(A_MOMENT)
    thread.join(60)
    with hr.services.db.read() as session:
        held = session.execute(
            text("SELECT count(*) FROM admin_role WHERE role = 'auditor' AND unit_id = :unit"),
            {"unit": hr.units["a"]},
        )
        assert held.scalar_one() == 1


# ---- what an application may do on her behalf --------------------------------------------------


def _same_browser(app: Flask, browser: FlaskClient) -> FlaskClient:
    """Another tab of it."""
    tab = app.test_client()
    for cookie in browser._cookies.values():
        tab.set_cookie(cookie.key, cookie.value, domain="localhost")
    return tab


def _worth(flow: Flow, answer: Any) -> Any:
    """What the code of an authorization response gives, if there is one."""
    location = answer.headers.get("Location", "")  # to her sign-in, where she came too late
    code = flow.told(answer).get("code") if location.startswith(flow.redirect_uri) else None
    return flow.redeem(code).get_json() if code else {"error": "none given"}


@pytest.mark.parametrize("scope", ["openid offline_access", "openid profile offline_access"])
def test_a_code_asked_for_in_the_old_capacity_dies_with_it(
    world: World, app: Flask, client: FlaskClient, scope: str
) -> None:
    beside = _second_post(world)
    flow = Flow(client, world.register(), scope=scope)
    world.sign_in(client)
    tab = _same_browser(app, client)
    page = tab.get("/portal/capacity")
    asking = Stepper(flow.ask, stops=("authorize.before_code",)).start()
    assert submit(tab, page, assignment=str(beside)).status_code == 303
    assert "error" in _worth(flow, asking.finish())


def test_the_client_is_told_when_what_it_pushed_is_used_up_and_nothing_can_be_given(
    world: World, app: Flask, client: FlaskClient
) -> None:
    """OIDC Core §3.1.2.6: the error is the client's to know, also after its request has served."""
    beside = _second_post(world)
    flow = Flow(client, world.register())
    world.sign_in(client)
    pushed = flow.post("/oauth2/par", dict(flow.query)).get_json()
    named = {"client_id": flow.party.client_id, "request_uri": pushed["request_uri"]}
    tab = _same_browser(app, client)
    page = tab.get("/portal/capacity")
    asking = Stepper(
        lambda: client.get("/oauth2/authorize", query_string=named),
        stops=("authorize.before_code",),
    ).start()
    assert submit(tab, page, assignment=str(beside)).status_code == 303
    answer = asking.finish()
    assert answer.status_code in (302, 303), answer.text
    assert flow.told(answer)["error"] == "login_required"
    # It has served: nothing comes of it a second time.
    assert client.get("/oauth2/authorize", query_string=named).status_code == 400


def test_a_code_asked_for_while_she_switches_dies_with_the_old_capacity(
    world: World, app: Flask, client: FlaskClient
) -> None:
    """The other way round: the switch has ended everything it saw and is not through yet."""
    beside = _second_post(world)
    flow = Flow(client, world.register(), scope="openid offline_access")
    world.sign_in(client)
    tab = _same_browser(app, client)
    page = tab.get("/portal/capacity")
    switching = Stepper(
        lambda: submit(tab, page, assignment=str(beside)), stops=("session.told",)
    ).start()
    asking = Stepper(flow.ask, stops=()).start(within=A_MOMENT)
    assert switching.finish().status_code == 303
    assert "session.told" in switching.passed
    assert "error" in _worth(flow, asking.finish())


def _second_post(world: World) -> int:
    with world.services.db.write() as session:
        unit = make_unit(session, "Văn phòng")
        holder = session.get_one(User, world.user_id)
        return make_assignment(session, holder, unit, kind="concurrent").id


def test_a_code_asked_for_before_the_consent_was_taken_back_dies_with_it(
    world: World, app: Flask, client: FlaskClient
) -> None:
    party = world.register("Bên ngoài", first_party=False)
    flow = Flow(client, party, scope="openid offline_access")
    world.sign_in(client)
    _agree(client, flow)
    tab = _same_browser(app, client)
    page = tab.get("/portal/consents")
    asking = Stepper(flow.ask, stops=("authorize.before_code",)).start()
    answer = submit(tab, page, f"/portal/consents/{party.client_id}/revoke")
    assert answer.status_code == 303
    assert "error" in _worth(flow, asking.finish())
    # And she is asked again.
    assert flow.ask().status_code == 200


def test_a_code_asked_for_while_the_consent_is_taken_back_dies_with_it(
    world: World, app: Flask, client: FlaskClient
) -> None:
    party = world.register("Bên ngoài", first_party=False)
    flow = Flow(client, party, scope="openid offline_access")
    world.sign_in(client)
    _agree(client, flow)
    tab = _same_browser(app, client)
    page = tab.get("/portal/consents")
    path = f"/portal/consents/{party.client_id}/revoke"
    taking = Stepper(lambda: submit(tab, page, path), stops=("consent.withdrawn",)).start()
    asking = Stepper(flow.ask, stops=()).start(within=A_MOMENT)
    assert taking.finish().status_code == 303
    assert "consent.withdrawn" in taking.passed
    answer = asking.finish()
    assert answer.status_code == 200 or "error" in _worth(flow, answer)


def _agree(client: FlaskClient, flow: Flow) -> str:
    page = flow.ask()
    data = hidden_fields(page.text) | {"decision": "allow"}
    return flow.told(client.post("/oauth2/consent", data=data))["code"]


def test_a_consent_taken_back_while_it_is_given_leaves_no_grant_without_one(
    world: World, app: Flask, client: FlaskClient
) -> None:
    """She says yes in one tab and takes everything back in another: whichever counts last, the
    application holds something only while she sees it among what she has allowed.
    """
    party = world.register("Bên ngoài", first_party=False)
    flow = Flow(client, party, scope="openid offline_access")
    world.sign_in(client)
    first = flow.redeem(_agree(client, flow)).get_json()
    page = flow.ask(prompt="consent")
    tab = _same_browser(app, client)
    mine = tab.get("/portal/consents")
    data = hidden_fields(page.text) | {"decision": "allow"}
    saying_yes = Stepper(
        lambda: client.post("/oauth2/consent", data=data), stops=("authorize.before_code",)
    ).start()
    submit(tab, mine, f"/portal/consents/{party.client_id}/revoke")
    worth = _worth(flow, saying_yes.finish())
    assert flow.introspect(first["access_token"]) == {"active": False}
    allowed = "Bên ngoài" in tab.get("/portal/consents").text
    assert ("access_token" in worth) is allowed


# ---- how many people one person may change ------------------------------------------------------


def _batch(hr: Hr, token: str, number: str, *people: str) -> Any:
    """A suspension by one decision, previewed now."""
    body: dict[str, Any] = {
        "kind": "suspend",
        "users": [hr.names[who] for who in people],
        "decision": {"number": number, "issued_on": "2026-03-01", "issuer": "UBND tỉnh"},
    }
    plan = hr.api(token).plan(**body)
    assert plan["conflicts"] == []
    asked = body | {"fingerprint": plan["fingerprint"]}
    return lambda: hr.api(token).post("/api/v1/changes", asked, key=secrets.token_hex(8))


def _batches(hr: Hr, first: str, second: str) -> tuple[Any, Any]:
    """Two people each, under these decisions, by one committer."""
    token = hr.token()
    return _batch(hr, token, first, "lan", "hien"), _batch(hr, token, second, "mai", "plain")


def _suspended(hr: Hr) -> int:
    with hr.services.db.read() as session:
        count = text("SELECT count(*) FROM users WHERE status = 'suspended'")
        return int(session.execute(count).scalar_one())


@pytest.mark.settings(change_approval_people=3)
@pytest.mark.parametrize("stop", [CHECKED, "commit.locked", DONE])
def test_two_batches_of_one_decision_at_once_are_counted_together(hr: Hr, stop: str) -> None:
    answers = _one_after_the_other(*_batches(hr, "12/QĐ", "12/QĐ"), stop)
    assert sorted(a.status_code for a in answers) == [201, 403], [a.text for a in answers]
    assert next(a.json["code"] for a in answers if a.status_code == 403) == "second_person"
    assert _suspended(hr) == 2


@pytest.mark.settings(change_approval_people=3)
def test_batches_of_two_decisions_at_once_are_counted_apart(hr: Hr) -> None:
    answers = _one_after_the_other(*_batches(hr, "12/QĐ", "13/QĐ"), DONE)
    assert [a.status_code for a in answers] == [201, 201], [a.text for a in answers]
    assert _suspended(hr) == 4
