"""The metadata says exactly what is enforced: each value works, and what is not there does not.

``CHECKS`` holds one check per field. A field that nobody checks fails
``test_every_field_is_checked``: whoever advertises something shows here that it holds.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from directory.base.outbox import Job, JobKind
from directory.people import User
from idp.factors import passwords
from idp.oidc.authorization.answers import Mode
from idp.oidc.clients import AuthMethod, GrantType, Options, ResponseType, SubjectType
from idp.oidc.discovery import JWKS, OAUTH, OPENID
from idp.oidc.signing_keys import ALGORITHMS
from idp.run import wiring
from idp.run.app import create_app
from idp.sessions import SsoSession
from tests.authenticator import Authenticator
from tests.browser_client import hidden_fields, submit
from tests.proving import (
    Asserting,
    Authority,
    Certified,
    Holding,
    authority,
    believing,
    hs256,
    self_signed,
    unsigned,
)
from tests.relying_party import REDIRECT, Flow, World, build_world
from tests.signed_requests import SECURE, key_for, public, sign

__all__ = ["authority"]

ISSUER = "http://localhost:8000"
PASSWORD = "bếp củi reo vui sớm mai"
EVERY_RESPONSE_TYPE = [each.value for each in ResponseType]
KEYS: dict[str, Any] = {
    "RS256": key_for("RS256"),
    "PS256": key_for("RS256"),
    "ES256": key_for("ES256"),
    "ES384": ECKey.generate_key("P-384", {"kid": "p384"}),
    "ES512": ECKey.generate_key("P-521", {"kid": "p521"}),
    "RS384": key_for("RS256"),
    "RS512": key_for("RS256"),
    "PS384": key_for("RS256"),
    "PS512": key_for("RS256"),
}
"""What a client might sign with; the metadata says with which of them it may."""


@pytest.fixture(params=["as installed", "everything on"])
def settings(
    request: pytest.FixtureRequest, make_settings: Any, authority: Authority, tmp_path: Any
) -> Any:
    if request.param == "as installed":
        return make_settings()
    return make_settings(
        response_types=EVERY_RESPONSE_TYPE,
        registration="open",
        **believing(authority, tmp_path, mtls_base="https://mtls.localhost:8443"),
    )


class Provider:
    """The running server, what it says of itself, and ways to try it."""

    def __init__(self, world: World, browser: Any, authority: Authority) -> None:
        self.world = world
        self.browser = browser
        self.authority = authority
        self.told: dict[str, Any] = browser.get(OPENID).get_json()
        self.view = world.sign_in(browser)

    def flow(self, *, scope: str = "openid profile", **columns: Any) -> Flow:
        """A new client's."""
        uri = columns.get("redirect_uris", (REDIRECT,))[:1] or (REDIRECT,)
        party = self.world.register(**columns)
        return Flow(self.browser, party, scope=scope, redirect_uri=uri[0])

    def jwt(self, text: str) -> Any:
        """A JWT of ours, verified by the published keys."""
        keys = KeySet.import_key_set(self.browser.get(JWKS).get_json())
        return jwt.decode(text, keys, list(ALGORITHMS))

    def path(self, name: str) -> str:
        """The path of an advertised address."""
        assert self.told[name].startswith(ISSUER)
        return str(self.told[name].removeprefix(ISSUER))

    @property
    def secure(self) -> bool:
        """Whether certificates are asked for."""
        return bool(self.world.services.settings.client_certificates)


@pytest.fixture
def provider(services: Any, clock: Any, client: Any, authority: Authority) -> Provider:
    return Provider(build_world(services, clock), client, authority)


def _refused(response: Any, *errors: str) -> None:
    assert response.status_code in (400, 401, 403), response.text
    assert response.get_json()["error"] in errors, response.text


# ---- addresses -------------------------------------------------------------------------------


def issuer(p: Provider) -> None:
    assert p.told["issuer"] == ISSUER
    assert p.jwt(p.flow().tokens()["id_token"]).claims["iss"] == ISSUER


def authorization_endpoint(p: Provider) -> None:
    flow = p.flow()
    for ask in (p.browser.get, p.browser.post):
        key = "query_string" if ask == p.browser.get else "data"
        assert ask(p.path("authorization_endpoint"), **{key: flow.query}).status_code in (302, 303)


