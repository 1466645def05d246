"""The channel an authorization response takes to its client.

    query fragment form_post    OAuth 2.0 Multiple Response Type Encoding Practices, Form Post 1.0
    *.jwt                       the same, as one signed parameter ``response`` (JARM §2.3)

Every answer, error or not, carries ``state`` and who answers (``iss``, RFC 9207).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from authlib.oauth2.rfc6749 import InvalidRequestError, OAuth2Error
from joserfc import jwt

from idp.oidc.clients.redirects import with_query
from idp.oidc.clients.view import ClientView
from idp.oidc.tokens import Tokens

JARM_LIFETIME = timedelta(minutes=10)
"""JARM §4.1: ten minutes at most."""


class Mode(StrEnum):
    """response_mode."""

    QUERY = "query"
    FRAGMENT = "fragment"
    FORM_POST = "form_post"
    JWT = "jwt"
    QUERY_JWT = "query.jwt"
    FRAGMENT_JWT = "fragment.jwt"
    FORM_POST_JWT = "form_post.jwt"

    @property
    def signed(self) -> bool:
        """Whether the answer is one JWT."""
        return self.value.endswith("jwt")

    @property
    def carrier(self) -> "Mode":
        """The same without the signature."""
        return Mode(self.value.removesuffix(".jwt"))


@dataclass(frozen=True)
class AuthorizationAnswer:
    """What the browser takes to the client: at a location, or by a form it posts there."""

    redirect_uri: str
    location: str | None
    """None: by a form."""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Channel:
    """Where and how this client is answered."""

    client: ClientView
    redirect_uri: str
    mode: Mode
    state: str | None
    issuer: str

    def answer(
        self, said: Mapping[str, str], *, tokens: Tokens, now: datetime
    ) -> AuthorizationAnswer:
        """An authorization response of these parameters."""
        values = dict(said)
        if self.state is not None:
            values["state"] = self.state
        if self.mode.signed:
            values = {"response": self._signed(values, tokens, now)}
        else:
            values["iss"] = self.issuer
        pairs = tuple(values.items())
        carrier = self.mode.carrier
        if carrier is Mode.FORM_POST:
            return AuthorizationAnswer(self.redirect_uri, None, pairs)
        if carrier is Mode.FRAGMENT:
            return AuthorizationAnswer(self.redirect_uri, f"{self.redirect_uri}#{urlencode(pairs)}")
        return AuthorizationAnswer(self.redirect_uri, with_query(self.redirect_uri, pairs))

    def refusal(self, error: OAuth2Error, *, tokens: Tokens, now: datetime) -> AuthorizationAnswer:
        """An error told to the client (RFC 6749 §4.1.2.1)."""
        said = {"error": str(error.error)}
        if description := error.get_error_description():
            said["error_description"] = description
        return self.answer(said, tokens=tokens, now=now)

    def _signed(self, values: Mapping[str, str], tokens: Tokens, now: datetime) -> str:
        options = self.client.options
        # JARM §3 has RS256 where a client says nothing; FAPI 2.0 §5.4.1 does not allow it.
        usual_alg = "ES256" if options.profile.fapi else "RS256"
        alg = options.authorization_signed_response_alg or usual_alg
        signer = tokens.keys.signer(alg, self.client.keys_stamp)
        claims: dict[str, Any] = {
            **values,
            "iss": self.issuer,
            "aud": self.client.client_id,
            "exp": int((now + JARM_LIFETIME).timestamp()),
        }
        if "expires_in" in values:
            claims["expires_in"] = int(values["expires_in"])
        return jwt.encode(signer.header(typ="JWT"), claims, signer.key, [signer.alg])


def usual(response_type: str | None) -> Mode:
    """The mode of a response type where none is named: whatever holds a token is not logged."""
    words = set((response_type or "").split())
    return Mode.FRAGMENT if words & {"token", "id_token"} else Mode.QUERY


def mode(response_mode: str | None, response_type: str | None, client: ClientView) -> Mode:
    """The mode of a request. Raises InvalidRequestError for one that is unknown, that would put
    tokens into a query, or that the client must not use.
    """
    default = usual(response_type)
    try:
        wanted = default if response_mode is None else Mode(response_mode)
    except ValueError as exc:
        raise InvalidRequestError("Unknown response_mode.") from exc
    if wanted is Mode.JWT:
        wanted = Mode(f"{default}.jwt")
    # OAuth 2.0 Multiple Response Types §3; JARM §2.3.1: signed is not encrypted.
    if default is Mode.FRAGMENT and wanted.carrier is Mode.QUERY:
        raise InvalidRequestError("This response_type may not be answered in the query.")
    if client.options.signed_response_required and not wanted.signed:
        raise InvalidRequestError("This client must ask for response_mode=jwt.")
    return wanted


def fallback(response_type: str | None, client: ClientView) -> Mode:
    """The mode in which a client is told that its own cannot be used."""
    default = usual(response_type)
    return Mode(f"{default}.jwt") if client.options.signed_response_required else default
