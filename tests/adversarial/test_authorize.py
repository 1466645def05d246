"""The authorization endpoint under attack: where answers go, who asked, and what was agreed to.

Every case is one request an attacker sends, or makes somebody's browser send. Nothing is granted,
nobody is sent to an address that is not registered, and the honest request works right after it.
What a case may come to:

    shown:<code>    a page of our own, with that code and no way to anybody
    <error>         the client is told, at its own address, with ``iss``
    sign-in         the sign-in pages: nothing was granted
    <status>        any other answer of ours, without an address
    ignored         the honest answer, as if the attack were not there
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

import pytest

from idp import sessions
from idp.oidc.authorization.pushed import URN
from idp.oidc.clients import (
    AuthMethod,
    Client,
    ClientKind,
    GrantType,
    Options,
    Profile,
    ResponseType,
)
from idp.oidc.grants import Grant
from idp.oidc.opaque_tokens import Code, Handles
from idp.oidc.server import Server
from tests.bent import bent
from tests.browser_client import hidden_fields
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import (
    ISSUER,
    SECURE,
    Fapi,
    Publisher,
    SignedFlow,
    dpop,
    key_for,
    public,
    publishing,
    register,
    register_fapi,
    sign,
)
from tests.slapd_fixture import Authority

EVIL = "https://evil.example/callback"
NATIVE = ("http://127.0.0.1/back", "com.example.app:/back")


def names_evil(text: str) -> bool:
    """Whether an address or a header names the thief: by a whole word, for any four letters stand in a
    random code or token now and then.
    """
    said = unquote(unquote(text))  # an address may stand in another
    return re.search(r"(?<![\w-])evil(?![\w-])", said, re.ASCII) is not None


@dataclass
class Scene:
    """Honest clients of every kind, somebody signed in to all of them, and a thief."""

    world: World
    browser: Any
    publisher: Publisher

    @cached_property
    def flow(self) -> Flow:
        """A client of ours that says everything in the address."""
        return Flow(self.browser, self.world.register())

    @cached_property
    def third(self) -> Flow:
        """A client that must ask for consent."""
        party = self.world.register("Bên ngoài", first_party=False)
        return Flow(self.browser, party, scope="openid email")

    @cached_property
    def native(self) -> Flow:
        """An application on a telephone or a desk."""
        party = self.world.register(
            "Di động", kind=ClientKind.NATIVE, auth_method=AuthMethod.NONE, redirect_uris=NATIVE
        )
        return Flow(self.browser, party, redirect_uri="http://127.0.0.1:41234/back")

    @cached_property
    def front(self) -> Flow:
        """A client that may have every response type."""
        party = self.world.register(
            "Trình duyệt",
            redirect_uris=(SECURE,),
            grant_types=(GrantType.CODE, GrantType.IMPLICIT),
            response_types=tuple(ResponseType),
        )
        return Flow(self.browser, party, redirect_uri=SECURE)

    @cached_property
    def signed(self) -> SignedFlow:
        """A client that signs its requests, and has registered where they may be fetched."""
        options = {"request_uris": (self.publisher.url + "/request",)}
        return SignedFlow(self.browser, register(self.world, options=options), now=self.now)

    @cached_property
    def fapi(self) -> Fapi:
        """A client of FAPI 2.0."""
        party = register_fapi(self.world)
        return Fapi(self.browser, party, redirect_uri=SECURE, now=self.now)

    @cached_property
    def thief(self) -> SignedFlow:
        """A registered client like any other, with keys of its own."""
        keys = public(key_for("ES256", "thief"), key_for("RS256", "thief"))
        party = register(self.world, name="Kẻ trộm", options={"jwks": keys})
        return SignedFlow(self.browser, party, now=self.now)

    @property
    def app(self) -> Any:
        """The web application."""
        return self.browser.application

    @property
    def server(self) -> Server:
        """What makes this installation's tokens."""
        return Server(self.world.services)

    @property
    def now(self) -> int:
        """This moment."""
        return int(self.world.clock().timestamp())

    def raw(self, pairs: list[tuple[str, str]], **options: Any) -> Any:
        """A request of exactly these parameters."""
        return self.browser.get("/oauth2/authorize?" + urlencode(pairs), **options)

    def bring(self, text: str, **outer: str) -> Any:
        """A request object, with the honest client's address beside it."""
        return self.signed.bring(text, **({"redirect_uri": REDIRECT} | outer))

    def refer(self, uri: str, flow: Flow | None = None, **outer: str) -> Any:
        """A request by reference."""
        asks = flow or self.signed
        query = {
            "client_id": asks.party.client_id,
            "request_uri": uri,
            "redirect_uri": asks.redirect_uri,
            "state": asks.state,
        }
        return self.browser.get("/oauth2/authorize", query_string=query | outer)


@pytest.fixture
def settings(make_settings: Any, publisher: Publisher) -> Any:
    return make_settings(
        response_types=[each.value for each in ResponseType],
        session_idle=3600,
        outbound_allow=[publisher.allow],
        outbound_ca_file=publisher.ca_file,
    )


@pytest.fixture(scope="module")
def publisher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    with publishing(Authority.create(tmp_path_factory.mktemp("authority"))) as made:
        yield made


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, publisher: Publisher) -> Scene:
    made = Scene(build_world(services, clock), client, publisher)
    made.world.sign_in(client)
    clock.advance(seconds=61)
    return made


Act = Callable[[Scene], Any]
Table = dict[str, list[tuple[str, "Rule", Act]]]


@dataclass(frozen=True)
class Rule:
    """What is held to, and where it is written."""

    sentence: str
    source: str

    def by(self, source: str) -> "Rule":
        """The same rule, as another source or an advisory has it."""
        return replace(self, source=source)


