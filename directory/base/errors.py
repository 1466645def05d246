"""One typed error tree. Each edge (HTML, OIDC, problem+json, CLI) translates it once.

    DinhdanhError
     ├ NotFound            the thing named does not exist, or may not be seen
     ├ Conflict            the directory's present state refuses it
     │  └ PlanStale        the preview no longer describes what a commit would do
     ├ InvalidInput        a field is wrong; ``field`` and ``row`` name it, ``also`` others that are
     ├ NotAllowed          the actor lacks the right; ``missing`` names the side
     ├ NeedsStepUp         a stronger sign-in is required; ``acr`` says which
     ├ Locked              too many failures; ``until`` says how long
     ├ Busy                a bounded queue is full; try again
     └ Misconfigured       the installation itself is wrong; for the operator only

``code`` is stable and machine-readable; ``message`` is a Vietnamese sentence (the message id)
with ``args`` to be filled in after translation. Neither carries internals or personal data.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, TypeVar

Value = TypeVar("Value")


class DinhdanhError(Exception):
    """Root of all errors this product raises on purpose."""

    status = 500

    def __init__(self, code: str, message: str, /, **args: Any) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.message_args = args

    def text(self) -> str:
        """The Vietnamese sentence with its arguments filled in."""
        return self.message.format(**self.message_args) if self.message_args else self.message

    def __str__(self) -> str:
        return f"{self.code}: {self.text()}"


class NotFound(DinhdanhError):
    """The thing named does not exist, or the asker may not know that it does."""

    status = 404


class Conflict(DinhdanhError):
    """The directory's present state refuses the request."""

    status = 409


class PlanStale(Conflict):
    """The plan was made from a state that has changed since; preview again."""

    def __init__(self) -> None:
        super().__init__("plan_stale", "Dữ liệu đã thay đổi sau khi xem trước; hãy xem trước lại.")


class InvalidInput(DinhdanhError):
    """A field of the input is wrong. ``row`` counts from 1 as the person sees the file."""

    status = 422

    def __init__(
        self, code: str, message: str, /, *, field: str, row: int | None = None, **args: Any
    ) -> None:
        super().__init__(code, message, **args)
        self.field = field
        self.row = row
        self.also: tuple[InvalidInput, ...] = ()
        """What is wrong with other fields of the same input."""

    @property
    def every(self) -> "tuple[InvalidInput, ...]":
        """This and what is wrong with other fields, one for each field."""
        return (self, *self.also)


def as_one(errors: Iterable[InvalidInput]) -> InvalidInput | None:
    """The first of them, with the others in ``also``; of each field one. None for none."""
    found: dict[str, InvalidInput] = {}
    for error in errors:
        for one in error.every:
            found.setdefault(one.field, one)
    if not found:
        return None
    first, *others = found.values()
    first.also = tuple(others)
    return first


class Gathered:
    """What is wrong with several parts of one input, told at once when all have been looked at."""

    def __init__(self) -> None:
        self.errors: list[InvalidInput] = []

    def read(self, check: Callable[[], Value], otherwise: Value) -> Value:
        """What the check gives; ``otherwise`` where it finds something wrong."""
        try:
            return check()
        except InvalidInput as error:
            self.errors.append(error)
            return otherwise

    def tell(self) -> None:
        """Raises InvalidInput where anything was wrong."""
        if (error := as_one(self.errors)) is not None:
            raise error


class NotAllowed(DinhdanhError):
    """The actor lacks a right. ``missing`` names what (``source``, ``destination``, an action)."""

    status = 403

    def __init__(self, code: str, message: str, /, *, missing: str = "", **args: Any) -> None:
        super().__init__(code, message, **args)
        self.missing = missing
        self.proposable = False
        """Whether a second person can be asked to approve it."""


class NeedsStepUp(DinhdanhError):
    """A stronger or fresher sign-in is required (RFC 9470)."""

    status = 401

    def __init__(self, acr: str, *, why: str | None = None) -> None:
        super().__init__("step_up", "Cần xác thực thêm để tiếp tục.")
        self.acr = acr
        self.why = why
        """What asks for it, for the page that asks (``idp.web.asked_again``)."""


class Locked(DinhdanhError):
    """Refused until the given moment, and nothing of what was sent has been looked at.

    ``why``: the account is locked after wrong passwords, one kind of its ``code``s, what is asked
    ``again`` in a session, or a ``browser`` that was known; the ``source`` is, by whoever else asks from there,
    or it is ``slowed``; attempts before this one are ``unsettled``; or too many asked (``rate``),
    or left for another address for nothing (``visits``).
    """

    status = 429
    SENTENCES: ClassVar[dict[str, str]] = {
        "account": "Đã khóa tạm thời vì nhập sai nhiều lần.",
        "code": "Đã khóa tạm thời cách xác thực này vì nhập sai mã nhiều lần.",
        "again": "Đã nhập sai mật khẩu xác nhận nhiều lần. Hãy đăng xuất rồi đăng nhập lại để tiếp tục.",
        "browser": "Đã khóa tạm thời vì nhập sai nhiều lần.",
        "slowed": "Từ địa chỉ mạng này vừa có nhiều lượt nhập sai nên mỗi lượt phải chờ một lát. Thông tin bạn gửi chưa được kiểm tra.",
        "source": "Từ địa chỉ mạng này vừa có quá nhiều lượt nhập sai. Thông tin bạn gửi chưa được kiểm tra.",
        "unsettled": "Các lượt thử trước chưa có kết quả. Thông tin bạn gửi chưa được kiểm tra.",
        "rate": "Quá nhiều yêu cầu trong thời gian ngắn. Hãy thử lại sau.",
        "visits": "Từ đây vừa có quá nhiều lượt đăng nhập qua nơi xác thực khác chưa hoàn tất. Bạn vẫn đăng nhập được bằng cách khác.",
    }

    def __init__(self, until: datetime, *, why: str = "account") -> None:
        super().__init__("locked", self.SENTENCES[why])
        self.until = until
        self.why = why


class Busy(DinhdanhError):
    """A bounded resource is taken; the caller may try again after a moment."""

    status = 503
    after = 2
    """Seconds."""


class Misconfigured(DinhdanhError):
    """The installation is wrong in a way only its operator can mend."""

    status = 500
