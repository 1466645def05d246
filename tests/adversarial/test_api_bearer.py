"""The changes API under attack (RFC 6750, RFC 8707, RFC 9470): every case sends the very commit
that a good token carries out, ready with fingerprint and key, and nothing may come of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from directory.changes.model import Change
from directory.people import User, UserStatus
from directory.permissions import Role
from idp.oidc.clients import Client, GrantType, Options, TokenFormat
from idp.oidc.grants import Grant
from idp.oidc.known_keys import SigningKeys
from idp.oidc.opaque_tokens import Handles
from idp.oidc.tokens import Tokens
from tests.bent import bent
from tests.factories import make_assignment, make_role, make_user
from tests.forgeries import FORGERIES, Genuine
from tests.relying_party import Flow, World, build_world

PATH = "/api/v1/changes"
API = "http://localhost:8000/api/v1"
FILES = "https://files.example/v1"
SCOPES = "openid changes:read changes:write"
AAL2 = "urn:vn:aal:2"


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    """A write wants a sign-in of at most an hour ago."""
    return make_settings(
        scope_max_age={"changes:write": 3600},
        operation_max_age={"change": 3600},
        access_token_lifetime=7200,
    )


@dataclass
class Scene:
    """An officer who may change things, her application, and somebody who may be suspended."""

    world: World
    browser: Any
    flow: Flow
    jwt: Flow
    held: dict[str, Any]
    signed: dict[str, Any]
    victim: int
    body: dict[str, Any]

    @property
    def text(self) -> str:
        """The opaque access token."""
        return str(self.held["access_token"])

    @property
    def genuine(self) -> Genuine:
        """The JWT access token and our keys."""
        return Genuine(self.signed["access_token"], self.browser.get("/oauth2/jwks").get_json())

    def ask(self, authorization: str | None = None, **more: Any) -> Any:
        """The commit, with this Authorization header."""
        headers = {"Idempotency-Key": "k" * 16} | more.pop("headers", {})
        if authorization is not None:
            headers = headers | {"Authorization": authorization}
        if "data" not in more:
            more = {"json": self.body} | more
        return self.browser.post(more.pop("path", PATH), headers=headers, **more)

    def bearer(self, text: str) -> Any:
        """The commit, with this token."""
        return self.ask(f"Bearer {text}")

    @property
    def untouched(self) -> bool:
        """Whether nothing has come of it."""
        status = self.world.one(User, self.victim).status
        return bool(status == UserStatus.ACTIVE.value and not self.world.all(Change))


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    with services.db.write() as session:
        from directory.units import OrgUnit

        make_role(session, session.get_one(User, world.user_id), Role.HR_OFFICER)
        victim = make_user(session, "Trần Văn Nam")
        make_assignment(session, victim, session.get_one(OrgUnit, world.other_unit_id))
        victim_id = victim.id
    options = Options(resources=(FILES,))
    flow = Flow(client, world.register(options=options), scope=SCOPES)
    party = world.register(access_token_format=TokenFormat.JWT, id_token_alg="ES256")
    signed = Flow(client, party, scope=SCOPES)
    world.sign_in(client)
    body: dict[str, Any] = {"kind": "suspend", "user": victim_id}
    made = Scene(world, client, flow, signed, flow.tokens(), signed.tokens(), victim_id, body)
    preview = made.ask(f"Bearer {made.text}", path=f"{PATH}/preview")
    assert preview.status_code == 200, preview.text
    body["fingerprint"] = preview.get_json()["fingerprint"]
    return made


@pytest.mark.parametrize("shape", ["opaque", "jwt", "for the API"])
def test_the_honest_commit_is_carried_out(scene: Scene, shape: str) -> None:
    text = {
        "opaque": lambda: scene.text,
        "jwt": lambda: scene.signed["access_token"],
        "for the API": lambda: scene.flow.tokens(resource=API)["access_token"],
    }[shape]()
    assert scene.bearer(text).status_code == 201
    assert scene.world.one(User, scene.victim).status == UserStatus.SUSPENDED.value


@dataclass(frozen=True)
class Case:
    """One attempt, the rule that stops it, where that stands, and the answer."""

    id: str
    rule: str
    source: str
    ask: Callable[[Scene], Any]
    status: int = 401
    code: str = "invalid_token"


_ONE_PURPOSE = "each token is good for one thing only"
_ONE_WAY = "a token is presented in one way"


def _with(text: Callable[[Scene], str]) -> Callable[[Scene], Any]:
    return lambda s: s.bearer(text(s))


def _after(act: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    def ask(scene: Scene) -> Any:
        act(scene)
        return scene.bearer(scene.text)

    return ask


def _resigned(typ: str = "at+jwt", **changes: Any) -> Callable[[Scene], Any]:
    """The JWT access token with other claims or another type, under our own key."""
    from joserfc import jwt

    def ask(scene: Scene) -> Any:
        keys = SigningKeys(scene.world.services.db, scene.world.services.keyring)
        signer = keys.signer("ES256")
        body = scene.genuine.claims | changes
        return scene.bearer(jwt.encode(signer.header(typ=typ), body, signer.key, ["ES256"]))

    return ask


def _elsewhere(scene: Scene) -> str:
    opened = Tokens(scene.world.services).handles.open_access(scene.text)
    assert opened is not None
    return Handles(scene.world.services.keyring, "https://idp.other.example").access(opened)


def _for(*resources: str) -> Callable[[Scene], str]:
    return lambda s: str(s.flow.tokens(resource=" ".join(resources))["access_token"])


def _scoped(scope: str) -> Callable[[Scene], str]:
    def text(scene: Scene) -> str:
        answer = scene.flow.refresh(scene.held["refresh_token"], scope=scope)
        return str(answer.get_json()["access_token"])

    return text


def _machine(*scopes: str, **form: str) -> Callable[[Scene], str]:
    def text(scene: Scene) -> str:
        party = scene.world.machine(*scopes, options=Options(resources=(FILES,)))
        answer = Flow(scene.browser, party).token(grant_type="client_credentials", **form)
        return str(answer.get_json()["access_token"])

    return text


def _flipped(scene: Scene) -> Any:
    answers = [scene.bearer(bent(scene.text, n)) for n in range(0, len(scene.text), 3)]
    return min(answers, key=lambda answer: answer.status_code)


def _bound(scene: Scene) -> str:
    from tests.proving import Holding

    holder = Holding(scene.browser, scene.flow.party, clock=scene.world.clock, scope=SCOPES)
    return str(holder.tokens()["access_token"])


def _exchanged(scene: Scene) -> str:
    party = scene.world.register(grant_types=(GrantType.CODE, GrantType.EXCHANGE))
    flow = Flow(scene.browser, party, scope=SCOPES)
    answer = flow.token(
        grant_type=GrantType.EXCHANGE.value,
        subject_token=flow.tokens()["access_token"],
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
        scope="changes:read",
    )
    return str(answer.get_json()["access_token"])


TOKENS = [
    Case("an ID token", _ONE_PURPOSE, "RFC 8725 §3.11", _with(lambda s: s.held["id_token"])),
    Case("a refresh token", _ONE_PURPOSE, "RFC 6750 §5", _with(lambda s: s.held["refresh_token"])),
    Case("a code", _ONE_PURPOSE, "RFC 6749 §1.3.1", _with(lambda s: s.flow.code())),
    Case(
        "a signed authorization response",
        _ONE_PURPOSE,
        "JARM §2.1",
        _with(lambda s: s.flow.told(s.flow.ask(response_mode="query.jwt"))["response"]),
    ),
    Case(
        "our JWT typed as another",
        "an access token says that it is one",
        "RFC 9068 §4",
        _resigned("JWT"),
    ),
    Case(
        "our JWT without a type",
        "an access token says that it is one",
        "RFC 9068 §2.1",
        _resigned(""),
    ),
    Case(
        "our JWT of another issuer",
        "a token is good at the issuer that made it",
        "RFC 9068 §4",
        _resigned(iss="https://idp.other.example"),
    ),
    Case(
        "our JWT of a grant that never was",
        "a JWT is judged like any token when we are asked",
        "RFC 9068 §6",
        _resigned(jti="AAAAAAAAAAAAAAAAAAAAAA.AAAAAAAAAAA"),
    ),
    Case(
        "our JWT past its end",
        "an access token has an end",
        "RFC 9068 §4",
        _resigned(exp=1),
    ),
    Case(
        "a handle of another installation",
        "a token is good at the issuer that made it",
        "RFC 9700 §4.4",
        _with(_elsewhere),
    ),
    Case("any character changed", "a handle is sealed whole", "CWE-345", _flipped),
    Case(
        "meant for another resource",
        "a token is good where it was asked for",
        "RFC 8707 §2, RFC 9700 §4.8.1",
        _with(_for(FILES)),
    ),
    Case(
        "meant for userinfo",
        "a token is good where it was asked for",
        "RFC 8707 §2",
        _with(_for("http://localhost:8000/oauth2/userinfo")),
    ),
    Case(
        "a machine's, meant for another resource",
        "a token is good where it was asked for",
        "RFC 8707 §2",
        _with(_machine("changes:write", resource=FILES)),
    ),
    Case(
        "with the scope to read only",
        "a scope is what it says",
        "RFC 6750 §3.1",
        _with(_scoped("openid changes:read")),
        403,
        "insufficient_scope",
    ),
    Case(
        "with no scope of the API",
        "a scope is what it says",
        "RFC 6750 §3.1",
        _with(_scoped("openid")),
        403,
        "insufficient_scope",
    ),
    Case(
        "made smaller by exchange",
        "what was given away does not come back",
        "RFC 8693 §5",
        _with(_exchanged),
        403,
        "insufficient_scope",
    ),
    Case(
        "a machine's without a role",
        "a client without a role changes nothing",
        "CWE-862",
        _with(_machine("changes:write")),
        403,
        "not_allowed",
    ),
    Case(
        "of a sign-in too long ago",
        "a write wants a recent sign-in",
        "RFC 9470 §3",
        _after(lambda s: s.world.clock.advance(seconds=3601)),
        401,
        "insufficient_user_authentication",
    ),
    Case(
        "refreshed after a sign-in too long ago",
        "a refresh makes no sign-in newer",
        "RFC 9470 §6.1, OIDC Core §12.2",
        lambda s: (
            s.world.clock.advance(seconds=3601),
            s.bearer(s.flow.refresh(s.held["refresh_token"]).get_json()["access_token"]),
        )[1],
        401,
        "insufficient_user_authentication",
    ),
    Case(
        "expired",
        "an access token has an end",
        "RFC 6750 §5.3",
        _after(lambda s: s.world.clock.advance(hours=2, seconds=1)),
    ),
    Case(
        "given back",
        "what hangs on a revoked grant is dead",
        "RFC 7009 §2.1",
        _after(lambda s: s.flow.post("/oauth2/revoke", {"token": s.text})),
    ),
    Case(
        "of a client disabled since",
        "a disabled client's tokens are dead",
        "CVE-2024-47000 (Zitadel)",
        _after(lambda s: s.world.change(Client, s.flow.party.id, enabled=False)),
    ),
    Case(
        "of an officer cut off since",
        "a token is judged at the moment of use",
        "CWE-613",
        _after(lambda s: s.world.change(User, s.world.user_id, access_epoch=User.access_epoch + 1)),
    ),
    Case(
        "that belongs to a DPoP key, as a bearer token",
        "a bound token is no bearer token",
        "RFC 9449 §7.2",
        _with(_bound),
    ),
    Case(
        "as long as a book",
        "what is too long is not looked at",
        "CWE-770",
        _with(lambda s: s.genuine.text + "A" * 60000),
    ),
] + [
    Case(
        each.id,
        each.rule,
        each.source,
        lambda s, each=each: s.bearer(each.forge(s.genuine).replace("\n", "")),
    )
    for each in FORGERIES
]

WAYS = [
    Case(
        "in the query",
        "a token never stands in an address",
        "RFC 9700 §4.3.2, RFC 6750 §5.3",
        lambda s: s.ask(query_string={"access_token": s.text}),
        400,
        "invalid_request",
    ),
    Case(
        "in the query beside a good header",
        _ONE_WAY,
        "RFC 6750 §2",
        lambda s: s.ask(f"Bearer {s.text}", query_string={"access_token": s.text}),
        400,
        "invalid_request",
    ),
    Case(
        "in a form",
        "our API takes tokens in the header only",
        "RFC 9728 §2",
        lambda s: s.ask(data={"access_token": s.text}),
        401,
        "token_missing",
    ),
    Case(
        "in the JSON body",
        "our API takes tokens in the header only",
        "RFC 9728 §2",
        lambda s: s.ask(json=s.body | {"access_token": s.text}),
        401,
        "token_missing",
    ),
    Case(
        "two tokens in one header",
        _ONE_WAY,
        "RFC 6750 §2, CWE-444",
        lambda s: s.ask(f"Bearer {s.text}, Bearer {s.text}"),
    ),
    Case(
        "as Basic credentials",
        "a scheme says what follows",
        "RFC 9110 §11.1",
        lambda s: s.ask(f"Basic {s.text}"),
        401,
        "token_missing",
    ),
    Case(
        "the client's own credentials",
        "a secret is no token",
        "RFC 6750 §1.2",
        lambda s: s.ask(s.flow.party.basic["Authorization"]),
        401,
        "token_missing",
    ),
    Case(
        "under the scheme of bound tokens",
        "a bearer token proves no key",
        "RFC 9449 §7.1",
        lambda s: s.ask(f"DPoP {s.text}"),
    ),
    Case(
        "the officer's session in place of a token",
        "no cookie opens what a token opens",
        "CWE-352, RFC 6750 §5.3",
        lambda s: s.ask(headers={"Origin": "http://localhost:8000"}),
        401,
        "token_missing",
    ),
    Case(
        "in a header of a proxy",
        "a token stands in Authorization",
        "CWE-290, RFC 6750 §2.1",
        lambda s: s.ask(headers={"X-Forwarded-Access-Token": s.text, "X-Auth-Token": s.text}),
        401,
        "token_missing",
    ),
    Case(
        "in a header of a proxy that says who it is",
        "who asks is what the token says",
        "CWE-290",
        lambda s: s.ask(headers={"X-Forwarded-User": "admin", "X-Remote-User": "admin"}),
        401,
        "token_missing",
    ),
]


@pytest.mark.parametrize("case", [*TOKENS, *WAYS], ids=lambda case: case.id)
def test_nothing_comes_of(scene: Scene, case: Case) -> None:
    answer = case.ask(scene)
    assert answer.status_code == case.status, answer.text
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json()["code"] == case.code, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert scene.untouched
    if case.code != "not_allowed":
        challenge = answer.headers["WWW-Authenticate"]
        assert 'resource_metadata="http://localhost:8000/.well-known/' in challenge
        # RFC 6750 §3.1: who presents no token is told no error.
        told = f'error="{case.code}"'
        assert told in challenge if case.code != "token_missing" else "error" not in challenge


def test_a_challenge_says_how_to_meet_it(scene: Scene) -> None:
    """RFC 9470 §3, §4: max_age as the client may pass it on."""
    scene.world.clock.advance(seconds=3601)
    challenge = scene.bearer(scene.text).headers["WWW-Authenticate"]
    assert 'max_age="3600"' in challenge
    assert scene.flow.ask(max_age="3600").headers["Location"].startswith("/login/")
    # Reading needs no new sign-in.
    bearer = {"Authorization": f"Bearer {scene.text}"}
    assert scene.browser.get(PATH, headers=bearer).status_code == 200


def test_what_a_grant_was_given_for_is_all_it_is_good_for(scene: Scene) -> None:
    """RFC 9700 §2.3: a JWT whose scopes were widened under our own key still has its grant's."""
    narrow = Flow(scene.browser, scene.jwt.party, scope="openid changes:read").tokens()
    held = Genuine(narrow["access_token"], scene.browser.get("/oauth2/jwks").get_json())
    keys = SigningKeys(scene.world.services.db, scene.world.services.keyring)
    signer = keys.signer("ES256")
    from joserfc import jwt

    wide = held.claims | {"scope": SCOPES}
    text = jwt.encode(signer.header(typ="at+jwt"), wide, signer.key, ["ES256"])
    assert scene.bearer(text).status_code == 403
    assert scene.untouched


