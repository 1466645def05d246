"""Which body orders an appointment, and how it numbers its decisions.

The shapes (`45-QĐ/TU`, `12-QĐ/ĐU`, `123/QĐ-UBND`) are those in use; the numbers are invented.
People appointed in the same unit by the same body on the same day share one decision, as they do
in practice.
"""

from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from build_units import Row, commune_of, parent_of
from staffing import Post, Register, agency_of

REORGANISATION = date(2025, 7, 1)


class Authority(NamedTuple):
    """A body that decides, its pattern for numbers, and how many it used before July 2025."""

    name: str
    pattern: str
    used: int = 0


class Decision(NamedTuple):
    number: str
    issued_on: date
    issuer: str


# The communes' bodies began with the reorganisation; the others were in the middle of a year.
USED_BY_OLD = 1400

# Bodies of the centre, for the leaders of the province's bodies.
CENTRE = {
    "TH.TU": Authority("Ban Bí thư Trung ương Đảng", "{}-QĐNS/TW", USED_BY_OLD),
    "TH.UBND": Authority("Thủ tướng Chính phủ", "{}/QĐ-TTg", USED_BY_OLD),
    "TH.UBND.CA": Authority("Bộ Công an", "{}/QĐ-BCA", USED_BY_OLD),
    "TH.UBND.QS": Authority("Bộ Quốc phòng", "{}/QĐ-BQP", USED_BY_OLD),
    "TH.TAND": Authority("Tòa án nhân dân tối cao", "{}/QĐ-TANDTC", USED_BY_OLD),
    "TH.VKSND": Authority("Viện kiểm sát nhân dân tối cao", "{}/QĐ-VKSTC", USED_BY_OLD),
}
# Posts in a commune's People's Committee that another line of command fills.
BY_POSITION = {"TCA-XA": "TH.UBND.CA", "CHT-QS-XA": "TH.UBND.QS"}
PATTERNS = {
    "TH.TU": "{}-QĐ/TU",
    "TH.HDND": "{}/NQ-HĐND",
    "TH.UBND": "{}/QĐ-UBND",
    "TH.MTTQ": "{}/QĐ-MTTQ-BTT",
    "TH.UBND.CA": "{}/QĐ-CAT",
    "TH.UBND.QS": "{}/QĐ-BCH",
    "TH.UBND.VP": "{}/QĐ-VP",
}


def issuing_unit(post: Post, *, leads: bool) -> str:
    """The unit that decides: the one above for leaders of a body, the body itself for its rooms."""
    body = ".".join(post.unit.split(".")[:2])
    if post.position in BY_POSITION:
        return BY_POSITION[post.position]
    if gso := commune_of(post.unit):
        return body if leads and post.unit.endswith(gso) else f"{body}.{gso}"
    if body == "TH.UBND" and not (leads and post.unit.count(".") == 2):
        return agency_of(post.unit)
    return body


def pattern_of(unit: Row) -> str:
    code = unit["code"]
    if code in PATTERNS:
        return PATTERNS[code]
    if not commune_of(code):
        return "{}/QĐ-" + unit["short_name"]
    return "{}-QĐ/ĐU" if unit["bloc"] == "party" else PATTERNS[parent_of(code)]


def authority(register: Register, post: Post, *, leads: bool) -> Authority:
    if post.unit in CENTRE and leads:
        return CENTRE[post.unit]
    code = issuing_unit(post, leads=leads)
    unit = register.units[code]
    return Authority(unit["name"], pattern_of(unit), used=0 if commune_of(code) else USED_BY_OLD)


class Decisions:
    """Hands out decisions; numbers rise with the date, body by body."""

    def __init__(self, register: Register, rng: Random) -> None:
        self._register = register
        self._rng = rng
        self._dates: dict[tuple[Authority, str, date], date] = {}

    def need(self, post: Post, valid_from: date, *, leads: bool) -> tuple[Authority, str, date]:
        """Notes that `post` is filled from `valid_from`; gives the key of its decision."""
        by = authority(self._register, post, leads=leads)
        key = (by, agency_of(post.unit), valid_from)
        if key not in self._dates:
            self._dates[key] = self._issued_on(valid_from)
        return key

    def issue(self) -> dict[tuple[Authority, str, date], Decision]:
        """Numbers all decisions needed, in the order of their dates."""
        last: dict[tuple[Authority, int], int] = {}
        issued = {}
        for key, issued_on in sorted(self._dates.items(), key=lambda item: (item[1], item[0])):
            by = key[0]
            year = (by, issued_on.year)
            used = by.used if issued_on.year == REORGANISATION.year else 0
            last[year] = last.get(year, used) + self._rng.randint(1, 4)
            issued[key] = Decision(by.pattern.format(last[year]), issued_on, by.name)
        return issued

    def _issued_on(self, valid_from: date) -> date:
        """The day itself for the first of July 2025, else up to ten days before, on a weekday."""
        if valid_from == REORGANISATION:
            return valid_from
        day = valid_from - timedelta(days=self._rng.randint(1, 10))
        return day - timedelta(days=max(0, day.weekday() - 4))
