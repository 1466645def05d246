"""Every way that yields or honours a token × every state that must refuse it.

The ways are not listed here but discovered: from the metadata of the running server, and from
the registry of its grants. One without a row below fails the test, as does a row that says of a
state neither how it refuses nor why it need not. Each cell is first shown to succeed with the
state removed; a cell that is excused is shown to succeed with it.

Once more of two processes: tests/strangers/test_two_processes_ways.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import delete

from directory.assignments import Assignment, Position
from directory.base.clock import VIETNAM, local_day, next_day
from directory.entitlements import Application, Installation, Rule, installation
from directory.people import User
from idp.oidc import clients
from idp.oidc.authorization import consent
from idp.oidc.clients import (
    SCOPES,
    Client,
    GrantType,
    Options,
    ResponseType,
    TokenFormat,
)
from idp.oidc.server import Server
from tests.browser_client import hidden_fields
from tests.device_flow import Device
from tests.relying_party import OPERATOR, Flow, Party, World, build_world

REDIRECT = "https://vanban.example/callback"
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
OK = "ok"


@dataclass
class Stage:
    """One official, a client that may do everything a client can, and a machine."""

    world: World
    flow: Flow
    machine: Flow

    def begin(self) -> None:
        """She signs in half a minute before midnight, and has consented."""
        clock = self.world.clock
        local = clock.now.astimezone(VIETNAM)
        evening = local.replace(hour=23, minute=59, second=30, microsecond=0)
        clock.set((evening if evening >= local else evening + timedelta(days=1)).astimezone())
        self.world.sign_in(self.flow.browser)
        with self.world.services.db.write() as session:
            consent.remember(
                session,
                user_id=self.world.user_id,
                client_id=self.flow.party.id,
                scopes=SCOPES,
                actor=OPERATOR,
                now=clock(),
            )

    def ask(self, response_type: str = "code") -> dict[str, str]:
        """What the authorization endpoint tells the client, without asking her anything."""
        response = self.flow.ask(response_type=response_type, prompt="none")
        if response.status_code != 302:
            return {"error": str(response.status_code)}
        parts = urlsplit(response.headers["Location"])
        assert parts.netloc == "vanban.example", response.headers["Location"]
        said = parts.fragment or parts.query
        return {name: values[0] for name, values in parse_qs(said).items()}

    def code(self) -> str:
        """A fresh code."""
        return self.ask()["code"]

    def tokens(self) -> dict[str, Any]:
        """Fresh tokens."""
        answer: dict[str, Any] = self.flow.redeem(self.code()).get_json()
        return answer

    def machine_token(self) -> str:
        """A fresh token of the machine."""
        answer = self.machine.token(grant_type="client_credentials")
        return str(answer.get_json()["access_token"])

    def probe(self, token: str) -> str:
        """What introspection says to the installation's own client, which may see every token."""
        party = Party(0, clients.PROBE, clients.probe_secret(self.world.services.keyring))
        said = Flow(self.flow.browser, party).introspect(token)
        return "inactive" if said == {"active": False} else OK


Use = Callable[[], str]


def _said(response: Any) -> str:
    """``ok`` for tokens, else the error."""
    body = response.get_json()
    return OK if "access_token" in body else str(body["error"])


# ---- the ways --------------------------------------------------------------------------------


def _code(stage: Stage) -> Use:
    code = stage.code()
    return lambda: _said(stage.flow.redeem(code))


def _refresh(stage: Stage) -> Use:
    text = stage.tokens()["refresh_token"]
    return lambda: _said(stage.flow.refresh(text))


def _client_credentials(stage: Stage) -> Use:
    return lambda: _said(stage.machine.token(grant_type="client_credentials"))


def _device(stage: Stage) -> Use:
    device = Device(stage.flow.browser, stage.flow.party, scope="openid").begin()
    device.decide()
    return lambda: _said(device.poll())


def _device_page(stage: Stage) -> Use:
    device = Device(stage.flow.browser, stage.flow.party, scope="openid").begin()
    form = hidden_fields(device.confirmation().text) | {"decision": "allow"}

    def allow() -> str:
        response = device.browser.post("/device/confirm", data=form)
        where = response.headers.get("Location", str(response.status_code))
        return OK if where == "/device/allowed" else where.partition("?")[0]

    return allow


def _exchange(flow: Flow, text: str) -> Use:
    return lambda: _said(
        flow.token(
            grant_type=GrantType.EXCHANGE.value, subject_token=text, subject_token_type=ACCESS
        )
    )


