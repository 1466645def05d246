"""Where authorization requests are pushed (RFC 9126)."""

from typing import Any

from idp.oidc.clients import AuthMethod, Options
from tests.recorded.calls import NOBODYS, PAR, not_their_fault, refusals
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import Party
from tests.signed_requests import dpop, key_for, public, sign


def scene(at: Recorder) -> None:
    portal = at.party("portal")
    flow = at.flow(portal)
    at.part("what is pushed")

    def push(title: str, party: Party = portal, headers: Any = None, **changes: Any) -> Answer:
        asked = flow.query | {"client_id": party.client_id} | changes
        form = {k: v for k, v in asked.items() if v is not None}
        return at.post(title, PAR, form, party, headers=headers or {})

    push("a request")
    page = at.party("page", auth_method=AuthMethod.NONE)
    push("by a client without a secret", page)
    clock = at.world.clock
    now = int(clock().timestamp())
    thumbprint = at.name(key_for("ES256").thumbprint(), "thumbprint")
    push("with a key's thumbprint", dpop_jkt=thumbprint)
    push("with a proof", headers={"dpop": dpop("POST", PAR, now=now)})
    push(
        "with a proof of another key than it names",
        dpop_jkt="x" * 43,
        headers={"dpop": dpop("POST", PAR, now=now)},
    )
    signing = at.party("signing", options=Options(jwks=public(key_for("ES256"), key_for("RS256"))))
    claims = flow.query | {
        "client_id": signing.client_id,
        "iss": signing.client_id,
        "aud": "http://localhost:8000",
        "nbf": now,
        "exp": now + 300,
    }
    at.post("signed", PAR, {"request": sign(claims)}, signing)
    at.post(
        "signed by somebody else",
        PAR,
        {"request": sign(claims, by=key_for("ES256", "another"))},
        signing,
    )
    at.post("signed too long ago", PAR, {"request": sign(claims | {"exp": now - 300})}, signing)
    at.part("what is refused")
    push("a request_uri", request_uri="urn:ietf:params:oauth:request_uri:x")
    push("a request that is none", request="x")
    push("no redirect_uri", redirect_uri=None)
    for title, changes in unwanted().items():
        push(title, **changes)
    must = at.party(
        "must sign",
        options=Options(require_signed_request_object=True, jwks=public(key_for("ES256"))),
    )
    push("unsigned, of a client that must sign", must)
    with at.crowded():
        push("too often, without a secret", page)
    refusals(at, PAR, flow.query, portal)
    not_their_fault(at, push)


def unwanted() -> dict[str, dict[str, str | None]]:
    """What is wrong with an authorization request whose client is to be told, by title."""
    return {
        "a response_type nobody knows": {"response_type": "nonsense"},
        "no response_type": {"response_type": None},
        "a response_type that is not its own": {"response_type": "code id_token"},
        "a response_mode nobody knows": {"response_mode": "nonsense"},
        "a scope nobody knows": {"scope": "nonsense"},
        "no scope": {"scope": None},
        "no challenge": {"code_challenge": None, "code_challenge_method": None},
        "a plain challenge": {"code_challenge_method": "plain"},
        "a challenge that is none": {"code_challenge": "short"},
        "a prompt nobody knows": {"prompt": "nonsense"},
        "prompts that exclude each other": {"prompt": "none login"},
        "an age that is none": {"max_age": "-1"},
        "claims that are none": {"claims": "["},
        "a hint that is none": {"id_token_hint": "x"},
        "a key that is none": {"dpop_jkt": "short"},
        "a registration": {"registration": "{}"},
        "a resource nobody knows": {"resource": NOBODYS},
    }
