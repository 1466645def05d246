"""A message as a letter (RFC 5322), for whichever channel carries letters."""

import hashlib
from email import policy
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from connectors.errors import Rejected
from connectors.notices.message import Message
from directory.base.notice_settings import looks_like_an_address


def letter(message: Message, *, from_: str, to: str) -> EmailMessage:
    """The letter to one address: always the same, at whichever try. Raises Rejected for what is no
    address; nobody's name or address becomes a header of its own.
    """
    if not looks_like_an_address(to):
        raise no_address()
    mail = EmailMessage(policy=policy.SMTP)
    try:
        mail["From"] = Address(message.sender, addr_spec=from_)
        mail["To"] = Address(addr_spec=to)
        mail["Subject"] = message.subject
    except (MessageError, ValueError, IndexError) as exc:
        raise no_address() from exc
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{named(message, to)}@{from_.rpartition('@')[2]}>"
    # RFC 3834 §5: nobody's holiday answers it; Exchange listens to the other one.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(message.text, cte="quoted-printable")
    return mail


def named(message: Message, to: str) -> str:
    """What one copy of a message is called, the same at every try."""
    return f"{message.ref}.{hashlib.sha256(to.encode()).hexdigest()[:8]}"


def no_address() -> Rejected:
    """What is on record is no address that mail can be sent to."""
    return Rejected("Địa chỉ thư trong hồ sơ không dùng được.")
