"""Discovery (OIDC Discovery 1.0, RFC 8414) and the key set, as ready bytes with an ETag.

The metadata says exactly what is enforced: whoever adds a feature adds it here, and a test
compares the two. ``Ready`` answers the documents before Flask is entered.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from connectors.tools import Tools
from directory.base import jws
from directory.base.config import Settings
from directory.base.remembered import Remembered
from idp import assurance
from idp.factors import registry
from idp.oidc import claims, resources
from idp.oidc.authorization.answers import Mode
from idp.oidc.clients import documents, registration
from idp.oidc.clients.kinds import SCOPES, AuthMethod, GrantType, ResponseType, SubjectType
from idp.oidc.connection import ENDPOINTS, USERINFO
from idp.oidc.grant_types.code import Pkce
from idp.oidc.grant_types.issuing import GRANT_TYPES
from idp.oidc.known_keys import PublishedKeys, SigningKeys
from idp.oidc.proofs import dpop

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

OPENID = "/.well-known/openid-configuration"
OAUTH = "/.well-known/oauth-authorization-server"
JWKS = "/oauth2/jwks"
MAX_AGE = 300
"""Seconds a relying party may keep them; far below the time a key is announced before use."""


@dataclass(frozen=True)
class PublishedDocument:
    """Bytes, their ETag and the headers they go out with."""

    body: bytes
    etag: str

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Public: anyone may read them, scripts of other origins too."""
        return [
            ("Content-Type", "application/json"),
            ("Cache-Control", f"public, max-age={MAX_AGE}"),
            ("ETag", self.etag),
            ("Access-Control-Allow-Origin", "*"),
            ("X-Content-Type-Options", "nosniff"),
        ]


def metadata(settings: Settings, algorithms: list[str]) -> dict[str, Any]:
    """What this provider is and does."""
    issuer = settings.issuer
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + "/oauth2/authorize",
        "token_endpoint": issuer + "/oauth2/token",
        "userinfo_endpoint": issuer + "/oauth2/userinfo",
        "jwks_uri": issuer + JWKS,
        "introspection_endpoint": issuer + "/oauth2/introspect",
        "revocation_endpoint": issuer + "/oauth2/revoke",
        "pushed_authorization_request_endpoint": issuer + "/oauth2/par",
        "device_authorization_endpoint": issuer + "/oauth2/device_authorization",
        **_registration(settings),
        "end_session_endpoint": issuer + "/oauth2/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": list(settings.response_types),
        "response_modes_supported": [mode.value for mode in Mode],
        "grant_types_supported": sorted(_grant_types(settings)),
        "subject_types_supported": [kind.value for kind in SubjectType],
        "id_token_signing_alg_values_supported": algorithms,
        "userinfo_signing_alg_values_supported": algorithms,
        "introspection_signing_alg_values_supported": algorithms,
        "acr_values_supported": assurance.supported(registry.reachable()),
        "protected_resources": [resources.api(issuer)],
        **_authentication(settings),
        **_possession(settings),
        "code_challenge_methods_supported": list(Pkce.SUPPORTED_CODE_CHALLENGE_METHOD),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_supported": claims.supported(),
        "claims_parameter_supported": True,
        "request_parameter_supported": True,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "require_signed_request_object": False,
        "request_object_signing_alg_values_supported": list(jws.ASYMMETRIC),
        "require_pushed_authorization_requests": False,
        "authorization_signing_alg_values_supported": algorithms,
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "ui_locales_supported": ["vi", "en"],
    }


def _authentication(settings: Settings) -> dict[str, list[str]]:
    """How clients prove who they are; only introspection wants every one of them to (RFC 7662
    §2.1).
    """
    methods = documents.methods(settings)
    algorithms = [*jws.ASYMMETRIC, *jws.HMAC]
    found: dict[str, list[str]] = {}
    for endpoint in ("token", "introspection", "revocation"):
        nameless = {AuthMethod.NONE} if endpoint == "introspection" else set()
        found[f"{endpoint}_endpoint_auth_methods_supported"] = [
            method.value for method in methods if method not in nameless
        ]
        found[f"{endpoint}_endpoint_auth_signing_alg_values_supported"] = algorithms
    return found


def _possession(settings: Settings) -> dict[str, Any]:
    """What tokens may be bound to (RFC 9449 §5.1, RFC 8705 §3.3, §5)."""
    found: dict[str, Any] = {
        "dpop_signing_alg_values_supported": list(dpop.ALGORITHMS),
        "tls_client_certificate_bound_access_tokens": settings.client_certificates,
    }
    if settings.client_certificates and settings.mtls_base:
        found["mtls_endpoint_aliases"] = {
            f"{name}_endpoint": settings.mtls_base + path
            for name, path in {**ENDPOINTS, "userinfo": USERINFO}.items()
        }
    return found


def _registration(settings: Settings) -> dict[str, str]:
    """Where clients register, if they may (RFC 8414 §2)."""
    if settings.registration == "closed":
        return {}
    return {"registration_endpoint": settings.issuer + registration.PATH}


def _grant_types(settings: Settings) -> set[GrantType]:
    """Those of the token endpoint, and ``implicit`` where the authorization endpoint itself gives
    tokens.
    """
    front = set(settings.response_types) - {ResponseType.CODE}
    return {*GRANT_TYPES, *([GrantType.IMPLICIT] if front else [])}


class Documents:
    """The three documents of one installation, rebuilt when the keys have changed."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._keys = PublishedKeys(SigningKeys(tools.db, tools.keyring))
        self._paths = {OPENID: OPENID, OAUTH: OPENID, JWKS: JWKS}
        self._made = Remembered(1)

    def get(self, path: str, *, now: datetime) -> PublishedDocument | None:
        """The document at a path; None for any other path."""
        if path not in self._paths:
            return None
        keys = self._keys.get(now=now)
        jwks = keys.jwks(now=now)
        told = (keys.stamp, *(key["kid"] for key in jwks["keys"]))

        def make() -> tuple[tuple[str, ...], dict[str, PublishedDocument]]:
            offered = metadata(self._tools.settings, keys.algorithms())
            return told, {OPENID: _document(offered), JWKS: _document(jwks)}

        return self._made.recall("documents", told, make)[self._paths[path]]


def _document(value: dict[str, Any]) -> PublishedDocument:
    body = json.dumps(value, separators=(",", ":")).encode()
    return PublishedDocument(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


class Ready:
    """WSGI middleware: the documents as ready bytes, everything else to the application."""

    def __init__(self, application: "WSGIApplication", tools: Tools) -> None:
        self._application = application
        self._tools = tools
        self._documents = Documents(tools)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """One request."""
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._application(environ, start_response)
        try:
            document = self._documents.get(environ.get("PATH_INFO", ""), now=self._tools.clock())
        except SQLAlchemyError:
            document = None  # never read yet, and now not to be had: the application says so
        if document is None:
            return self._application(environ, start_response)
        if document.etag in environ.get("HTTP_IF_NONE_MATCH", ""):
            start_response("304 Not Modified", document.headers)
            return [b""]
        size = ("Content-Length", str(len(document.body)))
        start_response("200 OK", [*document.headers, size])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else document.body]
