"""An authenticator app as its makers wrote it: RFC 6238 over the link that a page shows.

It reads what apps read and nothing else: other digests, padded secrets, a port or a letter that is
not ASCII in the issuer are refused, as some of them do.
"""

import base64
import hashlib
import hmac
import re
import struct
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from itertools import count
from urllib.parse import parse_qsl, unquote, urlsplit

LINK = re.compile(r'href="(otpauth://[^"]+)"')


@dataclass(frozen=True)
class Authenticator:
    """One secret in the app."""

    label: str
    issuer: str
    secret: str

    @classmethod
    def scan(cls, page: str) -> "Authenticator":
        """The link on a page."""
        [link] = LINK.findall(page)
        return cls.read(unescape(link))

    @classmethod
    def read(cls, uri: str) -> "Authenticator":
        """An ``otpauth://`` link, strictly."""
        parts = urlsplit(uri)
        assert (parts.scheme, parts.netloc) == ("otpauth", "totp"), uri
        said = dict(parse_qsl(parts.query, strict_parsing=True))
        assert said.pop("algorithm", "SHA1") == "SHA1"
        assert said.pop("digits", "6") == "6"
        assert said.pop("period", "30") == "30"
        label = unquote(parts.path.removeprefix("/"))
        prefix, _, account = label.partition(":")
        assert prefix == said["issuer"]
        assert account
        assert ":" not in account
        assert prefix.isascii()
        assert re.fullmatch(r"[A-Z2-7]{32}", said["secret"])
        assert said.keys() == {"secret", "issuer"}
        return cls(label, prefix, said["secret"])

    def near(self, at: datetime) -> set[str]:
        """All that it shows around that moment, the steps that a wrong clock is forgiven among them."""
        return {self.code(at, steps=n) for n in range(-3, 4)}

    def wrong(self, at: datetime) -> str:
        """A code that it does not show around that moment."""
        near = self.near(at)
        return next(code for n in range(10) if (code := f"{n:06}") not in near)

    def code(self, at: datetime, *, steps: int = 0) -> str:
        """What it shows at that moment, or some steps away from it."""
        counter = int(at.timestamp()) // 30 + steps
        key = base64.b32decode(self.secret)
        digest = hmac.new(key, struct.pack(">Q", counter), hashlib.sha1).digest()
        offset = digest[-1] & 15
        number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
        return f"{number % 10**6:06}"


def wrong_code(at: datetime, *apps: Authenticator) -> str:
    """A code that none of them shows, neither then nor at any moment for which it could be taken."""
    shown = {app.code(at, steps=steps) for app in apps for steps in range(-5, 6)}
    return next(code for code in map("{:06}".format, count()) if code not in shown)
