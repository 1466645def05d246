"""Authlib's own client: sign-in, userinfo, refresh, introspection, revocation; as itself, too."""

import secrets
from typing import Any

import httpx2
import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc7523 import ClientSecretJWT, PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from idp.oidc.clients import API_SCOPES, AuthMethod, GrantType, Options
from tests.interop.provider import new_key

REDIRECT = "http://localhost:9/callback"
VERIFIER = secrets.token_urlsafe(48)


def client(provider: Any, party: Any, **how: Any) -> tuple[OAuth2Client, dict[str, Any]]:
    """A client and the metadata it has discovered."""
    metadata = httpx2.get(f"{provider.issuer}/.well-known/openid-configuration").json()
    options = {
        "token_endpoint_auth_method": "client_secret_basic",
        "revocation_endpoint_auth_method": "client_secret_basic",
        "token_endpoint": metadata["token_endpoint"],
    } | how
    secret = how.pop("key", None) or party.secret
    made = OAuth2Client(party.client_id, secret, **options)
    for assertion in (ClientSecretJWT(), PrivateKeyJWT(alg="ES256")):
        made.register_client_auth_method(assertion)
    return made, metadata


METHODS = (AuthMethod.BASIC, AuthMethod.POST, AuthMethod.SECRET_JWT, AuthMethod.KEY_JWT)


@pytest.mark.parametrize("method", METHODS)
def test_a_person_signs_in_and_her_tokens_live_and_end(provider, person, method):
    private, public = new_key("ES256")
    by_key = method is AuthMethod.KEY_JWT
    party = provider.register(
        "Công việc",
        redirect_uris=(REDIRECT,),
        auth_method=method,
        options=Options(jwks={"keys": [public]}) if by_key else Options(),
    )
    made, metadata = client(
        provider,
        party,
        key=ECKey.import_key(private) if by_key else None,
        redirect_uri=REDIRECT,
        scope="openid profile org",
        code_challenge_method="S256",
        token_endpoint_auth_method=method.value,
        revocation_endpoint_auth_method=method.value,
    )
    with made:
        url, state = made.create_authorization_url(
            metadata["authorization_endpoint"], code_verifier=VERIFIER, nonce="n-0S6_WzA2Mj"
        )
        landed = person.landed(url, until=REDIRECT)
        token = made.fetch_token(authorization_response=landed, state=state, code_verifier=VERIFIER)
        claims = id_token(token["id_token"], metadata, made.client_id, token["access_token"])
        assert claims["sub"] == provider.sub
        assert made.get(metadata["userinfo_endpoint"]).json()["name"] == provider.full_name

        newer = made.refresh_token()
        assert newer["refresh_token"] != token["refresh_token"]
        assert made.get(metadata["userinfo_endpoint"]).json()["sub"] == provider.sub

        said = made.introspect_token(
            metadata["introspection_endpoint"], token=newer["access_token"]
        ).json()
        assert said["active"] is True
        assert said["client_id"] == party.client_id

        gone = made.revoke_token(metadata["revocation_endpoint"], token=newer["refresh_token"])
        assert gone.status_code == 200
        with pytest.raises(OAuthError, match="invalid_grant"):
            made.refresh_token(refresh_token=newer["refresh_token"])


def id_token(text: str, metadata: dict[str, Any], client_id: str, access_token: str) -> CodeIDToken:
    """The claims, checked as Authlib's OpenID client checks them."""
    keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"]).json())
    token = jwt.decode(text, keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={"iss": {"value": metadata["issuer"]}, "aud": {"value": client_id}},
        params={"nonce": "n-0S6_WzA2Mj", "access_token": access_token, "client_id": client_id},
    )
    claims.validate(leeway=5)
    return claims


def test_a_client_acts_on_its_own_account(provider):
    party = provider.register("Máy", grant_types=(GrantType.CLIENT,), scopes=API_SCOPES)
    made, _ = client(provider, party, scope="changes:read", grant_type="client_credentials")
    with made:
        token = made.fetch_token()
        assert token["scope"] == "changes:read"
        assert "refresh_token" not in token
        answer = made.get(f"{provider.issuer}/api/v1/changes/none")
        assert answer.status_code in (403, 404)
