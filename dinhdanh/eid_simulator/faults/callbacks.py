"""On the way back through the browser: state, code, errors; and nobody at home afterwards."""

from datetime import timedelta
from typing import Any

from dinhdanh.eid_simulator.artefacts import Callback
from dinhdanh.eid_simulator.faults.fault import EVERYWHERE, STANDARD, VNEID, Expected, Fault, Stage
from dinhdanh.eid_simulator.sign_ins import SignIn
from dinhdanh.eid_simulator.words import Said

SOMEBODY_ELSE = "somebody-else"
"""A client that no relying party is."""
ODD = "<script>alert(1)</script>\r\nSet-Cookie: x=1\u202e'\"&\x00🐃 Từ chối"
"""What a page, a header or a log must not take for its own."""


def _state_missing(callback: Callback, _sign_in: SignIn) -> None:
    callback.drop("state")


def _state_other(callback: Callback, _sign_in: SignIn) -> None:
    callback.put("state", "another-state")


def _state_twice(callback: Callback, _sign_in: SignIn) -> None:
    callback.add("state", "another-state")


def _code_missing(callback: Callback, _sign_in: SignIn) -> None:
    callback.drop("code")


def _code_twice(callback: Callback, _sign_in: SignIn) -> None:
    callback.add("code", "another-code")


def _code_used(sign_in: SignIn, _again: SignIn) -> None:
    sign_in.code_used = True


def _code_expired(sign_in: SignIn, _again: SignIn) -> None:
    sign_in.code_until = sign_in.auth_time - timedelta(seconds=1)


def _code_of_another_client(sign_in: SignIn, _again: SignIn) -> None:
    sign_in.code_client = SOMEBODY_ELSE


def _issuer_missing(callback: Callback, _sign_in: SignIn) -> None:
    callback.drop("iss")


def _issuer_other(callback: Callback, _sign_in: SignIn) -> None:
    callback.put("iss", "https://another-issuer.invalid")


def _error(callback: Callback, error: str, description: str) -> None:
    kept = [pair for pair in callback.parameters if pair[0] in ("state", "iss")]
    callback.parameters = [("error", error), ("error_description", description), *kept]


def _access_denied(callback: Callback, _sign_in: SignIn) -> None:
    _error(callback, "access_denied", "Người dùng từ chối")


def _error_odd(callback: Callback, _sign_in: SignIn) -> None:
    _error(callback, "server_error", ODD)


def _by_post(callback: Callback, _sign_in: SignIn) -> None:
    callback.by_post = not callback.by_post


def _in_another_browser(callback: Callback, _sign_in: SignIn) -> None:
    callback.by_hand = True


def _more_parameters(callback: Callback, _sign_in: SignIn) -> None:
    callback.add("session_state", "c2Vzc2lvbg.ab+/=")
    callback.add("lang", "vi")


def _plus_as_space(callback: Callback, _sign_in: SignIn) -> None:
    callback.put("code", (callback.get("code") or "").replace("+", " "))
    callback.literal -= {"code"}


def _plus_encoded(callback: Callback, _sign_in: SignIn) -> None:
    callback.literal = frozenset()


def _down(simulation: Any, sign_in: SignIn) -> None:
    simulation.outage.begin(sign_in.choice.seconds)


_REFUSE, _ACCEPT, _EITHER = Expected.REFUSE, Expected.ACCEPT, Expected.EITHER
_PLUS = Said(
    "Đọc chuỗi truy vấn thô: dấu + trong mã là chữ +, không phải dấu cách.",
    "Read the raw query string: a + in the code is the letter +, not a space.",
)

