"""One rule for each kind of value that people and files bring: feeds, forms, the API, commands.

Each function takes what was given and gives what is stored, tidied but never guessed; what cannot
be read with certainty is refused with a sentence that says what it looks like. All raise
InvalidInput naming ``field``.
"""

import re
import unicodedata
from contextlib import suppress
from datetime import date
from functools import lru_cache
from importlib import import_module
from typing import Any

from directory.base.errors import InvalidInput
from directory.base.spelling import garbled
from directory.base.text import clean

KEY = 80
"""Characters of a key by which a personnel system knows a person or a post."""
OLDEST = 130
"""Nobody is older, in years."""
_EARLIEST = date(1900, 1, 1)
_FARTHEST_YEARS = 100
_ISO_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]00:00(?::00(?:\.0+)?)?)?")
_VIETNAMESE_DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?: 00:00(?::00)?)?")
_NAME_SIGNS = frozenset(" '’‘ʼ`´-–.·()ʔ,")
_UNIT_SIGNS_REFUSED = frozenset("<>{}[]|\\^`~�")
_SEPARATORS = re.compile(r"[\s.()\-–]+")
_MOBILE = "35789"
_PROVINCES = range(1, 97)


def person_name(value: str, field: str = "full_name", *, longest: int = 100) -> str:
    """A person's name as written, blanks tidied: letters of any people and what stands in names."""
    name = _spelled(value, field, longest)
    if not any(c.isalpha() for c in name) or not all(
        c.isalpha() or unicodedata.category(c) == "Mn" or c in _NAME_SIGNS for c in name
    ):
        raise _wrong(field, "Họ tên có ký tự không hợp lệ.")
    return name


def unit_name(value: str, field: str = "name", *, longest: int = 200) -> str:
    """The name of a unit, a position or an issuer: letters, digits and ordinary signs."""
    name = _spelled(value, field, longest)
    if not any(c.isalpha() for c in name) or any(
        c in _UNIT_SIGNS_REFUSED or (unicodedata.category(c)[0] in "CS" and c not in "+°&")
        for c in name
    ):
        raise _wrong(field, "Tên có ký tự không hợp lệ.")
    return name


def _spelled(value: str, field: str, longest: int) -> str:
    """One line of text in one spelling; text of a wrong encoding is told, with what it would be."""
    text = unicodedata.normalize("NFC", value)
    found = garbled(text)
    if found is not None and found.meant is None:
        raise _wrong(field, "Chữ bị mất khi chuyển bảng mã; không đoán được, cần dữ liệu gốc.")
    if found is not None:
        raise _wrong(
            field,
            "Sai bảng mã ({encoding}?); đúng ra có thể là “{meant}”.",
            encoding=found.encoding,
            meant=clean(found.meant or "")[:longest],
        )
    text = line(text, field, longest=longest)
    if strange := sorted(set().union(*map(_strange, text.split(" ")))):
        raise _wrong(
            field,
            "Có chữ của bảng chữ khác trông như chữ Latinh: {letters}.",
            letters=", ".join(unicodedata.name(c, "?") for c in strange[:3]),
        )
    return text


def line(value: str, field: str, *, longest: int) -> str:
    """One line of text that people read or compare, blanks tidied: nothing in it is hidden."""
    text = clean(value)
    # Signs that turn the reading direction, and other invisible ones, make one text look like another.
    if any(map(_hidden, text)):
        raise _wrong(field, "Có ký tự ẩn hoặc ký tự điều khiển.")
    if not text:
        raise _wrong(field, "Trường này không được để trống.")
    if len(text) > longest:
        raise _wrong(field, "Trường này quá dài.")
    return text


_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8"
    "\U000e0000-\U000e0fff]"
)
"""What shows nothing without being a control or a format character (Default_Ignorable_Code_Point of
Unicode's DerivedCoreProperties)."""


@lru_cache(maxsize=1024)
def _hidden(c: str) -> bool:
    unseen = unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs") and not c.isspace()
    return unseen or _IGNORABLE.match(c) is not None