def token_endpoint(p: Provider) -> None:
    _refused(p.browser.post(p.path("token_endpoint"), data={}), "invalid_request")


def userinfo_endpoint(p: Provider) -> None:
    text = p.flow().tokens()["access_token"]
    bearer = {"Authorization": f"Bearer {text}"}
    assert p.browser.get(p.path("userinfo_endpoint"), headers=bearer).status_code == 200


def jwks_uri(p: Provider) -> None:
    keys = p.browser.get(p.path("jwks_uri")).get_json()["keys"]
    assert {key["use"] for key in keys} == {"sig"}
    assert len({key["kid"] for key in keys}) == len(keys)


def introspection_endpoint(p: Provider) -> None:
    flow = p.flow()
    told = flow.post(p.path("introspection_endpoint"), {"token": "x"})
    assert told.get_json() == {"active": False}


def revocation_endpoint(p: Provider) -> None:
    assert p.flow().post(p.path("revocation_endpoint"), {"token": "x"}).status_code == 200


def pushed_authorization_request_endpoint(p: Provider) -> None:
    flow = p.flow()
    pushed = flow.post(p.path("pushed_authorization_request_endpoint"), flow.query)
    query = {
        "client_id": flow.party.client_id,
        "request_uri": pushed.get_json()["request_uri"],
    }
    answer = p.browser.get(p.path("authorization_endpoint"), query_string=query)
    assert "code" in flow.told(answer)


def device_authorization_endpoint(p: Provider) -> None:
    flow = p.flow(grant_types=(GrantType.DEVICE,), redirect_uris=())
    asked = flow.post(p.path("device_authorization_endpoint"), {"scope": "openid"})
    assert asked.status_code == 200


def registration_endpoint(p: Provider) -> None:
    document = {"redirect_uris": ["https://app.example/callback"]}
    answer = p.browser.post(p.path("registration_endpoint"), json=document)
    wanted = p.world.services.settings.registration
    assert answer.status_code == {"open": 201, "token": 401}[wanted], answer.text


def end_session_endpoint(p: Provider) -> None:
    hint = p.flow().tokens()["id_token"]
    query = {"id_token_hint": hint}
    assert p.browser.get(p.path("end_session_endpoint"), query_string=query).status_code == 303
    assert p.world.one(SsoSession, p.view.id).ended_at is not None


def mtls_endpoint_aliases(p: Provider) -> None:
    """RFC 8705 §5: each is one of our endpoints, at the base where certificates are asked for."""
    settings = p.world.services.settings
    assert p.secure
    for name, address in p.told["mtls_endpoint_aliases"].items():
        own = p.told[name].removeprefix(ISSUER)
        assert address == settings.mtls_base + own
        answer = p.browser.post(own, data={}, base_url=settings.mtls_base)
        assert answer.status_code in (400, 401), name


def protected_resources(p: Provider) -> None:
    for resource in p.told["protected_resources"]:
        path = resource.removeprefix(ISSUER)
        told = p.browser.get("/.well-known/oauth-protected-resource" + path).get_json()
        assert told["resource"] == resource
        for name in (
            "dpop_signing_alg_values_supported",
            "tls_client_certificate_bound_access_tokens",
        ):
            assert told[name] == p.told[name]


# ---- what may be asked for -------------------------------------------------------------------


def scopes_supported(p: Provider) -> None:
    party = p.world.register(grant_types=(GrantType.CODE, GrantType.REFRESH))
    for scope in p.told["scopes_supported"]:
        flow = Flow(p.browser, party, scope=f"openid {scope}")
        assert scope in flow.tokens()["scope"].split(), scope
    answer = Flow(p.browser, party, scope="openid nothing").tokens()
    assert answer["scope"] == "openid"
    assert Flow(p.browser, party).told(Flow(p.browser, party, scope="nothing").ask())["error"] == (
        "invalid_scope"
    )


def _answered(flow: Flow, response: Any) -> dict[str, str]:
    """What an authorization response says, in whatever mode."""
    if response.status_code == 200:
        return hidden_fields(response.text)
    parts = urlsplit(response.headers["Location"])
    return {k: v[0] for k, v in parse_qs(parts.fragment or parts.query).items()}


