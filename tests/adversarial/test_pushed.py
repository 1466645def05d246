"""The pushed authorization request endpoint, and the names it gives, under attack (RFC 9126).

Every case is one push that must be refused, or one attempt to use a pushed request that is not
the attacker's to use, not now, or not again. Nothing is kept, nobody is sent anywhere, and the
honest client's own push works right after it.
"""

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import pytest

from idp.oidc import rate_limit
from idp.oidc.authorization.pushed import URN, PushedRequest
from idp.oidc.clients import AuthMethod, Client, Options
from idp.oidc.grants import Grant
from idp.oidc.opaque_tokens import Code, Handles
from idp.oidc.tokens import Tokens
from tests.relying_party import REDIRECT, Flow, Party, World, build_world
from tests.signed_requests import (
    BY_ASSERTION,
    ISSUER,
    SECURE,
    Fapi,
    SignedFlow,
    dpop,
    key_for,
    public,
    register,
    register_fapi,
    sign,
    thumbprint,
)

PAR = "/oauth2/par"
EVIL = "https://evil.example/callback"


@dataclass
class Scene:
    """Honest clients, a thief that is registered like them, and somebody signed in."""

    world: World
    browser: Any

    @cached_property
    def flow(self) -> Flow:
        """A confidential client."""
        pinned = Options(pin_auth_method=True)
        return Flow(self.browser, self.world.register(options=pinned))

    @cached_property
    def signed(self) -> SignedFlow:
        """A client that signs what it pushes."""
        return SignedFlow(self.browser, register(self.world), now=self.now)

    @cached_property
    def fapi(self) -> Fapi:
        """A client of FAPI 2.0."""
        party = register_fapi(self.world)
        return Fapi(self.browser, party, redirect_uri=SECURE, now=self.now)

    @cached_property
    def thief(self) -> SignedFlow:
        """A client like any other, with keys of its own."""
        keys = public(key_for("ES256", "thief"), key_for("RS256", "thief"))
        party = register(self.world, name="Kẻ trộm", options={"jwks": keys})
        return SignedFlow(self.browser, party, now=self.now)

    @property
    def now(self) -> int:
        """This moment."""
        return int(self.world.clock().timestamp())

    @property
    def handles(self) -> Handles:
        """What makes this installation's handles."""
        return Tokens(self.world.services).handles

    def push(self, **changes: str | None) -> Any:
        """The honest push, changed."""
        form = {k: v for k, v in (self.flow.query | changes).items() if v is not None}
        return self.flow.post(PAR, form)

    def uri(self, **changes: str | None) -> str:
        """The name of an honest push."""
        answer = self.push(**changes)
        assert answer.status_code == 201, answer.text
        return str(answer.get_json()["request_uri"])

    def raw(self, body: str, content_type: str = "application/x-www-form-urlencoded") -> Any:
        """Any body, as the honest client."""
        headers = self.flow.party.basic
        return self.browser.post(PAR, data=body, content_type=content_type, headers=headers)

    def bring(self, uri: str, flow: Flow | None = None, **outer: str) -> Any:
        """Send the browser with a name."""
        party = (flow or self.flow).party
        query = {"client_id": party.client_id, "request_uri": uri} | outer
        return self.browser.get("/oauth2/authorize", query_string=query)


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    made = Scene(build_world(services, clock), client)
    made.world.sign_in(client)
    return made


Act = Callable[[Scene], Any]


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Act
    error: str
    status: int = 400


# ---- who pushes ------------------------------------------------------------------------------

PROVES = "who pushes proves who it is, by the method it registered"


def as_party(party: Callable[[Scene], dict[str, str]], **form: str) -> Act:
    def act(scene: Scene) -> Any:
        return scene.browser.post(PAR, data=scene.flow.query | form, headers=party(scene))

    return act


def nobody(_scene: Scene) -> dict[str, str]:
    return {}


def honest(scene: Scene) -> dict[str, str]:
    return scene.flow.party.basic


def with_secret(secret: str) -> Callable[[Scene], dict[str, str]]:
    return lambda scene: Party(0, scene.flow.party.client_id, secret).basic


