"""What a client may choose beyond the columns of its row, under the names of the registries.

Field names are those of OAuth's and OpenID's client metadata (RFC 7591, OIDC Registration,
RFC 8705, 9101, 9126, 9449, JARM, front-channel logout), so that a registration needs no
translation. The last block is ours. Only what differs from the default is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Self

from idp.oidc.clients.kinds import (
    AuthMethod,
    ClientKind,
    GrantType,
    Profile,
    ResponseType,
    SubjectType,
    TokenFormat,
)


@dataclass(frozen=True)
class Options:
    """Chosen metadata of one client. ``of`` and ``stored`` are inverse."""

    # keys
    jwks: dict[str, Any] | None = None
    jwks_uri: str | None = None
    # how it authenticates, and what its tokens are bound to
    token_endpoint_auth_signing_alg: str | None = None
    tls_client_auth_subject_dn: str | None = None
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_bound_access_tokens: bool = False
    # its requests
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    request_object_signing_alg: str | None = None
    request_uris: tuple[str, ...] = ()
    default_max_age: int | None = None
    require_auth_time: bool = False
    default_acr_values: tuple[str, ...] = ()
    initiate_login_uri: str | None = None
    # our answers
    authorization_signed_response_alg: str | None = None
    userinfo_signed_response_alg: str | None = None
    introspection_signed_response_alg: str | None = None
    sector_identifier_uri: str | None = None
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = False
    # what people are shown
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    contacts: tuple[str, ...] = ()
    software_id: str | None = None
    software_version: str | None = None
    # ours
    profile: Profile = Profile.STANDARD
    require_pkce: bool = True
    pin_auth_method: bool = False
    """Whether a secret counts only in the one way that is registered; else by
    ``client_secret_basic`` and by ``client_secret_post``."""
    id_token_scope_claims: bool = False
    """Whether the ID token tells what the scopes give also where userinfo could be asked: for
    applications that never do."""
    minimum_acr: str | None = None
    minimum_eid_level: int | None = None
    """1 or 2 (Nghị định 69/2024): only people whose linked eID account has this level."""
    resources: tuple[str, ...] = ()
    """Resource indicators (RFC 8707): of a resource server those it is, of others those they
    may ask for."""
    localized: dict[str, str] = field(default_factory=dict)
    """``client_name#vi`` and its like (RFC 7591 §2.2)."""

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """From the stored mapping. What this version does not know is left out."""
        values = {name: stored[name] for name in _FIELDS & stored.keys()} if stored else {}
        for name in _TUPLES & values.keys():
            values[name] = tuple(values[name])
        if "profile" in values:
            values["profile"] = Profile(values["profile"])
        return cls(**values)

    @property
    def stored(self) -> dict[str, Any]:
        """What differs from the default, as JSON knows it."""
        found = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value not in (_DEFAULTS[each.name], {}):
                found[each.name] = list(value) if isinstance(value, tuple) else value
        return found

    @cached_property
    def sender_constrained(self) -> bool:
        """Whether its access tokens are good only with a key (RFC 8705, RFC 9449)."""
        return (
            self.dpop_bound_access_tokens
            or self.tls_client_certificate_bound_access_tokens
            or self.profile.fapi
        )

    @cached_property
    def par_required(self) -> bool:
        """Whether its authorization requests must have been pushed (RFC 9126 §6)."""
        return self.require_pushed_authorization_requests or self.profile.fapi

    @cached_property
    def signed_request_required(self) -> bool:
        """Whether its authorization requests must be signed (RFC 9101 §10.5)."""
        return self.require_signed_request_object or self.profile is Profile.FAPI2_SIGNED

    @cached_property
    def signed_response_required(self) -> bool:
        """Whether its authorization responses must be signed (FAPI 2.0 Message Signing §5.4)."""
        return self.profile is Profile.FAPI2_SIGNED


_FIELDS = frozenset(each.name for each in fields(Options))
_DEFAULTS: dict[str, Any] = {each.name: getattr(Options(), each.name) for each in fields(Options)}
_TUPLES = frozenset(name for name, value in _DEFAULTS.items() if isinstance(value, tuple))


@dataclass(frozen=True)
class Registration:
    """What somebody asks to register; ``metadata`` checks it field by field."""

    name: str
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    application_id: int | None = None
    kind: ClientKind = ClientKind.WEB
    auth_method: AuthMethod = AuthMethod.BASIC
    grant_types: tuple[GrantType, ...] = (GrantType.CODE, GrantType.REFRESH)
    scopes: tuple[str, ...] = ("openid", "profile", "email", "phone", "org")
    id_token_alg: str | None = None
    """RS256 where nobody says (OIDC Registration §2) and the profile allows it."""
    access_token_format: TokenFormat = TokenFormat.OPAQUE
    first_party: bool = False
    resource_server: bool = False
    backchannel_logout_session_required: bool = True
    client_id: str | None = None
    """Chosen by the installation itself (the demo, the probe); random otherwise."""
    introspect_all: bool = False
    response_types: tuple[ResponseType, ...] | None = None
    """``code`` for whoever uses authorization_code, where nothing is said."""
    subject_type: SubjectType = SubjectType.PUBLIC
    options: Options = field(default_factory=Options)
