"""What the authorization and token endpoints refuse: the exact error, and not a row changes.

Each case names what asks for the refusal. Replays that must change something (a code or refresh
token used twice revokes its grant) are in test_oidc_refusals.py.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from directory.entitlements import Application
from directory.people import User
from idp.oidc.clients import Client, Options
from idp.oidc.opaque_tokens import Access, Code, Refresh, serial
from idp.oidc.tokens import Tokens
from tests.hr_world import Hr
from tests.relying_party import REDIRECT, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def dump(world: World) -> dict[str, list[Any]]:
    found = Hr(world.services, world.clock, None).dump()  # type: ignore[arg-type]
    # Why, for the client's owner (tests/strangers/test_client_defaults.py): it opens nothing.
    return {table: rows for table, rows in found.items() if table != "client_refusal"}


# ---- the authorization endpoint --------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """An authorization request of somebody signed in, and the error it comes to."""

    id: str
    source: str
    error: str
    changes: dict[str, str | None] = field(default_factory=dict)
    shown: bool = False
    """On our own page, for the client or its address is not known; else told to the client."""
    prepare: Callable[[World, Flow], Any] = lambda world, flow: None
    signed_in: bool = True


def other_client(world: World, flow: Flow) -> None:
    flow.party = world.register("Hạn chế", scopes=("openid",), first_party=False)


def machine_only(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, response_types=[], grant_types=["client_credentials"])


def not_entitled(world: World, flow: Flow) -> None:
    flow.party = world.restricted(position_code="KHONG-AI")


def disabled(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, enabled=False)


def application_disabled(world: World, flow: Flow) -> None:
    flow.party = world.restricted()
    world.change(Application, flow.party.application_id, enabled=False)


ASKED = [
    Asked("unknown client", "RFC 6749 4.1.2.1", "client_unknown", {"client_id": "x"}, shown=True),
    Asked("no client", "RFC 6749 4.1.1", "client_unknown", {"client_id": None}, shown=True),
    Asked("client disabled", "ours", "client_unknown", shown=True, prepare=disabled),
    Asked("app disabled", "ours", "client_unknown", shown=True, prepare=application_disabled),
    Asked("no redirect", "OIDC 3.1.2.1", "redirect_uri", {"redirect_uri": None}, shown=True),
    Asked(
        "another host",
        "RFC 9700 4.1.3",
        "redirect_uri",
        {"redirect_uri": "https://evil.example/callback"},
        shown=True,
    ),
    Asked(
        "a longer path",
        "RFC 9700 4.1.3",
        "redirect_uri",
        {"redirect_uri": REDIRECT + "/../x"},
        shown=True,
    ),
    Asked(
        "user information",
        "CWE-601",
        "redirect_uri",
        {"redirect_uri": REDIRECT.replace("//", "//evil@")},
        shown=True,
    ),
    Asked(
        "another loopback port of a web client",
        "RFC 8252 7.3",
        "redirect_uri",
        {"redirect_uri": REDIRECT.replace("9001", "9002")},
        shown=True,
    ),
    Asked("a NUL", "CWE-158", "invalid_request", {"state": "a\0b"}, shown=True),
    Asked("too long", "CWE-770", "invalid_request", {"nonce": "n" * 9000}, shown=True),
    Asked("no response_type", "RFC 6749 4.1.1", "invalid_request", {"response_type": None}),
    Asked("implicit", "RFC 9700 2.1.2", "unsupported_response_type", {"response_type": "token"}),
    Asked("not for this client", "RFC 6749 4.1.2.1", "unauthorized_client", prepare=machine_only),
    Asked("no scope", "RFC 6749 3.3", "invalid_scope", {"scope": None}),
    Asked(
        "scopes of others", "RFC 6749 3.3", "invalid_scope", {"scope": "org"}, prepare=other_client
    ),
    Asked("no PKCE", "RFC 9700 2.1.1", "invalid_request", {"code_challenge": None}),
    Asked("PKCE plain", "RFC 9700 2.1.1", "invalid_request", {"code_challenge_method": "plain"}),
    Asked("short challenge", "RFC 7636 4.2", "invalid_request", {"code_challenge": "a" * 42}),
    Asked("request object", "RFC 9101 6.2", "invalid_request_object", {"request": "e30.e30."}),
    Asked(
        "request_uri (SSRF)",
        "OIDC 6.2, CWE-918",
        "invalid_request_uri",
        {"request_uri": "http://169.254.169.254/"},
    ),
    Asked(
        "response_mode",
        "OAuth 2.0 Multiple Response Types",
        "invalid_request",
        {"response_mode": "cookie"},
    ),
    Asked("a loud prompt", "OIDC 3.1.2.1", "invalid_request", {"prompt": "loud"}),
    Asked("none and login", "OIDC 3.1.2.1", "invalid_request", {"prompt": "none login"}),
    Asked("negative max_age", "OIDC 3.1.2.1", "invalid_request", {"max_age": "-1"}),
    Asked("claims too deep", "CWE-674", "invalid_request", {"claims": "[" * 5000}),
    Asked("a forged hint", "OIDC 3.1.2.1", "invalid_request", {"id_token_hint": "e30.e30.AA"}),
    Asked("nobody, quietly", "OIDC 3.1.2.6", "login_required", {"prompt": "none"}, signed_in=False),
    Asked("too old, quietly", "OIDC 3.1.2.1", "login_required", {"prompt": "none", "max_age": "0"}),
    Asked(
        "no consent, quietly",
        "OIDC 3.1.2.6",
        "consent_required",
        {"prompt": "none", "scope": "openid"},
        prepare=other_client,
    ),
    Asked(
        "not entitled, quietly",
        "ours",
        "access_denied",
        {"prompt": "none"},
        prepare=not_entitled,
    ),
]


@pytest.mark.parametrize("case", ASKED, ids=lambda c: c.id)
def test_a_refused_authorization_request_changes_nothing(
    world: World, client: Any, case: Asked
) -> None:
    flow = Flow(client, world.register())
    if case.signed_in:
        world.sign_in(client)
    case.prepare(world, flow)
    world.clock.advance(seconds=1)
    before = dump(world)
    answer = flow.ask(**case.changes)
    assert dump(world) == before
    if case.shown:
        assert answer.status_code == 400
        assert "Location" not in answer.headers
        assert answer.mimetype == "text/html"
        assert case.error in answer.text
    else:
        told = flow.told(answer)
        assert (told["error"], told["state"], told["iss"]) == (
            case.error,
            flow.state,
            "http://localhost:8000",
        )
        assert "code" not in told


# ---- the token endpoint ----------------------------------------------------------------------


@dataclass(frozen=True)
class Presented:
    """A request to the token endpoint, and the error it is answered."""

    id: str
    source: str
    error: str
    send: Callable[[World, Flow, dict[str, str]], Any]
    status: int = 400
    prepare: Callable[[World, Flow], Any] = lambda world, flow: None


def code(**changes: str | None) -> Any:
    """Redeem the good code with some parameters replaced."""

    def send(_world: World, flow: Flow, held: dict[str, str]) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": held["code"],
            "redirect_uri": REDIRECT,
            "code_verifier": flow.verifier,
        }
        return flow.token(**(form | changes))

    return send


def refresh(**changes: str | None) -> Any:
    """Use the good refresh token with some parameters replaced."""

    def send(_world: World, flow: Flow, held: dict[str, str]) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": held["refresh_token"]}
        return flow.token(**(form | changes))

    return send


def as_another(send: Any, **columns: Any) -> Any:
    """The same, by another client of ours."""

    def sent(world: World, flow: Flow, held: dict[str, str]) -> Any:
        return send(world, Flow(flow.browser, held["thief"], verifier=flow.verifier), held)

    return sent


def with_headers(headers: dict[str, str], send: dict[str, str]) -> Any:
    return lambda world, flow, held: flow.browser.post("/oauth2/token", data=send, headers=headers)


def basic(pair: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def raw(body: str, content_type: str = "application/x-www-form-urlencoded") -> Any:
    return lambda world, flow, held: flow.browser.post(
        "/oauth2/token", data=body, content_type=content_type, headers=flow.party.basic
    )


def forged(kind: str) -> Any:
    """A handle of the grant, of another kind than asked for: the MAC covers the kind."""

    def send(world: World, flow: Flow, held: dict[str, str]) -> Any:
        handles = Tokens(world.services).handles
        opened = handles.open_code(held["code"])
        assert opened is not None
        made = {
            "access": handles.access(
                Access(opened.grant_id, serial(), world.clock(), world.clock(), 0xFFFF)
            ),
            "code": handles.code(Code(opened.grant_id)),
            "future": handles.refresh(Refresh(opened.grant_id, 9)),
            "never redeemed": handles.refresh(Refresh(opened.grant_id, 0)),
            "relabelled": "ddr_" + held["code"][4:],
        }[kind]
        return flow.refresh(made)

    return send


def suspended(world: World, _flow: Flow) -> None:
    world.change(User, world.user_id, status="suspended")


def epoch_raised(world: World, _flow: Flow) -> None:
    world.change(User, world.user_id, access_epoch=User.access_epoch + 1)


def late(seconds: float) -> Any:
    return lambda world, _flow: world.clock.advance(seconds=seconds)


def client_disabled(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, enabled=False)


def switched_off(world: World, flow: Flow) -> None:
    world.change(Client, flow.party.id, grant_types=["client_credentials"])


PRESENTED = [
    Presented("no grant type", "RFC 6749 5.2", "invalid_request", raw("code=x")),
    Presented(
        "password grant", "RFC 9700 2.4", "unsupported_grant_type", raw("grant_type=password")
    ),
    Presented("JSON", "RFC 6749 3.2", "invalid_request", raw("{}", "application/json")),
    Presented("repeated", "RFC 6749 3.2", "invalid_request", raw("grant_type=a&grant_type=a")),
    Presented("a NUL", "CWE-158", "invalid_request", code(code="a\0b")),
    Presented("no code", "RFC 6749 4.1.3", "invalid_request", code(code=None)),
    Presented("made-up code", "RFC 6749 5.2", "invalid_grant", code(code="ddc_" + "A" * 43)),
    Presented("another verifier", "RFC 7636 4.6", "invalid_grant", code(code_verifier="x" * 43)),
    Presented("no verifier", "RFC 9700 2.1.1", "invalid_grant", code(code_verifier=None)),
    Presented(
        "another redirect", "RFC 6749 4.1.3", "invalid_grant", code(redirect_uri=REDIRECT + "x")
    ),
    Presented("code of another client", "RFC 6749 10.5", "invalid_grant", as_another(code())),
    Presented("code after a minute", "RFC 6749 4.1.2", "invalid_grant", code(), prepare=late(61)),
    Presented("code, suspended", "ours", "invalid_grant", code(), prepare=suspended),
    Presented("code, cut", "ours", "invalid_grant", code(), prepare=epoch_raised),
    Presented("no refresh token", "RFC 6749 6", "invalid_request", refresh(refresh_token=None)),
    Presented("refresh of another client", "RFC 6749 10.4", "invalid_grant", as_another(refresh())),
    Presented("refresh, suspended", "ours", "invalid_grant", refresh(), prepare=suspended),
    Presented("refresh, cut", "ours", "invalid_grant", refresh(), prepare=epoch_raised),
    Presented(
        "refresh with more scope",
        "RFC 6749 6",
        "invalid_scope",
        refresh(scope="openid changes:write"),
    ),
    Presented(
        "refresh switched off",
        "RFC 6749 5.2",
        "unauthorized_client",
        refresh(),
        prepare=switched_off,
    ),
    Presented("access as refresh", "CWE-345", "invalid_grant", forged("access")),
    Presented("code as refresh", "CWE-345", "invalid_grant", forged("code")),
    Presented("code relabelled", "CWE-345", "invalid_grant", forged("relabelled")),
    Presented("refresh of an unused code", "CWE-345", "invalid_grant", forged("never redeemed")),
    Presented("a generation to come", "CWE-345", "invalid_grant", forged("future")),
    Presented(
        "machine grant, not registered",
        "RFC 6749 5.2",
        "unauthorized_client",
        raw("grant_type=client_credentials"),
    ),
    Presented(
        "nobody",
        "RFC 6749 5.2",
        "invalid_client",
        with_headers({}, {"grant_type": "refresh_token"}),
        401,
    ),
    Presented(
        "another secret",
        "RFC 6749 5.2",
        "invalid_client",
        lambda w, f, h: f.browser.post(
            "/oauth2/token",
            data={"grant_type": "refresh_token", "refresh_token": h["refresh_token"]},
            headers=basic(f.party.client_id + ":x"),
        ),
        401,
    ),
    Presented(
        "unknown client",
        "RFC 6749 5.2",
        "invalid_client",
        with_headers(basic("x:y"), {"grant_type": "refresh_token"}),
        401,
    ),
    Presented(
        "a NUL in Basic",
        "CWE-158",
        "invalid_client",
        with_headers(basic("%00:%00"), {"grant_type": "refresh_token"}),
        401,
    ),
    Presented("two ways at once", "RFC 6749 2.3", "invalid_request", refresh(client_secret="x")),
    Presented(
        "another way than registered",
        "RFC 6749 2.3",
        "invalid_client",
        lambda w, f, h: f.browser.post(
            "/oauth2/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": h["refresh_token"],
                "client_id": f.party.client_id,
                "client_secret": f.party.secret,
            },
        ),
        401,
    ),
    Presented(
        "secret left out",
        "RFC 6749 3.2.1",
        "invalid_client",
        lambda w, f, h: f.browser.post(
            "/oauth2/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": h["refresh_token"],
                "client_id": f.party.client_id,
            },
        ),
        401,
    ),
    Presented(
        "an assertion nobody signed",
        "RFC 7523 2.2",
        "invalid_client",
        with_headers(
            {},
            {
                "grant_type": "refresh_token",
                "client_assertion": "a.b.c",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            },
        ),
        401,
    ),
    Presented("client disabled", "ours", "invalid_client", refresh(), 401, client_disabled),
]


@pytest.mark.parametrize("case", PRESENTED, ids=lambda c: c.id)
def test_a_refused_token_request_changes_nothing(
    world: World, client: Any, case: Presented
) -> None:
    flow = Flow(client, world.register(options=Options(pin_auth_method=True)))
    world.sign_in(client)
    held: dict[str, Any] = flow.tokens() | {"code": flow.code(), "thief": world.register("Kẻ trộm")}
    case.prepare(world, flow)
    before = dump(world)
    answer = case.send(world, flow, held)
    assert dump(world) == before
    assert (answer.status_code, answer.get_json()["error"]) == (case.status, case.error), (
        answer.text
    )
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("WWW-Authenticate" in answer.headers) == (case.status == 401)
    assert not {"access_token", "refresh_token", "id_token"} & answer.get_json().keys()


def test_the_tables_are_as_long_as_they_promise() -> None:
    assert len(ASKED) >= 20
    assert len(PRESENTED) >= 20
    for table in (ASKED, PRESENTED):
        assert len({case.id for case in table}) == len(table)
        assert all(case.source for case in table)