def _authorize(response_type: str) -> Callable[[Stage], Use]:
    words = set(response_type.split())
    wanted = {"token": "access_token"}

    def prepare(stage: Stage) -> Use:
        def ask() -> str:
            said = stage.ask(response_type)
            if {wanted.get(word, word) for word in words} <= said.keys():
                return OK
            return said["error"]

        return ask

    return prepare


def _userinfo(shape: TokenFormat) -> Callable[[Stage], Use]:
    def prepare(stage: Stage) -> Use:
        stage.world.change(Client, stage.flow.party.id, access_token_format=shape.value)
        text = stage.tokens()["access_token"]

        def ask() -> str:
            response = stage.flow.userinfo(text)
            return OK if response.status_code == 200 else str(response.get_json()["error"])

        return ask

    return prepare


def _introspection(shape: TokenFormat) -> Callable[[Stage], Use]:
    def prepare(stage: Stage) -> Use:
        stage.world.change(Client, stage.flow.party.id, access_token_format=shape.value)
        text = stage.tokens()["access_token"]
        return lambda: stage.probe(text)

    return prepare


def _introspected_machine(stage: Stage) -> Use:
    text = stage.machine_token()
    return lambda: stage.probe(text)


# ---- the states ------------------------------------------------------------------------------


def _do(**body: Any) -> Callable[[Stage], None]:
    def apply(stage: Stage) -> None:
        stage.world.do(user=stage.world.user_id, **body)

    return apply


def _transfer(stage: Stage, **more: Any) -> None:
    _do(kind="transfer", to_unit=stage.world.other_unit_id, **more)(stage)


def _past_midnight(stage: Stage) -> None:
    stage.world.clock.advance(seconds=31)


def _cut_by_date(stage: Stage) -> None:
    tomorrow = next_day(local_day(stage.world.clock()))
    _transfer(stage, effective_on=tomorrow.isoformat())
    _past_midnight(stage)


def _assignment(**when: int) -> Callable[[Stage], None]:
    def apply(stage: Stage) -> None:
        today = local_day(stage.world.clock())
        days = {name: today + timedelta(days=n) for name, n in when.items()}
        stage.world.change(Assignment, stage.world.assignment_id, **days)

    return apply


def _disable_clients(stage: Stage) -> None:
    with stage.world.services.db.write() as session:
        for party in (stage.flow.party, stage.machine.party):
            row = session.get_one(Client, party.id)
            clients.disable(session, row, actor=OPERATOR, now=stage.world.clock())


def _disable_application(stage: Stage) -> None:
    stage.world.change(Application, stage.flow.party.application_id, enabled=False)


def _take_rule_away(stage: Stage) -> None:
    with stage.world.services.db.write() as session:
        session.execute(delete(Rule))
        installation(session).rules_revision += 1


def _lower_eid(stage: Stage) -> None:
    stage.world.change(User, stage.world.user_id, eid_level=1)


def _demand(**settings: Any) -> Callable[[Stage], None]:
    """The installation asks for more from now on."""

    def apply(stage: Stage) -> None:
        for name, value in settings.items():
            setattr(stage.world.services.settings, name, value)

    return apply


def _position_demands(stage: Stage) -> None:
    held = stage.world.one(Assignment, stage.world.assignment_id)
    code = stage.world.one(Position, held.position_id).code
    _demand(position_acr={code: "urn:vn:aal:2"})(stage)


def _client_demands(level: str) -> Callable[[Stage], None]:
    def apply(stage: Stage) -> None:
        stronger = Options(minimum_eid_level=2, minimum_acr=level)
        stage.world.change(Client, stage.flow.party.id, options=stronger.stored)

    return apply


def _restore(stage: Stage) -> None:
    stage.world.change(Installation, 1, epoch=Installation.epoch + 1)


def _withdraw(stage: Stage) -> None:
    with stage.world.services.db.write() as session:
        consent.withdraw(
            session,
            user_id=stage.world.user_id,
            client_id=stage.flow.party.id,
            actor=OPERATOR,
            now=stage.world.clock(),
        )


def _sign_out(stage: Stage) -> None:
    page = stage.flow.browser.get("/portal/sessions")
    stage.flow.browser.post("/logout", data=hidden_fields(page.text))
    assert stage.flow.browser.get("/session/status").status_code == 401


