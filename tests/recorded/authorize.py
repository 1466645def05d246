"""What is asked of the authorization endpoint for the record."""

from typing import Any

from directory.people import User
from idp import sessions
from idp.oidc.clients import Client, GrantType, Options, ResponseType
from tests.recorded.calls import (
    AUTHORIZE,
    ELSEWHERE,
    ENGLISH,
    MTLS,
    NOBODYS,
    TOO_MUCH,
    not_their_fault,
)
from tests.recorded.par import unwanted
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import OPERATOR, REDIRECT, Flow
from tests.signed_requests import SECURE, key_for, public, sign


def scene(at: Recorder) -> None:
    at.sign_in()
    portal = at.party("portal", redirect_uris=(REDIRECT, REDIRECT + "?a=b&c=%C3%A9"))
    flow = at.flow(portal)
    _codes(at, flow)
    _carriers(at)
    _pushed_and_signed(at, flow)
    _told_to_the_client(at, flow)
    _told_to_her(at, flow)
    _ways(at, flow)
    _pages(at, flow)
    _sessions(at, flow)
    at.sign_in()
    not_their_fault(at, lambda title: at.authorize(title, flow.query))


def _codes(at: Recorder, flow: Flow) -> None:
    def ask(title: str, **changes: Any) -> Answer:
        return at.authorize(title, _with(flow, changes))

    at.part("a code")
    ask("as usual")
    ask("without a state", state=None)
    ask("a state that needs escapes", state="a b&c=d#é\"'<>")
    ask("without a nonce", nonce=None)
    ask("silently", prompt="none")
    ask("with an age", max_age="600")
    ask("with a hint of whom", login_hint="x")
    ask("with claims", claims='{"id_token": {"email": null}}')
    ask("with a class of sign-in that does not matter", acr_values="x")
    ask("with a scope too many", scope="openid nonsense")
    ask("with a blank parameter", login_hint="")
    ask("with a parameter nobody knows", nonsense="x")
    ask("to an address with a query", redirect_uri=REDIRECT + "?a=b&c=%C3%A9")
    ask(
        "for two resources",
        resource=["http://localhost:8000", "http://localhost:8000/oauth2/userinfo"],
    )
    ask("in another language", ui_locales="en")


def _carriers(at: Recorder) -> None:
    at.part("other ways for the answer")
    front = at.party(
        "front",
        redirect_uris=(SECURE,),
        grant_types=(GrantType.CODE, GrantType.IMPLICIT),
        response_types=tuple(ResponseType),
    )
    flow = at.flow(front, redirect_uri=SECURE)
    for mode in (
        "query",
        "fragment",
        "form_post",
        "jwt",
        "query.jwt",
        "fragment.jwt",
        "form_post.jwt",
    ):
        at.authorize(mode, flow.query | {"response_mode": mode})
        refused = flow.query | {"response_mode": mode, "prompt": "none", "max_age": "0"}
        at.authorize(f"{mode}, refused", refused)
    for kind in ResponseType:
        at.authorize(kind.value, flow.query | {"response_type": kind.value})
    at.authorize(
        "tokens in a query", flow.query | {"response_type": "id_token", "response_mode": "query"}
    )
    at.authorize(
        "tokens without a nonce", _with(flow, {"response_type": "id_token", "nonce": None})
    )
    at.authorize("the words in another order", flow.query | {"response_type": "id_token code"})
    own = at.party("own algorithm", options=Options(authorization_signed_response_alg="ES256"))
    at.authorize("signed by its own algorithm", at.flow(own).query | {"response_mode": "jwt"})


