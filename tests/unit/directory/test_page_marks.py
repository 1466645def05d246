"""Where a page ended: read as it was written, and nothing else."""

import base64
import json

import pytest

from directory.base import page_marks
from directory.base.errors import InvalidInput


def test_a_mark_gives_its_values_back() -> None:
    assert page_marks.read(page_marks.mark(2, "nguyễn", 7), int, str, int) == [2, "nguyễn", 7]


def _spelt(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "~",
        "W10=",
        page_marks.mark(2, "a") + "=",
        _spelt({"a": 1}),
        _spelt([2]),
        _spelt([2, "a", 3]),
        _spelt([True, "a"]),
        _spelt(["2", "a"]),
        _spelt([2, "a\0b"]),
        _spelt([2, "a\ud800"]),
        base64.urlsafe_b64encode(b"[" * 5000).rstrip(b"=").decode(),
        "ệ",
    ],
)
def test_a_mark_that_no_page_has_given_is_refused_by_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        page_marks.read(text, int, str)
    assert refused.value.field == "after"
