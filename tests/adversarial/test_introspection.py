"""Introspection under attack (RFC 7662): of what is not hers to see, an asker learns nothing.

A dead, forged or foreign token is answered ``{"active": false}`` and not a word more (§2.2).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from directory.entitlements import Application, Installation
from directory.people import User
from idp.oidc import clients
from idp.oidc.clients import AuthMethod, Client, GrantType, Options, TokenFormat
from idp.oidc.opaque_tokens import Handles, Refresh
from idp.oidc.tokens import Tokens
from tests.factories import make_application
from tests.forgeries import FORGERIES, Genuine
from tests.relying_party import Flow, Party, World, build_world

ENDPOINT = "/oauth2/introspect"
ELSEWHERE = "https://files.example/v1"


@dataclass
class Scene:
    """A client with opaque tokens, one with JWTs, a resource server, and strangers."""

    world: World
    flow: Flow
    jwt: Flow
    resource_server: Flow
    stranger: Flow
    held: dict[str, Any]
    signed: dict[str, Any]

    @property
    def probe(self) -> Flow:
        """The installation's own, which may see every token."""
        party = Party(0, clients.PROBE, clients.probe_secret(self.world.services.keyring))
        return Flow(self.flow.browser, party)

    @property
    def genuine(self) -> Genuine:
        """The JWT access token and our keys."""
        jwks = self.flow.browser.get("/oauth2/jwks").get_json()
        return Genuine(self.signed["access_token"], jwks)

    @property
    def opened(self) -> Any:
        """What the opaque access token says."""
        return Tokens(self.world.services).handles.open_access(self.held["access_token"])


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    with services.db.write() as session:
        ours, theirs = (make_application(session, open_to_all=True) for _ in range(2))
    flow = Flow(client, world.register(application_id=ours.id))
    signed = Flow(client, world.register(access_token_format=TokenFormat.JWT, id_token_alg="ES256"))
    server = Flow(client, world.register("API", application_id=ours.id, resource_server=True))
    stranger = Flow(client, world.register("Lạ", application_id=theirs.id, resource_server=True))
    world.sign_in(client)
    return Scene(world, flow, signed, server, stranger, flow.tokens(), signed.tokens())


def test_the_honest_askers_are_told(scene: Scene) -> None:
    for asker in (scene.flow, scene.resource_server, scene.probe):
        assert asker.introspect(scene.held["access_token"])["active"] is True
    assert scene.jwt.introspect(scene.signed["access_token"])["active"] is True
    assert scene.flow.introspect(scene.held["refresh_token"])["active"] is True


@dataclass(frozen=True)
class Case:
    """One question, the rule that leaves it unanswered, and where the rule stands."""

    id: str
    rule: str
    source: str
    ask: Callable[[Scene], Any]


