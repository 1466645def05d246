"""Clients that register and manage themselves (RFC 7591, RFC 7592, OIDC Registration 1.0)."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from directory.base.audit import AuditEntry
from idp.commands import client_changes
from idp.commands import clients as client_commands
from idp.oidc import clients
from idp.oidc.clients import (
    AuthMethod,
    Client,
    Options,
    Profile,
    Registration,
    ResponseType,
    invites,
)
from idp.oidc.clients import view as client_view
from tests.browser_client import hidden_fields
from tests.factories import make_application
from tests.registrar import CALLBACK, ENDPOINT, PLAIN, Registered, Registrar, bearer
from tests.relying_party import OPERATOR, Flow, World, build_world
from tests.signed_requests import Publisher, key_for, public, publishing
from tests.slapd_fixture import Authority, authority  # noqa: F401 (a fixture)

JWKS = public(key_for("ES256"), key_for("RS256"))
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def publisher(authority: Authority) -> Iterator[Publisher]:  # noqa: F811
    with publishing(authority) as made:
        yield made


@pytest.fixture
def settings(make_settings: Any, request: pytest.FixtureRequest) -> Any:
    wanted: dict[str, Any] = {"response_types": [kind.value for kind in ResponseType]}
    if "publisher" in request.fixturenames:
        server = request.getfixturevalue("publisher")
        wanted |= {"outbound_allow": [server.allow], "outbound_ca_file": server.ca_file}
    marker = request.node.get_closest_marker("settings")
    return make_settings(**(wanted | (marker.kwargs if marker else {})))


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


@pytest.fixture
def registrar(services: Any, client: Any) -> Registrar:
    return Registrar(client, services)


def _view(registrar: Registrar, made: Registered) -> Any:
    with registrar.services.db.hot() as connection:
        return client_view.view(connection, made.told["client_id"])


def _refused(answer: Any, error: str, field: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.get_json()
    assert body["error"] == error
    assert body["error_description"].startswith(field + ": ")
    assert body["error_description"].isascii()


# ---- who may register --------------------------------------------------------------------------


def test_without_an_initial_access_token_nobody_registers(registrar: Registrar) -> None:
    answer = registrar.ask(PLAIN)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="dinhdanh"'
    assert answer.headers["Cache-Control"] == "no-store"
    answer = registrar.ask(PLAIN, "ddi_wrong")
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert answer.get_json() == {"error": "invalid_token"}
    assert registrar.rows() == []


@pytest.mark.both_databases
def test_an_initial_access_token_is_good_for_as_many_clients_as_was_said(
    registrar: Registrar,
) -> None:
    token = registrar.invite(uses=2)
    answers = [registrar.ask(PLAIN, token).status_code for _ in range(3)]
    assert answers == [201, 201, 401]
    assert len(registrar.rows()) == 2


def test_a_refused_registration_does_not_use_the_token_up(registrar: Registrar) -> None:
    token = registrar.invite()
    assert registrar.ask(PLAIN | {"redirect_uris": ["http://x/"]}, token).status_code == 400
    assert registrar.ask(PLAIN, token).status_code == 201


def test_an_initial_access_token_ends_and_can_be_withdrawn(registrar: Registrar) -> None:
    has, old, withdrawn = registrar.services, registrar.invite(days=1), registrar.invite(days=9)
    with has.db.write() as session:
        newest = invites.standing(session, now=has.clock())[0]
        invites.withdraw(session, newest.id, actor=OPERATOR, now=has.clock())
    assert registrar.ask(PLAIN, withdrawn).status_code == 401
    has.clock.advance(days=1)
    assert registrar.ask(PLAIN, old).status_code == 401
    with has.db.write() as session:
        invites.purge(session, now=has.clock() + timedelta(seconds=1))
        assert len(list(session.scalars(select(invites.Invite)))) == 1


@pytest.mark.settings(registration="open")
def test_where_anybody_may_register_a_token_is_neither_needed_nor_ignored(
    registrar: Registrar,
) -> None:
    assert registrar.ask(PLAIN).status_code == 201
    assert registrar.ask(PLAIN, registrar.invite()).status_code == 201
    assert registrar.ask(PLAIN, "ddi_wrong").status_code == 401


@pytest.mark.settings(registration="open", registrations_per_source=2)
def test_where_anybody_may_register_one_source_may_not_flood_us(registrar: Registrar) -> None:
    answers = [registrar.ask(PLAIN) for _ in range(3)]
    assert [a.status_code for a in answers] == [201, 201, 429]
    assert int(answers[2].headers["Retry-After"]) <= 600
    assert registrar.ask(PLAIN, registrar.invite()).status_code == 201
    registrar.services.clock.advance(minutes=11)
    assert registrar.ask(PLAIN).status_code == 201


@pytest.mark.settings(registration="closed")
def test_a_closed_registry_is_not_there_and_not_advertised(registrar: Registrar) -> None:
    token = registrar.invite()
    assert registrar.ask(PLAIN, token).status_code == 404
    assert registrar.browser.get(ENDPOINT + "/x", headers=bearer(token)).status_code == 404
    assert "registration_endpoint" not in registrar.browser.get(DISCOVERY).get_json()


def test_the_registry_is_advertised(registrar: Registrar) -> None:
    said = registrar.browser.get(DISCOVERY).get_json()
    assert said["registration_endpoint"] == "http://localhost:8000/oauth2/register"
    assert said["subject_types_supported"] == ["public", "pairwise"]


# ---- what is told ------------------------------------------------------------------------------


def test_what_is_left_out_has_the_defaults_of_the_standard(registrar: Registrar) -> None:
    answer = registrar.ask({"redirect_uris": [CALLBACK]}, registrar.invite())
    assert answer.status_code == 201
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.get_json()
    expected = {
        "client_name": "app.example",
        "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "application_type": "web",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "scope": "openid profile email phone address org",
        "client_secret_expires_at": 0,
        "client_id_issued_at": int(registrar.services.clock().timestamp()),
        "require_auth_time": False,
        "dpop_bound_access_tokens": False,
        "registration_client_uri": f"http://localhost:8000{ENDPOINT}/{told['client_id']}",
    }
    assert expected.items() <= told.items()
    assert len(told["client_secret"]) == 43


FULL: dict[str, Any] = {
    "client_name": "Phần mềm một cửa",
    "client_name#en": "One-stop shop",
    "redirect_uris": [CALLBACK, CALLBACK + "?a=1&b=2"],
    "post_logout_redirect_uris": ["https://app.example/out"],
    "backchannel_logout_uri": "https://app.example/backchannel",
    "backchannel_logout_session_required": True,
    "frontchannel_logout_uri": "https://app.example/frontchannel",
    "frontchannel_logout_session_required": True,
    "initiate_login_uri": "https://app.example/login",
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "ES256",
    "grant_types": ["authorization_code", "implicit", "refresh_token"],
    "response_types": ["code", "code id_token"],
    "scope": "openid profile offline_access",
    "application_type": "web",
    "contacts": ["lan@app.example"],
    "client_uri": "https://app.example/",
    "logo_uri": "https://app.example/logo.png",
    "logo_uri#vi": "https://app.example/logo-vi.png",
    "policy_uri": "https://app.example/policy",
    "tos_uri": "https://app.example/tos",
    "subject_type": "pairwise",
    "id_token_signed_response_alg": "PS256",
    "userinfo_signed_response_alg": "ES256",
    "introspection_signed_response_alg": "ES256",
    "authorization_signed_response_alg": "ES256",
    "request_object_signing_alg": "RS256",
    "require_signed_request_object": True,
    "require_pushed_authorization_requests": True,
    "dpop_bound_access_tokens": True,
    "request_uris": ["https://app.example/request.jwt#GkurKxf5T0Y-mnPFCHqWOMiZi4VS138cQO_V7PZHAdM"],
    "default_max_age": 3600,
    "default_acr_values": ["urn:vn:aal:1"],
    "require_auth_time": True,
    "jwks": JWKS,
    "software_id": "4NRB1-0XZABZI9E6-5SM3R",
    "software_version": "2.0",
}


@pytest.mark.both_databases
def test_everything_registered_is_told_then_and_later(registrar: Registrar) -> None:
    made = registrar.register(**FULL)
    assert {name: made.told.get(name) for name in FULL} == FULL
    assert "client_secret" not in made.told
    assert "client_secret_expires_at" not in made.told
    later = made.read()
    assert later.status_code == 200
    assert later.headers["Cache-Control"] == "no-store"
    assert later.get_json() == made.told


@pytest.mark.settings(client_certificates=True, client_certificate_ca_file="ca.pem")
def test_clients_with_certificates_register_where_certificates_are_known(
    registrar: Registrar,
) -> None:
    bound = {"tls_client_certificate_bound_access_tokens": True}
    by_name = {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_subject_dn": "CN=app,O=Sở Tài chính,C=VN",
    }
    made = registrar.register(**by_name, **bound)
    assert (by_name | bound).items() <= made.told.items()
    own = {"token_endpoint_auth_method": "self_signed_tls_client_auth", "jwks": JWKS}
    assert (
        registrar.register(**own).told["token_endpoint_auth_method"]
        == own["token_endpoint_auth_method"]
    )


@pytest.mark.settings(client_certificates=True)
def test_a_subject_nobody_vouches_for_is_no_way_to_register(registrar: Registrar) -> None:
    asked = {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.vn"}
    _refused(
        registrar.ask(PLAIN | asked, registrar.invite()),
        "invalid_client_metadata",
        "token_endpoint_auth_method",
    )


def test_unknown_metadata_and_what_only_we_decide_are_ignored(registrar: Registrar) -> None:
    ours = {
        "first_party": True,
        "resource_server": True,
        "introspect_all": True,
        "application_id": 1,
        "client_id": "dinhdanh-probe",
        "client_secret": "chosen",
        "enabled": False,
        "epoch": 7,
        "minimum_acr": "urn:vn:aal:4",
        "resources": ["https://api.example"],
        "require_pkce": True,
        "profile": "standard",
        "unheard_of": {"deep": [1, 2]},
    }
    made = registrar.register(**ours)
    (row,) = registrar.rows()
    assert row.client_id == made.told["client_id"] != "dinhdanh-probe"
    assert made.told["client_secret"] != "chosen"
    assert (row.first_party, row.resource_server, row.introspect_all) == (False, False, False)
    assert (row.application_id, row.enabled, row.epoch, row.options) == (
        None,
        True,
        1,
        {"require_pkce": False},
    )
    assert not ours.keys() & made.told.keys() - {"client_id", "client_secret"}


def test_null_and_empty_text_count_as_left_out(registrar: Registrar) -> None:
    made = registrar.register(jwks=None, logo_uri="", software_statement=None)
    assert "logo_uri" not in made.told


def test_scopes_are_those_people_may_consent_to(registrar: Registrar) -> None:
    made = registrar.register(scope="openid changes:write email unknown offline_access")
    assert made.told["scope"] == "openid email"
    machine = registrar.register(
        grant_types=["client_credentials"], redirect_uris=[], scope="changes:read"
    )
    assert machine.told["scope"] == ""


def test_grant_types_and_response_types_left_out_fit_the_other(registrar: Registrar) -> None:
    made = registrar.register(response_types=["id_token token", "id_token code"])
    assert made.told["response_types"] == ["id_token token", "code id_token"]
    assert made.told["grant_types"] == ["authorization_code", "implicit"]
    made = registrar.register(grant_types=["client_credentials"], redirect_uris=[])
    assert made.told["response_types"] == []


def test_a_native_application_has_its_own_addresses(registrar: Registrar) -> None:
    uris = ["vn.example.app:/cb", "http://127.0.0.1/cb", "http://[::1]/cb"]
    made = registrar.register(
        application_type="native", token_endpoint_auth_method="none", redirect_uris=uris
    )
    assert made.told["redirect_uris"] == uris
    assert "client_secret" not in made.told


def test_registration_is_audited_without_secrets(registrar: Registrar) -> None:
    made = registrar.register(jwks=JWKS)
    with registrar.services.db.read() as session:
        entries = list(session.scalars(select(AuditEntry)))
    entry = [e for e in entries if e.data.get("action") == "register"][-1]
    assert entry.actor_label == "Sở Thông tin"
    assert entry.source_ip == "127.0.0.1"
    text = repr([e.data for e in entries])
    for secret in (made.told["client_secret"], made.token):
        assert secret not in text


def test_neither_secret_nor_token_is_stored(registrar: Registrar) -> None:
    made = registrar.register()
    (row,) = registrar.rows()
    stored = repr([row.secrets, row.registration_token, row.options])
    assert made.told["client_secret"] not in stored
    assert made.token not in stored


# ---- what is refused ---------------------------------------------------------------------------

METADATA = "invalid_client_metadata"
REDIRECT = "invalid_redirect_uri"
PRIVATE = key_for("ES256").as_dict(private=True)
SHORT = {"kty": "RSA", "n": "AQAB" * 30, "e": "AQAB"}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"redirect_uris": None}, REDIRECT, "redirect_uris"),
    ({"redirect_uris": CALLBACK}, REDIRECT, "redirect_uris"),
    ({"redirect_uris": [CALLBACK + "#x"]}, REDIRECT, "redirect_uris"),
    ({"redirect_uris": [CALLBACK, 7]}, REDIRECT, "redirect_uris"),
    ({"redirect_uris": [CALLBACK] * 51}, REDIRECT, "redirect_uris"),
    ({"client_name": 7}, METADATA, "client_name"),
    ({"client_name": "x" * 201}, METADATA, "client_name"),
    ({"client_name#vi vn": "x"}, METADATA, "client_name"),
    ({"application_type": "desktop"}, METADATA, "application_type"),
    ({"token_endpoint_auth_method": "magic"}, METADATA, "token_endpoint_auth_method"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, METADATA, "jwks"),
    (
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_dns": "a.example"},
        METADATA,
        "token_endpoint_auth_method",
    ),
    (
        {"tls_client_certificate_bound_access_tokens": True},
        METADATA,
        "tls_client_certificate_bound_access_tokens",
    ),
    ({"tls_client_auth_subject_dn": "CN=a"}, METADATA, "tls_client_auth_subject_dn"),
    ({"token_endpoint_auth_signing_alg": "none"}, METADATA, "token_endpoint_auth_signing_alg"),
    (
        {
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "HS256",
            "jwks": JWKS,
        },
        METADATA,
        "token_endpoint_auth_signing_alg",
    ),
    ({"grant_types": ["password"]}, METADATA, "grant_types"),
    ({"grant_types": "authorization_code"}, METADATA, "grant_types"),
    ({"grant_types": []}, METADATA, "grant_types"),
    ({"grant_types": ["refresh_token"], "redirect_uris": []}, METADATA, "grant_types"),
    ({"grant_types": ["implicit"]}, METADATA, "grant_types"),
    ({"response_types": ["token"]}, METADATA, "response_types"),
    ({"response_types": ["none"]}, METADATA, "response_types"),
    ({"response_types": ["code code"]}, METADATA, "response_types"),
    (
        {"response_types": ["id_token"], "grant_types": ["authorization_code"]},
        METADATA,
        "grant_types",
    ),
    (
        {"response_types": ["code id_token"], "grant_types": ["authorization_code"]},
        METADATA,
        "grant_types",
    ),
    ({"response_types": [], "grant_types": ["authorization_code"]}, METADATA, "grant_types"),
    (
        {"response_types": ["id_token"], "redirect_uris": ["http://localhost/cb"]},
        REDIRECT,
        "redirect_uris",
    ),
    (
        {"response_types": ["id_token"], "redirect_uris": ["https://localhost/cb"]},
        REDIRECT,
        "redirect_uris",
    ),
    (
        {"token_endpoint_auth_method": "none", "grant_types": ["client_credentials"]},
        METADATA,
        "token_endpoint_auth_method",
    ),
    ({"scope": "changes:write"}, METADATA, "scope"),
    ({"scope": ["openid"]}, METADATA, "scope"),
    ({"subject_type": "anonymous"}, METADATA, "subject_type"),
    (
        {"subject_type": "pairwise", "redirect_uris": [CALLBACK, "https://b.example/cb"]},
        METADATA,
        "sector_identifier_uri",
    ),
    (
        {"subject_type": "pairwise", "redirect_uris": ["http://localhost/cb"]},
        METADATA,
        "sector_identifier_uri",
    ),
    (
        {
            "subject_type": "pairwise",
            "redirect_uris": [],
            "grant_types": ["client_credentials"],
            "sector_identifier_uri": "https://bank.example/sector.json",
        },
        METADATA,
        "subject_type",
    ),
    ({"sector_identifier_uri": "http://app.example/s.json"}, METADATA, "sector_identifier_uri"),
    ({"id_token_signed_response_alg": "none"}, METADATA, "id_token_signed_response_alg"),
    ({"id_token_signed_response_alg": "HS256"}, METADATA, "id_token_signed_response_alg"),
    ({"userinfo_signed_response_alg": "none"}, METADATA, "userinfo_signed_response_alg"),
    ({"request_object_signing_alg": "none"}, METADATA, "request_object_signing_alg"),
    ({"request_object_signing_alg": "HS256"}, METADATA, "request_object_signing_alg"),
    ({"authorization_signed_response_alg": "none"}, METADATA, "authorization_signed_response_alg"),
    ({"id_token_encrypted_response_alg": "RSA-OAEP"}, METADATA, "id_token_encrypted_response_alg"),
    ({"userinfo_encrypted_response_enc": "A128GCM"}, METADATA, "userinfo_encrypted_response_enc"),
    ({"request_object_encryption_alg": "RSA-OAEP"}, METADATA, "request_object_encryption_alg"),
    ({"require_signed_request_object": True}, METADATA, "jwks"),
    ({"require_auth_time": "true"}, METADATA, "require_auth_time"),
    ({"dpop_bound_access_tokens": 1}, METADATA, "dpop_bound_access_tokens"),
    ({"default_max_age": -1}, METADATA, "default_max_age"),
    ({"default_max_age": "60"}, METADATA, "default_max_age"),
    ({"default_max_age": True}, METADATA, "default_max_age"),
    ({"default_max_age": 1.5}, METADATA, "default_max_age"),
    ({"initiate_login_uri": "http://app.example/login"}, METADATA, "initiate_login_uri"),
    ({"request_uris": ["http://app.example/r.jwt"]}, METADATA, "request_uris"),
    ({"logo_uri": "javascript:alert(1)"}, METADATA, "logo_uri"),
    ({"logo_uri#vi": "data:image/png;base64,AA=="}, METADATA, "logo_uri#vi"),
    ({"tos_uri": "ftp://app.example/"}, METADATA, "tos_uri"),
    ({"post_logout_redirect_uris": ["http://app.example/"]}, METADATA, "post_logout_redirect_uris"),
    ({"backchannel_logout_uri": "http://app.example/"}, METADATA, "backchannel_logout_uri"),
    ({"frontchannel_logout_uri": "https://b.example/"}, METADATA, "frontchannel_logout_uri"),
    ({"contacts": ["a\nb"]}, METADATA, "contacts"),
    ({"jwks_uri": "http://app.example/jwks"}, METADATA, "jwks_uri"),
    ({"jwks_uri": "https://app.example/jwks", "jwks": JWKS}, METADATA, "jwks"),
    ({"jwks": []}, METADATA, "jwks"),
    ({"jwks": {"keys": []}}, METADATA, "jwks"),
    ({"jwks": {"keys": [PRIVATE]}}, METADATA, "jwks"),
    ({"jwks": {"keys": [{"kty": "oct", "alg": "HS256"}]}}, METADATA, "jwks"),
    ({"jwks": {"keys": [SHORT]}}, METADATA, "jwks"),
    ({"jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}}, METADATA, "jwks"),
    ({"software_statement": "x"}, "invalid_software_statement", "software_statement"),
    (
        {"software_statement": "eyJhbGciOiJSUzI1NiJ9.e30.AA"},
        "unapproved_software_statement",
        "software_statement",
    ),
    ({"fapi_profile": "fapi1"}, METADATA, "fapi_profile"),
]


@pytest.mark.parametrize(("changes", "error", "field"), REFUSED)
def test_a_wrong_field_is_named(
    registrar: Registrar, changes: dict[str, Any], error: str, field: str
) -> None:
    _refused(registrar.ask(PLAIN | changes, registrar.invite()), error, field)
    assert registrar.rows() == []


@pytest.mark.settings(response_types=["code"])
def test_response_types_the_installation_has_switched_off_are_refused(
    registrar: Registrar,
) -> None:
    for response_type in ("id_token", "code id_token"):
        answer = registrar.ask(PLAIN | {"response_types": [response_type]}, registrar.invite())
        _refused(answer, METADATA, "response_types")
    answer = registrar.ask(
        PLAIN | {"grant_types": ["authorization_code", "implicit"]}, registrar.invite()
    )
    _refused(answer, METADATA, "grant_types")


# ---- sectors -----------------------------------------------------------------------------------

TWO_HOSTS = [CALLBACK, "https://other.example/cb"]


def test_a_sector_that_lists_all_redirect_uris_vouches_for_the_client(
    registrar: Registrar, publisher: Publisher
) -> None:
    uri = publisher.put("/sector.json", json.dumps(["https://more.example/", *TWO_HOSTS]))
    made = registrar.register(
        subject_type="pairwise", redirect_uris=TWO_HOSTS, sector_identifier_uri=uri
    )
    assert made.told["sector_identifier_uri"] == uri
    assert registrar.rows()[0].sector == "localhost"


@pytest.mark.parametrize(
    "page",
    [
        '["https://app.example/cb"]',
        '["https://app.example/cb", "https://other.example/"]',
        '{"https://app.example/cb": 1, "https://other.example/cb": 1}',
        "not JSON",
        "[" * 100_000,
        None,
    ],
)
def test_a_sector_that_does_not_vouch_is_refused(
    registrar: Registrar, publisher: Publisher, page: str | None
) -> None:
    uri = publisher.put("/sector.json", page)
    for subject_type in ("pairwise", "public"):
        asked = {"subject_type": subject_type, "sector_identifier_uri": uri}
        answer = registrar.ask(PLAIN | asked | {"redirect_uris": TWO_HOSTS}, registrar.invite())
        _refused(answer, METADATA, "sector_identifier_uri")


# ---- the profile -------------------------------------------------------------------------------

FAPI: dict[str, Any] = {
    "fapi_profile": "fapi2",
    "token_endpoint_auth_method": "private_key_jwt",
    "jwks": JWKS,
}


def test_a_profile_switches_on_what_it_needs(registrar: Registrar) -> None:
    expected = {
        "fapi_profile": "fapi2",
        "id_token_signed_response_alg": "ES256",
        "dpop_bound_access_tokens": True,
        "tls_client_certificate_bound_access_tokens": False,
        "require_pushed_authorization_requests": True,
        "require_signed_request_object": False,
    }
    made = registrar.register(**FAPI)
    assert expected.items() <= made.told.items()
    assert _view(registrar, made).pkce_required
    signed = registrar.register(**(FAPI | {"fapi_profile": "fapi2_message_signing"})).told
    assert signed["require_signed_request_object"] is True
    assert signed["authorization_signed_response_alg"] == "ES256"


@pytest.mark.settings(client_certificates=True, client_certificate_ca_file="ca.pem")
def test_a_client_with_a_certificate_has_its_tokens_bound_to_it(registrar: Registrar) -> None:
    by_name = {
        "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "app.example",
    }
    told = registrar.register(fapi_profile="fapi2", **by_name).told
    assert told["tls_client_certificate_bound_access_tokens"] is True
    assert told["dpop_bound_access_tokens"] is False


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"token_endpoint_auth_method": "client_secret_basic"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
        ({"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method"),
        ({"response_types": ["code id_token"]}, "grant_types"),
        ({"response_types": ["id_token"]}, "grant_types"),
        (
            {
                "grant_types": [
                    "authorization_code",
                    "urn:ietf:params:oauth:grant-type:device_code",
                ]
            },
            "grant_types",
        ),
        ({"id_token_signed_response_alg": "RS256"}, "id_token_signed_response_alg"),
        ({"token_endpoint_auth_signing_alg": "RS256"}, "token_endpoint_auth_signing_alg"),
        ({"request_object_signing_alg": "RS256"}, "request_object_signing_alg"),
        ({"userinfo_signed_response_alg": "RS256"}, "userinfo_signed_response_alg"),
        ({"authorization_signed_response_alg": "RS256"}, "authorization_signed_response_alg"),
        ({"redirect_uris": ["http://127.0.0.1/cb"]}, "redirect_uris"),
        ({"jwks": None}, "jwks"),
    ],
)
def test_a_profile_refuses_what_it_forbids(
    registrar: Registrar, changes: dict[str, Any], field: str
) -> None:
    answer = registrar.ask(PLAIN | FAPI | changes, registrar.invite())
    error = REDIRECT if field == "redirect_uris" else METADATA
    _refused(answer, error, field)


# ---- signing in --------------------------------------------------------------------------------


def test_a_client_that_registered_itself_signs_people_in_after_their_consent(
    registrar: Registrar, world: World, client: Any
) -> None:
    made = registrar.register()
    world.sign_in(client)
    flow = Flow(client, made.party, scope="openid email", redirect_uri=CALLBACK)
    page = flow.ask(code_challenge=None, code_challenge_method=None)
    assert page.status_code == 200
    assert "Ứng dụng ngoài" in page.text
    answer = client.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "allow"})
    code = flow.told(answer)["code"]
    tokens = flow.token(
        grant_type="authorization_code", code=code, redirect_uri=CALLBACK
    ).get_json()
    assert flow.userinfo(tokens["access_token"]).status_code == 200


def test_a_client_without_a_secret_must_use_pkce(
    registrar: Registrar, world: World, client: Any
) -> None:
    made = registrar.register(token_endpoint_auth_method="none")
    world.sign_in(client)
    flow = Flow(client, made.party, scope="openid", redirect_uri=CALLBACK)
    told = flow.told(flow.ask(code_challenge=None, code_challenge_method=None))
    assert told["error"] == "invalid_request"


# ---- managing itself ---------------------------------------------------------------------------


def _tokens(flow: Flow, browser: Any) -> dict[str, Any]:
    page = flow.ask()
    answer = browser.post("/oauth2/consent", data=hidden_fields(page.text) | {"decision": "allow"})
    response = flow.redeem(flow.told(answer)["code"])
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


@pytest.mark.both_databases
def test_an_update_replaces_everything_and_keeps_the_secret(registrar: Registrar) -> None:
    made = registrar.register(contacts=["a@app.example"], logo_uri="https://app.example/l.png")
    answer = made.replace(
        client_name="Tên mới",
        redirect_uris=["https://app.example/new"],
        client_secret=made.told["client_secret"],
        token_endpoint_auth_method="client_secret_post",
    )
    assert answer.status_code == 200, answer.text
    told = answer.get_json()
    assert told["client_name"] == "Tên mới"
    assert told["redirect_uris"] == ["https://app.example/new"]
    assert not {"contacts", "logo_uri", "client_secret"} & told.keys()
    assert told["registration_access_token"] == made.token
    assert told["client_id_issued_at"] == made.told["client_id_issued_at"]
    has = registrar.services
    view = _view(registrar, made)
    assert view.secret_fits(made.told["client_secret"], keyring=has.keyring, now=has.clock())
    assert made.read().get_json() == told


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_id": "other"}, "client_id"),
        ({"client_id": None}, "client_id"),
        ({"client_secret": "a" * 43}, "client_secret"),
        ({"registration_access_token": "x"}, "registration_access_token"),
        ({"registration_client_uri": "https://x/"}, "registration_client_uri"),
        ({"client_secret_expires_at": 0}, "client_secret_expires_at"),
        ({"client_id_issued_at": 0}, "client_id_issued_at"),
        ({"client_name": "\u202e"}, "client_name"),
    ],
)
def test_an_update_may_not_set_what_we_assign(
    registrar: Registrar, changes: dict[str, Any], field: str
) -> None:
    made = registrar.register()
    _refused(made.replace(**(PLAIN | changes)), METADATA, field)
    assert made.read().get_json()["client_name"] == PLAIN["client_name"]


def test_a_method_that_needs_a_secret_of_another_kind_gives_one(registrar: Registrar) -> None:
    made = registrar.register(token_endpoint_auth_method="none")
    told = made.replace(**PLAIN).get_json()
    assert len(told["client_secret"]) == 43
    signing = made.replace(**PLAIN, token_endpoint_auth_method="client_secret_jwt").get_json()
    assert signing["client_secret"] != told["client_secret"]
    by_key = {"token_endpoint_auth_method": "private_key_jwt", "jwks": JWKS}
    assert "client_secret" not in made.replace(**PLAIN, **by_key).get_json()
    assert registrar.rows()[0].secrets == []


def test_what_it_holds_ends_when_an_update_takes_something_away(
    registrar: Registrar, world: World, client: Any
) -> None:
    made = registrar.register(scope="openid email")
    world.sign_in(client)
    flow = Flow(client, made.party, scope="openid email", redirect_uri=CALLBACK)
    held = _tokens(flow, client)["access_token"]
    assert made.replace(**PLAIN, scope="openid email phone").status_code == 200
    assert flow.introspect(held)["active"] is True
    assert made.replace(**PLAIN, scope="openid").status_code == 200
    assert flow.introspect(held) == {"active": False}


@pytest.mark.parametrize("lost", ["resources", "application_id", "first_party"])
def test_what_it_holds_ends_when_the_installation_takes_something_away(
    world: World, client: Any, lost: str
) -> None:
    with world.services.db.write() as session:
        application = make_application(session).id
    held: dict[str, Any] = {
        "application_id": application,
        "first_party": True,
        "options": Options(resources=("https://a.example", "https://b.example")),
    }
    party = world.register(**held)
    less: dict[str, dict[str, Any]] = {
        "resources": {"options": Options(resources=("https://a.example",))},
        "application_id": {"application_id": None},
        "first_party": {"first_party": False},
    }
    has = world.services
    epochs = [world.one(Client, party.id).epoch]
    for change in ({"name": "Tên khác"}, less[lost]):
        with has.db.write() as session:
            row = session.get_one(Client, party.id)
            wanted = Registration.of(row).but(**change)
            clients.replace(
                session, row, wanted, keyring=has.keyring, actor=OPERATOR, now=has.clock()
            )
        epochs.append(world.one(Client, party.id).epoch)
    assert epochs == [1, 1, 2]


def test_what_the_installation_decided_outlives_an_update(
    registrar: Registrar, world: World
) -> None:
    made = registrar.register(**FAPI)
    (row,) = registrar.rows()
    options = row.options | {"minimum_acr": "urn:vn:aal:2", "resources": ["https://a.example"]}
    world.change(Client, row.id, options=options)
    by_key = {name: FAPI[name] for name in ("token_endpoint_auth_method", "jwks")}
    told = made.replace(**PLAIN, **by_key).get_json()
    assert told["fapi_profile"] == "fapi2"
    (row,) = registrar.rows()
    assert row.options["minimum_acr"] == "urn:vn:aal:2"
    assert row.options["resources"] == ["https://a.example"]


TAKEN_OVER: dict[str, Callable[[Registration], Registration]] = {
    "tokens bound to a key": lambda r: _with(r, dpop_bound_access_tokens=True),
    "requests pushed": lambda r: _with(r, require_pushed_authorization_requests=True),
    "requests signed": lambda r: _with(r, require_signed_request_object=True, jwks=JWKS),
    "assurance": lambda r: _with(r, minimum_acr="urn:vn:aal:2"),
    "method": lambda r: r.but(auth_method=AuthMethod.POST),
    "profile": lambda r: _with(r, profile=Profile.FAPI2, jwks=JWKS).but(
        auth_method=AuthMethod.KEY_JWT,
        id_token_alg=None,
    ),
    "less scope": lambda r: r.but(scopes=("openid",)),
}


def _with(found: Registration, **options: Any) -> Registration:
    return found.saying(options)


def _changed_by_operator(registrar: Registrar, change: Any) -> None:
    has, (row,) = registrar.services, registrar.rows()
    with has.db.write() as session:
        held = clients.held(session, row.client_id)
        wanted = change(Registration.of(held))
        clients.replace(session, held, wanted, keyring=has.keyring, actor=OPERATOR, now=has.clock())


@pytest.mark.both_databases
@pytest.mark.parametrize("change", TAKEN_OVER.values(), ids=list(TAKEN_OVER))
def test_a_client_its_operator_has_changed_manages_itself_no_longer(
    registrar: Registrar, change: Any
) -> None:
    """RFC 7592 §2.1 to §2.3: what she has set it neither loosens, nor removes, nor reads."""
    made = registrar.register(scope="openid email")
    (before,) = registrar.rows()
    _changed_by_operator(registrar, change)
    with registrar.services.db.read() as session:
        kept = session.get_one(Client, before.id)
    for answer in (made.replace(**PLAIN), made.read(), made.remove()):
        assert answer.status_code == 401
        assert answer.get_json() == {"error": "invalid_token"}
    with registrar.services.db.read() as session:
        now = session.get_one(Client, before.id)
    assert now.enabled
    assert (now.options, now.scopes, now.auth_method) == (
        kept.options,
        kept.scopes,
        kept.auth_method,
    )


ACTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "disabled and enabled": (("disable",), ("enable",)),
    "enabled": (("enable",),),
    "another secret": (("rotate",),),
    "another secret, the old one ended": (("rotate", "--overlap-days", "0"),),
    "old secrets ended": (("retire-secrets",),),
}


@pytest.mark.both_databases
@pytest.mark.parametrize("acts", ACTS.values(), ids=list(ACTS))
def test_nor_does_one_its_operator_has_acted_on(
    registrar: Registrar, acts: tuple[tuple[str, ...], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What she has disabled for a day is not again in the hands of whoever has its token."""
    made = registrar.register()
    monkeypatch.setattr(client_commands, "services", lambda: registrar.services)
    monkeypatch.setattr(client_changes, "services", lambda: registrar.services)
    for name, *options in acts:
        ran = CliRunner().invoke(client_commands.client, [name, made.party.client_id, *options])
        assert ran.exit_code == 0, ran.output
    for answer in (made.read(), made.replace(**PLAIN), made.remove()):
        assert (answer.status_code, answer.get_json()) == (401, {"error": "invalid_token"})
    assert registrar.rows() == []