def response_types_supported(p: Provider) -> None:
    flow = p.flow(response_types=tuple(ResponseType), redirect_uris=(SECURE,))
    for known in ResponseType:
        told = _answered(flow, flow.ask(response_type=known.value))
        if known.value in p.told["response_types_supported"]:
            names = {"token": "access_token"}
            assert {names.get(word, word) for word in known.words} <= told.keys()
        else:
            assert told["error"] == "unsupported_response_type"
    for unknown in ("token", "none", "code code", "device"):
        told = _answered(flow, flow.ask(response_type=unknown))
        assert told["error"] == "unsupported_response_type"


def response_modes_supported(p: Provider) -> None:
    flow = p.flow()
    assert set(p.told["response_modes_supported"]) == {mode.value for mode in Mode}
    for mode in p.told["response_modes_supported"]:
        response = flow.ask(response_mode=mode)
        told = _answered(flow, response)
        assert ("response" if mode.endswith("jwt") else "code") in told, mode
        assert (response.status_code == 200) is ("form_post" in mode)
        assert ("#" in response.headers.get("Location", "")) is ("fragment" in mode)
    for unknown in ("web_message", "cookie"):
        assert _answered(flow, flow.ask(response_mode=unknown))["error"] == "invalid_request"


def grant_types_supported(p: Provider) -> None:
    every = tuple(g for g in GrantType if g is not GrantType.IMPLICIT)
    flow = p.flow(grant_types=every)
    at_token = {each.value for each in every}
    front = {*p.told["response_types_supported"]} - {"code"}
    wanted = at_token | ({"implicit"} if front else set())
    assert set(p.told["grant_types_supported"]) == wanted
    for grant_type in at_token:
        assert flow.token(grant_type=grant_type).get_json().get("error") != (
            "unsupported_grant_type"
        )
    for unknown in (
        "implicit",
        "password",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:saml2-bearer",
        "urn:openid:params:grant-type:ciba",
    ):
        _refused(flow.token(grant_type=unknown), "unsupported_grant_type")


def subject_types_supported(p: Provider) -> None:
    subs = {}
    for kind in p.told["subject_types_supported"]:
        flow = p.flow(subject_type=SubjectType(kind), redirect_uris=(SECURE,))
        subs[kind] = p.jwt(flow.tokens()["id_token"]).claims["sub"]
    assert len(set(subs.values())) == len(subs) == len(SubjectType)
    assert subs["public"] == p.view.sub


def code_challenge_methods_supported(p: Provider) -> None:
    assert p.told["code_challenge_methods_supported"] == ["S256"]
    flow = p.flow()
    assert flow.tokens()
    assert flow.told(flow.ask(code_challenge_method="plain"))["error"] == "invalid_request"


def prompt_values_supported(p: Provider) -> None:
    flow = p.flow()
    for prompt in p.told["prompt_values_supported"]:
        response = flow.ask(prompt=prompt)
        assert "error" not in _answered(flow, response) if response.status_code == 302 else True
    for unknown in ("create", "loud"):
        assert flow.told(flow.ask(prompt=unknown))["error"] == "invalid_request"


def acr_values_supported(p: Provider) -> None:
    """What the sign-in pages themselves can give, and no more."""
    has = p.world.services
    with has.db.write() as session:
        passwords.set_password(
            session, has.passwords, p.world.user_id, PASSWORD, must_change=False, now=has.clock()
        )
        username = session.get_one(User, p.world.user_id).username
    flow = p.flow()
    flow.browser = p.browser.application.test_client()
    page = flow.browser.get(flow.ask().headers["Location"])
    has.settings.second_factor = "everybody"  # who has no app yet enrols one there
    page = flow.browser.get(
        submit(flow.browser, page, username=username, password=PASSWORD).headers["Location"]
    )
    code = Authenticator.scan(page.text).code(has.clock())
    submit(flow.browser, page, f"{page.request.path}/enrol", code=code)
    told = flow.told(flow.browser.get(page.request.path))
    acr = p.jwt(flow.redeem(told["code"]).get_json()["id_token"]).claims["acr"]
    assert acr in p.told["acr_values_supported"]

    def essential(value: str) -> dict[str, str]:
        wish = {"id_token": {"acr": {"essential": True, "value": value}}}
        return flow.told(flow.ask(claims=json.dumps(wish)))

    for value in p.told["acr_values_supported"]:
        assert "code" in essential(value)
    for value in ("urn:vn:aal:3", "phr", "urn:mace:incommon:iap:silver"):
        assert essential(value)["error"] == "unmet_authentication_requirements"


