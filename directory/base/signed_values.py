"""Handles: a body and its MAC, for values browsers carry that are stored nowhere.

What does not carry our MAC is refused before the database is asked.
"""

from directory.base import base64url
from directory.base.crypto import Keyring

LONGEST = 120


def seal(keyring: Keyring, purpose: str, body: str) -> str:
    """``body.mac`` for one purpose."""
    tag = keyring.mac(purpose, body.encode(), size=16)
    return f"{body}.{base64url.encode(tag)}"


def unseal(keyring: Keyring, purpose: str, value: str) -> str | None:
    """The body, if the value carries our MAC for this purpose."""
    if len(value) > LONGEST or not value.isascii():
        return None
    body, _, tag = value.rpartition(".")
    try:
        mac = base64url.decode(tag)
    except ValueError:
        return None
    if len(mac) != 16 or not keyring.mac_fits(purpose, body.encode(), mac):
        return None
    return body
