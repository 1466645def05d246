"""The consent page under attack: nothing is shared but what was shown, to whom it was shown, by
whoever was asked.

The page carries the whole request and a proof that this very request was shown to this very
session; the answer is judged from the beginning. Every case but the honest ones leaves no grant
and no remembered consent behind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from directory.people import User
from idp.oidc.authorization.consent import Consent
from idp.oidc.clients import Client
from idp.oidc.grants import Grant
from idp.sessions import SsoSession
from tests.bent import bent
from tests.browser_client import hidden_fields
from tests.factories import make_user
from tests.relying_party import REDIRECT, Flow, World, build_world

ENDPOINT = "/oauth2/consent"
SECOND = "http://localhost:9001/second"


@dataclass
class Scene:
    """Somebody who has been asked whether an application may know her e-mail address."""

    world: World
    browser: Any
    flow: Flow
    page: Any

    @property
    def form(self) -> dict[str, str]:
        """What the honest page would send for yes."""
        return hidden_fields(self.page.text) | {"decision": "allow"}

    def send(self, *, browser: Any = None, **changes: str) -> Any:
        """Send it, with changes."""
        return (browser or self.browser).post(ENDPOINT, data=self.form | changes)

    def asking(self, **changes: str | None) -> str:
        """The page's request, with changes."""
        said = dict(parse_qsl(self.form["request"])) | changes
        return urlencode({k: v for k, v in said.items() if v is not None})

    def left(self) -> tuple[int, int]:
        """Grants and remembered consents."""
        return len(self.world.all(Grant)), len(self.world.all(Consent))


@pytest.fixture
def scene(services: Any, clock: Any, client: Any) -> Scene:
    world = build_world(services, clock)
    party = world.register("Lịch", first_party=False, redirect_uris=(REDIRECT, SECOND))
    flow = Flow(client, party, scope="openid email")
    world.sign_in(client)
    return Scene(world, client, flow, flow.ask())


def test_the_honest_yes_is_answered_with_a_code(scene: Scene) -> None:
    answer = scene.send()
    assert answer.status_code == 303
    assert scene.flow.redeem(scene.flow.told(answer)["code"]).status_code == 200
    assert scene.left() == (1, 1)


def test_the_honest_no_is_told_to_the_application(scene: Scene) -> None:
    answer = scene.send(decision="deny")
    assert scene.flow.told(answer)["error"] == "access_denied"
    assert scene.left() == (0, 0)


@dataclass(frozen=True)
class Case:
    """One attack, the rule that refuses it, and where the rule stands."""

    id: str
    rule: str
    source: str
    act: Callable[[Scene], Any]
    status: int = 200
    """200: the person is asked (again); 303: she is sent to sign in, or back with an error."""


def changed(**values: str | None) -> Callable[[Scene], Any]:
    return lambda scene: scene.send(request=scene.asking(**values))


def in_another_session(scene: Scene) -> Any:
    """A thief's page, answered in the browser of the person."""
    browser = scene.browser.application.test_client()
    with scene.world.services.db.write() as session:
        stranger = make_user(session, "Trần Văn Kẻ")
    scene.world.sign_in(browser, user_id=stranger.id, assignment_id=None)
    theirs = hidden_fields(Flow(browser, scene.flow.party, scope="openid email").ask().text)
    mine = {"csrf_token": scene.form["csrf_token"], "decision": "allow"}
    return scene.browser.post(ENDPOINT, data=theirs | mine)


def of_an_older_session(scene: Scene) -> Any:
    old = scene.form["proof"]
    scene.world.sign_in(scene.browser)
    fresh = hidden_fields(scene.flow.ask().text) | {"proof": old, "decision": "allow"}
    return scene.browser.post(ENDPOINT, data=fresh)


def with_the_proof_of_another_client(scene: Scene) -> Any:
    other = Flow(
        scene.browser, scene.world.register("Khác", first_party=False), scope="openid email"
    )
    proof = hidden_fields(other.ask().text)["proof"]
    return scene.send(proof=proof)


def left_open(scene: Scene) -> Any:
    """She goes on working elsewhere, so that her session lives."""
    for _ in range(2):
        scene.world.clock.advance(seconds=451)
        scene.browser.get("/")
    return scene.send()


