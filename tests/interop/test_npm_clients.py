"""openid-client and oauth4webapi: a person signs in, her tokens live and end, she signs out.

The whole life of a sign-in runs in ``make test``; every further way of asking in ``make test-slow``.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from idp.oidc.clients import (
    API_SCOPES,
    AuthMethod,
    GrantType,
    Options,
    Profile,
    ResponseType,
    invites,
)
from tests.interop import scripts
from tests.interop.provider import OPERATOR, Party, new_key
from tests.interop.story import GOODBYE, LIBRARIES, REDIRECT, check, party, sign_in

DOCUMENT = scripts.NODE.parents[2] / "docs" / "interop.md"


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> str:
    """Each of the two."""
    return str(request.param)


def test_code_flow_userinfo_refresh_introspection_revocation_logout(library, provider, person):
    found = sign_in(library, provider, person, party(provider))
    check(found, provider, person)
    assert found["rotated"] is True
    assert found["introspection"]["active"] is True
    assert found["introspection"]["sub"] == provider.sub
    assert found["introspection_after"] == {"active": False}


@pytest.mark.slow
@pytest.mark.parametrize("method", [AuthMethod.POST, AuthMethod.NONE])
def test_other_ways_a_client_names_itself(library, provider, person, method):
    found = sign_in(
        library, provider, person, party(provider, auth_method=method), auth=method.value
    )
    check(found, provider, person)


WAYS = {
    "client_secret_jwt": {"auth_method": AuthMethod.SECRET_JWT},
    "private_key_jwt ES256": {"key": "ES256"},
    "private_key_jwt PS256": {"key": "PS256"},
    "PAR": {"par": True},
    "signed request": {"key": "ES256", "jar": True},
    "pushed signed request": {"key": "RS256", "jar": True, "par": True},
    "JARM": {"jarm": True},
    "hybrid": {"hybrid": True},
    "signed answers": {"signed": True},
    "DPoP": {"dpop": True},
    "token exchange": {"exchange": "openid profile"},
    "FAPI 2.0 Security Profile": {"fapi": Profile.FAPI2},
    "FAPI 2.0 Message Signing": {"fapi": Profile.FAPI2_SIGNED},
}


def arranged(provider: Any, way: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A client registered for one of the ways, and its configuration."""
    way = dict(way)
    how: dict[str, Any] = {}
    columns: dict[str, Any] = {}
    options: dict[str, Any] = {}
    profile = way.pop("fapi", None)
    if profile is not None:
        way |= {"key": "ES256", "par": True, "dpop": True}
        options["profile"] = profile
        columns["id_token_alg"] = "ES256"
    if profile is Profile.FAPI2_SIGNED:
        way |= {"jar": True, "jarm": True}
    if algorithm := way.pop("key", None):
        private, public = new_key(algorithm)
        how["key"] = private
        options["jwks"] = {"keys": [public]}
        options["token_endpoint_auth_signing_alg"] = algorithm
        columns["auth_method"] = AuthMethod.KEY_JWT
    if way.get("jar"):
        options["request_object_signing_alg"] = algorithm
    if way.get("jarm"):
        options["authorization_signed_response_alg"] = columns.get("id_token_alg", "RS256")
    if way.pop("signed", False):
        options["userinfo_signed_response_alg"] = "ES256"
        options["introspection_signed_response_alg"] = "ES256"
    if way.get("dpop"):
        options["dpop_bound_access_tokens"] = True
    if way.get("exchange"):
        columns["grant_types"] = (GrantType.CODE, GrantType.REFRESH, GrantType.EXCHANGE)
    if way.get("hybrid"):
        columns["response_types"] = (ResponseType.CODE, ResponseType.CODE_ID_TOKEN)
        columns["grant_types"] = (GrantType.CODE, GrantType.REFRESH, GrantType.IMPLICIT)
    columns["auth_method"] = way.pop("auth_method", columns.get("auth_method", AuthMethod.BASIC))
    how["auth"] = columns["auth_method"].value
    registered = party(provider, options=Options(**options), **columns)
    return registered, how | way | {"metadata": metadata(columns, options)}


