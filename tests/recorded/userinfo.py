"""Userinfo (OIDC Core §5.3)."""

from idp.oidc.clients import Options, TokenFormat
from tests.proving import Holding
from tests.recorded.calls import (
    ACCESS,
    ELSEWHERE,
    ENGLISH,
    EVERY_GRANT,
    EXCHANGE,
    MTLS,
    REVOKE,
    TOKEN,
    TOO_MUCH,
    USERINFO,
    bearer,
    not_their_fault,
)
from tests.recorded.recorder import FORM, Answer, Recorder
from tests.relying_party import Flow
from tests.signed_requests import key_for


def scene(at: Recorder) -> None:
    portal = at.party("portal", grant_types=EVERY_GRANT)
    at.sign_in()
    flow = at.flow(portal, "openid profile email phone org")
    text = flow.tokens()["access_token"]
    _told(at, flow, text)
    _with_keys(at, text)
    _badly_brought(at, text)
    _other_tokens(at, flow)
    _sent(at, text)
    not_their_fault(at, lambda title: _ask(at, title, text))
    at.part("afterwards")
    at.world.clock.advance(minutes=6)
    _ask(at, "one that has expired", text)
    last = flow.tokens()
    flow.post(REVOKE, {"token": last["access_token"]})
    _ask(at, "one that was given back", last["access_token"])


def _ask(at: Recorder, title: str, text: str, method: str = "GET", **headers: str) -> Answer:
    return at.ask(title, method, USERINFO, headers=bearer(text) | headers)


def _told(at: Recorder, flow: Flow, text: str) -> None:
    portal = flow.party

    def ask(title: str, text: str, method: str = "GET", **headers: str) -> None:
        _ask(at, title, text, method, **headers)

    at.part("what is told")
    ask("all scopes", text)
    ask("from a page of another origin", text, **ELSEWHERE)
    for scope in ("openid", "openid profile", "openid email", "openid phone", "openid org"):
        ask(scope, at.flow(portal, scope).tokens()["access_token"])
    claims = '{"userinfo": {"phone_number": {"essential": true}, "nonsense": null}}'
    by_name = at.flow(portal, "openid").tokens(claims=claims)["access_token"]
    ask("a claim asked for by name", by_name)
    ask("by POST", text, "POST")
    at.ask("by POST, with an empty form", "POST", USERINFO, form={}, headers=bearer(text))
    at.ask("by POST, in the body", "POST", USERINFO, form={"access_token": text})
    ask("the scheme in small letters", text, authorization=f"bearer {text}")
    ask("spaces around it", text, authorization=f"Bearer   {text} ")
    ask("by HEAD", text, "HEAD")
    signing = at.party("signing", options=Options(userinfo_signed_response_alg="ES256"))
    ask("as a JWT", at.flow(signing).tokens()["access_token"])
    jwt = at.party("jwt", access_token_format=TokenFormat.JWT)
    ask("by a token that is a JWT", at.flow(jwt).tokens()["access_token"])
    pairwise = at.party("pairwise", subject_type="pairwise")
    ask("by a name of the client's own", at.flow(pairwise, "openid").tokens()["access_token"])
    small = flow.post(
        TOKEN, {"grant_type": EXCHANGE, "subject_token": text, "subject_token_type": ACCESS}
    ).get_json()["access_token"]
    ask("by a token made of another", small)
    there = flow.tokens(resource="http://localhost:8000/oauth2/userinfo")["access_token"]
    ask("by a token for nothing else", there)


def _with_keys(at: Recorder, text: str) -> None:
    def ask(title: str, text: str, method: str = "GET", **headers: str) -> None:
        _ask(at, title, text, method, **headers)

    at.part("tokens that belong to a key")
    holder = Holding(at.browser, at.party("holder"), clock=at.world.clock, nonce=None)
    holder.scope = "openid"
    bound = holder.tokens()["access_token"]
    proof = holder.proof("GET", USERINFO, token=bound)
    by_key = {"authorization": f"DPoP {bound}"}
    at.ask("with a proof", "GET", USERINFO, headers=by_key | {"dpop": proof})
    at.ask("the same proof again", "GET", USERINFO, headers=by_key | {"dpop": proof})
    at.ask("without a proof", "GET", USERINFO, headers=by_key)
    for title, wrong in {
        "a proof for another token": holder.proof("GET", USERINFO, token=text),
        "a proof for no token": holder.proof("GET", USERINFO),
        "a proof of another method": holder.proof("POST", USERINFO, token=bound),
        "a proof for another place": holder.proof("GET", TOKEN, token=bound),
        "a proof by another key": holder.proof(
            "GET", USERINFO, token=bound, by=key_for("ES256", "another")
        ),
        "a proof that is none": "x",
    }.items():
        at.ask(title, "GET", USERINFO, headers=by_key | {"dpop": wrong})
    ask("as if it belonged to nobody", bound)
    ask(
        "as if it belonged to nobody, with a proof",
        bound,
        dpop=holder.proof("GET", USERINFO, token=bound),
    )
    at.ask(
        "as if it belonged to a key",
        "GET",
        USERINFO,
        headers={
            "authorization": f"DPoP {text}",
            "dpop": holder.proof("GET", USERINFO, token=text),
        },
    )
    at.ask("by POST, in the body", "POST", USERINFO, form={"access_token": bound})