def the_thief(scene: Scene) -> dict[str, str]:
    return scene.thief.party.basic


def secret_in_the_form(scene: Scene) -> Any:
    form = scene.flow.query | {"client_secret": scene.flow.party.secret or ""}
    return scene.browser.post(PAR, data=form)


def disabled(scene: Scene) -> Any:
    scene.world.change(Client, scene.flow.party.id, enabled=False)
    return scene.push()


def asserted(**changes: Any) -> Act:
    """An assertion of the FAPI client, with some claims changed."""

    def act(scene: Scene) -> Any:
        fapi = scene.fapi
        about = {
            "iss": fapi.party.client_id,
            "sub": fapi.party.client_id,
            "aud": ISSUER,
            "exp": scene.now + 60,
            "jti": "once",
        }
        by = changes.pop("by", key_for("ES256"))
        form = {"client_assertion_type": BY_ASSERTION}
        form["client_assertion"] = sign(about | changes, by=by, typ="JWT")
        return scene.browser.post(PAR, data=fapi.query | form)

    return act


def assertion_used_twice(scene: Scene) -> Any:
    form = scene.fapi.query | scene.fapi.asserted()
    assert scene.browser.post(PAR, data=form).status_code == 201
    _forget(scene)
    return scene.browser.post(PAR, data=form)


CLIENTS = [
    Case("nobody", PROVES, "RFC 9126 §2", as_party(nobody), "invalid_client", 401),
    Case(
        "a wrong secret",
        PROVES,
        "RFC 6749 §2.3.1",
        as_party(with_secret("x")),
        "invalid_client",
        401,
    ),
    Case("an empty secret", PROVES, "CWE-287", as_party(with_secret("")), "invalid_client", 401),
    Case("another method", PROVES, "RFC 6749 §2.3", secret_in_the_form, "invalid_client", 401),
    Case("a disabled client", PROVES, "CWE-285", disabled, "invalid_client", 401),
    Case(
        "two methods",
        "one way of authentication at a time",
        "RFC 6749 §2.3",
        as_party(honest, client_secret="x"),
        "invalid_request",
    ),
    Case(
        "in another client's name",
        "the client that is authenticated is the one that asks",
        "RFC 9126 §2.1",
        as_party(the_thief),
        "invalid_request",
    ),
    Case(
        "an assertion used twice",
        "an assertion is good once",
        "RFC 7523 §3",
        assertion_used_twice,
        "invalid_client",
        401,
    ),
    Case(
        "an assertion for this endpoint",
        "assertions of FAPI clients are for the issuer",
        "FAPI 2.0 §5.3.2.1",
        asserted(aud=ISSUER + PAR),
        "invalid_client",
        401,
    ),
    Case(
        "an assertion for a list",
        "assertions of FAPI clients are for the issuer",
        "FAPI 2.0 §5.3.2.1",
        asserted(aud=[ISSUER, ISSUER + PAR]),
        "invalid_client",
        401,
    ),
    Case(
        "an assertion by a foreign key",
        "an assertion is signed by the client's own keys",
        "RFC 7523 §3",
        asserted(by=key_for("ES256", "thief")),
        "invalid_client",
        401,
    ),
]

# ---- what is pushed --------------------------------------------------------------------------

CHECKED = "what is pushed is checked as at the authorization endpoint"
NO_NAMES = "what is pushed is no name of another request"


def pushes(**changes: str | None) -> Act:
    return lambda scene: scene.push(**changes)


def repeated(scene: Scene) -> Any:
    return scene.raw(urlencode([*scene.flow.query.items(), ("redirect_uri", EVIL)]))


def as_json(scene: Scene) -> Any:
    return scene.raw(json.dumps(scene.flow.query), "application/json")


