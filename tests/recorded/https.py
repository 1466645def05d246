"""What is added where the issuer is https. Little is asked: the most is as without."""

from tests.recorded.calls import ELSEWHERE, TOKEN, USERINFO
from tests.recorded.recorder import Recorder
from tests.signed_requests import SECURE


def scene(at: Recorder) -> None:
    there = {"host": "dangnhap.example.gov.vn"}
    machine = at.know(at.world.machine(), "machine")
    portal = at.party("portal", redirect_uris=(SECURE,))
    form = {"grant_type": "client_credentials"}
    at.part("https")
    at.post("a token", TOKEN, form, machine, headers=there)
    at.post("refused", TOKEN, {}, machine, headers=there)
    at.ask("by GET", "GET", TOKEN, headers=there)
    at.ask("what a browser asks first", "OPTIONS", TOKEN, headers=there | ELSEWHERE)
    at.post("to another host", TOKEN, form, machine)
    at.ask("userinfo", "GET", USERINFO, headers=there)
    at.ask("keys", "GET", "/oauth2/jwks", headers=there)
    flow = at.flow(portal, redirect_uri=SECURE)
    at.authorize("nobody is signed in", flow.query, nobody=True, headers=there)
    at.authorize("nobody is, nor may", flow.query | {"prompt": "none"}, nobody=True, headers=there)
    at.authorize("a client nobody knows", {"client_id": "x"}, nobody=True, headers=there)