EXACT = Rule("a redirect URI is compared character by character", "RFC 9700 §4.1.3")
NO_FRAGMENT = Rule("a redirect URI has no fragment", "RFC 6749 §3.1.2")
SCHEMES = Rule("only registered schemes are redirected to", "CWE-79")
NAMED = Rule("a request names its redirect URI", "OIDC Core §3.1.2.1")
ITS_OWN = Rule("a redirect URI belongs to its client", "RFC 6749 §3.1.2.2")
NOT_AFTER = Rule("sign-out addresses are no redirect URIs", "RP-Initiated Logout §3.1")
QUIET = Rule("errors are not told to strange addresses", "RFC 6749 §4.1.2.1")
PORT = Rule("only the port of a loopback address may vary", "RFC 8252 §7.3")
PRIVATE_USE = Rule("private-use schemes are compared exactly", "RFC 8252 §8.4")
ONCE = Rule("no parameter is repeated", "RFC 6749 §3.1")
NO_NUL = Rule("no parameter holds a NUL", "CWE-158")
BOUNDED = Rule("a request is no longer than it may be", "CWE-770")
IN_THE_BODY = Rule("parameters of a POST stand in its body", "OIDC Core §3.1.2.1")
NAMES_US = Rule("the answer names us, whatever was asked", "RFC 9207 §2")
NO_ECHO = Rule("an answer holds nothing that was asked for", "RFC 6749 §4.1.2")
KNOWN = Rule("clients are known", "RFC 6749 §4.1.2.1")
PUBLIC_ID = Rule("clients are known by their public id", "CWE-639")
DISABLED = Rule("a disabled client is as good as unknown", "CWE-285")
LOOKED_UP = Rule("names are looked up, never pasted", "CWE-89")
SHALLOW = Rule("nested input has an end", "CWE-674")
CLAIMS = Rule("the claims request is an object", "OIDC Core §5.5")
ASCII = Rule("numbers are ASCII", "CWE-20")
FINITE = Rule("numbers are bounded", "CWE-190")
ALONE = Rule("prompt=none stands alone", "OIDC Core §3.1.2.1")
PROMPTS = Rule("prompts are known", "OIDC Core §3.1.2.1")
THUMBPRINT = Rule("dpop_jkt is a SHA-256 thumbprint", "RFC 9449 §10")
ELSEWHERE = Rule("registration happens elsewhere", "OIDC Core §7.2.1")
PKCE = Rule("every code is protected by PKCE", "RFC 9700 §2.1.1")
S256 = Rule("PKCE is S256", "RFC 9700 §2.1.1")
CHALLENGE = Rule("a challenge is a SHA-256", "RFC 7636 §4.2")
NO_QUERY = Rule("tokens never stand in a query", "OAuth 2.0 Multiple Response Types §3")
MODES = Rule("response modes are known", "CWE-346")
NONCE = Rule("an ID token of the front channel answers a nonce", "OIDC Core §3.2.2.1")
CODES_ONLY = Rule("FAPI clients have codes only", "FAPI 2.0 §5.3.2.2")
PUSHED_ONLY = Rule("FAPI clients push their requests", "FAPI 2.0 §5.3.2.2")
NOT_BARE = Rule("no access token without an ID token to bind it", "RFC 9700 §2.1.2")
TYPES = Rule("response types are known", "OAuth 2.0 Multiple Response Types §2")
REGISTERED = Rule("a client has what it registered", "RFC 6749 §4.1.2.1")
NOT_IN_FRONT = Rule("bound tokens are not given in the front channel", "RFC 9449 §5")
SIGNED_BACK = Rule("answers that must be signed are", "FAPI 2.0 Message Signing §5.4")
BY_ITS_ALG = Rule("only asymmetric algorithms we allow", "RFC 9101 §10.5")
ONE_ALG = Rule("a client may bind itself to one algorithm", "OIDC Registration §2")
BY_ITS_KEYS = Rule("a request object is signed by the client's own keys", "RFC 9101 §6.2")
COMPACT = Rule("a request object is one signed JWT in compact form", "RFC 7519 §7.2")
NOT_SEALED = Rule("encrypted requests are refused, not guessed at", "CVE-2026-9793")
CRITICAL = Rule("what is critical and not understood is refused", "RFC 7515 §4.1.11")
OF_ITS_KIND = Rule("no other kind of JWT passes for a request object", "RFC 8725 §3.11")
ITS_SIGNERS = Rule("a request object speaks for its signer", "RFC 9101 §10.2")
SAME_ID = Rule("client_id is the same inside and outside", "RFC 9101 §5")
ISS = Rule("iss is the client", "RFC 9101 §4")
AUD = Rule("aud is us", "RFC 9101 §4")
IN_FORCE = Rule("a request object is in force", "RFC 7519 §2")
NOT_NESTED = Rule("a request object holds no other", "RFC 9101 §4")
FAPI_ALG = Rule("FAPI clients sign by PS256 or ES256", "FAPI 2.0 §5.4.1")
INSIDE = Rule("only what is inside counts", "RFC 9101 §6.3")
ONE_REQUEST = Rule("one request at a time", "RFC 9101 §5")
FETCHED = Rule("only registered addresses are fetched", "CVE-2020-10770")
HTTPS = Rule("only https is fetched", "CWE-918")
OUTSIDE = Rule("what is fetched is no address of ours", "CWE-918")
ITS_ADDRESS = Rule("an address belongs to its client", "RFC 9101 §10.4.2")
OUR_NAME = Rule("a pushed request has a name we gave", "RFC 9126 §7.1")
KINDS = Rule("no handle passes for another kind", "CWE-345")
HERE = Rule("a handle is good where it was made", "CWE-345")
HINT = Rule("a hint is an ID token of ours", "OIDC Core §3.1.2.1")
ITS_HINT = Rule("a hint was given to the client that brings it", "OIDC Core §8")
ANSWERED = Rule("a sign-in answers the request it was made for, once", "OIDC Core §3.1.2.3")
SHOWN = Rule("consent is about what she was shown, in her session, just now", "CWE-639")
OUR_PAGE = Rule("consent is given on our page", "CWE-352")
BY_POST = Rule("consent is given by POST", "CWE-650")
NOT_YES = Rule("whatever is not yes is no", "CWE-20")
OUR_HOST = Rule("we answer to our own name", "CWE-644")
FORWARDED = Rule("nobody's forwarding headers are believed", "CWE-348")
METHODS = Rule("only GET and POST ask", "OIDC Core §3.1.2.1")


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Act
    comes: str


# ---- where the answer goes -------------------------------------------------------------------


def to(uri: str | None, **changes: str | None) -> Act:
    return lambda scene: scene.flow.ask(redirect_uri=uri, **changes)


def native_to(uri: str) -> Act:
    return lambda scene: scene.native.ask(redirect_uri=uri)


def to_the_thiefs(scene: Scene) -> Any:
    scene.world.change(Client, scene.thief.party.id, redirect_uris=[EVIL])
    return scene.flow.ask(redirect_uri=EVIL)


