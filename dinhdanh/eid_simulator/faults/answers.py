"""What the token and userinfo endpoints say, apart from how it travels."""

from typing import Any

from dinhdanh.eid_simulator.artefacts import Answer
from dinhdanh.eid_simulator.faults.fault import (
    DVCQG,
    EVERYWHERE,
    STANDARD,
    Expected,
    Fault,
    Stage,
)
from dinhdanh.eid_simulator.sign_ins import SignIn
from dinhdanh.eid_simulator.words import Said

ELSEWHERE = "/elsewhere"
"""Where a redirected call for a token ends; being seen there means that it was followed."""


def _token_type_other(body: dict[str, Any], _sign_in: SignIn) -> None:
    body["token_type"] = "mac"  # noqa: S105


def _token_type_small(body: dict[str, Any], _sign_in: SignIn) -> None:
    body["token_type"] = "bearer"  # noqa: S105


def _expires_in_missing(body: dict[str, Any], _sign_in: SignIn) -> None:
    body.pop("expires_in", None)


def _expires_in_text(body: dict[str, Any], _sign_in: SignIn) -> None:
    body["expires_in"] = str(body.get("expires_in", 300))


def _access_token_missing(body: dict[str, Any], _sign_in: SignIn) -> None:
    body.pop("access_token", None)


def _id_token_missing(body: dict[str, Any], _sign_in: SignIn) -> None:
    body.pop("id_token", None)


def _token_redirect(answer: Answer, _sign_in: SignIn) -> None:
    answer.say("", status=307)
    answer.headers["Location"] = ELSEWHERE


def _token_error(answer: Answer, _sign_in: SignIn) -> None:
    answer.say('{"error": "invalid_client", "error_description": "simulated"}', status=401)


def _subject_other(claims: dict[str, Any], sign_in: SignIn) -> None:
    claims["sub"] = f"{sign_in.shown.subject}-other"


def _subject_missing(claims: dict[str, Any], _sign_in: SignIn) -> None:
    claims.pop("sub", None)


def _aggregated(claims: dict[str, Any], sign_in: SignIn) -> None:
    claims["_claim_names"] = {"citizen_id": "elsewhere", "eid_level": "elsewhere"}
    claims["_claim_sources"] = {
        "elsewhere": {
            "endpoint": "https://another-issuer.invalid/claims",
            "access_token": sign_in.other.citizen_number,
        }
    }


_REFUSE, _ACCEPT, _EITHER = Expected.REFUSE, Expected.ACCEPT, Expected.EITHER

FAULTS = (
    Fault(
        "token_type_other",
        Stage.TOKEN,
        EVERYWHERE,
        _REFUSE,
        Said("token_type là mac", "token_type is mac"),
        _token_type_other,
        Said(
            "Từ chối loại không hiểu (RFC 6749 mục 7.1).",
            "Refuse a type you do not understand (RFC 6749 section 7.1).",
        ),
    ),
    Fault(
        "token_type_small",
        Stage.TOKEN,
        EVERYWHERE,
        _ACCEPT,
        Said("token_type viết thường: bearer", "token_type in small letters: bearer"),
        _token_type_small,
        Said(
            "Không phân biệt hoa thường (RFC 6749 mục 5.1).",
            "Case does not matter (RFC 6749 section 5.1).",
        ),
    ),
    Fault(
        "expires_in_missing",
        Stage.TOKEN,
        EVERYWHERE,
        _ACCEPT,
        Said("Không có expires_in", "No expires_in"),
        _expires_in_missing,
        Said(
            "Vẫn dùng ngay một lần (expires_in chỉ là nên có).",
            "Use it at once, once (expires_in is only recommended).",
        ),
    ),
    Fault(
        "expires_in_text",
        Stage.TOKEN,
        EVERYWHERE,
        _EITHER,
        Said("expires_in là chữ", "expires_in is text"),
        _expires_in_text,
    ),
    Fault(
        "access_token_missing",
        Stage.TOKEN,
        EVERYWHERE,
        _REFUSE,
        Said("Không có access_token", "No access_token"),
        _access_token_missing,
    ),
    Fault(
        "id_token_missing",
        Stage.TOKEN,
        (STANDARD,),
        _REFUSE,
        Said("Không có id_token", "No id_token"),
        _id_token_missing,
    ),
    Fault(
        "token_redirect",
        Stage.TOKEN_TRANSPORT,
        EVERYWHERE,
        _REFUSE,
        Said("Đầu token chuyển hướng (307)", "The token endpoint redirects (307)"),
        _token_redirect,
        Said(
            "Không đi theo: mã và bí mật sẽ tới nơi khác.",
            "Do not follow: code and secret would go elsewhere.",
        ),
    ),
    Fault(
        "token_error",
        Stage.TOKEN_TRANSPORT,
        EVERYWHERE,
        _REFUSE,
        Said("Đầu token trả 401 invalid_client", "The token endpoint says 401 invalid_client"),
        _token_error,
        Said(
            "Từ chối và báo quản trị: cấu hình sai.",
            "Refuse, and tell the administrator: the configuration is wrong.",
        ),
    ),
    Fault(
        "userinfo_subject_other",
        Stage.USERINFO,
        (STANDARD,),
        _REFUSE,
        Said("sub của userinfo khác sub của id_token", "userinfo's sub is not the id_token's"),
        _subject_other,
        Said("Từ chối (OpenID Connect Core 5.3.2).", "Refuse (OpenID Connect Core section 5.3.2)."),
    ),
    Fault(
        "userinfo_subject_missing",
        Stage.USERINFO,
        (STANDARD, DVCQG),
        _REFUSE,
        Said("userinfo không có sub", "userinfo has no sub"),
        _subject_missing,
    ),
    Fault(
        "aggregated_claims",
        Stage.USERINFO,
        (STANDARD,),
        _ACCEPT,
        Said(
            "userinfo chỉ sang nguồn khác cho số định danh và mức độ",
            "userinfo points to another source for number and level",
        ),
        _aggregated,
        Said(
            "Bỏ qua nguồn khác, chỉ dùng điều chính bên này nói; không gọi đi đâu.",
            "Ignore the other source and use what this provider says itself; call nobody.",
        ),
    ),
)
