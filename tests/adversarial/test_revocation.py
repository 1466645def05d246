"""Revocation under attack (RFC 7009): nobody ends what is not hers, and what she ends is ended.

What cannot be revoked because it is nothing is answered 200 like everything else (§2.2), so that
the answer tells nobody what exists; the cases look at what is still good afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from idp.oidc.clients import AuthMethod, Client, GrantType, TokenFormat
from idp.oidc.opaque_tokens import Handles
from idp.oidc.tokens import Tokens
from tests.forgeries import FORGERIES, Genuine
from tests.relying_party import Flow, World, build_world

ENDPOINT = "/oauth2/revoke"


@dataclass
class Scene:
    """An honest client with tokens in use, one with JWTs, and a thief."""

    world: World
    flow: Flow
    jwt: Flow
    thief: Flow
    machine: Flow
    held: dict[str, Any]
    signed: dict[str, Any]

    @property
    def genuine(self) -> Genuine:
        """The JWT access token and our keys."""
        return Genuine(
            self.signed["access_token"], self.flow.browser.get("/oauth2/jwks").get_json()
        )

    def revoke(self, token: str, flow: Flow | None = None, **form: str) -> Any:
        """Give a token back, as the honest client unless told otherwise."""
        return (flow or self.flow).post(ENDPOINT, {"token": token} | form)

    def bare(self, headers: dict[str, str] | None = None, **form: str) -> Any:
        """The request without the client's own credentials."""
        data = {"token": self.held["access_token"]} | form
        return self.flow.browser.post(ENDPOINT, data=data, headers=headers or {})

    def alive(self) -> bool:
        """Whether both clients' tokens are as good as ever."""
        return (
            self.flow.introspect(self.held["access_token"])["active"]
            and self.flow.introspect(self.held["refresh_token"])["active"]
            and self.jwt.introspect(self.signed["access_token"])["active"]
        )


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    flow = Flow(client, world.register())
    signed = Flow(client, world.register(access_token_format=TokenFormat.JWT, id_token_alg="ES256"))
    thief = Flow(client, world.register("Kẻ trộm"))
    world.sign_in(client)
    machine = Flow(client, world.machine())
    return Scene(world, flow, signed, thief, machine, flow.tokens(), signed.tokens())