def in_the_address(scene: Scene) -> Any:
    headers = scene.flow.party.basic
    return scene.browser.post(
        PAR,
        query_string=scene.flow.query,
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


def crowded(scene: Scene) -> Any:
    """In the name of a public client, whose client_id everybody knows."""
    flow = Flow(scene.browser, scene.world.register("Công khai", auth_method=AuthMethod.NONE))
    for _ in range(rate_limit.MOST):
        assert flow.post(PAR, flow.query).status_code == 201
    _forget(scene)
    answer = flow.post(PAR, flow.query)
    assert answer.headers["Retry-After"] == "600"
    return answer


def its_own_name(scene: Scene) -> Any:
    uri = scene.uri()
    _forget(scene)
    return scene.push(request_uri=uri)


def with_method(method: str) -> Act:
    return lambda scene: scene.browser.open(PAR, method=method, headers=scene.flow.party.basic)


PUSHES = [
    Case("repeated", "no parameter is repeated", "RFC 6749 §3.2", repeated, "invalid_request"),
    Case("JSON", "a push is form-encoded", "RFC 9126 §2.1", as_json, "invalid_request"),
    Case(
        "in the address",
        "parameters stand in the body",
        "RFC 9126 §2.1",
        in_the_address,
        "invalid_request",
    ),
    Case(
        "too many by a client that proves nothing",
        "one address writes so many requests in a client's name",
        "RFC 6819 §4.4.1.11, OWASP API4:2023",
        crowded,
        "temporarily_unavailable",
        429,
    ),
    Case(
        "a NUL in a name",
        "no name of a parameter holds a NUL",
        "CWE-158",
        pushes(**{"x\0y": "s"}),
        "invalid_request",
    ),
    Case("a NUL", "no parameter holds a NUL", "CWE-158", pushes(state="a\0"), "invalid_request"),
    Case(
        "too much",
        "a request is no longer than it may be",
        "RFC 9126 §2.3",
        pushes(state="s" * 9000),
        "invalid_request",
    ),
    Case(
        "another name", NO_NAMES, "RFC 9126 §2.1", pushes(request_uri=URN + "x"), "invalid_request"
    ),
    Case("its own name", NO_NAMES, "RFC 9126 §2.1", its_own_name, "invalid_request"),
    Case(
        "an address inside",
        NO_NAMES,
        "CWE-918",
        pushes(request_uri="http://169.254.169.254/"),
        "invalid_request",
    ),
    Case(
        "another redirect URI",
        "an address is registered before it is used",
        "RFC 9126 §2.4",
        pushes(redirect_uri=EVIL),
        "invalid_request",
    ),
    Case("no redirect URI", CHECKED, "RFC 9126 §2.3", pushes(redirect_uri=None), "invalid_request"),
    Case("no PKCE", CHECKED, "RFC 9700 §2.1.1", pushes(code_challenge=None), "invalid_request"),
    Case(
        "PKCE plain",
        CHECKED,
        "RFC 9700 §2.1.1",
        pushes(code_challenge_method="plain"),
        "invalid_request",
    ),
    Case(
        "implicit",
        CHECKED,
        "RFC 9700 §2.1.2",
        pushes(response_type="id_token"),
        "unsupported_response_type",
    ),
    Case("no scope of its own", CHECKED, "RFC 6749 §3.3", pushes(scope="root"), "invalid_scope"),
    Case(
        "none and login",
        CHECKED,
        "OIDC Core §3.1.2.1",
        pushes(prompt="none login"),
        "invalid_request",
    ),
    Case("claims nested deeply", CHECKED, "CWE-674", pushes(claims="[" * 7000), "invalid_request"),
    Case(
        "a forged hint",
        CHECKED,
        "OIDC Core §3.1.2.1",
        pushes(id_token_hint="e30.e30.AA"),
        "invalid_request",
    ),
    Case("GET", "requests are pushed by POST", "RFC 9126 §2.3", with_method("GET"), "", 405),
    Case("PUT", "requests are pushed by POST", "RFC 9126 §2.3", with_method("PUT"), "", 405),
]

# ---- signed pushes ---------------------------------------------------------------------------

AUTHENTIC = "a pushed request object is signed by who pushes it"


def object_of(make: Callable[[Scene], str]) -> Act:
    return lambda scene: scene.signed.post(PAR, {"request": make(scene)})


def unsigned(scene: Scene) -> str:
    head, body, _ = scene.signed.signed().split(".")
    raw = json.dumps({"alg": "none", "typ": "oauth-authz-req+jwt"}).encode()
    return f"{base64.urlsafe_b64encode(raw).decode().rstrip('=')}.{body}." if head else ""


def by_the_thief(scene: Scene) -> str:
    return sign(scene.signed.claims(), by=key_for("ES256", "thief"))


def the_thiefs_own(scene: Scene) -> str:
    return sign(scene.thief.claims(), by=key_for("ES256", "thief"))


def in_anothers_name(scene: Scene) -> Any:
    """The honest client's request object, pushed by the thief."""
    return scene.thief.post(PAR, {"request": scene.signed.signed()})


def bare_of_a_signer(scene: Scene) -> Any:
    options = Options(require_signed_request_object=True).stored
    row = scene.world.one(Client, scene.signed.party.id)
    scene.world.change(Client, row.id, options=row.options | options)
    return scene.signed.post(PAR, scene.signed.query)


def strange_address(scene: Scene) -> Any:
    """A good address outside does not excuse the one inside."""
    text = scene.signed.signed(redirect_uri=EVIL)
    return scene.signed.post(PAR, {"request": text, "redirect_uri": REDIRECT})


def pkce_outside(scene: Scene) -> Any:
    text = scene.signed.signed(code_challenge=None)
    return scene.signed.post(PAR, scene.signed.query | {"request": text})


def fapi(**changes: Any) -> Act:
    def act(scene: Scene) -> Any:
        moved = {k: scene.now + v if isinstance(v, int) else v for k, v in changes.items()}
        return scene.fapi.push_signed(**moved)

    return act


OBJECTS = [
    Case(
        "a NUL in a member's name",
        "no name of a parameter holds a NUL",
        "CWE-158",
        object_of(lambda s: s.signed.signed(**{"x\0y": "s"})),
        "invalid_request_object",
    ),
    Case("unsigned", AUTHENTIC, "RFC 9101 §10.5", object_of(unsigned), "invalid_request_object"),
    Case(
        "by a foreign key",
        AUTHENTIC,
        "RFC 9101 §6.2",
        object_of(by_the_thief),
        "invalid_request_object",
    ),
    Case(
        "of another client",
        AUTHENTIC,
        "RFC 9126 §3",
        object_of(the_thiefs_own),
        "invalid_request_object",
    ),
    Case("in another's name", AUTHENTIC, "RFC 9126 §3", in_anothers_name, "invalid_request_object"),
    Case(
        "sealed",
        "encrypted requests are refused, not guessed at",
        "CVE-2026-9793",
        object_of(lambda s: s.signed.signed() + ".a.b"),
        "invalid_request_object",
    ),
    Case(
        "a name inside",
        "a request object holds no other",
        "RFC 9101 §4",
        object_of(lambda s: s.signed.signed(request_uri=URN + "x")),
        "invalid_request_object",
    ),
    Case(
        "for another server",
        "aud is us",
        "RFC 9101 §4",
        object_of(lambda s: s.signed.signed(aud="https://idp.other.example")),
        "invalid_request_object",
    ),
    Case(
        "expired",
        "a request object is in force",
        "RFC 7519 §4.1.4",
        object_of(lambda s: s.signed.signed(exp=s.now - 31)),
        "invalid_request_object",
    ),
    Case(
        "unsigned, of a client that must sign",
        "who must sign pushes nothing unsigned",
        "RFC 9101 §10.5",
        bare_of_a_signer,
        "invalid_request",
    ),
    Case(
        "a strange address inside",
        "only what is inside counts",
        "RFC 9126 §3",
        strange_address,
        "invalid_request",
    ),
    Case(
        "PKCE outside",
        "only what is inside counts",
        "RFC 9101 §6.3",
        pkce_outside,
        "invalid_request",
    ),
    Case(
        "FAPI, no aud",
        "requests of FAPI clients name us",
        "FAPI 2.0 Message Signing §5.3.1",
        fapi(aud=None),
        "invalid_request_object",
    ),
    Case(
        "FAPI, no exp",
        "requests of FAPI clients live an hour",
        "FAPI 2.0 Message Signing §5.3.1",
        fapi(exp=None),
        "invalid_request_object",
    ),
    Case(
        "FAPI, old",
        "requests of FAPI clients live an hour",
        "FAPI 2.0 Message Signing §5.3.1",
        fapi(nbf=-3601, exp=-1),
        "invalid_request_object",
    ),
    Case(
        "FAPI, long",
        "requests of FAPI clients live an hour",
        "FAPI 2.0 Message Signing §5.3.1",
        fapi(exp=3601),
        "invalid_request_object",
    ),
]

# ---- proofs of possession --------------------------------------------------------------------

OF_THIS_CALL = "a proof is of this very call"


def proven(make: Callable[[Scene], str], **form: str) -> Act:
    def act(scene: Scene) -> Any:
        headers = scene.flow.party.basic | {"DPoP": make(scene)}
        return scene.browser.post(PAR, data=scene.flow.query | form, headers=headers)

    return act


def proof_used_twice(scene: Scene) -> Any:
    proof = dpop("POST", PAR, now=scene.now)
    headers = scene.flow.party.basic | {"DPoP": proof}
    assert scene.browser.post(PAR, data=scene.flow.query, headers=headers).status_code == 201
    _forget(scene)
    return scene.browser.post(PAR, data=scene.flow.query, headers=headers)


PROOFS = [
    Case(
        "for another endpoint",
        OF_THIS_CALL,
        "RFC 9449 §4.3",
        proven(lambda s: dpop("POST", "/oauth2/token", now=s.now)),
        "invalid_dpop_proof",
    ),
    Case(
        "for another method",
        OF_THIS_CALL,
        "RFC 9449 §4.3",
        proven(lambda s: dpop("GET", PAR, now=s.now)),
        "invalid_dpop_proof",
    ),
    Case(
        "too old",
        OF_THIS_CALL,
        "RFC 9449 §11.1",
        proven(lambda s: dpop("POST", PAR, now=s.now - 300)),
        "invalid_dpop_proof",
    ),
    Case(
        "a proof used twice",
        "a proof is good once",
        "RFC 9449 §11.1",
        proof_used_twice,
        "invalid_dpop_proof",
    ),
    Case(
        "by another key than named",
        "a proof and dpop_jkt agree",
        "RFC 9449 §10.1",
        proven(
            lambda s: dpop("POST", PAR, now=s.now), dpop_jkt=thumbprint(key_for("ES256", "thief"))
        ),
        "invalid_dpop_proof",
    ),
    Case(
        "no thumbprint",
        "dpop_jkt is a SHA-256 thumbprint",
        "RFC 9449 §10",
        pushes(dpop_jkt="x"),
        "invalid_request",
    ),
]

REFUSED = [*CLIENTS, *PUSHES, *OBJECTS, *PROOFS]

# ---- what has been pushed, used by others, later, or again -----------------------------------

ITS_CLIENTS = "a pushed request belongs to who pushed it"
OURS = "a name is one we gave, to the last bit"
NOT_USED = "a pushed request is used once"
STILL = "what has changed since the push counts"


def used(scene: Scene) -> Any:
    uri = scene.uri()
    assert "code" in scene.flow.told(scene.bring(uri))
    _forget(scene)
    return scene.bring(uri)


def used_up_by_an_error(scene: Scene) -> Any:
    uri = scene.uri(prompt="none", max_age="0")
    assert scene.flow.told(scene.bring(uri))["error"] == "login_required"
    return scene.bring(uri)


def too_late(scene: Scene) -> Any:
    uri = scene.uri()
    scene.world.clock.advance(seconds=60)
    return scene.bring(uri)


def anothers(scene: Scene) -> Any:
    return scene.bring(scene.uri(), scene.thief)


def swapped(scene: Scene) -> Any:
    """The thief's own pushed request, brought in the honest client's name."""
    answer = scene.thief.post(PAR, scene.thief.query)
    return scene.bring(answer.get_json()["request_uri"])


def bent(at: int) -> Act:
    def act(scene: Scene) -> Any:
        head, body = (uri := scene.uri())[: len(URN) + 4], uri[len(URN) + 4 :]
        raw = bytearray(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        raw[at] ^= 1
        return scene.bring(head + base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))

    return act


def spelt(change: Callable[[str], str]) -> Act:
    return lambda scene: scene.bring(change(scene.uri()))


def made_up(make: Callable[[Scene], str]) -> Act:
    return lambda scene: scene.bring(URN + make(scene))


def elsewhere(scene: Scene) -> str:
    other = Handles(scene.world.services.keyring, "https://idp.other.example")
    return other.pushed(scene.handles.open_pushed(scene.uri().removeprefix(URN)) or "")


def client_disabled(scene: Scene) -> Any:
    uri = scene.uri()
    scene.world.change(Client, scene.flow.party.id, enabled=False)
    return scene.bring(uri)


def address_withdrawn(scene: Scene) -> Any:
    """RFC 9126 §7.4: the policy of the client may have changed since."""
    uri = scene.uri()
    scene.world.change(Client, scene.flow.party.id, redirect_uris=["https://app.example/new"])
    return scene.bring(uri)


def kept_alive(scene: Scene) -> Any:
    """Somebody who is not signed in brings it every ten minutes; after half an hour it is over."""
    uri, other = scene.uri(), scene.browser.application.test_client()
    query = {"client_id": scene.flow.party.client_id, "request_uri": uri}
    for _ in range(3):
        assert other.get("/oauth2/authorize", query_string=query).status_code == 303
        scene.world.clock.advance(minutes=10)
    scene.world.sign_in(scene.browser)  # The honest session has been idle for too long.
    return other.get("/oauth2/authorize", query_string=query)


USED = [
    Case(
        "kept alive by bringing it again and again",
        "a pushed request ends, however often it is brought",
        "RFC 9126 §2.2, CWE-613",
        kept_alive,
        "invalid_request_uri",
    ),
    Case("used", NOT_USED, "RFC 9126 §7.3", used, "invalid_request_uri"),
    Case("used by an error", NOT_USED, "RFC 9126 §7.3", used_up_by_an_error, "invalid_request_uri"),
    Case(
        "too late",
        "a pushed request waits a minute",
        "RFC 9126 §2.2",
        too_late,
        "invalid_request_uri",
    ),
    Case("another client's", ITS_CLIENTS, "RFC 9126 §2.2", anothers, "invalid_request_uri"),
    Case("swapped", ITS_CLIENTS, "RFC 9126 §7.5", swapped, "invalid_request_uri"),
    Case("a bit of the id", OURS, "RFC 9126 §7.1", bent(0), "invalid_request_uri"),
    Case("a bit of the MAC", OURS, "RFC 9126 §7.1", bent(-1), "invalid_request_uri"),
    Case("cut off", OURS, "RFC 9126 §7.1", spelt(lambda u: u[:-1]), "invalid_request_uri"),
    Case("longer", OURS, "RFC 9126 §7.1", spelt(lambda u: u + "A"), "invalid_request_uri"),
    Case("padded", OURS, "CWE-180", spelt(lambda u: u + "="), "invalid_request_uri"),
    Case(
        "a guess",
        OURS,
        "RFC 9126 §7.1",
        made_up(lambda s: secrets.token_urlsafe(32)),
        "invalid_request_uri",
    ),
    Case("nothing", OURS, "CWE-20", made_up(lambda s: ""), "invalid_request_uri"),
    Case(
        "a code",
        "no handle passes for another kind",
        "CWE-345",
        made_up(lambda s: s.handles.code(Code("A" * 22))),
        "invalid_request_uri",
    ),
    Case(
        "of another installation",
        "a handle is good where it was made",
        "CWE-345",
        made_up(elsewhere),
        "invalid_request_uri",
    ),
    Case("its client disabled", STILL, "RFC 9126 §7.4", client_disabled, "client_unknown"),
    Case("its address withdrawn", STILL, "RFC 9126 §7.4", address_withdrawn, "redirect_uri"),
]

CASES = [*REFUSED, *USED]


def _forget(scene: Scene) -> None:
    """What an act did honestly before does not count."""
    with scene.world.services.db.write() as session:
        session.query(Grant).delete()
        session.query(PushedRequest).filter(PushedRequest.used_at.is_(None)).delete()


def _goes_on(scene: Scene) -> None:
    """The attack has cost the honest client nothing."""
    columns = {"enabled": True, "redirect_uris": [REDIRECT]}
    scene.world.change(Client, scene.flow.party.id, **columns)
    assert "code" in scene.flow.told(scene.bring(scene.uri()))


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: c.id)
def test_a_push_that_must_not_be_is_refused_and_nothing_is_kept(scene: Scene, case: Case) -> None:
    answer = case.act(scene)
    assert answer.status_code == case.status, answer.text
    if case.error:
        body = answer.get_json()
        assert body["error"] == case.error, body
        assert "request_uri" not in body
        assert answer.headers["Cache-Control"] == "no-store"
        assert ("WWW-Authenticate" in answer.headers) == (case.status == 401)
    assert scene.world.all(PushedRequest) == []
    _goes_on(scene)