def to_where_it_signs_out(scene: Scene) -> Any:
    after = "http://localhost:9001/bye"
    scene.world.change(Client, scene.flow.party.id, post_logout_redirect_uris=[after])
    return scene.flow.ask(redirect_uri=after)


def refused_at(uri: str) -> Act:
    """An error must not be told there either (RFC 6749 §4.1.2.1)."""
    return to(uri, response_type="nothing", scope=None)


URIS: Table = {
    "shown:redirect_uri": [
        ("another host", EXACT, to(EVIL)),
        ("a host that begins alike", EXACT, to("http://localhost:9001.evil.example/callback")),
        ("another port of a web client", EXACT, to(REDIRECT.replace("9001", "9002"))),
        ("no port", EXACT, to("http://localhost/callback")),
        ("a longer path", EXACT, to(REDIRECT + "/more")),
        ("a path that climbs", EXACT.by("CWE-22"), to(REDIRECT + "/../callback")),
        ("an encoded path that climbs", EXACT.by("CWE-22"), to(REDIRECT + "%2f..%2fcallback")),
        (
            "an encoded letter",
            EXACT.by("RFC 3986 §6.2.2.2"),
            to(REDIRECT.replace("back", "b%61ck")),
        ),
        ("another case of the path", EXACT, to(REDIRECT.replace("callback", "Callback"))),
        ("another case of the host", EXACT, to(REDIRECT.replace("localhost", "LocalHost"))),
        ("a dot behind the host", EXACT, to(REDIRECT.replace("localhost", "localhost."))),
        ("a slash behind the path", EXACT, to(REDIRECT + "/")),
        ("a query added", EXACT, to(REDIRECT + "?next=https://evil.example")),
        ("a semicolon added", EXACT, to(REDIRECT + ";evil")),
        ("a space before", EXACT, to(" " + REDIRECT)),
        ("another scheme", EXACT, to(REDIRECT.replace("http:", "https:"))),
        ("the address instead of the name", EXACT, to(REDIRECT.replace("localhost", "127.0.0.1"))),
        ("letters that look alike", EXACT.by("Unicode TR39"), to(REDIRECT.replace("o", "о"))),
        (
            "user information",
            EXACT.by("CVE-2023-6291"),
            to(REDIRECT.replace("//", "//evil.example@")),
        ),
        ("a backslash", EXACT.by("CWE-601"), to("http://evil.example\\@localhost:9001/callback")),
        (
            "a wildcard",
            EXACT.by("CVE-2023-6927"),
            to("http://*/callback", response_mode="form_post.jwt"),
        ),
        ("a line break", EXACT.by("CWE-113"), to(REDIRECT + "\r\nSet-Cookie: a=b")),
        ("a fragment", NO_FRAGMENT, to(REDIRECT + "#evil")),
        ("a script", SCHEMES, to("javascript:alert(1)")),
        ("a data address", SCHEMES, to("data:text/html,x")),
        ("none", NAMED, to(None)),
        ("another client's", ITS_OWN, to_the_thiefs),
        ("where it signs out", NOT_AFTER, to_where_it_signs_out),
        ("an error to a strange address", QUIET, refused_at(EVIL)),
        (
            "native, a host that begins with the loopback",
            PORT,
            native_to("http://127.0.0.1.evil.example:9/back"),
        ),
        ("native, another path", PORT, native_to("http://127.0.0.1:9/other")),
        (
            "native, localhost for the address",
            PORT.by("CVE-2024-8883"),
            native_to("http://localhost:9/back"),
        ),
        (
            "native, user information",
            PORT.by("RFC 3986 §7.6"),
            native_to("http://127.0.0.1:9@evil.example/back"),
        ),
        (
            "native, a scheme that begins alike",
            PRIVATE_USE,
            native_to("com.example.app.evil:/back"),
        ),
    ],
}

# ---- parameters ------------------------------------------------------------------------------


def repeated(name: str, value: str | None = None) -> Act:
    def act(scene: Scene) -> Any:
        query = scene.flow.query
        return scene.raw([*query.items(), (name, value or query[name])])

    return act


def repeated_by_post(scene: Scene) -> Any:
    pairs = urlencode([*scene.flow.query.items(), ("redirect_uri", EVIL)])
    return scene.browser.post(
        "/oauth2/authorize", data=pairs, content_type="application/x-www-form-urlencoded"
    )


def query_beside_a_body(scene: Scene) -> Any:
    """What stands in the address of a POST does not count."""
    url = "/oauth2/authorize?" + urlencode({"redirect_uri": EVIL, "scope": "openid"})
    first = scene.browser.post(url, data=scene.flow.query)
    assert not names_evil(first.headers["Location"])
    return scene.browser.get(first.headers["Location"])


def asks(**changes: str | None) -> Act:
    return lambda scene: scene.flow.ask(**changes)


def disabled(scene: Scene) -> Any:
    scene.world.change(Client, scene.flow.party.id, enabled=False)
    return scene.flow.ask()


PARAMETERS: Table = {
    "shown:invalid_request": [
        ("client_id twice", ONCE, repeated("client_id")),
        ("redirect_uri twice", ONCE.by("CVE-2026-9689"), repeated("redirect_uri", EVIL)),
        ("state twice", ONCE, repeated("state", "other")),
        ("scope twice", ONCE, repeated("scope", "openid")),
        ("nonce twice", ONCE, repeated("nonce", "other")),
        ("code_challenge twice", ONCE.by("RFC 9700 §4.8.2"), repeated("code_challenge", "A" * 43)),
        ("twice by POST", ONCE.by("CWE-235"), repeated_by_post),
        ("a NUL in client_id", NO_NUL, asks(client_id="a\x00")),
        ("a NUL in state", NO_NUL, asks(state="a\x00b")),
        ("a NUL in login_hint", NO_NUL, asks(login_hint="\x00")),
        ("too much", BOUNDED, asks(nonce="n" * 9000)),
    ],
    "ignored": [
        ("in the address of a POST", IN_THE_BODY, query_beside_a_body),
        ("an iss of its own", NAMES_US, asks(iss="https://evil.example")),
        ("a code of its own", NO_ECHO, asks(code="stolen")),
    ],
    "shown:client_unknown": [
        ("an unknown client", KNOWN, asks(client_id="x")),
        ("an internal id", PUBLIC_ID, asks(client_id="1")),
        ("a disabled client", DISABLED, disabled),
        ("a quote in client_id", LOOKED_UP, asks(client_id="' OR 1=1--")),
    ],
    "invalid_request": [
        ("claims nested deeply", SHALLOW, asks(claims="[" * 7000)),
        ("claims that are a list", CLAIMS, asks(claims="[1]")),
        ("claims with lists for parts", CLAIMS, asks(claims='{"userinfo":[]}')),
        ("digits of another script", ASCII, asks(max_age="١٢")),
        ("a number without end", FINITE, asks(max_age="9" * 40)),
        ("none and login", ALONE, asks(prompt="none login")),
        ("none and consent", ALONE, asks(prompt="consent none")),
        ("an unknown prompt", PROMPTS, asks(prompt="create\nnone")),
        ("a key with other characters", THUMBPRINT, asks(dpop_jkt="x" * 42)),
    ],
    "registration_not_supported": [
        ("self-registration", ELSEWHERE, asks(registration="{}")),
    ],
}

