"""Distinguished names as text (RFC 4514). Pure."""

import re

_SPECIAL = re.compile(r'([\\,+"<>;=])')


def escape(value: str) -> str:
    """A value for use in an RDN (RFC 4514 §2.4): injected separators become plain characters."""
    text = _SPECIAL.sub(r"\\\1", value).replace("\x00", "\\00")
    if len(value) > 1 and value.endswith(" "):
        text = text[:-1] + "\\ "
    return "\\" + text if value[:1] in ("#", " ") else text


def split(name: str) -> list[str]:
    """The RDNs as written, innermost first; an escaped comma does not separate."""
    parts = re.findall(r"(?:\\.|[^\\,])+", name, flags=re.DOTALL)
    return [part.lstrip(" ") for part in parts]


def parent(name: str) -> str:
    """What the entry lies in."""
    return ",".join(split(name)[1:])


def comparable(name: str) -> tuple[tuple[str, str], ...]:
    """What two spellings of one name have in common: no escapes, no case, no double spaces."""
    pairs = (rdn.partition("=") for rdn in split(name))
    return tuple((a.strip().lower(), " ".join(unescape(v).casefold().split())) for a, _, v in pairs)


def unescape(value: str) -> str:
    """The plain value of an RDN."""
    raw = re.sub(
        rb"\\([0-9a-fA-F]{2}|.)",
        lambda m: bytes.fromhex(m[1].decode()) if len(m[1]) == 2 else m[1],
        value.encode(),
        flags=re.DOTALL,
    )
    return raw.decode("utf-8", "replace")
