"""The end session endpoint under attack: nobody is signed out, or sent anywhere, by somebody else.

A browser is led here by whoever likes to. What cannot be trusted ends on a page of our own: a
question where the person may have meant it, a refusal where she cannot have.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from joserfc import jwt

from directory.base.errors import InvalidInput
from directory.base.outbox import Job
from directory.people import User
from idp.oidc.clients import Client, Options, TokenFormat
from idp.oidc.jobs import LOGOUT_EVENT
from idp.oidc.tokens import Tokens
from tests.browser_client import hidden_fields
from tests.factories import make_user
from tests.forgeries import FORGERIES, Genuine
from tests.relying_party import Flow, World, build_world

ENDPOINT = "/oauth2/logout"
BYE = "http://localhost:9001/bye"
OTHERS = "https://other.example/bye"


@dataclass
class Scene:
    """A person who is signed in to an honest application, and another application."""

    world: World
    browser: Any
    flow: Flow
    other: Flow
    hint: str

    @property
    def genuine(self) -> Genuine:
        """The ID token and our keys."""
        return Genuine(self.hint, self.browser.get("/oauth2/jwks").get_json())

    def leave(self, **query: str | None) -> Any:
        """What the honest application sends the browser with, with changes."""
        honest = {
            "id_token_hint": self.hint,
            "post_logout_redirect_uri": BYE,
            "client_id": self.flow.party.client_id,
            "state": "s",
        }
        given = {k: v for k, v in (honest | query).items() if v is not None}
        return self.browser.get(ENDPOINT, query_string=given)

    def signed(self, *, typ: str = "JWT", **changes: Any) -> str:
        """A JWT that we really have signed."""
        signer = Tokens(self.world.services).keys.signer("RS256")
        claims = {k: v for k, v in (self.genuine.claims | changes).items() if v is not None}
        return jwt.encode(signer.header(typ=typ), claims, signer.key, [signer.alg])

    def question(self, **query: str | None) -> dict[str, str]:
        """The hidden fields of the page that asks."""
        return hidden_fields(self.leave(id_token_hint=None, **query).text)

    @property
    def signed_in(self) -> bool:
        """Whether she still is."""
        return bool(self.browser.get("/").status_code == 200)


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    party = world.register(
        post_logout_redirect_uris=(BYE,),
        access_token_format=TokenFormat.JWT,
        backchannel_logout_uri="https://a.example/out",
    )
    other = world.register("Khác", post_logout_redirect_uris=(OTHERS,))
    world.sign_in(client)
    flow = Flow(client, party)
    return Scene(world, client, flow, Flow(client, other), flow.tokens()["id_token"])


def test_the_honest_application_signs_her_out_and_has_her_back(scene: Scene) -> None:
    jobs = len(scene.world.all(Job))
    answer = scene.leave()
    assert answer.headers["Location"] == f"{BYE}?state=s"
    assert not scene.signed_in
    assert len(scene.world.all(Job)) == jobs + 1


def test_the_honest_question_is_answered_by_its_own_form(scene: Scene) -> None:
    form = scene.question() | {"decision": "logout"}
    answer = scene.browser.post(ENDPOINT, data=form)
    assert answer.headers["Location"] == f"{BYE}?state=s"
    assert not scene.signed_in


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    status: int = 400
    """400: refused on our page; 200: she is asked."""


def with_hint(make: Callable[[Scene], str], **query: str | None) -> Callable[[Scene], Any]:
    return lambda scene: scene.leave(id_token_hint=make(scene), **query)


def to(uri: str, **query: str | None) -> Callable[[Scene], Any]:
    return lambda scene: scene.leave(post_logout_redirect_uri=uri, **query)


def about_another(scene: Scene) -> Any:
    with scene.world.services.db.write() as session:
        stranger = make_user(session, "Trần Văn Kẻ")
    return scene.leave(id_token_hint=scene.signed(sub=stranger.sub))


def disabled(scene: Scene) -> Any:
    scene.world.change(Client, scene.flow.party.id, enabled=False)
    return scene.leave()


_OURS = "a hint is an ID token of ours"
HINTS = [
    Case(each.id, each.rule, each.source, with_hint(lambda s, each=each: each.forge(s.genuine)))
    for each in FORGERIES
    if each.id != "more scope under the old signature"
] + [
    Case(
        "of another issuer, by our key",
        "an ID token names its issuer, and the issuer is us",
        "OIDC Core §3.1.3.7, RFC 9700 §4.4 (mix-up)",
        with_hint(lambda s: s.signed(iss="https://evil.example")),
    ),
    Case(
        "an access token (RFC 9068)",
        _OURS,
        "RFC 8725 §3.11, RFC 9068 §5",
        lambda s: s.leave(id_token_hint=s.flow.tokens()["access_token"]),
    ),
    Case(
        "a logout token",
        "a logout token passes for nothing else",
        "Back-Channel Logout §4, RFC 8725 §3.11",
        with_hint(lambda s: s.signed(typ="logout+jwt", events={LOGOUT_EVENT: {}})),
    ),
    Case(
        "a signed authorization response",
        _OURS,
        "JARM §2.1, RFC 8725 §3.12",
        with_hint(lambda s: s.signed(sub=None, iat=None, code="x")),
    ),
    Case(
        "signed claims of userinfo",
        _OURS,
        "OIDC Core §5.3.2, RFC 8725 §3.12",
        with_hint(lambda s: s.signed(exp=None, iat=None)),
    ),
    Case(
        "for several audiences",
        "a hint names the one client that brings it",
        "RP-Initiated Logout §2",
        with_hint(lambda s: s.signed(aud=[s.flow.party.client_id, "x"])),
    ),
    Case(
        "for another client than is named",
        "client_id and hint name the same client",
        "RP-Initiated Logout §2",
        lambda s: s.leave(client_id=s.other.party.client_id),
    ),
    Case(
        "of one client for the address of another",
        "an address is the hinted client's own",
        "RP-Initiated Logout §3, CWE-601",
        lambda s: s.leave(post_logout_redirect_uri=OTHERS),
    ),
    Case(
        "about somebody else",
        "an ID token about another person signs nobody out",
        "RP-Initiated Logout §2, CWE-352",
        about_another,
        200,
    ),
    Case(
        "of a client disabled since",
        "a disabled client is as good as unknown",
        "CWE-613",
        disabled,
    ),
]

_EXACT = "the address is registered, character for character"
ADDRESSES = [
    Case(
        f"address {uri!r}"[:60],
        _EXACT,
        source,
        to(uri),
    )
    for uri, source in [
        ("https://evil.example/", "CWE-601"),
        (BYE + "/", "RFC 9700 §4.1.3"),
        (BYE + "?next=https://evil.example", "RP-Initiated Logout §3"),
        (BYE + "#x", "RFC 9700 §4.1.3"),
        (BYE + "/../x", "RFC 3986 §6.2.2.3"),
        (BYE.upper(), "RFC 3986 §6.2.2.1"),
        ("http://localhost:9001/b%79e", "RFC 3986 §6.2.2.2"),
        ("http://localhost:9001@evil.example/bye", "CVE-2023-6291 (Keycloak)"),
        ("http://localhost:9001.evil.example/bye", "CWE-601"),
        (
            "http://localhost:9001\\@evil.example/bye",
            "WHATWG URL §4.4 (a backslash is a slash), CWE-601",
        ),
        ("//localhost:9001/bye", "CWE-601"),
        ("http://localhost:9002/bye", "RFC 9700 §4.1.3"),
        ("http://127.0.0.1:9001/bye", "CVE-2024-8883 (Keycloak)"),
        ("javascript:alert(1)//http://localhost:9001/bye", "CWE-79"),
        ("data:text/html,http://localhost:9001/bye", "CWE-79"),
        (BYE + "\r\nSet-Cookie: dinhdanh=x", "CWE-113"),
        (" " + BYE, "CWE-601"),
        (BYE + "," + "https://evil.example", "CWE-601"),
    ]
] + [
    Case(
        "an address, and no client it could belong to",
        "without hint or client there is no address",
        "RP-Initiated Logout §3",
        lambda s: s.leave(id_token_hint=None, client_id=None),
    ),
    Case(
        "an address of a client that does not exist",
        "without hint or client there is no address",
        "RP-Initiated Logout §3",
        lambda s: s.leave(id_token_hint=None, client_id="unknown"),
    ),
    Case(
        "two addresses",
        "no parameter may be repeated",
        "RFC 6749 §3.1, CWE-235",
        lambda s: s.browser.get(
            f"{ENDPOINT}?{urlencode({'id_token_hint': s.hint, 'post_logout_redirect_uri': BYE})}"
            f"&post_logout_redirect_uri={quote('https://evil.example/')}"
        ),
    ),
    Case(
        "a NUL in the state",
        "a NUL stands in no parameter",
        "CWE-158",
        lambda s: s.leave(state="a\0b"),
    ),
    Case(
        "too much of everything",
        "what is too long is not looked at",
        "CWE-770",
        lambda s: s.leave(state="x" * 9000),
    ),
]


def asked_without_form(scene: Scene) -> Any:
    return scene.browser.post(
        ENDPOINT, data=scene.question() | {"csrf_token": "", "decision": "logout"}
    )


def foreign_form(scene: Scene) -> Any:
    thief = scene.browser.application.test_client()
    scene.world.sign_in(thief)
    token = hidden_fields(thief.get(ENDPOINT).text)["csrf_token"]
    form = scene.question() | {"csrf_token": token, "decision": "logout"}
    return scene.browser.post(ENDPOINT, data=form)


def swapped_after_display(uri: str) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        form = scene.question() | {"decision": "logout", "post_logout_redirect_uri": uri}
        return scene.browser.post(ENDPOINT, data=form)

    return act


def framed(path: str) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        answer = scene.browser.get(path)
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        return answer

    return act


_ASKED = "nobody is signed out by a link"
_FORM = "a sign-out without a hint is confirmed by our own form"
FORGED = [
    Case(
        "a bare link",
        _ASKED,
        "CWE-352, RP-Initiated Logout §6",
        lambda s: s.browser.get(ENDPOINT),
        200,
    ),
    Case(
        "a link that says yes",
        _ASKED,
        "CWE-352, RFC 9110 §9.2.1",
        lambda s: s.browser.get(f"{ENDPOINT}?decision=logout"),
        200,
    ),
    Case(
        "a logout_hint in place of an ID token",
        "a logout_hint proves nothing",
        "RP-Initiated Logout §2",
        lambda s: s.leave(id_token_hint=None, logout_hint=s.genuine.claims["sub"]),
        200,
    ),
    Case(
        "an address without a hint",
        "without a hint a person confirms where she goes",
        "RP-Initiated Logout §3",
        lambda s: s.leave(id_token_hint=None),
        200,
    ),
    Case("no form token", _FORM, "CWE-352", asked_without_form),
    Case("the form token of another browser", _FORM, "CWE-352", foreign_form),
    Case(
        "another address after the question",
        "what is confirmed is checked once more, whole",
        "CWE-367, CWE-601",
        swapped_after_display("https://evil.example/"),
    ),
    Case(
        "another client's address after the question",
        "what is confirmed is checked once more, whole",
        "CWE-367",
        swapped_after_display(OTHERS),
    ),
    Case(
        "a POST of another site",
        _FORM,
        "CWE-352",
        lambda s: s.browser.post(
            ENDPOINT,
            data={"client_id": s.flow.party.client_id, "decision": "logout"},
            headers={"Origin": "https://evil.example"},
        ),
    ),
    Case(
        "the question in a frame",
        "our pages stand in no frame",
        "CWE-1021, RFC 9700 §4.16",
        framed(ENDPOINT),
        200,
    ),
    Case(
        "the portal's own sign-out by a link",
        _ASKED,
        "CWE-352, RFC 9110 §9.2.1",
        lambda s: s.browser.get("/logout"),
        405,
    ),
    Case(
        "the portal's own sign-out without its form",
        _FORM,
        "CWE-352",
        lambda s: s.browser.post("/logout"),
    ),
    Case(
        "everywhere, without its form",
        _FORM,
        "CWE-352",
        lambda s: s.browser.post("/portal/everywhere", data={"decision": "logout"}),
    ),
    Case(
        "under another host's name",
        "our own address is the only one we answer to",
        "CWE-644 (host header poisoning)",
        lambda s: s.browser.get(ENDPOINT, headers={"Host": "evil.example"}),
        421,
    ),
]


@pytest.mark.parametrize("case", HINTS + ADDRESSES + FORGED, ids=lambda case: case.id)
def test_she_stays_signed_in_and_is_sent_nowhere(scene: Scene, case: Case) -> None:
    jobs = len(scene.world.all(Job))
    answer = case.act(scene)
    assert answer.status_code == case.status, answer.text
    assert "Location" not in answer.headers
    assert 'http-equiv="refresh"' not in answer.text
    assert "<iframe" not in answer.text
    assert scene.signed_in
    assert len(scene.world.all(Job)) == jobs


# ---- what a state may carry --------------------------------------------------------------------

STATES = [
    Case(
        f"state {state!r}",
        "state is given back as it came, and as nothing else",
        source,
        lambda s, state=state: s.leave(state=state),
        303,
    )
    for state, source in [
        ("x&code=stolen", "CWE-88"),
        ("x#fragment", "CWE-88"),
        ("x\r\nLocation: https://evil.example", "CWE-113"),
        ("x\r\n\r\n<script>alert(1)</script>", "CWE-113"),
        ("../../evil", "CWE-22"),
        ("%0d%0aSet-Cookie:a=b", "CWE-113"),
        ("trạng thái \u202e", "CWE-176"),
    ]
]


@pytest.mark.parametrize("case", STATES, ids=lambda case: case.id)
def test_a_state_changes_nothing_but_itself(scene: Scene, case: Case) -> None:
    answer = case.act(scene)
    location = answer.headers["Location"]
    assert location.startswith(BYE + "?state=")
    said = parse_qs(urlsplit(location).query, strict_parsing=True)
    assert list(said) == ["state"]
    assert f"state {said['state'][0]!r}" == case.id
    assert not urlsplit(location).fragment
    assert "Set-Cookie: a" not in str(answer.headers)


# ---- frames ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Framed:
    """A front-channel address that would let more into our page than a frame."""

    id: str
    rule: str
    source: str
    uri: str


_ADDRESS = "a front-channel address is a plain URI of the client's own origin"
FRAMES = [
    Framed(
        "a directive behind it",
        _ADDRESS,
        "CWE-74 (CSP injection)",
        "https://a.example; script-src *",
    ),
    Framed("a script", _ADDRESS, "CWE-79", "javascript:alert(1)"),
    Framed("a page in it", _ADDRESS, "CWE-79", "data:text/html,<script>alert(1)</script>"),
    Framed("an attribute behind it", _ADDRESS, "CWE-79", 'https://a.example/"onload="alert(1)'),
    Framed(
        "another origin",
        "its origin is that of a redirect URI",
        "Front-Channel Logout §2",
        "https://b.example/gone",
    ),
    Framed(
        "another port",
        "its origin is that of a redirect URI",
        "Front-Channel Logout §2",
        "https://a.example:444/gone",
    ),
    Framed(
        "another scheme",
        "its origin is that of a redirect URI",
        "Front-Channel Logout §2",
        "http://localhost/gone",
    ),
    Framed("a name before it", _ADDRESS, "CWE-601", "https://a.example@b.example/gone"),
    Framed("every origin", _ADDRESS, "CWE-942", "https://*/gone"),
]


def listening(scene: Scene, uri: str, name: str = "Ứng dụng") -> Any:
    return scene.world.register(
        name,
        redirect_uris=("https://a.example/cb",),
        options=Options(frontchannel_logout_uri=uri),
    )


@pytest.mark.parametrize("case", FRAMES, ids=lambda case: case.id)
def test_no_address_brings_more_than_a_frame(scene: Scene, case: Framed) -> None:
    assert listening(scene, "https://a.example/gone")
    with pytest.raises(InvalidInput) as refused:
        listening(scene, case.uri)
    assert refused.value.field == "frontchannel_logout_uri"


def test_what_a_client_calls_itself_is_text_on_the_signed_out_page(scene: Scene) -> None:
    uri = "https://a.example/gone;frame-src%20*?'onload=alert(1)"
    party = listening(scene, uri, '"><script>alert(1)</script>')
    hint = Flow(scene.browser, party, redirect_uri="https://a.example/cb").tokens()["id_token"]
    page = scene.browser.get(ENDPOINT, query_string={"id_token_hint": hint})
    policy = page.headers["Content-Security-Policy"]
    assert "frame-src https://a.example; " in policy
    assert policy.count("frame-src") == 1
    assert "<script" not in page.text
    assert 'sandbox="' in page.text
    assert "allow-top-navigation" not in page.text


# ---- logout tokens -----------------------------------------------------------------------------

_OTHER_USES = [
    ("as an access token", lambda s, text: s.flow.userinfo(text).status_code == 401),
    ("at introspection", lambda s, text: s.flow.introspect(text) == {"active": False}),
    ("as a refresh token", lambda s, text: s.flow.refresh(text).status_code == 400),
    ("as a code", lambda s, text: s.flow.redeem(text).status_code == 400),
    (
        "as a hint of whom to sign in",
        lambda s, text: "error=" in s.flow.ask(id_token_hint=text, prompt="none").location,
    ),
]


@dataclass(frozen=True)
class Misuse:
    """A logout token brought to another endpoint."""

    id: str
    rule: str
    source: str
    refused: Callable[[Scene, str], bool]


MISUSES = [
    Misuse(
        id, "a logout token passes for nothing else", "Back-Channel Logout §4, RFC 8725 §3.11", use
    )
    for id, use in _OTHER_USES
]


@pytest.mark.parametrize("case", MISUSES, ids=lambda case: case.id)
def test_a_logout_token_opens_nothing(scene: Scene, case: Misuse) -> None:
    text = scene.signed(typ="logout+jwt", events={LOGOUT_EVENT: {}}, nonce=None)
    assert case.refused(scene, text)


def test_a_logout_token_never_carries_a_nonce(scene: Scene) -> None:
    """Back-Channel Logout §2.4: so that no client takes it for an ID token."""
    from types import SimpleNamespace

    from idp.oidc.jobs import logout_token

    row = SimpleNamespace(
        id_token_alg="RS256",
        client_id=scene.flow.party.client_id,
        sub=scene.world.one(User, scene.world.user_id).sub,
        session_id="s",
        sector_salt=None,
        keys_stamp="",
    )
    text, _ = logout_token(scene.world.services, row)
    said = Genuine(text, scene.genuine.jwks)
    assert said.header["typ"] == "logout+jwt"
    assert "nonce" not in said.claims
    assert said.claims["exp"] - said.claims["iat"] <= 120


CASES = [*HINTS, *ADDRESSES, *FORGED, *STATES, *FRAMES, *MISUSES]