def _pushed_and_signed(at: Recorder, flow: Flow) -> None:
    at.part("pushed and signed requests")

    def push() -> str:
        return str(flow.post("/oauth2/par", flow.query).get_json()["request_uri"])

    client = {"client_id": flow.party.client_id}
    once = push()
    at.authorize("pushed", client | {"request_uri": once})
    at.authorize("the same again", client | {"request_uri": once})
    at.authorize(
        "by another client", {"client_id": at.party("other").client_id, "request_uri": push()}
    )
    at.authorize("with more beside it", flow.query | {"request_uri": push(), "scope": "nonsense"})
    at.authorize(
        "one that is none", client | {"request_uri": "urn:ietf:params:oauth:request_uri:x"}
    )
    at.authorize("by POST", client | {"request_uri": push()}, posted=True)
    late = push()
    at.world.clock.advance(seconds=61)
    at.authorize("too late", client | {"request_uri": late})
    options = Options(jwks=public(key_for("ES256"), key_for("RS256")))
    signing = at.party("signing", options=options)
    now = int(at.world.clock().timestamp())
    claims = at.flow(signing).query | {
        "iss": signing.client_id,
        "aud": "http://localhost:8000",
        "nbf": now,
        "exp": now + 300,
    }
    client = {"client_id": signing.client_id}
    at.authorize("signed", client | {"request": sign(claims)})
    at.authorize(
        "signed, and a state outside", client | {"request": sign(claims), "state": "outside"}
    )
    another = sign(claims, by=key_for("ES256", "another"))
    at.authorize("signed by somebody else", client | {"request": another})
    at.authorize(
        "signed by somebody else, told where to", at.flow(signing).query | {"request": another}
    )
    at.authorize("both", client | {"request": sign(claims), "request_uri": "https://x.example/r"})
    must = at.party("must push", options=Options(require_pushed_authorization_requests=True))
    at.authorize("not pushed, of a client that must", at.flow(must).query)
    must = at.party(
        "must sign", options=Options(require_signed_request_object=True, **options.stored)
    )
    at.authorize("not signed, of a client that must", at.flow(must).query)


def _told_to_the_client(at: Recorder, flow: Flow) -> None:
    at.part("what the client is told")
    for title, changes in unwanted().items():
        at.authorize(title, _with(flow, changes))
    at.authorize("a refusal without a state", _with(flow, {"scope": "nonsense", "state": None}))
    at.authorize("silently, and nobody is signed in", flow.query | {"prompt": "none"}, nobody=True)
    at.authorize("silently, and she is too long", flow.query | {"prompt": "none", "max_age": "0"})
    strict = at.party("strict", options=Options(minimum_acr="urn:vn:aal:3"))
    at.authorize("silently, and she is too weak", at.flow(strict).query | {"prompt": "none"})
    outside = at.party("outside", first_party=False)
    at.authorize("silently, and not agreed", at.flow(outside).query | {"prompt": "none"})
    linked = at.party("linked", options=Options(minimum_eid_level=2))
    at.world.change(User, at.world.user_id, eid_level=None)
    at.authorize("silently, and not entitled", at.flow(linked).query | {"prompt": "none"})
    at.authorize("not entitled", at.flow(linked).query)
    at.authorize("not entitled, in English", at.flow(linked).query | {"ui_locales": "en"})
    at.world.change(User, at.world.user_id, eid_level=2)
    at.authorize("from a page of another origin", flow.query, headers=ELSEWHERE)


def _told_to_her(at: Recorder, flow: Flow) -> None:
    at.part("what only she is told")

    def ask(title: str, **changes: Any) -> Answer:
        return at.authorize(title, _with(flow, changes))

    ask("no client", client_id=None)
    ask("a client nobody knows", client_id="nobody")
    ask("a client nobody knows, in English", client_id="nobody", ui_locales="en")
    at.authorize(
        "a client nobody knows, to an English browser", {"client_id": "x"}, headers=ENGLISH
    )
    ask("no redirect_uri", redirect_uri=None)
    ask("another redirect_uri", redirect_uri=NOBODYS)
    ask("a redirect_uri with more behind", redirect_uri=REDIRECT + "/x")
    ask("a redirect_uri with a fragment", redirect_uri=REDIRECT + "#x")
    ask("a redirect_uri that is none", redirect_uri="javascript:x")
    ask("a parameter twice", state=["a", "b"])
    ask("a client twice", client_id=[flow.party.client_id, "x"])
    ask("a parameter nobody knows twice", nonsense=["a", "b"])
    ask("a value that is too long", state="x" * 20_000)
    ask("a value with a NUL", state="a\0b")
    ask("a name with a NUL", **{"a\0b": "x"})
    at.authorize("nothing", {})
    headers = {"cookie": at.cookie}
    raw = f"{AUTHORIZE}?client_id={flow.party.client_id}&state="
    at.ask("a value that is no text", "GET", raw + "%FF%FE", headers=headers)
    at.ask("a name that is no text", "GET", f"{AUTHORIZE}?%FF=x", headers=headers)
    at.ask("a broken escape", "GET", raw + "%zz", headers=headers)
    disabled = at.party("disabled")
    at.world.change(Client, disabled.id, enabled=False)
    ask("a client that is disabled", client_id=disabled.client_id)


