"""The people one can be at the simulated providers: a few that are built in, others from a file.

Every built-in number has the form of a real one and belongs to nobody: the fourth digit (century
and sex, Decree 137/2015) is 8 or 9, which is for people born in 2300 and later.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dinhdanh.eid_simulator.words import NOTHING, Said

NUMBER = re.compile(r"\d{12}")
DATE = re.compile(r"\d{4}(-\d\d-\d\d)?")


class WrongFile(ValueError):
    """A file of people or clients that cannot be used; the sentence says where and why."""


@dataclass(frozen=True)
class Person:
    """Somebody with an electronic identity that does not exist."""

    key: str
    full_name: str
    citizen_number: str
    birth_date: str
    """``YYYY-MM-DD``, or ``YYYY`` where only the year is known."""
    gender: str
    """``male`` or ``female``."""
    level: int = 2
    former_name: str | None = None
    note: Said = NOTHING


PEOPLE = (
    Person(
        "huong",
        "Nguyễn Thị Hương",
        "038985000001",
        "1985-03-12",
        "female",
        note=Said("Tài khoản bình thường", "An ordinary account"),
    ),
    Person(
        "hien",
        "Nguyễn Văn Hiển",
        "040879000002",
        "1979-11-02",
        "male",
        note=Said("Trùng họ tên với người kế tiếp", "Has the name of the next person"),
    ),
    Person(
        "hien2",
        "Nguyễn Văn Hiển",
        "038891000003",
        "1991-06-30",
        "male",
        note=Said("Trùng họ tên với người trước", "Has the name of the person before"),
    ),
    Person(
        "anh",
        "Trần Thị Ngọc Ánh",
        "038988000004",
        "1988-09-21",
        "female",
        former_name="Trần Thị Nga",
        note=Said("Đã đổi tên; tên cũ: Trần Thị Nga", "Changed her name; it was Trần Thị Nga"),
    ),
    Person(
        "thuy",
        "Lê Thị Thuỷ",
        "038990000005",
        "1990-01-05",
        "female",
        note=Said(
            "Tên viết dấu kiểu mới (Thuỷ, không phải Thủy)",
            "The tone stands on the other letter (Thuỷ, not Thủy)",
        ),
    ),
    Person(
        "binh",
        "Phạm Bình An",
        "040893000006",
        "1993-07-14",
        "male",
        level=1,
        note=Said("Phải bị từ chối", "Must be refused"),
    ),
    Person(
        "minh",
        "Hoàng Gia Minh",
        "038812000007",
        "2012-05-19",
        "male",
        note=Said("Người chưa thành niên", "A minor"),
    ),
    Person(
        "hhen",
        "H'Hen Niê",
        "066992000008",
        "1992-12-01",
        "female",
        note=Said("Tên có dấu nháy, không có chữ đệm", "A name with an apostrophe, of two words"),
    ),
    Person(
        "lan",
        "Đỗ Thị Lan",
        "001948000009",
        "1948",
        "female",
        note=Said("Chỉ biết năm sinh", "Only the year of birth is known"),
    ),
    Person(
        "marie",
        "Dubois Marie-Thérèse",
        "299987000010",
        "1987-04-23",
        "female",
        note=Said(
            "Người nước ngoài đăng ký tại Việt Nam", "A foreigner who is registered in Viet Nam"
        ),
    ),
)
"""The built-in people, first the one a page offers first."""

FIELDS = ("key", "full_name", "citizen_number", "birth_date", "gender", "level", "former_name")


def read(file: Path) -> tuple[Person, ...]:
    """People from a JSON list of objects with ``FIELDS`` and ``note`` (text, optional).

    Raises WrongFile naming entry and field.
    """
    try:
        entries = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise WrongFile(f"{file}: {exc}") from exc
    return made_of(entries, said_by=str(file))


def made_of(entries: Any, *, said_by: str) -> tuple[Person, ...]:
    """People from what a file (or a caller) says. Raises WrongFile naming entry and field."""
    if not isinstance(entries, list) or not entries:
        raise WrongFile(f"{said_by}: a list of people is expected")
    people = tuple(_person(entry, f"{said_by}[{n}]") for n, entry in enumerate(entries))
    for name in ("key", "citizen_number"):
        _no_two([getattr(person, name) for person in people], f"{said_by}: {name}")
    return people


def _person(entry: Any, place: str) -> Person:
    if not isinstance(entry, dict):
        raise WrongFile(f"{place}: an object is expected")
    if unknown := set(entry) - {*FIELDS, "note"}:
        raise WrongFile(f"{place}: unknown {', '.join(sorted(unknown))}")
    for name in ("key", "full_name", "citizen_number", "birth_date"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise WrongFile(f"{place}.{name}: text is expected")
    if not NUMBER.fullmatch(entry["citizen_number"]):
        raise WrongFile(f"{place}.citizen_number: twelve digits are expected")
    if not DATE.fullmatch(entry["birth_date"]):
        raise WrongFile(f"{place}.birth_date: YYYY-MM-DD or YYYY is expected")
    if entry.get("gender", "female") not in ("male", "female"):
        raise WrongFile(f"{place}.gender: male or female is expected")
    if entry.get("level", 2) not in (1, 2):
        raise WrongFile(f"{place}.level: 1 or 2 is expected")
    note = str(entry.get("note", ""))
    known = {name: entry[name] for name in FIELDS if name in entry}
    return Person(**({"gender": "female"} | known), note=Said(note, note))


def _no_two(values: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise WrongFile(f"{what}: {value} stands there twice")
        seen.add(value)
