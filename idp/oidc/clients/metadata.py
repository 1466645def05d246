"""What may be registered (RFC 7591 §2, OIDC Registration §2): what fields ask of one another.

    each field by itself    its row in ``options``, its ``checks``
    grants and responses    which grant types and response types go together
    addresses               redirects, sectors
    keys                    jwks
    profile                 profiles: what FAPI 2.0 switches on and refuses

What is refused names its field, by the name of ``Registration`` or ``Options``.
"""

import re
from typing import Any

from directory.base import jws
from idp.oidc.clients import jwks, profiles, redirects, sectors, sorts
from idp.oidc.clients.checks import algorithm, few, require
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.kinds import (
    BY_KEY,
    SCOPES,
    AuthMethod,
    ClientKind,
    GrantType,
    ResponseType,
    SubjectType,
)
from idp.oidc.clients.options import Options

_TAG = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}")


def checked(wanted: Registration) -> dict[str, Any]:
    """The columns of the client's row. Raises InvalidInput naming the field."""
    wanted = profiles.settled(wanted.but(name=wanted.name.strip()))
    for each, value in wanted.every():
        each.require(value)
    wanted = wanted.but(grant_types=_grant_types(wanted))
    wanted = wanted.but(response_types=_response_types(wanted))
    require(
        not (wanted.resource_server and wanted.auth_method is AuthMethod.NONE),
        "resource_server",
        "Máy chủ tài nguyên phải có mật khẩu.",
    )
    wanted = wanted.but(scopes=tuple(s for s in SCOPES if s in wanted.scopes), **_addresses(wanted))
    wanted = wanted.but(options=_options(wanted))
    profiles.require(wanted, wanted.response_types)
    pairwise = wanted.subject_type is SubjectType.PAIRWISE
    # A device is answered at no address: a sector that vouches only for addresses would be told
    # to whoever claims one of them.
    require(
        not pairwise or GrantType.DEVICE not in wanted.grant_types,
        "subject_type",
        "Mã định danh riêng không dùng được cùng device_code.",
    )
    uri = wanted.options.sector_identifier_uri
    sector = sectors.identifier(wanted.redirect_uris, uri) if pairwise else None
    return wanted.columns | {"sector": sector}


# ---- grants and responses ----------------------------------------------------------------------


def _grant_types(wanted: Registration) -> tuple[GrantType, ...]:
    """The grant types, ``implicit`` among them exactly where a response type needs it."""
    front = any(t.words & {"id_token", "token"} for t in wanted.response_types)
    said = (g for g in wanted.grant_types if front or g is not GrantType.IMPLICIT)
    found = tuple(dict.fromkeys([*said, *([GrantType.IMPLICIT] if front else [])]))
    require(bool(found), "grant_types", "Cần ít nhất một kiểu cấp quyền.")
    require(
        GrantType.REFRESH not in found or bool({GrantType.CODE, GrantType.DEVICE} & {*found}),
        "grant_types",
        "Kiểu refresh_token phải đi cùng authorization_code hoặc device_code.",
    )
    # RFC 6749 §4.4: only confidential clients act on their own account; whoever keeps no secret
    # cannot prove either that a token it brings for exchange was given to it.
    require(
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
    found = wanted.response_types or default
    require(
        by_code == any("code" in t.words for t in found),
        "response_types",
        "Kiểu trả lời có code phải đi cùng kiểu cấp quyền authorization_code.",
    )
    return tuple(dict.fromkeys(found))


# ---- addresses -------------------------------------------------------------------------------


def _addresses(wanted: Registration) -> dict[str, Any]:
    native = wanted.kind is ClientKind.NATIVE
    by_browser = bool({GrantType.CODE, GrantType.IMPLICIT} & {*wanted.grant_types})
    require(
        bool(wanted.redirect_uris) == by_browser,
        "redirect_uris",
        "Địa chỉ chuyển về là bắt buộc với authorization_code và chỉ dùng với kiểu đó.",
    )
    uris = redirects.checked(wanted.redirect_uris, field="redirect_uris", native=native)
    if GrantType.IMPLICIT in wanted.grant_types and not native:
        redirects.require_for_implicit(uris, field="redirect_uris")
    after = redirects.checked(
        wanted.post_logout_redirect_uris, field="post_logout_redirect_uris", native=native
    )
    before = wanted.options.frontchannel_logout_uri
    # Front-Channel Logout §2.
    require(
        before is None or redirects.origin(before) in {redirects.origin(uri) for uri in uris},
        "frontchannel_logout_uri",
        "Địa chỉ đăng xuất phải cùng máy chủ với một địa chỉ chuyển về.",
    )
    return {"redirect_uris": tuple(uris), "post_logout_redirect_uris": tuple(after)}


# ---- keys, certificates, languages ------------------------------------------------------------


def _options(wanted: Registration) -> Options:
    _localized(wanted.options)
    _require_certificate_subject(wanted.auth_method, wanted.options)
    return _with_keys(wanted.auth_method, wanted.options)


def _with_keys(method: AuthMethod, options: Options) -> Options:
    # RFC 7591 §2: never both.
    require(
        options.jwks is None or options.jwks_uri is None,
        "jwks",
        "Chỉ được đăng ký một trong hai: jwks hoặc jwks_uri.",
    )
    signs = method in BY_KEY or options.require_signed_request_object
    require(
        not signs or options.jwks is not None or options.jwks_uri is not None,
        "jwks",
        "Cần khóa công khai của ứng dụng: jwks hoặc jwks_uri.",
    )
    own = options.token_endpoint_auth_signing_alg
    family = {AuthMethod.KEY_JWT: jws.ASYMMETRIC, AuthMethod.SECRET_JWT: jws.HMAC}
    if own is not None:
        known = family.get(method, (*jws.ASYMMETRIC, *jws.HMAC))
        algorithm(known)("token_endpoint_auth_signing_alg", own)
    return options if options.jwks is None else options.but(jwks=jwks.checked(options.jwks))


def _require_certificate_subject(method: AuthMethod, options: Options) -> None:
    """RFC 8705 §2.1.2: exactly one way to name the certificate's subject."""
    subjects = [(e.name, value) for e, value in options.items() if e.sort is sorts.SUBJECT]
    said = [name for name, value in subjects if value is not None]
    require(
        len(said) == (1 if method is AuthMethod.TLS else 0),
        said[-1] if said else subjects[0][0],
        "tls_client_auth cần đúng một trường nêu chủ thể chứng thư.",
    )


def _localized(options: Options) -> None:
    few("client_name", options.localized)
    known = Registration.localizable()
    for name, value in options.localized.items():
        base, _, tag = name.partition("#")
        require(base in known and bool(_TAG.fullmatch(tag)), base, "Thẻ ngôn ngữ sai.")
        check = known[base].check
        if check is not None:
            check(name, value)
