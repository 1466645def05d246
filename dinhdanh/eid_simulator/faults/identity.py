"""The person: who she is, how surely, and whether she is still the one she was."""

import unicodedata
from collections.abc import Callable

from dinhdanh.eid_simulator.faults.fault import (
    DVCQG,
    EVERYWHERE,
    STANDARD,
    Expected,
    Fault,
    Stage,
)
from dinhdanh.eid_simulator.people import Person
from dinhdanh.eid_simulator.sign_ins import ABSENT, Shown, SignIn
from dinhdanh.eid_simulator.words import NOTHING, Said

NOBODY = "999999"
"""Ends a number that is none of the people's."""
TONES = (("hoà", "hòa"), ("thuỷ", "thủy"), ("thuý", "thúy"), ("hoá", "hóa"), ("loè", "lòe"))
"""The two ways to place one tone; a sample that the built-in people need."""


def _number(shown: Shown) -> str:
    if not isinstance(shown.citizen_number, str):
        raise TypeError("the number is no text any more")
    return shown.citizen_number


def _level(shown: Shown) -> str:
    if shown.level is ABSENT:
        raise TypeError("there is no level any more")
    return str(shown.level)


def _number_changed(shown: Shown, _sign_in: SignIn) -> None:
    shown.citizen_number = _number(shown)[:6] + NOBODY


def _number_of_another(shown: Shown, sign_in: SignIn) -> None:
    shown.citizen_number = sign_in.other.citizen_number


def _become(shown: Shown, other: Person) -> None:
    shown.full_name, shown.citizen_number = other.full_name, other.citizen_number
    shown.birth_date, shown.gender = other.birth_date, other.gender


def _subject_recycled(shown: Shown, sign_in: SignIn) -> None:
    _become(shown, sign_in.other)


def _subject_changed(shown: Shown, _sign_in: SignIn) -> None:
    shown.subject = f"{shown.subject}-new"


def _number_missing(shown: Shown, _sign_in: SignIn) -> None:
    shown.citizen_number = ABSENT


def _number_malformed(shown: Shown, _sign_in: SignIn) -> None:
    shown.citizen_number = f"{_number(shown)[:-1]}X"


def _number_of_nine(shown: Shown, _sign_in: SignIn) -> None:
    shown.citizen_number = _number(shown)[-9:]


def _number_not_text(shown: Shown, _sign_in: SignIn) -> None:
    shown.citizen_number = int(_number(shown))


def _level_1(shown: Shown, _sign_in: SignIn) -> None:
    shown.level = 1


def _level_missing(shown: Shown, _sign_in: SignIn) -> None:
    shown.level = ABSENT


def _level_as_text(shown: Shown, _sign_in: SignIn) -> None:
    shown.level = _level(shown)


def _level_in_words(shown: Shown, _sign_in: SignIn) -> None:
    shown.level = f"Mức độ {_level(shown)}"


def _level_true(shown: Shown, _sign_in: SignIn) -> None:
    shown.level = True


def _organisation(shown: Shown, _sign_in: SignIn) -> None:
    shown.organisation = True


def _name_different(shown: Shown, _sign_in: SignIn) -> None:
    shown.full_name = "Vũ Thị Người Khác"


def _name_missing(shown: Shown, _sign_in: SignIn) -> None:
    shown.full_name = ""


def _name_in_capitals(shown: Shown, _sign_in: SignIn) -> None:
    shown.full_name = shown.full_name.upper()


def _name_decomposed(shown: Shown, _sign_in: SignIn) -> None:
    shown.full_name = unicodedata.normalize("NFD", shown.full_name)


def _name_without_marks(shown: Shown, _sign_in: SignIn) -> None:
    apart = unicodedata.normalize("NFD", shown.full_name.replace("Đ", "D").replace("đ", "d"))
    shown.full_name = "".join(each for each in apart if unicodedata.category(each) != "Mn")


def _name_tone_elsewhere(shown: Shown, _sign_in: SignIn) -> None:
    words = []
    for word in shown.full_name.split(" "):
        both = {one: two for pair in TONES for one, two in (pair, pair[::-1])}
        moved = both.get(word.casefold())
        words.append(moved.capitalize() if moved else word)
    shown.full_name = " ".join(words)


