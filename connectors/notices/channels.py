"""The channels that are configured."""

from collections.abc import Iterator, Sequence

from connectors.notices.by_drop import MailDrop, TextDrop
from connectors.notices.by_smtp import Smtp
from connectors.notices.channel import Channel
from directory.base.config import Settings


def configured(settings: Settings) -> Sequence[Channel]:
    """All of them; a notice goes out by each."""
    return tuple(_configured(settings))


def _configured(settings: Settings) -> Iterator[Channel]:
    if settings.smtp_host:
        yield Smtp(settings)
    if settings.mail_drop is not None:
        yield MailDrop(settings.mail_drop, from_=settings.sender)
    if settings.text_drop is not None:
        yield TextDrop(settings.text_drop)