@dataclass(frozen=True)
class Case:
    """One request, the rule that keeps it from ending anything, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str | None = None
    """None: answered like any other (RFC 7009 §2.2)."""
    status: int = 400


def _elsewhere(scene: Scene) -> str:
    held = Tokens(scene.world.services).handles.open_access(scene.held["access_token"])
    assert held is not None
    return Handles(scene.world.services.keyring, "https://idp.other.example").access(held)


def _machine(scene: Scene) -> str:
    answer = scene.machine.token(grant_type="client_credentials")
    return str(answer.get_json()["access_token"])


UNHARMED = [
    Case(
        "another client's access token",
        "a client gives back what was given to it",
        "RFC 7009 §2.1, CVE-2016-6582 (doorkeeper)",
        lambda s: s.revoke(s.held["access_token"], s.thief),
        "invalid_grant",
    ),
    Case(
        "another client's refresh token",
        "a client gives back what was given to it",
        "RFC 7009 §2.1, CVE-2016-6582 (doorkeeper)",
        lambda s: s.revoke(s.held["refresh_token"], s.thief),
        "invalid_grant",
    ),
    Case(
        "another client's JWT",
        "a client gives back what was given to it",
        "RFC 7009 §2.1",
        lambda s: s.revoke(s.signed["access_token"], s.thief),
        "invalid_grant",
    ),
    Case(
        "nobody",
        "who gives back proves who it is",
        "RFC 7009 §2.1, CVE-2016-6582 (doorkeeper)",
        lambda s: s.bare(),
        "invalid_client",
        401,
    ),
    Case(
        "a confidential client without its secret",
        "who gives back proves who it is",
        "RFC 7009 §5",
        lambda s: s.bare(client_id=s.flow.party.client_id),
        "invalid_client",
        401,
    ),
    Case(
        "a wrong secret",
        "a wrong secret is refused like an unknown client",
        "RFC 6749 §5.2",
        lambda s: s.revoke(
            s.held["access_token"], Flow(s.flow.browser, replace(s.flow.party, secret="x" * 43))
        ),
        "invalid_client",
        401,
    ),
    Case(
        "the token itself in place of a secret",
        "a client authenticates by its method, not by a token",
        "RFC 7009 §2.1",
        lambda s: s.bare({"Authorization": f"Bearer {s.held['access_token']}"}),
        "invalid_client",
        401,
    ),
    Case(
        "no token",
        "an endpoint needs its parameters",
        "RFC 7009 §2.1",
        lambda s: s.flow.post(ENDPOINT, {"token_type_hint": "access_token"}),
        "invalid_request",
    ),
    Case(
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
    ),
    Case(
        "the token in the query",
        "a token never stands in an address",
        "RFC 7009 §2.1, RFC 9700 §4.3.2",
        lambda s: s.flow.browser.post(
            f"{ENDPOINT}?token={s.held['access_token']}",
            data={},
            headers=s.flow.party.basic,
            content_type="application/x-www-form-urlencoded",
        ),
        "invalid_request",
    ),
    Case(
        "as JSON",
        "the body is a form",
        "RFC 7009 §2.1",
        lambda s: s.flow.browser.post(
            ENDPOINT, json={"token": s.held["access_token"]}, headers=s.flow.party.basic
        ),
        "invalid_request",
    ),
    Case(
        "a token with a NUL",
        "no parameter holds a NUL",
        "CWE-158",
        lambda s: s.revoke(s.held["access_token"] + "\0"),
        "invalid_request",
    ),
    Case(
        "a token as long as a book",
        "what is too long is not looked at",
        "CWE-770",
        lambda s: s.revoke("a.b." + "c" * 9000),
        "invalid_request",
    ),
    Case(
        "a machine's own token",
        "what cannot be revoked singly is said to be so",
        "RFC 7009 §2.2.1",
        lambda s: s.revoke(_machine(s), s.machine),
        "unsupported_token_type",
    ),
    Case(
        "anything",
        "what is no token is answered like one",
        "RFC 7009 §2.2",
        lambda s: s.revoke("anything"),
    ),
    Case(
        "an ID token",
        "each token is good for one thing only",
        "RFC 7009 §2",
        lambda s: s.revoke(s.held["id_token"]),
    ),
    Case(
        "a token cut short",
        "a truncated handle is nothing",
        "CWE-345",
        lambda s: s.revoke(s.held["refresh_token"][:-1]),
    ),
    Case(
        "a token with something behind it",
        "one token has one spelling",
        "RFC 4648 §3.5",
        lambda s: s.revoke(s.held["refresh_token"] + "="),
    ),
    Case(
        "a token of another installation",
        "a handle is good at the issuer that made it",
        "RFC 9700 §4.4",
        lambda s: s.revoke(_elsewhere(s)),
    ),
    Case(
        "somebody else's token said to be of another kind",
        "a hint makes no token into another",
        "RFC 7009 §2.1",
        lambda s: s.revoke(s.held["refresh_token"], s.thief, token_type_hint="access_token"),
        "invalid_grant",
    ),
] + [
    Case(
        each.id,
        each.rule,
        each.source,
        lambda s, each=each: s.revoke(each.forge(s.genuine), s.jwt),
    )
    for each in FORGERIES
]
CASES = UNHARMED


def test_nothing_is_ended(scene: Scene, subtests: pytest.Subtests) -> None:
    for case in UNHARMED:
        with subtests.test(case.id):
            response = case.act(scene)
            if case.error is None:
                assert response.status_code == 200
            else:
                said = (response.status_code, response.get_json()["error"])
                assert said == (case.status, case.error)
            assert response.headers["Cache-Control"] == "no-store"
            assert scene.alive()


def test_a_code_is_not_given_back_here_and_stays_good(scene: Scene) -> None:
    """RFC 7009 §2 knows access and refresh tokens."""
    code = scene.flow.code()
    assert scene.revoke(code).status_code == 200
    assert scene.flow.redeem(code).status_code == 200


def test_only_post_is_answered(scene: Scene) -> None:
    """RFC 7009 §2.1: a GET would put the token into logs, and an image could send it."""
    query = {"token": scene.held["access_token"]}
    response = scene.flow.browser.get(ENDPOINT, query_string=query, headers=scene.flow.party.basic)
    assert response.status_code == 405
    assert scene.alive()


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "pigeon"])
@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_either_token_ends_both_whatever_the_hint(
    scene: Scene, name: str, hint: str | None
) -> None:
    """RFC 7009 §2.1, §2.2: an invalid hint is ignored; CVE-2020-15223 (fosite): an answer of 200
    means that it is done.
    """
    form = {"token_type_hint": hint} if hint else {}
    assert scene.revoke(scene.held[name], **form).status_code == 200
    assert scene.flow.introspect(scene.held["access_token"]) == {"active": False}
    assert scene.flow.introspect(scene.held["refresh_token"]) == {"active": False}
    assert scene.flow.userinfo(scene.held["access_token"]).status_code == 401
    assert scene.flow.refresh(scene.held["refresh_token"]).get_json()["error"] == "invalid_grant"
    assert scene.revoke(scene.held[name], **form).status_code == 200


def test_a_refresh_token_already_replaced_still_ends_the_family(scene: Scene) -> None:
    """RFC 9700 §4.14.2: who gives back an old one has lost track of it."""
    newer = scene.flow.refresh(scene.held["refresh_token"]).get_json()
    scene.revoke(scene.held["refresh_token"])
    assert scene.flow.introspect(newer["access_token"]) == {"active": False}
    assert scene.flow.refresh(newer["refresh_token"]).status_code == 400


def test_a_public_client_gives_back_its_own(scene: Scene) -> None:
    """RFC 7009 §5, CVE-2018-1000211 (doorkeeper): 200 and yet not revoked."""
    grants = (GrantType.CODE, GrantType.REFRESH)
    party = scene.world.register("Công khai", auth_method=AuthMethod.NONE, grant_types=grants)
    public = Flow(scene.flow.browser, party)
    answer = public.tokens()
    assert public.userinfo(answer["access_token"]).status_code == 200
    assert scene.revoke(answer["refresh_token"], public).status_code == 200
    assert public.userinfo(answer["access_token"]).status_code == 401
    assert public.refresh(answer["refresh_token"]).status_code == 400


def test_a_jwt_is_dead_for_whoever_asks_us(scene: Scene) -> None:
    """RFC 7009 §3: self-contained tokens; userinfo and introspection ask the grant."""
    assert scene.revoke(scene.signed["access_token"], scene.jwt).status_code == 200
    assert scene.jwt.introspect(scene.signed["access_token"]) == {"active": False}
    assert scene.jwt.userinfo(scene.signed["access_token"]).status_code == 401


def test_giving_back_one_grant_leaves_the_others(scene: Scene) -> None:
    """RFC 7009 §2.1."""
    other = scene.flow.tokens()
    scene.revoke(scene.held["refresh_token"])
    assert scene.flow.introspect(other["access_token"])["active"] is True


def test_a_disabled_client_gives_back_nothing_and_has_nothing(scene: Scene) -> None:
    """CWE-613."""
    scene.world.change(Client, scene.flow.party.id, enabled=False)
    assert scene.revoke(scene.held["access_token"]).status_code == 401
    assert scene.flow.userinfo(scene.held["access_token"]).status_code == 401