def _birth_date_different(shown: Shown, _sign_in: SignIn) -> None:
    year, rest = int(shown.birth_date[:4]), shown.birth_date[4:]
    shown.birth_date = f"{year + 1}{rest.replace('-02-29', '-02-28')}"


def _birth_year_only(shown: Shown, _sign_in: SignIn) -> None:
    shown.birth_date = shown.birth_date[:4]


def _birth_date_written_otherwise(shown: Shown, _sign_in: SignIn) -> None:
    shown.written_birth_date = "-".join(reversed(shown.birth_date.split("-")))


def _birth_date_missing(shown: Shown, _sign_in: SignIn) -> None:
    shown.birth_date = ""


_REFUSE, _ACCEPT, _EITHER = Expected.REFUSE, Expected.ACCEPT, Expected.EITHER
_HELD = Said(
    "Không liên kết; giữ lại để người có thẩm quyền xem xét.",
    "Do not link; hold it for somebody with the authority to decide.",
)
_SUBJECTS = (STANDARD, DVCQG)
"""The 2026 profile knows no subject but the number itself."""


def _identity(
    code: str,
    profiles: tuple[str, ...],
    expected: Expected,
    does: Said,
    deed: Callable[[Shown, SignIn], None],
    right: Said = NOTHING,
) -> Fault:
    return Fault(code, Stage.IDENTITY, profiles, expected, does, deed, right)


