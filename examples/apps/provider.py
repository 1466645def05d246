"""The OpenID Provider, as this application sees it.

Authlib builds the requests and checks the ID token; this module adds what an application needs
around it: an answer when the provider is not there yet, and refusal of what it did not ask for.
Authlib's ready-made Flask class wants the ``requests`` library; its parts, used here, work with
the HTTP client this code base already has.
"""

import functools
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import httpx2
from authlib.integrations.base_client import (
    BaseApp,
    FrameworkIntegration,
    OAuth2Mixin,
    OAuthError,
    OpenIDMixin,
)
from authlib.integrations.httpx_client import OAuth2Client
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from examples.apps.settings import Settings

log = logging.getLogger(__name__)

SCOPE = "openid profile email org"
ATTEMPTS = 3
PAUSE = 0.3
KEYS_FETCHED_AT_MOST_EVERY = 10.0

# Signatures that only the provider can make. Never "none"; never HS*, whose key we would share.
SIGNATURES = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


class ProviderUnavailable(Exception):
    """The provider cannot be reached, or what it answers is no OpenID Provider."""


class SignInRefused(Exception):
    """The provider, or one of our own checks, said no. ``code`` is OAuth's error code."""

    def __init__(self, code: str, description: str | None = None) -> None:
        super().__init__(description or code)
        self.code = code


