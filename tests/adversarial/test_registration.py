"""The registration endpoint under attack: addresses, keys, fetches, bodies, rights, management.

Every case is one hostile registration or an attempt to manage what is not one's own. Either it
is refused with the error the standard names and nothing is written, or, where the standard wants
what is not understood to be ignored, the client that comes of it has nothing it should not have.
After each the honest client still manages itself, and another honest one registers.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.wrappers import Response

from idp.oidc import clients
from idp.oidc.clients import Client, Options, Registration, invites, sectors
from idp.oidc.clients import view as client_view
from idp.oidc.clients.registration import MOST_SECTORS, MOST_UPDATES
from idp.oidc.clients.sectors import AT_ONCE, Sector
from tests.browser_client import hidden_fields
from tests.device_flow import DEVICE
from tests.factories import make_application
from tests.proving import Asserting
from tests.registrar import CALLBACK, ENDPOINT, PLAIN, Registered, Registrar, bearer
from tests.relying_party import OPERATOR, Flow, Party, World, build_world
from tests.signed_requests import Publisher, key_for, public, publishing
from tests.slapd_fixture import Authority, authority  # noqa: F401 (a fixture)

METADATA = "invalid_client_metadata"
REDIRECT = "invalid_redirect_uri"
JWKS = public(key_for("ES256"), key_for("RS256"))
FAPI = {"fapi_profile": "fapi2", "token_endpoint_auth_method": "private_key_jwt", "jwks": JWKS}


@dataclass
class Scene:
    """An honest client that has registered itself, another beside it, and two servers: one we
    may call, one that only our own machine can reach.
    """

    registrar: Registrar
    world: World
    honest: Registered
    other: Registered
    outside: Publisher
    inside: Publisher

    def ask(self, **document: Any) -> Any:
        """A registration with everything in order but what is given."""
        return self.registrar.ask(PLAIN | document, self.registrar.invite())

    def send(self, body: str | bytes, content_type: str = "application/json") -> Any:
        """Any body, by a good token."""
        return self.registrar.raw(body, self.registrar.invite(), content_type)

    def post(self, headers: dict[str, str], **query: str) -> Any:
        """An honest document with any credentials."""
        return self.registrar.browser.post(
            ENDPOINT, json=PLAIN, headers=headers, query_string=query
        )

    def stored(self) -> list[tuple[Any, ...]]:
        """Every client, as it is stored."""
        columns = [column.name for column in Client.__table__.columns]
        return [tuple(repr(getattr(c, n)) for n in columns) for c in self.world.all(Client)]

    def row(self, made: Registered) -> Client:
        """One client, as it is stored."""
        return next(c for c in self.world.all(Client) if c.client_id == made.told["client_id"])

    def made(self, answer: Any) -> Registered:
        """The client that came of an answer."""
        return Registered(self.registrar.browser, answer.get_json())


@dataclass(frozen=True)
class Late:
    """A page that is made while it is being read."""

    make: Callable[[], str]

    def __iter__(self) -> Iterator[bytes]:
        yield self.make().encode()


def _nothing(scene: Scene, _answer: Any) -> None:
    """The case itself is all there is to see."""


@dataclass(frozen=True)
class Case:
    """One attack, the rule that holds against it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    error: str = METADATA
    status: int = 400
    then: Callable[[Scene, Any], None] = _nothing


def _asks(**document: Any) -> Callable[[Scene], Any]:
    return lambda scene: scene.ask(**document)


def _redirects(*uris: str, **more: Any) -> Callable[[Scene], Any]:
    return lambda scene: scene.ask(redirect_uris=list(uris), **more)


