"""What a profile makes of a client (``kinds.Profile``): it switches on, and it refuses.

FAPI 2.0 Security Profile       authentication by key or certificate (§5.3.2.1), tokens bound to
                                a key, pushed requests, PKCE, ``code`` only (§5.3.2.2), PS256 and
                                ES256 only (§5.4.1), redirects over https
FAPI 2.0 Message Signing        signed requests (§5.3.1) and signed responses (§5.4.1) besides

What the registration leaves open is chosen so that it fits; what it says otherwise is refused.
"""

from dataclasses import replace

from directory.base.errors import InvalidInput
from idp.oidc import jws
from idp.oidc.clients.kinds import AuthMethod, ClientKind, GrantType, Profile, ResponseType
from idp.oidc.clients.options import Options, Registration

METHODS = frozenset({AuthMethod.KEY_JWT, AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS})
_BY_CERTIFICATE = frozenset({AuthMethod.TLS, AuthMethod.SELF_SIGNED_TLS})
# A device's request is not pushed by whom it is for; implicit tokens pass through the browser.
_FORBIDDEN_GRANTS = frozenset({GrantType.IMPLICIT, GrantType.DEVICE})
_ALGORITHMS = (
    "token_endpoint_auth_signing_alg",
    "request_object_signing_alg",
    "authorization_signed_response_alg",
    "userinfo_signed_response_alg",
    "introspection_signed_response_alg",
)
USUAL = "ES256"
USUAL_ELSEWHERE = "RS256"
"""OIDC Registration §2: what every library checks."""


def settled(wanted: Registration) -> Registration:
    """The same with everything said: what it leaves open, its profile decides."""
    options = wanted.options
    if not options.profile.fapi:
        return replace(wanted, id_token_alg=wanted.id_token_alg or USUAL_ELSEWHERE)
    return replace(
        wanted, id_token_alg=wanted.id_token_alg or USUAL, options=_switched_on(wanted, options)
    )


def _switched_on(wanted: Registration, options: Options) -> Options:
    by_certificate = wanted.auth_method in _BY_CERTIFICATE
    bound = options.dpop_bound_access_tokens or options.tls_client_certificate_bound_access_tokens
    options = replace(
        options,
        require_pkce=True,
        require_pushed_authorization_requests=True,
        dpop_bound_access_tokens=(
            options.dpop_bound_access_tokens if bound else not by_certificate
        ),
        tls_client_certificate_bound_access_tokens=(
            options.tls_client_certificate_bound_access_tokens if bound else by_certificate
        ),
    )
    if options.profile is not Profile.FAPI2_SIGNED:
        return options
    return replace(
        options,
        require_signed_request_object=True,
        authorization_signed_response_alg=options.authorization_signed_response_alg or USUAL,
    )


def require(wanted: Registration, response_types: tuple[ResponseType, ...]) -> None:
    """Raises InvalidInput naming what the profile forbids; ``wanted`` is settled."""
    options = wanted.options
    if not options.profile.fapi:
        return
    _require(
        wanted.auth_method in METHODS,
        "auth_method",
        "Hồ sơ FAPI 2.0 cần xác thực bằng private_key_jwt hoặc chứng thư TLS.",
    )
    _require(
        not _FORBIDDEN_GRANTS & {*wanted.grant_types},
        "grant_types",
        "Hồ sơ FAPI 2.0 không cho dùng kiểu cấp quyền này.",
    )
    _require(
        {*response_types} <= {ResponseType.CODE},
        "response_types",
        "Hồ sơ FAPI 2.0 chỉ cho dùng response_type code.",
    )
    algorithms = {"id_token_alg": wanted.id_token_alg} | {
        name: getattr(options, name) for name in _ALGORITHMS
    }
    for name, alg in algorithms.items():
        _require(
            alg is None or alg in jws.FAPI, name, "Hồ sơ FAPI 2.0 chỉ cho ký bằng PS256 hoặc ES256."
        )
    # §5.3.2.2: no http but on the loopback of a native application (RFC 8252 §7.3).
    _require(
        wanted.kind is ClientKind.NATIVE
        or all(u.startswith("https:") for u in wanted.redirect_uris),
        "redirect_uris",
        "Hồ sơ FAPI 2.0 cần địa chỉ chuyển về dùng https.",
    )
    signs = wanted.auth_method is not AuthMethod.TLS or options.profile is Profile.FAPI2_SIGNED
    _require(
        not signs or options.jwks is not None or options.jwks_uri is not None,
        "jwks",
        "Cần khóa công khai của ứng dụng: jwks hoặc jwks_uri.",
    )


def _require(holds: bool, name: str, sentence: str) -> None:
    if not holds:
        raise InvalidInput("client_" + name, sentence, field=name)
