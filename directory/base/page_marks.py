"""Where one page of a list ended, for whoever asks for the next: opaque, and believed in nothing."""

import json
from typing import Any

from directory.base import base64url, storable
from directory.base.errors import InvalidInput


def mark(*values: Any) -> str:
    """The text that stands for these values of the last row."""
    raw = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    return base64url.encode(raw.encode())


def read(text: str, *types: type) -> list[Any]:
    """The values of a mark, one for each type. Raises InvalidInput: see ``wrong``."""
    try:
        found = json.loads(base64url.decode(text))
    except (ValueError, TypeError, RecursionError):
        raise wrong() from None
    if not isinstance(found, list) or [type(each) for each in found] != list(types):
        raise wrong()
    if not all(storable.is_text(each) for each in found if isinstance(each, str)):
        raise wrong()
    return found


def wrong() -> InvalidInput:
    """The error of a mark that no page has given."""
    return InvalidInput("after", "Dấu trang không hợp lệ.", field="after")
