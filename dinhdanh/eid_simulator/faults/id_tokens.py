"""Signature and claims of the id_token."""

from collections.abc import Callable

from dinhdanh.eid_simulator import jose
from dinhdanh.eid_simulator.artefacts import IdToken
from dinhdanh.eid_simulator.faults.fault import DVCQG, STANDARD, Expected, Fault, Stage
from dinhdanh.eid_simulator.sign_ins import SignIn
from dinhdanh.eid_simulator.words import NOTHING, Said

HOUR = 3600


def _signature_of_another_key(token: IdToken, _sign_in: SignIn) -> None:
    token.sign = token.keys.stranger(token.header["alg"]).sign


def _kid_unknown(token: IdToken, _sign_in: SignIn) -> None:
    key = token.keys.stranger(token.header["alg"])
    token.header["kid"], token.sign = key.kid, key.sign


def _kid_missing(token: IdToken, _sign_in: SignIn) -> None:
    token.header.pop("kid", None)


def _alg_none(token: IdToken, _sign_in: SignIn) -> None:
    token.header = {"alg": "none"}
    token.sign = jose.unsigned


def _alg_hmac_with_public_key(token: IdToken, _sign_in: SignIn) -> None:
    key = token.keys.current("RS256")
    token.header |= {"alg": "HS256", "kid": key.kid}
    token.sign = jose.by_hmac(key.public_pem())


def _alg_hmac_with_secret(token: IdToken, _sign_in: SignIn) -> None:
    token.header["alg"] = "HS256"
    token.header.pop("kid", None)
    token.sign = jose.by_hmac(token.client_secret.encode())


def _key_in_header(token: IdToken, _sign_in: SignIn) -> None:
    key = token.keys.stranger(token.header["alg"])
    token.header |= {"kid": key.kid, "jwk": key.public(), "jku": "https://elsewhere.invalid/jwks"}
    token.sign = key.sign


def _critical_header(token: IdToken, _sign_in: SignIn) -> None:
    token.header |= {"crit": ["unheard-of"], "unheard-of": True}


def _key_rotated(token: IdToken, _sign_in: SignIn) -> None:
    token.keys.rotate()
    key = token.keys.current(token.header["alg"])
    token.header["kid"], token.sign = key.kid, key.sign


def _claim(
    name: str, change: Callable[[IdToken, SignIn], object]
) -> Callable[[IdToken, SignIn], None]:
    def deed(token: IdToken, sign_in: SignIn) -> None:
        token.claims[name] = change(token, sign_in)

    return deed


def _without(name: str) -> Callable[[IdToken, SignIn], None]:
    def deed(token: IdToken, _sign_in: SignIn) -> None:
        token.claims.pop(name, None)

    return deed


def _audience_many(token: IdToken, sign_in: SignIn) -> None:
    token.claims["aud"] = [sign_in.asked.client.client_id, "somebody-else"]
    token.claims.pop("azp", None)


def _expired(token: IdToken, _sign_in: SignIn) -> None:
    for name in ("iat", "exp", "auth_time"):
        if name in token.claims:
            token.claims[name] -= 2 * HOUR


def _not_yet(token: IdToken, _sign_in: SignIn) -> None:
    token.claims["nbf"] = token.claims["iat"] = token.claims["iat"] + HOUR
    token.claims["exp"] += HOUR


_REFUSE, _ACCEPT, _EITHER = Expected.REFUSE, Expected.ACCEPT, Expected.EITHER
_EXPLICIT = Said(
    "Từ chối: thuật toán và khóa là của cấu hình, không phải của header.",
    "Refuse: algorithm and key come from the configuration, never from the header.",
)
_NOT_READ = Said(
    "Ai đọc id_token thì từ chối; ai chỉ dùng userinfo thì không thấy.",
    "Whoever reads the id_token refuses; whoever only uses userinfo does not see it.",
)


def _fault(
    code: str,
    expected: Expected,
    does: Said,
    deed: Callable[[IdToken, SignIn], None],
    right: Said = NOTHING,
) -> Fault:
    return Fault(code, Stage.ID_TOKEN, (STANDARD,), expected, does, deed, right)


