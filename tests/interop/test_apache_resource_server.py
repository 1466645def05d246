"""An API behind Debian's Apache asks about each access token (RFC 7662): those that name it
(RFC 8707) and are good get through, and no others.
"""

from typing import Any

import httpx2
import pytest

from idp.oidc.clients import API_SCOPES, GrantType, Options, TokenFormat
from tests.bent import bent
from tests.interop import apache
from tests.interop.apache import shown
from tests.interop.provider import Party

DIRECTIVES = """
OIDCOAuthServerMetadataURL {issuer}/.well-known/oauth-authorization-server
OIDCOAuthClientID {client_id}
OIDCOAuthClientSecret {secret}
OIDCOAuthTokenIntrospectionInterval -1
OIDCRedirectURI {base}/callback
OIDCCryptoPassphrase {client_id}
OIDCOAuthRemoteUserClaim client_id
<Location />
  AuthType oauth20
  <RequireAll>
    Require claim aud:{base}/
    Require claim scope~(^|\\s)changes:read(\\s|$)
  </RequireAll>
</Location>
"""


def machine(provider: Any, resource: str, **columns: Any) -> Party:
    """A client that may ask for tokens for this resource."""
    found: Party = provider.register(
        "Máy",
        grant_types=(GrantType.CLIENT,),
        scopes=API_SCOPES,
        options=Options(resources=(resource,)),
        **columns,
    )
    return found


def token(provider: Any, party: Party, **form: str) -> str:
    """An access token of the client's own."""
    answer = httpx2.post(
        f"{provider.issuer}/oauth2/token",
        auth=party.basic,
        data={"grant_type": "client_credentials", "scope": "changes:read"} | form,
    )
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["access_token"]
    return found


def call(url: str, text: str = "") -> httpx2.Response:
    headers = {"Authorization": f"Bearer {text}"} if text else {}
    return httpx2.get(f"{url}/", headers=headers)


@pytest.mark.parametrize("form", TokenFormat)
def test_it_takes_tokens_that_are_meant_for_it(provider, form):
    apache.require()
    port = next(provider.ports)
    base = f"http://localhost:{port}"
    api = machine(provider, f"{base}/", resource_server=True)
    conf = DIRECTIVES.format(
        issuer=provider.issuer, client_id=api.client_id, secret=api.secret, base=base
    )
    party = machine(provider, f"{base}/", access_token_format=form)
    text = token(provider, party, resource=f"{base}/")
    with apache.running(port, conf) as httpd:
        answer = call(base, text)
        assert answer.status_code == 200, httpd.log()
        assert shown(answer)["REMOTE_USER"] == party.client_id
        assert shown(answer)["AUTH_TYPE"] == "oauth20"

        assert call(base).status_code == 401
        assert call(base, bent(text, -3)).status_code == 401
        elsewhere = token(provider, party, resource=f"{provider.issuer}/api/v1")
        assert call(base, elsewhere).status_code in (401, 403)
        writing = token(provider, party, resource=f"{base}/", scope="changes:write")
        assert call(base, writing).status_code in (401, 403)
        provider.disable(party)
        assert call(base, text).status_code == 401
