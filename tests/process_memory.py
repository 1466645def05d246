"""What a process remembers of what it has read, taken and put back: for tests in which it has looked
at nothing since.

Whatever is kept is kept in a ``Remembered`` (tests/unit/test_process_memory.py); all of them in this
Python process are meant, those of a second process that a test plays as well.
"""

import gc
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from directory.base.remembered import Remembered


@dataclass(frozen=True)
class Memory:
    """All that was remembered at one moment."""

    kept: list[tuple[Remembered, "OrderedDict[Any, Any]"]]

    @classmethod
    def now(cls) -> "Memory":
        """As it is."""
        kinds = {Remembered, *Remembered.__subclasses__()}
        found = [each for each in gc.get_objects() if type(each) in kinds]  # hundreds of thousands
        return cls([(each, each._kept.copy()) for each in found])

    def put_back(self) -> None:
        """Nothing was looked at since."""
        for each, kept in self.kept:
            each._kept = kept.copy()