@dataclass(frozen=True, slots=True)
class SignIn:
    """What the start of a sign-in must remember until the callback."""

    url: str
    state: str
    nonce: str
    code_verifier: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the provider gave for a code or a refresh token."""

    access_token: str
    refresh_token: str | None
    id_token: str | None
    claims: Mapping[str, Any]


class _Client(OAuth2Mixin, OpenIDMixin, BaseApp):  # type: ignore[misc]
    client_cls = OAuth2Client


class Provider:
    """Discovery, keys, tokens and URLs of one OpenID Provider for one client."""

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._pause = pause
        self._keys_lock = Lock()
        self._keys_fetched_at = float("-inf")
        # trust_env: the provider is a neighbour; no proxy of the environment stands between us.
        self._http: dict[str, Any] = {
            "timeout": 10,
            "trust_env": False,
            "transport": transport,
            "verify": _trust(settings.ca_file),
        }
        self._client = _Client(
            FrameworkIntegration("dinhdanh"),
            "dinhdanh",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **self._http},
        )

    def metadata(self) -> dict[str, Any]:
        """The discovery document, fetched when first needed so that we may start before it."""
        for attempt in range(ATTEMPTS):
            try:
                with _unavailable():
                    found: dict[str, Any] = self._client.load_server_metadata()
                break
            except ProviderUnavailable:
                if attempt == ATTEMPTS - 1:
                    raise
                self._pause(PAUSE * 2**attempt)
        # OIDC Discovery §4.3: the document must name exactly the issuer we were configured with.
        if found.get("issuer") != self._settings.issuer:
            self._client.server_metadata.clear()
            raise ProviderUnavailable(f"discovery names the issuer {found.get('issuer')!r}")
        offered = found.get("id_token_signing_alg_values_supported") or ["RS256"]
        found["id_token_signing_alg_values_supported"] = sorted(SIGNATURES.intersection(offered))
        return found

    def start(self, redirect_uri: str, **parameters: str) -> SignIn:
        """Prepare an authorization request: code, PKCE S256, state, nonce."""
        self.metadata()
        made = self._client.create_authorization_url(redirect_uri, **parameters)
        return SignIn(made["url"], made["state"], made["nonce"], made["code_verifier"])

    def exchange(self, code: str, *, redirect_uri: str, nonce: str, code_verifier: str) -> Tokens:
        """Redeem a code, and check the ID token that comes with the tokens."""
        self.metadata()
        with _unavailable(), _refusals():
            token = self._client.fetch_access_token(
                redirect_uri=redirect_uri, code=code, code_verifier=code_verifier
            )
            if not token.get("id_token"):
                raise SignInRefused("invalid_token", "the answer has no ID token")
            claims = dict(self._id_token_claims(token, nonce=nonce))
        if not ({"name", "org"} <= claims.keys()):
            claims = self._with_userinfo(token["access_token"], claims)
        return _tokens(token, claims)

    def refresh(self, refresh_token: str, *, subject: str) -> Tokens:
        """Redeem a refresh token; a new ID token must still be about the same person."""
        settings, endpoint = self._settings, self.metadata()["token_endpoint"]
        with _unavailable(), _refusals():
            # Without a scope parameter the provider gives what was granted (RFC 6749 §6).
            with OAuth2Client(settings.client_id, settings.client_secret, **self._http) as client:
                token = client.refresh_token(endpoint, refresh_token=refresh_token)
            claims = self._id_token_claims(token, nonce=None) if token.get("id_token") else {}
        # OIDC Core §12.2.
        if claims and claims.get("sub") != subject:
            raise SignInRefused("invalid_token", "the refreshed ID token is about somebody else")
        return _tokens(token, claims)

    def userinfo_status(self, access_token: str) -> int:
        """Ask userinfo with a token and say only how it was answered: 200, or 401 once it died."""
        return self._userinfo(access_token).status_code

    def logout_url(self, *, id_token_hint: str, return_to: str) -> str | None:
        """Where RP-initiated logout continues, when the provider offers it."""
        metadata = self.metadata()
        if not metadata.get("end_session_endpoint"):
            return None
        made = self._client.create_logout_url(
            post_logout_redirect_uri=return_to,
            id_token_hint=id_token_hint,
            client_id=self._settings.client_id,
        )
        return str(made["url"])

    def verify(self, token: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Header and claims of a JWT the provider signed. Raises ``JoseError`` when it did not."""
        algorithms = self.metadata()["id_token_signing_alg_values_supported"]
        registry = JWSRegistry(algorithms=algorithms)
        try:
            decoded = jwt.decode(token, self._keys(), registry=registry)
        except InvalidKeyIdError:
            if not self._may_fetch_keys():
                raise
            decoded = jwt.decode(token, self._keys(force=True), registry=registry)
        return decoded.header, decoded.claims

    def _keys(self, *, force: bool = False) -> KeySet:
        with _unavailable():
            return KeySet.import_key_set(self._client.fetch_jwk_set(force=force))

    def _may_fetch_keys(self) -> bool:
        """Strangers can send unknown key ids as fast as they like; we fetch keys when due."""
        with self._keys_lock:
            now = time.monotonic()
            if now - self._keys_fetched_at < KEYS_FETCHED_AT_MOST_EVERY:
                return False
            self._keys_fetched_at = now
            return True

    def _id_token_claims(self, token: dict[str, Any], *, nonce: str | None) -> Mapping[str, Any]:
        claims: Mapping[str, Any] = self._client.parse_id_token(
            token,
            nonce=nonce,
            claims_options={
                "iss": {"essential": True, "value": self._settings.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
                "sub": {"essential": True},
            },
            leeway=30,
        )
        return claims

    def _with_userinfo(self, access_token: str, claims: dict[str, Any]) -> dict[str, Any]:
        """Fill in what the ID token left out, if userinfo speaks of the same person."""
        try:
            response = self._userinfo(access_token)
            extra = response.json() if response.status_code == httpx2.codes.OK else {}
        except (ProviderUnavailable, ValueError):
            return claims
        # OIDC Core §5.3.2: the sub must match, or the answer must not be used.
        return {**extra, **claims} if extra.get("sub") == claims["sub"] else claims

    def _userinfo(self, access_token: str) -> httpx2.Response:
        url = self.metadata()["userinfo_endpoint"]
        with _unavailable(), httpx2.Client(**self._http) as client:
            return client.get(url, headers={"Authorization": f"Bearer {access_token}"})


@functools.cache
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Read once: every client would read the system's certificates again, in 80 ms."""
    if ca_file is not None:
        return ssl.create_default_context(cafile=ca_file)
    return httpx2.create_ssl_context(trust_env=False)


def _tokens(token: Mapping[str, Any], claims: Mapping[str, Any]) -> Tokens:
    return Tokens(token["access_token"], token.get("refresh_token"), token.get("id_token"), claims)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Transport faults, 5xx answers and answers that are no JSON: one news, try again later."""
    try:
        yield
    except (httpx2.HTTPError, ValueError) as error:
        log.warning("provider unavailable: %s", type(error).__name__)
        raise ProviderUnavailable(type(error).__name__) from error


@contextmanager
def _refusals() -> Iterator[None]:
    """OAuth errors and tokens that do not hold become one kind of refusal."""
    try:
        yield
    except OAuthError as error:
        raise SignInRefused(error.error or "server_error", error.description) from error
    except JoseError as error:
        log.warning("ID token refused: %s", error)
        raise SignInRefused("invalid_token", "the ID token does not hold") from error