REDIRECTS = [
    Case(
        "javascript",
        "a redirect URI is no script",
        "CVE-2026-22752 (Spring Authorization Server)",
        _redirects("javascript:alert(document.cookie)//"),
        REDIRECT,
    ),
    Case(
        "javascript in capitals",
        "a scheme is compared without regard to case",
        "CVE-2026-9086 (Keycloak)",
        _redirects("JaVaScRiPt:alert(1)"),
        REDIRECT,
    ),
    Case(
        "javascript of a native application",
        "a private-use scheme is a reversed domain name",
        "RFC 8252 §7.1",
        _redirects("javascript:alert(1)", application_type="native"),
        REDIRECT,
    ),
    Case(
        "data",
        "a redirect URI is no document of its own",
        "CVE-2026-9086 (Keycloak)",
        _redirects("data:text/html,<script>1</script>"),
        REDIRECT,
    ),
    Case(
        "scheme without a dot",
        "a private-use scheme is a reversed domain name",
        "RFC 8252 §7.1",
        _redirects("app:/cb", application_type="native"),
        REDIRECT,
    ),
    Case(
        "own scheme of a web application",
        "private-use schemes are for native applications",
        "OIDC Registration §2",
        _redirects("vn.example.app:/cb"),
        REDIRECT,
    ),
    Case(
        "fragment",
        "a redirect URI has no fragment",
        "RFC 6749 §3.1.2",
        _redirects(CALLBACK + "#here"),
        REDIRECT,
    ),
    Case(
        "empty fragment",
        "a redirect URI has no fragment",
        "RFC 6749 §3.1.2",
        _redirects(CALLBACK + "#"),
        REDIRECT,
    ),
    Case(
        "wildcard host",
        "redirect URIs are addresses, not patterns",
        "RFC 9700 §4.1.1",
        _redirects("https://*.example/cb"),
        REDIRECT,
    ),
    Case(
        "plain http",
        "codes travel over TLS, but for the loopback",
        "RFC 9700 §2.6",
        _redirects("http://app.example/cb"),
        REDIRECT,
    ),
    Case(
        "loopback as a prefix",
        "the loopback is recognised by its whole name",
        "RFC 8252 §7.3",
        _redirects("http://localhost.evil.example/cb", application_type="native"),
        REDIRECT,
    ),
    Case(
        "loopback as a user name",
        "a redirect URI holds no user name",
        "RFC 3986 §7.6",
        _redirects("http://127.0.0.1@evil.example/cb", application_type="native"),
        REDIRECT,
    ),
    Case(
        "loopback in other words",
        "the loopback is recognised by its whole name",
        "RFC 8252 §7.3",
        _redirects("http://0x7f.1/cb", application_type="native"),
        REDIRECT,
    ),
    Case(
        "backslash",
        "characters no URI may hold are refused, since parsers differ about them",
        "RFC 3986 §2, RFC 9700 §4.1.3",
        _redirects("https://app.example\\@evil.example/cb"),
        REDIRECT,
    ),
    Case(
        "line break",
        "nothing registered can end a header line",
        "CWE-113",
        _redirects("https://app.example/cb\r\nSet-Cookie: a=b"),
        REDIRECT,
    ),
    Case(
        "host in another alphabet",
        "a host is ASCII, so that it cannot look like another",
        "RFC 3490, CWE-1007",
        _redirects("https://\u0430pp.example/cb"),
        REDIRECT,
    ),
    Case(
        "escaped slash in the host",
        "a host is a name, whatever an escape would make of it",
        "RFC 3986 §3.2.2",
        _redirects("https://app.example%2f.evil.example/cb"),
        REDIRECT,
    ),
    Case(
        "no host",
        "an https address names its host",
        "RFC 9110 §4.2.2",
        _redirects("https:///cb"),
        REDIRECT,
    ),
    Case(
        "relative",
        "a redirect URI is absolute",
        "RFC 6749 §3.1.2",
        _redirects("/cb"),
        REDIRECT,
    ),
    Case(
        "none at all",
        "who is sent codes says beforehand where to",
        "RFC 7591 §2",
        _asks(redirect_uris=[]),
        REDIRECT,
    ),
    Case(
        "localhost for implicit",
        "tokens in the front channel go nowhere but over https, and not to localhost",
        "OIDC Registration §2",
        _redirects("https://localhost/cb", response_types=["id_token token"]),
        REDIRECT,
    ),
    Case(
        "loopback under FAPI",
        "FAPI 2.0 redirects over https",
        "FAPI 2.0 Security Profile §5.3.2.2",
        _redirects("http://127.0.0.1/cb", **FAPI),
        REDIRECT,
    ),
    Case(
        "script after sign-out",
        "addresses after sign-out obey the rules of redirect URIs",
        "OIDC RP-Initiated Logout §3, CVE-2026-9086 (Keycloak)",
        _asks(post_logout_redirect_uris=["javascript:alert(1)"]),
    ),
    Case(
        "front-channel logout of somebody else",
        "a front-channel logout URI lies beside a redirect URI",
        "OIDC Front-Channel Logout §2",
        _asks(frontchannel_logout_uri="https://victim.example/logout"),
    ),
    Case(
        "back-channel logout in the clear",
        "logout tokens travel over TLS",
        "OIDC Back-Channel Logout §2.2",
        _asks(backchannel_logout_uri="http://app.example/logout"),
    ),
    Case(
        "sign-in begun in the clear",
        "initiate_login_uri is https",
        "OIDC Core §4",
        _asks(initiate_login_uri="http://app.example/login"),
    ),
    Case(
        "script as a page",
        "what people are shown as a link is a page",
        "CVE-2026-22752 (Spring Authorization Server), RFC 7591 §5",
        _asks(policy_uri="javascript:alert(1)"),
    ),
    Case(
        "script as a page in another language",
        "the same field in another language obeys the same rules",
        "RFC 7591 §2.2",
        _asks(**{"tos_uri#en": "javascript:alert(1)"}),
    ),
]


def _private(kind: str) -> dict[str, Any]:
    return {"keys": [key_for(kind).as_dict(private=True)]}


EC = key_for("ES256").as_dict(private=False)
KEYS = [
    Case(
        "private EC key",
        "nobody's private key is kept, not even when she sends it",
        "RFC 7517 §9.2",
        _asks(jwks=_private("ES256")),
    ),
    Case(
        "private RSA key behind a public one",
        "every key of a set is looked at",
        "RFC 7517 §9.2",
        _asks(jwks={"keys": [EC, *_private("RS256")["keys"]]}),
    ),
    Case(
        "symmetric key",
        "a secret is not registered as a public key",
        "RFC 8725 §2.1",
        _asks(jwks={"keys": [{"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"}]}),
    ),
    Case(
        "short RSA key",
        "RSA keys have 2048 bits at least",
        "RFC 7518 §3.3",
        _asks(jwks={"keys": [{"kty": "RSA", "n": "x" * 170, "e": "AQAB"}]}),
    ),
    Case(
        "huge RSA key",
        "checking a signature must not cost us minutes",
        "CWE-400",
        _asks(jwks={"keys": [{"kty": "RSA", "n": "x" * 3000, "e": "AQAB"}]}),
    ),
    Case(
        "point off the curve",
        "cryptographic inputs are validated",
        "RFC 8725 §3.4",
        _asks(jwks={"keys": [EC | {"y": EC["x"]}]}),
    ),
    Case(
        "key that is a number",
        "cryptographic inputs are validated",
        "RFC 8725 §3.4",
        _asks(jwks={"keys": [{"kty": "RSA", "n": 1, "e": {}}]}),
    ),
    Case(
        "two places for keys",
        "keys come by value or by reference, never both",
        "RFC 7591 §2",
        _asks(jwks=JWKS, jwks_uri="https://app.example/jwks"),
    ),
    Case(
        "a thousand keys",
        "a key set is bounded",
        "CWE-770",
        _asks(jwks={"keys": [{"kty": "EC"}] * 1000}),
    ),
    Case(
        "unsigned ID tokens",
        "nothing is signed by none",
        "RFC 8725 §3.2",
        _asks(id_token_signed_response_alg="none"),
    ),
    Case(
        "ID tokens by the client's secret",
        "what we sign is signed by keys only we have",
        "RFC 8725 §3.1",
        _asks(id_token_signed_response_alg="HS256"),
    ),
    Case(
        "unsigned request objects",
        "a request object is signed",
        "RFC 9101 §10.2",
        _asks(request_object_signing_alg="none"),
    ),
    Case(
        "assertions by another family",
        "the algorithm fits the method",
        "RFC 8725 §2.1",
        _asks(
            token_endpoint_auth_method="private_key_jwt",
            token_endpoint_auth_signing_alg="HS256",
            jwks=JWKS,
        ),
    ),
    Case(
        "broken encryption",
        "what we do not do is refused, not left out in silence",
        "RFC 8725 §3.2",
        _asks(id_token_encrypted_response_alg="RSA1_5"),
    ),
    Case(
        "FAPI by a shared secret",
        "FAPI 2.0 clients prove themselves by a key",
        "FAPI 2.0 Security Profile §5.3.2.1",
        _asks(**(FAPI | {"token_endpoint_auth_method": "client_secret_jwt"})),
    ),
    Case(
        "FAPI by a weaker signature",
        "FAPI 2.0 allows PS256 and ES256",
        "FAPI 2.0 Security Profile §5.4.1",
        _asks(**FAPI, id_token_signed_response_alg="RS256"),
    ),
    Case(
        "a forged software statement",
        "a statement nobody has vouched for gives nothing",
        "RFC 7591 §3.2.2",
        _asks(
            software_statement="eyJhbGciOiJSUzI1NiJ9.eyJmaXJzdF9wYXJ0eSI6dHJ1ZX0.c2ln",
        ),
        "unapproved_software_statement",
    ),
    Case(
        "an unsigned software statement",
        "a software statement is signed",
        "RFC 7591 §2.3",
        _asks(software_statement="eyJhbGciOiJub25lIn0.eyJmaXJzdF9wYXJ0eSI6dHJ1ZX0."),
        "invalid_software_statement",
    ),
]


