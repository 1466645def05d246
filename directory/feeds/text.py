"""The text of a feed's file: which encoding, which delimiter, which rows and columns are none.

What a spreadsheet makes of a table is read as it was meant: UTF-8 with or without a mark at the
beginning, UTF-16 with one (Excel's "Unicode text"), commas, semicolons or tabs, any line ends,
empty rows and columns that lie beside the table.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

from directory.base import storable
from directory.base.errors import InvalidInput
from directory.base.text import clean

_DELIMITERS = ",;\t"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LARGEST = 200 * 1024 * 1024
"""Bytes of a file that are read."""


def table(file: Path) -> Iterator[tuple[int, list[str]]]:
    """(line, tidied values) of each row that has any; the header first, its names in small letters.

    Columns without a name are left out where they are empty in a row, and kept where they are
    not, so that whoever reads the row can refuse it. Raises InvalidInput when the file as a whole
    is unusable.
    """
    text = _decoded(file)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=_delimiter(text))
    try:
        header = [_name(value) for value in next(rows, [])]
        while header and not header[-1]:
            header.pop()
        yield 1, header
        for values in rows:
            tidied = [clean(value) for value in values]
            if not any(tidied):
                continue
            while len(tidied) > len(header) and not tidied[-1]:
                tidied.pop()
            yield rows.line_num, tidied
    except csv.Error as exc:
        raise InvalidInput(
            "csv",
            "Tệp {file} sai cú pháp CSV ở dòng {line}.",
            field=file.name,
            row=rows.line_num,
            file=file.name,
            line=rows.line_num,
        ) from exc


def _decoded(file: Path) -> str:
    if file.stat().st_size > LARGEST:
        raise InvalidInput("too_large", "Tệp {file} quá lớn.", field=file.name, file=file.name)
    raw = file.read_bytes()
    try:
        text = raw.decode("utf-16" if raw.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise _unreadable(file) from exc
    if not storable.is_text(text):
        raise _unreadable(file)
    return text


def _unreadable(file: Path) -> InvalidInput:
    return InvalidInput(
        "encoding",
        "Tệp {file} không phải UTF-8; trong Excel hãy lưu dạng “CSV UTF-8”.",
        field=file.name,
        file=file.name,
    )


def _delimiter(text: str) -> str:
    header = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    return max(_DELIMITERS, key=header.count)


def _name(value: str) -> str:
    return clean(value).casefold().replace(" ", "_")
