"""What ``tests.bent`` makes of a random text is another text with other bytes, wherever it is bent."""

import base64

import pytest

from tests.bent import bent


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize("length", [1, 2, 3, 16])
def test_every_letter_of_every_text_says_something_else(length: int) -> None:
    for value in range(256):
        text = base64.urlsafe_b64encode(bytes([value] * length)).decode().rstrip("=")
        for at in (*range(len(text)), -1):
            other = bent(text, at)
            assert len(other) == len(text)
            assert sum(a != b for a, b in zip(other, text, strict=True)) == 1
            assert _bytes(other) != _bytes(text)
            assert base64.urlsafe_b64encode(_bytes(other)).decode().rstrip("=") == other


@pytest.mark.parametrize("at", [1, 2])
def test_what_is_no_letter_is_not_bent(at: int) -> None:
    with pytest.raises((ValueError, IndexError)):
        bent("a.", at)