FAULTS = (
    _fault(
        "signature_of_another_key",
        _REFUSE,
        Said("Chữ ký của khóa khác, kid đúng", "Signed by another key, with the right kid"),
        _signature_of_another_key,
    ),
    _fault(
        "kid_unknown",
        _REFUSE,
        Said("kid không có trong bộ khóa", "A kid that is not in the key set"),
        _kid_unknown,
        Said("Tải lại bộ khóa một lần, rồi từ chối.", "Fetch the key set once more, then refuse."),
    ),
    _fault(
        "kid_missing",
        _EITHER,
        Said("Không có kid", "No kid"),
        _kid_missing,
        Said(
            "Chấp nhận chỉ khi đúng một khóa của thuật toán ấy khớp.",
            "Accept only where exactly one key of that algorithm fits.",
        ),
    ),
    _fault(
        "alg_none",
        _REFUSE,
        Said("Không ký (alg none)", "Not signed (alg none)"),
        _alg_none,
        _EXPLICIT,
    ),
    _fault(
        "alg_hmac_with_public_key",
        _REFUSE,
        Said("HS256 bằng khóa công khai", "HS256 with the public key"),
        _alg_hmac_with_public_key,
        _EXPLICIT,
    ),
    _fault(
        "alg_hmac_with_secret",
        _REFUSE,
        Said(
            "HS256 bằng bí mật của ứng dụng, khi đã hẹn RS256",
            "HS256 with the client's secret, where RS256 was agreed",
        ),
        _alg_hmac_with_secret,
        _EXPLICIT,
    ),
    _fault(
        "key_in_header",
        _REFUSE,
        Said(
            "Khóa lạ đặt ngay trong header (jwk, jku)", "A stranger's key in the header (jwk, jku)"
        ),
        _key_in_header,
        _EXPLICIT,
    ),
    _fault(
        "critical_header",
        _REFUSE,
        Said(
            "Header bắt buộc hiểu (crit) mà không ai biết", "A critical header nobody knows (crit)"
        ),
        _critical_header,
        Said("Từ chối (RFC 7515 mục 4.1.11).", "Refuse (RFC 7515 section 4.1.11)."),
    ),
    _fault(
        "key_rotated",
        _ACCEPT,
        Said(
            "Đổi khóa giữa lúc tải cấu hình và lúc ký",
            "The key is rotated between discovery and token",
        ),
        _key_rotated,
        Said("Tải lại bộ khóa một lần rồi chấp nhận.", "Fetch the key set once more, then accept."),
    ),
    _fault(
        "token_issuer_other",
        _REFUSE,
        Said("iss của bên khác", "iss of somebody else"),
        _claim("iss", lambda _t, _s: "https://another-issuer.invalid"),
    ),
    _fault(
        "audience_other",
        _REFUSE,
        Said("aud của ứng dụng khác", "aud of another client"),
        _claim("aud", lambda _t, _s: "somebody-else"),
    ),
    _fault(
        "audience_many",
        _EITHER,
        Said("Hai aud, không có azp", "Two audiences and no azp"),
        _audience_many,
    ),
    _fault(
        "authorized_party_other",
        _REFUSE,
        Said("azp của ứng dụng khác", "azp of another client"),
        _claim("azp", lambda _t, _s: "somebody-else"),
    ),
    _fault("nonce_missing", _REFUSE, Said("Không có nonce", "No nonce"), _without("nonce")),
    _fault(
        "nonce_other",
        _REFUSE,
        Said("nonce khác", "Another nonce"),
        _claim("nonce", lambda _t, _s: "another-nonce"),
    ),
    _fault(
        "at_hash_other",
        _REFUSE,
        Said("at_hash của mã truy cập khác", "at_hash of another access token"),
        _claim("at_hash", lambda _t, _s: jose.half_hash("another")),
    ),
    _fault(
        "c_hash_other",
        _REFUSE,
        Said("c_hash của mã khác", "c_hash of another code"),
        _claim("c_hash", lambda _t, _s: jose.half_hash("another")),
        Said(
            "Có c_hash thì kiểm tra, kể cả khi không bắt buộc.",
            "Check a c_hash that is there, even where it need not be.",
        ),
    ),
    _fault(
        "token_expired",
        _REFUSE,
        Said("id_token hết hạn một giờ trước", "The id_token ran out an hour ago"),
        _expired,
    ),
    _fault(
        "token_not_yet",
        _REFUSE,
        Said(
            "id_token có hiệu lực sau một giờ (nbf, iat)",
            "The id_token is good in an hour (nbf, iat)",
        ),
        _not_yet,
    ),
    _fault("expiry_missing", _REFUSE, Said("Không có exp", "No exp"), _without("exp")),
    _fault(
        "token_subject_missing",
        _REFUSE,
        Said("id_token không có sub", "The id_token has no sub"),
        _without("sub"),
    ),
    _fault(
        "auth_time_old",
        _REFUSE,
        Said("auth_time từ hôm qua, max_age bị bỏ qua", "auth_time of yesterday, max_age ignored"),
        _claim("auth_time", lambda t, _s: t.claims["auth_time"] - 24 * HOUR),
        Said(
            "Đã xin max_age (hay prompt=login) thì từ chối.",
            "Refuse if max_age (or prompt=login) was asked for.",
        ),
    ),
    _fault(
        "auth_time_missing",
        _REFUSE,
        Said("Không có auth_time", "No auth_time"),
        _without("auth_time"),
        Said(
            "Đã xin max_age thì từ chối (Core 3.1.3.7).",
            "Refuse if max_age was asked for (Core 3.1.3.7).",
        ),
    ),
    _fault(
        "acr_lower",
        _EITHER,
        Said("acr thấp hơn đã xin (một yếu tố)", "acr lower than asked for (one factor)"),
        _claim("acr", lambda _t, _s: "urn:vn:aal:1"),
        Said(
            "Không nâng mức: đòi thêm yếu tố của mình, hoặc từ chối.",
            "Never raise it: ask for a factor of your own, or refuse.",
        ),
    ),
    _fault(
        "acr_missing",
        _EITHER,
        Said("Không có acr", "No acr"),
        _without("acr"),
        Said(
            "Chỉ tin mức đã cấu hình cho bên này.",
            "Trust only what is configured for this provider.",
        ),
    ),
    Fault(
        "portal_token_wrong",
        Stage.ID_TOKEN,
        (DVCQG,),
        _EITHER,
        Said(
            "id_token của cổng ký bằng khóa khác", "The portal's id_token is signed by another key"
        ),
        _signature_of_another_key,
        _NOT_READ,
    ),
    Fault(
        "portal_subject_other",
        Stage.ID_TOKEN,
        (DVCQG,),
        _EITHER,
        Said(
            "sub trong id_token của cổng khác userinfo",
            "The portal's id_token has another sub than userinfo",
        ),
        _claim("sub", lambda _t, s: f"{s.shown.subject}-other"),
        _NOT_READ,
    ),
)
