"""Where devices begin (RFC 8628 §3.1)."""

from idp.oidc.clients import AuthMethod, GrantType
from tests.recorded.calls import BEGIN, NOBODYS, REFRESH, not_their_fault, refusals
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import Party


def scene(at: Recorder) -> None:
    tablet = at.party("tablet", grant_types=(GrantType.DEVICE, REFRESH), redirect_uris=())
    page = at.party(
        "page", auth_method=AuthMethod.NONE, grant_types=(GrantType.DEVICE,), redirect_uris=()
    )
    portal = at.party("portal")

    def ask(title: str, party: Party = tablet, **form: str) -> Answer:
        return at.post(title, BEGIN, form, party)

    at.part("device authorization")
    ask("with a scope", scope="openid profile")
    ask("without", scope="")
    at.post("with nothing", BEGIN, {}, tablet)
    ask("by a client without a secret", page, scope="openid")
    ask("for a resource", scope="openid", resource="http://localhost:8000/oauth2/userinfo")
    ask("a client that has no devices", portal, scope="openid")
    ask("a scope nobody knows", scope="nonsense")
    ask("a resource nobody knows", scope="openid", resource=NOBODYS)
    with at.crowded():
        ask("too often, without a secret", page, scope="openid")
    refusals(at, BEGIN, {"scope": "openid"}, tablet)
    not_their_fault(at, ask)