def _ways(at: Recorder, flow: Flow) -> None:
    at.part("how it is sent")

    def ask(title: str, method: str = "GET", path: str = AUTHORIZE, **headers: str) -> None:
        sent = {"cookie": at.cookie} | headers
        at.ask(title, method, path, query=flow.query, headers=sent)

    for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "NONSENSE"):
        ask(f"by {method}", method)
    ask("by PUT, in English", "PUT", **ENGLISH)
    ask("what a browser asks first", "OPTIONS", **ELSEWHERE)
    ask("to another host", host="elsewhere.example")
    ask("to the host where certificates are asked for", host=MTLS)
    ask("with a slash behind", path=AUTHORIZE + "/")
    ask("below it", path=AUTHORIZE + "/x")
    ask("with a proof that is none", dpop="x")
    at.authorize("by POST", flow.query, posted=True)
    at.authorize("by POST, and nobody is signed in", flow.query, posted=True, nobody=True)
    at.authorize("by POST, from another origin", flow.query, posted=True, headers=ELSEWHERE)
    at.authorize("by POST, letters that need escapes", flow.query | {"state": "é &"}, posted=True)
    at.authorize("by POST, a parameter twice", flow.query | {"state": ["a", "b"]}, posted=True)
    at.authorize("by POST, two resources", flow.query | {"resource": ["a:b", "c:d"]}, posted=True)
    at.authorize("by POST, nothing", {}, posted=True)
    at.authorize("by POST, a NUL", flow.query | {"state": "\0"}, posted=True)
    at.authorize("by POST, the name of a sign-in", flow.query | {"flow": "x"}, posted=True)
    headers = {"cookie": at.cookie}
    for title, body, kind in (
        ("by POST, JSON", b"{}", "application/json"),
        ("by POST, no type", b"state=x", None),
        ("by POST, no text", b"state=%FF", "application/x-www-form-urlencoded"),
        ("by POST, above the limit", b"x" * TOO_MUCH, "application/x-www-form-urlencoded"),
    ):
        at.ask(title, "POST", AUTHORIZE, body=body, kind=kind, headers=headers)
    at.ask(
        "by POST, all in the query", "POST", AUTHORIZE, query=flow.query, form={}, headers=headers
    )


def _pages(at: Recorder, flow: Flow) -> None:
    at.part("pages")
    at.authorize("nobody is signed in", flow.query, nobody=True)
    at.authorize("nobody is signed in, in English", flow.query | {"ui_locales": "en"}, nobody=True)
    at.authorize("to sign in anew", flow.query | {"prompt": "login"})
    at.authorize("to choose who", flow.query | {"prompt": "select_account"})
    at.world.clock.advance(seconds=30)
    at.authorize("she is too long", flow.query | {"max_age": "10"})
    strict = at.party("strict", options=Options(minimum_acr="urn:vn:aal:3"))
    at.authorize("she is too weak", at.flow(strict).query)
    outside = at.party("outside", first_party=False)
    page = at.flow(outside, "openid profile email org")
    at.authorize("whether she agrees", page.query)
    at.authorize("whether she agrees, in English", page.query | {"ui_locales": "en"})
    at.authorize("whether she agrees once more", flow.query | {"prompt": "consent"})


def _sessions(at: Recorder, flow: Flow) -> None:
    at.part("cookies and sessions")
    held = at.cookie

    def ask(title: str, cookie: str) -> None:
        at.authorize(title, flow.query | {"prompt": "none"}, headers={"cookie": cookie})

    ask("a session that is none", "dinhdanh=nonsense")
    ask("an empty one", "dinhdanh=")
    ask("one with a letter more", held + "x")
    ask("the session beside other cookies", f"a=b; {held}; c=d")
    ask("the session twice", f"{held}; dinhdanh=nonsense")
    ask("the session second", f"dinhdanh=nonsense; {held}")
    ask("cookies that are no text", f"x=\xff; {held}")
    at.world.clock.advance(minutes=20)
    ask("a session that was idle too long", held)
    ended = at.sign_in()
    with at.world.services.db.write() as session:
        now = at.world.clock()
        sessions.end(session, ended.id, now=now, reason="logout", actor=OPERATOR)
    ask("a session that was ended", at.cookie)


def _with(flow: Flow, changes: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (flow.query | changes).items() if v is not None}