@pytest.mark.both_databases
@pytest.mark.parametrize("act", [Registered.remove, lambda made: made.replace(**PLAIN)])
def test_nor_while_the_operator_is_about_to_change_it(
    registrar: Registrar, app: Any, act: Any
) -> None:
    """CWE-367: whoever waits for her is judged by what she has done."""
    made, answers = registrar.register(), []
    other = replace(made, browser=app.test_client())
    thread = threading.Thread(target=lambda: answers.append(act(other).status_code))
    has, (row,) = registrar.services, registrar.rows()
    with has.db.write() as session:
        held = clients.held(session, row.client_id)
        wanted = Registration.of(held).but(name="Của chúng tôi")
        clients.replace(session, held, wanted, keyring=has.keyring, actor=OPERATOR, now=has.clock())
        thread.start()
        thread.join(0.4)  # it waits for her lock by then
    thread.join(60)
    assert answers == [401]
    with has.db.read() as session:
        now = session.get_one(Client, row.id)
    assert (now.enabled, now.name) == (True, "Của chúng tôi")


def test_a_client_its_operator_only_looked_at_still_manages_itself(registrar: Registrar) -> None:
    made = registrar.register()
    _changed_by_operator(registrar, lambda found: found)
    assert made.replace(**PLAIN).status_code == 200
    assert made.read().status_code == 200
    assert made.remove().status_code == 204