def test_a_weaker_sign_in_than_the_rule_wants_is_told_so(make_settings: Any, scene: Scene) -> None:
    """RFC 9470 §3: acr_values name what is enough."""
    from idp.run import wiring
    from idp.run.app import create_app

    strict = make_settings(scope_acr={"changes:write": AAL2})
    services = wiring.build(strict, clock=scene.world.clock)
    browser = create_app(services).test_client()
    headers = {"Authorization": f"Bearer {scene.text}", "Idempotency-Key": "k" * 16}
    refused = browser.post(PATH, json=scene.body, headers=headers)
    assert refused.status_code == 401
    assert f'acr_values="{AAL2}"' in refused.headers["WWW-Authenticate"]
    assert scene.untouched
    for grant in scene.world.all(Grant):
        scene.world.change(Grant, grant.id, acr=AAL2)
    assert browser.post(PATH, json=scene.body, headers=headers).status_code == 201
    services.db.dispose()


def test_the_tokens_end_is_the_one_it_says(scene: Scene) -> None:
    scene.world.change(
        Grant,
        Tokens(scene.world.services).handles.open_access(scene.text).grant_id,
        expires_at=scene.world.clock() + timedelta(seconds=10),
    )
    scene.world.clock.advance(seconds=11)
    assert scene.bearer(scene.text).status_code == 401
    assert scene.untouched


CASES = [*TOKENS, *WAYS]