@pytest.mark.parametrize("case", USED, ids=lambda c: c.id)
def test_what_was_pushed_is_good_for_its_client_once_and_at_once(scene: Scene, case: Case) -> None:
    answer = case.act(scene)
    assert answer.status_code == 400, answer.text
    assert "Location" not in answer.headers
    assert f"<code>{case.error}</code>" in answer.text
    assert scene.world.all(Grant) == []
    _goes_on(scene)


OUTER = {
    "redirect_uri": EVIL,
    "scope": "openid changes:write",
    "response_mode": "fragment",
    "response_type": "id_token",
    "code_challenge": "A" * 43,
    "prompt": "login",
    "state": "outer",
    "dpop_jkt": "A" * 43,
}


@pytest.mark.parametrize("name", list(OUTER))
def test_what_the_browser_adds_does_not_count(scene: Scene, name: str) -> None:
    """RFC 9126 §4, RFC 9101 §6.3: request_uri rewriting (RFC 9101 §10.4.2)."""
    told = scene.flow.told(scene.bring(scene.uri(), **{name: OUTER[name]}))
    assert set(told) == {"code", "state", "iss"}
    assert told["state"] == scene.flow.state
    assert scene.flow.redeem(told["code"]).status_code == 200


def test_nothing_of_a_pushed_request_reaches_the_browser(scene: Scene) -> None:
    """CVE-2024-4540: what was pushed stays between client and provider."""
    browser = scene.browser.application.test_client()
    wish = {
        "nonce": "secret-nonce",
        "state": "secret-state",
        "claims": '{"userinfo":{"secret":null}}',
    }
    query = {"client_id": scene.flow.party.client_id, "request_uri": scene.uri(**wish)}
    first = browser.get("/oauth2/authorize", query_string=query)
    page = browser.get(first.headers["Location"])
    assert page.status_code == 200
    for answer in (first, page):
        assert "secret" not in answer.text
        assert "secret" not in str(answer.headers)


def test_names_differ_and_cannot_be_guessed(scene: Scene) -> None:
    """RFC 9126 §7.1, RFC 6749 §10.10."""
    names = {scene.uri() for _ in range(10)}
    assert len(names) == 10
    assert min(map(len, names)) >= len(URN) + 43


def test_a_public_client_may_not_pass_for_a_confidential_one(scene: Scene) -> None:
    """RFC 9126 §2: a client_id alone is enough for whoever keeps no secret, and nobody else."""
    public_client = scene.world.register("Công khai", auth_method=AuthMethod.NONE)
    flow = Flow(scene.browser, public_client)
    assert flow.post(PAR, flow.query).status_code == 201
    assert scene.browser.post(PAR, data=scene.flow.query).status_code == 401


def test_every_case_names_its_rule_and_source() -> None:
    assert len(CASES) >= 45
    assert len({case.rule for case in CASES}) >= 25
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.rule and case.source for case in CASES)
