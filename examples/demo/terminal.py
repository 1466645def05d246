"""Progress while something long goes on: a bar on a terminal, plain lines otherwise."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_WIDTH = 28
_LABEL = 34


class Progress:
    """The line of one step; ``to`` moves it, the surrounding ``step`` closes it."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.note = ""
        self._terminal = sys.stdout.isatty()
        self._started = time.monotonic()
        self.to(0, 0)

    def to(self, done: int, total: int) -> None:
        """Say how far it has come; ``total`` 0 when nobody can know."""
        if not self._terminal:
            return
        filled = _WIDTH * done // total if total else 0
        bar = "█" * filled + "·" * (_WIDTH - filled)
        counted = f" {done:,}/{total:,}" if total else ""
        sys.stdout.write(f"\r\x1b[K  {self.label:{_LABEL}} {bar}{counted}")
        sys.stdout.flush()

    def close(self) -> None:
        """Write what it came to and how long it took."""
        took = time.monotonic() - self._started
        start = "\r\x1b[K" if self._terminal else ""
        print(f"{start}  {self.label:{_LABEL}} {self.note or '✓':28} {took:5.1f} s", flush=True)


@contextmanager
def step(label: str) -> Iterator[Progress]:
    """Show a step while it runs; one that fails leaves the cursor on a line of its own."""
    progress = Progress(label)
    try:
        yield progress
    except BaseException:
        if sys.stdout.isatty():
            print(flush=True)
        raise
    progress.close()
