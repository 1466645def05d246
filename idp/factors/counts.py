"""The counters of wrong guesses: their table, and the statements on it.

An attempt takes its places on all its counters by one statement and gives them back by another, row by row
in the order in which they are named: so two attempts may wait for each other, never both at once.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Text,
    and_,
    bindparam,
    case,
    delete,
    null,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column

from directory.base import hot
from directory.base.db import Base, Key, UTCDateTime
from directory.base.rows import for_each_dialect

ALL = 2**31 - 1
"""So many wrong ones are taken back where all are forgotten."""


class Throttle(Base):
    """Wrong guesses since ``window_start``."""

    __tablename__ = "throttle"

    key: Mapped[str] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(index=True)
    window_end: Mapped[datetime | None]
    """None in a row of the release before: over, unless it is locked."""
    failures: Mapped[int]
    last_at: Mapped[datetime | None]
    """When the last of them was counted."""
    locked_until: Mapped[datetime | None]
    about: Mapped[str | None] = mapped_column(index=True)
    """Whose these are: ``user:<id>``, or a name that nobody has, as a keyed digest."""
    slot: Mapped[int] = mapped_column(Key, default=0, server_default="0")
    """The half minute in which a place was last reserved, counted from 1970."""
    reserved: Mapped[int] = mapped_column(default=0, server_default="0")
    """Attempts of that slot whose outcome is not known."""
    reserved_before: Mapped[int] = mapped_column(default=0, server_default="0")
    """Those of the slot before it."""


_NOW = bindparam("now", type_=UTCDateTime())
_OVER = or_(
    and_(
        Throttle.locked_until.is_(None),
        or_(Throttle.window_end.is_(None), Throttle.window_end <= _NOW),
    ),
    Throttle.locked_until <= _NOW,
)
"""A window that has run out, or a lock."""
_STANDS = (
    Throttle.key,
    Throttle.failures,
    Throttle.window_start,
    Throttle.window_end,
    Throttle.last_at,
    Throttle.locked_until,
    Throttle.slot,
    Throttle.reserved,
    Throttle.reserved_before,
)


@lru_cache(maxsize=8)
def claiming(rows: int) -> hot.Statement:
    """Take a place on each of so many counters. Of each row ``key``, ``end``, ``about`` with its
    number behind it; ``now`` and ``at``, the present slot. Gives how they stand.
    """
    at: Any = bindparam("at", type_=BigInteger())
    # Another node's clock may be a moment ahead: its slot is ours then.
    here = or_(Throttle.slot == at, Throttle.slot == at + 1)

    def made(insert: Any) -> Any:
        new = insert(Throttle).values([_new(n, slot=at, reserved=1) for n in range(rows)])
        return new.on_conflict_do_update(
            index_elements=["key"],
            set_={
                **_begun_anew(new.excluded),
                "reserved": case((here, Throttle.reserved + 1), else_=1),
                "reserved_before": case(
                    (here, Throttle.reserved_before),
                    (Throttle.slot == at - 1, Throttle.reserved),
                    else_=0,
                ),
                "slot": case((here, Throttle.slot), else_=at),
            },
        ).returning(*_STANDS)

    return hot.write(for_each_dialect(made))


@lru_cache(maxsize=8)
def settling(rows: int) -> hot.Statement:
    """Give the places back, with what has come of the attempt: of each row also ``at``, the slot
    its place was taken in, ``plus``, wrong ones to count, and ``minus``, to take back. Gives how they stand.
    """
    minus = _by_key("minus", Integer(), rows)

    def made(insert: Any) -> Any:
        new = insert(Throttle).values(
            [
                _new(
                    n,
                    slot=bindparam(f"at{n}", type_=BigInteger()),
                    failures=bindparam(f"plus{n}", type_=Integer()),
                    last_at=_NOW,
                )
                for n in range(rows)
            ]
        )
        given, counts = new.excluded, Throttle.failures + new.excluded.failures
        left = case((counts > minus, counts - minus), else_=0)
        return new.on_conflict_do_update(
            index_elements=["key"],
            set_={
                **_begun_anew(given),
                "failures": case((_OVER, given.failures), else_=left),
                "locked_until": case(
                    (or_(_OVER, minus == ALL), null()), else_=Throttle.locked_until
                ),
                "last_at": case((given.failures > 0, _NOW), else_=Throttle.last_at),
                "reserved": _one_less(Throttle.reserved, Throttle.slot == given.slot),
                "reserved_before": _one_less(
                    Throttle.reserved_before, Throttle.slot == given.slot + 1
                ),
            },
        ).returning(*_STANDS)

    return hot.write(for_each_dialect(made))


FORGET = hot.write(delete(Throttle).where(Throttle.key == bindparam("key", type_=Text())))


def _new(n: int, **columns: Any) -> dict[str, Any]:
    return {
        "key": bindparam(f"key{n}", type_=Text()),
        "window_start": _NOW,
        "window_end": bindparam(f"end{n}", type_=UTCDateTime()),
        "failures": 0,
        "last_at": null(),
        "locked_until": null(),
        "about": bindparam(f"about{n}", type_=Text()),
        "slot": 0,
        "reserved": 0,
        "reserved_before": 0,
        **columns,
    }


def _begun_anew(given: Any) -> dict[str, Any]:
    """A new window where the old one, or its lock, is over."""
    return {
        "failures": case((_OVER, 0), else_=Throttle.failures),
        "window_start": case((_OVER, _NOW), else_=Throttle.window_start),
        "window_end": case((_OVER, given.window_end), else_=Throttle.window_end),
        "locked_until": case((_OVER, null()), else_=Throttle.locked_until),
        "about": given.about,
    }


def _by_key(name: str, kind: Any, rows: int) -> Any:
    """A value of each row that no column of it can carry."""
    return case(
        *(
            (
                Throttle.key == bindparam(f"key{n}", type_=Text()),
                bindparam(f"{name}{n}", type_=kind),
            )
            for n in range(rows)
        ),
        else_=0,
    )


def _one_less(column: Any, there: Any) -> Any:
    return case((and_(there, column > 0), column - 1), else_=column)
