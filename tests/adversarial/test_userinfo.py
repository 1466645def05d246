"""Userinfo under attack (OIDC Core §5.3, RFC 6750): nobody is told about anybody without a token
that is good now, meant for userinfo, and presented in one allowed way.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from directory.people import User
from idp.oidc.clients import AuthMethod, Client, GrantType, Options, TokenFormat
from idp.oidc.grants import Grant
from idp.oidc.jobs import logout_token
from idp.oidc.known_keys import SigningKeys
from idp.oidc.opaque_tokens import Handles
from idp.oidc.tokens import Tokens
from tests.bent import bent
from tests.forgeries import FORGERIES, Genuine
from tests.relying_party import Flow, World, build_world

PATH = "/oauth2/userinfo"
FILES = "https://files.example/v1"
INTROSPECTION = "application/token-introspection+jwt"


@dataclass
class Scene:
    """One client with opaque tokens, one with JWTs, and a person they know."""

    world: World
    browser: Any
    flow: Flow
    jwt: Flow
    held: dict[str, Any]
    signed: dict[str, Any]
    sub: str

    @property
    def text(self) -> str:
        """The opaque access token."""
        return str(self.held["access_token"])

    @property
    def genuine(self) -> Genuine:
        """The JWT access token and our keys."""
        return Genuine(self.signed["access_token"], self.browser.get("/oauth2/jwks").get_json())

    def ask(self, authorization: str | None = None, **more: Any) -> Any:
        """Userinfo, with this Authorization header."""
        headers = more.pop("headers", {})
        if authorization is not None:
            headers = headers | {"Authorization": authorization}
        return self.browser.open(PATH, method=more.pop("method", "GET"), headers=headers, **more)

    def bearer(self, text: str) -> Any:
        """Userinfo, with this token."""
        return self.ask(f"Bearer {text}")


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    options = Options(resources=(FILES,), userinfo_signed_response_alg=None)
    flow = Flow(client, world.register(options=options), scope="openid profile changes:read")
    party = world.register(access_token_format=TokenFormat.JWT, id_token_alg="ES256")
    signed = Flow(client, party, scope="openid profile")
    view = world.sign_in(client)
    return Scene(world, client, flow, signed, flow.tokens(), signed.tokens(), view.sub)


def test_the_honest_are_told(scene: Scene) -> None:
    for text in (scene.text, scene.signed["access_token"]):
        assert scene.bearer(text).get_json()["sub"] == scene.sub
        posted = scene.ask(method="POST", data={"access_token": text})
        assert posted.get_json()["sub"] == scene.sub
    # RFC 9110 §11.1: the name of a scheme has no case.
    assert scene.ask(f"bEARER {scene.text}").status_code == 200


@dataclass(frozen=True)
class Case:
    """One question, the rule that leaves it unanswered, where that stands, and the answer."""

    id: str
    rule: str
    source: str
    ask: Callable[[Scene], Any]
    status: int = 401
    error: str = "invalid_token"


_ONE_PURPOSE = "each token is good for one thing only"


def _with(text: Callable[[Scene], str]) -> Callable[[Scene], Any]:
    return lambda s: s.bearer(text(s))


def _after(act: Callable[[Scene], Any]) -> Callable[[Scene], Any]:
    def ask(scene: Scene) -> Any:
        act(scene)
        return scene.bearer(scene.text)

    return ask


def _logout(scene: Scene) -> str:
    row = Row(scene.flow.party.client_id, scene.sub)
    return logout_token(scene.world.services, row)[0]


@dataclass
class Row:
    """What a logout token is made from."""

    client_id: str
    sub: str
    id_token_alg: str = "RS256"
    session_id: str = "session"
    sector_salt: str | None = None
    keys_stamp: str = ""
    backchannel_logout_uri: str = "https://app.example/logout"


def _jarm(scene: Scene) -> str:
    location = scene.flow.told(scene.flow.ask(response_mode="query.jwt"))
    return location["response"]


def _introspection(scene: Scene) -> str:
    headers = scene.flow.party.basic | {"Accept": INTROSPECTION}
    data = {"token": scene.text}
    return str(scene.browser.post("/oauth2/introspect", data=data, headers=headers).text)


def _signed_userinfo(scene: Scene) -> str:
    party = scene.world.register(options=Options(userinfo_signed_response_alg="ES256"))
    other = Flow(scene.browser, party)
    return str(other.userinfo(other.tokens()["access_token"]).text)


def _elsewhere(scene: Scene) -> str:
    """A JWT access token of an installation with our keys and another name."""
    from joserfc import jwt

    keys = SigningKeys(scene.world.services.db, scene.world.services.keyring)
    signer = keys.signer("ES256")
    body = scene.genuine.claims | {"iss": "https://idp.other.example"}
    return jwt.encode(signer.header(typ="at+jwt"), body, signer.key, ["ES256"])


def _other_handle(scene: Scene) -> str:
    opened = Tokens(scene.world.services).handles.open_access(scene.text)
    assert opened is not None
    return Handles(scene.world.services.keyring, "https://idp.other.example").access(opened)


def _long(scene: Scene) -> str:
    """A handle whose end was put off: the MAC covers it."""
    handles = Tokens(scene.world.services).handles
    opened = handles.open_access(scene.text)
    assert opened is not None
    later = handles.access(replace(opened, expires_at=opened.expires_at + timedelta(days=1)))
    return later[:60] + scene.text[60:]


def _flipped(scene: Scene) -> Any:
    """Every single character changed, one at a time: the best answer any of them gets."""
    answers = [scene.bearer(bent(scene.text, n)) for n in range(len(scene.text))]
    return min(answers, key=lambda answer: answer.status_code)


def _machine(scene: Scene) -> str:
    flow = Flow(scene.browser, scene.world.machine("changes:read"))
    return str(flow.token(grant_type="client_credentials").get_json()["access_token"])


def _device(scene: Scene) -> str:
    party = scene.world.register(grant_types=(GrantType.DEVICE,), redirect_uris=())
    flow = Flow(scene.browser, party)
    asked = flow.post("/oauth2/device_authorization", {"scope": "openid"})
    return str(asked.get_json()["device_code"])


def _pushed(scene: Scene) -> str:
    answer = scene.flow.post("/oauth2/par", scene.flow.query)
    return str(answer.get_json()["request_uri"].rpartition(":")[2])


def _elsewhere_only(scene: Scene) -> str:
    code = scene.flow.code(resource=FILES)
    return str(scene.flow.redeem(code).get_json()["access_token"])


def _without_openid(scene: Scene) -> str:
    answer = scene.flow.refresh(scene.held["refresh_token"], scope="changes:read")
    return str(answer.get_json()["access_token"])


def _bound(scene: Scene) -> str:
    from tests.proving import Holding

    holder = Holding(scene.browser, scene.flow.party, clock=scene.world.clock)
    return str(holder.tokens()["access_token"])


TOKENS = [
    Case("an ID token", _ONE_PURPOSE, "RFC 8725 §3.11", _with(lambda s: s.held["id_token"])),
    Case("a refresh token", _ONE_PURPOSE, "RFC 6750 §5", _with(lambda s: s.held["refresh_token"])),
    Case("a code", _ONE_PURPOSE, "RFC 6749 §1.3.1", _with(lambda s: s.flow.code())),
    Case("a device code", _ONE_PURPOSE, "RFC 8628 §3.2", _with(_device)),
    Case("a pushed request", _ONE_PURPOSE, "RFC 9126 §2.2", _with(_pushed)),
    Case("a logout token", _ONE_PURPOSE, "Back-Channel Logout §2.4, §4", _with(_logout)),
    Case("a signed authorization response", _ONE_PURPOSE, "JARM §2.1, §5.1", _with(_jarm)),
    Case("a signed introspection answer", _ONE_PURPOSE, "RFC 9701 §8.1", _with(_introspection)),
    Case("a signed userinfo answer", _ONE_PURPOSE, "RFC 8725 §3.11", _with(_signed_userinfo)),
    Case(
        "the client's own secret",
        "a secret is no token",
        "RFC 6750 §1.2",
        _with(lambda s: s.flow.party.secret or ""),
    ),
    Case(
        "a machine's token",
        "a client on its own account is nobody",
        "OIDC Core §5.3.1",
        _with(_machine),
    ),
    Case(
        "a JWT of another issuer under our own keys",
        "a token is good at the issuer that made it",
        "RFC 9068 §4",
        _with(_elsewhere),
    ),
    Case(
        "a handle of another installation",
        "a token is good at the issuer that made it",
        "RFC 9700 §4.4",
        _with(_other_handle),
    ),
    Case("another end under the old seal", "a handle is sealed whole", "CWE-345", _with(_long)),
    Case("any one character changed", "a handle is sealed whole", "CWE-345", _flipped),
    Case(
        "cut short",
        "a truncated handle is nothing",
        "CWE-354",
        lambda s: [s.bearer(s.text[:n]) for n in (0, 4, 20, -1)][-1],
    ),
    Case(
        "the prefix of another kind",
        "the seal covers what a handle is for",
        "CWE-843",
        lambda s: [s.bearer(p + s.text[4:]) for p in ("ddr_", "ddm_", "ddc_")][-1],
    ),
    Case(
        "meant for another resource",
        "a token is good where it was asked for",
        "RFC 8707 §2, RFC 9068 §4",
        _with(_elsewhere_only),
    ),
    Case(
        "without openid",
        "userinfo answers OpenID requests only",
        "OIDC Core §5.3, RFC 6750 §3.1",
        _with(_without_openid),
        403,
        "insufficient_scope",
    ),
    Case(
        "expired",
        "an access token lives five minutes",
        "RFC 6750 §5.3",
        _after(lambda s: s.world.clock.advance(seconds=301)),
    ),
    Case(
        "given back",
        "what hangs on a revoked grant is dead",
        "RFC 7009 §2.1",
        _after(lambda s: s.flow.post("/oauth2/revoke", {"token": s.held["refresh_token"]})),
    ),
    Case(
        "of a code that came twice",
        "code reuse revokes what the code gave",
        "RFC 6749 §4.1.2",
        lambda s: (
            (code := s.flow.code())
            and (text := s.flow.redeem(code).get_json()["access_token"])
            and (s.flow.redeem(code), s.bearer(text))[1]
        ),
    ),
    Case(
        "of a client disabled since",
        "a disabled client's tokens are dead",
        "CVE-2024-47000 (Zitadel)",
        _after(lambda s: s.world.change(Client, s.flow.party.id, enabled=False)),
    ),
    Case(
        "of somebody transferred since",
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

_ONE_WAY = "a token is presented in one way"
_NO_CHALLENGE_ERROR = ""

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
        "in header and body",
        _ONE_WAY,
        "RFC 6750 §2",
        lambda s: s.ask(f"Bearer {s.text}", method="POST", data={"access_token": s.text}),
        400,
        "invalid_request",
    ),
    Case(
        "twice in the body",
        _ONE_WAY,
        "RFC 6750 §3.1",
        lambda s: s.ask(method="POST", data={"access_token": [s.text, s.text]}),
        400,
        "invalid_request",
    ),
    Case(
        "two headers",
        _ONE_WAY,
        "RFC 6750 §2, CWE-444",
        # WSGI joins repeated headers like this.
        lambda s: s.ask(f"Bearer {s.text}, Bearer {s.text}"),
    ),
    Case(
        "in a JSON body",
        "a token in a body stands in a form",
        "RFC 6750 §2.2",
        lambda s: s.ask(method="POST", json={"access_token": s.text}),
        401,
        _NO_CHALLENGE_ERROR,
    ),
    Case(
        "in the body of a GET",
        "a token in a body comes by POST",
        "RFC 6750 §2.2",
        lambda s: s.ask(method="GET", data={"access_token": s.text}),
        401,
        _NO_CHALLENGE_ERROR,
    ),
    Case(
        "as Basic credentials",
        "a scheme says what follows",
        "RFC 9110 §11.1",
        lambda s: s.ask(f"Basic {s.text}"),
        401,
        _NO_CHALLENGE_ERROR,
    ),
    Case(
        "without a scheme",
        "a scheme says what follows",
        "RFC 6750 §2.1",
        lambda s: s.ask(s.text),
        401,
        _NO_CHALLENGE_ERROR,
    ),
    Case(
        "under the scheme of bound tokens",
        "a bearer token proves no key",
        "RFC 9449 §7.1",
        lambda s: s.ask(f"DPoP {s.text}"),
    ),
    Case(
        "an empty token",
        "nothing is not a token",
        "RFC 6750 §2.1",
        lambda s: s.ask("Bearer "),
    ),
    Case(
        "letters outside the alphabet",
        "a token is ASCII",
        "RFC 6750 §2.1, CWE-20",
        lambda s: s.ask("Bearer " + "\u0111" * 20),
    ),
    Case(
        "the session's cookie in place of a token",
        "no cookie opens what a token opens",
        "CWE-352, RFC 6750 §5.3",
        lambda s: s.ask(headers={"Origin": "http://localhost:8000"}),
        401,
        _NO_CHALLENGE_ERROR,
    ),
    Case(
        "a header that claims another method",
        "a request is the method it came by",
        "CWE-436",
        lambda s: s.ask(headers={"X-HTTP-Method-Override": "POST"}, data={"access_token": s.text}),
        401,
        _NO_CHALLENGE_ERROR,
    ),
]


@pytest.mark.parametrize("case", [*TOKENS, *WAYS], ids=lambda case: case.id)
def test_nobody_is_told_of(scene: Scene, case: Case) -> None:
    answer = case.ask(scene)
    assert answer.status_code == case.status, answer.text
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith(("Bearer ", "DPoP "))
    if case.error:
        assert f'error="{case.error}"' in challenge
    else:
        # RFC 6750 §3.1: who presents no token is told no error.
        assert "error" not in challenge
    assert scene.sub not in answer.text
    assert "Lê Thị Lan" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


# ---- what an answer says beside its claims ---------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_no_other_method_is_answered(scene: Scene, method: str) -> None:
    assert scene.ask(f"Bearer {scene.text}", method=method).status_code == 405


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8000"])
def test_scripts_are_let_in_without_credentials_only(scene: Scene, origin: str) -> None:
    """Fetch §3.2.5, CWE-942: an origin is never reflected, and cookies never count."""
    answer = scene.ask(f"Bearer {scene.text}", headers={"Origin": origin})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"]
)
def test_headers_of_proxies_change_nothing(scene: Scene, name: str) -> None:
    """CWE-444, CWE-644: what a cache would not tell apart must not change the answer."""
    plain = scene.bearer(scene.text)
    told = scene.ask(f"Bearer {scene.text}", headers={name: "evil.example"})
    assert told.get_json() == plain.get_json()
    assert "evil.example" not in str(told.headers)


def test_another_host_is_not_answered(scene: Scene) -> None:
    """CWE-644."""
    answer = scene.ask(f"Bearer {scene.text}", base_url="http://evil.example")
    assert answer.status_code == 421
    assert scene.sub not in answer.text


def test_asking_changes_nothing(scene: Scene) -> None:
    before = [vars(grant).copy() for grant in scene.world.all(Grant)]
    for case in WAYS:
        case.ask(scene)
    after = [vars(grant).copy() for grant in scene.world.all(Grant)]
    for rows in (before, after):
        for row in rows:
            row.pop("_sa_instance_state")
    assert before == after


def test_a_public_client_is_told_like_any_other(scene: Scene) -> None:
    party = scene.world.register("Công khai", auth_method=AuthMethod.NONE)
    flow = Flow(scene.browser, party)
    assert flow.userinfo(flow.tokens()["access_token"]).get_json()["sub"] == scene.sub


CASES = [*TOKENS, *WAYS]