def _sector(uri: Callable[[Scene], str], **more: Any) -> Callable[[Scene], Any]:
    return lambda scene: scene.ask(
        subject_type="pairwise", sector_identifier_uri=uri(scene), **more
    )


def _wanders(scene: Scene) -> Any:
    made = scene.made(scene.ask(subject_type="pairwise"))
    elsewhere = PLAIN | {"redirect_uris": ["https://bank.example/cb"]}
    assert made.replace(**PLAIN, subject_type="pairwise").status_code == 200
    assert made.replace(**elsewhere).status_code == 400
    return made.replace(**elsewhere, subject_type="pairwise")


def _one_sector(scene: Scene, _answer: Any) -> None:
    assert [each.identifier for each in scene.world.all(Sector)] == ["app.example"]


def _redirected(scene: Scene) -> str:
    target = scene.inside.put("/sector.json", json.dumps([CALLBACK]))
    return scene.outside.put("/s", Response(status=302, headers={"Location": target}))


def _never_called(scene: Scene, _answer: Any) -> None:
    assert scene.inside.asked == []


def _signs_with_keys_from_inside(scene: Scene) -> Any:
    uri = scene.inside.put("/jwks", json.dumps(JWKS))
    made = scene.made(
        scene.ask(
            token_endpoint_auth_method="private_key_jwt",
            jwks_uri=uri,
            grant_types=["client_credentials"],
            redirect_uris=[],
        )
    )
    party = Party(0, made.told["client_id"], None)
    caller = Asserting(scene.registrar.browser, party, clock=scene.world.clock)
    return caller.token(grant_type="client_credentials")


FETCHES = [
    Case(
        "sector on our own machine",
        "we do not call for others what only we can reach",
        "CWE-918, JanssenProject/jans#14540",
        _sector(lambda s: s.inside.put("/sector.json", json.dumps([CALLBACK]))),
        then=_never_called,
    ),
    Case(
        "sector at the cloud's metadata",
        "link-local addresses are not called",
        "CWE-918, CVE-2020-10770 (Keycloak)",
        _sector(lambda _: "https://169.254.169.254/latest/meta-data"),
    ),
    Case(
        "sector behind a mapped address",
        "an address is judged by where it leads",
        "CWE-918, RFC 4291 §2.5.5.2",
        _sector(lambda _: "https://[::ffff:10.0.0.1]/sector.json"),
    ),
    Case(
        "sector that redirects inside",
        "redirects are not followed",
        "CWE-918, RFC 9110 §15.4",
        _sector(_redirected),
        then=_never_called,
    ),
    Case(
        "sector in the clear",
        "sector_identifier_uri is https",
        "OIDC Registration §5",
        _sector(lambda _: "http://app.example/sector.json"),
    ),
    Case(
        "sector in a file",
        "nothing but the web is called",
        "CWE-918, CWE-73",
        _sector(lambda _: "file:///etc/passwd"),
    ),
    Case(
        "somebody else's sector",
        "a sector lists every redirect URI of its clients",
        "OIDC Registration §5, OIDC Core §8.1",
        _sector(lambda s: s.outside.put("/s", json.dumps(["https://bank.example/cb"]))),
    ),
    Case(
        "somebody else's sector by a prefix",
        "a sector's list is compared whole",
        "OIDC Registration §5",
        _sector(lambda s: s.outside.put("/s", json.dumps(["https://app.example/"]))),
    ),
    Case(
        "somebody else's sector without an address",
        "who names no address belongs to no sector",
        "OIDC Core §8.1",
        _sector(
            lambda s: s.outside.put("/s", json.dumps([])),
            redirect_uris=[],
            grant_types=["client_credentials"],
        ),
    ),
    Case(
        "two hosts as one sector",
        "several hosts are one sector only where a document says so",
        "OIDC Core §8.1",
        _asks(subject_type="pairwise", redirect_uris=[CALLBACK, "https://bank.example/cb"]),
    ),
    Case(
        "a sector for devices",
        "a sector vouches for addresses, and a device is answered at none",
        "OIDC Core §8.1, RFC 8628 §3.5",
        _asks(subject_type="pairwise", grant_types=["authorization_code", DEVICE]),
    ),
    Case(
        "from sector to sector",
        "a client does not leave its sector, which keeps its salt for ever",
        "OIDC Core §8.1, CWE-770",
        _wanders,
        then=_one_sector,
    ),
    Case(
        "deeply nested sector",
        "what others publish cannot exhaust us",
        "CWE-674",
        _sector(lambda s: s.outside.put("/s", "[" * 200_000)),
    ),
    Case(
        "logo on our own machine",
        "what people are shown is not fetched by us",
        "CVE-2021-26715 (MITREid Connect)",
        lambda s: s.ask(logo_uri=s.inside.put("/logo.png", "x")),
        status=201,
        error="",
        then=_never_called,
    ),
    Case(
        "keys on our own machine",
        "keys are fetched from where anybody could fetch them",
        "CVE-2026-1180 (Keycloak)",
        _signs_with_keys_from_inside,
        status=401,
        error="invalid_client",
        then=_never_called,
    ),
    Case(
        "keys in a file",
        "nothing but the web is called",
        "keycloak/keycloak#51219",
        _asks(jwks_uri="file:///etc/passwd"),
    ),
    Case(
        "keys in the clear",
        "keys are fetched over TLS",
        "OIDC Registration §2",
        _asks(jwks_uri="http://app.example/jwks"),
    ),
    Case(
        "requests in the clear",
        "request objects are fetched over TLS",
        "OIDC Core §6.2",
        _asks(request_uris=["http://169.254.169.254/latest"]),
    ),
]