def meanwhile(table: type, key: Callable[[Scene], Any], **values: Any) -> Callable[[Scene], Any]:
    def act(scene: Scene) -> Any:
        form = scene.form
        scene.world.change(table, key(scene), **values)
        return scene.browser.post(ENDPOINT, data=form)

    return act


def signed_out_meanwhile(scene: Scene) -> Any:
    form = scene.form
    (held,) = scene.world.all(SsoSession)
    scene.world.change(SsoSession, held.id, ended_at=scene.world.clock())
    return scene.browser.post(ENDPOINT, data=form)


def suspended_meanwhile(scene: Scene) -> Any:
    form = scene.form
    scene.world.do(kind="suspend", user=scene.world.user_id)
    return scene.browser.post(ENDPOINT, data=form)


def repeated(name: str) -> Callable[[Scene], Any]:
    return lambda s: s.send(request=f"{s.asking()}&{name}=evil")


def fetched(scene: Scene) -> Any:
    return scene.browser.get(ENDPOINT, query_string=scene.form)


def framed(scene: Scene) -> Any:
    assert scene.page.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in scene.page.headers["Content-Security-Policy"]
    return scene.page


def in_the_authorization_request(scene: Scene) -> Any:
    return scene.flow.ask(proof=scene.form["proof"], decision="allow", consent="yes")


_SHOWN = "what is agreed to is what was shown"
_HERS = "only whoever was asked can agree"
_FORM = "an answer comes from the page's own form"
TAMPERED = [
    Case("more scope", _SHOWN, "CWE-367, RFC 9700 §4.16", changed(scope="openid email phone org")),
    Case("less scope", _SHOWN, "CWE-367", changed(scope="openid")),
    Case("offline access", _SHOWN, "OIDC Core §11", changed(scope="openid email offline_access")),
    Case(
        "claims asked for beside",
        "claims asked for one by one are agreed to as scopes are",
        "OIDC Core §5.5",
        changed(claims='{"userinfo": {"phone_number": null}}'),
    ),
    Case(
        "another address of the same client",
        "an answer goes where the page said",
        "RFC 9700 §4.1",
        changed(redirect_uri=SECOND),
    ),
    Case(
        "another PKCE challenge",
        "the code belongs to the challenge that was shown",
        "RFC 9700 §4.8 (PKCE downgrade)",
        changed(code_challenge="A" * 43),
    ),
    Case(
        "another state",
        "an answer answers the request it was given to",
        "RFC 9700 §4.7",
        changed(state="x"),
    ),
    Case(
        "another nonce",
        "an answer answers the request it was given to",
        "RFC 9700 §4.5.3.2",
        changed(nonce="x"),
    ),
    Case("prompt=consent added", _SHOWN, "CWE-367", changed(prompt="consent")),
    Case(
        "another answer mode",
        "an answer goes the way that was shown",
        "RFC 9700 §4.1.2",
        changed(response_mode="fragment"),
    ),
    Case("no proof", _SHOWN, "CWE-345", lambda s: s.send(proof="")),
    Case(
        "a bent proof",
        "a proof carries our MAC",
        "CWE-347",
        lambda s: s.send(proof=bent(s.form["proof"])),
    ),
    Case(
        "half a proof",
        "a proof carries our MAC",
        "CWE-345",
        lambda s: s.send(proof=s.form["proof"][:-8]),
    ),
    Case(
        "the form token as a proof",
        "a MAC is good for one purpose",
        "RFC 8725 §3.12",
        lambda s: s.send(proof=s.form["csrf_token"]),
    ),
    Case("the proof of another session", _HERS, "CWE-384, CWE-294", in_another_session),
    Case("the proof of a session before", _HERS, "CWE-294", of_an_older_session),
    Case("the proof of another client's page", _SHOWN, "CWE-294", with_the_proof_of_another_client),
    Case(
        "a page left open for long",
        "a question is answered within a quarter of an hour",
        "CWE-613",
        left_open,
    ),
    Case(
        "consent in the authorization request itself",
        "no parameter of a client's says yes",
        "RFC 9700 §4.16, CWE-352",
        in_the_authorization_request,
    ),
    Case("the page in a frame", "our pages stand in no frame", "RFC 6749 §10.13, CWE-1021", framed),
]
REFUSED = [
    Case("no form token", _FORM, "CWE-352, RFC 6749 §10.12", lambda s: s.send(csrf_token=""), 400),
    Case(
        "another browser's form token",
        _FORM,
        "CWE-352",
        lambda s: s.send(browser=s.browser.application.test_client()),
        400,
    ),
    Case("by a link", _FORM, "RFC 9110 §9.2.1", fetched, 405),
    Case(
        "an address that is not registered",
        "an address is registered",
        "RFC 9700 §4.1.3",
        changed(redirect_uri="https://evil.example/"),
        400,
    ),
    Case(
        "another client",
        "an address is the client's own",
        "RFC 9700 §4.4 (mix-up)",
        changed(client_id="dinhdanh-probe"),
        400,
    ),
    Case("two states", "no parameter may be repeated", "RFC 6749 §3.1", repeated("state"), 400),
    Case(
        "two addresses",
        "no parameter may be repeated",
        "RFC 6749 §3.1",
        repeated("redirect_uri"),
        400,
    ),
    Case(
        "of a client disabled since",
        "a disabled client is as good as unknown",
        "CWE-613",
        meanwhile(Client, lambda s: s.flow.party.id, enabled=False),
        400,
    ),
]
ELSEWHERE = [
    Case(
        "signed out meanwhile",
        "a yes needs the session it was asked in",
        "CWE-613",
        signed_out_meanwhile,
        303,
    ),
    Case(
        "suspended meanwhile",
        "a yes needs a person who may act",
        "CWE-613",
        suspended_meanwhile,
        303,
    ),
    Case(
        "her access cut meanwhile",
        "a yes needs a session that is still good",
        "CWE-613",
        meanwhile(User, lambda s: s.world.user_id, access_epoch=User.access_epoch + 1),
        303,
    ),
    Case(
        "prompt=none added",
        "where no page may be shown nobody can say yes",
        "OIDC Core §3.1.2.1",
        changed(prompt="none"),
        303,
    ),
    Case("prompt=login added", _SHOWN, "OIDC Core §3.1.2.1", changed(prompt="login"), 303),
    Case(
        "PKCE taken away",
        "PKCE is not negotiable",
        "RFC 9700 §4.8.2",
        changed(code_challenge=None, code_challenge_method=None),
        303,
    ),
    Case(
        "neither yes nor no", "what is not yes is no", "CWE-636", lambda s: s.send(decision=""), 303
    ),
    Case(
        "a yes of another spelling",
        "what is not yes is no",
        "CWE-636",
        lambda s: s.send(decision="Allow"),
        303,
    ),
]