# ---- PKCE, response types and modes ----------------------------------------------------------


def front(**changes: str | None) -> Act:
    return lambda scene: scene.front.ask(**changes)


def _grantless(scene: Scene, **columns: Any) -> Flow:
    scene.world.change(Client, scene.front.party.id, **columns)
    return scene.front


def token_for_a_bound_client(scene: Scene) -> Any:
    bound = Options(dpop_bound_access_tokens=True).stored
    return _grantless(scene, options=bound).ask(response_type="id_token token")


def fapi_front(scene: Scene) -> Any:
    """Also where its row says otherwise."""
    every = [each.value for each in ResponseType]
    scene.world.change(Client, scene.fapi.party.id, response_types=every)
    answer = scene.fapi.push(response_type="code id_token")
    assert answer.get_json()["error"] == "unauthorized_client"
    return answer


def fapi_unpushed(scene: Scene) -> Any:
    return scene.fapi.ask()


def fapi_signed_unpushed(scene: Scene) -> Any:
    return scene.fapi.bring(scene.fapi.signed(), redirect_uri=SECURE, state=scene.fapi.state)


def stripped_signature(scene: Scene) -> Any:
    """A pushed request of a client that must have signed answers, without response_mode=jwt."""
    party = register_fapi(scene.world, profile=Profile.FAPI2_SIGNED)
    signer = Fapi(scene.browser, party, redirect_uri=SECURE, now=scene.now)
    answer = signer.push_signed(response_mode="query")
    assert answer.get_json()["error"] == "invalid_request"
    return answer


FLOWS: Table = {
    "invalid_request": [
        ("no challenge", PKCE, asks(code_challenge=None, code_challenge_method=None)),
        ("plain", S256, asks(code_challenge_method="plain")),
        ("plain by default", S256.by("RFC 7636 §4.3"), asks(code_challenge_method=None)),
        ("an empty challenge", PKCE.by("RFC 9700 §4.8.2"), asks(code_challenge="")),
        ("a challenge too short", CHALLENGE, asks(code_challenge="a" * 42)),
        (
            "a hybrid code without PKCE",
            PKCE,
            front(response_type="code id_token", code_challenge=None, code_challenge_method=None),
        ),
        (
            "tokens in the query",
            NO_QUERY,
            front(response_type="id_token token", response_mode="query"),
        ),
        (
            "signed tokens in the query",
            NO_QUERY.by("JARM §2.3.1"),
            front(response_type="id_token token", response_mode="query.jwt"),
        ),
        ("an unknown mode", MODES, front(response_mode="web_message")),
        ("no nonce in the front channel", NONCE, front(response_type="id_token", nonce=None)),
        ("FAPI, not pushed", PUSHED_ONLY, fapi_unpushed),
        ("FAPI, signed and not pushed", PUSHED_ONLY, fapi_signed_unpushed),
    ],
    "unsupported_response_type": [
        ("token alone", NOT_BARE, front(response_type="token")),
        (
            "response type none",
            TYPES.by("OAuth 2.0 Multiple Response Types §4"),
            front(response_type="none"),
        ),
        ("code twice", TYPES, front(response_type="code code")),
    ],
    "unauthorized_client": [
        ("implicit of a code client", REGISTERED, asks(response_type="id_token token")),
        ("a bearer token for a bound client", NOT_IN_FRONT, token_for_a_bound_client),
    ],
    "400": [
        ("signature stripped from the answer", SIGNED_BACK, stripped_signature),
        ("FAPI, hybrid", CODES_ONLY, fapi_front),
    ],
}

# ---- request objects -------------------------------------------------------------------------


def _segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(alg: str) -> Act:
    def act(scene: Scene) -> Any:
        head = _segment({"alg": alg, "typ": "oauth-authz-req+jwt"})
        return scene.bring(f"{head}.{_segment(scene.signed.claims())}.")

    return act


def by_hmac(of: Callable[[Scene], bytes], alg: str = "HS256") -> Act:
    """Algorithm confusion: what everybody knows, or the client's secret, as HMAC key."""

    def act(scene: Scene) -> Any:
        header = {"alg": alg, "typ": "oauth-authz-req+jwt"}
        said = f"{_segment(header)}.{_segment(scene.signed.claims())}"
        mac = hmac.new(of(scene), said.encode(), hashlib.sha256).digest()
        return scene.bring(f"{said}.{_segment(mac)}")

    return act


def public_pem(_scene: Scene) -> bytes:
    return key_for("RS256").as_pem(private=False)


def own_secret(scene: Scene) -> bytes:
    return (scene.signed.party.secret or "").encode()


def claims(**changes: Any) -> Act:
    return lambda scene: scene.bring(scene.signed.signed(**changes))


def late(**seconds: int) -> Act:
    def act(scene: Scene) -> Any:
        moved = {name: scene.now + value for name, value in seconds.items()}
        return scene.bring(scene.signed.signed(**moved))

    return act


def headed(alg: str = "ES256", **header: Any) -> Act:
    return lambda scene: scene.bring(sign(scene.signed.claims(), alg=alg, **header))


def by_the_thief(**header: Any) -> Act:
    thief = key_for("ES256", "thief")

    def act(scene: Scene) -> Any:
        return scene.bring(sign(scene.signed.claims(), by=thief, **header))

    return act


def altered(change: Callable[[str], str]) -> Act:
    return lambda scene: scene.bring(change(scene.signed.signed()))