def _with(more: str) -> Callable[[Scene], Any]:
    """An honest document with more members, written as they are."""
    return lambda scene: scene.send(f'{{"redirect_uris": ["{CALLBACK}"], {more}}}')


BODIES = [
    Case(
        "deeply nested",
        "nesting cannot exhaust the stack",
        "CWE-674",
        _with('"x": ' + "[" * 20_000 + "1" + "]" * 20_000),
    ),
    Case(
        "too long",
        "a body is bounded",
        "CWE-770",
        lambda s: s.send(json.dumps(PLAIN | {"x": "y" * 70_000})),
        status=413,
        error="",
    ),
    Case(
        "a member twice",
        "each member comes once, since readers differ about which counts",
        "RFC 8259 §4",
        _with('"redirect_uris": ["https://evil.example/"]'),
    ),
    Case(
        "a member twice within keys",
        "each member comes once, at every depth",
        "RFC 8259 §4",
        _with('"jwks": {"keys": [{"kty": "oct", "kty": "RSA"}]}'),
    ),
    Case(
        "not a number",
        "JSON knows no NaN",
        "RFC 8259 §6",
        _with('"default_max_age": NaN'),
    ),
    Case(
        "another encoding",
        "JSON is UTF-8",
        "RFC 8259 §8.1",
        lambda s: s.send(json.dumps(PLAIN).encode("utf-16")),
    ),
    Case(
        "broken encoding",
        "JSON is UTF-8",
        "RFC 8259 §8.1",
        lambda s: s.send(b'{"redirect_uris": ["https://app.example/\xff"]}'),
    ),
    Case(
        "a form",
        "a registration is JSON; a form could come from any site",
        "RFC 7591 §3.1, CWE-352",
        lambda s: s.send(
            "redirect_uris=https://app.example/cb", "application/x-www-form-urlencoded"
        ),
    ),
    Case(
        "text that is JSON",
        "a registration says that it is JSON",
        "RFC 7591 §3.1, CWE-352",
        lambda s: s.send(json.dumps(PLAIN), "text/plain"),
    ),
    Case(
        "a list",
        "a registration is one object",
        "RFC 7591 §3.1",
        lambda s: s.send(json.dumps([PLAIN])),
    ),
    Case(
        "half a character",
        "text is Unicode that can be stored",
        "CWE-176",
        _with('"client_name": "\\ud800"'),
    ),
    Case(
        "NUL in a name",
        "text has no control characters",
        "CWE-158",
        _asks(client_name="a\0b"),
    ),
    Case(
        "NUL in a key",
        "text has no NUL, at any depth",
        "CWE-158",
        _asks(jwks={"keys": [EC | {"kid": "a\0b"}]}),
    ),
    Case(
        "NUL in a list in a key",
        "text has no NUL, at any depth",
        "CWE-158",
        _asks(jwks={"keys": [EC | {"key_ops": ["verify", "a\0b"]}]}),
    ),
    Case(
        "NUL in a member of a key",
        "text has no NUL, at any depth",
        "CWE-158",
        _asks(jwks={"keys": [EC | {"a\0b": "x"}]}),
    ),
    Case(
        "half a character in a key",
        "text is Unicode that can be stored",
        "CWE-176",
        _asks(jwks={"keys": [EC | {"kid": "a\ud800b"}]}),
    ),
    Case(
        "NUL in the name of a member",
        "text has no NUL, at any depth",
        "CWE-158",
        _asks(**{"client_name#vi\0": "x"}),
    ),
    Case(
        "name written backwards",
        "a name on the consent page cannot rearrange what is around it",
        "Unicode TR36 §3.2, CWE-451",
        _asks(client_name="\u202enhnid\u202c"),
    ),
    Case(
        "name with invisible letters",
        "a name cannot look like another by what is not seen",
        "Unicode TR36 §2.10, CWE-451",
        _asks(**{"client_name#vi": "Din\u200bhdanh"}),
    ),
    Case(
        "a thousand addresses",
        "lists are bounded",
        "CWE-770",
        _asks(redirect_uris=[f"{CALLBACK}/{n}" for n in range(1000)]),
        REDIRECT,
    ),
    Case(
        "a switch that is a word",
        "values are of their type: the word false is not false",
        "RFC 7591 §3.2.2, CWE-843",
        _asks(require_pushed_authorization_requests="false"),
    ),
    Case(
        "a query by type",
        "values are of their type: an object is no text",
        "CWE-943",
        _asks(client_name={"$ne": ""}),
    ),
]


def _is_nobody_special(scene: Scene, answer: Any) -> None:
    row = scene.row(scene.made(answer))
    assert (row.first_party, row.resource_server, row.introspect_all) == (False, False, False)
    assert row.application_id is None
    assert row.options == {"require_pkce": False}


