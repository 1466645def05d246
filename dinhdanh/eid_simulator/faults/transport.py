"""How an answer travels: slow, cut off, garbage. The same for both of a sign-in's calls."""

from collections.abc import Callable

from dinhdanh.eid_simulator.artefacts import Answer, Ending
from dinhdanh.eid_simulator.faults.fault import EVERYWHERE, Expected, Fault, Stage
from dinhdanh.eid_simulator.sign_ins import SignIn
from dinhdanh.eid_simulator.words import NOTHING, Said

HUGE = 32 * 1024 * 1024
"""Bytes of an answer nobody should read to its end."""
HTML = "<!doctype html><title>502 Bad Gateway</title><h1>Hệ thống đang bảo trì</h1>"


def _slow(answer: Answer, sign_in: SignIn) -> None:
    answer.after = sign_in.choice.seconds


def _reset(answer: Answer, _sign_in: SignIn) -> None:
    answer.ending = Ending.RESET


def _cut(answer: Answer, _sign_in: SignIn) -> None:
    answer.ending = Ending.CUT


def _unavailable(answer: Answer, _sign_in: SignIn) -> None:
    answer.say(HTML, status=503, content_type="text/html")
    answer.headers["Retry-After"] = "120"


def _html(answer: Answer, _sign_in: SignIn) -> None:
    answer.say(HTML, content_type="text/html")


def _json_truncated(answer: Answer, _sign_in: SignIn) -> None:
    answer.body = answer.body[: len(answer.body) // 2]


def _json_list(answer: Answer, _sign_in: SignIn) -> None:
    answer.body = b"[" + answer.body + b"]"


def _json_twice(answer: Answer, _sign_in: SignIn) -> None:
    # The same name again, with another value: parsers take the first, the last, or neither.
    name = answer.body.split(b'"', 2)[1]
    answer.body = answer.body.rstrip()[:-1] + b', "' + name + b'": "another"}'


def _huge(answer: Answer, _sign_in: SignIn) -> None:
    answer.body = answer.body.rstrip()[:-1] + b', "filler": "' + b"x" * HUGE + b'"}'


def _not_utf8(answer: Answer, _sign_in: SignIn) -> None:
    answer.body = answer.body.rstrip()[:-1] + b', "note": "\xff\xfe\xc3\x28"}'


_ENDPOINTS = (
    ("token", Stage.TOKEN_TRANSPORT, Said("Đầu token", "The token endpoint")),
    ("userinfo", Stage.USERINFO_TRANSPORT, Said("Đầu userinfo", "The userinfo endpoint")),
)
_SOON = Said(
    "Có hạn chờ của mình, rồi nói rằng nhà cung cấp không trả lời.",
    "Have a time limit of your own, then say that the provider does not answer.",
)
_ONE_READING = Said(
    "Từ chối: hai giá trị cho một tên có thể đọc thành hai người.",
    "Refuse: two values for one name can be read as two people.",
)
_KINDS: tuple[tuple[str, Expected, Said, Callable[[Answer, SignIn], None], Said], ...] = (
    (
        "slow",
        Expected.EITHER,
        Said("trả lời sau số giây đã chọn", "answers after the seconds chosen"),
        _slow,
        _SOON,
    ),
    (
        "reset",
        Expected.REFUSE,
        Said("ngắt kết nối, không trả lời", "resets the connection without an answer"),
        _reset,
        NOTHING,
    ),
    (
        "cut",
        Expected.REFUSE,
        Said("ngắt giữa chừng", "breaks off in the middle"),
        _cut,
        NOTHING,
    ),
    (
        "unavailable",
        Expected.REFUSE,
        Said("trả 503 với Retry-After", "says 503 with Retry-After"),
        _unavailable,
        NOTHING,
    ),
    (
        "html",
        Expected.REFUSE,
        Said("trả 200 với HTML thay cho JSON", "says 200 with HTML in place of JSON"),
        _html,
        NOTHING,
    ),
    (
        "json_truncated",
        Expected.REFUSE,
        Said("trả JSON cụt", "sends half a JSON text"),
        _json_truncated,
        NOTHING,
    ),
    (
        "json_list",
        Expected.REFUSE,
        Said("trả danh sách JSON thay cho đối tượng", "sends a JSON list in place of an object"),
        _json_list,
        NOTHING,
    ),
    (
        "json_twice",
        Expected.REFUSE,
        Said("trả JSON có một tên hai lần", "sends JSON with one name twice"),
        _json_twice,
        _ONE_READING,
    ),
    (
        "huge",
        Expected.REFUSE,
        Said("gửi 32 MiB", "sends 32 MiB"),
        _huge,
        Said("Thôi đọc ở giới hạn của mình.", "Stop reading at a limit of your own."),
    ),
    (
        "not_utf8",
        Expected.REFUSE,
        Said("trả byte không phải UTF-8", "sends bytes that are not UTF-8"),
        _not_utf8,
        NOTHING,
    ),
)

FAULTS = tuple(
    Fault(
        f"{endpoint}_{name}",
        stage,
        EVERYWHERE,
        expected,
        Said(f"{what.vi} {said.vi}", f"{what.en} {said.en}"),
        deed,
        right,
    )
    for endpoint, stage, what in _ENDPOINTS
    for name, expected, said, deed, right in _KINDS
)
