"""Saying it: acts, steps, checks and latencies; ``NotSo`` ends the story."""

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

_SHORT = 200


class NotSo(Exception):
    """Something is not as the story says."""

    def __init__(self, step: str, expected: str, observed: Any) -> None:
        super().__init__(step)
        self.step = step
        self.expected = expected
        self.observed = observed


class Telling:
    """Prints what happens, and remembers which step it is at."""

    def __init__(self) -> None:
        self._color = sys.stdout.isatty()
        self._started = time.monotonic()
        self._act = 0
        self._step = 0
        self.checks = 0
        self.latencies: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Since the story began."""
        return time.monotonic() - self._started

    def act(self, title: str) -> None:
        """Begin an act."""
        self._act += 1
        self._step = 0
        print(f"\n{self._bold(f'{self._act}. {title}')}", flush=True)

    def step(self, what: str, observed: str = "", *, seconds: float | None = None) -> None:
        """Tell what was done and seen."""
        self._step += 1
        took = "" if seconds is None else f"  {milliseconds(seconds):>9}"
        print(f"   {self._act}.{self._step:<3}{what:<58} {observed}{took}", flush=True)

    def note(self, text: str) -> None:
        """A line without a number of its own."""
        print(f"        {text}", flush=True)

    def check(self, step: str, holds: bool, *, expected: str, observed: Any) -> None:
        """Raises NotSo unless it holds."""
        self.checks += 1
        if not holds:
            raise NotSo(step, expected, observed)

    def same(self, step: str, observed: Any, expected: Any) -> None:
        """Raises NotSo unless both are equal."""
        self.check(step, observed == expected, expected=repr(expected), observed=observed)

    def until(
        self,
        step: str,
        look: Callable[[], T],
        good: Callable[[T], bool],
        *,
        expected: str,
        within: float,
    ) -> tuple[T, float]:
        """Look until it is good: what was seen, and the seconds it took. Raises NotSo."""
        began = time.monotonic()
        pause = 0.02
        while True:
            seen = look()
            took = time.monotonic() - began
            if good(seen):
                self.checks += 1
                return seen, took
            if took > within:
                raise NotSo(step, f"{expected} within {within:g} s", seen)
            time.sleep(pause)
            pause = min(0.25, pause * 1.5)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self._color else text


def milliseconds(seconds: float) -> str:
    """A latency as people read it."""
    return f"{seconds * 1000:,.0f} ms"


def shown(value: Any) -> str:
    """What was observed, in a line or two."""
    text = value if isinstance(value, str) else repr(value)
    text = " ".join(text.split())
    return text if len(text) <= 5 * _SHORT else text[: 5 * _SHORT] + "…"
