"""mod_auth_openidc under Debian's Apache: sign-in, refresh, logout from either side."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from idp.oidc.clients import AuthMethod, Options
from tests.crash.installation import wait_for
from tests.interop import apache
from tests.interop.apache import Apache, shown

DIRECTIVES = """
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCRedirectURI {base}/callback
OIDCCryptoPassphrase "{passphrase}"
OIDCScope "openid profile email org"
OIDCPKCEMethod S256
OIDCRemoteUserClaim preferred_username
OIDCSessionType server-cache
{more}
<Location />
  AuthType openid-connect
  Require valid-user
</Location>
<Location /fresh>
  OIDCRefreshAccessTokenBeforeExpiry 299 logout_on_error
</Location>
<Location /open>
  AuthType openid-connect
  OIDCUnAuthAction pass
  Require all granted
</Location>
"""


PATHS = ("open", "fresh")


def directives(provider: Any, port: int, *, more: str = "", **columns: Any) -> str:
    """The directives of a client that is registered with them."""
    base = f"http://localhost:{port}"
    values: dict[str, Any] = {
        "redirect_uris": (f"{base}/callback",),
        "post_logout_redirect_uris": (f"{base}/open/",),
        "backchannel_logout_uri": f"{base}/callback?logout=backchannel",
    }
    party = provider.register("Trang nội bộ", **(values | columns))
    return DIRECTIVES.format(
        issuer=provider.issuer,
        client_id=party.client_id,
        secret=party.secret,
        base=base,
        passphrase="thuyền về bến cũ",
        more=more,
    )


@pytest.fixture(scope="module")
def httpd(provider: Any) -> Iterator[Apache]:
    """One Apache for this module."""
    apache.require()
    port = next(provider.ports)
    with apache.running(port, directives(provider, port), paths=PATHS) as made:
        yield made


def signed_in(httpd: Apache, person: Any) -> dict[str, str]:
    page = person.page(f"{httpd.url}/")
    assert page.status_code == 200, f"{page.url} {page.text}\n{httpd.log()}"
    return shown(page)


def asks_to_sign_in(httpd: Apache, person: Any) -> bool:
    """Whether the protected page sends her to the provider."""
    answer = person.browser.get(f"{httpd.url}/", follow_redirects=False)
    return answer.status_code == 302 and answer.headers["Location"].startswith(person.issuer)


def test_whoever_signs_in_is_named_to_the_application(httpd, provider, person):
    assert asks_to_sign_in(httpd, person)
    told = signed_in(httpd, person)
    assert person.filled_in == ["password"]
    assert told["REMOTE_USER"] == provider.username
    assert told["OIDC_CLAIM_sub"] == provider.sub
    assert told["OIDC_CLAIM_iss"] == provider.issuer
    assert told["OIDC_CLAIM_name"] == provider.full_name
    assert provider.unit_name in told["OIDC_CLAIM_org"]
    assert not asks_to_sign_in(httpd, person)


def test_tokens_are_refreshed_when_the_application_asks(httpd, provider, person):
    before = signed_in(httpd, person)["OIDC_access_token"]
    hook = {"refresh": f"{httpd.url}/", "access_token": before}
    page = person.page(f"{httpd.url}/callback?{urlencode(hook)}")
    assert page.url == f"{httpd.url}/", httpd.log()
    after = shown(page)["OIDC_access_token"]
    assert after != before
    assert person.filled_in == ["password"]
    asked = httpx2.get(
        f"{provider.issuer}/oauth2/userinfo", headers={"Authorization": f"Bearer {after}"}
    )
    assert asked.json()["sub"] == provider.sub


def test_tokens_are_refreshed_before_they_expire(httpd, person):
    before = signed_in(httpd, person)
    wait_for(
        "a newer token",
        lambda: (
            shown(person.page(f"{httpd.url}/fresh/"))["OIDC_access_token"]
            != before["OIDC_access_token"]
        ),
        within=60,
    )
    assert not asks_to_sign_in(httpd, person)
    assert "oidc_refresh_access_token_before_expiry" not in httpd.errors()


def test_signing_out_at_the_application_ends_the_session_at_the_provider(httpd, provider, person):
    signed_in(httpd, person)
    goodbye = urlencode({"logout": f"{httpd.url}/open/"})
    page = person.page(f"{httpd.url}/callback?{goodbye}")
    assert page.url == f"{httpd.url}/open/", page.text
    assert "REMOTE_USER" not in shown(page)
    assert person.browser.get(f"{provider.issuer}/session/status").status_code == 401
    signed_in(httpd, person)
    assert person.filled_in == ["password", "password"]


def test_signing_out_at_the_provider_ends_the_session_at_the_application(httpd, provider, person):
    other = provider.person()
    signed_in(httpd, other)
    signed_in(httpd, person)
    person.sign_out()
    wait_for("the logout token", lambda: asks_to_sign_in(httpd, person), within=60)
    assert not asks_to_sign_in(httpd, other), "only the session that ended is named by its sid"


def test_the_browser_itself_can_tell_the_application_of_the_end(provider, person):
    apache.require()
    port = next(provider.ports)
    told_by = Options(
        frontchannel_logout_uri=f"http://localhost:{port}/callback?logout=get",
        frontchannel_logout_session_required=True,
    )
    conf = directives(provider, port, backchannel_logout_uri=None, options=told_by)
    with apache.running(port, conf) as httpd:
        signed_in(httpd, person)
        person.sign_out()
        assert asks_to_sign_in(httpd, person), httpd.log()


REQUEST_OBJECT = json.dumps(
    {
        "copy_from_request": [
            "client_id",
            "response_type",
            "redirect_uri",
            "scope",
            "state",
            "nonce",
            "code_challenge",
            "code_challenge_method",
        ],
        "crypto": {"sign_alg": "RS256"},
        "request_object_type": "request",
    }
)
KEYS = """OIDCPrivateKeyFiles "{kid}#{folder}/key.pem"
OIDCPublicKeyFiles "{kid}#{folder}/public.pem"
"""
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "form_post": ("OIDCResponseMode form_post", {}),
    "client_secret_post": (
        "OIDCProviderTokenEndpointAuth client_secret_post",
        {"auth_method": AuthMethod.POST},
    ),
    "client_secret_jwt": (
        "OIDCProviderTokenEndpointAuth client_secret_jwt",
        {"auth_method": AuthMethod.SECRET_JWT},
    ),
    "private_key_jwt": (
        f"{KEYS}OIDCProviderTokenEndpointAuth private_key_jwt",
        {"auth_method": AuthMethod.KEY_JWT},
    ),
    "signed request": (
        f"{KEYS}OIDCRequestObject {json.dumps(REQUEST_OBJECT)}",
        {"options": {"request_object_signing_alg": "RS256", "require_signed_request_object": True}},
    ),
    "signed userinfo": (
        "OIDCUserInfoSignedResponseAlg RS256",
        {"options": {"userinfo_signed_response_alg": "RS256"}},
    ),
    "ES256": ("OIDCIDTokenSignedResponseAlg ES256", {"id_token_alg": "ES256"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_apache_can_ask_signs_her_in(provider, person, tmp_path, way):
    apache.require()
    port = next(provider.ports)
    more, columns = WAYS[way]
    options = dict(columns.get("options", {}))
    with apache.keys() as (folder, kid):
        if KEYS in more:
            # Apache publishes its keys; the provider fetches them from there.
            options["jwks_uri"] = f"http://localhost:{port}/callback?jwks=rsa"
            more = more.replace("{folder}", str(folder)).replace("{kid}", kid)
        columns = columns | {"options": Options(**options)}
        conf = directives(provider, port, more=more, **columns)
        with apache.running(port, conf) as httpd:
            told = signed_in(httpd, person)
    assert told["REMOTE_USER"] == provider.username
    assert told["OIDC_CLAIM_name"] == provider.full_name
    assert person.filled_in == ["password"] + ["form_post"] * (way == "form_post")
