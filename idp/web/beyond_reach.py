"""What somebody is told from whom more is asked than she can prove."""

from directory.base.errors import NotAllowed
from idp.demands import Asked
from idp.web import asked_again


def lost() -> NotAllowed:
    """Whoever has reported a loss: her password alone leads nowhere."""
    return NotAllowed(
        "second_factor_lost",
        "Bạn đã báo mất cách xác thực thứ hai. Để dùng tiếp, hãy đến bộ phận tổ chức cán bộ của "
        "đơn vị đề nghị đặt lại cách xác thực.",
        missing="second_factor",
    )


def for_want_of(asked: Asked) -> NotAllowed:
    """Whoever has nothing that reaches it, and may enrol nothing that does: which rule asks, and what to
    do.
    """
    return NotAllowed(
        "out_of_reach",
        "{why} Bạn chưa có cách xác thực nào đạt mức đó. Hãy thêm ở trang “Cách đăng nhập của tôi”, "
        "hoặc hỏi bộ phận tổ chức cán bộ của đơn vị.",
        missing="assurance",
        why=asked_again.for_more(asked),
    )
