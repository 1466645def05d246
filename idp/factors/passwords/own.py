"""What whoever guesses a person's password tries first: what everybody in the office knows of her."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from directory import assignments, units
from directory.base.clock import local_day
from directory.people import User
from idp.factors.passwords import known
from idp.factors.passwords.keystrokes import bare, spelled
from idp.factors.passwords.known import SHORTEST, Kind, Word

_OWN, _UNIT = 2.0, 4.0
"""Guesses in log2."""
_RUN = 5
"""Words of a unit's name that are looked for together."""


@dataclass(frozen=True)
class Own:
    """A person's own words, beside those that everybody uses."""

    words: dict[str, Word] = field(default_factory=dict)

    def look(self, word: str) -> Word | None:
        """What is known of a word in small letters without marks, hers first."""
        return self.words.get(word) or known.words().look(word)


def about(session: Session, user: User, *, now: datetime) -> Own:
    """What her record offers: names, user name, address, telephone, birthday; the units she works in
    and those above them.
    """
    found: dict[str, Word] = {}
    today = local_day(now)
    held = assignments.current(session, user.id, today)
    above = {unit_id for h in held for unit_id in units.ids_of(h.unit.path)}
    for unit in units.views(session, above).values():
        for name in (unit.name, unit.short_name):
            found |= dict.fromkeys(_of_unit(name), Word(Kind.UNIT, _UNIT))
    return Own(found | dict.fromkeys(_of_person(user), Word(Kind.OWN, _OWN)))


def words_of(*values: str) -> Own:
    """Of names and dates alone (tests, and whoever has no record yet)."""
    found = {word for value in values for word in (*_names(value), *_dates(value), value.lower())}
    return Own(dict.fromkeys(found, Word(Kind.OWN, _OWN)))


def _of_person(user: User) -> Iterator[str]:
    yield from _names(user.full_name)
    yield from (user.username, user.username_stem)
    yield from _dates(user.birth_date or "")
    local = (user.email or "").lower().partition("@")[0]
    yield from (local, local.replace(".", ""))
    digits = "".join(c for c in user.phone or "" if c.isdigit())
    if len(digits) >= 9:
        national = digits.removeprefix("84").removeprefix("0")
        yield from (national, f"0{national}", f"84{national}", national[-6:], national[-4:])


def _names(name: str) -> Iterator[str]:
    """Each name of three letters or more, any that follow one another, and the initials."""
    parts = name.split()
    for start in range(len(parts)):
        for end in range(start + 1, len(parts) + 1):
            yield from (w for w in spelled(" ".join(parts[start:end])) if len(w) > SHORTEST)
    initials = "".join(bare(part)[0] for part in parts)
    if len(initials) > SHORTEST:
        yield initials
        yield bare(parts[-1]) + initials[:-1]


def _dates(day: str) -> Iterator[str]:
    """How a date is typed: 1985-03-12 → 12031985, 120385, 1203, 1985, 19850312 …"""
    year, _, rest = day.partition("-")
    if not year.isdigit() or len(year) != 4:
        return
    yield year
    month, _, date = rest.partition("-")
    if month.isdigit() and date.isdigit():
        short, shorter = f"{int(date)}{int(month)}", year[2:]
        for days in (date + month, short, month + date):
            yield from (days + year, days + shorter)
        yield from (date + month, month + date, year + month + date)


def _of_unit(name: str) -> Iterator[str]:
    """The whole, some of its words that follow one another (``Sở Nội vụ`` → ``nội vụ``), the initials."""
    parts = name.split()
    runs = {(0, len(parts))} | {
        (start, end)
        for start in range(len(parts))
        for end in range(start + 2, min(start + _RUN, len(parts)) + 1)
    }
    for start, end in runs:
        yield from (w for w in spelled(" ".join(parts[start:end])) if len(w) > SHORTEST)
    initials = "".join(bare(part)[0] for part in parts)
    if len(initials) > SHORTEST:
        yield initials