def other_payload(text: str) -> str:
    head, body, mac = text.split(".")
    said = json.loads(base64.urlsafe_b64decode(body + "=="))
    return ".".join((head, _segment(said | {"scope": "openid org offline_access"}), mac))


def other_signature(text: str) -> str:
    head, body, mac = text.split(".")
    return ".".join((head, body, bent(mac)))


def payload(raw: bytes) -> Act:
    return lambda scene: scene.bring(sign(raw))


def nested_request(scene: Scene) -> Any:
    return scene.bring(scene.signed.signed(request=scene.signed.signed()))


def of_the_thief(scene: Scene) -> Any:
    """The thief's own good request object, under the honest client's name."""
    text = sign(scene.thief.claims(), by=key_for("ES256", "thief"))
    return scene.bring(text)


def taken_to_the_thief(scene: Scene) -> Any:
    """The honest client's request object, under the thief's name."""
    return scene.thief.bring(scene.signed.signed(), redirect_uri=REDIRECT)


def assertion(scene: Scene) -> Any:
    """What proves who the client is (RFC 7523), in place of a request."""
    about = {"sub": scene.signed.party.client_id, "jti": "a1"}
    return scene.bring(scene.signed.signed(**about))


def our_id_token(scene: Scene) -> Any:
    code = scene.flow.code()
    text = scene.flow.redeem(code).get_json()["id_token"]
    _forget_grants(scene)
    return scene.bring(text)


def a_proof(scene: Scene) -> Any:
    return scene.bring(dpop("GET", "/oauth2/authorize", now=scene.now, **scene.signed.claims()))


def bound_to_another_alg(scene: Scene) -> Any:
    party = register(scene.world, options={"request_object_signing_alg": "PS256"})
    flow = SignedFlow(scene.browser, party, now=scene.now)
    return flow.bring(flow.signed(), redirect_uri=REDIRECT, state=flow.state)


def fapi_rs256(scene: Scene) -> Any:
    scene.fapi.alg = "RS256"
    answer = scene.fapi.push_signed()
    assert answer.get_json()["error"] == "invalid_request_object"
    return answer


def beside_it(**outer: str) -> Act:
    """Parameters in the address, against the signed ones."""
    return lambda scene: scene.signed.bring(scene.signed.signed(), **outer)


def both_ways(scene: Scene) -> Any:
    return scene.refer(scene.publisher.url + "/request", request=scene.signed.signed())


def refers(uri: str, **outer: str) -> Act:
    return lambda scene: scene.refer(uri, **outer)


def code_as_name(scene: Scene) -> Any:
    return scene.refer(URN + scene.server.provider.tokens.handles.code(Code("A" * 22)))


def strange_name(scene: Scene) -> Any:
    other = Handles(scene.world.services.keyring, "https://idp.other.example")
    return scene.refer(URN + other.pushed("A" * 22))


def inside(scene: Scene) -> Any:
    """Registered, but an address of ours that nobody has allowed."""
    uri = scene.publisher.url.replace("localhost", "127.0.0.1") + "/request"
    party = register(scene.world, options={"request_uris": (uri,)})
    flow = SignedFlow(scene.browser, party, now=scene.now)
    return unasked(scene, "/request", flow.signed(), lambda: scene.refer(uri, flow))


def not_registered(scene: Scene) -> Any:
    """Where the client does publish, another path."""
    uri = scene.publisher.url + "/other"
    return unasked(scene, "/other", scene.signed.signed(), lambda: scene.refer(uri))


def another_clients_address(scene: Scene) -> Any:
    assert scene.signed.party
    uri = scene.publisher.url + "/request"
    text = sign(scene.flow.query)
    return unasked(scene, "/request", text, lambda: scene.refer(uri, scene.flow))


def unasked(scene: Scene, path: str, text: str, act: Callable[[], Any]) -> Any:
    """What is there is not even asked for."""
    scene.publisher.put(path, text)
    before = list(scene.publisher.asked)
    answer = act()
    assert scene.publisher.asked == before
    return answer


