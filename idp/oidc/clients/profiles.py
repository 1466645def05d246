"""What a profile makes of a client (``kinds.Profile``): it switches on, and it refuses.

FAPI 2.0 Security Profile       authentication by key or certificate (§5.3.2.1), tokens bound to
                                a key, pushed requests, PKCE, ``code`` only (§5.3.2.2), PS256 and
                                ES256 only (§5.4.1), redirects over https
FAPI 2.0 Message Signing        signed requests (§5.3.1) and signed responses (§5.4.1) besides

What the registration leaves open is chosen so that it fits; what it says otherwise is refused.
"""

from directory.base import jws
from idp.oidc.clients import sorts
from idp.oidc.clients.checks import require as require_field
from idp.oidc.clients.columns import Registration
from idp.oidc.clients.kinds import AuthMethod, ClientKind, GrantType, Profile, ResponseType
from idp.oidc.clients.options import Options

METHODS = frozenset({AuthMethod.KEY_JWT, AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS})
_BY_CERTIFICATE = frozenset({AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS})
# A device's request is not pushed by whom it is for; implicit tokens pass through the browser.
_FORBIDDEN_GRANTS = frozenset({GrantType.IMPLICIT, GrantType.DEVICE})
_ALGORITHMS = (sorts.ALGORITHM, sorts.OUR_ALGORITHM)


def settled(wanted: Registration) -> Registration:
    """The same with everything said: what it leaves open, its profile decides."""
    profile = wanted.options.profile
    wanted = wanted.saying(
        {
            each.name: each.usual[profile]
            for each, value in wanted.every()
            if profile in each.usual and (value is None or value is False)
        }
    )
    return wanted.but(options=_bound(wanted)) if profile.fapi else wanted


def _bound(wanted: Registration) -> Options:
    """Tokens bound to a key in some way: by certificate where the client comes with one."""
    options = wanted.options
    if options.dpop_bound_access_tokens or options.tls_client_certificate_bound_access_tokens:
        return options
    by_certificate = wanted.auth_method in _BY_CERTIFICATE
    return options.but(
        dpop_bound_access_tokens=not by_certificate,
        tls_client_certificate_bound_access_tokens=by_certificate,
    )


def require(wanted: Registration, response_types: tuple[ResponseType, ...]) -> None:
    """Raises InvalidInput naming what the profile forbids; ``wanted`` is settled."""
    options = wanted.options
    if not options.profile.fapi:
        return
    require_field(
        wanted.auth_method in METHODS,
        "auth_method",
        "Hồ sơ FAPI 2.0 cần xác thực bằng private_key_jwt hoặc chứng thư TLS.",
    )
    require_field(
        not _FORBIDDEN_GRANTS & {*wanted.grant_types},
        "grant_types",
        "Hồ sơ FAPI 2.0 không cho dùng kiểu cấp quyền này.",
    )
    require_field(
        {*response_types} <= {ResponseType.CODE},
        "response_types",
        "Hồ sơ FAPI 2.0 chỉ cho dùng response_type code.",
    )
    for each, alg in wanted.every():
        require_field(
            each.sort not in _ALGORITHMS or alg is None or alg in jws.FAPI,
            each.name,
            "Hồ sơ FAPI 2.0 chỉ cho ký bằng PS256 hoặc ES256.",
        )
    # §5.3.2.2: no http but on the loopback of a native application (RFC 8252 §7.3).
    require_field(
        wanted.kind is ClientKind.NATIVE
        or all(u.startswith("https:") for u in wanted.redirect_uris),
        "redirect_uris",
        "Hồ sơ FAPI 2.0 cần địa chỉ chuyển về dùng https.",
    )
    signs = wanted.auth_method is not AuthMethod.TLS or options.profile is Profile.FAPI2_SIGNED
    require_field(
        not signs or options.jwks is not None or options.jwks_uri is not None,
        "jwks",
        "Cần khóa công khai của ứng dụng: jwks hoặc jwks_uri.",
    )