def _badly_brought(at: Recorder, text: str) -> None:
    def ask(title: str, text: str, method: str = "GET", **headers: str) -> None:
        _ask(at, title, text, method, **headers)

    at.part("who is refused")
    at.ask("no token", "GET", USERINFO)
    at.ask("no token, by POST", "POST", USERINFO)
    ask("one that is none", "nonsense")
    ask("an empty one", "")
    ask("another scheme", text, authorization=f"Basic {text}")
    ask("no scheme", text, authorization=text)
    ask("an empty header", text, authorization="")
    at.ask("in the query", "GET", USERINFO + f"?access_token={text}")
    at.ask("in the query and the header", "GET", USERINFO + "?access_token=x", headers=bearer(text))
    at.ask("in the query of a POST", "POST", USERINFO + f"?access_token={text}", form={})
    at.ask(
        "in header and body", "POST", USERINFO, form={"access_token": text}, headers=bearer(text)
    )
    at.ask("twice in the body", "POST", USERINFO, form={"access_token": [text, text]})
    at.ask("an empty one in the body", "POST", USERINFO, form={"access_token": ""})
    at.ask("with a NUL in the body", "POST", USERINFO, form={"access_token": "a\0b"})
    at.ask(
        "no text in the body",
        "POST",
        USERINFO,
        body=b"access_token=%FF",
        kind=FORM,
    )
    at.ask(
        "in a body of JSON",
        "POST",
        USERINFO,
        body=b'{"access_token": "x"}',
        kind="application/json",
    )
    parts = b'--x\r\nContent-Disposition: form-data; name="access_token"\r\n\r\nx\r\n--x--\r\n'
    at.ask(
        "in a body of parts", "POST", USERINFO, body=parts, kind="multipart/form-data; boundary=x"
    )
    at.ask(
        "in a body above the limit",
        "POST",
        USERINFO,
        body=b"x=" + b"x" * TOO_MUCH,
        kind=FORM,
    )
    at.ask(
        "a large body that is not asked for",
        "GET",
        USERINFO,
        body=b"x" * TOO_MUCH,
        kind="application/json",
        headers=bearer(text),
    )


def _other_tokens(at: Recorder, flow: Flow) -> None:
    portal = flow.party

    def ask(title: str, text: str, method: str = "GET", **headers: str) -> None:
        _ask(at, title, text, method, **headers)

    at.part("other tokens")
    ask("a refresh token", at.flow(portal, "openid offline_access").tokens()["refresh_token"])
    ask("an ID token", flow.tokens()["id_token"])
    ask("a token without openid", at.flow(portal, "profile").tokens()["access_token"])
    machine = at.know(at.world.machine(), "machine")
    ask(
        "a client's own token",
        at.flow(machine).token(grant_type="client_credentials").get_json()["access_token"],
    )
    there = at.party("for the API", scopes=("openid", "changes:read"))
    elsewhere = at.flow(there, "openid changes:read").tokens(
        resource="http://localhost:8000/api/v1"
    )
    ask("a token for somewhere else", elsewhere["access_token"])


def _sent(at: Recorder, text: str) -> None:
    def ask(title: str, text: str, method: str = "GET", **headers: str) -> None:
        _ask(at, title, text, method, **headers)

    at.part("how it is sent")
    for method in ("PUT", "PATCH", "DELETE", "NONSENSE"):
        ask(f"by {method}", text, method)
    ask("by PUT, in English", text, "PUT", **ENGLISH)
    ask("by OPTIONS", text, "OPTIONS")
    ask("what a browser asks first", text, "OPTIONS", **ELSEWHERE)
    ask("to another host", text, host="elsewhere.example")
    ask("to the host where certificates are asked for", text, host=MTLS)
    at.ask("with a slash behind", "GET", USERINFO + "/", headers=bearer(text))
    at.ask("below it", "GET", USERINFO + "/x", headers=bearer(text))
    ask("with a proof that is none", text, dpop="x")
