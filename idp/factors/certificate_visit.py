"""The visit at the host where certificates are shown, and what is brought back from there.

That host (the setting ``certificate_site``) knows no cookie of ours. So whoever is sent there takes
along a sealed slip: what for, and the state that her own browser, at the issuer's host, will be asked
for again. What the TLS edge tells of her is sealed beside that state and carried back by her. Alone
neither signs anybody in: the slip says nothing about a person, and what comes back is good only in
the browser that was sent, for what it was sent for, once and for two minutes.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from connectors.pki import edge_header
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput, Misconfigured

PATH = "/certificate"
ASKED, STATE, SHOWN = "for", "state", "shown"
"""Parameters: of the way there, and of the way back."""
THERE = timedelta(minutes=10)
"""So long she may look for her token before she shows it."""
BACK = timedelta(minutes=2)
"""So long what was shown is good."""
LARGEST = 5000
"""Bytes of a certificate: it travels in an address."""
_ASK, _SHOW = "certificate-asked", "certificate-shown"


@dataclass(frozen=True)
class Asked:
    """What somebody is sent for."""

    back: str
    """The absolute address that she comes back to."""
    state: str
    at: datetime


@dataclass(frozen=True)
class Shown:
    """What the TLS edge has told of whoever was sent."""

    certificate: x509.Certificate
    at: datetime


def url(settings: Settings, keyring: Keyring, asked: Asked) -> str:
    """The address of a visit."""
    told = [asked.back, asked.state, asked.at.isoformat()]
    sealed = keyring.encrypt(_ASK, json.dumps(told).encode())
    return f"{settings.certificate_site}{PATH}?{urlencode({ASKED: sealed})}"


def read(keyring: Keyring, sealed: str, *, now: datetime) -> Asked | None:
    """What a visitor was sent for; None for whoever was not, or long ago."""
    try:
        told = keyring.decrypt(_ASK, sealed) if sealed else b""
    except Misconfigured:
        return None
    if not told:
        return None
    back, state, at = json.loads(told)
    begun = datetime.fromisoformat(at)
    return Asked(back, state, begun) if begun <= now < begun + THERE else None


def answer(keyring: Keyring, asked: Asked, header: str | None, *, now: datetime) -> str:
    """Where the visitor goes back to, with what the edge tells of her: a header that we believe."""
    said: dict[str, str] = {STATE: asked.state}
    der = b"" if edge_header.is_empty(header) else _der(header or "")
    if der != b"":
        head = json.dumps([asked.back, asked.state, now.isoformat()]).encode()
        said[SHOWN] = keyring.encrypt(_SHOW, head + b"\n" + (der or b""))
    return f"{asked.back}?{urlencode(said)}"


def _der(header: str) -> bytes | None:
    """None for what is no certificate."""
    try:
        found = edge_header.read(header).public_bytes(Encoding.DER)
    except ValueError:
        return None
    return found if len(found) <= LARGEST else None


def brought(
    keyring: Keyring, sealed: str, *, back: str, state: str, good: timedelta = BACK, now: datetime
) -> Shown:
    """What somebody brings back from the visit that she was sent on. Raises InvalidInput."""
    if not sealed:
        raise _none()
    try:
        head, _, der = keyring.decrypt(_SHOW, sealed).partition(b"\n")
    except Misconfigured as exc:
        raise _over() from exc
    whose, told, at = json.loads(head)
    seen = datetime.fromisoformat(at)
    if (whose, told) != (back, state) or not seen <= now < seen + good:
        raise _over()
    if not der:
        raise InvalidInput(
            "certificate_unreadable",
            "Không đọc được chứng thư mà thiết bị gửi tới. Hãy chọn chứng thư khác.",
            field="",
        )
    return Shown(x509.load_der_x509_certificate(der), seen)


def _none() -> InvalidInput:
    return InvalidInput(
        "certificate_none",
        "Trình duyệt không gửi chứng thư nào. Hãy cắm thiết bị (USB token), đóng hết cửa sổ trình duyệt "
        "nếu vừa cắm, rồi thử lại.",
        field="",
    )


def _over() -> InvalidInput:
    return InvalidInput(
        "certificate_over",
        "Lần xuất trình chứng thư này đã quá lâu hoặc không thuộc lượt này. Hãy bấm nút một lần nữa.",
        field="",
    )
