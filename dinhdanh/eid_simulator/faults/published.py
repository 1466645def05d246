"""Documents that belong to no sign-in: wrong for everybody, until that is taken back."""

import json
from typing import Any

from dinhdanh.eid_simulator.artefacts import Answer, Ending
from dinhdanh.eid_simulator.faults.fault import STANDARD, Expected, Fault, Stage
from dinhdanh.eid_simulator.faults.transport import HTML
from dinhdanh.eid_simulator.words import Said


def _changed(answer: Answer, **values: Any) -> None:
    answer.body = json.dumps(json.loads(answer.body) | values).encode()


def _issuer_other(answer: Answer, _provider: object) -> None:
    _changed(answer, issuer="https://another-issuer.invalid")


def _token_endpoint_elsewhere(answer: Answer, _provider: object) -> None:
    _changed(answer, token_endpoint="https://another-issuer.invalid/token")  # noqa: S106


def _html(answer: Answer, _provider: object) -> None:
    answer.say(HTML, content_type="text/html")


def _unavailable(answer: Answer, _provider: object) -> None:
    answer.say(HTML, status=503, content_type="text/html")


def _cut(answer: Answer, _provider: object) -> None:
    answer.ending = Ending.CUT


def _no_keys(answer: Answer, _provider: object) -> None:
    _changed(answer, keys=[])


def _odd_keys(answer: Answer, _provider: object) -> None:
    keys = json.loads(answer.body)["keys"]
    odd = [
        {"kty": "unheard-of", "kid": "odd-1"},
        {"kty": "RSA", "kid": "odd-2", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "kid": "odd-3", "k": "c2VjcmV0"},
    ]
    _changed(answer, keys=[*odd, *keys])


_REFUSE, _ACCEPT = Expected.REFUSE, Expected.ACCEPT
_PROFILES = (STANDARD,)

FAULTS = (
    Fault(
        "discovery_issuer_other",
        Stage.DISCOVERY,
        _PROFILES,
        _REFUSE,
        Said("Cấu hình ghi issuer khác", "The discovery document names another issuer"),
        _issuer_other,
        Said("Từ chối cả tài liệu (Discovery 4.3).", "Refuse the whole document (Discovery 4.3)."),
    ),
    Fault(
        "discovery_token_elsewhere",
        Stage.DISCOVERY,
        _PROFILES,
        _REFUSE,
        Said(
            "Cấu hình chỉ đầu token sang máy khác",
            "The discovery document names a token endpoint on another host",
        ),
        _token_endpoint_elsewhere,
        Said(
            "Không gửi bí mật tới máy quản trị chưa cho phép.",
            "Do not send the secret to a host no administrator has allowed.",
        ),
    ),
    Fault(
        "discovery_html",
        Stage.DISCOVERY,
        _PROFILES,
        _REFUSE,
        Said("Cấu hình là HTML", "The discovery document is HTML"),
        _html,
    ),
    Fault(
        "discovery_unavailable",
        Stage.DISCOVERY,
        _PROFILES,
        _REFUSE,
        Said("Cấu hình trả 503", "Discovery says 503"),
        _unavailable,
    ),
    Fault(
        "jwks_empty",
        Stage.JWKS,
        _PROFILES,
        _REFUSE,
        Said("Bộ khóa trống", "The key set is empty"),
        _no_keys,
    ),
    Fault(
        "jwks_html",
        Stage.JWKS,
        _PROFILES,
        _REFUSE,
        Said("Bộ khóa là HTML", "The key set is HTML"),
        _html,
    ),
    Fault(
        "jwks_unavailable",
        Stage.JWKS,
        _PROFILES,
        _REFUSE,
        Said("Bộ khóa trả 503", "The key set says 503"),
        _unavailable,
        Said(
            "Dùng khóa đã nhớ nếu kid có trong đó; nếu không thì từ chối.",
            "Use remembered keys if the kid is among them; refuse otherwise.",
        ),
    ),
    Fault(
        "jwks_cut",
        Stage.JWKS,
        _PROFILES,
        _REFUSE,
        Said("Bộ khóa bị ngắt giữa chừng", "The key set breaks off in the middle"),
        _cut,
    ),
    Fault(
        "jwks_odd_keys",
        Stage.JWKS,
        _PROFILES,
        _ACCEPT,
        Said(
            "Bộ khóa có thêm khóa loại lạ, khóa hỏng và khóa đối xứng",
            "The key set also holds an unknown sort of key, a broken one and a symmetric one",
        ),
        _odd_keys,
        Said(
            "Bỏ qua khóa không hiểu (RFC 7517 mục 5).",
            "Pass over keys you do not understand (RFC 7517 section 5).",
        ),
    ),
)
