"""The token endpoint (RFC 6749 §3.2), by each grant type."""

from typing import Any

from directory.people import User
from idp.oidc.clients import AuthMethod, Client, Options, Profile, TokenFormat
from tests.device_flow import DEVICE, Device
from tests.proving import Holding, as_header
from tests.recorded.calls import (
    ACCESS,
    CODE,
    ELSEWHERE,
    EVERY_GRANT,
    EXCHANGE,
    MTLS,
    NOBODYS,
    PAR,
    REFRESH,
    REVOKE,
    TOKEN,
    basic,
    not_their_fault,
    refusals,
)
from tests.recorded.recorder import Answer, Recorder
from tests.relying_party import REDIRECT, Party
from tests.signed_requests import BY_ASSERTION, SECURE, dpop, key_for, public, sign


def scene(at: Recorder) -> None:
    portal = at.party("portal", grant_types=EVERY_GRANT)
    machine = at.know(at.world.machine("changes:read", "changes:write"), "machine")
    other = at.party("other", grant_types=EVERY_GRANT)
    at.sign_in()
    _client_credentials(at, machine)
    _codes(at, portal, other)
    _refreshes(at, portal, other)
    _device_codes(at, portal, other)
    _exchanges(at, portal, other)
    _with_keys(at)
    _by_assertion(at)
    _by_certificate(at)
    _less_usual_clients(at)
    form = {"grant_type": "client_credentials"}
    refusals(at, TOKEN, form, machine)
    not_their_fault(at, lambda title: at.post(title, TOKEN, form, machine))


def _client_credentials(at: Recorder, machine: Party) -> None:
    def ask(title: str, party: Party = machine, **form: Any) -> Answer:
        return at.post(title, TOKEN, {"grant_type": "client_credentials"} | form, party)

    at.part("client_credentials")
    ask("all its scopes")
    ask("one of them", scope="changes:read")
    ask("for a resource", resource="http://localhost:8000/api/v1")
    ask("a scope that is not its own", scope="changes:read openid")
    ask("a scope nobody knows", scope="nonsense")
    ask("a scope that cannot be spelt", scope='"')
    ask("a resource nobody knows", resource=NOBODYS)
    at.post("a grant type nobody knows", TOKEN, {"grant_type": "password"}, machine)
    at.post("a grant type that is not its own", TOKEN, {"grant_type": CODE.value}, machine)
    at.post("no grant type", TOKEN, {"scope": "changes:read"}, machine)
    jwt = at.know(at.world.machine(access_token_format=TokenFormat.JWT), "jwt machine")
    ask("as a JWT", jwt)


def _codes(at: Recorder, portal: Party, other: Party) -> None:
    flow = at.flow(portal, "openid profile email phone org offline_access")

    def redeem(title: str, given: str, party: Party = portal, **changes: str | None) -> Answer:
        usual: dict[str, str | None] = {
            "grant_type": CODE.value,
            "code": given,
            "redirect_uri": REDIRECT,
            "code_verifier": flow.verifier,
        }
        form = {k: v for k, v in (usual | changes).items() if v is not None}
        return at.post(title, TOKEN, form, party)

    at.part("authorization_code")
    spent = flow.code()
    redeem("a code for tokens", spent)
    redeem("the same code again", spent)
    code = flow.code()
    redeem("by another client", code, other)
    redeem("a wrong verifier", code, code_verifier="w" * 43)
    redeem("no verifier", code, code_verifier=None)
    redeem("a verifier that is too short", code, code_verifier="short")
    redeem("another redirect_uri", code, redirect_uri=NOBODYS)
    redeem("no redirect_uri", code, redirect_uri=None)
    redeem("a resource that was not granted", code, resource=NOBODYS)
    redeem("the scope again, which does not count", code, scope="nonsense")
    redeem("a code that is none", "ddc_nothing")
    redeem("a code of another kind", at.flow(portal).tokens()["access_token"])
    redeem("no code", "", code=None)
    late = flow.code()
    at.world.clock.advance(seconds=61)
    redeem("a code that is too old", late)
    only = flow.code(resource="http://localhost:8000/oauth2/userinfo")
    redeem("a code for a resource", only)
    unproven = at.party("without PKCE", options=Options(require_pkce=False))
    plain = at.flow(unproven).code(code_challenge=None, code_challenge_method=None)
    redeem("a verifier for a code without a challenge", plain, unproven)
    redeem("none for one without", plain, unproven, code_verifier=None)
    claims = '{"id_token": {"email": null}, "userinfo": {"phone_number": null}}'
    redeem("with claims asked for by name", flow.code(scope="openid", claims=claims))
    redeem("with an age asked for", flow.code(scope="openid", max_age="600"))


