"""Any OpenID Provider: discovery, RS256 or ES256, nonce, PKCE, RFC 9207, userinfo, logout."""

from collections.abc import Mapping
from typing import Any, ClassVar

from werkzeug import Request, Response

from dinhdanh.eid_simulator.artefacts import Answer, in_json
from dinhdanh.eid_simulator.faults.fault import STANDARD, Stage
from dinhdanh.eid_simulator.faults.registry import misbehave
from dinhdanh.eid_simulator.jose import ALGORITHMS
from dinhdanh.eid_simulator.providers import authentication, id_tokens, signing_out
from dinhdanh.eid_simulator.providers.provider import Endpoint, Provider
from dinhdanh.eid_simulator.sign_ins import ASSURANCES, SignIn

CLAIMS = ("sub", "name", "birthdate", "gender", "citizen_id", "eid_level", "account_type")


class Standard(Provider):
    """OpenID Connect Core 1.0 with Discovery 1.0 and RP-Initiated Logout 1.0."""

    profile = STANDARD
    paths: ClassVar[Mapping[str, str]] = {
        "authorize": "/authorize",
        "token": "/token",
        "userinfo": "/userinfo",
        "jwks": "/jwks",
        "logout": "/logout",
        "discovery": "/.well-known/openid-configuration",
    }

    def further_endpoints(self) -> list[Endpoint]:
        """Documents and the way out."""
        return [
            Endpoint("discovery", self.paths["discovery"], self.discovery),
            Endpoint("jwks", self.paths["jwks"], self.jwks),
            Endpoint("logout", self.paths["logout"], self.logout, ("GET", "POST")),
        ]

    def discovery(self, _request: Request) -> Answer:
        """What there is, and where."""
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": self.address("authorize"),
            "token_endpoint": self.address("token"),
            "userinfo_endpoint": self.address("userinfo"),
            "jwks_uri": self.address("jwks"),
            "end_session_endpoint": self.address("logout"),
            "scopes_supported": ["openid", "profile"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query", "form_post"],
            "grant_types_supported": ["authorization_code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": list(ALGORITHMS),
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic",
                "client_secret_post",
                "private_key_jwt",
            ],
            "token_endpoint_auth_signing_alg_values_supported": authentication.ALGORITHMS,
            "code_challenge_methods_supported": ["S256"],
            "claims_supported": list(CLAIMS),
            "acr_values_supported": list(ASSURANCES),
            "prompt_values_supported": ["none", "login"],
            "ui_locales_supported": ["vi", "en"],
            "authorization_response_iss_parameter_supported": True,
            "claims_parameter_supported": False,
            "request_parameter_supported": False,
            "request_uri_parameter_supported": False,
        }
        return self._document(Stage.DISCOVERY, document)

    def jwks(self, _request: Request) -> Answer:
        """The public keys."""
        return self._document(Stage.JWKS, self.keys.published())

    def _document(self, stage: Stage, document: dict[str, Any]) -> Answer:
        answer = in_json(document)
        misbehave(stage, self.profile, self.simulation.standing, answer, self)
        return answer

    def logout(self, request: Request) -> Response:
        """RP-initiated logout."""
        return signing_out.signed_out(self, request, needs_hint=False)

    def further_parameters(self) -> list[tuple[str, str]]:
        """``iss``, RFC 9207."""
        return [("iss", self.issuer)]

    def token_body(self, sign_in: SignIn, access_token: str) -> dict[str, Any]:
        """With the id_token."""
        sign_in.id_token = id_tokens.token(self, sign_in, access_token, sign_in.choice.acr)
        return super().token_body(sign_in, access_token) | {"id_token": sign_in.id_token}

    def claims(self, sign_in: SignIn) -> dict[str, Any]:
        """Names of OpenID Connect where it has some, ours where it has none."""
        shown = sign_in.shown
        return {
            "sub": shown.subject,
            "name": shown.full_name,
            "birthdate": shown.written_birth_date or shown.birth_date,
            "gender": shown.gender,
            "citizen_id": shown.citizen_number,
            "eid_level": shown.level,
            "account_type": "organisation" if shown.organisation else "person",
        }