def ui_locales_supported(p: Provider) -> None:
    flow = p.flow()
    flow.browser = p.browser.application.test_client()
    for locale in p.told["ui_locales_supported"]:
        other = next(each for each in p.told["ui_locales_supported"] if each != locale)
        asked = flow.ask(ui_locales=locale)
        page = flow.browser.get(asked.headers["Location"], headers={"Accept-Language": other})
        assert f'<html lang="{locale}"' in page.text


# ---- claims ----------------------------------------------------------------------------------


def claims_supported(p: Provider) -> None:
    p.world.change(User, p.world.user_id, birth_date="1988", gender="female")
    flow = p.flow(response_types=tuple(ResponseType), redirect_uris=(SECURE,))
    flow.scope = "openid profile email phone address org"
    answer = flow.tokens()
    told = set(p.jwt(answer["id_token"]).claims)
    told |= flow.userinfo(answer["access_token"]).get_json().keys()
    if "code id_token" in p.told["response_types_supported"]:
        hybrid = _answered(flow, flow.ask(response_type="code id_token"))
        told |= set(p.jwt(hybrid["id_token"]).claims)
        assert told == set(p.told["claims_supported"])
    # Only what is given at the authorization endpoint itself is bound to a code.
    assert told | {"c_hash"} == set(p.told["claims_supported"])


def claims_parameter_supported(p: Provider) -> None:
    flow = p.flow(scope="openid")
    text = flow.tokens(claims='{"userinfo": {"name": null}}')["access_token"]
    assert flow.userinfo(text).get_json().keys() == {"sub", "name"}


def claim_types_supported(p: Provider) -> None:
    """OIDC Core §5.6: nothing is aggregated or distributed."""
    assert p.told["claim_types_supported"] == ["normal"]
    flow = p.flow()
    told = flow.userinfo(flow.tokens()["access_token"]).get_json()
    assert not {"_claim_names", "_claim_sources"} & told.keys()


# ---- what we sign ----------------------------------------------------------------------------


def _every_alg_works(p: Provider, field: str, alg_of: Callable[[str], str]) -> None:
    assert set(p.told[field]) == set(ALGORITHMS)
    for alg in p.told[field]:
        assert alg_of(alg) == alg


def id_token_signing_alg_values_supported(p: Provider) -> None:
    _every_alg_works(
        p,
        "id_token_signing_alg_values_supported",
        lambda alg: p.jwt(p.flow(id_token_alg=alg).tokens()["id_token"]).header["alg"],
    )


def userinfo_signing_alg_values_supported(p: Provider) -> None:
    def alg_of(alg: str) -> str:
        flow = p.flow(options=Options(userinfo_signed_response_alg=alg))
        return str(p.jwt(flow.userinfo(flow.tokens()["access_token"]).text).header["alg"])

    _every_alg_works(p, "userinfo_signing_alg_values_supported", alg_of)


def introspection_signing_alg_values_supported(p: Provider) -> None:
    def alg_of(alg: str) -> str:
        flow = p.flow(options=Options(introspection_signed_response_alg=alg))
        headers = flow.party.basic | {"Accept": "application/token-introspection+jwt"}
        answer = p.browser.post("/oauth2/introspect", data={"token": "x"}, headers=headers)
        return str(p.jwt(answer.text).header["alg"])

    _every_alg_works(p, "introspection_signing_alg_values_supported", alg_of)


def authorization_signing_alg_values_supported(p: Provider) -> None:
    def alg_of(alg: str) -> str:
        flow = p.flow(options=Options(authorization_signed_response_alg=alg))
        told = flow.told(flow.ask(response_mode="jwt"))
        return str(p.jwt(told["response"]).header["alg"])

    _every_alg_works(p, "authorization_signing_alg_values_supported", alg_of)


# ---- what clients sign -----------------------------------------------------------------------


def _signed_by(p: Provider, flow: Flow, alg: str) -> Any:
    """An authorization request object, signed so."""
    now = int(p.world.clock().timestamp())
    said = flow.query | {"iss": flow.party.client_id, "aud": ISSUER, "nbf": now, "exp": now + 60}
    text = {
        "none": lambda: unsigned({"alg": "none"}, said),
        "HS256": lambda: hs256({"alg": "HS256"}, said, (flow.party.secret or "").encode()),
    }.get(alg, lambda: sign(said, alg=alg, by=KEYS[alg]))()
    query = {"client_id": flow.party.client_id, "request": text} | _outer(flow)
    return flow.browser.get("/oauth2/authorize", query_string=query)