def _refreshes(at: Recorder, portal: Party, other: Party) -> None:
    flow = at.flow(portal, "openid profile email offline_access")

    def refresh(title: str, text: str, party: Party = portal, **form: str) -> Answer:
        asked = {"grant_type": REFRESH.value, "refresh_token": text} | form
        return at.post(title, TOKEN, asked, party)

    at.part("refresh_token")
    first = flow.tokens()["refresh_token"]
    second = refresh("a refresh token for tokens", first).said["refresh_token"]
    third = refresh("fewer scopes", second, scope="openid").said["refresh_token"]
    refresh("by another client", third, other)
    refresh("a scope that was not granted", third, scope="openid org")
    refresh("a resource that was not granted", third, resource=NOBODYS)
    fourth = refresh("what was refused is still good", third).said["refresh_token"]
    refresh("an older one", first)
    refresh("the newest after that", fourth)
    refresh("one that is none", "ddr_nothing")
    refresh("an access token", flow.tokens()["access_token"])
    at.post("none", TOKEN, {"grant_type": REFRESH.value}, portal)
    revoked = flow.tokens()
    flow.post(REVOKE, {"token": revoked["refresh_token"]})
    refresh("one that was given back", revoked["refresh_token"])


def _device_codes(at: Recorder, portal: Party, other: Party) -> None:
    def poll(title: str, code: str, party: Party = portal, **form: str) -> Answer:
        return at.post(title, TOKEN, {"grant_type": DEVICE, "device_code": code} | form, party)

    def begin() -> Device:
        return Device(at.browser, portal, "openid profile offline_access").begin()

    at.part("device_code")
    device = begin()
    code = device.answer["device_code"]
    poll("nobody has answered", code)
    poll("too soon again", code)
    poll("by another client", code, other)
    device.decide()
    at.world.clock.advance(seconds=20)
    poll("a resource that was not granted", code, resource=NOBODYS)
    at.world.clock.advance(seconds=20)
    poll("she has allowed it", code)
    poll("the same code again", code)
    refused = begin()
    refused.decide("refuse")
    poll("she has refused", refused.answer["device_code"])
    late = begin()
    at.world.clock.advance(minutes=20)
    poll("a code that is too old", late.answer["device_code"])
    poll("a code that is none", "ddd_nothing")
    at.post("none", TOKEN, {"grant_type": DEVICE}, portal)
    at.sign_in()