def metadata(columns: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """What the client was registered with, as far as it checks our answers against it."""
    kept = (
        "authorization_signed_response_alg",
        "introspection_signed_response_alg",
        "request_object_signing_alg",
        "userinfo_signed_response_alg",
    )
    found = {name: options[name] for name in kept if name in options}
    if "id_token_alg" in columns:
        found["id_token_signed_response_alg"] = columns["id_token_alg"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_ask_ends_in_the_same(library, provider, person, way):
    registered, how = arranged(provider, WAYS[way])
    found = sign_in(library, provider, person, registered, **how)
    check(found, provider, person)
    assert found["token_type"] == ("dpop" if how.get("dpop") else "bearer")
    # FAPI 2.0 §5.3.2.1 item 9: a refresh token that is good with its key alone stays the same.
    assert found["rotated"] is not bool(how.get("dpop"))
    assert ("cnf" in found["introspection"]) is bool(how.get("dpop"))
    if way.startswith("FAPI") and library == "oauth4webapi":
        assert found["nonces"] > 0, "the provider wants its own nonce in the proofs"
    if how.get("par"):
        assert sorted(found["asked"]) == ["client_id", "request_uri"]
    elif how.get("jar"):
        assert sorted(found["asked"]) == ["client_id", "request"]
    if how.get("exchange"):
        assert found["exchanged"]["scope"] == "openid profile"
        assert found["exchanged"]["issued_token_type"].endswith(":access_token")
        assert "email" not in found["narrower"]
        assert "email" in found["userinfo"]
    if how.get("jarm"):
        assert found["landed"] == ["response"]


@pytest.mark.slow
def test_a_client_registers_itself_and_people_are_asked(library, provider, person):
    private, public = new_key("ES256")
    with served({"keys": [public]}, port=next(provider.ports)) as jwks_uri:
        wanted = {
            "client_name": "Tự đăng ký",
            "redirect_uris": [REDIRECT],
            "post_logout_redirect_uris": [GOODBYE],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "id_token_signed_response_alg": "ES256",
            "scope": "openid profile email org",
            "jwks_uri": jwks_uri,
        }
        config = {
            "issuer": provider.issuer,
            "metadata": wanted,
            "initial_access_token": invite(provider),
        }
        made = scripts.run(f"{library}/registration.mjs", config)
        assert made["refused"] in ("invalid_token", "OAUTH_WWW_AUTHENTICATE_CHALLENGE")
        assert made["client"]["jwks_uri"] == jwks_uri
        registered = Party(made["client"]["client_id"], None)
        how = {
            "key": private,
            "auth": "private_key_jwt",
            "metadata": {"id_token_signed_response_alg": "ES256"},
        }
        found = sign_in(library, provider, person, registered, **how)
    check(found, provider, person, forms=("password", "allow"))


def invite(provider: Any) -> str:
    """An initial access token for one registration."""
    services = provider.services
    with services.db.write() as session:
        return invites.issue(
            session,
            uses=1,
            lifetime=timedelta(hours=1),
            keyring=services.keyring,
            actor=OPERATOR,
            now=services.clock(),
        )


@contextlib.contextmanager
def served(document: dict[str, Any], *, port: int) -> Iterator[str]:
    """Where this document is served for a while."""
    with HTTPServer(host="localhost", port=port) as server:
        server.expect_request("/keys").respond_with_json(document)
        yield server.url_for("/keys")


@pytest.mark.slow
@pytest.mark.parametrize("complete", [False, True], ids=["typed", "scanned"])
def test_a_device_is_let_in_from_her_browser(library, provider, person, complete):
    registered = provider.register(
        "Máy quét", grant_types=(GrantType.DEVICE, GrantType.REFRESH), redirect_uris=()
    )
    how = {"complete": complete, "hasty": complete}
    config = registered.config | {"issuer": provider.issuer} | how
    found = scripts.run(f"{library}/device.mjs", config, person)
    assert person.filled_in == ["password", "code", "allow"]
    assert found["landed"] == "/device/allowed"
    assert found["claims"]["sub"] == provider.sub
    assert found["userinfo"]["name"] == provider.full_name
    if library == "oauth4webapi":
        assert found["refusals"] == ["authorization_pending", "slow_down"][: 1 + complete]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["secret", "key", "DPoP"])
def test_a_client_acts_on_its_own_account(library, provider, way):
    columns: dict[str, Any] = {}
    how: dict[str, Any] = {"dpop": way == "DPoP"}
    options: dict[str, Any] = {"dpop_bound_access_tokens": way == "DPoP"}
    if way == "key":
        how["key"], public = new_key("ES256")
        options["jwks"] = {"keys": [public]}
        columns["auth_method"] = AuthMethod.KEY_JWT
    registered = provider.register(
        "Máy",
        grant_types=(GrantType.CLIENT,),
        scopes=API_SCOPES,
        options=Options(**options),
        **columns,
    )
    config = registered.config | {
        "issuer": provider.issuer,
        "parameters": {"scope": "changes:read"},
        "api": f"{provider.issuer}/api/v1/changes/none",
    }
    found = scripts.run(f"{library}/machine.mjs", config | how)
    assert found["token_type"] == ("dpop" if how["dpop"] else "bearer")
    assert found["scope"] == "changes:read"
    assert "refresh_token" not in found
    assert found["status"] == 404, "the API knows the caller, and there is no such change"
    assert found["refused"] == "invalid_scope"


def test_the_document_names_the_versions_that_are_run():
    packages = json.loads((scripts.NODE / "package.json").read_text("utf-8"))["dependencies"]
    document = DOCUMENT.read_text("utf-8")
    for name, version in packages.items():
        assert re.search(rf"`{name}`[^|`]*\|? ?{re.escape(version)}\b", document), name
