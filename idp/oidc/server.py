"""Authlib's authorization server, assembled, with its unsafe defaults closed.

Each row is held by a test in tests/flows/test_oidc*.py or tests/integration/test_oidc_races.py.

    what Authlib 1.9.9 does                          closed in
    saves tokens, then deletes the code              code, refresh (consume first)
    PKCE optional, ``plain`` accepted                code.Pkce
    repeated parameters, query and body mixed        request
    two client authentications at once               authentication
    bytes that are no UTF-8 in credentials raise     authentication
    non-ASCII redirect URIs raise                    redirects, authorize
    equal tokens within one second                   handles (generation, jti)
    unknown token_type_hint refused with 401         introspection, revocation
    time.time()                                      request.now
    tokens in the debug log                          here
"""

import logging
from collections.abc import Mapping
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from flask import Response, json

from connectors.tools import Tools
from idp.oidc.clients.kinds import GrantType
from idp.oidc.clients.refusals import BY_ERROR, Reason
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types.client_credentials import MachineGrant
from idp.oidc.grant_types.code import CodeGrant, Pkce
from idp.oidc.grant_types.device import DeviceAuthorization, DeviceGrant
from idp.oidc.grant_types.exchange import ExchangeGrant
from idp.oidc.grant_types.issuing import IdToken
from idp.oidc.grant_types.refresh import RefreshGrant
from idp.oidc.introspection import Introspection
from idp.oidc.proofs import authentication, possession
from idp.oidc.provider import Provider
from idp.oidc.request import Request
from idp.oidc.revocation import Revocation

logging.getLogger("authlib").setLevel(logging.INFO)
"""Authlib writes whole token answers to its debug log."""


GRANT_TYPES = frozenset(
    {
        GrantType.CODE,
        GrantType.REFRESH,
        GrantType.CLIENT,
        GrantType.DEVICE,
        GrantType.EXCHANGE,
    }
)
"""What the token endpoint answers."""


class Server(AuthorizationServer):  # type: ignore[misc]
    """One per process."""

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self.provider = Provider.of(tools)
        id_token = IdToken(self.provider)
        self.register_grant(CodeGrant, [Pkce(required=True), id_token])
        self.register_grant(RefreshGrant, [id_token])
        self.register_grant(MachineGrant)
        self.register_grant(DeviceGrant, [id_token])
        self.register_grant(ExchangeGrant)
        self.register_endpoint(Introspection)
        self.register_endpoint(Revocation)
        self.register_endpoint(DeviceAuthorization)

    def create_oauth2_request(self, request: Request) -> Request:
        """Requests come as ours: parameters checked, connection and moment given."""
        return request

    def authenticate_client(
        self, request: Request, methods: list[str], endpoint: str = "token"
    ) -> ClientView:
        """By the one method the client has registered; where tokens are given, the key they will
        belong to is proven with it, before any code or token is looked at.
        """
        client, method = authentication.authenticate(self.provider, request, endpoint=endpoint)
        request.identified(client, method)
        if endpoint == "token":
            request.bind(possession.bound_to(self.provider, request, client))
        return client

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(
        self, status_code: int, payload: Any, headers: list[tuple[str, str]] | Mapping[str, str]
    ) -> Response:
        """To Flask."""
        body = json.dumps(payload) if isinstance(payload, dict) else payload
        return Response(body, status=status_code, headers=headers)

    def handle_error_response(self, request: Request, error: OAuth2Error) -> Response:
        """The JSON answer to an error; the client's owner is told what it was."""
        self.note(request, error)
        answer: Response = super().handle_error_response(request, error)
        return answer

    def note(
        self, request: Request, error: OAuth2Error, *, client: ClientView | None = None
    ) -> None:
        """Keep why a client that is known by now was refused, if it is its own doing."""
        reason = getattr(error, "reason", None) or BY_ERROR.get(str(error.error))
        known = client or request.client
        if known is not None and reason is not None:
            detail = _told(error, reason, request)
            request.keep_refusal(self.provider.refusals, known, reason, detail)

    def refuse(self, error: OAuth2Error) -> Response:
        """The JSON answer to an error at an endpoint a client calls."""
        return self.handle_response(*error())

    def token(self, request: Request) -> Response:
        """The token endpoint (RFC 6749 §3.2)."""
        if request.payload.grant_type is None:
            return self.refuse(InvalidRequestError("Missing grant_type."))
        if request.payload.grant_type not in GRANT_TYPES:
            return self.refuse(OAuth2Error(error="unsupported_grant_type"))
        answer: Response = self.create_token_response(request)
        return answer


_SENT = {
    Reason.RESPONSE_TYPE: "response_type",
    Reason.GRANT_TYPE: "grant_type",
    Reason.SCOPE: "scope",
    Reason.RESOURCE: "resource",
    Reason.PKCE: "code_challenge_method",
}
"""What was sent says more than the error about it."""


def _told(error: OAuth2Error, reason: Reason, request: Request) -> str:
    """What the owner reads beside the sentence: nothing of it is secret."""
    if reason in _SENT:
        return request.get(_SENT[reason]) or ""
    return f"{error.error}: {error.get_error_description() or ''}".rstrip(": ")
