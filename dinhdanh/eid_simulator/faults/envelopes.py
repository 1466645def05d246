"""Encryption of the 2026 profile: of the code, the token answer and the person's data alike.

All of them end in one and the same refusal: a relying party that says which step failed, by word,
status or time, decrypts for whoever asks (Bleichenbacher 1998; RFC 3218).
"""

import base64
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from dinhdanh.eid_simulator.envelopes import BLOCK, Envelope, in_base64, wrapped_in
from dinhdanh.eid_simulator.faults.fault import VNEID, Expected, Fault, Stage
from dinhdanh.eid_simulator.sign_ins import SignIn
from dinhdanh.eid_simulator.words import Said


@cache
def _stranger() -> rsa.RSAPublicKey:
    return rsa.generate_private_key(65537, 2048).public_key()


def _key_other(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.recipient = _stranger()


def _pkcs1_padding(envelope: Envelope, _sign_in: SignIn) -> None:
    def wrap(key: bytes, recipient: rsa.RSAPublicKey) -> bytes:
        size = (recipient.public_numbers().n.bit_length() + 7) // 8
        # Block type 1 is for signatures (RFC 8017 section 9.2); encryption has type 2.
        return wrapped_in(b"\x00\x01" + b"\xff" * (size - len(key) - 3) + b"\x00" + key, recipient)

    envelope.wrap = wrap


def _aes_key_length(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.aes_key = envelope.aes_key[:20]


def _aes_padding(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.pad = lambda clear: clear + b"\0" * (BLOCK - len(clear) % BLOCK)


def _aes_blocks(envelope: Envelope, _sign_in: SignIn) -> None:
    def cut(sealed: dict[str, Any]) -> dict[str, Any]:
        return sealed | {"data": in_base64(base64.b64decode(sealed["data"])[:-3])}

    envelope.afterwards = cut


def _base64_broken(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.afterwards = lambda sealed: (
        sealed | {"data": f"{sealed['data'][:9]}*,{sealed['data'][9:]}"}
    )


def _plain_code(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.afterwards = lambda sealed: sealed | {"data": envelope.clear.decode()}


def _plain(envelope: Envelope, _sign_in: SignIn) -> None:
    clear = json.loads(envelope.clear)
    envelope.afterwards = lambda _sealed: clear


def _key_missing(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.afterwards = lambda sealed: {"data": sealed["data"]}


def _data_missing(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.afterwards = lambda sealed: {"key": sealed["key"]}


def _not_json(envelope: Envelope, _sign_in: SignIn) -> None:
    envelope.clear = b"<html>503</html>"


_RIGHT = Said(
    "Từ chối, và câu trả lời như nhau cho mọi lỗi giải mã.",
    "Refuse, with one and the same answer to every decryption fault.",
)
_PLACES = (
    ("code", Stage.CODE_ENVELOPE, Said("Mã", "The code")),
    ("token", Stage.TOKEN_ENVELOPE, Said("Trả lời token", "The token answer")),
    ("userinfo", Stage.USERINFO_ENVELOPE, Said("Thông tin người dùng", "The person's data")),
)
_KINDS: tuple[tuple[str, Said, Callable[[Envelope, SignIn], None]], ...] = (
    ("key_other", Said("mã hóa cho khóa khác", "is encrypted to another key"), _key_other),
    (
        "pkcs1_padding",
        Said("có đệm PKCS#1 sai", "has the wrong PKCS#1 padding"),
        _pkcs1_padding,
    ),
    (
        "aes_key_length",
        Said("có khóa AES dài 20 byte", "has an AES key of 20 bytes"),
        _aes_key_length,
    ),
    ("aes_padding", Said("có đệm AES sai", "has the wrong AES padding"), _aes_padding),
    ("aes_blocks", Said("không tròn khối AES", "is not of whole AES blocks"), _aes_blocks),
    ("base64_broken", Said("không phải base64", "is not base64"), _base64_broken),
    ("key_missing", Said("không kèm khóa", "comes without its key"), _key_missing),
)
_BODIES: tuple[tuple[str, Said, Callable[[Envelope, SignIn], None]], ...] = (
    ("plain", Said("không mã hóa", "is not encrypted"), _plain),
    ("data_missing", Said("không có data", "has no data"), _data_missing),
    ("not_json", Said("giải mã ra HTML", "decrypts to HTML"), _not_json),
)


def _fault(
    place: str,
    stage: Stage,
    what: Said,
    kind: tuple[str, Said, Callable[[Envelope, SignIn], None]],
) -> Fault:
    name, said, deed = kind
    does = Said(f"{what.vi} {said.vi}", f"{what.en} {said.en}")
    return Fault(f"{place}_{name}", stage, (VNEID,), Expected.REFUSE, does, deed, _RIGHT)


FAULTS = (
    *(_fault(*place, kind) for place in _PLACES for kind in _KINDS),
    *(_fault(*place, kind) for place in _PLACES[1:] for kind in _BODIES),
    _fault(*_PLACES[0], ("plain", Said("không mã hóa", "is not encrypted"), _plain_code)),
)