def _outer(flow: Flow) -> dict[str, str]:
    """What a browser brings beside a request object so that its fault can be told."""
    return {"redirect_uri": flow.redirect_uri, "response_type": "code", "scope": "openid"}


def request_object_signing_alg_values_supported(p: Provider) -> None:
    flow = p.flow(options=Options(jwks=public(*KEYS.values())))
    for alg in (*KEYS, "none", "HS256"):
        told = flow.told(_signed_by(p, flow, alg))
        if alg in p.told["request_object_signing_alg_values_supported"]:
            assert "code" in told, alg
        else:
            assert told["error"] == "invalid_request_object", alg


def request_parameter_supported(p: Provider) -> None:
    request_object_signing_alg_values_supported(p)


def request_uri_parameter_supported(p: Provider) -> None:
    """By value of a registered address; tests/flows/test_request_objects.py fetches one."""
    uri = "https://app.example/request.jwt"
    flow = p.flow(options=Options(jwks=public(KEYS["ES256"]), request_uris=(uri,)))
    query = {"client_id": flow.party.client_id, "request_uri": uri} | _outer(flow)
    told = flow.told(p.browser.get("/oauth2/authorize", query_string=query))
    # The address is looked at: nobody answers there, which is not "not supported".
    assert told["error"] == "invalid_request_uri"


def require_request_uri_registration(p: Provider) -> None:
    flow = p.flow(options=Options(jwks=public(KEYS["ES256"])))
    uri = "https://elsewhere.example/request.jwt"
    query = {"client_id": flow.party.client_id, "request_uri": uri} | _outer(flow)
    told = flow.told(p.browser.get("/oauth2/authorize", query_string=query))
    assert told["error"] == "invalid_request_uri"
    assert p.told["require_request_uri_registration"] is True


def require_signed_request_object(p: Provider) -> None:
    assert p.told["require_signed_request_object"] is False
    assert p.flow().tokens()


def require_pushed_authorization_requests(p: Provider) -> None:
    assert p.told["require_pushed_authorization_requests"] is False
    assert p.flow().tokens()


# ---- how clients prove who they are ----------------------------------------------------------


def _client_of(p: Provider, method: AuthMethod) -> Flow:
    """A client that proves itself so."""
    now = p.world.clock
    if method is AuthMethod.KEY_JWT:
        options = Options(jwks=public(KEYS["ES256"]))
        return Asserting(
            p.browser, p.world.register(auth_method=method, options=options), clock=now
        )
    if method is AuthMethod.SECRET_JWT:
        party = p.world.register(auth_method=method)
        return Asserting(p.browser, party, clock=now, alg="HS256")
    if method is AuthMethod.TLS:
        options = Options(tls_client_auth_subject_dn="CN=ung-dung,O=Sở Nội vụ,C=VN")
        party = p.world.register(auth_method=method, options=options)
        return Certified(p.browser, party, certificate=p.authority.issue(), clock=now)
    if method is AuthMethod.SELF_SIGNED_TLS:
        return _self_signed(p)
    flow = Flow(p.browser, p.world.register(auth_method=method))
    return _Posting(p.browser, flow.party) if method is AuthMethod.POST else flow


def _self_signed(p: Provider) -> Flow:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    key = ec.generate_private_key(ec.SECP256R1())
    certificate = self_signed(key)
    import base64

    chain = [base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()]
    jwk = ECKey.import_key(key.public_key()).as_dict(private=False) | {"x5c": chain}
    party = p.world.register(
        auth_method=AuthMethod.SELF_SIGNED_TLS, options=Options(jwks={"keys": [jwk]})
    )
    return Certified(p.browser, party, certificate=certificate, clock=p.world.clock)


class _Posting(Flow):
    """client_secret_post."""

    def post(self, path: str, form: dict[str, str]) -> Any:
        secret = {"client_id": self.party.client_id, "client_secret": self.party.secret or ""}
        return self.browser.post(path, data=secret | form)


ENDPOINTS = {
    "token": ("/oauth2/token", {"grant_type": "authorization_code", "code": "x"}),
    "introspection": ("/oauth2/introspect", {"token": "x"}),
    "revocation": ("/oauth2/revoke", {"token": "x"}),
}