OBJECTS: Table = {
    "invalid_request_object": [
        ("alg none", BY_ITS_ALG, unsigned("none")),
        ("alg nOnE", BY_ITS_ALG.by("RFC 7515 §4.1.1"), unsigned("nOnE")),
        ("no alg", BY_ITS_ALG.by("RFC 7515 §4.1.1"), unsigned("")),
        ("the public key as a secret", BY_ITS_ALG.by("CVE-2016-5431"), by_hmac(public_pem)),
        ("the client's secret", BY_ITS_ALG.by("CVE-2015-9235"), by_hmac(own_secret)),
        ("another algorithm than registered", ONE_ALG, bound_to_another_alg),
        ("a foreign key", BY_ITS_KEYS, by_the_thief()),
        ("a foreign key under its name", BY_ITS_KEYS, by_the_thief(kid=key_for("ES256").kid)),
        (
            "a key that comes along",
            BY_ITS_KEYS.by("CVE-2018-0114"),
            by_the_thief(jwk=key_for("ES256", "thief").as_dict(private=False)),
        ),
        (
            "a key to be fetched",
            BY_ITS_KEYS.by("RFC 8725 §3.10"),
            by_the_thief(jku="https://evil.example/jwks"),
        ),
        (
            "a certificate to be fetched",
            BY_ITS_KEYS.by("RFC 8725 §3.10"),
            by_the_thief(x5u="https://evil.example/x"),
        ),
        (
            "a kid that is a path",
            BY_ITS_KEYS.by("CWE-22"),
            by_the_thief(kid="../../../../dev/null"),
        ),
        ("a kid that is SQL", BY_ITS_KEYS.by("CWE-89"), by_the_thief(kid="x' UNION SELECT 'k")),
        ("another payload", BY_ITS_KEYS, altered(other_payload)),
        ("another signature", BY_ITS_KEYS, altered(other_signature)),
        ("no signature", BY_ITS_KEYS, altered(lambda t: t.rpartition(".")[0] + ".")),
        ("cut off", COMPACT, altered(lambda t: t[:-30])),
        ("two parts", COMPACT, altered(lambda t: t.rpartition(".")[0])),
        ("five parts", NOT_SEALED, altered(lambda t: t + ".a.b")),
        (
            "JSON serialization",
            COMPACT.by("RFC 7519 §1"),
            lambda s: s.bring('{"payload":"e30","signatures":[]}'),
        ),
        ("a payload that is a list", COMPACT, payload(b'["openid"]')),
        ("a payload nested deeply", SHALLOW, payload(b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}")),
        ("no JSON", COMPACT, payload(b"\xff\xfe")),
        ("a critical header", CRITICAL, headed(crit=["exp"], exp=1)),
        ("an unencoded payload", CRITICAL.by("RFC 7797 §6"), headed(b64=False, crit=["b64"])),
        ("typ of an access token", OF_ITS_KIND, headed(typ="at+jwt")),
        ("typ of a logout token", OF_ITS_KIND, headed(typ="logout+jwt")),
        ("a DPoP proof", OF_ITS_KIND, a_proof),
        ("a client assertion", OF_ITS_KIND.by("RFC 9101 §10.8"), assertion),
        ("our own ID token", OF_ITS_KIND.by("RFC 8725 §3.12"), our_id_token),
        ("of another client", ITS_SIGNERS, of_the_thief),
        ("taken to another client", ITS_SIGNERS, taken_to_the_thief),
        ("client_id of another", SAME_ID, claims(client_id="another")),
        ("a list of clients", SAME_ID, claims(client_id=["another"])),
        ("iss of another", ISS, claims(iss="https://evil.example")),
        ("for another server", AUD, claims(aud="https://idp.other.example")),
        ("for a longer name", AUD, claims(aud=ISSUER + ".evil.example")),
        ("for nobody", AUD, claims(aud=[])),
        ("expired", IN_FORCE.by("RFC 7519 §4.1.4"), late(exp=-31)),
        ("from the future", IN_FORCE.by("RFC 7519 §4.1.5"), late(nbf=61)),
        ("made in the future", IN_FORCE.by("RFC 7519 §4.1.6"), late(iat=3600)),
        ("exp as text", IN_FORCE, claims(exp="9999999999")),
        ("exp without end", IN_FORCE, claims(exp=float("inf"))),
        ("exp of true", IN_FORCE, claims(exp=True)),
        ("a request inside", NOT_NESTED, nested_request),
        ("a request_uri inside", NOT_NESTED, claims(request_uri=URN + "x")),
        ("a NUL inside", NO_NUL, claims(state="a\x00b")),
    ],
    "400": [
        ("FAPI, RS256", FAPI_ALG, fapi_rs256),
    ],
    "shown:invalid_request": [
        ("too much inside", BOUNDED, claims(login_hint="x" * 5000, nonce="y" * 3500)),
    ],
    "shown:redirect_uri": [
        (
            "a strange address inside",
            EXACT.by("RFC 9101 §6.3"),
            lambda s: s.signed.bring(s.signed.signed(redirect_uri=EVIL), redirect_uri=REDIRECT),
        ),
    ],
    "ignored": [
        ("scope beside it", INSIDE, beside_it(scope="openid changes:write")),
        ("redirect beside it", INSIDE, beside_it(redirect_uri=EVIL)),
        ("PKCE beside it", INSIDE.by("RFC 9700 §4.8.2"), beside_it(code_challenge="A" * 43)),
        ("response_mode beside it", INSIDE, beside_it(response_mode="fragment")),
    ],
    "invalid_request": [
        ("by value and by reference", ONE_REQUEST, both_ways),
    ],
}

REFERENCES: Table = {
    "invalid_request_uri": [
        ("metadata of the cloud", FETCHED, refers("http://169.254.169.254/latest/meta-data")),
        ("a file", HTTPS, refers("file:///etc/passwd")),
        ("data", HTTPS, refers("data:application/jwt,a.b.c")),
        ("an address that is not registered", FETCHED, not_registered),
        ("registered, but inside", OUTSIDE, inside),
        ("registered by another client", ITS_ADDRESS, another_clients_address),
        ("a made-up name", OUR_NAME, refers(URN + "guess")),
        ("a forged name", OUR_NAME, refers(URN + "ddp_" + "A" * 43)),
        ("a code as a name", KINDS, code_as_name),
        ("a name of another installation", HERE, strange_name),
    ],
    "shown:invalid_request_uri": [
        ("a made-up name, and nowhere to tell it", OUR_NAME, refers(URN + "x", redirect_uri="")),
        ("a made-up name, and a strange place", EXACT, refers(URN + "x", redirect_uri=EVIL)),
    ],
}

# ---- hints, sign-in and consent --------------------------------------------------------------


def hint(make: Callable[[Scene], str]) -> Act:
    return lambda scene: scene.flow.ask(id_token_hint=make(scene), prompt="none")


def unsigned_hint(scene: Scene) -> str:
    about = {"iss": ISSUER, "aud": scene.flow.party.client_id, "sub": "x"}
    return f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(about)}."


def hint_by_the_thief(scene: Scene) -> str:
    about = {"iss": ISSUER, "aud": scene.flow.party.client_id, "sub": "x"}
    return sign(about, by=key_for("ES256", "thief"), typ="JWT")


def hint_of_another(scene: Scene) -> str:
    answer = scene.signed.redeem(scene.signed.code()).get_json()
    _forget_grants(scene)
    return str(answer["id_token"])


def made_up_flow(scene: Scene) -> Any:
    return scene.flow.ask(prompt="login", flow="A" * 22)


def flow_of_another_request(scene: Scene) -> Any:
    """A sign-in that was done for one request does not answer another."""
    done = scene.flow.ask(prompt="login").headers["Location"].rpartition("/")[2]
    return scene.flow.ask(prompt="login", scope="openid", flow=done)


def flow_by_post(scene: Scene) -> Any:
    form = scene.flow.query | {"prompt": "login", "flow": "A" * 22}
    first = scene.browser.post("/oauth2/authorize", data=form)
    assert "flow=" not in first.headers["Location"]
    return scene.browser.get(first.headers["Location"])


def consent_form(scene: Scene, **changes: str) -> dict[str, str]:
    """The form of the consent page, as the person would send it."""
    page = scene.third.ask(**changes)
    assert 'name="decision"' in page.text
    return hidden_fields(page.text.partition("<main")[2]) | {"decision": "allow"}


def agree(form: dict[str, str], browser: Any, **headers: str) -> Any:
    return browser.post("/oauth2/consent", data=form, headers=headers)


def without_token(scene: Scene) -> Any:
    form = consent_form(scene)
    del form["csrf_token"]
    return agree(form, scene.browser)