FAULTS = (
    _identity(
        "number_changed",
        _SUBJECTS,
        _REFUSE,
        Said(
            "Cùng sub, số định danh khác (không của ai)",
            "The same sub with another number (nobody's)",
        ),
        _number_changed,
        Said(
            "Từ chối: lần sau phải khớp cả sub và số của liên kết.",
            "Refuse: a later sign-in must match sub and number of the link.",
        ),
    ),
    _identity(
        "number_of_another",
        EVERYWHERE,
        _REFUSE,
        Said(
            "Số định danh của người khác, mọi thứ còn lại của mình",
            "Somebody else's number, all the rest her own",
        ),
        _number_of_another,
        Said(
            "Không liên kết, không đăng nhập: số khớp một người, họ tên và ngày sinh thì không.",
            "Neither link nor sign in: the number is one person's, name and birth date are not.",
        ),
    ),
    _identity(
        "subject_recycled",
        _SUBJECTS,
        _REFUSE,
        Said("sub cũ nay là của người khác", "The old sub is somebody else's now"),
        _subject_recycled,
        Said(
            "Từ chối: sub khớp một người, số khớp người kia.",
            "Refuse: the sub is one person's, the number another's.",
        ),
    ),
    _identity(
        "subject_changed",
        _SUBJECTS,
        _REFUSE,
        Said("Cùng người, sub mới", "The same person with a new sub"),
        _subject_changed,
        Said(
            "Từ chối cho ai đã liên kết, đến khi liên kết cũ được gỡ; người mới thì liên kết bình thường.",
            "Refuse for whoever is linked, until the old link is undone; somebody new is linked as usual.",
        ),
    ),
    _identity(
        "number_missing",
        EVERYWHERE,
        _REFUSE,
        Said("Không có số định danh", "No citizen number"),
        _number_missing,
    ),
    _identity(
        "number_malformed",
        EVERYWHERE,
        _REFUSE,
        Said("Số định danh có chữ cái", "A letter in the citizen number"),
        _number_malformed,
    ),
    _identity(
        "number_of_nine",
        EVERYWHERE,
        _REFUSE,
        Said("Số chứng minh nhân dân cũ, chín chữ số", "The old nine-digit number"),
        _number_of_nine,
    ),
    _identity(
        "number_not_text",
        EVERYWHERE,
        _REFUSE,
        Said(
            "Số định danh là số JSON: mất số 0 đầu",
            "The number is a JSON number: its leading zero is lost",
        ),
        _number_not_text,
    ),
    _identity(
        "level_1",
        EVERYWHERE,
        _REFUSE,
        Said("Tài khoản mức độ 1", "A level 1 account"),
        _level_1,
        Said("Từ chối, chỉ cách lên mức độ 2.", "Refuse, and say how to get to level 2."),
    ),
    _identity(
        "level_missing",
        EVERYWHERE,
        _REFUSE,
        Said("Không nói mức độ", "No word about the level"),
        _level_missing,
        Said(
            "Từ chối: không biết mức độ không phải là mức độ 2.",
            "Refuse: an unknown level is not level 2.",
        ),
    ),
    _identity(
        "level_as_text",
        EVERYWHERE,
        _EITHER,
        Said('Mức độ là chữ số dạng chữ ("2")', 'The level as text ("2")'),
        _level_as_text,
    ),
    _identity(
        "level_in_words",
        EVERYWHERE,
        _REFUSE,
        Said('Mức độ bằng lời ("Mức độ 2")', 'The level in words ("Mức độ 2")'),
        _level_in_words,
    ),
    _identity(
        "level_true",
        EVERYWHERE,
        _REFUSE,
        Said("Mức độ là giá trị JSON true", "The level is the JSON value true"),
        _level_true,
        Said(
            "Từ chối: trong nhiều ngôn ngữ true bằng 1.", "Refuse: in many languages true equals 1."
        ),
    ),
    _identity(
        "organisation_account",
        EVERYWHERE,
        _REFUSE,
        Said("Tài khoản của tổ chức", "An organisation's account"),
        _organisation,
        Said(
            "Từ chối: tài khoản tổ chức không phải là một người.",
            "Refuse: an organisation is not a person.",
        ),
    ),
    _identity(
        "name_different",
        EVERYWHERE,
        _REFUSE,
        Said("Họ tên khác", "Another name"),
        _name_different,
        _HELD,
    ),
    _identity(
        "name_missing",
        EVERYWHERE,
        _REFUSE,
        Said("Họ tên trống", "An empty name"),
        _name_missing,
        _HELD,
    ),
    _identity(
        "name_in_capitals",
        EVERYWHERE,
        _ACCEPT,
        Said("Họ tên viết hoa", "The name in capitals"),
        _name_in_capitals,
        Said("So sánh không phân biệt hoa thường.", "Compare without regard to case."),
    ),
    _identity(
        "name_decomposed",
        EVERYWHERE,
        _ACCEPT,
        Said("Họ tên bằng Unicode tổ hợp (NFD)", "The name in decomposed Unicode (NFD)"),
        _name_decomposed,
        Said("Đưa về NFC trước khi so sánh.", "Bring to NFC before comparing."),
    ),
    _identity(
        "name_tone_elsewhere",
        EVERYWHERE,
        _ACCEPT,
        Said(
            "Dấu thanh đặt kiểu kia (Thuỷ / Thủy)",
            "The tone stands on the other letter (Thuỷ / Thủy)",
        ),
        _name_tone_elsewhere,
        Said("Cùng một tên.", "It is the same name."),
    ),
    _identity(
        "name_without_marks",
        EVERYWHERE,
        _EITHER,
        Said("Họ tên không dấu", "The name without marks"),
        _name_without_marks,
        _HELD,
    ),
    _identity(
        "birth_date_different",
        EVERYWHERE,
        _REFUSE,
        Said("Ngày sinh khác một năm", "The birth date is a year off"),
        _birth_date_different,
        _HELD,
    ),
    _identity(
        "birth_year_only",
        EVERYWHERE,
        _EITHER,
        Said("Chỉ có năm sinh", "Only the year of birth"),
        _birth_year_only,
        _HELD,
    ),
    _identity(
        "birth_date_written_otherwise",
        EVERYWHERE,
        _EITHER,
        Said("Ngày sinh viết dd-mm-yyyy", "The birth date written dd-mm-yyyy"),
        _birth_date_written_otherwise,
    ),
    _identity(
        "birth_date_missing",
        EVERYWHERE,
        _EITHER,
        Said("Ngày sinh trống", "An empty birth date"),
        _birth_date_missing,
        _HELD,
    ),
)
