"""What the OpenID Provider refuses, each with the answer the standard asks for."""

import base64
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from directory.base.audit import AuditEntry, Tag
from directory.entitlements import Application
from idp.oidc import clients
from idp.oidc.clients import AuthMethod, Client
from idp.oidc.grants import Grant
from idp.oidc.handles import Refresh
from idp.oidc.tokens import Tokens
from tests.relying_party import REDIRECT, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def flow(world: World, client: Any) -> Flow:
    made = Flow(client, world.register())
    world.sign_in(client)
    return made


# ---- at the authorization endpoint: told to the client ---------------------------------------

TOLD = [
    ("no PKCE", {"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
    ("PKCE without its method", {"code_challenge_method": None}, "invalid_request"),
    ("PKCE plain", {"code_challenge_method": "plain"}, "invalid_request"),
    ("a challenge that is no SHA-256", {"code_challenge": "a" * 42}, "invalid_request"),
    ("a challenge outside the alphabet", {"code_challenge": "~" * 43}, "invalid_request"),
    ("implicit", {"response_type": "id_token"}, "unsupported_response_type"),
    ("hybrid", {"response_type": "code id_token"}, "unsupported_response_type"),
    ("no response_type", {"response_type": None}, "invalid_request"),
    ("no scope", {"scope": None}, "invalid_scope"),
    ("unknown scopes only", {"scope": "admin root"}, "invalid_scope"),
    ("a request object", {"request": "e30.e30."}, "request_not_supported"),
    ("a request_uri", {"request_uri": "https://evil.example/"}, "request_uri_not_supported"),
    ("self-registration", {"registration": "{}"}, "registration_not_supported"),
    ("fragment responses", {"response_mode": "fragment"}, "invalid_request"),
    ("an unknown prompt", {"prompt": "loud"}, "invalid_request"),
    ("none with another prompt", {"prompt": "none login"}, "invalid_request"),
    ("a max_age that is no number", {"max_age": "-1"}, "invalid_request"),
    ("a max_age in other digits", {"max_age": "١٢"}, "invalid_request"),
    ("claims that are no JSON", {"claims": "{"}, "invalid_request"),
    ("claims that are no object", {"claims": "[]"}, "invalid_request"),
    ("a hint we did not sign", {"id_token_hint": "a.b.c"}, "invalid_request"),
]


@pytest.mark.parametrize(("changes", "error"), [t[1:] for t in TOLD], ids=[t[0] for t in TOLD])
def test_the_client_is_told(
    world: World, flow: Flow, changes: dict[str, str | None], error: str
) -> None:
    told = flow.told(flow.ask(**changes))
    assert told["error"] == error
    assert told["state"] == flow.state
    assert told["iss"] == "http://localhost:8000"
    assert "code" not in told
    assert not world.all(Grant)


SHOWN = [
    ("an unknown client", {"client_id": "nobody"}),
    ("no client", {"client_id": None}),
    ("no redirect URI", {"redirect_uri": None}),
    ("another path", {"redirect_uri": REDIRECT + "/deeper"}),
    ("another port", {"redirect_uri": REDIRECT.replace("9001", "9002")}),
    ("another query", {"redirect_uri": REDIRECT + "?x=1"}),
    ("another case", {"redirect_uri": REDIRECT.upper()}),
    ("a fragment", {"redirect_uri": REDIRECT + "#x"}),
    ("user information", {"redirect_uri": REDIRECT.replace("//", "//evil@")}),
    ("an IDN host", {"redirect_uri": "https://xn--đ.example/"}),
    ("letters that are not ASCII", {"redirect_uri": REDIRECT + "/đ"}),
    ("a NUL", {"redirect_uri": REDIRECT + "\0"}),
    ("more than there is room for", {"nonce": "n" * 9000}),
]


@pytest.mark.parametrize("changes", [s[1] for s in SHOWN], ids=[s[0] for s in SHOWN])
def test_our_own_page_says_so(world: World, flow: Flow, changes: dict[str, str | None]) -> None:
    response = flow.ask(**changes)
    assert response.status_code == 400
    assert "Location" not in response.headers
    assert response.mimetype == "text/html"
    assert not world.all(Grant)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri", "state", "scope", "code_challenge"])
def test_a_repeated_parameter_is_refused(world: World, flow: Flow, name: str) -> None:
    query = [*flow.query.items(), (name, flow.query[name])]
    response = flow.browser.get("/oauth2/authorize?" + urlencode(query))
    assert response.status_code == 400
    assert not world.all(Grant)


def test_a_disabled_client_is_as_good_as_unknown(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, enabled=False)
    assert flow.ask().status_code == 400
    assert flow.token(grant_type="client_credentials").get_json()["error"] == "invalid_client"


# ---- codes -----------------------------------------------------------------------------------


def _refused(response: Any, error: str = "invalid_grant", status: int = 400) -> None:
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.get_json()["error"] == error
    assert "access_token" not in response.get_json()
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "x" * 43}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_request"),
        ({"redirect_uri": "http://localhost:9001/other"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_grant"),
    ],
    ids=["another verifier", "no verifier", "a malformed one", "another redirect", "no redirect"],
)
def test_a_code_is_bound_to_its_request(
    flow: Flow, changes: dict[str, str | None], error: str
) -> None:
    code = flow.code()
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": REDIRECT,
        "code_verifier": flow.verifier,
    }
    _refused(flow.token(**(form | changes)), error)
    assert flow.redeem(code).status_code == 200