def token_of_another_browser(scene: Scene) -> Any:
    other = scene.app.test_client()
    scene.world.sign_in(other)
    page = Flow(other, scene.third.party).ask()
    token = hidden_fields(page.text.partition("<main")[2])["csrf_token"]
    return agree(consent_form(scene) | {"csrf_token": token}, scene.browser)


def without_proof(scene: Scene) -> Any:
    return agree(consent_form(scene) | {"proof": ""}, scene.browser)


def forged_proof(scene: Scene) -> Any:
    form = consent_form(scene)
    return agree(form | {"proof": bent(form["proof"], -1)}, scene.browser)


def proof_of_less(scene: Scene) -> Any:
    form = consent_form(scene)
    wider = form["request"].replace("scope=openid+email", "scope=openid+email+org+offline_access")
    assert wider != form["request"]
    return agree(form | {"request": wider}, scene.browser)


def proof_for_another_client(scene: Scene) -> Any:
    scene.world.change(Client, scene.thief.party.id, first_party=False)
    form = consent_form(scene)
    request = form["request"].replace(scene.third.party.client_id, scene.thief.party.client_id)
    return agree(form | {"request": request}, scene.browser)


def proof_with_other_claims(scene: Scene) -> Any:
    form = consent_form(scene)
    wider = form["request"] + "&claims=" + quote('{"userinfo":{"phone_number":null}}')
    return agree(form | {"request": wider}, scene.browser)


def proof_of_an_hour_ago(scene: Scene) -> Any:
    form = consent_form(scene)
    scene.world.clock.advance(minutes=16)
    return agree(form, scene.browser)


def proof_of_another_session(scene: Scene) -> Any:
    form = consent_form(scene)
    scene.world.sign_in(scene.browser)
    return agree(form, scene.browser)


def nobody_agrees(scene: Scene) -> Any:
    form = consent_form(scene)
    scene.browser.delete_cookie("dinhdanh", domain="localhost")
    return agree(form, scene.browser)


def agree_by_get(scene: Scene) -> Any:
    return scene.browser.get("/oauth2/consent", query_string=consent_form(scene))


def agree_by_head(scene: Scene) -> Any:
    """GitHub's authorization took a HEAD for a consent that was given."""
    query = scene.third.query
    answer = scene.browser.head("/oauth2/authorize", query_string=query)
    assert "Location" not in answer.headers
    return scene.browser.head("/oauth2/consent", query_string=consent_form(scene))


def strange_answer(scene: Scene) -> Any:
    """Whatever is not ``allow`` is no."""
    return agree(consent_form(scene) | {"decision": "ALLOW"}, scene.browser)


def strange_request(scene: Scene) -> Any:
    form = consent_form(scene)
    changed = form["request"].replace(quote(REDIRECT, safe=""), quote(EVIL, safe=""))
    assert changed != form["request"]
    return agree(form | {"request": changed}, scene.browser)


def ended(scene: Scene) -> Any:
    form = consent_form(scene)
    with scene.world.services.db.write() as session:
        mine = sessions.living(session, [scene.world.user_id], now=scene.world.clock())
        sessions.end_many(session, [s.id for s in mine], now=scene.world.clock(), reason="test")
    return agree(form, scene.browser)


PEOPLE: Table = {
    "invalid_request": [
        ("an unsigned hint", HINT.by("RFC 8725 §3.1"), hint(unsigned_hint)),
        ("a hint by another key", HINT, hint(hint_by_the_thief)),
        ("a hint of another client", ITS_HINT, hint(hint_of_another)),
    ],
    "sign-in": [
        ("a made-up sign-in", ANSWERED, made_up_flow),
        ("the sign-in of another request", ANSWERED.by("CVE-2026-7571"), flow_of_another_request),
        ("a made-up sign-in by POST", ANSWERED, flow_by_post),
        ("consent of nobody", SHOWN.by("CWE-306"), nobody_agrees),
        ("consent after the end", SHOWN.by("CWE-613"), ended),
    ],
    "400": [
        ("consent without a token", OUR_PAGE.by("RFC 6749 §10.12"), without_token),
        ("consent with another's token", OUR_PAGE, token_of_another_browser),
    ],
    "405": [
        ("consent by GET", BY_POST.by("CWE-352"), agree_by_get),
        ("consent by HEAD", BY_POST, agree_by_head),
    ],
    "200": [
        ("consent without a proof", SHOWN.by("RFC 9700 §4.16"), without_proof),
        ("consent with a forged proof", SHOWN.by("CWE-345"), forged_proof),
        ("consent to less", SHOWN, proof_of_less),
        ("consent to other claims", SHOWN, proof_with_other_claims),
        ("consent to another client", SHOWN, proof_for_another_client),
        ("consent of an hour ago", SHOWN.by("CWE-613"), proof_of_an_hour_ago),
        ("consent of another session", SHOWN.by("CWE-384"), proof_of_another_session),
    ],
    "access_denied": [
        ("a strange decision", NOT_YES, strange_answer),
    ],
    "shown:redirect_uri": [
        ("consent for another address", EXACT, strange_request),
    ],
}

# ---- the request around it -------------------------------------------------------------------


def host(name: str) -> Act:
    return lambda scene: scene.raw([*scene.flow.query.items()], headers={"Host": name})


def forwarded(scene: Scene) -> Any:
    headers = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    answer = scene.raw([*scene.flow.query.items()], headers=headers)
    assert not names_evil(str(answer.headers))
    return answer


def by(method: str) -> Act:
    return lambda scene: scene.browser.open("/oauth2/authorize", method=method)


AROUND: Table = {
    "421": [
        ("a strange Host", OUR_HOST, host("evil.example")),
        ("a strange port", OUR_HOST, host("localhost:8001")),
        ("a Host with user information", OUR_HOST, host("localhost:8000@evil.example")),
    ],
    "ignored": [
        ("a forwarded host", FORWARDED, forwarded),
    ],
    "405": [
        ("PUT", METHODS, by("PUT")),
        ("DELETE", METHODS, by("DELETE")),
    ],
}

TABLES = (URIS, PARAMETERS, FLOWS, OBJECTS, REFERENCES, PEOPLE, AROUND)
CASES = [
    Case(name, rule.sentence, rule.source, act, comes)
    for table in TABLES
    for comes, rows in table.items()
    for name, rule, act in rows
]