_LIKE_LATIN = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU"})
"""Alphabets whose letters are taken for Latin ones (Unicode TS 39), by how their names begin."""


def _strange(word: str) -> set[str]:
    """Letters that make a word look like another: of a second alphabet beside Latin ones, or Latin
    ones in the dress of mathematics or of full width.
    """
    alphabets = {c: _alphabet(c) for c in word if c.isalpha()}
    dressed = {c for c in alphabets if unicodedata.decomposition(c)[:6] in ("<font>", "<wide>")}
    if "LATIN" not in alphabets.values():
        return dressed
    return dressed | {c for c, alphabet in alphabets.items() if alphabet in _LIKE_LATIN}


@lru_cache(maxsize=1024)
def _alphabet(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def email(value: str | None, field: str = "email") -> str | None:
    """An address that mail and every application can be given, in small letters; a domain in other
    letters than ASCII as mail writes it (A-labels): whoever reads it sees that it is another.

    Host names without a dot and endings that no registry gives (``.local``) are refused: most
    services that would be given the address refuse it, and they tell nobody.
    """
    text = clean(value or "").removeprefix("'")  # Excel's mark for "this is text"
    if not text:
        return None
    if re.search(r"[;,\s]", text) and text.count("@") > 1:
        raise _wrong(field, "Chỉ ghi một địa chỉ thư.")
    if "@" not in text:
        raise _wrong(field, "Thư điện tử không hợp lệ; không có thì để trống.")
    # Only here: it takes a thirtieth of every start to read, and few processes see an address.
    rules = import_module("email_validator")
    try:
        found = rules.validate_email(
            text, check_deliverability=False, allow_smtputf8=False, allow_quoted_local=False
        )
    except rules.EmailNotValidError:
        raise _wrong(field, "Thư điện tử không hợp lệ.") from None
    return f"{found.local_part}@{found.ascii_domain}".lower()


def phone(value: str | None, field: str = "phone") -> str | None:
    """A telephone number: digits with or without a leading plus, separators taken out.

    A mobile number that has lost its zero (nine digits, the first of a mobile network) gets it
    back; ``84…`` without a plus gets the plus.
    """
    text = _SEPARATORS.sub("", clean(value or "").removeprefix("'"))
    if not text:
        return None
    if re.fullmatch(rf"[{_MOBILE}]\d{{8}}", text):
        text = f"0{text}"
    elif re.fullmatch(rf"84[{_MOBILE}2]\d{{8,9}}", text):
        text = f"+{text}"
    if not re.fullmatch(r"\+?\d{8,15}", text, re.ASCII) or len(set(text.lstrip("+"))) == 1:
        raise _wrong(field, "Số điện thoại không hợp lệ.")
    return text


def citizen_number(value: str | None, field: str = "citizen_number") -> str | None:
    """The twelve digits of a personal identification number.

    One or two zeros that a spreadsheet has taken from its head are given back: the number begins
    with a province's code of three digits. Where the head is still a zero, no spreadsheet took any:
    a digit was forgotten, and none is guessed. Never in the error: it is personal.
    """
    text = clean(value or "").removeprefix("'").replace(" ", "")
    if not text:
        return None
    if re.fullmatch(r"[1-9]\d{9,10}", text, re.ASCII) and int(text.zfill(12)[:3]) in _PROVINCES:
        text = text.zfill(12)
    if re.fullmatch(r"\d([.,]\d+)?E\+?\d+", text, re.IGNORECASE):
        raise InvalidInput(
            "citizen_number",
            "Số định danh đã bị bảng tính làm tròn; cần dữ liệu gốc.",
            field=field,
        )
    if not re.fullmatch(r"\d{12}", text, re.ASCII):
        raise InvalidInput("citizen_number", "Số định danh phải gồm đúng 12 chữ số.", field=field)
    return text


def birth_date(value: str | None, today: date, field: str = "birth_date") -> str | None:
    """An ISO day or a bare year, as stored; Vietnamese day order is understood."""
    text = clean(value or "")
    if not text:
        return None
    if re.fullmatch(r"\d{4}", text, re.ASCII):
        first = last = int(text)
        stored = text
    else:
        born = written_day(
            text,
            field,
            code="birth_date",
            otherwise="Ngày sinh phải là ngày (năm-tháng-ngày hoặc ngày/tháng/năm) hoặc năm.",
        )
        if born > today:
            raise _wrong(field, "Ngày sinh ở tương lai.")
        first = last = born.year
        stored = born.isoformat()
    if last > today.year:
        raise _wrong(field, "Ngày sinh ở tương lai.")
    if first < today.year - OLDEST:
        raise _wrong(field, "Ngày sinh đã quá {n} năm.", n=OLDEST)
    return stored


def day(value: str | None, today: date, field: str) -> str | None:
    """An ISO day between 1900 and a hundred years from now; Vietnamese day order is understood."""
    text = clean(value or "")
    if not text:
        return None
    otherwise = "Ngày phải viết dạng năm-tháng-ngày hoặc ngày/tháng/năm."
    found = written_day(text, field, otherwise=otherwise)
    if found < _EARLIEST or found.year > today.year + _FARTHEST_YEARS:
        raise _wrong(field, "Ngày nằm ngoài khoảng cho phép.")
    return found.isoformat()


OPEN_FROM = 2900
"""A year that systems without an open end write for one: 2999-12-31, 9999-12-31."""
_OPEN = frozenset(
    {
        "-",
        "–",
        "nay",
        "đến nay",
        "tới nay",
        "hiện nay",
        "đến hiện nay",
        "hiện tại",
        "không thời hạn",
        "vô thời hạn",
        "không xác định thời hạn",
        "open",
        "present",
        "null",
        "none",
    }
)


def end_day(value: str | None, today: date, field: str) -> str | None:
    """As ``day``; None also for the ways of writing that no end is known."""
    text = clean(value or "").casefold()
    if text in _OPEN:
        return None
    with suppress(InvalidInput):
        if written_day(text, field, otherwise="").year >= OPEN_FROM:
            return None
    return day(value, today, field)


NO_SUCH_DAY = "Ngày này không có trong lịch."
"""Of what is written as a day and is none: 31/02."""


def written_day(text: str, field: str, *, otherwise: str, code: str = "invalid") -> date:
    """A day, written in one of the two ways people write it here. Raises InvalidInput, with the
    sentence ``otherwise`` for what is written in neither.
    """
    if found := _ISO_DAY.fullmatch(text):
        year, month, on = found.groups()
    elif found := _VIETNAMESE_DAY.fullmatch(text):
        on, month, year = found.groups()
    else:
        raise InvalidInput(code, otherwise, field=field)
    try:
        return date(int(year), int(month), int(on))
    except ValueError:
        raise InvalidInput(code, NO_SUCH_DAY, field=field) from None


_YES = frozenset({"true", "1", "x", "có", "đúng", "yes"})
_NO = frozenset({"false", "0", "không", "sai", "no"})


def flag(value: str, field: str) -> bool:
    """A switch as people and spreadsheets write it."""
    text = clean(value).casefold()
    if text in _YES:
        return True
    if text in _NO:
        return False
    raise _wrong(field, "Chỉ nhận true hoặc false.")


def whole_number(value: str, field: str, *, least: int = 0, most: int = 100_000) -> int:
    """A whole number within bounds. ``120.0`` is one; ``1.000`` could be two and is refused."""
    text = re.sub(r"[.,]0$", "", clean(value))
    if re.fullmatch(r"\d{1,3}([.,]\d{3})+", text, re.ASCII):
        raise _wrong(field, "Viết số liền, không có dấu phân cách hàng nghìn.")
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
        raise _wrong(field, "Phải là số nguyên từ {least} đến {most}.", least=least, most=most)
    return int(text)


def _wrong(field: str, message: str, **args: Any) -> InvalidInput:
    return InvalidInput("invalid", message, field=field, **args)
