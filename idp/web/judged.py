"""What is said of a new password, after it was sent and while it is typed: the same words.

``password.js`` sends what is being typed to a route that answers with ``answer``; the page whose form
was sent shows ``reasons``. Nothing is judged anywhere else, nothing of it is written down, and nothing
of the password is repeated: its parts are named by their place.
"""

from datetime import timedelta

from flask import Response, make_response, render_template, request

from directory.base.errors import Busy, InvalidInput
from idp.factors import throttle
from idp.factors.passwords import Choosing, Judgement, Kind, Verdict, Weak
from idp.web import form_keys
from idp.web.gate import services
from idp.web.i18n import error_text, gettext, lazy_gettext

_MOST, _WINDOW = 240, timedelta(minutes=10)
"""Judgements for one person: who types needs a tenth of that."""
_PARTS = {
    Kind.OWN: lazy_gettext(
        "Ký tự {first}–{last} là thông tin của chính bạn (họ tên, tên đăng nhập, ngày sinh, điện thoại)."
    ),
    Kind.UNIT: lazy_gettext("Ký tự {first}–{last} là tên đơn vị của bạn."),
    Kind.PLACE: lazy_gettext("Ký tự {first}–{last} là địa danh."),
    Kind.NAME: lazy_gettext("Ký tự {first}–{last} là họ tên thường gặp."),
    Kind.COMMON: lazy_gettext("Ký tự {first}–{last} là từ hay gặp trong mật khẩu."),
    Kind.OFFICE: lazy_gettext("Ký tự {first}–{last} là tên cơ quan, tổ chức."),
    Kind.SAYING: lazy_gettext("Ký tự {first}–{last} là câu nhiều người thuộc."),
    Kind.WORD: lazy_gettext("Ký tự {first}–{last} là từ hoặc tên thông dụng ở nước ngoài."),
    Kind.PASSWORD: lazy_gettext("Ký tự {first}–{last} là một mật khẩu rất nhiều người dùng."),
    Kind.LEAKED: lazy_gettext("Mật khẩu này có trong danh sách mật khẩu đã bị lộ."),
    Kind.YEAR: lazy_gettext("Ký tự {first}–{last} là một năm."),
    Kind.DATE: lazy_gettext("Ký tự {first}–{last} là ngày tháng."),
    Kind.PHONE: lazy_gettext("Ký tự {first}–{last} giống số điện thoại."),
    Kind.NUMBER: lazy_gettext("Ký tự {first}–{last} giống số định danh cá nhân."),
    Kind.KEYS: lazy_gettext("Ký tự {first}–{last} là dãy phím, dãy chữ hoặc dãy số liền nhau."),
    Kind.REPEAT: lazy_gettext("Ký tự {first}–{last} là một đoạn lặp lại."),
}
_MOST_TOLD = 3


def _sentence(judgement: Judgement) -> str:
    if judgement.verdict is Verdict.SHORT:
        return gettext("Mật khẩu phải có ít nhất {least} ký tự.", least=judgement.rule.least)
    if judgement.verdict is Verdict.WEAK:
        return gettext("Mật khẩu này dễ đoán.")
    if judgement.verdict is Verdict.GOOD:
        return gettext("Dùng được.")
    return gettext("Mật khẩu mạnh.")


def _reasons(judgement: Judgement) -> list[str]:
    told = [
        str(_PARTS[part.kind]).format(first=part.start + 1, last=part.end)
        for part in judgement.parts[:_MOST_TOLD]
    ]
    if judgement.verdict is Verdict.WEAK:
        told.append(
            gettext(
                "Hãy ghép năm, sáu từ không liên quan đến nhau. Thêm năm, số hoặc ký tự @ không làm mật "
                "khẩu khó đoán hơn."
            )
        )
    return told


def reasons(error: InvalidInput | Busy | None) -> list[str]:
    """Why a password that was sent is easy to guess, and what helps; nothing for another error."""
    return _reasons(error.judgement) if isinstance(error, Weak) else []


def answer(choosing: Choosing, user_id: int) -> Response:
    """What is to be said of the password that is being typed. Raises Locked for who asks too much."""
    form_keys.nothing_is_kept()
    has, typed = services(), request.form.get("password", "")
    with has.db.write() as session:
        throttle.admit(session, f"judged:{user_id}", most=_MOST, window=_WINDOW, now=has.clock())
    try:
        judgement = choosing.judged(typed)
    except InvalidInput as error:
        said = {"verdict": Verdict.WEAK, "sentence": error_text(error), "reasons": []}
    else:
        said = {
            "verdict": judgement.verdict,
            "sentence": _sentence(judgement),
            "reasons": _reasons(judgement),
        }
    return make_response(render_template("login/judged.html", **said))