@pytest.mark.both_databases
def test_a_removed_client_is_gone_and_so_is_what_it_held(
    registrar: Registrar, world: World, client: Any
) -> None:
    made = registrar.register()
    world.sign_in(client)
    flow = Flow(client, made.party, scope="openid email", redirect_uri=CALLBACK)
    held = _tokens(flow, client)["access_token"]
    assert flow.userinfo(held).status_code == 200
    answer = made.remove()
    assert (answer.status_code, answer.data) == (204, b"")
    assert flow.userinfo(held).status_code == 401
    assert flow.token(grant_type="client_credentials").status_code == 401
    for again in (made.read(), made.replace(**PLAIN), made.remove()):
        assert again.status_code == 401
        assert again.get_json() == {"error": "invalid_token"}


def test_a_disabled_client_may_not_manage_itself(registrar: Registrar, world: World) -> None:
    made = registrar.register()
    world.change(Client, registrar.rows()[0].id, enabled=False)
    assert made.read().status_code == 401


def test_managing_needs_the_token_of_this_client(registrar: Registrar) -> None:
    made, other = registrar.register(), registrar.register()
    bare = registrar.browser.get(made.path)
    assert bare.status_code == 401
    assert bare.headers["WWW-Authenticate"] == 'Bearer realm="dinhdanh"'
    for token in (other.token, made.token[:-1], registrar.invite(), made.told["client_secret"]):
        for answer in (made.read(token), made.replace(token, **PLAIN), made.remove(token)):
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert replace(made, told=made.told | {"client_id": "nobody"}).read().status_code == 401
    assert made.read().status_code == 200