def _methods(endpoint: str) -> Callable[[Provider], None]:
    def check(p: Provider) -> None:
        path, form = ENDPOINTS[endpoint]
        advertised = p.told[f"{endpoint}_endpoint_auth_methods_supported"]
        assert set(advertised) <= {each.value for each in AuthMethod}
        for method in AuthMethod:
            answer = _client_of(p, method).post(path, form)
            refused = answer.status_code == 401
            assert refused is (method.value not in advertised), (method, answer.text)

    return check


def _method_algs(endpoint: str) -> Callable[[Provider], None]:
    def check(p: Provider) -> None:
        path, form = ENDPOINTS[endpoint]
        advertised = p.told[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        by_key = Asserting(
            p.browser,
            p.world.register(
                auth_method=AuthMethod.KEY_JWT, options=Options(jwks=public(*KEYS.values()))
            ),
            clock=p.world.clock,
        )
        for alg, key in KEYS.items():
            by_key.alg, by_key.by = alg, key
            assert (by_key.post(path, form).status_code != 401) is (alg in advertised), alg
        by_secret = _client_of(p, AuthMethod.SECRET_JWT)
        assert isinstance(by_secret, Asserting)
        assert (by_secret.post(path, form).status_code != 401) is ("HS256" in advertised)
        assert "none" not in advertised
        text = unsigned({"alg": "none"}, by_secret.claims())
        refused = p.browser.post(path, data=by_secret.fields(text) | form)
        assert refused.status_code == 401

    return check


# ---- what tokens may be bound to -------------------------------------------------------------


def dpop_signing_alg_values_supported(p: Provider) -> None:
    holder = Holding(p.browser, p.world.register(), clock=p.world.clock)
    holder.scope = "openid"
    for alg, key in KEYS.items():
        holder.key = key
        code = holder.code()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": holder.verifier,
        }
        proof = holder.proof("POST", "/oauth2/token", header={"alg": alg})
        answer = holder.post("/oauth2/token", form, proof=proof)
        if alg in p.told["dpop_signing_alg_values_supported"]:
            assert answer.get_json()["token_type"] == "DPoP", alg
        else:
            _refused(answer, "invalid_dpop_proof")


def tls_client_certificate_bound_access_tokens(p: Provider) -> None:
    party = p.world.register(options=Options(tls_client_certificate_bound_access_tokens=True))
    flow = Certified(
        p.browser, party, certificate=p.authority.issue(), clock=p.world.clock, scope="openid"
    )
    answer = flow.redeem(flow.code())
    if p.told["tls_client_certificate_bound_access_tokens"]:
        text = answer.get_json()["access_token"]
        assert flow.userinfo(text).status_code == 200
        flow.certificate = None
        assert flow.userinfo(text).status_code == 401
    else:
        # Nobody vouches for a certificate: what must be bound is not given at all.
        assert answer.status_code in (400, 401)
        assert "access_token" not in answer.get_json()


# ---- answers and sign-out --------------------------------------------------------------------


def authorization_response_iss_parameter_supported(p: Provider) -> None:
    flow = p.flow()
    assert flow.told(flow.ask())["iss"] == ISSUER
    assert flow.told(flow.ask(prompt="loud"))["iss"] == ISSUER


def backchannel_logout_supported(p: Provider) -> None:
    flow = p.flow(backchannel_logout_uri="https://app.example/logout")
    hint = flow.tokens()["id_token"]
    p.browser.get("/oauth2/logout", query_string={"id_token_hint": hint})
    assert [job for job in p.world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER.value]


def backchannel_logout_session_supported(p: Provider) -> None:
    assert p.jwt(p.flow().tokens()["id_token"]).claims["sid"] == p.view.id


def frontchannel_logout_supported(p: Provider) -> None:
    uri = "http://localhost:9001/gone"
    flow = p.flow(
        options=Options(frontchannel_logout_uri=uri, frontchannel_logout_session_required=True)
    )
    hint = flow.tokens()["id_token"]
    page = p.browser.get("/oauth2/logout", query_string={"id_token_hint": hint})
    assert uri in page.text
    assert p.view.id in page.text  # frontchannel_logout_session_supported