def _asks_people(scene: Scene, answer: Any) -> None:
    browser = scene.registrar.browser
    scene.world.sign_in(browser)
    flow = Flow(browser, scene.made(answer).party, scope="openid email", redirect_uri=CALLBACK)
    assert flow.told(flow.ask(prompt="none"))["error"] == "consent_required"


def _sees_only_its_own(scene: Scene, answer: Any) -> None:
    browser = scene.registrar.browser
    scene.world.sign_in(browser)
    victim = Flow(browser, scene.world.register()).tokens()["access_token"]
    assert Flow(browser, scene.made(answer).party).introspect(victim) == {"active": False}


def _has_no_rights_of_ours(scene: Scene, answer: Any) -> None:
    made = scene.made(answer)
    assert made.told["scope"] == ""
    caller = Flow(scene.registrar.browser, made.party)
    refused = caller.token(grant_type="client_credentials", scope="changes:write")
    assert refused.get_json()["error"] == "invalid_scope"
    held = caller.token(grant_type="client_credentials").get_json()["access_token"]
    assert scene.registrar.browser.get("/api/v1/changes/x", headers=bearer(held)).status_code in (
        401,
        403,
    )


def _has_another_id(scene: Scene, answer: Any) -> None:
    told = answer.get_json()
    assert told["client_id"] != scene.other.told["client_id"]
    assert told["client_secret"] != "guessable"


RIGHTS = [
    Case(
        "calls itself first party",
        "what the installation decides is not assigned from outside",
        "CVE-2021-27582 (MITREid Connect), CWE-915",
        _asks(first_party=True),
        status=201,
        error="",
        then=_asks_people,
    ),
    Case(
        "calls itself a resource server",
        "what the installation decides is not assigned from outside",
        "CWE-915, RFC 7662 §4",
        _asks(resource_server=True, introspect_all=True),
        status=201,
        error="",
        then=_sees_only_its_own,
    ),
    Case(
        "every column by its name",
        "what is not understood is ignored",
        "RFC 7591 §2, CWE-915",
        _asks(
            id=1,
            application_id=1,
            first_party=True,
            resource_server=True,
            introspect_all=True,
            epoch=0,
            enabled=True,
            options={"require_pkce": False, "resources": ["https://api.example"]},
            resources=["https://api.example"],
            registration_token="x",
        ),
        status=201,
        error="",
        then=_is_nobody_special,
    ),
    Case(
        "chooses its id and secret",
        "client_id and secret are the server's to assign",
        "RFC 7591 §3.2.1",
        lambda s: s.ask(client_id=s.other.told["client_id"], client_secret="guessable"),
        status=201,
        error="",
        then=_has_another_id,
    ),
    Case(
        "asks for rights of ours",
        "scopes that are no matter of consent are not given away",
        "RFC 7591 §5, CWE-269",
        _asks(
            grant_types=["client_credentials"], redirect_uris=[], scope="changes:read changes:write"
        ),
        status=201,
        error="",
        then=_has_no_rights_of_ours,
    ),
    Case(
        "asks for nothing but rights of ours",
        "a client of people has something to ask them",
        "RFC 6749 §3.3",
        _asks(scope="changes:write"),
    ),
    Case(
        "a grant that takes passwords",
        "the password grant is gone",
        "RFC 9700 §2.4",
        _asks(grant_types=["password"]),
    ),
    Case(
        "acts on its own account without a secret",
        "only confidential clients act on their own account",
        "RFC 6749 §4.4",
        _asks(
            token_endpoint_auth_method="none",
            grant_types=["client_credentials"],
            redirect_uris=[],
        ),
    ),
    Case(
        "tokens in the front channel alone",
        "an access token without an ID token is not given in the front channel",
        "RFC 9700 §2.1.2",
        _asks(response_types=["token"]),
    ),
    Case(
        "codes by a grant it has not",
        "grant types and response types fit each other",
        "OIDC Registration §2",
        _asks(grant_types=["authorization_code"], response_types=["code id_token"]),
    ),
]


def _spent(scene: Scene) -> str:
    token = scene.registrar.invite()
    assert scene.registrar.ask(PLAIN, token).status_code == 201
    return token


def _expired(scene: Scene) -> str:
    token = scene.registrar.invite(days=1)
    scene.world.clock.advance(days=1)
    return token


def _of_a_person(scene: Scene) -> str:
    browser = scene.registrar.browser
    scene.world.sign_in(browser)
    return str(Flow(browser, scene.world.register()).tokens()["access_token"])


def _named(token: str) -> str:
    return token.removeprefix(invites.PREFIX)


ADMISSION = [
    Case(
        "no token",
        "who may register proves it",
        "RFC 7591 §3",
        lambda s: s.post({}),
        status=401,
        error="",
    ),
    Case(
        "token in the query",
        "tokens do not travel in addresses",
        "RFC 9700 §4.3.2",
        lambda s: s.post({}, access_token=s.registrar.invite()),
        status=401,
        error="",
    ),
    Case(
        "an empty token",
        "a malformed header is an answer of ours, not a fault",
        "CVE-2026-9803 (Keycloak)",
        lambda s: s.post({"Authorization": "Bearer"}),
        status=401,
        error="invalid_token",
    ),
    Case(
        "token by another scheme",
        "an initial access token is a bearer token",
        "RFC 7591 §3, RFC 6750 §2.1",
        lambda s: s.post({"Authorization": "Basic " + s.registrar.invite()}),
        status=401,
        error="invalid_token",
    ),
    Case(
        "a guess",
        "an initial access token cannot be guessed or spelled otherwise",
        "CWE-330",
        lambda s: s.post(bearer(_named(s.registrar.invite()))),
        status=401,
        error="invalid_token",
    ),
    Case(
        "a person's access token",
        "a token is good where it is meant for",
        "RFC 8725 §3.12",
        lambda s: s.post(bearer(_of_a_person(s))),
        status=401,
        error="invalid_token",
    ),
    Case(
        "a registration access token",
        "a token is good where it is meant for",
        "RFC 7592 §1.1",
        lambda s: s.post(bearer(s.other.token)),
        status=401,
        error="invalid_token",
    ),
    Case(
        "a token used up",
        "an initial access token is good for as many clients as was said",
        "RFC 7591 §5",
        lambda s: s.post(bearer(_spent(s))),
        status=401,
        error="invalid_token",
    ),
    Case(
        "a token too old",
        "an initial access token ends",
        "RFC 7591 §5",
        lambda s: s.post(bearer(_expired(s))),
        status=401,
        error="invalid_token",
    ),
]


