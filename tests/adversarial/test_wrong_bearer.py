"""Something good in the wrong hands, or brought wrongly: refused, and its bearer has lost nothing.

What is used up or shown at the token endpoint and at the authorization endpoint, against everything
that may be wrong about a request that brings it. Each wrong request leaves every row as it was; the
right one, sent after all of them, is answered, and what it gave is good. What is left out of the
table stands in ``EXCUSED`` with the reason. ``AGAIN`` says what a second request ends, and what not.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import pytest
from sqlalchemy import select

from idp.oidc.authorization.pushed import PushedRequest
from idp.oidc.clients import AuthMethod, GrantType, Options
from idp.oidc.grant_types.device import DeviceRequest
from idp.oidc.grants import Grant
from tests.device_flow import DEVICE, Device
from tests.proving import (
    TOKEN,
    Asserting,
    Authority,
    Certified,
    Holding,
    authority,
    believing,
    named,
)
from tests.relying_party import REDIRECT, Flow, Party, World, build_world
from tests.signed_requests import key_for, public

__all__ = ["authority"]

NOBODYS = "https://nobody.example"
EXCHANGE = GrantType.EXCHANGE.value
ACCESS = "urn:ietf:params:oauth:token-type:access_token"
AUTHORIZE, PAR = "/oauth2/authorize", "/oauth2/par"
EVERY = (GrantType.CODE, GrantType.REFRESH, GrantType.DEVICE, GrantType.EXCHANGE)
SCOPE = "openid email"
OWN, ANOTHER = key_for("ES256", "dpop"), key_for("ES256", "thief")


# ---- who brings it ---------------------------------------------------------------------------


@dataclass
class Scene:
    """A signed-in person, and clients of every kind: an honest one, and another like it."""

    world: World
    browser: Any
    authority: Authority

    def by_secret(self, name: str) -> Flow:
        """Proves who it is by a secret in one place."""
        options = Options(pin_auth_method=True)
        return self._flow(Flow, self._register(name, options=options))

    def nameless(self, name: str) -> Flow:
        """Proves nothing."""
        return self._flow(Flow, self._register(name, auth_method=AuthMethod.NONE))

    def by_assertion(self, name: str) -> Flow:
        """Proves who it is by its key."""
        key = key_for("ES256", name)
        party = self._register(
            name, auth_method=AuthMethod.KEY_JWT, options=Options(jwks=public(key))
        )
        return self._flow(Asserting, party, by=key, clock=self.world.clock)

    def with_key(self, name: str) -> Flow:
        """Proves nothing but its key, which everything it holds belongs to."""
        return self._holding(name, auth_method=AuthMethod.NONE)

    def with_key_and_secret(self, name: str) -> Flow:
        """Has both."""
        return self._holding(name)

    def by_certificate(self, name: str) -> Flow:
        """Is known by the subject of its certificate, which its tokens belong to."""
        subject = f"CN={name},O=Sở Nội vụ,C=VN"
        return self._certified(
            name, auth_method=AuthMethod.TLS, options={"tls_client_auth_subject_dn": subject}
        )

    def with_certificate(self, name: str) -> Flow:
        """Proves nothing but its certificate."""
        return self._certified(name, auth_method=AuthMethod.NONE)

    def with_certificate_and_secret(self, name: str) -> Flow:
        """Has both."""
        return self._certified(name)

    def rows(self) -> dict[str, list[Any]]:
        """All that can be used up or ended."""
        tables = [row.__table__ for row in (Grant, DeviceRequest, PushedRequest)]
        with self.world.services.db.read() as session:
            return {t.name: session.execute(select(t)).all() for t in tables}

    def _register(self, name: str, **columns: Any) -> Party:
        # A client without a secret may have the grant type, not use it.
        nameless = columns.get("auth_method") == AuthMethod.NONE
        grants = tuple(g for g in EVERY if not (nameless and g is GrantType.EXCHANGE))
        return self.world.register(name, grant_types=grants, **columns)

    def _flow(self, kind: type[Any], party: Party, **more: Any) -> Any:
        return kind(self.browser, party, scope=SCOPE, **more)

    def _holding(self, name: str, **columns: Any) -> Flow:
        options = Options(dpop_bound_access_tokens=True)
        party = self._register(name, options=options, **columns)
        return self._flow(Holding, party, key=OWN, clock=self.world.clock)

    def _certified(self, name: str, **columns: Any) -> Flow:
        more = columns.pop("options", {})
        options = Options(tls_client_certificate_bound_access_tokens=True, **more)
        party = self._register(name, options=options, **columns)
        shown = self.authority.issue(subject=named(name))
        return self._flow(Certified, party, certificate=shown, clock=self.world.clock)


BEARERS: dict[str, Callable[[Scene, str], Flow]] = {
    "by a secret": Scene.by_secret,
    "without a secret": Scene.nameless,
    "by an assertion": Scene.by_assertion,
    "with a key": Scene.with_key,
    "with a key and a secret": Scene.with_key_and_secret,
    "by a certificate": Scene.by_certificate,
    "with a certificate": Scene.with_certificate,
    "with a certificate and a secret": Scene.with_certificate_and_secret,
}


# ---- what is brought -------------------------------------------------------------------------


@dataclass
class Held:
    """Something good, its bearer, and another client of the same kind."""

    scene: Scene
    flow: Any
    thief: Any
    form: dict[str, str] = field(default_factory=dict)

    def send(self, flow: Any = None, **changes: Any) -> Any:
        """The right request, by this client, changed."""
        form = {k: v for k, v in (self.form | changes).items() if v is not None}
        return (flow or self.flow).post(TOKEN, form)

    def used(self) -> dict[str, Any]:
        """The right request is answered; what it gave."""
        answer = self.send()
        assert answer.status_code == 200, answer.text
        given: dict[str, Any] = answer.get_json()
        return given

    def good(self, given: dict[str, Any]) -> bool:
        """Whether what was given is still good."""
        return bool(self.flow.userinfo(given["access_token"]).status_code == 200)


class HeldCode(Held):
    def prepare(self) -> None:
        jkt = self.flow.key.thumbprint() if isinstance(self.flow, Holding) else None
        self.form = {
            "grant_type": GrantType.CODE.value,
            "code": self.flow.code(dpop_jkt=jkt),
            "redirect_uri": REDIRECT,
            "code_verifier": self.flow.verifier,
        }


class HeldRefresh(Held):
    def prepare(self) -> None:
        held = self.flow.tokens()["refresh_token"]
        self.form = {"grant_type": GrantType.REFRESH.value, "refresh_token": held}


class HeldDevice(Held):
    """Somebody has let it in."""

    def prepare(self) -> None:
        self.device = Device(self.scene.browser, self.flow.party)
        asked = self.flow.post("/oauth2/device_authorization", {"scope": SCOPE})
        assert asked.status_code == 200, asked.text
        self.device.answer = asked.get_json()
        self.form = {"grant_type": DEVICE, "device_code": self.device.answer["device_code"]}
        self.decide()

    def decide(self) -> None:
        assert self.device.decide().status_code == 200


class HeldWaitingDevice(HeldDevice):
    """Nobody has answered yet."""

    def decide(self) -> None:
        """Later."""

    def used(self) -> dict[str, Any]:
        """It has not asked before, so that it is not told to slow down."""
        assert self.send().get_json()["error"] == "authorization_pending"
        super().decide()
        return super().used()


class HeldSubject(Held):
    def prepare(self) -> None:
        held = self.flow.tokens()["access_token"]
        self.form = {
            "grant_type": EXCHANGE,
            "subject_token": held,
            "subject_token_type": ACCESS,
        }


class HeldPushed(Held):
    """Brought by her browser, not by the client."""

    def prepare(self) -> None:
        answer = self.flow.post(PAR, self.flow.query)
        assert answer.status_code == 201, answer.text
        uri = answer.get_json()["request_uri"]
        self.form = {"client_id": self.flow.party.client_id, "request_uri": uri}

    def send(self, flow: Any = None, **changes: Any) -> Any:
        if flow is not None:
            changes = {"client_id": flow.party.client_id} | changes
        form = {k: v for k, v in (self.form | changes).items() if v is not None}
        return self.scene.browser.get(AUTHORIZE, query_string=form)

    def used(self) -> dict[str, Any]:
        given: dict[str, Any] = self.flow.redeem(self.flow.told(self.send())["code"]).get_json()
        return given


HELD: dict[str, type[Any]] = {
    "a code": HeldCode,
    "a refresh token": HeldRefresh,
    "a device code that waits": HeldWaitingDevice,
    "a device code": HeldDevice,
    "a subject token": HeldSubject,
    "a pushed request": HeldPushed,
}
AT_THE_TOKEN_ENDPOINT = frozenset(HELD) - {"a pushed request"}
FOR_A_TIME = AT_THE_TOKEN_ENDPOINT - {"a device code that waits"}


# ---- what is wrong ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """One way to bring it wrongly."""

    rule: str
    source: str
    bearers: tuple[str, ...]
    held: frozenset[str]
    act: Callable[[Any], Any]


def changed(**changes: Any) -> Callable[[Held], Any]:
    """With other parameters."""
    return lambda held: held.send(**changes)


def as_(make: Callable[[Held], Any]) -> Callable[[Held], Any]:
    """By somebody, or something, else."""
    return lambda held: held.send(make(held))


def proven(make: Callable[[Any], str]) -> Callable[[Held], Any]:
    """With another proof."""
    return lambda held: held.flow.post(TOKEN, held.form, proof=make(held.flow))


def _spent(flow: Holding) -> str:
    """A proof that has been seen: of a request that gave nothing."""
    proof = flow.proof("POST", TOKEN)
    nothing = {"grant_type": GrantType.REFRESH.value, "refresh_token": "ddr_nothing"}
    assert flow.post(TOKEN, nothing, proof=proof).status_code == 400
    return proof


def _value(held: Held) -> str:
    return next(v for k, v in held.form.items() if k in BROUGHT)


BROUGHT = ("code", "refresh_token", "device_code", "subject_token", "request_uri")


def _as_another(kind: GrantType, name: str) -> Callable[[Held], Any]:
    return lambda held: held.flow.post(
        TOKEN, {"grant_type": kind.value, name: _value(held), "code_verifier": "v" * 43}
    )


SECRETS = ("by a secret",)
ANYBODY = ("by a secret", "without a secret", "by an assertion", "by a certificate")
KEYS = ("with a key", "with a key and a secret")
CERTIFICATES = ("with a certificate", "with a certificate and a secret")
CODES = frozenset({"a code"})
BOUND_KEY = "what belongs to a key is used with it"
BOUND_CERTIFICATE = "what belongs to a certificate is used with it"
WHOSE = "what was given to a client is good for that client"
WRONG = {
    "by another client": Wrong(
        WHOSE,
        "RFC 6749 §5.2, §6, RFC 8628 §3.4, RFC 9126 §4",
        (*ANYBODY, "with a key", "with a certificate"),
        frozenset(HELD),
        as_(lambda held: held.thief),
    ),
    "under our name, by another's secret": Wrong(
        "a client proves who it is",
        "RFC 6749 §3.2.1",
        (*SECRETS, "with a key and a secret", "with a certificate and a secret"),
        AT_THE_TOKEN_ENDPOINT,
        as_(
            lambda held: replace(
                held.flow, party=replace(held.flow.party, secret=held.thief.party.secret)
            )
        ),
    ),
    "without its secret": Wrong(
        "a client that has credentials shows them",
        "RFC 6749 §3.2.1",
        (*SECRETS, "with a key and a secret", "with a certificate and a secret"),
        AT_THE_TOKEN_ENDPOINT,
        as_(lambda held: replace(held.flow, party=replace(held.flow.party, secret=None))),
    ),
    "its secret in two places": Wrong(
        "a client proves itself in one way",
        "RFC 6749 §2.3",
        SECRETS,
        AT_THE_TOKEN_ENDPOINT,
        lambda held: held.send(
            client_id=held.flow.party.client_id, client_secret=held.flow.party.secret
        ),
    ),
    "by an assertion of another key": Wrong(
        "an assertion is signed by the client's own keys",
        "RFC 7523 §3",
        ("by an assertion",),
        AT_THE_TOKEN_ENDPOINT,
        as_(lambda held: replace(held.flow, by=held.thief.by)),
    ),
    "by a certificate of another": Wrong(
        "a client is known by its own certificate",
        "RFC 8705 §2.1",
        ("by a certificate",),
        AT_THE_TOKEN_ENDPOINT,
        as_(lambda held: replace(held.flow, certificate=held.thief.certificate)),
    ),
    "without its certificate": Wrong(
        BOUND_CERTIFICATE,
        "RFC 8705 §2, §3",
        ("by a certificate", *CERTIFICATES),
        AT_THE_TOKEN_ENDPOINT,
        as_(lambda held: replace(held.flow, certificate=None)),
    ),
    "bound to another certificate": Wrong(
        BOUND_CERTIFICATE,
        "RFC 8705 §4, §7.1",
        CERTIFICATES,
        frozenset({"a refresh token", "a subject token"}),
        as_(lambda held: replace(held.flow, certificate=held.thief.certificate)),
    ),
    "without a proof": Wrong(
        BOUND_KEY,
        "RFC 9449 §5, §10",
        KEYS,
        AT_THE_TOKEN_ENDPOINT,
        as_(lambda held: replace(held.flow, key=None)),
    ),
    "with a proof of another key": Wrong(
        BOUND_KEY,
        "RFC 9449 §5, §10",
        KEYS,
        frozenset({"a code", "a refresh token", "a subject token"}),
        as_(lambda held: replace(held.flow, key=ANOTHER)),
    ),
    "with a proof that another key signed": Wrong(
        "the key in the header has signed",
        "RFC 9449 §4.3-6",
        KEYS,
        AT_THE_TOKEN_ENDPOINT,
        proven(
            lambda flow: flow.proof(
                "POST", TOKEN, by=ANOTHER, header={"jwk": OWN.as_dict(private=False)}
            )
        ),
    ),
    "with a proof for another place": Wrong(
        "a proof is for one address",
        "RFC 9449 §4.3-9",
        KEYS,
        AT_THE_TOKEN_ENDPOINT,
        proven(lambda flow: flow.proof("POST", PAR)),
    ),
    "with a proof used before": Wrong(
        "a proof is used once",
        "RFC 9449 §11.1",
        KEYS,
        AT_THE_TOKEN_ENDPOINT,
        proven(_spent),
    ),
    "with a proof that is none": Wrong(
        "a proof is one well-formed JWT",
        "RFC 9449 §4.3-2",
        KEYS,
        AT_THE_TOKEN_ENDPOINT,
        proven(lambda flow: "rubbish"),
    ),
    "without a verifier": Wrong(
        "a challenge is not answered by silence",
        "RFC 7636 §4.6",
        ANYBODY,
        CODES,
        changed(code_verifier=None),
    ),
    "with another verifier": Wrong(
        "a verifier is that of the challenge",
        "RFC 7636 §4.6",
        ANYBODY,
        CODES,
        changed(code_verifier="w" * 43),
    ),
    "with another redirect_uri": Wrong(
        "the address is that of the request",
        "RFC 6749 §4.1.3",
        ANYBODY,
        CODES,
        changed(redirect_uri=NOBODYS),
    ),
    "without a redirect_uri": Wrong(
        "the address of the request is named again",
        "RFC 6749 §4.1.3",
        ANYBODY,
        CODES,
        changed(redirect_uri=None),
    ),
    "for a scope that was not granted": Wrong(
        "scopes only ever become fewer",
        "RFC 6749 §6, RFC 8693 §2.1",
        SECRETS,
        frozenset({"a refresh token", "a subject token"}),
        changed(scope="openid org"),
    ),
    "for a resource that was not granted": Wrong(
        "resources only ever become fewer",
        "RFC 8707 §2.2",
        SECRETS,
        FOR_A_TIME,
        changed(resource=NOBODYS),
    ),
    "as if it were a code": Wrong(
        "nothing passes for another kind",
        "CWE-345",
        ("by a secret", "without a secret"),
        frozenset(HELD) - CODES,
        _as_another(GrantType.CODE, "code"),
    ),
    "as if it were a refresh token": Wrong(
        "nothing passes for another kind",
        "CWE-345",
        ("by a secret", "without a secret"),
        frozenset(HELD) - {"a refresh token"},
        _as_another(GrantType.REFRESH, "refresh_token"),
    ),
    "as if it were a device code": Wrong(
        "nothing passes for another kind",
        "CWE-345",
        ("by a secret", "without a secret"),
        frozenset(HELD) - {"a device code", "a device code that waits"},
        _as_another(GrantType.DEVICE, "device_code"),
    ),
    "a parameter twice": Wrong(
        "a parameter is said once",
        "RFC 6749 §3.1, §3.2",
        ANYBODY,
        frozenset(HELD),
        changed(x=["a", "b"]),
    ),
    "by a look at the address alone": Wrong(
        "a look at an address uses nothing up",
        "RFC 9110 §9.2.1",
        SECRETS,
        frozenset(HELD),
        lambda held: held.scene.browser.head(
            AUTHORIZE if isinstance(held, HeldPushed) else TOKEN, query_string=held.form
        ),
    ),
}
EXCUSED = {
    ("a code", "bound to another certificate"): "RFC 8705 binds tokens, not codes: the first "
    "certificate is the one they belong to; who it is was proven.",
    ("a device code", "bound to another certificate"): "As a code.",
    ("a device code that waits", "bound to another certificate"): "As a code.",
    ("a device code", "with a proof of another key"): "RFC 8628 names no key when it asks: the "
    "first is the one that tokens belong to.",
    ("a device code that waits", "with a proof of another key"): "As one that was let in.",
    (
        "a code",
        "for a scope that was not granted",
    ): "RFC 6749 §4.1.3 knows no scope: not looked at.",
    ("a device code", "for a scope that was not granted"): "RFC 8628 §3.4 knows no scope.",
    ("a device code that waits", "for a scope that was not granted"): "RFC 8628 §3.4 likewise.",
    ("a device code that waits", "for a resource that was not granted"): "What is wanted is judged "
    "once somebody has answered: until then it is pending (docs/order-of-checks.md).",
}
"""What is looked at of some and not of others that come to the same endpoint."""
CANNOT = {
    ("a subject token", "without a secret"): "Who keeps no secret exchanges nothing (order.py).",
    ("a subject token", "with a key"): "The same.",
    ("a subject token", "with a certificate"): "The same.",
    ("a refresh token", "with a key and a secret"): "RFC 9449 §5: a confidential client's refresh "
    "token is bound to the client.",
    ("a refresh token", "with a certificate and a secret"): "RFC 8705 §4: the same.",
}
"""Bearers whose wrongs with it are none, or that cannot have it."""


@dataclass(frozen=True)
class Case:
    """One wrong request."""

    id: str
    held: str
    bearer: str
    wrong: Wrong

    @property
    def rule(self) -> str:
        return self.wrong.rule

    @property
    def source(self) -> str:
        return self.wrong.source


def _cases() -> Iterator[Case]:
    for (kind, (title, wrong)), bearer in product(product(HELD, WRONG.items()), BEARERS):
        if kind in wrong.held and bearer in wrong.bearers and (kind, bearer) not in CANNOT:
            yield Case(f"{kind}, {bearer}, {title}", kind, bearer, wrong)


CASES = list(_cases())
PAIRS = list(dict.fromkeys((case.held, case.bearer) for case in CASES))


@pytest.fixture
def settings(make_settings: Any, authority: Authority, tmp_path: Any) -> Any:
    return make_settings(**believing(authority, tmp_path))


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, authority: Authority) -> Scene:
    world = build_world(services, clock)
    world.sign_in(client)
    return Scene(world, client, authority)


def hold(scene: Scene, kind: str, bearer: str) -> Any:
    """Something good in the hands of its bearer."""
    make = BEARERS[bearer]
    held = HELD[kind](scene, make(scene, "ung-dung"), make(scene, "ke-trom"))
    held.prepare()
    return held


def refused(answer: Any) -> bool:
    """Refused in so many words, with nothing given."""
    assert answer.status_code in (400, 401, 405), answer.text
    assert "Location" not in answer.headers
    if answer.mimetype == "application/json":
        assert answer.get_json()["error"] not in ("server_error", "temporarily_unavailable")
        assert not {"access_token", "refresh_token", "id_token"} & answer.get_json().keys()
    return True


@pytest.mark.both_databases
@pytest.mark.parametrize(("kind", "bearer"), PAIRS, ids=str)
def test_what_is_brought_wrongly_is_refused_and_stays_good(
    scene: Scene, subtests: pytest.Subtests, kind: str, bearer: str
) -> None:
    held = hold(scene, kind, bearer)
    before = scene.rows()
    for case in CASES:
        if (case.held, case.bearer) == (kind, bearer):
            with subtests.test(case.id):
                assert refused(case.wrong.act(held))
                assert scene.rows() == before
    given = held.used()
    assert held.good(given)


def test_the_table_is_whole() -> None:
    """Each wrong of the token endpoint is tried on all that comes there, or it is said why not."""
    of_codes = {title for title, wrong in WRONG.items() if wrong.held == CODES}
    left_out = {
        (kind, title)
        for kind, (title, wrong) in product(AT_THE_TOKEN_ENDPOINT, WRONG.items())
        if kind not in wrong.held and title not in of_codes and not title.startswith("as if")
    }
    assert left_out == EXCUSED.keys()
    assert {case.held for case in CASES} == HELD.keys()
    assert {case.bearer for case in CASES} == BEARERS.keys()


# ---- a second time ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Again:
    """What was used is brought once more, after ``seconds``: whether what it gave stays good."""

    held: str
    bearer: str
    title: str
    """Of a wrong; empty: exactly as the first time."""
    seconds: int
    stays: bool
    source: str


STAYS, ENDS = True, False
THIEF = "RFC 6749 §10.5, RFC 9700 §4.14.2: whoever has only seen it ends nothing"
AGAIN = [
    Again("a code", "by a secret", "by another client", 30, STAYS, THIEF),
    Again("a code", "by a secret", "under our name, by another's secret", 30, STAYS, THIEF),
    Again("a code", "by a secret", "with another verifier", 30, STAYS, THIEF),
    Again("a code", "by a secret", "without a verifier", 30, STAYS, THIEF),
    Again("a code", "without a secret", "with another verifier", 0, STAYS, THIEF),
    Again("a code", "with a key", "with a proof of another key", 30, STAYS, THIEF),
    Again("a code", "with a key", "without a proof", 30, STAYS, THIEF),
    Again("a code", "by a certificate", "by a certificate of another", 30, STAYS, THIEF),
    Again("a code", "by a secret", "", 0, ENDS, "RFC 6749 §4.1.2: SHOULD revoke"),
    Again("a code", "without a secret", "", 0, ENDS, "RFC 6749 §4.1.2"),
    Again("a code", "with a key", "", 30, ENDS, "RFC 6749 §4.1.2: by its own key"),
    Again("a refresh token", "by a secret", "by another client", 30, STAYS, THIEF),
    Again(
        "a refresh token", "by a secret", "under our name, by another's secret", 30, STAYS, THIEF
    ),
    Again("a refresh token", "by an assertion", "by an assertion of another key", 30, STAYS, THIEF),
    Again("a refresh token", "by a secret", "", 5, STAYS, "ours: a retry (grant_types/refresh.py)"),
    Again("a refresh token", "by a secret", "", 30, ENDS, "RFC 9700 §4.14.2"),
    Again("a refresh token", "without a secret", "", 0, ENDS, "RFC 9700 §4.14.2"),
    Again("a device code", "by a secret", "by another client", 30, STAYS, THIEF),
    Again("a device code", "by a secret", "under our name, by another's secret", 30, STAYS, THIEF),
    Again("a device code", "by a secret", "", 5, STAYS, "ours: a retry (grant_types/device.py)"),
    Again("a device code", "by a secret", "", 30, ENDS, "RFC 6749 §4.1.2"),
    Again("a device code", "without a secret", "", 0, ENDS, "RFC 6749 §4.1.2"),
    Again("a pushed request", "by a secret", "by another client", 0, STAYS, "RFC 9126 §4"),
    Again("a pushed request", "by a secret", "", 0, STAYS, "RFC 9126 §4: once, and refused"),
]


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "again", AGAIN, ids=lambda a: f"{a.held}, {a.bearer}, {a.title or 'as before'}, {a.seconds}"
)
def test_what_a_second_request_ends(scene: Scene, again: Again) -> None:
    held = hold(scene, again.held, again.bearer)
    given = held.used()
    scene.world.clock.advance(seconds=again.seconds)
    wrong = WRONG[again.title].act if again.title else changed()
    assert refused(wrong(held))
    assert held.good(given) == again.stays


@pytest.mark.both_databases
@pytest.mark.parametrize("bearer", ["with a key", "with a certificate"])
def test_what_belongs_to_a_key_may_be_used_again(scene: Scene, bearer: str) -> None:
    """FAPI 2.0 SP §5.3.2.1-9: a refresh token that belongs to a key does not rotate."""
    held = hold(scene, "a refresh token", bearer)
    first = held.used()
    scene.world.clock.advance(seconds=60)
    assert held.good(held.used())
    assert held.good(first)


@pytest.mark.both_databases
def test_a_subject_token_is_not_used_up(scene: Scene) -> None:
    """RFC 8693 §2.1: it is shown, not redeemed."""
    held = hold(scene, "a subject token", "by a secret")
    assert held.good(held.used())
    assert held.good(held.used())