def _exchanges(at: Recorder, portal: Party, other: Party) -> None:
    subject = at.flow(portal, "openid profile email").tokens()["access_token"]

    def exchange(title: str, party: Party = portal, **changes: str | None) -> Answer:
        usual: dict[str, str | None] = {
            "grant_type": EXCHANGE,
            "subject_token": subject,
            "subject_token_type": ACCESS,
        }
        form = {k: v for k, v in (usual | changes).items() if v is not None}
        return at.post(title, TOKEN, form, party)

    at.part("token exchange")
    exchange("a token for a smaller one", scope="openid")
    exchange("for one as large")
    exchange("by another client", other)
    exchange("a scope that it lacks", scope="openid org")
    exchange("a resource that it lacks", resource=NOBODYS)
    exchange("for somebody else", audience=NOBODYS)
    exchange("on behalf of somebody", actor_token=subject, actor_token_type=ACCESS)
    exchange("for another type", requested_token_type="urn:ietf:params:oauth:token-type:jwt")
    exchange("of another type", subject_token_type="urn:ietf:params:oauth:token-type:saml2")
    exchange("no type", subject_token_type=None)
    exchange("a token that is none", subject_token="dda_nothing")
    exchange("no token", subject_token=None)
    open_ = at.party("public", auth_method=AuthMethod.NONE, grant_types=(CODE,))
    at.world.change(Client, open_.id, grant_types=[CODE.value, EXCHANGE])
    exchange("by a client without a secret", open_)


def _with_keys(at: Recorder) -> None:
    at.part("tokens that belong to a key")
    clock = at.world.clock
    bound = at.party(
        "bound",
        grant_types=EVERY_GRANT,
        options=Options(dpop_bound_access_tokens=True),
    )
    holder = Holding(at.browser, bound, "openid profile offline_access", clock=clock, nonce=None)
    holder.state, holder.verifier = "state", "v" * 43
    now = int(clock().timestamp())

    def redeem(title: str, proof: str | None, code: str | None = None) -> Answer:
        form = {
            "grant_type": CODE.value,
            "code": holder.code() if code is None else code,
            "redirect_uri": REDIRECT,
            "code_verifier": holder.verifier,
        }
        return at.post(title, TOKEN, form, bound, headers={} if proof is None else {"dpop": proof})

    def proof(**changes: Any) -> str:
        return holder.proof("POST", TOKEN, **changes)

    redeem("no proof", None)
    redeem("a proof of another method", holder.proof("GET", TOKEN))
    redeem("a proof for another place", holder.proof("POST", PAR))
    redeem("a proof that is too old", proof(iat=now - 600))
    redeem("a proof of the future", proof(iat=now + 600))
    redeem("a proof of another type", proof(header={"typ": "JWT"}))
    redeem("a proof without a name", proof(jti=None))
    redeem(
        "a proof by a key it does not show",
        proof(
            by=key_for("ES256", "another"), header={"jwk": key_for("ES256").as_dict(private=False)}
        ),
    )
    redeem("a nonce of somebody else", proof(nonce="nonsense"))
    once = proof()
    tokens = redeem("a proof", once).said
    redeem("the same proof again", once)
    thumbprint = key_for("ES256", "another").thumbprint()
    redeem("a code that belongs to another key", proof(), holder.code(dpop_jkt=thumbprint))
    refresh = {"grant_type": REFRESH.value, "refresh_token": tokens["refresh_token"]}
    at.post("to refresh: no proof", TOKEN, refresh, bound)
    at.post("to refresh: a proof", TOKEN, refresh, bound, headers={"dpop": proof()})


def _by_assertion(at: Recorder) -> None:
    at.part("FAPI 2.0: who it is by an assertion, its tokens by a key")
    now = int(at.world.clock().timestamp())
    fapi = at.party(
        "fapi",
        auth_method=AuthMethod.KEY_JWT,
        redirect_uris=(SECURE,),
        id_token_alg="ES256",
        options=Options(profile=Profile.FAPI2, jwks=public(key_for("ES256"), key_for("RS256"))),
    )

    def asserted(**changes: Any) -> dict[str, str]:
        about: dict[str, Any] = {
            "iss": fapi.client_id,
            "sub": fapi.client_id,
            "aud": "http://localhost:8000",
            "iat": now,
            "exp": now + 60,
            "jti": str(len(at.written)),
        }
        text = sign(about | changes, typ="JWT")
        return {"client_assertion_type": BY_ASSERTION, "client_assertion": text}

    def claim(title: str, more: dict[str, str], proof: str | None = None) -> Answer:
        form = {"grant_type": REFRESH.value, "refresh_token": "ddr_nothing"} | more
        headers = {} if proof is None else {"dpop": proof}
        return at.ask(title, "POST", TOKEN, form=form, headers=headers)

    nonce = claim("a proof without a nonce", asserted(), dpop("POST", TOKEN, now=now))
    given = nonce.header("dpop-nonce")
    claim("a proof with the nonce", asserted(), dpop("POST", TOKEN, now=now, nonce=given))
    claim("no proof", asserted())
    claim("an assertion that is too old", asserted(exp=now - 600, iat=now - 700))
    claim("an assertion for somebody else", asserted(aud="https://elsewhere.example"))
    twice = asserted()
    claim("an assertion", twice)
    claim("the same assertion again", twice)


