"""The fields of a client's metadata that lie in one JSON column of its row.

Names are the registries' (RFC 7591, OIDC Registration and what extends them), ``registered`` where
ours differs. From a row here, and in ``columns``, follow what a client may register and is told
(``documents``), the console's forms and the client's page, the options and names of ``dinhdanh
client``, and how the value is stored. What fields ask of one another is in ``metadata`` and
``profiles``.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from directory.base import jws
from idp.assurance import Level
from idp.oidc.clients import applies, checks, sorts
from idp.oidc.clients.fields import OIDC, OURS, RFC7591, By, Field, InConsole, Option, Values
from idp.oidc.clients.kinds import FAPI, Profile
from idp.oidc.signing_keys import ALGORITHMS

MTLS = "RFC 8705 §2.1.2"
FRONT = "OpenID Connect Front-Channel Logout 1.0 §2"
_ON = dict.fromkeys(FAPI, True)


class Options(Values):
    """What a client has chosen, stored as far as it differs from the default. ``of`` and ``stored``
    are inverse.
    """

    # keys
    jwks = Field(sorts.OBJECT, RFC7591, option=Option("--jwks", "File with its public keys."))
    jwks_uri = Field(
        sorts.TEXT,
        RFC7591,
        check=checks.page,
        option=Option("--jwks-uri", "Where it publishes its public keys."),
    )
    # how it authenticates, and what its tokens are bound to
    token_endpoint_auth_signing_alg = Field(sorts.ALGORITHM, OIDC)
    tls_client_auth_subject_dn = Field(
        sorts.SUBJECT, MTLS, check=checks.subject(checks.distinguished_name)
    )
    tls_client_auth_san_dns = Field(sorts.SUBJECT, MTLS, check=checks.subject(checks.word))
    tls_client_auth_san_uri = Field(sorts.SUBJECT, MTLS, check=checks.subject(checks.uri))
    tls_client_auth_san_ip = Field(sorts.SUBJECT, MTLS, check=checks.subject(checks.ip_address))
    tls_client_auth_san_email = Field(sorts.SUBJECT, MTLS, check=checks.subject(checks.word))
    tls_client_certificate_bound_access_tokens = Field(
        sorts.FLAG,
        "RFC 8705 §3.4",
        option=Option("--mtls-bound", "Its tokens are bound to its certificate.", "true"),
    )
    dpop_bound_access_tokens = Field(
        sorts.FLAG,
        "RFC 9449 §5.2",
        option=Option("--dpop", "Its tokens are bound to a DPoP key.", "true"),
    )
    # its requests
    require_pushed_authorization_requests = Field(
        sorts.FLAG,
        "RFC 9126 §6",
        usual=_ON,
        option=Option("--par", "It must push its authorization requests.", "true"),
    )
    require_signed_request_object = Field(
        sorts.FLAG,
        "RFC 9101 §10.5",
        usual={Profile.FAPI2_SIGNED: True},
        option=Option("--signed-requests", "It must sign its authorization requests.", "true"),
    )
    request_object_signing_alg = Field(
        sorts.ALGORITHM, OIDC, check=checks.algorithm(jws.ASYMMETRIC)
    )
    request_uris = Field(
        sorts.ADDRESSES, OIDC, check=checks.request_uris, option=Option("--request-uri")
    )
    default_max_age = Field(sorts.NUMBER, OIDC, check=checks.age)
    require_auth_time = Field(sorts.FLAG, OIDC)
    default_acr_values = Field(sorts.TEXTS, OIDC, check=checks.each(checks.shown(300)))
    initiate_login_uri = Field(sorts.TEXT, OIDC, check=checks.secure)
    # our answers
    authorization_signed_response_alg = Field(
        sorts.OUR_ALGORITHM,
        "JARM §3",
        check=checks.algorithm(ALGORITHMS),
        usual={Profile.FAPI2_SIGNED: "ES256"},
    )
    userinfo_signed_response_alg = Field(
        sorts.OUR_ALGORITHM, OIDC, check=checks.algorithm(ALGORITHMS)
    )
    introspection_signed_response_alg = Field(
        sorts.OUR_ALGORITHM, "RFC 9701 §6", check=checks.algorithm(ALGORITHMS)
    )
    sector_identifier_uri = Field(
        sorts.TEXT,
        OIDC,
        check=checks.secure,
        option=Option("--sector-identifier-uri", "Lists the redirect URIs of a sector."),
    )
    frontchannel_logout_uri = Field(
        sorts.TEXT,
        FRONT,
        check=checks.page,
        option=Option("--frontchannel-logout-uri"),
        console=InConsole(
            50,
            "Địa chỉ đăng xuất mở trong trình duyệt (front-channel)",
            fact="Đăng xuất trong trình duyệt tại",
            when=applies.signs_in,
        ),
    )
    frontchannel_logout_session_required = Field(
        sorts.FLAG,
        FRONT,
        console=InConsole(51, "Gửi kèm iss và sid khi mở địa chỉ đó", when=applies.signs_in),
    )
    # what people are shown
    client_uri = Field(sorts.TEXT, RFC7591, check=checks.page, localized=True)
    logo_uri = Field(sorts.TEXT, RFC7591, check=checks.page, localized=True)
    policy_uri = Field(sorts.TEXT, RFC7591, check=checks.page, localized=True)
    tos_uri = Field(sorts.TEXT, RFC7591, check=checks.page, localized=True)
    contacts = Field(sorts.TEXTS, RFC7591, check=checks.each(checks.shown(300)))
    software_id = Field(sorts.TEXT, RFC7591, check=checks.shown(200))
    software_version = Field(sorts.TEXT, RFC7591, check=checks.shown(200))
    localized = Field(sorts.LANGUAGES, "RFC 7591 §2.2")
    """``client_name#vi`` and its like."""
    # ours
    profile = Field(
        sorts.one_of(Profile.STANDARD),
        OURS,
        "fapi_profile",
        option=Option(
            "--profile", "Switches on what the profile needs and refuses what it forbids."
        ),
    )
    require_pkce = Field(
        sorts.FLAG,
        OURS,
        by=By.OPERATOR,
        default=True,
        usual=_ON,
        option=Option("--no-pkce", "It keeps a secret and need not use PKCE.", "false"),
        console=InConsole(
            61,
            "Ứng dụng này không gửi PKCE",
            help="Chỉ đánh dấu khi ứng dụng không bật được PKCE: không có PKCE, mã đăng nhập bị lộ "
            "chỉ còn mật khẩu của ứng dụng và nonce che chắn. Nhiều ứng dụng và thư viện (Moodle, "
            "oauth2-proxy, Spring Security, django-allauth) mặc định không gửi.",
            fact="PKCE",
            words={"true": "Bắt buộc", "false": "Không bắt buộc"},
            when=applies.may_do_without_pkce,
            input="no_pkce",
            denies=True,
        ),
    )
    pin_auth_method = Field(sorts.FLAG, OURS, by=By.OPERATOR)
    """Whether a secret counts only in the one way that is registered; else by
    ``client_secret_basic`` and by ``client_secret_post``."""
    id_token_scope_claims = Field(
        sorts.FLAG,
        OURS,
        by=By.OPERATOR,
        option=Option(
            "--id-token-scope-claims",
            "The ID token tells what its scopes give: for those that never ask userinfo.",
            "true",
        ),
        console=InConsole(
            62,
            "Ghi thông tin của các phạm vi vào ID token",
            help="Dành cho ứng dụng không bao giờ hỏi userinfo. Thông tin trong ID token không đổi "
            "khi hồ sơ thay đổi.",
            when=applies.signs_in,
        ),
    )
    """Whether the ID token tells what the scopes give also where userinfo could be asked."""
    minimum_acr = Field(
        sorts.TEXT,
        OURS,
        by=By.OPERATOR,
        check=checks.among([*Level], "Mức xác thực không được hỗ trợ."),
        choices=[*Level],
        option=Option("--minimum-acr"),
    )
    minimum_eid_level = Field(
        sorts.NUMBER,
        OURS,
        by=By.OPERATOR,
        check=checks.among((1, 2), "Mức độ định danh điện tử là 1 hoặc 2."),
        choices=("1", "2"),
        option=Option("--minimum-eid-level"),
    )
    """1 or 2 (Nghị định 69/2024): only people whose linked eID account has this level."""
    resources = Field(
        sorts.ADDRESSES,
        "RFC 8707 §2",
        by=By.OPERATOR,
        check=checks.resources,
        option=Option("--resource", "It may ask tokens for (RFC 8707)."),
    )
    """Of a resource server those it is, of others those they may ask for."""

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """From the stored mapping. What this version does not know is left out."""
        known = {name: cls.fields[name] for name in cls.fields.keys() & (stored or {}).keys()}
        return cls(**{name: each.sort.back((stored or {})[name]) for name, each in known.items()})

    @property
    def stored(self) -> dict[str, Any]:
        """What differs from the default, as JSON knows it."""
        return {e.name: e.sort.row(value) for e, value in self.items() if value != e.unsaid}

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
