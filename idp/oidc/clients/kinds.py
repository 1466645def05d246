"""The closed sets a client's registration chooses from."""

from enum import StrEnum


class AuthMethod(StrEnum):
    """token_endpoint_auth_method (OIDC Core §9, RFC 8705 §2)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    SECRET_JWT = "client_secret_jwt"  # noqa: S105 (a word)
    KEY_JWT = "private_key_jwt"
    TLS = "tls_client_auth"
    SELF_SIGNED_TLS = "self_signed_tls_client_auth"
    NONE = "none"


BY_SECRET = frozenset({AuthMethod.BASIC, AuthMethod.POST, AuthMethod.SECRET_JWT})
"""Methods that need a client secret."""
INTERCHANGEABLE = frozenset({AuthMethod.BASIC, AuthMethod.POST})
"""One secret in two places: of a client that is not pinned to one of them, either will do."""
BY_KEY = frozenset({AuthMethod.KEY_JWT, AuthMethod.SELF_SIGNED_TLS})
"""Methods that need the client's own keys (``jwks`` or ``jwks_uri``)."""


class GrantType(StrEnum):
    """Grant types the token endpoint knows, and ``implicit``, which has no request there."""

    CODE = "authorization_code"
    REFRESH = "refresh_token"
    CLIENT = "client_credentials"
    DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
    EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
    IMPLICIT = "implicit"


class ResponseType(StrEnum):
    """response_type, told with its words in this order and read in any (OIDC Core §3, OAuth 2.0 Multiple Response Types)."""

    CODE = "code"
    ID_TOKEN = "id_token"  # noqa: S105
    ID_TOKEN_TOKEN = "id_token token"  # noqa: S105
    CODE_ID_TOKEN = "code id_token"  # noqa: S105
    CODE_TOKEN = "code token"  # noqa: S105
    CODE_ID_TOKEN_TOKEN = "code id_token token"  # noqa: S105

    @classmethod
    def _missing_(cls, value: object) -> "ResponseType | None":
        words = sorted(str(value).split())
        return next((known for known in cls if sorted(known.split()) == words), None)

    @property
    def words(self) -> frozenset[str]:
        """``code``, ``id_token``, ``token``."""
        return frozenset(self.value.split())


class TokenFormat(StrEnum):
    """How its access tokens look: an opaque handle, or a JWT it may check offline (RFC 9068)."""

    OPAQUE = "opaque"
    JWT = "jwt"


class ClientKind(StrEnum):
    """application_type (OIDC Registration §2)."""

    WEB = "web"
    NATIVE = "native"


class SubjectType(StrEnum):
    """subject_type (OIDC Core §8)."""

    PUBLIC = "public"
    PAIRWISE = "pairwise"


class Profile(StrEnum):
    """A profile that enforces itself: choosing it switches off what it forbids."""

    STANDARD = "standard"
    FAPI2 = "fapi2"
    """FAPI 2.0 Security Profile."""
    FAPI2_SIGNED = "fapi2_message_signing"
    """FAPI 2.0 Message Signing: signed requests (RFC 9101) and responses (JARM) besides."""

    @property
    def fapi(self) -> bool:
        """Either of the two."""
        return self is not Profile.STANDARD


FAPI = (Profile.FAPI2, Profile.FAPI2_SIGNED)
IDENTITY_SCOPES = ("openid", "profile", "email", "phone", "address", "org", "offline_access")
"""About a person; never given to a client on its own account."""
API_SCOPES = ("changes:read", "changes:write")
SCOPES = IDENTITY_SCOPES + API_SCOPES
