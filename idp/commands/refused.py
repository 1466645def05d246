"""What ends a command on purpose: a sentence for each thing that is wrong, in its language."""

from collections.abc import Iterable

from sqlalchemy.exc import DBAPIError

from directory.base.errors import DinhdanhError, InvalidInput
from idp.web.i18n import error_text, gettext

KINDS = (DinhdanhError, UnicodeError, DBAPIError, OSError)
"""Everything else is a fault of ours and keeps its traceback."""


def sentences(error: Exception) -> Iterable[str]:
    """What to tell the operator of an error of one of these kinds."""
    if isinstance(error, InvalidInput):
        return map(error_text, error.every)
    if isinstance(error, DinhdanhError):
        return (error_text(error),)
    if isinstance(error, UnicodeError):
        # A file or an answer in another encoding; which one, whoever asked for it knows.
        return (gettext("Nội dung đọc được không phải là UTF-8."),)
    if isinstance(error, DBAPIError):
        reason = str(error.orig).strip().splitlines()[0]
        return (gettext("Không dùng được cơ sở dữ liệu: {reason}", reason=reason),)
    name = getattr(error, "filename", None)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return (
        gettext(
            "Không dùng được {name}: {reason}", name="?" if name is None else name, reason=reason
        ),
    )
