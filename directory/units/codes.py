"""Codes in time: who bears a code on a day.

A code is unique per scheme and time: at a reorganisation a new unit often takes the code of one that it
takes in. So a code is read on a day: ``scheme:code`` on the day at hand (that on which a change takes
effect, a post begins; else today), ``scheme:code@2024-05-01`` on the day it names.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from directory.base.errors import InvalidInput
from directory.base.rows import batches, in_force, is_fact, not_over
from directory.units.unit_rows import OrgUnit, UnitCode


class Borne(Protocol):
    """A code with the unit that bears it, and when."""

    @property
    def unit_id(self) -> Any: ...
    @property
    def valid_from(self) -> Any: ...
    @property
    def valid_to(self) -> Any: ...


@dataclass(frozen=True)
class Bearing:
    """``Borne`` for who reads many at once."""

    unit_id: int
    valid_from: date
    valid_to: date | None


def borne() -> ColumnElement[bool]:
    """Whether a row of UnitCode says that a unit bears a code, on whatever days."""
    return and_(UnitCode.value != "", is_fact(UnitCode))


def bearer(rows: Iterable[Borne], on: date, *, exactly: bool) -> int | None:
    """The unit that bears a code on a day, of all that ever bore it; None if there is none.

    Unless the day was named: where only one unit ever bore the code, that one, on whatever day.
    """
    found = list(rows)
    for row in found:
        if in_force(row, on):
            return int(row.unit_id)
    ever = {int(row.unit_id) for row in found}
    return ever.pop() if len(ever) == 1 and not exactly else None


_DAY = re.compile(r"(.*)@(\d{4}-\d{2}-\d{2})", re.DOTALL)


def split_day(text: str) -> tuple[str, date | None]:
    """``code@2024-05-01`` in its two parts; a text without a day is all code."""
    found = _DAY.fullmatch(text)
    if found is None:
        return text, None
    try:
        return found[1].strip(), date.fromisoformat(found[2])
    except ValueError:
        return text, None


def by_ref(session: Session, ref: int | str, *, on: date, field: str = "unit") -> OrgUnit:
    """A unit by id, ``scheme:code`` as borne on the day ``on``, or ``scheme:code@day``.

    Raises InvalidInput naming ``field``, also for a code that several have borne and none on that day.
    """
    unit: OrgUnit | None = None
    text = str(ref).strip()
    if text.isdecimal() and len(text) < 16:
        unit = session.get(OrgUnit, int(text))
    elif ":" in text:
        written, day = split_day(text)
        scheme, value = written.split(":", 1) if ":" in written else ("", "")
        rows = _rows(session, value, scheme)
        unit_id = bearer(rows, day or on, exactly=day is not None)
        unit = session.get(OrgUnit, unit_id) if unit_id is not None else None
        if unit is None and rows:
            raise InvalidInput(
                "unit_code_day",
                "Không đơn vị nào mang mã {ref} vào ngày {day}; hãy ghi rõ ngày, ví dụ {example}.",
                field=field,
                ref=written[:60],
                day=(day or on).isoformat(),
                example=f"{written[:60]}@{rows[-1].valid_from.isoformat()}",
            )
    if unit is None:
        raise InvalidInput(
            "unit_unknown", "Không có đơn vị với mã {ref}.", field=field, ref=text[:60]
        )
    return unit


def _rows(session: Session, value: str, scheme: str) -> Sequence[UnitCode]:
    """Whoever ever bore the code, in order of time; in whatever scheme where none is given."""
    query = select(UnitCode).where(UnitCode.value == value.strip().upper(), borne())
    if scheme:
        query = query.where(UnitCode.scheme == scheme.lower())
    return session.scalars(query.order_by(UnitCode.valid_from, UnitCode.id)).all()


_CODE = re.compile(r"(?:([a-z0-9]+):)?([A-Z0-9][A-Z0-9.\-]*)", re.IGNORECASE)


def of_words(session: Session, words: str, *, on: date) -> OrgUnit | None:
    """The unit that somebody looks for by its code: ``scheme:code``, or a code that does not look like
    a word; with ``@day`` on that day. Else whoever bears it on the day, or bore it last.
    """
    written, day = split_day(words)
    code = _CODE.fullmatch(written)
    if code is None or not (code[1] or re.search(r"[\d.]", written)):
        return None
    rows = _rows(session, code[2], code[1] or "")
    found = bearer(rows, day or on, exactly=day is not None)
    if found is None and day is None:
        found = next((row.unit_id for row in reversed(rows) if row.valid_from <= on), None)
    return session.get(OrgUnit, found) if found is not None else None


def codes_of(session: Session, unit_id: int) -> list[UnitCode]:
    """All codes the unit ever bore or is going to bear, newest first."""
    mine = select(UnitCode).where(UnitCode.unit_id == unit_id, borne())
    return list(session.scalars(mine.order_by(UnitCode.valid_from.desc(), UnitCode.scheme)))


class CodeBook:
    """All codes, read once: for whoever resolves thousands."""

    def __init__(self, session: Session) -> None:
        self._rows: dict[tuple[str, str], list[Bearing]] = {}
        for row in session.execute(
            select(
                UnitCode.scheme,
                UnitCode.value,
                UnitCode.unit_id,
                UnitCode.valid_from,
                UnitCode.valid_to,
            ).where(borne())
        ):
            self._rows.setdefault((row.scheme, row.value), []).append(Bearing(*row[2:]))

    def find(self, ref: str, on: date, *, scheme: str) -> int | None:
        """The unit of ``code`` (of ``scheme``), ``scheme:code`` or either with ``@day``."""
        written, day = split_day(ref.strip())
        named, _, value = written.rpartition(":")
        rows = self._rows.get(((named or scheme).lower(), value.upper()), ())
        return bearer(rows, day or on, exactly=day is not None)


def taken(session: Session, wanted: Iterable[tuple[str, str, date]]) -> set[tuple[str, str]]:
    """Of these codes, each wanted from a day on, those that somebody bears on that day or later."""
    asked = list(wanted)
    found: set[tuple[str, str]] = set()
    for scheme in sorted({scheme for scheme, _, _ in asked}):
        since = {value: day for of, value, day in asked if of == scheme}
        for some in batches(sorted(since)):
            for row in session.execute(
                select(UnitCode.value, UnitCode.valid_from, UnitCode.valid_to).where(
                    UnitCode.scheme == scheme,
                    UnitCode.value.in_(some),
                    borne(),
                )
            ):
                if not_over(row, since[row.value]):
                    found.add((scheme, row.value))
    return found
