"""A person's assignments as a picture: one bar per assignment, oldest on top, today marked.

SVG with classes only, so that the strict content security policy holds and the style sheet
decides light and dark. The table beside it says the same in words.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from directory.assignments import Held
from directory.base.rows import not_over

WIDTH = 880
ROW = 44
TOP = 26
SPAN = timedelta(days=50 * 366)
"""How far the picture looks back and ahead at most."""


@dataclass(frozen=True)
class Bar:
    """One assignment: where it begins and ends, in picture units, and what is written on it."""

    x: int
    width: int
    y: int
    css: str
    label: str
    text_x: int
    anchor: str


@dataclass(frozen=True)
class Picture:
    """All of it, ready for the template."""

    width: int
    height: int
    bars: list[Bar]
    ticks: list[tuple[int, str]]
    today_x: int


def draw(held: list[Held], today: date) -> Picture | None:
    """The picture of a timeline; None when there is nothing to draw."""
    if not held:
        return None
    # Whatever day is stored, the picture shows what a life at work can hold.
    earliest, latest = today - SPAN, today + SPAN
    first = max(earliest, min(h.valid_from for h in held))
    known = [h.valid_to if h.valid_to and h.valid_to < latest else h.valid_from for h in held]
    last = min(latest, max([today, *known])) + timedelta(days=60)
    first = min(first, last - timedelta(days=365)).replace(month=1, day=1)
    scale = WIDTH / (last - first).days

    def at(day: date) -> int:
        return round((day - first).days * scale)

    bars = []
    for row, one in enumerate(held):
        x = at(min(max(one.valid_from, first), last))
        end = at(max(one.valid_to, first)) if one.valid_to and one.valid_to < last else WIDTH
        late = x > WIDTH * 0.55
        bars.append(
            Bar(
                x,
                max(end - x, 4),
                TOP + row * ROW + 20,
                f"bar bar-{one.kind} {_when(one, today)}",
                f"{one.position_name} · {one.unit.name}",
                min(end, WIDTH) if late else x,
                "end" if late else "start",
            )
        )
    step = max(1, round((last.year - first.year + 1) / 10))
    years = range(first.year, last.year + 1, step)
    ticks = [(x, str(y)) for y in years if (x := at(date(y, 1, 1))) < WIDTH - 40]
    return Picture(WIDTH, TOP + len(held) * ROW + 8, bars, ticks, at(today))


def _when(held: Held, today: date) -> str:
    if held.in_force(today):
        return "is-now"
    return "is-future" if not_over(held, today) else "is-past"
