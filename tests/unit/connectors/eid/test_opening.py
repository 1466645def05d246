"""What is encrypted to us: one answer for every fault, and nothing to be learned from it."""

import base64
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from connectors.eid import opening
from connectors.eid.refusals import EidRefused, Why
from tests.upstream import ours, wrapped

BODY = b'{"citizenPid": "038190001234"}'


def answer(act: Any, *given: Any) -> str:
    """All that an outsider can be told of it."""
    with pytest.raises(EidRefused) as caught:
        act(ours(), *given)
    refused = caught.value
    assert refused.__cause__ is None
    return f"{refused.why} {refused.code} {refused.status} {refused.message} {refused.detail}"


def spelt(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


@pytest.mark.parametrize("size", [16, 24, 32])
def test_what_is_right_is_read(size: int) -> None:
    data, key = wrapped(b"3f2a-1.77b0-2", size=size)
    assert opening.opened_code(ours(), data, key) == "3f2a-1.77b0-2"
    data, key = wrapped(BODY, size=size)
    body = f'{{"data": "{data}", "key": "{key}"}}'.encode()
    assert opening.opened_body(ours(), body) == {"citizenPid": "038190001234"}


def test_four_hundred_random_ciphertexts_have_one_answer() -> None:
    data, _ = wrapped(b"3f2a-1.77b0-2")
    answers = {
        answer(opening.opened_code, data, spelt(secrets.token_bytes(256))) for _ in range(400)
    }
    assert answers == {answer(opening.opened_code, "", "")}


def blocks() -> Iterator[tuple[str, bytes]]:
    """What could stand inside the RSA ciphertext (RFC 8017 §7.2.2), right and wrong in each way."""
    size = ours().key_size // 8
    filling = bytes(secrets.choice(range(1, 256)) for _ in range(size))
    yield "right padding, key of 32", b"\0\2" + filling[: size - 35] + b"\0" + b"k" * 32
    yield "right padding, key of 31", b"\0\2" + filling[: size - 34] + b"\0" + b"k" * 31
    yield "right padding, nothing inside", b"\0\2" + filling[: size - 3] + b"\0"
    yield "first byte", b"\1\2" + filling[: size - 35] + b"\0" + b"k" * 32
    yield "block type", b"\0\1" + filling[: size - 35] + b"\0" + b"k" * 32
    yield "no end of the padding", b"\0\2" + filling[: size - 2]
    yield "padding of seven", b"\0\2" + filling[:7] + b"\0" + b"k" * (size - 10)
    yield "all zero", bytes(size)


@pytest.mark.parametrize(("name", "block"), list(blocks()), ids=[name for name, _ in blocks()])
def test_nothing_is_told_of_the_padding(name: str, block: bytes) -> None:
    """The oracle of Bleichenbacher 1998: a ciphertext made from a block of any form, with data that
    its key does not fit, is answered as rubbish is.
    """
    numbers = ours().public_key().public_numbers()
    made = pow(int.from_bytes(block), numbers.e, numbers.n).to_bytes(ours().key_size // 8)
    data, _ = wrapped(b"3f2a-1.77b0-2")
    assert answer(opening.opened_code, data, spelt(made)) == answer(opening.opened_code, "", "")


def test_the_library_gives_other_bytes_where_the_padding_is_wrong() -> None:
    """Why the length is looked at, and never told: it raises nothing."""
    lengths = set()
    for _ in range(20):
        wrong = secrets.randbelow(1 << 2000).to_bytes(256)
        lengths.add(len(ours().decrypt(wrong, PKCS1v15())))
    assert len(lengths) > 3


FAULTS = {
    "key cut": lambda d, k: (d, k[:-8]),
    "key too long": lambda d, k: (d, spelt(base64.b64decode(k) + b"x")),
    "key no base64": lambda d, _k: (d, "%%%"),
    "key for URLs": lambda d, k: (d, k.replace("+", "-").replace("/", "_") + "-"),
    "key with a blank": lambda d, k: (d, k[:8] + " " + k[8:]),
    "key in other letters": lambda d, _k: (d, "ưưưư"),
    "data empty": lambda _d, k: ("", k),
    "data cut": lambda d, k: (spelt(base64.b64decode(d)[:-1]), k),
    "data of a block more": lambda d, k: (spelt(base64.b64decode(d) + bytes(16)), k),
    "data no base64": lambda _d, k: ("***", k),
    "data of another key": lambda d, _k: (d, wrapped(b"x")[1]),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_every_fault_has_the_same_answer(fault: Any) -> None:
    data, key = wrapped(b"3f2a-1.77b0-2")
    said = answer(opening.opened_code, *fault(data, key))
    assert said == answer(opening.opened_code, "", "")
    assert Why.UNDECRYPTABLE in said


@pytest.mark.parametrize("plain", [b"", b"a b", b"\xff" * 20, "mã".encode(), b"x" * 600, b"a\nb"])
def test_a_code_that_is_none_has_the_same_answer(plain: bytes) -> None:
    assert answer(opening.opened_code, *wrapped(plain)) == answer(opening.opened_code, "", "")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", BODY, b'{"data": 1, "key": 2}', b"\xff"])
def test_a_body_that_is_not_encrypted_has_the_same_answer(body: bytes) -> None:
    """What was due encrypted is never read in plain."""
    assert answer(opening.opened_body, body) == answer(opening.opened_code, "", "")


def test_a_key_that_is_too_short_or_none_is_not_configured() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    form = (Encoding.PEM, PrivateFormat.PKCS8)
    short = rsa.generate_private_key(65537, 1024).private_bytes(*form, NoEncryption())
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(*form, NoEncryption())
    locked = ours().private_bytes(*form, BestAvailableEncryption(b"x"))
    for pem in (short, curve, locked, b"", b"rubbish"):
        with pytest.raises(ValueError, match=r".*"):
            opening.private_key(pem)