def _later(seconds: int, ask: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        scene.world.clock.advance(seconds=seconds)
        return ask(scene)

    return act


def _changed(row: type, key: Callable[[Scene], Any], **values: Any) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        scene.world.change(row, key(scene), **values)
        return [
            scene.probe.introspect(each[name])
            for each in (scene.held, scene.signed)
            for name in ("access_token", "refresh_token")
        ][slice(2 if row in (Client, Application) else 4)]

    return act


def _for_another(scene: Scene) -> Any:
    """A token of the same application that names a resource this server is not."""
    party = scene.world.register(
        application_id=scene.flow.party.application_id, options=Options(resources=(ELSEWHERE,))
    )
    text = Flow(scene.flow.browser, party).tokens(resource=ELSEWHERE)["access_token"]
    return scene.resource_server.introspect(text)


def _own(name: str) -> Callable[[Scene], Any]:
    return lambda s: s.probe.introspect(s.held[name])


def _bent(scene: Scene, **changes: Any) -> str:
    handles = Handles(scene.world.services.keyring, "https://idp.other.example")
    return handles.access(replace(scene.opened, **changes))


SEEN = [
    Case(
        "a stranger's question",
        "a client sees its own tokens",
        "RFC 7662 §4",
        lambda s: s.stranger.introspect(s.held["access_token"]),
    ),
    Case(
        "a resource server about a refresh token",
        "refresh tokens are between the client and us",
        "RFC 7662 §2.2",
        lambda s: s.resource_server.introspect(s.held["refresh_token"]),
    ),
    Case(
        "a resource server about a token for another resource",
        "a token that names its resources is theirs alone",
        "RFC 7662 §4, RFC 8707 §2",
        _for_another,
    ),
    Case(
        "a client of the same application about another's token",
        "a client sees its own tokens",
        "RFC 7662 §4",
        lambda s: Flow(
            s.flow.browser, s.world.register(application_id=s.flow.party.application_id)
        ).introspect(s.held["access_token"]),
    ),
    Case(
        "an ID token", "each token is good for one thing only", "RFC 8725 §3.11", _own("id_token")
    ),
    Case(
        "an ID token told to be an access token",
        "a hint makes no token into another",
        "RFC 7662 §2.1",
        lambda s: s.flow.post(
            ENDPOINT, {"token": s.held["id_token"], "token_type_hint": "access_token"}
        ).get_json(),
    ),
    Case(
        "a code",
        "each token is good for one thing only",
        "RFC 7662 §2.2",
        lambda s: s.flow.introspect(s.flow.code()),
    ),
    Case(
        "a token of another installation",
        "a handle is good at the issuer that made it",
        "RFC 9700 §4.4",
        lambda s: s.probe.introspect(_bent(s)),
    ),
    Case(
        "a token cut short",
        "a truncated handle is nothing",
        "CWE-345",
        lambda s: [s.probe.introspect(s.held["access_token"][:n]) for n in (-1, -9, 20, 4)],
    ),
    Case(
        "a token with something behind it",
        "one token has one spelling",
        "RFC 4648 §3.5",
        lambda s: [s.probe.introspect(s.held["access_token"] + x) for x in ("A", "=", "\n", " ")],
    ),
    Case(
        "a generation to come",
        "a refresh token of the future is nothing",
        "RFC 6749 §10.4",
        lambda s: s.probe.introspect(
            Tokens(s.world.services).handles.refresh(Refresh(s.opened.grant_id, 1))
        ),
    ),
    Case(
        "a used refresh token",
        "a refresh token is used once",
        "RFC 9700 §4.14.2",
        lambda s: (s.flow.refresh(s.held["refresh_token"]), _own("refresh_token")(s))[-1],
    ),
    Case(
        "an expired token",
        "an access token lives five minutes",
        "RFC 7662 §2.2",
        _later(301, lambda s: [_own("access_token")(s), s.probe.introspect(s.genuine.text)]),
    ),
    Case(
        "after giving back the refresh token",
        "what hangs on a revoked grant is dead",
        "CVE-2026-8922 (Keycloak)",
        lambda s: (
            s.flow.post("/oauth2/revoke", {"token": s.held["refresh_token"]}),
            _own("access_token")(s),
        )[-1],
    ),
    Case(
        "under an old epoch of the person",
        "a JWT is judged like any token when we are asked",
        "RFC 9068 §6, CWE-613",
        _changed(User, lambda s: s.world.user_id, access_epoch=User.access_epoch + 1),
    ),
    Case(
        "under an old epoch of the installation",
        "a restored installation honours nothing old",
        "CWE-672",
        _changed(Installation, lambda s: 1, epoch=Installation.epoch + 1),
    ),
    Case(
        "of a client disabled since",
        "a disabled client's tokens are dead",
        "CVE-2024-47000 (Zitadel)",
        _changed(Client, lambda s: s.flow.party.id, enabled=False),
    ),
    Case(
        "of an application disabled since",
        "a disabled application's tokens are dead",
        "CWE-613",
        _changed(Application, lambda s: s.flow.party.application_id, enabled=False),
    ),
    Case(
        "of somebody suspended since",
        "a token is judged when we are asked",
        "CWE-613",
        lambda s: (
            s.world.do(kind="suspend", user=s.world.user_id),
            [_own("access_token")(s), s.probe.introspect(s.genuine.text)],
        )[-1],
    ),
]
FORGED = [
    Case(
        each.id,
        each.rule,
        each.source,
        lambda s, each=each: s.probe.introspect(each.forge(s.genuine)),
    )
    for each in FORGERIES
]


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.id)
def test_nothing_is_learned(scene: Scene, case: Case) -> None:
    found = case.ask(scene)
    for said in found if isinstance(found, list) else [found]:
        assert said == {"active": False}


def test_nothing_is_learned_from_a_forgery(scene: Scene, subtests: pytest.Subtests) -> None:
    for case in FORGED:
        with subtests.test(case.id):
            assert case.ask(scene) == {"active": False}
    assert scene.probe.introspect(scene.genuine.text)["active"] is True