@pytest.mark.parametrize("case", TAMPERED + REFUSED + ELSEWHERE, ids=lambda case: case.id)
def test_nothing_is_shared(scene: Scene, case: Case) -> None:
    answer = case.act(scene)
    assert answer.status_code == case.status, answer.text
    location = answer.headers.get("Location", "")
    assert "code=" not in location
    assert "evil.example" not in location
    assert scene.left() == (0, 0)
    if case in TAMPERED:
        assert 'value="allow"' in answer.text


def test_what_is_asked_again_can_be_allowed_as_it_is_shown_now(scene: Scene) -> None:
    page = scene.send(request=scene.asking(scope="openid email phone"))
    assert "Số điện thoại" in page.text
    answer = scene.browser.post(ENDPOINT, data=hidden_fields(page.text) | {"decision": "allow"})
    assert "code" in scene.flow.told(answer)


@dataclass(frozen=True)
class Named:
    """A name that is more than a name."""

    id: str
    rule: str
    source: str
    name: str


NAMES = [
    Named("markup", "what a client calls itself is text", "CWE-79", '<script>alert(1)</script>"'),
    Named("a template", "what a client calls itself is text", "CWE-1336", "{{ 7*7 }}{% raw %}"),
    Named("a format", "what a client calls itself is text", "CWE-134", "{name}{0}{host.__class__}"),
]


@pytest.mark.parametrize("case", NAMES, ids=lambda case: case.id)
def test_a_name_is_only_a_name(scene: Scene, case: Named) -> None:
    party = scene.world.register(case.name, first_party=False)
    page = Flow(scene.browser, party, scope="openid").ask()
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "49" not in page.text.split("<h1>")[1].split("</h1>")[0]


CASES = [*TAMPERED, *REFUSED, *ELSEWHERE, *NAMES]