def _forget_grants(scene: Scene) -> None:
    """What an act did honestly to get hold of something does not count as a grant."""
    with scene.world.services.db.write() as session:
        session.query(Grant).delete()


def _ours(location: str) -> bool:
    parts = urlsplit(location)
    return not parts.netloc and location.startswith(("/login/", "/oauth2/"))


def test_the_thief_is_recognised_in_addresses_and_not_in_tokens() -> None:
    for said in (
        EVIL,
        quote(EVIL),
        quote(quote(EVIL, safe=""), safe=""),
        "http://a:9@evil.example",
    ):
        assert names_evil(f"/login?return_to={said}"), said
    for said in ("code=ddc_q7evilK-3", "state=evilA.b", "jwt=a.-evil.c"):
        assert not names_evil(f"/callback?{said}"), said


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_an_attack_comes_to_nothing(scene: Scene, case: Case) -> None:
    answer = case.act(scene)
    location = answer.headers.get("Location", "")
    assert not names_evil(location)
    assert "Set-Cookie: a=b" not in str(answer.headers)
    if case.comes == "ignored":
        _assert_honest(scene, answer)
        return
    assert not scene.world.all(Grant)
    if case.comes.startswith("shown:"):
        assert answer.status_code == 400, answer.text
        assert answer.mimetype == "text/html"
        assert not location
        assert f"<code>{case.comes.removeprefix('shown:')}</code>" in answer.text
        assert f'href="{EVIL}' not in answer.text
    elif case.comes.isdecimal():
        assert answer.status_code == int(case.comes), answer.text
        assert not location
    elif case.comes == "sign-in":
        assert location.startswith("/login/"), answer.text
    else:
        _assert_told(answer, case.comes)
    _assert_goes_on(scene)


def _assert_told(answer: Any, error: str) -> None:
    assert answer.status_code in (302, 303), answer.text
    location = answer.headers["Location"]
    assert location.startswith((REDIRECT, SECURE))
    parts = urlsplit(location)
    told = {k: v[0] for k, v in parse_qs(parts.fragment or parts.query).items()}
    assert (told["error"], told["iss"]) == (error, ISSUER), told
    assert not {"code", "id_token", "access_token"} & told.keys()


def _assert_honest(scene: Scene, answer: Any) -> None:
    """The answer goes where it should, says who we are, and gives what was honestly asked for."""
    asks = scene.signed if "request" in answer.request.args else scene.flow
    told = asks.told(answer)
    assert urlsplit(answer.headers["Location"]).fragment == ""
    assert set(told) == {"code", "state", "iss"}
    assert (told["state"], told["iss"]) == (asks.state, ISSUER)
    (grant,) = scene.world.all(Grant)
    assert set(grant.scopes) == set(asks.scope.split())
    assert asks.redeem(told["code"]).status_code == 200


def _assert_goes_on(scene: Scene) -> None:
    """The attack has cost honest people nothing."""
    scene.world.change(Client, scene.flow.party.id, enabled=True)
    scene.world.sign_in(scene.browser)
    assert scene.flow.tokens()["access_token"]
    if "signed" in scene.__dict__:
        scene.signed.now = scene.now
        assert "code" in scene.signed.told(scene.signed.bring(scene.signed.signed()))


# ---- what holds for every answer --------------------------------------------------------------


def _pages(scene: Scene) -> dict[str, Any]:
    nobody = scene.app.test_client()
    sign_in = Flow(nobody, scene.flow.party).ask().headers["Location"]
    return {
        "consent": scene.third.ask(),
        "form_post": scene.flow.ask(response_mode="form_post"),
        "refused": scene.flow.ask(redirect_uri=EVIL),
        "sign-in": nobody.get(sign_in),
    }


def test_no_page_can_be_framed_or_run_what_is_not_ours(scene: Scene) -> None:
    """RFC 9700 §4.16, RFC 6749 §10.13: clickjacking."""
    for name, page in _pages(scene).items():
        policy = page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY", name
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert not names_evil(policy)
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("mode", ["query", "fragment", "form_post", "jwt"])
def test_every_answer_names_us_errors_as_well(scene: Scene, mode: str) -> None:
    """RFC 9207 §2, RFC 9700 §4.4: whoever is mixed up sees it."""
    for changes in ({}, {"scope": "none-of-these"}):
        answer = scene.flow.ask(response_mode=mode, **changes)
        if mode == "form_post":
            told = hidden_fields(answer.text.partition("<main")[2])
        else:
            told = scene.flow.told(answer)
        if mode == "jwt":
            body = told["response"].split(".")[1]
            told = json.loads(base64.urlsafe_b64decode(body + "=="))
        assert told["iss"] == ISSUER
        assert told["state"] == scene.flow.state


@pytest.mark.parametrize(
    "state",
    [
        "https://evil.example/",
        "a&code=stolen",
        "a#code=stolen",
        "a\r\nSet-Cookie: a=b",
        "\u202e",
        "%00",
    ],
)
def test_state_comes_back_as_it_was_and_is_nothing_but_state(scene: Scene, state: str) -> None:
    """RFC 6749 §10.12, CWE-113, CWE-601."""
    scene.flow.state = state
    answer = scene.flow.ask(code_challenge_method="plain")
    told = scene.flow.told(answer)
    assert (told["state"], told["error"]) == (state, "invalid_request")
    assert "code" not in told
    assert "a=b" not in answer.headers.get("Set-Cookie", "")


def test_codes_differ_and_are_long(scene: Scene) -> None:
    """RFC 6749 §10.10."""
    codes = {scene.flow.code() for _ in range(20)}
    assert len(codes) == 20
    assert min(map(len, codes)) >= 43


def test_a_verifier_without_a_challenge_is_refused(scene: Scene) -> None:
    """RFC 9700 §4.8.2: the challenge taken away on the way is noticed at the token endpoint."""
    party = scene.world.register("Không PKCE", options=Options(require_pkce=False))
    flow = Flow(scene.browser, party)
    code = flow.code(code_challenge=None, code_challenge_method=None)
    assert flow.redeem(code).get_json()["error"] == "invalid_request"
    bare = flow.token(grant_type="authorization_code", code=code, redirect_uri=REDIRECT)
    assert bare.status_code == 200


def test_every_case_names_its_rule_and_source() -> None:
    assert len(CASES) >= 120
    assert len({case.rule for case in CASES}) >= 45
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.rule and case.source for case in CASES)