def _by_certificate(at: Recorder) -> None:
    at.part("who it is by a certificate")
    certificate = at.certificate
    named = {"tls_client_auth_subject_dn": "CN=ung-dung,O=Sở Nội vụ,C=VN"}
    shown = at.know(
        at.world.machine(
            auth_method=AuthMethod.TLS,
            options=Options(**named, tls_client_certificate_bound_access_tokens=True),
        ),
        "certified",
    )
    form = {"grant_type": "client_credentials", "client_id": shown.client_id}
    at.name(as_header(certificate), "certificate")
    header = {"client-cert": as_header(certificate), "host": MTLS}
    at.ask("a certificate", "POST", TOKEN, form=form, headers=header)
    at.ask("no certificate", "POST", TOKEN, form=form)
    at.ask("one that is none", "POST", TOKEN, form=form, headers={"client-cert": ":eA==:"})
    at.ask("one told by a stranger", "POST", TOKEN, form=form, headers=header, peer="203.0.113.9")


def _less_usual_clients(at: Recorder) -> None:
    at.part("less usual clients")
    spa = at.party("page", auth_method=AuthMethod.NONE)
    flow = at.flow(spa)

    def redeem(title: str, party: Party, **changes: Any) -> Answer:
        form = {
            "grant_type": CODE.value,
            "code": at.flow(party).code(),
            "redirect_uri": REDIRECT,
            "code_verifier": flow.verifier,
        }
        return at.post(title, TOKEN, form, party, headers=ELSEWHERE)

    redeem("a client without a secret, from its page", spa)
    at.ask(
        "a client without a secret, by Basic",
        "POST",
        TOKEN,
        form={"grant_type": REFRESH.value},
        headers=basic(f"{spa.client_id}:"),
    )
    jwt = at.party("jwt", access_token_format=TokenFormat.JWT, id_token_alg="ES256")
    redeem("access tokens as JWTs", jwt)
    pinned = at.party("pinned", auth_method=AuthMethod.POST, options=Options(pin_auth_method=True))
    by_basic = {"grant_type": REFRESH.value, "refresh_token": "ddr_nothing"}
    at.post("a client that must send its secret in the body, by Basic", TOKEN, by_basic, pinned)
    pairwise = at.party("pairwise", subject_type="pairwise")
    redeem("a client that is told a name of its own", pairwise)
    strict = at.party("strict")
    kept = at.flow(strict, "openid offline_access").tokens()["refresh_token"]
    at.world.change(Client, strict.id, options=Options(minimum_acr="urn:vn:aal:2").stored)
    form = {"grant_type": REFRESH.value, "refresh_token": kept}
    at.post("a sign-in that is too weak by now", TOKEN, form, strict)
    linked = at.party("linked", options=Options(minimum_eid_level=2))
    kept = at.flow(linked, "openid offline_access").tokens()["refresh_token"]
    at.world.change(User, at.world.user_id, eid_level=None)
    form = {"grant_type": REFRESH.value, "refresh_token": kept}
    at.post("she is no longer entitled", TOKEN, form, linked)
    at.world.change(User, at.world.user_id, eid_level=2)
