"""The plain relying party: authorization code with PKCE, tokens, introspection, userinfo."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2


@dataclass(frozen=True)
class Request:
    """One authorization request, and what its answer must match."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True)
class Answer:
    """Status and JSON body of one call."""

    status: int
    body: dict[str, Any]
    seconds: float

    @property
    def error(self) -> str | None:
        """The OAuth error code."""
        return self.body.get("error")


class RelyingParty:
    """A confidential client as its owner would write one; it trusts discovery alone."""

    def __init__(self, issuer: str, client: dict[str, Any], *, verify: Any = True) -> None:
        self.client = client
        self.redirect_uri: str = (client.get("redirect_uris") or [""])[0]
        self._http = httpx2.Client(verify=verify, timeout=20.0, trust_env=False)
        found = self._http.get(f"{issuer}/.well-known/openid-configuration")
        found.raise_for_status()
        self.metadata: dict[str, Any] = found.json()

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def request(self, scope: str, **more: str) -> Request:
        """A new authorization request with PKCE S256 (RFC 7636), state and nonce."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        state, nonce = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
        query = {
            "response_type": "code",
            "client_id": self.client["client_id"],
            "redirect_uri": self.redirect_uri,
            "scope": scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **more,
        }
        url = f"{self.metadata['authorization_endpoint']}?{urlencode(query)}"
        return Request(url, state, nonce, verifier)

    def redeem(self, code: str, request: Request) -> Answer:
        """Exchange a code."""
        return self._post(
            "token_endpoint",
            grant_type="authorization_code",
            code=code,
            redirect_uri=self.redirect_uri,
            code_verifier=request.verifier,
        )

    def refresh(self, token: str) -> Answer:
        """Use a refresh token."""
        return self._post("token_endpoint", grant_type="refresh_token", refresh_token=token)

    def client_credentials(self, scope: str) -> Answer:
        """A token on the client's own account."""
        return self._post("token_endpoint", grant_type="client_credentials", scope=scope)

    def introspect(self, token: str) -> Answer:
        """Whether a token is good (RFC 7662)."""
        return self._post("introspection_endpoint", token=token)

    def userinfo(self, token: str) -> Answer:
        """Who the token speaks of."""
        answer = self._http.get(
            self.metadata["userinfo_endpoint"], headers={"Authorization": f"Bearer {token}"}
        )
        return answer_of(answer)

    def _post(self, endpoint: str, **form: str) -> Answer:
        answer = self._http.post(
            self.metadata[endpoint],
            data=form,
            auth=(self.client["client_id"], self.client["client_secret"]),
        )
        return answer_of(answer)


def claims(id_token: str) -> dict[str, Any]:
    """The claims of an ID token just received from the token endpoint over its own connection.

    OIDC Core §3.1.3.7 (6) lets a client rely on TLS there; application A verifies signatures.
    """
    payload = id_token.split(".")[1]
    found: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return found


def answer_of(response: httpx2.Response) -> Answer:
    try:
        body = response.json()
    except ValueError:
        body = {}
    return Answer(
        response.status_code,
        body if isinstance(body, dict) else {"body": body},
        response.elapsed.total_seconds(),
    )
