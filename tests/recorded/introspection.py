"""Introspection (RFC 7662, RFC 9701)."""

from idp.oidc.clients import AuthMethod, Options, TokenFormat
from tests.proving import Holding
from tests.recorded.calls import EVERY_GRANT, INTROSPECT, not_their_fault, refusals
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import Party
from tests.signed_requests import sign

SIGNED = "application/token-introspection+jwt"


def scene(at: Recorder) -> None:
    portal = at.party("portal", grant_types=EVERY_GRANT)
    at.sign_in()
    flow = at.flow(portal, "openid profile email offline_access")
    tokens = flow.tokens()
    text = tokens["access_token"]
    _good(at, portal, text, tokens["refresh_token"])
    _bad(at, portal, text, {"a code": flow.code(), "an ID token": tokens["id_token"]})
    refusals(at, INTROSPECT, {"token": text}, portal)
    not_their_fault(at, lambda title: _ask(at, title, text, portal))


def _ask(
    at: Recorder, title: str, text: str, party: Party, accept: str = "", **form: str
) -> Answer:
    headers = {"accept": accept} if accept else {}
    return at.post(title, INTROSPECT, {"token": text} | form, party, headers=headers)


def _good(at: Recorder, portal: Party, text: str, kept: str) -> None:
    def ask(title: str, text: str, party: Party = portal, **more: str) -> None:
        _ask(at, title, text, party, **more)

    at.part("what is good")
    ask("an access token", text)
    ask("a refresh token", kept)
    ask("with a hint", text, token_type_hint="access_token")
    ask("with a wrong hint", text, token_type_hint="refresh_token")
    ask("with a hint nobody knows", text, token_type_hint="nonsense")
    ask("as a JWT", text, accept=SIGNED)
    ask("rather as a JWT", text, accept=f"application/json;q=0.5, {SIGNED}")
    ask("rather as JSON", text, accept=f"application/json, {SIGNED};q=0.5")
    ask("as anything", text, accept="*/*")
    ask("as something else", text, accept="text/html")
    nameless = at.flow(portal, "openid").tokens()["access_token"]
    ask("a token that may not be told her name", nameless)
    jwt = at.party(
        "jwt",
        access_token_format=TokenFormat.JWT,
        options=Options(introspection_signed_response_alg="ES256"),
    )
    ask("an access token that is a JWT", at.flow(jwt).tokens()["access_token"], jwt)
    ask("as a JWT by its own algorithm", at.flow(jwt).tokens()["access_token"], jwt, accept=SIGNED)
    machine = at.know(at.world.machine(), "machine")
    own = at.flow(machine).token(grant_type="client_credentials").get_json()["access_token"]
    ask("a client's own token", own, machine)
    holder = Holding(at.browser, at.party("holder"), clock=at.world.clock, nonce=None)
    holder.scope = "openid"
    ask("a token that belongs to a key", holder.tokens()["access_token"], holder.party)


def _bad(at: Recorder, portal: Party, text: str, others: dict[str, str]) -> None:
    def ask(title: str, text: str, party: Party = portal, **more: str) -> None:
        _ask(at, title, text, party, **more)

    at.part("what is not, or not for whoever asks")
    other = at.party("other")
    ask("another client's", text, other)
    ask("another client's, as a JWT", text, other, accept=SIGNED)
    ask("one that is none", "dda_nothing")
    ask("one that is no token at all", "a b")
    for title, value in others.items():
        ask(title, value)
    ask("a JWT of nobody", sign({"iss": "x"}, typ="at+jwt"))
    at.post("none", INTROSPECT, {}, portal)
    at.post("none, as a JWT", INTROSPECT, {}, portal, headers={"accept": SIGNED})
    nothing = at.party("page", auth_method=AuthMethod.NONE)
    ask("a client without a secret", text, nothing)
    at.world.clock.advance(minutes=6)
    ask("one that has expired", text)
