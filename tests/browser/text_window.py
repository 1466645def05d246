"""A text browser as a person uses it: Lynx in a terminal, driven by keys and read off its screen.

It knows no scripts and no styles. Links and fields carry their numbers on the screen; the Tab key
goes from each to the next.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import tempfile
import termios
import time
from pathlib import Path
from typing import Self

LYNX = Path("/usr/bin/lynx")
ROWS, COLUMNS = 90, 110
PATIENCE = 60.0
QUIET = 0.15
"""Seconds without output after which a screen counts as drawn."""
SETTINGS = """
ACCEPT_ALL_COOKIES:TRUE
CHARACTER_SET:utf-8
PREFERRED_LANGUAGE:{language}
"""
_SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*)([A-Za-z])|[()][A-Z0-9]|[=>78MDE])")
ENTER, TAB = "\r", "\t"


class Screen:
    """What a VT100 shows: as much of one as Lynx needs."""

    def __init__(self) -> None:
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0
        self.top, self.bottom = 0, ROWS - 1
        """The lines that scroll."""

    def feed(self, text: str) -> None:
        """Draw."""
        at = 0
        while at < len(text):
            found = _SEQUENCE.match(text, at)
            if found is None:
                self._put(text[at])
                at += 1
            else:
                self._obey(found[2] or found[0][-1], found[1])
                at = found.end()

    def _obey(self, what: str, given: str | None) -> None:
        numbers = [int(n) if n.isdecimal() else 0 for n in (given or "").split(";")]
        if given is None:
            if what in "MD":
                self._index(-1 if what == "M" else 1)
        elif what == "H":
            row, column = (*numbers, 0)[:2]
            self.row, self.column = max(row - 1, 0), max(column - 1, 0)
        elif what == "J":
            for row in range(self.row if numbers[0] == 0 else 0, ROWS):
                self.cells[row] = [" "] * COLUMNS
        elif what == "K":
            start = self.column if numbers[0] == 0 else 0
            end = COLUMNS if numbers[0] != 1 else self.column + 1
            self.cells[self.row][start:end] = [" "] * (end - start)
        elif what == "r":
            self.top, self.bottom = (numbers[0] or 1) - 1, ((*numbers, 0)[1] or ROWS) - 1
            self.row = self.column = 0
        elif what in "ABCD":
            rows, columns = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}[what]
            self.row += rows * max(numbers[0], 1)
            self.column += columns * max(numbers[0], 1)

    def _index(self, step: int) -> None:
        """A line on; at the edge of what scrolls it scrolls."""
        edge = self.bottom if step > 0 else self.top
        if self.row != edge:
            self.row += step
            return
        gone, new = (self.top, self.bottom) if step > 0 else (self.bottom, self.top)
        del self.cells[gone]
        self.cells.insert(new, [" "] * COLUMNS)

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self._index(1)
        elif letter == "\b":
            self.column -= 1
        elif letter == "\t":
            self.column = self.column // 8 * 8 + 8
        elif letter >= " ":
            if 0 <= self.row < ROWS and 0 <= self.column < COLUMNS:
                self.cells[self.row][self.column] = letter
            self.column += 1

    @property
    def text(self) -> str:
        """Everything that can be read."""
        return "\n".join("".join(line).rstrip() for line in self.cells)


class TextWindow:
    """One Lynx, from its first page to its end."""

    def __init__(self, url: str, *, language: str = "en") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lynx-")
        settings = Path(self._folder.name) / "lynx.cfg"
        settings.write_text(SETTINGS.format(language=language), "utf-8")
        self._screen = Screen()
        self._left = b""
        self._at = 1
        self._child, self._terminal = pty.fork()
        if self._child == 0:
            size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
            fcntl.ioctl(0, termios.TIOCSWINSZ, size)
            environment = {
                "TERM": "vt100",
                "HOME": self._folder.name,
                "LANG": "C.UTF-8",
                "PATH": os.environ["PATH"],
            }
            os.execve(
                str(LYNX),
                ["lynx", f"-cfg={settings}", "-nopause", "-number_fields", url],
                environment,
            )
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._child, signal.SIGKILL)
        os.waitpid(self._child, 0)
        os.close(self._terminal)
        self._folder.cleanup()

    @property
    def text(self) -> str:
        """What the screen says, once it is drawn."""
        while select.select([self._terminal], [], [], QUIET)[0]:
            try:
                self._left += os.read(self._terminal, 65536)
            except OSError:  # Lynx has ended
                break
            # A letter may have come in halves.
            whole = self._left.decode("utf-8", "ignore")
            self._left = self._left[len(whole.encode()) :]
            self._screen.feed(whole)
        return self._screen.text

    def wait(self, words: str) -> str:
        """The screen, once it says this. Raises AssertionError when it never does."""
        deadline = time.monotonic() + PATIENCE
        while words not in (seen := self.text):
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{seen}"
        return seen

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def fill(self, label: str, value: str) -> None:
        """Go to the field behind a label and type."""
        self._go(rf"{re.escape(label)}\s*\[(\d+)\]")
        self.press(value)

    def follow(self, words: str) -> None:
        """Go to the link or button that says this, and use it."""
        self._go(rf"\[(\d+)\](?:\w+\)\s*)?{re.escape(words)}")
        self.press(ENTER)
        self._at = 1

    def _go(self, pattern: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (found := re.findall(pattern, seen := self.text)):
            assert time.monotonic() < deadline, f"{pattern} is not on the screen:\n{seen}"
        wanted = int(found[-1])
        assert wanted >= self._at, f"{pattern} lies before where we are:\n{seen}"
        for _ in range(wanted - self._at):
            self.press(TAB)
            self.text  # noqa: B018 (drawn)
        self._at = wanted
