"""What may be registered, field by field (RFC 7591 §2, OIDC Registration §2).

    name, application       here
    grants and responses    which grant types and response types go together
    addresses               redirects, sectors
    keys                    jwks
    algorithms              what we can sign with, what a client may sign with
    profile                 profiles: what FAPI 2.0 switches on and refuses

What is refused names its field, by the name of ``Registration`` or ``Options``.
"""

import ipaddress
import re
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from directory.base.errors import InvalidInput
from idp.assurance import Level
from idp.oidc import jws
from idp.oidc.clients import dn, jwks, profiles, redirects, sectors
from idp.oidc.clients.kinds import (
    BY_KEY,
    SCOPES,
    AuthMethod,
    ClientKind,
    GrantType,
    ResponseType,
    SubjectType,
)
from idp.oidc.clients.options import Options, Registration
from idp.oidc.signing_keys import ALGORITHMS

MOST = 50
"""Addresses, contacts and the like in one list."""
MOST_RESOURCES = 8
"""Handles count a token's resources along one byte."""
LONGEST_AGE = 10 * 365 * 24 * 3600
_SUBJECT_FIELDS = (
    "tls_client_auth_subject_dn",
    "tls_client_auth_san_dns",
    "tls_client_auth_san_uri",
    "tls_client_auth_san_ip",
    "tls_client_auth_san_email",
)
_PAGES = ("client_uri", "logo_uri", "policy_uri", "tos_uri")
_WORDS = ("software_id", "software_version")
LOCALIZED = frozenset({"client_name", *_PAGES})
"""What may be said in several languages (RFC 7591 §2.2)."""
_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}")
# Characters that change what the ones around them look like (Unicode TR36): on the consent page
# a name made of them could read as somebody else's.
_DECEIVING = re.compile(r"[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def checked(wanted: Registration) -> dict[str, Any]:
    """The columns of the client's row. Raises InvalidInput naming the field."""
    wanted = profiles.settled(wanted)
    name = _shown(wanted.name.strip(), "name", longest=200)
    grant_types = _grant_types(wanted)
    wanted = replace(wanted, grant_types=grant_types)
    response_types = _response_types(wanted)
    unknown = set(wanted.scopes) - set(SCOPES)
    _require(not unknown, "scopes", "Có phạm vi không được hỗ trợ.")
    _require(wanted.id_token_alg in ALGORITHMS, "id_token_alg", "Thuật toán ký không được hỗ trợ.")
    _require(
        not (wanted.resource_server and wanted.auth_method is AuthMethod.NONE),
        "resource_server",
        "Máy chủ tài nguyên phải có mật khẩu.",
    )
    columns = _addresses(wanted)
    options = _options(wanted)
    profiles.require(wanted, response_types)
    pairwise = wanted.subject_type is SubjectType.PAIRWISE
    # A device is answered at no address: a sector that vouches only for addresses would be told
    # to whoever claims one of them.
    _require(
        not pairwise or GrantType.DEVICE not in grant_types,
        "subject_type",
        "Mã định danh riêng không dùng được cùng device_code.",
    )
    return columns | {
        "name": name,
        "kind": wanted.kind.value,
        "application_id": wanted.application_id,
        "auth_method": wanted.auth_method.value,
        "grant_types": [g.value for g in grant_types],
        "response_types": [t.value for t in response_types],
        "scopes": [s for s in SCOPES if s in wanted.scopes],
        "id_token_alg": wanted.id_token_alg,
        "access_token_format": wanted.access_token_format.value,
        "subject_type": wanted.subject_type.value,
        "sector": (
            sectors.identifier(wanted.redirect_uris, options.sector_identifier_uri)
            if pairwise
            else None
        ),
        "first_party": wanted.first_party,
        "resource_server": wanted.resource_server,
        "introspect_all": wanted.introspect_all,
        "options": options.stored,
    }


# ---- grants and responses ----------------------------------------------------------------------


def _grant_types(wanted: Registration) -> tuple[GrantType, ...]:
    """The grant types, ``implicit`` among them exactly where a response type needs it."""
    front = any(t.words & {"id_token", "token"} for t in wanted.response_types or ())
    said = (g for g in wanted.grant_types if front or g is not GrantType.IMPLICIT)
    found = tuple(dict.fromkeys([*said, *([GrantType.IMPLICIT] if front else [])]))
    _require(bool(found), "grant_types", "Cần ít nhất một kiểu cấp quyền.")
    _require(
        GrantType.REFRESH not in found or bool({GrantType.CODE, GrantType.DEVICE} & {*found}),
        "grant_types",
        "Kiểu refresh_token phải đi cùng authorization_code hoặc device_code.",
    )
    # RFC 6749 §4.4: only confidential clients act on their own account; whoever keeps no secret
    # cannot prove either that a token it brings for exchange was given to it.
    _require(
        wanted.auth_method is not AuthMethod.NONE
        or not {GrantType.CLIENT, GrantType.EXCHANGE} & {*found},
        "auth_method",
        "Ứng dụng công khai không được dùng client_credentials hay token-exchange.",
    )
    return found


def _response_types(wanted: Registration) -> tuple[ResponseType, ...]:
    """The response types; each word has its grant type (OIDC Registration §2)."""
    by_code = GrantType.CODE in wanted.grant_types
    default = (ResponseType.CODE,) if by_code else ()
    found = default if wanted.response_types is None else wanted.response_types
    _require(
        by_code == any("code" in t.words for t in found),
        "response_types",
        "Kiểu trả lời có code phải đi cùng kiểu cấp quyền authorization_code.",
    )
    return tuple(dict.fromkeys(found))


# ---- addresses -------------------------------------------------------------------------------


def _addresses(wanted: Registration) -> dict[str, Any]:
    native = wanted.kind is ClientKind.NATIVE
    by_browser = bool({GrantType.CODE, GrantType.IMPLICIT} & {*wanted.grant_types})
    _few(wanted.redirect_uris, "redirect_uris")
    _few(wanted.post_logout_redirect_uris, "post_logout_redirect_uris")
    _require(
        bool(wanted.redirect_uris) == by_browser,
        "redirect_uris",
        "Địa chỉ chuyển về là bắt buộc với authorization_code và chỉ dùng với kiểu đó.",
    )
    uris = redirects.checked(wanted.redirect_uris, field="redirect_uris", native=native)
    if GrantType.IMPLICIT in wanted.grant_types and not native:
        redirects.require_for_implicit(uris, field="redirect_uris")
    after = wanted.post_logout_redirect_uris
    behind = wanted.backchannel_logout_uri or None
    redirects.checked([behind] if behind else [], field="backchannel_logout_uri")
    before = wanted.options.frontchannel_logout_uri
    if before is not None:
        redirects.checked([before], field="frontchannel_logout_uri")
        # Front-Channel Logout §2.
        _require(
            redirects.origin(before) in {redirects.origin(uri) for uri in uris},
            "frontchannel_logout_uri",
            "Địa chỉ đăng xuất phải cùng máy chủ với một địa chỉ chuyển về.",
        )
    return {
        "redirect_uris": uris,
        "post_logout_redirect_uris": redirects.checked(
            after, field="post_logout_redirect_uris", native=native
        ),
        "backchannel_logout_uri": behind,
        "backchannel_logout_session_required": wanted.backchannel_logout_session_required,
    }


# ---- everything else -------------------------------------------------------------------------


def _options(wanted: Registration) -> Options:
    options = wanted.options
    for name in _PAGES:
        redirects.checked(_one(getattr(options, name)), field=name)
    # The specifications ask for https here (OIDC Registration §2 and §5, OIDC Core §4).
    for name in ("sector_identifier_uri", "initiate_login_uri"):
        redirects.https(_one(getattr(options, name)), field=name)
        _require("#" not in (getattr(options, name) or ""), name, "Địa chỉ không hợp lệ.")
    redirects.checked(_one(options.jwks_uri), field="jwks_uri")
    _few(options.request_uris, "request_uris")
    redirects.https(options.request_uris, field="request_uris")
    age = options.default_max_age
    _require(age is None or 0 <= age <= LONGEST_AGE, "default_max_age", "Số giây không hợp lệ.")
    for name in _WORDS:
        _shown(getattr(options, name) or "-", name, longest=200)
    for name in ("contacts", "default_acr_values"):
        _few(getattr(options, name), name)
        for each in getattr(options, name):
            _shown(each, name, longest=300)
    minimum = options.minimum_acr
    _require(
        minimum is None or minimum in {*Level}, "minimum_acr", "Mức xác thực không được hỗ trợ."
    )
    _require(
        options.minimum_eid_level in (None, 1, 2),
        "minimum_eid_level",
        "Mức độ định danh điện tử là 1 hoặc 2.",
    )
    _resources(options)
    _localized(options)
    _signing(options)
    _require_certificate_subject(wanted.auth_method, options)
    return _with_keys(wanted.auth_method, options)


def _with_keys(method: AuthMethod, options: Options) -> Options:
    # RFC 7591 §2: never both.
    _require(
        options.jwks is None or options.jwks_uri is None,
        "jwks",
        "Chỉ được đăng ký một trong hai: jwks hoặc jwks_uri.",
    )
    signs = method in BY_KEY or options.require_signed_request_object
    _require(
        not signs or options.jwks is not None or options.jwks_uri is not None,
        "jwks",
        "Cần khóa công khai của ứng dụng: jwks hoặc jwks_uri.",
    )
    own = options.token_endpoint_auth_signing_alg
    family = {AuthMethod.KEY_JWT: jws.ASYMMETRIC, AuthMethod.SECRET_JWT: jws.HMAC}
    _among(own, family.get(method, (*jws.ASYMMETRIC, *jws.HMAC)), "token_endpoint_auth_signing_alg")
    return options if options.jwks is None else replace(options, jwks=jwks.checked(options.jwks))


def _signing(options: Options) -> None:
    for name in (
        "authorization_signed_response_alg",
        "userinfo_signed_response_alg",
        "introspection_signed_response_alg",
    ):
        _among(getattr(options, name), ALGORITHMS, name)
    _among(options.request_object_signing_alg, jws.ASYMMETRIC, "request_object_signing_alg")


def _require_certificate_subject(method: AuthMethod, options: Options) -> None:
    """RFC 8705 §2.1.2: exactly one way to name the certificate's subject."""
    named = {name: getattr(options, name) for name in _SUBJECT_FIELDS}
    said = [name for name, value in named.items() if value is not None]
    _require(
        len(said) == (1 if method is AuthMethod.TLS else 0),
        said[-1] if said else _SUBJECT_FIELDS[0],
        "tls_client_auth cần đúng một trường nêu chủ thể chứng thư.",
    )
    for name in said:
        _require(_names_a_subject(name, named[name]), name, "Chủ thể chứng thư không hợp lệ.")


def _names_a_subject(name: str, value: str) -> bool:
    if not (0 < len(value) <= 1000 and value.isprintable()):
        return False
    try:
        if name == _SUBJECT_FIELDS[0]:
            return bool(dn.parsed(value).rdns)
        if name == "tls_client_auth_san_ip":
            return bool(ipaddress.ip_address(value))
        if name == "tls_client_auth_san_uri":
            return bool(urlsplit(value).scheme) and value.isascii()
    except ValueError:
        return False
    return value.isascii() and " " not in value


def _resources(options: Options) -> None:
    """RFC 8707 §2: absolute URIs without fragment."""
    _require(len(options.resources) <= MOST_RESOURCES, "resources", "Danh sách quá dài.")
    for uri in options.resources:
        _require(redirects.absolute(uri), "resources", "Địa chỉ không hợp lệ.")


def _localized(options: Options) -> None:
    _few(options.localized, "client_name")
    for name, value in options.localized.items():
        base, _, tag = name.partition("#")
        _require(base in LOCALIZED and bool(_TAG.fullmatch(tag)), base, "Thẻ ngôn ngữ sai.")
        if base == "client_name":
            _shown(value, name, longest=200)
        else:
            redirects.checked([value], field=name)


# ---- small things ----------------------------------------------------------------------------


def _shown(text: str, name: str, *, longest: int) -> str:
    """Text that people read."""
    fits = 0 < len(text) <= longest and text.isprintable() and not _DECEIVING.search(text)
    _require(fits, name, "Văn bản phải có từ 1 đến {most} ký tự hiển thị được.", most=longest)
    return text


def _few(several: Collection[Any], name: str) -> None:
    _require(len(several) <= MOST, name, "Danh sách quá dài.")


def _one(uri: str | None) -> list[str]:
    return [] if uri is None else [uri]


def _among(value: str | None, known: Collection[str], name: str) -> None:
    _require(value is None or value in known, name, "Thuật toán ký không được hỗ trợ.")


def _require(holds: bool, name: str, sentence: str, **args: Any) -> None:
    if not holds:
        raise InvalidInput("client_" + name, sentence, field=name, **args)
