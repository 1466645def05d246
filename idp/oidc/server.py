"""Authlib's authorization server, assembled, with its unsafe defaults closed.

Each row is held by a test in tests/flows/test_oidc*.py or tests/integration/test_oidc_races.py.

    what Authlib 1.9.9 does                          closed in
    saves tokens, then deletes the code              order (what is used up)
    PKCE optional, ``plain`` accepted                code.Pkce
    repeated parameters, query and body mixed        request
    two client authentications at once               authentication
    bytes that are no UTF-8 in credentials raise     authentication
    non-ASCII redirect URIs raise                    redirects, parameters
    equal tokens within one second                   handles (generation, jti)
    unknown token_type_hint refused with 401         introspection, revocation
    time.time()                                      request.now
    tokens in the debug log                          here

Each override is one line that calls what does it. The checks of the token endpoint are the columns
of ``order``, all of them made before Authlib goes on.
"""

import logging
from functools import cached_property
from typing import Any

from authlib.consts import default_json_headers
from authlib.oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import BaseGrant, OAuth2Error, TokenEndpointMixin
from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc8628 import DeviceAuthorizationEndpoint, DeviceCodeGrant
from authlib.oidc.core.grants.code import OpenIDToken

from connectors.tools import Tools
from idp.oidc import order
from idp.oidc.clients.kinds import GrantType
from idp.oidc.clients.view import ClientView
from idp.oidc.grant_types import client_credentials, device, exchange, issuing, refresh
from idp.oidc.grants import GrantView
from idp.oidc.introspection import Introspection
from idp.oidc.order import Columns
from idp.oidc.proofs import authentication
from idp.oidc.request import Call, Provider, Request
from idp.oidc.revocation import Revocation
from idp.web.exchange import Answer, written

logging.getLogger("authlib").setLevel(logging.INFO)
"""Authlib writes whole token answers to its debug log."""


class Checked:
    """Mixed into Authlib's grants: the checks are ours, and no token is stored."""

    COLUMN: Columns
    CALL: type[Call] = Call
    request: Request
    server: "Server"

    @cached_property
    def call(self) -> Any:
        """What our own functions are given: a ``CALL``."""
        return self.CALL(self.server.provider, self.request, "token")

    def validate_token_request(self) -> None:
        """Every check. Raises OAuth2Error."""
        order.follow(self.COLUMN, self.call, *order.CALL)

    def generate_token(
        self, user: GrantView, scope: str | None = None, **_options: Any
    ) -> dict[str, Any]:
        """The token answer for a consumed grant."""
        return issuing.answer(self.call, user, scope=scope)

    def save_token(self, token: dict[str, Any]) -> None:
        """Nothing to save: tokens are handles, and their grant has been written."""


class CodeGrant(Checked, AuthorizationCodeGrant):  # type: ignore[misc]
    """RFC 6749 §4.1."""

    COLUMN = order.CODE

    def authenticate_user(self, authorization_code: GrantView) -> GrantView:
        """Whose it is, the grant says."""
        return authorization_code

    def delete_authorization_code(self, authorization_code: GrantView) -> None:
        """Nothing left to do: the last check has used it up."""


class RefreshGrant(Checked, RefreshTokenGrant):  # type: ignore[misc]
    """RFC 6749 §6."""

    COLUMN = order.REFRESH

    def authenticate_user(self, refresh_token: GrantView) -> GrantView:
        """Whose it is, the grant says."""
        return refresh_token

    def generate_token(
        self, user: GrantView, scope: str | None = None, **_options: Any
    ) -> dict[str, Any]:
        """The token answer, with a refresh token of the next generation."""
        return refresh.answer(self.call, user, scope=scope)

    def revoke_old_credential(self, refresh_token: GrantView) -> None:
        """Nothing left to do: the last check has used it up."""


class MachineGrant(Checked, ClientCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 §4.4."""

    COLUMN = order.CLIENT

    def generate_token(self, *_given: Any, **_options: Any) -> dict[str, Any]:
        """The token answer for the client itself."""
        return client_credentials.answer(self.call)


class DeviceGrant(Checked, DeviceCodeGrant):  # type: ignore[misc]
    """RFC 8628 §3.4, §3.5."""

    COLUMN = order.DEVICE_CODE
    CALL = device.Poll


class ExchangeGrant(Checked, BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """RFC 8693 §2. One SELECT: the client, and the token it brings."""

    GRANT_TYPE = GrantType.EXCHANGE.value
    COLUMN = order.EXCHANGE
    CALL = exchange.Exchange

    def create_token_response(self) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """§2.2.1."""
        return 200, exchange.exchanged(self.call), self.TOKEN_RESPONSE_HEADER


class IdToken(OpenIDToken):  # type: ignore[misc]
    """The ID token beside an access token (OIDC Core §3.1.3.3)."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def encode_id_token(self, token: dict[str, Any], request: Request) -> str:
        """Who signed in, when and how."""
        return issuing.id_token_beside(self._provider, request, token)


class DeviceAuthorization(DeviceAuthorizationEndpoint):  # type: ignore[misc]
    """RFC 8628 §3.1, §3.2. One SELECT and one INSERT."""

    def create_endpoint_response(
        self, request: Request
    ) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        """A device code and a user code. Raises OAuth2Error."""
        return 200, _device_codes(self.server.provider, request), default_json_headers


def _device_codes(provider: Provider, request: Request) -> dict[str, Any]:
    call = Call(provider, request, "device_authorization")
    order.follow(order.DEVICE, call, *order.CALL)
    return device.begun(call)


class Server(AuthorizationServer):  # type: ignore[misc]
    """One per process."""

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self.provider = Provider.of(tools)
        id_token = IdToken(self.provider)
        self.register_grant(CodeGrant, [id_token])
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
        """By the one method the client has registered, whatever Authlib's classes would take."""
        return authentication.authenticate(self.provider, request, endpoint=endpoint)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def answer(self, request: Request, endpoint: str) -> Answer:
        """What this endpoint answers, an error as well."""
        found: Answer = (
            self.create_token_response(request)
            if endpoint == "token"
            else self.create_endpoint_response(endpoint, request)
        )
        return found

    def handle_response(
        self, status: int, said: dict[str, Any] | str, headers: list[tuple[str, str]]
    ) -> Answer:
        """What Authlib's classes have found, as an answer."""
        return written(status, said, headers)

    def handle_error_response(self, request: Request, error: OAuth2Error) -> Answer:
        """The JSON answer to an error; the client's owner is told what it was."""
        return self.told(request, error)

    def told(self, request: Request, error: OAuth2Error) -> Answer:
        """The answer to an error of a request that may be kept for its client's owner."""
        request.keep_error(self.provider.refusals, error)
        return self.refuse(error)

    def refuse(self, error: OAuth2Error) -> Answer:
        """The JSON answer to an error at an endpoint a client calls."""
        return self.handle_response(*error())
