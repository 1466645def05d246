"""base64url without padding (RFC 4648 §5, RFC 7515 §2): one text for one value, and back."""

import base64
import binascii


def encode(raw: bytes) -> str:
    """The text of these bytes."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of a text. Raises ValueError for any that ``encode`` does not give: padded, with
    other characters, or with bits left over in its last character.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
    except binascii.Error as exc:
        raise ValueError("no base64url") from exc
    if encode(raw) != text:
        raise ValueError("no base64url")
    return raw