def test_a_code_used_twice_takes_back_what_it_gave(world: World, flow: Flow) -> None:
    code = flow.code()
    answer = flow.redeem(code).get_json()
    _refused(flow.redeem(code))
    assert flow.userinfo(answer["access_token"]).status_code == 401
    _refused(flow.refresh(answer["refresh_token"]))
    with world.services.db.read() as session:
        told = session.scalars(
            select(AuditEntry).where(AuditEntry.tag == Tag.GRANT_REVOKE.value)
        ).one()
        assert told.data["reason"] == "code_replay"


def test_a_code_of_another_client_is_refused_and_stays_good(world: World, flow: Flow) -> None:
    code = flow.code()
    thief = Flow(flow.browser, world.register("Kẻ trộm"), verifier=flow.verifier)
    _refused(thief.redeem(code))
    assert flow.redeem(code).status_code == 200


def test_a_code_lives_one_minute(world: World, flow: Flow) -> None:
    code = flow.code()
    world.clock.advance(seconds=61)
    _refused(flow.redeem(code))


# ---- refresh tokens --------------------------------------------------------------------------


def test_a_retry_within_ten_seconds_costs_nothing(world: World, flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    world.clock.advance(seconds=9)
    _refused(flow.refresh(first["refresh_token"]))
    assert flow.refresh(second["refresh_token"]).status_code == 200


def test_later_reuse_revokes_the_grant(world: World, flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    world.clock.advance(seconds=11)
    _refused(flow.refresh(first["refresh_token"]))
    _refused(flow.refresh(second["refresh_token"]))
    assert flow.userinfo(second["access_token"]).status_code == 401


def test_reuse_of_an_older_generation_revokes_at_once(flow: Flow) -> None:
    first = flow.tokens()
    second = flow.refresh(first["refresh_token"]).get_json()
    third = flow.refresh(second["refresh_token"]).get_json()
    _refused(flow.refresh(first["refresh_token"]))
    _refused(flow.refresh(third["refresh_token"]))


def test_another_clients_refresh_token_is_refused(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    _refused(Flow(flow.browser, world.register("Kẻ trộm")).refresh(answer["refresh_token"]))
    assert flow.refresh(answer["refresh_token"]).status_code == 200


def test_a_future_generation_nobody_was_given_is_refused(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    tokens = Tokens(world.services)
    held = tokens.handles.open_refresh(answer["refresh_token"])
    assert held is not None
    _refused(flow.refresh(tokens.handles.refresh(Refresh(held.grant_id, 7))))


def test_a_code_that_was_never_redeemed_gives_no_refresh(world: World, flow: Flow) -> None:
    tokens = Tokens(world.services)
    code = tokens.handles.open_code(flow.code())
    assert code is not None
    _refused(flow.refresh(tokens.handles.refresh(Refresh(code.grant_id, 0))))


# ---- the wrong thing in the wrong place ------------------------------------------------------


def test_each_token_is_good_for_one_thing_only(flow: Flow) -> None:
    code = flow.code()
    assert flow.userinfo(code).status_code == 401
    assert flow.introspect(code) == {"active": False}
    answer = flow.redeem(code).get_json()
    access, refresh, id_token = (answer[f"{n}_token"] for n in ("access", "refresh", "id"))
    for text in (refresh, id_token):
        assert flow.userinfo(text).status_code == 401
    for text in (access, id_token, code):
        _refused(flow.refresh(text))
    for text in (access, refresh, id_token):
        _refused(flow.redeem(text))
    assert flow.introspect(id_token) == {"active": False}


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_handle_with_any_bit_changed_is_nothing(flow: Flow, kind: str) -> None:
    text = flow.tokens()[kind]
    prefix, body = text[:4], text[4:]
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    for at in range(0, len(raw) * 8, 7):
        bent = bytearray(raw)
        bent[at // 8] ^= 1 << at % 8
        spelt = prefix + base64.urlsafe_b64encode(bytes(bent)).decode().rstrip("=")
        assert flow.introspect(spelt) == {"active": False}
    for other in (text[:-1], text[:20], text + "A", text + "=", text.upper(), prefix, "x" + text):
        assert flow.introspect(other) == {"active": False}
    assert flow.introspect(text)["active"] is True


def test_an_access_token_expires(world: World, flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    world.clock.advance(seconds=301)
    assert flow.introspect(text) == {"active": False}
    response = flow.userinfo(text)
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


def test_userinfo_without_a_token_says_only_how(flow: Flow) -> None:
    response = flow.browser.get("/oauth2/userinfo")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="dinhdanh"'


def test_userinfo_takes_no_token_from_the_query_and_none_twice(flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    url = "/oauth2/userinfo"
    assert flow.browser.get(url, query_string={"access_token": text}).status_code == 400
    twice = flow.browser.post(
        url, data={"access_token": text}, headers={"Authorization": f"Bearer {text}"}
    )
    assert twice.status_code == 400
    assert flow.browser.post(url, data={"access_token": text}).status_code == 200


def test_userinfo_needs_openid(flow: Flow) -> None:
    flow.scope = "email"
    response = flow.userinfo(flow.tokens()["access_token"])
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


# ---- clients ---------------------------------------------------------------------------------


def _post(flow: Flow, form: dict[str, str], **headers: str) -> Any:
    return flow.browser.post("/oauth2/token", data=form, headers=headers)


def test_authentication_that_fails_looks_always_the_same(world: World, flow: Flow) -> None:
    form = {"grant_type": "client_credentials"}
    other = world.register("Khác")
    answers = [
        _post(flow, form),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"nobody:x").decode()),
        _post(
            flow,
            form,
            Authorization="Basic "
            + base64.b64encode(f"{flow.party.client_id}:{other.secret}".encode()).decode(),
        ),
        _post(flow, form, Authorization="Basic !!!"),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"\xff\xfe:x").decode()),
        _post(flow, form, Authorization="Basic " + base64.b64encode(b"nocolon").decode()),
        _post(flow, form, Authorization="Bearer " + (flow.party.secret or "")),
        _post(flow, form | {"client_id": flow.party.client_id}),
        _post(
            flow,
            form
            | {"client_id": flow.party.client_id, "client_secret": flow.party.secret or ""},
        ),
        _post(flow, form | {"client_assertion": "x", "client_assertion_type": "y"}),
    ]
    for answer in answers:
        _refused(answer, "invalid_client", 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
        assert answer.get_json() == answers[0].get_json()


def test_two_ways_of_authentication_at_once_are_refused(flow: Flow) -> None:
    form = {"grant_type": "client_credentials", "client_secret": flow.party.secret or ""}
    response = _post(flow, form | {"client_id": flow.party.client_id}, **flow.party.basic)
    _refused(response, "invalid_request")
    other = _post(flow, {"grant_type": "x", "client_id": "other"}, **flow.party.basic)
    assert other.status_code == 400


def test_a_public_client_cannot_introspect(world: World, flow: Flow) -> None:
    party = world.register("Công khai", auth_method=AuthMethod.NONE)
    response = flow.browser.post(
        "/oauth2/introspect", data={"client_id": party.client_id, "token": "x"}
    )
    _refused(response, "invalid_client", 401)


def test_parameters_in_the_query_or_twice_do_not_count(flow: Flow) -> None:
    code = flow.code()
    query = flow.browser.post(
        "/oauth2/token?" + urlencode({"grant_type": "authorization_code", "code": code}),
        headers=flow.party.basic,
    )
    assert query.status_code == 400
    body = urlencode([("grant_type", "authorization_code"), ("code", code), ("code", code)])
    twice = flow.browser.post(
        "/oauth2/token",
        data=body,
        headers=flow.party.basic,
        content_type="application/x-www-form-urlencoded",
    )
    _refused(twice, "invalid_request")
    assert flow.redeem(code).status_code == 200


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type"),
        ({"grant_type": "đ"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "ddr_"}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "đ"}, "invalid_grant"),
    ],
)
def test_the_token_endpoint_names_what_is_wrong(
    flow: Flow, form: dict[str, str], error: str
) -> None:
    _refused(_post(flow, form, **flow.party.basic), error)


def test_the_token_endpoint_wants_a_form(flow: Flow) -> None:
    response = flow.browser.post(
        "/oauth2/token", json={"grant_type": "client_credentials"}, headers=flow.party.basic
    )
    _refused(response, "invalid_request")
    assert flow.browser.get("/oauth2/token").status_code == 405


def test_a_machine_gets_no_scope_about_a_person_and_none_it_lacks(
    world: World, flow: Flow
) -> None:
    machine = Flow(flow.browser, world.machine("changes:read", "openid"))
    for scope in ("openid", "changes:write", "changes:read openid"):
        _refused(machine.token(grant_type="client_credentials", scope=scope), "invalid_scope")


def test_a_client_cannot_revoke_what_is_not_its_own(world: World, flow: Flow) -> None:
    answer = flow.tokens()
    thief = Flow(flow.browser, world.register("Kẻ trộm"))
    _refused(thief.post("/oauth2/revoke", {"token": answer["refresh_token"]}))
    assert flow.introspect(answer["access_token"])["active"] is True
    assert flow.post("/oauth2/revoke", {"token": "unknown"}).status_code == 200


def test_unknown_token_type_hints_are_ignored(flow: Flow) -> None:
    text = flow.tokens()["access_token"]
    form = {"token": text, "token_type_hint": "made_up"}
    assert flow.post("/oauth2/introspect", form).get_json()["active"] is True
    assert flow.post("/oauth2/revoke", form).status_code == 200
    assert flow.introspect(text) == {"active": False}


def test_a_machines_token_cannot_be_revoked_singly(world: World, flow: Flow) -> None:
    machine = Flow(flow.browser, world.machine())
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    _refused(machine.post("/oauth2/revoke", {"token": text}), "unsupported_token_type")


def test_an_old_secret_works_until_the_overlap_ends(world: World, flow: Flow) -> None:
    with world.services.db.write() as session:
        secret = clients.rotate_secret(
            session,
            clients.get(session, flow.party.id),
            keyring=world.services.keyring,
            actor=clients.Actor.system(),
            now=world.clock(),
        )
    assert flow.tokens()
    world.clock.advance(days=8)
    _refused(flow.token(grant_type="refresh_token", refresh_token="x"), "invalid_client", 401)
    fresh = Flow(flow.browser, type(flow.party)(flow.party.id, flow.party.client_id, secret))
    _refused(fresh.refresh("x"))


# ---- each way in, and everything that closes it ----------------------------------------------


def _suspend(world: World, _flow: Flow) -> None:
    world.do(kind="suspend", user=world.user_id)


def _leave(world: World, _flow: Flow) -> None:
    world.do(kind="leave", user=world.user_id, reason="resign")


def _transfer(world: World, _flow: Flow) -> None:
    world.do(kind="transfer", user=world.user_id, to_unit=world.other_unit_id)


def _tomorrow(world: World, _flow: Flow) -> None:
    from directory.base.clock import local_day, next_day

    day = next_day(local_day(world.clock()))
    world.do(
        kind="transfer",
        user=world.user_id,
        to_unit=world.other_unit_id,
        effective_on=day.isoformat(),
    )


def _assignment_ends(world: World, _flow: Flow) -> None:
    from directory.assignments import Assignment
    from directory.base.clock import local_day

    world.change(Assignment, world.assignment_id, valid_to=local_day(world.clock()))


def _client_disabled(world: World, flow: Flow) -> None:
    with world.services.db.write() as session:
        made = session.get_one(Client, flow.party.id)
        clients.disable(session, made, actor=clients.Actor.system(), now=world.clock())
        clients.enable(session, made, actor=clients.Actor.system(), now=world.clock())


def _application_disabled(world: World, flow: Flow) -> None:
    world.change(Application, flow.party.application_id, enabled=False)


def _application_was_disabled(world: World, flow: Flow) -> None:
    world.change(Application, flow.party.application_id, epoch=Application.epoch + 1)


def _restored(world: World, _flow: Flow) -> None:
    from directory.entitlements import Installation

    world.change(Installation, 1, epoch=Installation.epoch + 1)


PERSONAL = {
    "suspended": _suspend,
    "left": _leave,
    "transferred": _transfer,
    "assignment ended": _assignment_ends,
}
ANYBODY = {
    "client disabled": _client_disabled,
    "application disabled": _application_disabled,
    "application was disabled": _application_was_disabled,
    "restored from a backup": _restored,
}


@pytest.fixture
def linked(world: World, client: Any) -> Flow:
    made = Flow(client, world.restricted(), scope="openid offline_access")
    world.sign_in(client)
    return made


@pytest.mark.parametrize("event", [*PERSONAL, *ANYBODY])
@pytest.mark.parametrize("way", ["authorize", "code", "refresh", "userinfo", "introspection"])
def test_what_was_good_a_moment_ago_is_refused(
    world: World, linked: Flow, event: str, way: str
) -> None:
    act = (PERSONAL | ANYBODY)[event]
    answer, code = linked.tokens(), linked.code()
    assert linked.userinfo(answer["access_token"]).status_code == 200
    assert linked.introspect(answer["access_token"])["active"] is True

    act(world, linked)

    if way == "authorize":
        response = linked.ask(prompt="none")
        if event in PERSONAL or event == "restored from a backup":
            assert linked.told(response)["error"] == "login_required"
        elif event == "application disabled":
            assert response.status_code == 400
    elif way == "code":
        _dead(linked.redeem(code))
    elif way == "refresh":
        _dead(linked.refresh(answer["refresh_token"]))
    elif way == "userinfo":
        assert linked.userinfo(answer["access_token"]).status_code == 401
    else:
        probe = Flow(linked.browser, _probe(world))
        assert probe.introspect(answer["access_token"]) == {"active": False}
        assert probe.introspect(answer["refresh_token"]) == {"active": False}


def _dead(response: Any) -> None:
    assert response.get_json()["error"] in ("invalid_grant", "invalid_client")
    assert "access_token" not in response.get_json()


def _probe(world: World) -> Any:
    from tests.relying_party import Party

    return Party(0, clients.PROBE, clients.probe_secret(world.services.keyring))


@pytest.mark.parametrize("event", list(ANYBODY))
def test_a_machines_token_ends_with_its_client(
    world: World, client: Any, event: str
) -> None:
    from tests.factories import make_application

    with world.services.db.write() as session:
        application = make_application(session)
    machine = Flow(client, world.machine(application_id=application.id))
    text = machine.token(grant_type="client_credentials").get_json()["access_token"]
    probe = Flow(client, _probe(world))
    assert probe.introspect(text)["active"] is True
    ANYBODY[event](world, machine)
    assert probe.introspect(text) == {"active": False}


def test_a_dated_cut_closes_everything_on_its_day_and_not_before(
    world: World, client: Any, make_settings: Any
) -> None:
    flow = Flow(client, world.register(), scope="openid offline_access")
    world.clock.advance(hours=14, minutes=59)  # 23:59 in Viet Nam
    world.sign_in(client)
    answer = flow.tokens()
    _tomorrow(world, flow)
    assert flow.userinfo(answer["access_token"]).status_code == 200
    again = flow.refresh(answer["refresh_token"]).get_json()
    code = flow.code()
    world.clock.advance(seconds=60)
    assert flow.userinfo(again["access_token"]).status_code == 401
    assert flow.introspect(again["access_token"]) == {"active": False}
    _dead(flow.refresh(again["refresh_token"]))
    _dead(flow.redeem(code))
    assert flow.told(flow.ask(prompt="none"))["error"] == "login_required"


def test_a_session_that_raced_the_commit_gives_dead_grants(world: World, flow: Flow) -> None:
    """The grant carries the session's epoch: raised meanwhile, the code is worth nothing."""
    code = flow.code()
    from directory.people import User

    world.change(User, world.user_id, access_epoch=User.access_epoch + 1)
    _dead(flow.redeem(code))


def test_undo_revives_nothing(world: World, flow: Flow) -> None:
    from directory.changes.undo import undo_spec

    answer = flow.tokens()
    change = world.do(kind="suspend", user=world.user_id)
    has = world.services
    with has.db.read() as session:
        spec = undo_spec(session, change.id, now=world.clock())
        actor = clients.Actor.operator("x")
        plan = has.door.plan(session, spec, actor, now=world.clock())
    with has.db.write() as session:
        has.door.commit(
            session, spec, actor, now=world.clock(), fingerprint=plan.fingerprint
        )
    assert flow.userinfo(answer["access_token"]).status_code == 401
    _dead(flow.refresh(answer["refresh_token"]))


def test_losing_the_entitlement_ends_the_grant_at_the_next_refresh(
    world: World, linked: Flow
) -> None:
    from directory.entitlements import Rule, installation

    answer = linked.tokens()
    with world.services.db.write() as session:
        for rule in session.scalars(select(Rule)):
            rule.enabled = False
        installation(session).rules_revision += 1
    _dead(linked.refresh(answer["refresh_token"]))
    assert linked.userinfo(answer["access_token"]).status_code == 401


# ---- two at once -----------------------------------------------------------------------------


def _together(app: Any, work: Any, times: int = 4) -> list[Any]:
    """Run ``work`` with a browser each, all at the same moment."""
    barrier, answers, lock = threading.Barrier(times), [], threading.Lock()

    def one() -> None:
        browser = app.test_client()
        barrier.wait()
        answer = work(browser)
        with lock:
            answers.append(answer)

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.both_databases
def test_of_parallel_redemptions_one_wins_and_its_tokens_die(
    world: World, app: Any, client: Any
) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    for _ in range(3):
        code = flow.code()
        answers = _together(
            app, lambda b, c=code: Flow(b, flow.party, verifier=flow.verifier).redeem(c).get_json()
        )
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"]) == {"active": False}


@pytest.mark.both_databases
def test_of_parallel_refreshes_one_wins_and_goes_on(world: World, app: Any, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = flow.tokens()["refresh_token"]
    for _ in range(3):
        answers = _together(app, lambda b, t=text: Flow(b, flow.party).refresh(t).get_json())
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"])["active"] is True
        text = won[0]["refresh_token"]


