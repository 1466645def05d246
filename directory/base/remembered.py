"""What a process remembers of what it has read: bounded, and good only under a stamp.

A stamp stands for all that a value was made from. Whoever asks for a value has just read the stamp,
in a statement that had to be made anyway; nothing is good because it is young. It is what was
read itself, or a random value that each write changes. A counter is no stamp: after a restore or
a failover it says the same again of something else (docs/decisions/0033).
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Remembered:
    """The values of so many keys at most, those used last; safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def recall(
        self, key: Hashable, stamp: Hashable, read: Callable[[], tuple[Hashable, Value]]
    ) -> Value:
        """The value kept under exactly this stamp, else what ``read`` gives: a stamp and a value
        of one moment. Kept under the stamp it was read with, whatever was asked for.
        """
        with self._lock:
            found = self._kept.get(key)
            if found is not None and found[0] == stamp:
                self._kept.move_to_end(key)
                value: Value = found[1]
                return value
        at, value = read()
        self.keep(key, at, value)
        return value

    def keep(self, key: Hashable, stamp: Hashable, value: Any) -> None:
        """Keep a value in the place of the one before, and forget what was used longest ago."""
        with self._lock:
            self._kept[key] = stamp, value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def newest(self, key: Hashable) -> Any | None:
        """The value kept last, under whatever stamp: for what may be old, or is confirmed after."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[1]