def _disabled(scene: Scene) -> Any:
    scene.world.change(Client, scene.row(scene.other).id, enabled=False)
    return scene.other.read()


def _removed(scene: Scene) -> Any:
    assert scene.other.remove().status_code == 204
    scene.world.change(Client, scene.row(scene.other).id, enabled=True)
    return scene.other.read()


def _by_secret(scene: Scene) -> Any:
    made = scene.honest
    pair = f"{made.told['client_id']}:{made.told['client_secret']}".encode()
    given = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return made.browser.get(made.path, headers=given)


def _profiled(scene: Scene) -> Registered:
    return scene.made(scene.ask(**FAPI))


def _loosened(scene: Scene) -> Any:
    made = _profiled(scene)
    keys = {name: FAPI[name] for name in ("token_endpoint_auth_method", "jwks")}
    return made.replace(**PLAIN, **keys, fapi_profile="standard")


def _still_bound(scene: Scene, answer: Any) -> None:
    told = answer.get_json()
    assert told["fapi_profile"] == "fapi2"
    assert told["require_pushed_authorization_requests"] is True
    with scene.world.services.db.hot() as connection:
        found = client_view.view(connection, told["client_id"])
    assert found is not None
    assert found.options.sender_constrained


def _promoted(scene: Scene) -> Any:
    return scene.other.replace(
        **PLAIN,
        first_party=True,
        introspect_all=True,
        application_id=1,
        scope="openid changes:write",
    )


def _not_promoted(scene: Scene, answer: Any) -> None:
    assert answer.get_json()["scope"] == "openid"
    row = scene.row(scene.other)
    assert (row.first_party, row.introspect_all, row.application_id) == (False, False, None)


def _updated(made: Registered) -> Any:
    return made.replace(**PLAIN | {"redirect_uris": ["https://evil.example/"]})


def _adopted(by: Callable[[Registered], Any] = _updated, **columns: Any) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        has = scene.world.services
        with has.db.write() as session:
            if "application_id" in columns:
                columns["application_id"] = make_application(session).id
            row = clients.held(session, scene.other.told["client_id"])
            wanted = Registration.of(row).but(**columns)
            clients.replace(
                session, row, wanted, keyring=has.keyring, actor=OPERATOR, now=has.clock()
            )
        kept = scene.stored()
        answer = by(scene.other)
        assert scene.stored() == kept
        return answer

    return act


def _restricted(scene: Scene) -> Any:
    key = scene.row(scene.other).id
    scene.world.change(Client, key, scopes=["openid"], options={})
    return scene.other.replace(**PLAIN, scope="openid email offline_access")


def _still_restricted(scene: Scene, answer: Any) -> None:
    assert answer.get_json()["scope"] == "openid"
    row = scene.row(scene.other)
    assert row.scopes == ["openid"]
    assert Options.of(row.options).require_pkce


def _restricted_meanwhile(scene: Scene) -> Any:
    """The sector's document is read between the two looks an update takes at its client."""
    key, document = scene.row(scene.other).id, json.dumps([CALLBACK])

    def answer() -> str:
        options = {"minimum_acr": "urn:vn:aal:2", "minimum_eid_level": 2}
        scene.world.change(Client, key, scopes=["openid"], options=options)
        return document

    uri = scene.outside.put("/s", Late(answer))
    return scene.other.replace(**PLAIN, sector_identifier_uri=uri)


def _nothing_lost(scene: Scene, answer: Any) -> None:
    _still_restricted(scene, answer)
    row = scene.row(scene.other)
    assert (row.options["minimum_acr"], row.options["minimum_eid_level"]) == ("urn:vn:aal:2", 2)


def _by_no_id(method: str) -> Callable[[Scene], Any]:
    return lambda s: s.honest.browser.open(
        ENDPOINT + "/a%00b", method=method, json=PLAIN, headers=bearer(s.honest.token)
    )