# ---- who may ask, and how --------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal(Case):
    """A question that is not even looked at."""

    error: str = "invalid_client"
    status: int = 401


def _as(scene: Scene, **form: str) -> Any:
    return scene.flow.browser.post(ENDPOINT, data={"token": scene.held["access_token"]} | form)


def _public(scene: Scene) -> Any:
    party = scene.world.register(
        "Công khai", auth_method=AuthMethod.NONE, grant_types=(GrantType.CODE,)
    )
    return _as(scene, client_id=party.client_id)


ASKED = [
    Refusal(
        "nobody",
        "who asks proves who it is",
        "RFC 7662 §2.1",
        lambda s: _as(s),
    ),
    Refusal(
        "a public client",
        "who keeps no secret may not scan for tokens",
        "RFC 7662 §4",
        _public,
    ),
    Refusal(
        "the token itself in place of a secret",
        "who asks proves who it is",
        "RFC 7662 §2.1",
        lambda s: s.flow.browser.post(
            ENDPOINT,
            data={"token": s.held["access_token"]},
            headers={"Authorization": f"Bearer {s.held['access_token']}"},
        ),
    ),
    Refusal(
        "a disabled client",
        "a disabled client is as good as unknown",
        "CWE-613",
        lambda s: (
            s.world.change(Client, s.flow.party.id, enabled=False),
            s.flow.post(ENDPOINT, {"token": s.held["access_token"]}),
        )[-1],
    ),
    Refusal(
        "no token",
        "an endpoint needs its parameters",
        "RFC 7662 §2.1",
        lambda s: s.flow.post(ENDPOINT, {"token_type_hint": "access_token"}),
        "invalid_request",
        400,
    ),
    Refusal(
        "two tokens",
        "no parameter may be repeated",
        "RFC 6749 §3.2",
        lambda s: s.flow.browser.post(
            ENDPOINT,
            data=f"token=x&token={s.held['access_token']}",
            headers=s.flow.party.basic,
            content_type="application/x-www-form-urlencoded",
        ),
        "invalid_request",
        400,
    ),
    Refusal(
        "the token in the query",
        "a token never stands in an address",
        "RFC 7662 §4",
        lambda s: s.flow.browser.post(
            f"{ENDPOINT}?token={s.held['access_token']}",
            data={},
            headers=s.flow.party.basic,
            content_type="application/x-www-form-urlencoded",
        ),
        "invalid_request",
        400,
    ),
    Refusal(
        "as JSON",
        "the body is a form",
        "RFC 7662 §2.1",
        lambda s: s.flow.browser.post(
            ENDPOINT, json={"token": s.held["access_token"]}, headers=s.flow.party.basic
        ),
        "invalid_request",
        400,
    ),
    Refusal(
        "a token with a NUL",
        "no parameter holds a NUL",
        "CWE-158",
        lambda s: s.flow.post(ENDPOINT, {"token": s.held["access_token"] + "\0"}),
        "invalid_request",
        400,
    ),
    Refusal(
        "a token as long as a book",
        "what is too long is not looked at",
        "CWE-770",
        lambda s: s.flow.post(ENDPOINT, {"token": "a.b." + "c" * 9000}),
        "invalid_request",
        400,
    ),
]


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.id)
def test_the_question_is_refused(scene: Scene, case: Refusal) -> None:
    response = case.ask(scene)
    assert (response.status_code, response.get_json()["error"]) == (case.status, case.error)
    assert "active" not in response.get_json()
    assert response.headers["Cache-Control"] == "no-store"


def test_only_post_is_answered(scene: Scene) -> None:
    """RFC 7662 §4: a GET would put the token into logs."""
    query = {"token": scene.held["access_token"]}
    response = scene.flow.browser.get(ENDPOINT, query_string=query, headers=scene.flow.party.basic)
    assert response.status_code == 405


def test_a_wrong_or_unknown_hint_hides_nothing(scene: Scene) -> None:
    """RFC 7662 §2.1: the search goes on when the hint does not help."""
    for hint in ("refresh_token", "access_token", "pigeon"):
        for name in ("access_token", "refresh_token"):
            form = {"token": scene.held[name], "token_type_hint": hint}
            assert scene.flow.post(ENDPOINT, form).get_json()["active"] is True


CASES = [*SEEN, *FORGED, *ASKED]
