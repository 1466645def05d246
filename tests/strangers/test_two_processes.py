"""What one process changes counts at the very next request to another, and nothing that a backup has
taken back counts because a process remembers it.

Two processes are two ``Services`` on one database; the clock of both stands still, so that nothing
is noticed because it has grown old.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from directory.base import base64url
from directory.changes import rules
from directory.entitlements import Application
from idp.oidc.clients import Client, GrantType, Options, SubjectType, TokenFormat
from idp.run import wiring
from idp.services import Services
from tests.bent import bent
from tests.command_line import Operator, operator
from tests.factories import make_application
from tests.process_memory import Memory
from tests.relying_party import OPERATOR, REDIRECT, Flow, Party, World, build_world, counted
from tests.serving import until

__all__ = ["operator"]
pytestmark = [pytest.mark.both_databases, pytest.mark.slow]  # several processes
EVERY = (GrantType.CODE, GrantType.REFRESH, GrantType.DEVICE)
OTHER = "http://localhost:9002/callback"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    """As the process sees it that changes things."""
    return build_world(services, clock)


@pytest.fixture
def there(
    services: Any, clock: Any, world: World, another_app: Callable[[Services], Flask]
) -> Iterator[FlaskClient]:
    """Another process that has served requests before; somebody is signed in."""
    other = wiring.build(services.settings, clock=clock)
    browser = another_app(other).test_client()
    world.sign_in(browser)
    Flow(browser, world.restricted()).tokens()
    browser.get("/oauth2/jwks")
    yield browser
    other.db.dispose()


def kid_of(token: str) -> str:
    return str(json.loads(base64url.decode(token.partition(".")[0]))["kid"])


def published(browser: FlaskClient) -> set[str]:
    return {key["kid"] for key in browser.get("/oauth2/jwks").get_json()["keys"]}


def by_sql(world: World, *statements: str, **values: Any) -> None:
    """As an operator does by hand."""
    with world.services.db.write() as session:
        for each in statements:
            session.execute(text(each), values)


# ---- clients -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("done", "undone"),
    [
        ("client SET enabled = false", "client SET enabled = true"),
        ("client SET epoch = epoch + 1", "client SET epoch = epoch - 1"),
        ("application SET enabled = false", "application SET enabled = true"),
        ("application SET epoch = epoch + 1", "application SET epoch = epoch - 1"),
    ],
)
@pytest.mark.parametrize("shape", list(TokenFormat))
def test_what_is_said_of_another_client_s_own_token_is_true_at_once(
    world: World, there: FlaskClient, shape: TokenFormat, done: str, undone: str
) -> None:
    """Both clients are read by one statement."""
    application = world.restricted().application_id
    machine = world.machine(application_id=application, access_token_format=shape)
    watching = Flow(there, world.register(introspect_all=True))
    text = Flow(there, machine).token(grant_type="client_credentials").get_json()["access_token"]
    row = {"client": machine.id, "application": application}[done.partition(" ")[0]]
    for change, good in ((done, False), (undone, True), (done, False)):
        assert watching.introspect(text)["active"] is not good
        by_sql(world, f"UPDATE {change} WHERE id = :row", row=row)
        assert watching.introspect(text)["active"] is good
    by_sql(world, f"UPDATE {undone} WHERE id = :row", row=row)
    by_sql(world, "UPDATE client SET enabled = false WHERE id = :row", row=watching.party.id)
    assert watching.post("/oauth2/introspect", {"token": text}).status_code == 401


def test_a_disabled_client_is_unknown_at_once(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    flow = Flow(there, world.register())
    held = flow.tokens()
    assert operator("client", "disable", flow.party.client_id).code == 0
    assert flow.refresh(held["refresh_token"]).status_code == 401
    assert flow.ask().status_code == 400
    assert flow.userinfo(held["access_token"]).status_code == 401
    assert operator("client", "enable", flow.party.client_id).code == 0
    assert flow.tokens()


def test_a_rotated_secret_is_the_only_one_at_once(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    old = world.machine()
    machine = Flow(there, old)
    assert machine.token(grant_type="client_credentials").status_code == 200
    done = operator("client", "rotate", old.client_id)
    assert done.code == 0, done.said
    assert operator("client", "retire-secrets", old.client_id).code == 0
    assert machine.token(grant_type="client_credentials").status_code == 401
    renewed = Flow(there, Party(old.id, old.client_id, done.out.split()[1]))
    assert renewed.token(grant_type="client_credentials").status_code == 200


def test_an_address_that_is_taken_away_is_not_redirected_to(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    flow = Flow(there, world.register(redirect_uris=(REDIRECT, OTHER)))
    assert flow.code()
    done = operator("client", "set", flow.party.client_id, f"redirect_uris={OTHER}")
    assert done.code == 0, done.said
    assert flow.ask().status_code == 400
    assert "code" in Flow(there, flow.party, redirect_uri=OTHER).ask().headers["Location"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE client SET enabled = false WHERE client_id = :id",
        "UPDATE client SET secrets = '[]' WHERE client_id = :id",
        "UPDATE client SET epoch = epoch + 1 WHERE client_id = :id",
        "UPDATE client SET scopes = '[]' WHERE client_id = :id",
        "UPDATE application SET enabled = false",
        "UPDATE application SET epoch = epoch + 1",
        "UPDATE installation SET epoch = epoch + 1",
    ],
)
def test_what_is_changed_by_hand_counts_at_once(
    world: World, there: FlaskClient, change: str
) -> None:
    machine = Flow(there, world.machine(application_id=world.restricted().application_id))
    token = machine.token(grant_type="client_credentials").get_json()["access_token"]
    assert machine.introspect(token)["scope"] == "changes:read"
    by_sql(world, change, id=machine.party.client_id)
    answer = machine.post("/oauth2/introspect", {"token": token})
    assert answer.status_code == 401 or not answer.get_json().get("scope")


CALLS: dict[str, Callable[[Flow, Flow], Any]] = {
    "authorize": lambda flow, machine: flow.ask(),
    "par": lambda flow, machine: flow.post("/oauth2/par", flow.query),
    "device": lambda flow, machine: flow.post("/oauth2/device_authorization", {"scope": "openid"}),
    "token": lambda flow, machine: flow.redeem("ddc_nothing"),
    "client_credentials": lambda flow, machine: machine.token(grant_type="client_credentials"),
    "introspect": lambda flow, machine: flow.post("/oauth2/introspect", {"token": "x"}),
    "revoke": lambda flow, machine: flow.post("/oauth2/revoke", {"token": "x"}),
}
"""What a client asks that holds nothing yet; what it holds: tests/flows/test_grant_matrix.py."""
ALL = frozenset(CALLS)


@dataclass(frozen=True)
class Edit:
    """Columns of a client, or of its application, and which calls are refused while they say so."""

    refuses: frozenset[str]
    of: dict[str, Any] = field(default_factory=dict)
    of_application: dict[str, Any] = field(default_factory=dict)


EDITS = {
    "disabled": Edit(ALL, {"enabled": False}),
    "its application disabled": Edit(ALL, of_application={"enabled": False}),
    "secrets retired": Edit(ALL - {"authorize"}, {"secrets": []}),
    "another method": Edit(ALL - {"authorize"}, {"auth_method": "private_key_jwt"}),
    "addresses edited": Edit(frozenset({"authorize", "par"}), {"redirect_uris": [OTHER]}),
    "scopes edited": Edit(frozenset({"authorize", "par", "device"}), {"scopes": ["email"]}),
    "grant types edited": Edit(
        frozenset({"authorize", "par", "device", "token", "client_credentials"}),
        {"grant_types": ["refresh_token"], "response_types": []},
    ),
    "to sign its requests": Edit(
        frozenset({"authorize", "par"}), {"options": {"require_signed_request_object": True}}
    ),
}


def served(answer: Any) -> bool:
    """Not refused for who asks, nor for what the client may have."""
    if answer.status_code == 302:
        return "code=" in answer.headers["Location"]
    known = answer.is_json and answer.get_json().get("error") == "invalid_grant"
    return answer.status_code < 400 or known


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_and_its_undoing_count_by_the_next_call_whichever_it_is(
    world: World, there: FlaskClient, edit: Edit, subtests: pytest.Subtests
) -> None:
    linked = world.restricted().application_id
    party = world.register(application_id=linked, grant_types=EVERY)
    own = world.machine(application_id=linked)
    flow, machine = Flow(there, party, scope="openid"), Flow(there, own)

    rows = [(Application, linked, edit.of_application), (Client, party.id, edit.of)]
    rows.append((Client, own.id, edit.of))
    before = [(row, key, {n: getattr(world.one(row, key), n) for n in of}) for row, key, of in rows]

    def ask_each(remembered: Memory, refused: frozenset[str]) -> None:
        for name, call in CALLS.items():
            with subtests.test(call=name, refused=name in refused):
                remembered.put_back()
                assert served(call(flow, machine)) == (name not in refused)

    ask_each(Memory.now(), frozenset())
    for said, refused in ((rows, edit.refuses), (before, frozenset[str]())):
        remembered = Memory.now()
        for row, key, values in said:
            if values:
                world.change(row, key, **values)
        ask_each(remembered, refused)


# ---- signing keys ------------------------------------------------------------------------------


@pytest.fixture
def signed(world: World, there: FlaskClient) -> Flow:
    """A client whose every token is a JWT, by RS256."""
    return Flow(there, world.register(access_token_format=TokenFormat.JWT))


@pytest.mark.parametrize("way", ["withdraw", "rotate", "sql"])
def test_a_withdrawn_key_signs_nothing_and_nothing_it_has_signed_counts(
    world: World, there: FlaskClient, signed: Flow, operator: Operator, way: str
) -> None:
    held = signed.tokens()
    kid = kid_of(held["access_token"])
    assert signed.userinfo(held["access_token"]).status_code == 200
    if way == "withdraw":
        assert operator("keys", "withdraw", kid).code == 0
    elif way == "rotate":
        assert operator("keys", "rotate", "RS256", "--at-once").code == 0
    else:
        by_sql(
            world,
            "DELETE FROM signing_key WHERE kid = :kid",
            "UPDATE signing_key SET state = 'current' WHERE alg = 'RS256'",
            kid=kid,
        )
    assert signed.userinfo(held["access_token"]).status_code == 401
    assert signed.introspect(held["access_token"]) == {"active": False}
    hint = {"id_token_hint": held["id_token"]}
    assert there.get("/oauth2/logout", query_string=hint).status_code == 400
    # What it was told by those statements, it publishes: it need not look again.
    assert kid not in published(there)
    renewed = signed.tokens()
    assert kid_of(renewed["access_token"]) == kid_of(renewed["id_token"]) != kid
    assert signed.userinfo(renewed["access_token"]).status_code == 200


@pytest.mark.parametrize("first", ["userinfo", "introspection", "hint", "redeem", "api"])
def test_no_request_need_come_before_another(
    world: World, there: FlaskClient, signed: Flow, operator: Operator, first: str
) -> None:
    """Whichever is the first that a process is asked after a key was withdrawn."""
    code, held = signed.code(), signed.tokens()
    machine = Flow(there, world.machine(access_token_format=TokenFormat.JWT))
    own = machine.token(grant_type="client_credentials", scope="changes:read").get_json()
    bearer = {"Authorization": f"Bearer {own['access_token']}"}
    assert there.get("/api/v1/changes/1", headers=bearer).status_code == 404
    kid = kid_of(held["access_token"])
    assert operator("keys", "withdraw", kid).code == 0
    if first == "userinfo":
        assert signed.userinfo(held["access_token"]).status_code == 401
    elif first == "introspection":
        assert signed.introspect(held["access_token"]) == {"active": False}
    elif first == "hint":
        hint = {"id_token_hint": held["id_token"]}
        assert there.get("/oauth2/logout", query_string=hint).status_code == 400
    elif first == "redeem":
        assert kid_of(signed.redeem(code).get_json()["id_token"]) != kid
    else:
        assert there.get("/api/v1/changes/1", headers=bearer).status_code == 401


def test_a_process_that_nobody_asks_publishes_what_is_five_seconds_old(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    kid = published(there).pop()
    assert operator("keys", "withdraw", kid).code == 0
    world.clock.advance(seconds=5)
    # Kept waiting by its database it goes by what it knows; the look is under way.
    assert until(lambda: kid not in published(there))


def test_a_process_that_only_takes_tokens_learns_of_a_key_made_since(
    world: World, there: FlaskClient, client: FlaskClient, signed: Flow, operator: Operator
) -> None:
    world.sign_in(client)
    for _ in range(2):  # so that the key that signs was not there when the process last looked
        assert operator("keys", "rotate", "RS256", "--at-once").code == 0
    token = Flow(client, signed.party).tokens()["access_token"]
    assert signed.userinfo(token).status_code == 200


def test_signed_userinfo_is_signed_by_the_key_of_this_moment(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    party = world.register(options=Options(userinfo_signed_response_alg="ES256"))
    flow = Flow(there, party)
    token = flow.tokens()["access_token"]
    kid = kid_of(flow.userinfo(token).text)
    assert operator("keys", "withdraw", kid).code == 0
    assert kid_of(flow.userinfo(token).text) != kid


def test_a_forged_token_costs_a_look_for_its_key_and_nothing_more(
    world: World, signed: Flow, client: FlaskClient
) -> None:
    world.sign_in(client)
    here = Flow(client, signed.party)
    forged = bent(here.tokens()["access_token"], -8)
    with counted(world.services) as cost:
        assert here.userinfo(forged).status_code == 401
    assert cost == {}


# ---- a backup that is put back under a process that runs -------------------------------------------

TABLES = ("client", "signing_key", "installation", "entitlement_rule", "subject_sector")


def back_up(world: World) -> None:
    by_sql(world, *(f"CREATE TABLE kept_{each} AS SELECT * FROM {each}" for each in TABLES))


def put_back(world: World) -> None:
    """What was given and refused since is newer than the backup."""
    by_sql(world, "DELETE FROM access_grant", "DELETE FROM client_refusal")
    for each in TABLES:
        by_sql(
            world,
            f"DELETE FROM {each}",
            f"INSERT INTO {each} SELECT * FROM kept_{each}",
            f"DROP TABLE kept_{each}",
        )


def test_a_client_that_was_put_back_is_what_the_backup_says(
    world: World, there: FlaskClient, operator: Operator
) -> None:
    party = world.register()
    flow, moved = Flow(there, party), Flow(there, party, redirect_uri=OTHER)
    assert flow.code()
    back_up(world)
    assert operator("client", "set", party.client_id, f"redirect_uris={OTHER}").code == 0
    assert moved.code()
    assert flow.ask().status_code == 400
    put_back(world)
    assert moved.ask().status_code == 400
    assert flow.code()
    # What is changed now is another change than the first, however many have been counted.
    third = "http://localhost:9003/callback"
    assert operator("client", "set", party.client_id, f"redirect_uris={third}").code == 0
    assert moved.ask().status_code == 400
    assert Flow(there, party, redirect_uri=third).code()


def test_a_key_that_the_backup_does_not_know_signs_nothing(
    world: World, there: FlaskClient, signed: Flow, operator: Operator
) -> None:
    first = signed.tokens()["id_token"]
    back_up(world)
    for _ in range(2):
        assert operator("keys", "rotate", "RS256", "--at-once").code == 0
    later = signed.tokens()["id_token"]
    assert kid_of(later) != kid_of(first)
    put_back(world)
    hint = {"id_token_hint": later}
    assert there.get("/oauth2/logout", query_string=hint).status_code == 400
    assert kid_of(signed.tokens()["id_token"]) == kid_of(first)
    assert kid_of(later) not in published(there)
    assert kid_of(first) in published(there)


# ---- rules -------------------------------------------------------------------------------------


def ruled(world: World, **conditions: Any) -> tuple[Party, int]:
    """A client of an application that a rule gives, and the rule."""
    with world.services.db.write() as session:
        application = make_application(session, open_to_all=False)
        wanted = rules.Wanted("user", **conditions)
        made = rules.set_rule(session, application.id, wanted, actor=OPERATOR, now=world.clock())
        found = application.id, made.id
    return world.register(application_id=found[0]), found[1]


def add_rule(world: World, party: Party) -> None:
    with world.services.db.write() as session:
        assert party.application_id is not None
        wanted = rules.Wanted("other", unit_kind="province")
        rules.set_rule(session, party.application_id, wanted, actor=OPERATOR, now=world.clock())


def remove_rule(world: World, rule: int) -> None:
    with world.services.db.write() as session:
        rules.remove_rule(session, rule, actor=OPERATOR, now=world.clock())


def let_in(flow: Flow) -> bool:
    return "code=" in flow.ask().headers.get("Location", "")


def test_a_rule_that_is_taken_away_lets_nobody_in(world: World, there: FlaskClient) -> None:
    party, rule = ruled(world)
    flow = Flow(there, party)
    held = flow.tokens()
    remove_rule(world, rule)
    assert not let_in(flow)
    assert flow.refresh(held["refresh_token"]).status_code == 400


def test_a_rule_taken_away_after_a_backup_was_put_back_lets_nobody_in(
    world: World, there: FlaskClient
) -> None:
    """As many changes of the rules were made before it was put back as after."""
    party, rule = ruled(world)
    flow = Flow(there, party)
    assert let_in(flow)
    back_up(world)
    add_rule(world, party)
    assert let_in(flow)
    put_back(world)
    remove_rule(world, rule)
    assert not let_in(flow)


def test_a_rule_holds_for_a_unit_wherever_it_is_moved_to(world: World, there: FlaskClient) -> None:
    party, _ = ruled(world, unit=str(world.unit_id))
    assert let_in(Flow(there, party))
    day = world.clock().date().isoformat()
    world.do(kind="unit.move", unit=world.unit_id, parent=world.other_unit_id, effective_on=day)
    world.sign_in(there)  # she is with another authority now
    assert let_in(Flow(there, party))


def test_an_application_that_was_disabled_while_rules_were_read_lets_in_again(
    world: World, there: FlaskClient
) -> None:
    party, _ = ruled(world)
    other, _ = ruled(world)
    by_sql(world, "UPDATE application SET enabled = false WHERE id = :id", id=party.application_id)
    assert let_in(Flow(there, other))
    by_sql(world, "UPDATE application SET enabled = true WHERE id = :id", id=party.application_id)
    assert let_in(Flow(there, party))


# ---- names of its own for a sector ---------------------------------------------------------------


def test_a_sector_that_was_registered_anew_is_told_one_name_by_all(
    world: World, there: FlaskClient, client: FlaskClient
) -> None:
    """What a process has told before the backup was put back, nobody tells any more."""
    uri = "https://a.example/cb"

    def told(browser: FlaskClient, party: Party) -> str:
        flow = Flow(browser, party, redirect_uri=uri)
        return str(flow.userinfo(flow.tokens()["access_token"]).get_json()["sub"])

    def register() -> Party:
        return world.register(subject_type=SubjectType.PAIRWISE, redirect_uris=(uri,))

    back_up(world)
    lost = told(there, register())
    put_back(world)
    world.sign_in(client)
    again = register()
    assert told(there, again) == told(client, again) != lost