STATES: dict[str, Callable[[Stage], None]] = {
    "suspended": _do(kind="suspend"),
    "left": _do(kind="leave", reason="resign"),
    "not yet valid": _assignment(valid_from=1),
    "transferred": _transfer,
    "cut by date": _cut_by_date,
    "assignment ended": _assignment(valid_to=0),
    "client disabled": _disable_clients,
    "application disabled": _disable_application,
    "rule taken away": _take_rule_away,
    "eID level too low": _lower_eid,
    "the client asks for more": _client_demands("urn:vn:aal:2"),
    "the client asks for what nobody reaches": _client_demands("urn:vn:aal:3"),
    "a scope asks for more": _demand(scope_acr={"openid": "urn:vn:aal:2"}),
    "her position asks for more": _position_demands,
    "the house asks for more": _demand(second_factor="everybody"),
    "installation restored": _restore,
    "consent withdrawn": _withdraw,
    "session ended": _sign_out,
}
REMOVED: dict[str, Callable[[Stage], None]] = {"cut by date": _past_midnight}
"""What else a state brings with it, and what alone must refuse nothing."""
OF_THE_CLIENT = {"client disabled", "application disabled", "installation restored"}


# ---- the rows --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One way: how it is prepared, what a refusal says, which states it is excused from and why."""

    prepare: Callable[[Stage], Use]
    refusals: frozenset[str]
    excused: dict[str, str] = field(default_factory=dict)


NO_PERSON = dict.fromkeys(STATES.keys() - OF_THE_CLIENT, "No person stands behind it.")
ASKED_WHEN_GIVEN = dict.fromkeys(
    (
        "rule taken away",
        "eID level too low",
        "the client asks for more",
        "the client asks for what nobody reaches",
        "her position asks for more",
        "the house asks for more",
    ),
    "Asked when a token is given, and an access token lives five minutes.",
)
INTROSPECTED = ASKED_WHEN_GIVEN | {
    "a scope asks for more": "Whoever asks is told her acr, and says what she lacks (RFC 9470 §6)."
}
WHERE_SHE_IS = {
    "the house asks for more": "It asks by where she is and what she is; a server stands elsewhere, and she "
    "signs in no more."
}
"""Of the token endpoint."""
RESOURCE = frozenset({"invalid_token", "insufficient_user_authentication"})
GRANT = frozenset({"invalid_grant", "invalid_client"})
SUBJECT = frozenset({"invalid_request", "invalid_client"})
ANSWERS = frozenset(
    {"login_required", "access_denied", "consent_required", "unmet_authentication_requirements"}
    | {"400"}
)
PAGE = frozenset({"/login", "/device", "403"})

ROWS: dict[str, Row] = {
    "token authorization_code": Row(_code, GRANT, WHERE_SHE_IS),
    "token refresh_token": Row(_refresh, GRANT, WHERE_SHE_IS),
    "token client_credentials": Row(
        _client_credentials,
        GRANT,
        NO_PERSON
        | {"installation restored": "The client proves anew who it is; nothing old is honoured."},
    ),
    f"token {GrantType.DEVICE}": Row(
        _device,
        GRANT,
        WHERE_SHE_IS | {"session ended": "No browser session stands behind it (RFC 8628)."},
    ),
    f"token {GrantType.EXCHANGE}": Row(
        lambda s: _exchange(s.flow, s.tokens()["access_token"]), SUBJECT, WHERE_SHE_IS
    ),
    **{f"authorize {t}": Row(_authorize(t.value), ANSWERS) for t in ResponseType},
    "userinfo_endpoint": Row(_userinfo(TokenFormat.OPAQUE), RESOURCE, ASKED_WHEN_GIVEN),
    "introspection_endpoint": Row(
        _introspection(TokenFormat.OPAQUE), frozenset({"inactive"}), INTROSPECTED
    ),
}
BESIDE: dict[str, Row] = {
    "the page where a device is let in": Row(
        _device_page, PAGE, {"consent withdrawn": "She is asked, whatever she allowed before."}
    ),
    "exchange of a machine's token": Row(
        lambda s: _exchange(s.machine, s.machine_token()), SUBJECT, NO_PERSON
    ),
    "userinfo for a JWT": Row(_userinfo(TokenFormat.JWT), RESOURCE, ASKED_WHEN_GIVEN),
    "introspection of a JWT": Row(
        _introspection(TokenFormat.JWT), frozenset({"inactive"}), INTROSPECTED
    ),
    "introspection of a machine's token": Row(
        _introspected_machine, frozenset({"inactive"}), NO_PERSON
    ),
}
"""Ways of the same endpoints that the metadata does not tell apart."""
EVERY = ROWS | BESIDE