MANAGEMENT = [
    *(
        Case(
            "NUL in the id: " + method,
            "what no database can hold is nobody's id",
            "CWE-158",
            _by_no_id(method),
            status=401,
            error="invalid_token",
        )
        for method in ("GET", "PUT", "DELETE")
    ),
    Case(
        "an update of what is first party",
        "whom the installation trusts as its own does not change itself",
        "RFC 7592 §2.2, CWE-269",
        _adopted(first_party=True),
        status=401,
        error="invalid_token",
    ),
    Case(
        "an update of a resource server",
        "whom the installation trusts as its own does not change itself",
        "RFC 7592 §2.2, CWE-269",
        _adopted(resource_server=True),
        status=401,
        error="invalid_token",
    ),
    Case(
        "an update of an application's client",
        "whom the installation trusts as its own does not change itself",
        "RFC 7592 §2.2, CWE-269",
        _adopted(application_id=0),
        status=401,
        error="invalid_token",
    ),
    Case(
        "an update of what its operator has bound to a key",
        "what an operator has set a client does not loosen",
        "RFC 7592 §2.2, CWE-269",
        _adopted(options=Options(dpop_bound_access_tokens=True)),
        status=401,
        error="invalid_token",
    ),
    Case(
        "removing what is its operator's",
        "what an operator has set a client does not loosen",
        "RFC 7592 §2.3, CWE-269",
        _adopted(Registered.remove, first_party=True),
        status=401,
        error="invalid_token",
    ),
    Case(
        "reading what is its operator's",
        "who may not manage a client is not told of it",
        "RFC 7592 §2.1",
        _adopted(Registered.read, options=Options(minimum_acr="urn:vn:aal:2")),
        status=401,
        error="invalid_token",
    ),
    Case(
        "around a restriction",
        "an update brings back nothing an administrator took away",
        "RFC 7592 §2.2, CWE-269",
        _restricted,
        status=200,
        error="",
        then=_still_restricted,
    ),
    Case(
        "around a restriction made meanwhile",
        "an update is judged by what the client is when it is written",
        "CWE-367, CWE-362",
        _restricted_meanwhile,
        status=200,
        error="",
        then=_nothing_lost,
    ),
    Case(
        "reading another client",
        "a registration access token is good for its own client",
        "RFC 7592 §5, CWE-639",
        lambda s: s.honest.read(s.other.token),
        status=401,
        error="invalid_token",
    ),
    Case(
        "replacing another client",
        "a registration access token is good for its own client",
        "RFC 7592 §5, CWE-639",
        lambda s: s.honest.replace(
            s.other.token, **PLAIN | {"redirect_uris": ["https://evil.example/"]}
        ),
        status=401,
        error="invalid_token",
    ),
    Case(
        "removing another client",
        "a registration access token is good for its own client",
        "RFC 7592 §5, CWE-639",
        lambda s: s.honest.remove(s.other.token),
        status=401,
        error="invalid_token",
    ),
    Case(
        "without a token",
        "managing needs the registration access token",
        "RFC 7592 §2",
        lambda s: s.honest.browser.get(s.honest.path),
        status=401,
        error="",
    ),
    Case(
        "by an initial access token",
        "a token is good where it is meant for",
        "RFC 7592 §1.1",
        lambda s: s.honest.read(s.registrar.invite()),
        status=401,
        error="invalid_token",
    ),
    Case(
        "by the client's secret",
        "managing needs the registration access token",
        "RFC 7592 §2",
        _by_secret,
        status=401,
        error="invalid_token",
    ),
    Case(
        "a client nobody registered",
        "who asks for an unknown client learns no more than for a known one",
        "RFC 7592 §2.1, CWE-204",
        lambda s: s.honest.browser.get(ENDPOINT + "/nobody", headers=bearer(s.honest.token)),
        status=401,
        error="invalid_token",
    ),
    Case(
        "the installation's own client",
        "a client that did not register itself does not manage itself",
        "RFC 7592 §1.1",
        lambda s: s.honest.browser.get(ENDPOINT + "/dinhdanh-probe", headers=bearer("")),
        status=401,
        error="invalid_token",
    ),
    Case(
        "after it was disabled",
        "a disabled client does nothing, not even to itself",
        "RFC 7592 §2.1",
        _disabled,
        status=401,
        error="invalid_token",
    ),
    Case(
        "after it was removed",
        "a removed client's token is dead for good",
        "RFC 7592 §2.3",
        _removed,
        status=401,
        error="invalid_token",
    ),
    Case(
        "becoming another client",
        "an update names the client it updates",
        "RFC 7592 §2.2",
        lambda s: s.other.replace(**PLAIN | {"client_id": s.honest.told["client_id"]}),
    ),
    Case(
        "a secret of its own choice",
        "a client does not choose its secret",
        "RFC 7592 §2.2",
        lambda s: s.other.replace(**PLAIN, client_secret="guessable"),
    ),
    Case(
        "a secret that never ends",
        "a client does not set what the server assigns",
        "RFC 7592 §2.2",
        lambda s: s.other.replace(**PLAIN, client_secret_expires_at=0),
    ),
    Case(
        "rights by an update",
        "what the installation decides is not assigned from outside",
        "CWE-915, RFC 7592 §2.2",
        _promoted,
        status=200,
        error="",
        then=_not_promoted,
    ),
    Case(
        "out of its profile",
        "a profile once chosen is not left by an update",
        "FAPI 2.0 Security Profile §5.3.2",
        _loosened,
        status=200,
        error="",
        then=_still_bound,
    ),
    Case(
        "another address by an update",
        "an update obeys the rules of a registration",
        "RFC 7592 §2.2",
        lambda s: s.other.replace(**PLAIN | {"redirect_uris": ["javascript:alert(1)"]}),
        REDIRECT,
    ),
    Case(
        "by a method nobody expects",
        "only GET, PUT and DELETE manage a client",
        "RFC 9110 §15.5.6",
        lambda s: s.honest.browser.post(s.honest.path, json=PLAIN, headers=bearer(s.honest.token)),
        status=405,
        error="",
    ),
]

CASES = [*REDIRECTS, *KEYS, *FETCHES, *BODIES, *RIGHTS, *ADMISSION, *MANAGEMENT]


@pytest.fixture
def outside(authority: Authority) -> Iterator[Publisher]:  # noqa: F811
    with publishing(authority) as made:
        yield made


@pytest.fixture
def inside(authority: Authority) -> Iterator[Publisher]:  # noqa: F811
    with publishing(authority) as made:
        yield made


@pytest.fixture
def settings(make_settings: Any, outside: Publisher, request: pytest.FixtureRequest) -> Any:
    wanted: dict[str, Any] = {
        "outbound_allow": [outside.allow],
        "outbound_ca_file": outside.ca_file,
        "response_types": ["code", "id_token", "id_token token", "code id_token"],
    }
    marker = request.node.get_closest_marker("settings")
    return make_settings(**(wanted | (marker.kwargs if marker else {})))


@pytest.fixture
def scene(services: Any, clock: Any, client: Any, outside: Publisher, inside: Publisher) -> Scene:
    registrar = Registrar(client, services)
    world = build_world(services, clock)
    return Scene(registrar, world, registrar.register(), registrar.register(), outside, inside)


def _goes_on(scene: Scene) -> None:
    """The honest client is as it was, and another may come."""
    answer = scene.honest.read()
    assert answer.status_code == 200
    told = dict(scene.honest.told)
    del told["client_secret"]
    assert answer.get_json() == told
    assert scene.ask().status_code == 201


