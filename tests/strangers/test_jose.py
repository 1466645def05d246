"""Every place that reads a JWT reads it strictly: what is bent in form is refused like any other.

Each reader is shown an honest token first, then the same one bent in one way and signed again by
the very key that has signed the honest one: only the form is wrong (RFC 7515, RFC 7519, RFC 8725).
"""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jws

from idp.oidc.clients import AuthMethod, GrantType, Options, TokenFormat
from idp.oidc.tokens import Tokens
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import BY_ASSERTION, ISSUER, key_for, public

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


def encoded(raw: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(part: str) -> dict[str, Any]:
    """A part of a JWT."""
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


@dataclass
class PageError:
    """A reader, the honest token it takes, the key that signs it, and whether it was taken."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: Any
    alg: str
    present: Callable[[str], Any]
    taken: Callable[[Any], bool]

    def signed(self, header: bytes, claims: bytes) -> str:
        """The two parts under the honest key, whatever they are."""
        text = f"{encoded(header)}.{encoded(claims)}"
        algorithm = jws.JWSRegistry(algorithms=[self.alg]).get_alg(self.alg)
        return f"{text}.{encoded(algorithm.sign(text.encode(), self.key))}"

    def honest(self) -> str:
        """As it should be; good once where it may be used once."""
        said = self.claims | (
            {"jti": secrets.token_hex(8)} if self.claims.get("jti") == "x" else {}
        )
        return self.signed(json.dumps(self.header).encode(), json.dumps(said).encode())


def by_us(world: World, text: str) -> tuple[dict[str, Any], dict[str, Any], Any, str]:
    """Header, claims, key and algorithm of a JWT of ours."""
    header, claims, _ = text.split(".")
    signer = Tokens(world.services).keys.signer("RS256")
    return decoded(header), decoded(claims), signer.key, "RS256"


def _assertion(world: World, flow: Flow) -> PageError:
    options = Options(jwks=public(key_for("ES256")))
    party = world.machine(auth_method=AuthMethod.KEY_JWT, options=options)
    now = int(world.clock().timestamp())
    said = {"iss": party.client_id, "sub": party.client_id, "aud": ISSUER, "iat": now, "nbf": now}
    said |= {"exp": now + 60, "jti": "x"}
    header = {"alg": "ES256", "typ": "JWT", "kid": key_for("ES256").kid}

    def present(text: str) -> Any:
        form = {"grant_type": "client_credentials", "client_assertion_type": BY_ASSERTION}
        return flow.browser.post("/oauth2/token", data=form | {"client_assertion": text})

    return PageError(header, said, key_for("ES256"), "ES256", present, _ok)


def _request_object(world: World, flow: Flow) -> PageError:
    party = world.register(options=Options(jwks=public(key_for("ES256"))))
    own = Flow(flow.browser, party, scope="openid")
    now = int(world.clock().timestamp())
    said: dict[str, Any] = own.query | {"iss": party.client_id, "aud": ISSUER}
    said |= {"nbf": now, "exp": now + 300, "iat": now}
    header = {"alg": "ES256", "typ": "oauth-authz-req+jwt", "kid": key_for("ES256").kid}

    def present(text: str) -> Any:
        query = {"client_id": party.client_id, "request": text, "redirect_uri": REDIRECT}
        return flow.browser.get("/oauth2/authorize", query_string=query)

    def taken(answer: Any) -> bool:
        return "code=" in answer.headers.get("Location", "")

    return PageError(header, said, key_for("ES256"), "ES256", present, taken)


def _proof(world: World, flow: Flow) -> PageError:
    party = world.machine()
    key = key_for("ES256", "dpop")
    said = {"htm": "POST", "htu": ISSUER + "/oauth2/token", "jti": "x"}
    said |= {"iat": int(world.clock().timestamp())}
    jwk = {k: v for k, v in key.as_dict(private=False).items() if k != "kid"}
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk}

    def present(text: str) -> Any:
        headers = party.basic | {"DPoP": text}
        form = {"grant_type": "client_credentials"}
        return flow.browser.post("/oauth2/token", data=form, headers=headers)

    return PageError(header, said, key, "ES256", present, _ok)


def _hint_of_a_request(world: World, flow: Flow) -> PageError:
    def present(text: str) -> Any:
        return flow.ask(id_token_hint=text, prompt="none")

    def taken(answer: Any) -> bool:
        return "code=" in answer.headers.get("Location", "")

    return PageError(*by_us(world, flow.tokens()["id_token"]), present, taken)


def _hint_of_a_logout(world: World, flow: Flow) -> PageError:
    text = flow.tokens()["id_token"]
    browser = flow.browser.application.test_client()

    def present(text: str) -> Any:
        return browser.get("/oauth2/logout", query_string={"id_token_hint": text})

    def taken(answer: Any) -> bool:
        return bool(answer.status_code == 303)

    return PageError(*by_us(world, text), present, taken)


def _access(world: World, flow: Flow) -> tuple[dict[str, Any], dict[str, Any], Any, str]:
    return by_us(world, flow.tokens()["access_token"])


def _userinfo(world: World, flow: Flow) -> PageError:
    return PageError(*_access(world, flow), flow.userinfo, _ok)


def _introspection(world: World, flow: Flow) -> PageError:
    def present(text: str) -> Any:
        return flow.post("/oauth2/introspect", {"token": text})

    def taken(answer: Any) -> bool:
        return bool(answer.get_json().get("active"))

    return PageError(*_access(world, flow), present, taken)


def _subject_token(world: World, flow: Flow) -> PageError:
    def present(text: str) -> Any:
        form = {"grant_type": EXCHANGE, "subject_token": text, "subject_token_type": ACCESS}
        return flow.token(**form)

    return PageError(*_access(world, flow), present, _ok)


def _api(world: World, flow: Flow) -> PageError:
    def present(text: str) -> Any:
        headers = {"Authorization": f"Bearer {text}"}
        return flow.browser.get("/api/v1/changes/nothing", headers=headers)

    def taken(answer: Any) -> bool:
        return answer.status_code in (403, 404)

    return PageError(*_access(world, flow), present, taken)


def _ok(answer: Any) -> bool:
    return bool(answer.status_code == 200)


READERS = (
    _assertion,
    _request_object,
    _proof,
    _hint_of_a_request,
    _hint_of_a_logout,
    _userinfo,
    _introspection,
    _subject_token,
    _api,
)
NOT_A_NUMBER = ('"x"', '"9999999999"', "true", "false", "[]", "{}", "null", "-1", "1e18", "1e400")
NOT_A_TEXT = ("5", "true", "[]", "{}", "null", '["a"]', r'"a\u0000b"', r'"\ud800"')


def _with(part: dict[str, Any], name: str, value: str) -> bytes:
    """The JSON with one member as it is written here; it stands there once."""
    rest = {k: v for k, v in part.items() if k != name}
    body = json.dumps(rest)[1:-1]
    return f"{{{json.dumps(name)}: {value}{', ' if body else ''}{body}}}".encode()


def _twice(part: dict[str, Any], name: str) -> bytes:
    body = json.dumps(part)[1:-1]
    return f"{{{json.dumps(name)}: {json.dumps(part[name])}, {body}}}".encode()


def _bent(part: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """One part, bent in ways that have nothing to do with what it says."""
    whole = json.dumps(part)
    for name in part:
        yield f"{name} twice", _twice(part, name)
    for value in ("NaN", "Infinity", "-Infinity", "1e400", "1" * 5000, "[" * 900 + "]" * 900):
        yield f"x is {value[:10]}", _with(part, "x", value)
    yield "deep", _with(part, "x", "[" * 60 + "]" * 60)
    yield "in a list", f"[{whole}]".encode()
    yield "a text", json.dumps(whole).encode()
    yield "followed by more", (whole + "{}").encode()
    yield "with a mark", b"\xef\xbb\xbf" + whole.encode()
    yield "in UTF-16", whole.encode("utf-16")
    yield "no UTF-8", _with(part, "x", '"Y"').replace(b"Y", b"\xff")
    yield "nothing", b""
    yield "null", b"null"


def _headers(header: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield from _bent(header)
    for value in ('"x"', "1", "{}", "null", "[]", '["exp"]', '[["b64"]]', "true", '[""]'):
        yield f"crit {value}", _with(header, "crit", value)
    for value in ("false", "true", "null", '"false"'):
        yield f"b64 {value}", _with(header, "b64", value)
    for value in ('"none"', '"None"', '""', '"rs256"', *NOT_A_TEXT):
        yield f"alg {value}", _with(header, "alg", value)
    for value in NOT_A_TEXT:
        yield f"kid {value}", _with(header, "kid", value)
        yield f"typ {value}", _with(header, "typ", value)
    yield "typ unknown", _with(header, "typ", '"secevent+jwt"')


def _bodies(claims: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    yield from _bent(claims)
    for name in ("exp", "nbf", "iat"):
        for value in NOT_A_NUMBER:
            yield f"{name} {value}", _with(claims, name, value)
    for name in ("iss", "sub", "jti"):
        for value in NOT_A_TEXT:
            yield f"{name} {value}", _with(claims, name, value)
    for value in ("5", "{}", "true", "[[]]", "[5]", "[null]", '[{"a": 1}]', r'"\u0000"'):
        yield f"aud {value}", _with(claims, "aud", value)


def _spellings(text: str) -> Iterator[tuple[str, str]]:
    header, claims, signature = text.split(".")
    yield "padded header", f"{header}=.{claims}.{signature}"
    yield "padded claims", f"{header}.{claims}==.{signature}"
    yield "a blank", f"{header}. {claims}.{signature}"
    yield "a tab", f"{header}.{claims}\t.{signature}"
    yield "four parts", f"{text}."
    yield "no signature", f"{header}.{claims}."
    yield "a NUL", f"{header}.{claims}\0.{signature}"
    yield "no ASCII", f"{header}.{claims}é.{signature}"


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.mark.parametrize("reader", READERS)
def test_a_bent_token_is_refused_wherever_it_is_read(
    world: World, client: Any, reader: Any
) -> None:
    world.sign_in(client)
    grants = (GrantType.CODE, GrantType.REFRESH, GrantType.EXCHANGE)
    party = world.register(access_token_format=TokenFormat.JWT, grant_types=grants)
    shown = reader(world, Flow(client, party, scope="openid changes:read"))
    assert shown.taken(shown.present(shown.honest()))
    header, claims = json.dumps(shown.header).encode(), json.dumps(shown.claims).encode()
    cases = [("header: " + n, shown.signed(h, claims)) for n, h in _headers(shown.header)]
    cases += [("claims: " + n, shown.signed(header, c)) for n, c in _bodies(shown.claims)]
    cases += list(_spellings(shown.honest()))
    wrong = []
    for name, text in cases:
        answer = shown.present(text)
        if answer.status_code >= 500 or shown.taken(answer):
            wrong.append((name, answer.status_code))
    assert not wrong, f"{len(wrong)} of {len(cases)}: {wrong}"
    assert shown.taken(shown.present(shown.honest()))


def test_a_software_statement_and_a_claims_request_are_read_as_strictly(
    world: World, client: Any
) -> None:
    world.sign_in(client)
    flow = Flow(client, world.register(), scope="openid")
    for text in (
        '{"id_token": {"sub": null}, "id_token": {}}',
        '{"id_token": {"acr": {"value": NaN}}}',
        '{"userinfo": {"x": ' + "[" * 60 + "]" * 60 + "}}",
        '{"userinfo": {"x": {"value": ' + "1" * 5000 + "}}}",
    ):
        assert flow.told(flow.ask(claims=text))["error"] == "invalid_request", text
    assert "code" in flow.told(flow.ask(claims='{"userinfo": {"email": null}}'))
