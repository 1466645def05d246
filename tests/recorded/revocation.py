"""Revocation (RFC 7009)."""

from idp.oidc.clients import AuthMethod, TokenFormat
from tests.recorded.calls import EVERY_GRANT, REVOKE, not_their_fault, refusals
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import Party


def scene(at: Recorder) -> None:
    portal = at.party("portal", grant_types=EVERY_GRANT)
    other = at.party("other")
    at.sign_in()

    def ask(title: str, text: str, party: Party = portal, **form: str) -> Answer:
        return at.post(title, REVOKE, {"token": text} | form, party)

    flow = at.flow(portal, "openid profile offline_access")
    at.part("what is given back")
    tokens = flow.tokens()
    ask("another client's", tokens["access_token"], other)
    ask("an access token", tokens["access_token"])
    ask("the same again", tokens["access_token"])
    ask("the refresh token beside it", tokens["refresh_token"])
    ask("a refresh token", flow.tokens()["refresh_token"])
    ask("with a wrong hint", flow.tokens()["refresh_token"], token_type_hint="access_token")
    ask("with a hint nobody knows", flow.tokens()["refresh_token"], token_type_hint="nonsense")
    ask("a code", flow.code())
    ask("one that is none", "dda_nothing")
    ask("no token at all", "a b")
    at.post("none", REVOKE, {}, portal)
    jwt = at.party("jwt", access_token_format=TokenFormat.JWT)
    ask("a JWT", at.flow(jwt).tokens()["access_token"], jwt)
    machine = at.know(at.world.machine(), "machine")
    own = at.flow(machine).token(grant_type="client_credentials").get_json()["access_token"]
    ask("a client's own token", own, machine)
    page = at.party("page", auth_method=AuthMethod.NONE)
    ask("a client without a secret", at.flow(page).tokens()["access_token"], page)
    refusals(at, REVOKE, {"token": "dda_nothing"}, portal)
    not_their_fault(at, lambda title: ask(title, flow.party.client_id))
