"""Networks as people call them: ``network_names`` says which address is the office's, and which is not."""

from directory.base import hosts
from directory.base.config import Settings


def called(settings: Settings, ip: str | None) -> str | None:
    """What the network of this address is called; of several the narrowest. None where no name is given."""
    who = hosts.address(ip or "")
    there = [text for text in settings.network_names if hosts.within(who, [text])]
    if not there:
        return None
    return settings.network_names[max(there, key=lambda text: hosts.network(text).prefixlen)]
