"""Files in a folder, for a network from which no mail leaves: one for each message and address.

Somebody else takes them away: a mail gateway, a person with a stick, ``smsd`` with its modem. A file is
there whole or not at all, under a name that is the same at every try.
"""

import os
from contextlib import suppress
from pathlib import Path

from connectors.errors import Misconfigured, Rejected, Transient
from connectors.notices import letter
from connectors.notices.message import Message
from connectors.notices.told import Medium

MODE = 0o640
"""Whoever takes them away is of the folder's group."""
_AWAY = (FileNotFoundError, NotADirectoryError, PermissionError)


class MailDrop:
    """Letters, ``.eml``."""

    code = "mail-drop"
    medium = Medium.MAIL

    def __init__(self, folder: Path, *, from_: str) -> None:
        self._folder, self._from = folder, from_

    def send(self, message: Message, address: str) -> None:
        """Raises Rejected, Misconfigured, Transient."""
        mail = letter.letter(message, from_=self._from, to=address)
        _put(self._folder, _name(message, address, "eml"), mail.as_bytes())


class TextDrop:
    """Text messages as ``smsd`` of Debian's ``smstools`` takes them."""

    code = "text-drop"
    medium = Medium.TEXT

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message, address: str) -> None:
        """Raises Rejected, Misconfigured, Transient."""
        number = address.removeprefix("+")
        if number.startswith("0"):
            number = "84" + number[1:]
        if not (number.isascii() and number.isdecimal()):
            raise Rejected("Số điện thoại trong hồ sơ không dùng được.")
        text = f"To: {number}\nAlphabet: UTF\n\n{message.short}\n"
        _put(self._folder, _name(message, address, "sms"), text.encode())


def _name(message: Message, address: str, ending: str) -> str:
    return f"{message.at:%Y%m%dT%H%M%SZ}-{letter.named(message, address)}.{ending}"


def _put(folder: Path, name: str, content: bytes) -> None:
    """Write it beside, where nobody looks for it, and rename it."""
    beside = folder / f".{name}.part"
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        with os.fdopen(file, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        beside.rename(folder / name)
    except _AWAY as exc:
        raise Misconfigured(
            "Không ghi được vào thư mục thông báo {folder}.", folder=folder
        ) from exc
    except OSError as exc:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise Transient("Chưa ghi được tệp thông báo ({why}).", why=exc.strerror or "?") from exc
