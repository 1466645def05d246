"""Clients that show a certificate at the TLS edge, and tokens that belong to one (RFC 8705)."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from idp.oidc.clients import AuthMethod, Client, Options, TokenFormat
from idp.oidc.grants import Grant
from tests.proving import (
    AWAY,
    FOR_CLIENTS,
    FOR_SERVERS,
    TOKEN,
    USERINFO,
    Asserting,
    Authority,
    Certified,
    as_header,
    authority,
    believing,
    self_signed,
    x5t,
)
from tests.relying_party import World, build_world
from tests.signed_requests import dpop, key_for, public

__all__ = ["authority"]

MTLS = "https://mtls.localhost:8443"
BOUND = {"tls_client_certificate_bound_access_tokens": True}


@pytest.fixture
def settings(make_settings: Any, authority: Authority, tmp_path: Any) -> Any:
    return make_settings(**believing(authority, tmp_path, mtls_base=MTLS))


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def by_subject(world: World, client: Any, authority: Authority, **options: Any) -> Certified:
    """A machine known by the subject of its certificate."""
    wanted = {"tls_client_auth_subject_dn": "CN=ung-dung,O=Sở Nội vụ,C=VN"} | options
    party = world.machine(auth_method=AuthMethod.TLS, options=Options(**wanted))
    return Certified(client, party, certificate=authority.issue(), clock=world.clock)


def ask(flow: Certified, **more: Any) -> Any:
    return flow.post(TOKEN, {"grant_type": "client_credentials"}, **more)


def refused(response: Any, error: str = "invalid_client", status: int = 401) -> bool:
    assert response.status_code == status, response.text
    assert response.get_json()["error"] == error
    return True


# ---- who it is -------------------------------------------------------------------------------


def test_a_client_is_known_by_the_subject_of_its_certificate(
    world: World, client: Any, authority: Authority
) -> None:
    flow = by_subject(world, client, authority)
    answer = ask(flow)
    assert answer.status_code == 200
    assert answer.get_json()["token_type"] == "Bearer"
    flow.certificate = authority.issue("nguoi-khac")
    assert refused(ask(flow))
    flow.certificate = None
    assert refused(ask(flow))


@pytest.mark.parametrize(
    "registered",
    [
        "CN=ung-dung,O=Sở Nội vụ,C=VN",
        "2.5.4.3=ung-dung,2.5.4.10=Sở Nội vụ,2.5.4.6=VN",
        "CN=ung\\2ddung,O=S\\e1\\bb\\9f N\\e1\\bb\\99i v\\e1\\bb\\a5,C=VN",
    ],
)
def test_a_name_has_several_spellings(
    world: World, client: Any, authority: Authority, registered: str
) -> None:
    """RFC 4514 §2.4."""
    flow = by_subject(world, client, authority, tls_client_auth_subject_dn=registered)
    assert ask(flow).status_code == 200


def test_a_name_as_openssl_prints_it(world: World, client: Any, authority: Authority) -> None:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "ung-dung"),
            x509.NameAttribute(NameOID.EMAIL_ADDRESS, "app@example.vn"),
        ]
    )
    registered = "emailAddress=app@example.vn,CN=ung-dung"
    flow = by_subject(world, client, authority, tls_client_auth_subject_dn=registered)
    assert refused(ask(flow))
    flow.certificate = authority.issue(subject=subject)
    assert ask(flow).status_code == 200


@pytest.mark.parametrize(
    ("kind", "registered", "shown", "other"),
    [
        ("dns", "app.example.vn", "APP.example.vn", "app.example.vn.evil.example"),
        ("uri", "urn:app:1", "urn:app:1", "urn:app:12"),
        ("ip", "2001:db8::1", "2001:0db8:0::1", "2001:db8::2"),
        ("email", "app@example.vn", "app@example.vn", "b@example.vn"),
    ],
)
def test_a_client_is_known_by_another_name_of_its_certificate(
    world: World,
    client: Any,
    authority: Authority,
    kind: str,
    registered: str,
    shown: str,
    other: str,
) -> None:
    """RFC 8705 §2.1.2."""
    party = world.machine(
        auth_method=AuthMethod.TLS, options=Options(**{f"tls_client_auth_san_{kind}": registered})
    )
    flow = Certified(client, party, certificate=authority.issue(san=(kind, shown)))
    assert ask(flow).status_code == 200
    for certificate in (authority.issue(san=(kind, other)), authority.issue(registered)):
        flow.certificate = certificate
        assert refused(ask(flow))


def test_an_authority_below_ours_must_be_in_the_bundle(
    world: World, client: Any, authority: Authority, tmp_path: Any
) -> None:
    below = Authority.make("Cấp dưới", above=authority)
    flow = by_subject(world, client, authority)
    flow.certificate = below.issue()
    assert refused(ask(flow))
    authority.write(tmp_path / "clients.pem", below)
    assert ask(flow).status_code == 200


def test_a_certificate_for_clients_or_for_anything(
    world: World, client: Any, authority: Authority
) -> None:
    flow = by_subject(world, client, authority)
    flow.certificate = authority.issue(uses=FOR_CLIENTS)
    assert ask(flow).status_code == 200
    flow.certificate = authority.issue(uses=FOR_SERVERS)
    assert refused(ask(flow))


@pytest.mark.parametrize(("days", "status"), [(365, 200), (59, 401)])
def test_its_dates_count(
    world: World, client: Any, authority: Authority, days: int, status: int
) -> None:
    flow = by_subject(world, client, authority)
    flow.certificate = authority.issue(days=days)
    assert ask(flow).status_code == status


def test_it_is_not_good_before_its_time(world: World, client: Any, authority: Authority) -> None:
    flow = by_subject(world, client, authority)
    later: datetime = world.clock() + timedelta(days=1)
    flow.certificate = authority.issue(began=later)
    assert refused(ask(flow))
    world.clock.advance(days=1)
    assert ask(flow).status_code == 200


@pytest.mark.parametrize("shape", ["EC", "RSA", "x5c"])
def test_a_self_signed_certificate_is_known_by_its_key(
    world: World, client: Any, shape: str
) -> None:
    """RFC 8705 §2.2."""
    key: Any = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048)
        if shape == "RSA"
        else ec.generate_private_key(ec.SECP256R1())
    )
    certificate = self_signed(key)
    made: Any = (RSAKey if shape == "RSA" else ECKey).import_key(key.public_key())
    jwk = made.as_dict()
    if shape == "x5c":
        jwk["x5c"] = [as_header(certificate).strip(":")]
    party = world.machine(
        auth_method=AuthMethod.SELF_SIGNED_TLS, options=Options(jwks={"keys": [jwk]})
    )
    flow = Certified(client, party, certificate=certificate)
    assert ask(flow).status_code == 200
    flow.certificate = self_signed(ec.generate_private_key(ec.SECP256R1()))
    assert refused(ask(flow))
    flow.certificate = self_signed(key, days=1)
    assert refused(ask(flow))
    flow.certificate = self_signed(key, "lần khác")
    # A registered certificate is that certificate; a registered key is any of its.
    assert ask(flow).status_code == (401 if shape == "x5c" else 200)


def test_the_other_endpoints_know_it_too(world: World, client: Any, authority: Authority) -> None:
    flow = by_subject(world, client, authority)
    text = ask(flow).get_json()["access_token"]
    assert flow.introspect(text)["active"] is True
    assert flow.post("/oauth2/revoke", {"token": "x"}).status_code == 200


# ---- tokens that belong to a certificate -----------------------------------------------------


def bound(world: World, client: Any, authority: Authority, **columns: Any) -> Certified:
    """A client, with a secret unless told otherwise, whose tokens belong to its certificate."""
    world.sign_in(client)
    party = world.register(**({"options": Options(**BOUND)} | columns))
    return Certified(client, party, certificate=authority.issue(), clock=world.clock)


def test_tokens_belong_to_the_certificate(world: World, client: Any, authority: Authority) -> None:
    """RFC 8705 §3."""
    flow = bound(world, client, authority)
    own = flow.certificate
    assert own is not None
    answer = flow.tokens()
    assert answer["token_type"] == "Bearer"
    text = answer["access_token"]
    told = flow.introspect(text)
    assert (told["cnf"], told["token_type"]) == ({"x5t#S256": x5t(own)}, "Bearer")
    assert flow.userinfo(text).status_code == 200
    flow.certificate = authority.issue()
    other = flow.userinfo(text)
    assert refused(other, "invalid_token")
    assert other.headers["WWW-Authenticate"].startswith("Bearer ")
    flow.certificate = None
    assert refused(flow.userinfo(text), "invalid_token")
    as_dpop = {"Authorization": f"DPoP {text}", "Client-Cert": as_header(own)}
    assert refused(client.get(USERINFO, headers=as_dpop), "invalid_token")


def test_a_jwt_access_token_says_its_certificate(
    world: World, client: Any, authority: Authority
) -> None:
    flow = bound(world, client, authority, access_token_format=TokenFormat.JWT)
    text = flow.tokens()["access_token"]
    keys = KeySet.import_key_set(client.get("/oauth2/jwks").get_json())
    assert flow.certificate is not None
    assert jwt.decode(text, keys, ["RS256"]).claims["cnf"] == {"x5t#S256": x5t(flow.certificate)}
    assert flow.userinfo(text).status_code == 200


def test_no_bound_token_without_a_certificate(
    world: World, client: Any, authority: Authority
) -> None:
    flow = bound(world, client, authority)
    code = flow.code()
    own, flow.certificate = flow.certificate, None
    assert refused(flow.redeem(code), "invalid_request", 400)
    flow.certificate = authority.issue(days=1)
    assert refused(flow.redeem(code), "invalid_request", 400)
    flow.certificate = own
    assert flow.redeem(code).status_code == 200


def test_its_refresh_token_is_not_spent_and_needs_a_certificate(
    world: World, client: Any, authority: Authority
) -> None:
    flow = bound(world, client, authority)
    own, text = flow.certificate, flow.tokens()["refresh_token"]
    for _ in range(2):
        assert flow.refresh(text).get_json()["refresh_token"] == text
    flow.certificate = authority.issue(days=1)
    assert refused(flow.refresh(text), "invalid_request", 400)
    flow.certificate = None
    assert refused(flow.refresh(text), "invalid_request", 400)
    flow.certificate = own
    assert flow.refresh(text).status_code == 200
    assert [grant.bound_to for grant in world.all(Grant)] == [f"x5t:{x5t(own)}"]  # type: ignore[arg-type]


def test_a_renewed_certificate_is_as_good_for_the_refresh_token(
    world: World, client: Any, authority: Authority
) -> None:
    """RFC 8705 §7.1: it belongs to whoever the certificate proves; the new access token to the
    new certificate.
    """
    options = Options(tls_client_auth_subject_dn="CN=ung-dung,O=Sở Nội vụ,C=VN", **BOUND)
    flow = bound(world, client, authority, auth_method=AuthMethod.TLS, options=options)
    old, text = flow.certificate, flow.tokens()["refresh_token"]
    renewed = flow.certificate = authority.issue()
    answer = flow.refresh(text)
    assert answer.status_code == 200, answer.text
    access = answer.get_json()["access_token"]
    assert flow.introspect(access)["cnf"] == {"x5t#S256": x5t(renewed)}
    assert flow.userinfo(access).status_code == 200
    flow.certificate = old
    assert refused(flow.userinfo(access), "invalid_token")
    flow.certificate = authority.issue("nguoi-khac")
    assert refused(flow.refresh(text))


@pytest.mark.parametrize(
    ("options", "error"),
    [({"dpop_bound_access_tokens": True}, "invalid_grant"), ({}, "invalid_request")],
    ids=["another kind of key", "no key"],
)
def test_a_refresh_token_of_a_certificate_stays_one(
    world: World, client: Any, authority: Authority, options: dict[str, Any], error: str
) -> None:
    """RFC 8705 §7.1: nor does a change of the registration let it go without."""
    flow = bound(world, client, authority)
    text = flow.tokens()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": text}
    world.change(Client, flow.party.id, options=options)
    proof = dpop("POST", TOKEN, now=int(world.clock().timestamp()))
    headers = flow.party.basic | ({"DPoP": proof} if options else {})
    assert refused(client.post(TOKEN, data=form, headers=headers), error, 400)
    world.change(Client, flow.party.id, options=BOUND)
    assert flow.refresh(text).status_code == 200


def test_the_changes_api_wants_the_certificate(
    world: World, client: Any, authority: Authority
) -> None:
    flow = by_subject(world, client, authority, **BOUND)
    text = ask(flow).get_json()["access_token"]
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/changes", headers=headers | flow.shown).status_code == 200
    assert client.get("/api/v1/changes", headers=headers).status_code == 401


def test_a_public_client_may_bind_its_tokens(
    world: World, client: Any, authority: Authority
) -> None:
    """RFC 8705 §4."""
    flow = bound(world, client, authority, auth_method=AuthMethod.NONE)
    text = flow.tokens()["refresh_token"]
    assert flow.refresh(text).status_code == 200
    flow.certificate = authority.issue()
    assert refused(flow.refresh(text), "invalid_grant", 400)


def test_an_assertion_and_a_certificate_go_together(
    world: World, client: Any, authority: Authority
) -> None:
    """FAPI 2.0 §5.3.2.1 item 5: one way to prove who it is, another to bind tokens."""
    party = world.machine(
        auth_method=AuthMethod.KEY_JWT, options=Options(jwks=public(key_for("ES256")), **BOUND)
    )
    flow = Asserting(client, party, clock=world.clock)
    certificate = authority.issue()
    answer = client.post(
        TOKEN,
        data=flow.fields() | {"grant_type": "client_credentials"},
        headers={"Client-Cert": as_header(certificate)},
    )
    assert answer.status_code == 200
    assert refused(
        client.post(TOKEN, data=flow.fields() | {"grant_type": "client_credentials"}),
        "invalid_request",
        400,
    )


# ---- where it comes from ---------------------------------------------------------------------


def test_the_header_is_believed_from_the_proxy_alone(
    world: World, client: Any, authority: Authority
) -> None:
    """RFC 9440 §4."""
    flow = by_subject(world, client, authority)
    assert refused(ask(flow, environ_base=AWAY))
    token_flow = bound(world, client, authority)
    text = token_flow.tokens()["access_token"]
    assert refused(token_flow.userinfo(text, environ_base=AWAY), "invalid_token")
    assert token_flow.userinfo(text).status_code == 200


def test_programs_may_come_by_the_other_host(
    world: World, client: Any, authority: Authority
) -> None:
    """RFC 8705 §5."""
    flow = by_subject(world, client, authority)
    assert ask(flow, base_url=MTLS).status_code == 200
    assert client.get("/login", base_url=MTLS).status_code == 421
    assert client.get("/", base_url=MTLS).status_code == 421
    assert client.get(USERINFO, base_url="https://evil.example").status_code == 421


def test_an_assertion_may_name_the_other_host(
    world: World, client: Any, authority: Authority
) -> None:
    party = world.machine(
        auth_method=AuthMethod.KEY_JWT, options=Options(jwks=public(key_for("ES256")))
    )
    flow = Asserting(client, party, clock=world.clock)
    form = {"grant_type": "client_credentials"}
    assert flow.post(TOKEN, form, aud=MTLS + TOKEN).status_code == 200


def test_discovery_says_what_the_proxy_makes_possible(client: Any) -> None:
    body = client.get("/.well-known/openid-configuration").get_json()
    methods = body["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth"} <= set(methods)
    assert body["tls_client_certificate_bound_access_tokens"] is True
    assert body["mtls_endpoint_aliases"] == {
        "token_endpoint": f"{MTLS}/oauth2/token",
        "introspection_endpoint": f"{MTLS}/oauth2/introspect",
        "revocation_endpoint": f"{MTLS}/oauth2/revoke",
        "device_authorization_endpoint": f"{MTLS}/oauth2/device_authorization",
        "pushed_authorization_request_endpoint": f"{MTLS}/oauth2/par",
        "userinfo_endpoint": f"{MTLS}/oauth2/userinfo",
    }


class TestWithoutTheSetting:
    """Nothing of the kind is offered, and the header is one like any other."""

    @pytest.fixture
    def settings(self, make_settings: Any) -> Any:
        return make_settings(trusted_proxies=["127.0.0.1"])

    def test_the_header_says_nothing(self, world: World, client: Any, authority: Authority) -> None:
        assert refused(ask(by_subject(world, client, authority)))
        flow = bound(world, client, authority)
        assert refused(flow.redeem(flow.code()), "invalid_request", 400)

    def test_discovery_does_not_offer_it(self, client: Any) -> None:
        body = client.get("/.well-known/openid-configuration").get_json()
        assert not any("tls" in m for m in body["token_endpoint_auth_methods_supported"])
        assert body["tls_client_certificate_bound_access_tokens"] is False
        assert "mtls_endpoint_aliases" not in body


class TestWithoutAuthorities:
    """Only self-signed certificates are known."""

    @pytest.fixture
    def settings(self, make_settings: Any) -> Any:
        return make_settings(client_certificates=True, trusted_proxies=["127.0.0.1"])

    def test_no_subject_is_believed(self, world: World, client: Any, authority: Authority) -> None:
        assert refused(ask(by_subject(world, client, authority)))

    def test_discovery_offers_the_one(self, client: Any) -> None:
        body = client.get("/.well-known/openid-configuration").get_json()
        methods = body["token_endpoint_auth_methods_supported"]
        assert "self_signed_tls_client_auth" in methods
        assert "tls_client_auth" not in methods
        assert "mtls_endpoint_aliases" not in body


def test_a_disabled_client_shows_its_certificate_in_vain(
    world: World, client: Any, authority: Authority
) -> None:
    flow = by_subject(world, client, authority)
    world.change(Client, flow.party.id, enabled=False)
    assert refused(ask(flow))