CHECKS: dict[str, Callable[[Provider], None]] = {
    check.__name__: check
    for check in (
        issuer,
        authorization_endpoint,
        token_endpoint,
        userinfo_endpoint,
        jwks_uri,
        introspection_endpoint,
        revocation_endpoint,
        pushed_authorization_request_endpoint,
        device_authorization_endpoint,
        registration_endpoint,
        end_session_endpoint,
        mtls_endpoint_aliases,
        protected_resources,
        scopes_supported,
        response_types_supported,
        response_modes_supported,
        grant_types_supported,
        subject_types_supported,
        code_challenge_methods_supported,
        prompt_values_supported,
        acr_values_supported,
        ui_locales_supported,
        claims_supported,
        claims_parameter_supported,
        claim_types_supported,
        id_token_signing_alg_values_supported,
        userinfo_signing_alg_values_supported,
        introspection_signing_alg_values_supported,
        authorization_signing_alg_values_supported,
        request_object_signing_alg_values_supported,
        request_parameter_supported,
        request_uri_parameter_supported,
        require_request_uri_registration,
        require_signed_request_object,
        require_pushed_authorization_requests,
        dpop_signing_alg_values_supported,
        tls_client_certificate_bound_access_tokens,
        authorization_response_iss_parameter_supported,
        backchannel_logout_supported,
        backchannel_logout_session_supported,
        frontchannel_logout_supported,
    )
} | {"frontchannel_logout_session_supported": frontchannel_logout_supported}
for _endpoint in ENDPOINTS:
    CHECKS[f"{_endpoint}_endpoint_auth_methods_supported"] = _methods(_endpoint)
    CHECKS[f"{_endpoint}_endpoint_auth_signing_alg_values_supported"] = _method_algs(_endpoint)

REQUIRED = (
    # OIDC Discovery §3, RFC 8414 §2
    *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"),
    *("response_types_supported", "subject_types_supported"),
    "id_token_signing_alg_values_supported",
)


@pytest.mark.parametrize("field", CHECKS)
def test_what_is_advertised_is_what_is_enforced(provider: Provider, field: str) -> None:
    if field in provider.told:
        CHECKS[field](provider)
        return
    # It is off in this installation, and on in the other.
    assert field == "mtls_endpoint_aliases"


def test_every_field_is_checked(provider: Provider) -> None:
    assert not provider.told.keys() - CHECKS.keys()
    assert set(REQUIRED) <= provider.told.keys()
    # OIDC Discovery §4.2: claims with zero elements MUST be omitted.
    assert all(value not in ([], None, "") for value in provider.told.values())


def test_no_endpoint_that_works_is_hidden(provider: Provider) -> None:
    """Whatever clients may call has its address in the metadata."""
    rules = provider.browser.application.url_map.iter_rules()
    paths = {rule.rule for rule in rules if rule.rule.startswith("/oauth2/")}
    told = {urlsplit(v).path for v in provider.told.values() if isinstance(v, str)}
    ours = {"/oauth2/consent"}
    assert {path for path in paths if "<" not in path} - ours == {
        path for path in told if path.startswith("/oauth2/")
    }


def test_both_documents_say_the_same(provider: Provider) -> None:
    """RFC 8414 §5."""
    assert provider.browser.get(OAUTH).get_json() == provider.told


def test_without_registration_nobody_is_told_where(make_settings: Any, clock: Any) -> None:
    services = wiring.build(make_settings(registration="closed"), clock=clock)
    client = create_app(services).test_client()
    assert "registration_endpoint" not in client.get(OPENID).get_json()
    assert client.post("/oauth2/register", json={}).status_code in (403, 404)
    services.db.dispose()


def test_an_unchanged_document_is_not_sent_again(provider: Provider) -> None:
    for path in (OPENID, OAUTH, JWKS):
        first = provider.browser.get(path)
        again = provider.browser.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
        assert again.get_data() == b""


def test_a_rotated_key_changes_the_key_set_and_not_the_metadata(provider: Provider) -> None:
    from datetime import timedelta

    from idp.run import housekeeping

    before = {path: provider.browser.get(path).headers["ETag"] for path in (OPENID, JWKS)}
    provider.world.clock.advance(days=90)
    housekeeping.rotate_keys(provider.world.services, provider.world.clock())
    provider.world.clock.set(provider.world.clock() + timedelta(minutes=1))
    after = {path: provider.browser.get(path).headers["ETag"] for path in (OPENID, JWKS)}
    assert after[OPENID] == before[OPENID]
    assert after[JWKS] != before[JWKS]