YIELDS_NOTHING = {
    "authorization_endpoint": "One row per response type.",
    "token_endpoint": "One row per grant type.",
    "device_authorization_endpoint": "Its codes are worth nothing until a person has decided.",
    "pushed_authorization_request_endpoint": "Its request is judged at the authorization endpoint.",
    "registration_endpoint": "It makes clients; tokens come by the other ways.",
    "revocation_endpoint": "It only takes away.",
    "end_session_endpoint": "It only takes away.",
}


def _discovered(told: dict[str, Any]) -> set[str]:
    """The ways the metadata of the running server tells of."""
    grants = set(told["grant_types_supported"]) - {GrantType.IMPLICIT.value}
    endpoints = {n for n in told if n.endswith("_endpoint") and n not in YIELDS_NOTHING}
    return (
        {f"token {g}" for g in grants}
        | {f"authorize {t}" for t in told["response_types_supported"]}
        | endpoints
    )


def _registered(server: Server) -> set[str]:
    """The ways the server's registry of grants holds."""
    return {f"token {grant.GRANT_TYPE}" for grant, _ in server._token_grants} | {
        f"authorize {t.value}" for t in ResponseType
    }


@pytest.fixture
def settings(make_settings: Any) -> Any:
    """Everything an installation can switch on is on."""
    return make_settings(response_types=[t.value for t in ResponseType], registration="open")


@pytest.fixture
def stage(services: Any, clock: Any, client: Any) -> Stage:
    return set_up(build_world(services, clock), client)


def set_up(world: World, client: Any) -> Stage:
    """With this browser."""
    application = world.restricted().application_id
    everything = world.register(
        "Văn bản",
        application_id=application,
        redirect_uris=(REDIRECT,),
        first_party=False,
        grant_types=tuple(g for g in GrantType if g is not GrantType.CLIENT),
        response_types=tuple(ResponseType),
        options=Options(minimum_eid_level=2),
    )
    machine = world.register(
        "Máy",
        application_id=application,
        redirect_uris=(),
        scopes=("changes:read",),
        grant_types=(GrantType.CLIENT, GrantType.EXCHANGE),
    )
    flow = Flow(client, everything, redirect_uri=REDIRECT, scope="openid profile")
    return Stage(world, flow, Flow(client, machine))


def test_every_way_has_a_row(stage: Stage, app: Any) -> None:
    told = stage.flow.browser.get("/.well-known/openid-configuration").get_json()
    found, known = _discovered(told), _registered(app.extensions["dinhdanh-oidc"])
    assert found | known == ROWS.keys()
    assert known == {way for way in found if way.startswith(("token ", "authorize "))}


def test_a_grant_without_a_row_is_noticed(stage: Stage, app: Any) -> None:
    """The test above can fail."""

    class Ciba:
        GRANT_TYPE = "urn:openid:params:grant-type:ciba"
        check_token_endpoint = True

    server = app.extensions["dinhdanh-oidc"]
    server.register_grant(Ciba)
    assert _registered(server) - ROWS.keys() == {"token urn:openid:params:grant-type:ciba"}
    told = stage.flow.browser.get("/.well-known/openid-configuration").get_json()
    told["backchannel_authentication_endpoint"] = "https://…"
    told["grant_types_supported"] += [Ciba.GRANT_TYPE]
    assert len(_discovered(told) - ROWS.keys()) == 2


def test_every_row_answers_for_every_state() -> None:
    for row in EVERY.values():
        assert all(row.excused.values())
        assert row.excused.keys() < STATES.keys()


def prepared(stage: Stage) -> dict[str, Use]:
    """Every way, ready to be used."""
    stage.begin()
    return {name: row.prepare(stage) for name, row in EVERY.items()}


@pytest.mark.parametrize("state", STATES)
def test_a_state_refuses_every_way_that_is_not_excused(
    stage: Stage, state: str, subtests: pytest.Subtests
) -> None:
    uses = prepared(stage)
    REMOVED.get(state, lambda _stage: None)(stage)
    for name, use in uses.items():
        with subtests.test("without the state", way=name):
            assert use() == OK

    uses = prepared(stage)
    STATES[state](stage)
    for name, use in uses.items():
        with subtests.test("with the state", way=name):
            way = EVERY[name]
            assert use() in ({OK} if state in way.excused else way.refusals)
