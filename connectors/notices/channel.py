"""What carries a message to an address."""

from typing import Protocol

from connectors.notices.message import Message
from connectors.notices.told import Medium


class Channel(Protocol):
    """One way out."""

    code: str
    """Names it in what is recorded; the same for ever."""
    medium: Medium

    def send(self, message: Message, address: str) -> None:
        """Hand it over; once more with the same ``ref`` where nobody knows whether it was.

        Raises Rejected for an address that is refused, Misconfigured where every one would be, Transient.
        """
        ...