# ---- what people are shown ---------------------------------------------------------------------

SHOWN: dict[str, Any] = {
    "client_name": "Cửa hàng",
    "client_name#en": "Shop",
    "logo_uri": "https://cdn.example/logo.png",
    "policy_uri": "https://app.example/policy",
    "tos_uri": "https://app.example/tos",
}


@pytest.mark.parametrize(("language", "name"), [("vi", "Cửa hàng"), ("en", "Shop")])
def test_sign_in_and_consent_show_the_application_as_it_describes_itself(
    registrar: Registrar, world: World, client: Any, language: str, name: str
) -> None:
    flow = Flow(client, registrar.register(**SHOWN).party, scope="openid", redirect_uri=CALLBACK)
    client.set_cookie("lang", language, domain="localhost")
    sign_in = client.get(flow.ask().headers["Location"])
    world.sign_in(client)
    for page in (sign_in, flow.ask()):
        assert page.status_code == 200
        assert name in page.text
        for address in (SHOWN["logo_uri"], SHOWN["policy_uri"], SHOWN["tos_uri"]):
            assert f'"{address}"' in page.text
        policy = page.headers["Content-Security-Policy"]
        assert "img-src 'self' data: https://cdn.example;" in policy


def test_a_picture_of_one_application_is_allowed_on_its_own_pages_only(
    registrar: Registrar, world: World, client: Any
) -> None:
    registrar.register(**SHOWN)
    other = registrar.register()
    world.sign_in(client)
    page = Flow(client, other.party, scope="openid", redirect_uri=CALLBACK).ask()
    assert "img-src 'self' data:;" in page.headers["Content-Security-Policy"]


@pytest.mark.both_databases
def test_of_two_registrations_at_once_by_one_token_one_is_made(
    registrar: Registrar, app: Any
) -> None:
    token, barrier, answers = registrar.invite(), threading.Barrier(3), []

    def one() -> None:
        other = Registrar(app.test_client(), registrar.services)
        barrier.wait()
        answers.append(other.ask(PLAIN, token).status_code)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(answers) == [201, 401, 401]
    assert len(registrar.rows()) == 1