def test_the_honest_requests_succeed(scene: Scene) -> None:
    uri = scene.outside.put("/sector.json", json.dumps([CALLBACK]))
    assert scene.ask(subject_type="pairwise", sector_identifier_uri=uri).status_code == 201
    assert scene.ask(jwks=JWKS).status_code == 201
    assert scene.ask(**FAPI).status_code == 201
    assert scene.ask(response_types=["code id_token"]).status_code == 201
    assert scene.post(bearer(scene.registrar.invite())).status_code == 201
    assert scene.other.replace(**PLAIN).status_code == 200
    assert scene.other.remove().status_code == 204
    _goes_on(scene)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_attack_gets_nothing(scene: Scene, case: Case) -> None:
    before = scene.stored()
    answer = case.act(scene)
    assert answer.status_code == case.status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    if case.status in (200, 201):
        case.then(scene, answer)
        _goes_on(scene)
        return
    assert answer.mimetype in ("application/json", "application/problem+json")
    body = answer.get_json()
    assert not {"client_id", "client_secret", "registration_access_token"} & body.keys()
    if case.error:
        assert body["error"] == case.error
    if case.status == 401 and case.error != "invalid_client":
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="dinhdanh"')
    if case.id not in CHANGES_SOMETHING:
        assert scene.stored() == before
    case.then(scene, answer)
    _goes_on(scene)


CHANGES_SOMETHING = {
    "keys on our own machine",
    "a token used up",
    "a person's access token",
    "after it was disabled",
    "after it was removed",
    "from sector to sector",
    "an update of what is first party",
    "an update of a resource server",
    "an update of an application's client",
    "an update of what its operator has bound to a key",
    "removing what is its operator's",
    "reading what is its operator's",
}
"""Cases that first register, disable or remove somebody honestly."""


@pytest.mark.both_databases
def test_what_no_database_can_hold_is_refused_by_each(scene: Scene) -> None:
    """CWE-158, CWE-176: before it gets there, and as what is wrong with the request."""
    for document in (
        {"jwks": {"keys": [EC | {"kid": "a\0b"}]}},
        {"jwks": {"keys": [EC | {"kid": "a\ud800b"}]}},
        {"contacts": ["a\0b"]},
    ):
        assert scene.ask(**document).get_json()["error"] == METADATA
    for method in ("GET", "PUT", "DELETE"):
        assert _by_no_id(method)(scene).status_code == 401
    assert scene.other.replace(**PLAIN).status_code == 200
    _goes_on(scene)


def test_what_was_sent_is_not_sent_back(scene: Scene) -> None:
    """CVE-2021-20323 (Keycloak): an error that repeats an unknown name is a script's way in."""
    sent = "<img src=x onerror=alert(1)>"
    for document in ({sent: 1}, {"application_type": sent}, {"client_name#" + sent: "x"}):
        answer = scene.ask(**document)
        assert answer.mimetype == "application/json"
        assert "<img" not in answer.text or answer.status_code == 201
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.settings(registration="open", registrations_per_source=5)
def test_a_flood_from_one_source_is_stopped(scene: Scene) -> None:
    """CWE-770: where anybody may register, one source does not fill everything."""
    answers = [scene.post({}).status_code for _ in range(6)]
    assert answers == [201] * 5 + [429]
    assert len(scene.registrar.rows()) == 7
    _goes_on(scene)


def test_updates_without_end_are_stopped(scene: Scene) -> None:
    """CWE-770: each update writes, and may call out."""
    answers = [scene.other.replace(**PLAIN).status_code for _ in range(MOST_UPDATES + 1)]
    assert answers == [200] * MOST_UPDATES + [429]
    scene.world.clock.advance(seconds=601)
    assert scene.other.replace(**PLAIN).status_code == 200
    _goes_on(scene)


def test_an_invitation_does_not_have_sectors_read_without_end(scene: Scene) -> None:
    """CWE-770: a try that fails uses up no invitation."""
    document = PLAIN | {"sector_identifier_uri": scene.outside.put("/s", "[]")}
    token = scene.registrar.invite()
    answers = [scene.registrar.ask(document, token).status_code for _ in range(MOST_SECTORS + 1)]
    assert answers == [400] * MOST_SECTORS + [429]
    assert len(scene.outside.asked) == MOST_SECTORS
    _goes_on(scene)


def test_slow_sectors_do_not_take_all_threads(
    scene: Scene, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-400: so many documents are read at once, and who comes then comes again."""
    monkeypatch.setattr(sectors, "SLOWEST", 60.0)
    arrived, go_on = threading.Semaphore(0), threading.Event()

    def slow() -> str:
        arrived.release()
        go_on.wait(60)
        return json.dumps([CALLBACK])

    uri, answers = scene.outside.put("/s", Late(slow)), []

    def one() -> None:
        caller = Registered(app.test_client(), scene.other.told)
        answers.append(caller.replace(**PLAIN, sector_identifier_uri=uri).status_code)

    threads = [threading.Thread(target=one) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    assert all(arrived.acquire(timeout=60) for _ in threads)
    full = scene.ask(sector_identifier_uri=uri)
    go_on.set()
    for thread in threads:
        thread.join(60)
    assert (full.status_code, full.get_json()) == (503, {"error": "temporarily_unavailable"})
    assert full.headers["Retry-After"]
    assert answers == [200] * AT_ONCE
    assert scene.ask(sector_identifier_uri=uri).status_code == 201


def test_the_own_address_is_ours_whatever_the_host_header_says(scene: Scene) -> None:
    """CWE-644: where a client manages itself is told from settings, not from the request."""
    given = bearer(scene.registrar.invite()) | {"Host": "evil.example"}
    answer = scene.registrar.browser.post(ENDPOINT, json=PLAIN, headers=given)
    assert answer.status_code == 421 or answer.get_json()["registration_client_uri"].startswith(
        "http://localhost:8000/"
    )


def test_a_consent_page_shows_a_name_as_text(scene: Scene) -> None:
    """CVE-2026-22752 (Spring Authorization Server): metadata on a page is text."""
    browser = scene.registrar.browser
    made = scene.made(scene.ask(client_name="<script>alert(1)</script>"))
    scene.world.sign_in(browser)
    flow = Flow(browser, made.party, scope="openid", redirect_uri=CALLBACK)
    page = flow.ask()
    assert page.status_code == 200
    assert "<script>alert(1)" not in page.text
    assert hidden_fields(page.text)
