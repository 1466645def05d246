"""base64url: one text for one value (RFC 4648 §3.5, §5), and values under a MAC spelt in one way."""

import base64

import pytest

from directory.base import base64url, signed_values
from directory.base.crypto import Keyring

RAW = [b"", b"\x00", b"\xfb\xff", b"\xfb\xff\xfe", bytes(range(256))]


@pytest.mark.parametrize("raw", RAW)
def test_there_and_back(raw: bytes) -> None:
    text = base64url.encode(raw)
    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert base64url.decode(text) == raw


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("AB", id="bits left over in the last character"),
        pytest.param("AA==", id="padded"),
        pytest.param("+/+/", id="the other alphabet"),
        pytest.param("AAA A", id="a space"),
        pytest.param("AAAA\n", id="a line feed"),
        pytest.param("AA!A", id="no letter of it"),
        pytest.param("A", id="no whole byte"),
        pytest.param("ÀAAA", id="not ASCII"),
    ],
)
def test_another_spelling_is_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"no base64url|ASCII"):
        base64url.decode(text)


def test_a_signed_value_has_one_spelling() -> None:
    keyring = Keyring({"one": b"k" * 32}, "one")
    value = signed_values.seal(keyring, "browser", "body")
    assert signed_values.unseal(keyring, "browser", value) == "body"
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = letters[letters.index(value[-1]) ^ 1]
    for other in (value[:-1] + same, value + "=", value + "==", value + "\n"):
        assert signed_values.unseal(keyring, "browser", other) is None