FAULTS = (
    Fault(
        "state_missing",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Quay về không có state", "Comes back without state"),
        _state_missing,
    ),
    Fault(
        "state_other",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Quay về với state khác", "Comes back with another state"),
        _state_other,
    ),
    Fault(
        "state_twice",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Hai state: đúng và sai", "Two states, the right one and a wrong one"),
        _state_twice,
        Said(
            "Từ chối: tham số lặp lại là sai (RFC 6749 mục 3.1).",
            "Refuse: no parameter may stand there twice (RFC 6749 section 3.1).",
        ),
    ),
    Fault(
        "code_missing",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Quay về không có mã", "Comes back without a code"),
        _code_missing,
    ),
    Fault(
        "code_twice",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Hai mã", "Two codes"),
        _code_twice,
    ),
    Fault(
        "code_used",
        Stage.CODE,
        EVERYWHERE,
        _REFUSE,
        Said("Mã đã được dùng một lần", "The code has been used before"),
        _code_used,
        Said(
            "Từ chối khi đầu token trả invalid_grant; không thử lại với mã ấy.",
            "Refuse at invalid_grant; do not try that code again.",
        ),
    ),
    Fault(
        "code_expired",
        Stage.CODE,
        EVERYWHERE,
        _REFUSE,
        Said("Mã đã hết hạn", "The code has run out"),
        _code_expired,
    ),
    Fault(
        "code_of_another_client",
        Stage.CODE,
        EVERYWHERE,
        _REFUSE,
        Said("Mã cấp cho ứng dụng khác", "The code was issued to another client"),
        _code_of_another_client,
    ),
    Fault(
        "issuer_missing",
        Stage.CALLBACK,
        (STANDARD,),
        _REFUSE,
        Said("Quay về không có iss dù đã công bố", "Comes back without iss though it is announced"),
        _issuer_missing,
        Said("Từ chối (RFC 9207 mục 2.4).", "Refuse (RFC 9207 section 2.4)."),
    ),
    Fault(
        "issuer_other",
        Stage.CALLBACK,
        (STANDARD,),
        _REFUSE,
        Said("Quay về với iss của bên khác", "Comes back with the iss of somebody else"),
        _issuer_other,
        Said("Từ chối (RFC 9207 mục 2.4).", "Refuse (RFC 9207 section 2.4)."),
    ),
    Fault(
        "access_denied",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said("Người dùng từ chối (access_denied)", "She declined (access_denied)"),
        _access_denied,
        Said(
            "Không phải sự cố: nói bình tĩnh, mời thử cách khác.",
            "Not a fault: say it calmly and offer another way.",
        ),
    ),
    Fault(
        "error_odd",
        Stage.CALLBACK,
        EVERYWHERE,
        _REFUSE,
        Said(
            "Lỗi có thẻ HTML, xuống dòng, NUL, chữ đảo chiều",
            "An error with tags, line breaks, NUL and reversed text",
        ),
        _error_odd,
        Said(
            "Không hiện và không ghi nguyên văn; nói bằng lời của mình.",
            "Neither show nor log it as it is; say it in your own words.",
        ),
    ),
    Fault(
        "callback_method_other",
        Stage.CALLBACK,
        EVERYWHERE,
        _EITHER,
        Said(
            "Quay về bằng POST khi phải là GET (và ngược lại)",
            "Comes back by POST where GET was asked for (and the other way round)",
        ),
        _by_post,
        Said(
            "POST từ trang khác không mang cookie SameSite=Lax: từ chối, hoặc gửi lại trong trang.",
            "A POST from another site brings no SameSite=Lax cookie: refuse, or post again from your own.",
        ),
    ),
    Fault(
        "in_another_browser",
        Stage.CALLBACK,
        EVERYWHERE,
        _EITHER,
        Said(
            "Không tự quay về: hiện địa chỉ để mở ở trình duyệt khác",
            "Does not go back by itself: shows the address, to be opened in another browser",
        ),
        _in_another_browser,
        Said(
            "Trình duyệt khác: từ chối, không làm mất lượt của trình duyệt đã bắt đầu. Chính nó: chấp nhận.",
            "In another browser: refuse, and spoil nothing for the one that began. In that one: accept.",
        ),
    ),
    Fault(
        "more_parameters",
        Stage.CALLBACK,
        EVERYWHERE,
        _ACCEPT,
        Said("Thêm tham số lạ khi quay về", "Further parameters on the way back"),
        _more_parameters,
        Said(
            "Bỏ qua (RFC 6749 mục 4.1.2); WSO2 luôn gửi session_state.",
            "Ignore them (RFC 6749 section 4.1.2); WSO2 always sends session_state.",
        ),
    ),
    Fault(
        "plus_as_space",
        Stage.CALLBACK,
        (VNEID,),
        _EITHER,
        Said("Dấu + trong mã thành dấu cách", "The + in the code has become a space"),
        _plus_as_space,
        Said(
            "Từ chối như mọi lỗi giải mã, hoặc đổi lại thành +.",
            "Refuse as any other decryption fault, or make it a + again.",
        ),
    ),
    Fault(
        "plus_encoded",
        Stage.CALLBACK,
        (VNEID,),
        _ACCEPT,
        Said("Dấu + trong mã viết thành %2B", "The + in the code is written as %2B"),
        _plus_encoded,
        _PLUS,
    ),
    Fault(
        "down",
        Stage.OUTAGE,
        EVERYWHERE,
        _REFUSE,
        Said(
            "Sau khi quay về không ai nghe ở cổng nữa (từ chối kết nối), trong số giây đã chọn",
            "After the way back nobody listens any more (connection refused), for the seconds chosen",
        ),
        _down,
        Said(
            "Nói rằng nhà cung cấp không trả lời, mời thử lại hoặc cách khác; không chờ lâu.",
            "Say that the provider does not answer and offer another way; do not wait for long.",
        ),
    ),
)
