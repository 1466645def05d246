"""Threads that stop at the product's failpoints, so that a test decides what happens next.

A ``Stepper`` runs one act in a thread of its own. It stops where ``stops`` says, and goes on, or
dies there, when the test tells it to: at any moment at most one of them moves, so that a schedule
is played the same way every time. Dying raises what nothing in the product catches; its open
transaction is rolled back, as a database does for a client that has vanished.
"""

import os
import sys
import threading
from collections.abc import Callable, Container
from typing import Any, Self

import pytest

from directory.base import failpoints

SCHEDULES = int(os.environ.get("TEST_SCHEDULES", "1000"))
"""How many schedules a ``long`` test plays."""
PATIENCE = 120.0
"""Seconds within which whoever was told to move must stop again; longer than a lock is awaited."""

_moving = threading.local()


class Died(BaseException):
    """The process was killed here."""


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every failpoint of the loaded product ask the stepper that reaches it."""
    real = failpoints.failpoint
    for module in list(sys.modules.values()):
        if getattr(module, "failpoint", None) is real:
            monkeypatch.setattr(module, "failpoint", reach)


def reach(name: str) -> None:
    """A point was reached; threads that are no steppers pass it."""
    stepper: Stepper | None = getattr(_moving, "stepper", None)
    if stepper is not None:
        stepper.reached(name)


class Stepper:
    """One act, played point by point."""

    def __init__(self, act: Callable[[], Any], *, stops: Container[str]) -> None:
        self._act = act
        self._stops = stops
        self._go = threading.Semaphore(0)
        self._halted = threading.Semaphore(0)
        self._doomed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.dies_at: Container[str] = ()
        """Points at which it dies without stopping first (inside a transaction)."""
        self.at: str | None = None
        """Where it stands; None before the start and after the end."""
        self.passed: list[str] = []
        self.ended = False
        self.died = False
        self.waits = False
        """Whether it was still moving when ``within`` ran out: it waits for somebody's lock."""
        self.result: Any = None
        self.error: Exception | None = None

    def start(self, *, within: float = PATIENCE) -> Self:
        """Run up to the first stop, or to the end."""
        self._thread.start()
        return self._wait(within)

    def step(self, *, within: float = PATIENCE) -> Self:
        """Run up to the next stop, or to the end."""
        if not self.ended:
            if not self.waits:
                self._go.release()
            self._wait(within)
        return self

    def until(self, name: str, *, within: float = PATIENCE) -> Self:
        """Run up to this point, or to the end if it is not on the way."""
        while self.at != name and not self.ended and not self.waits:
            self.step(within=within)
        return self

    def finish(self) -> Any:
        """Run to the end; what the act gave. Raises what it raised."""
        while not self.ended:
            self.step()
        if self.error is not None:
            raise self.error
        return self.result

    def die(self) -> None:
        """Be killed where it stands."""
        if not self.ended:
            self._doomed = True
            self.step()

    def reached(self, name: str) -> None:
        """Called in the thread: a point was reached."""
        self.passed.append(name)
        if name in self.dies_at:
            raise Died
        if name not in self._stops:
            return
        self.at = name
        self._halted.release()
        self._go.acquire()
        self.at = None
        if self._doomed:
            raise Died

    def _run(self) -> None:
        _moving.stepper = self
        try:
            self.result = self._act()
        except Died:
            self.died = True
        except Exception as error:  # noqa: BLE001 (raised again where the test asks)
            self.error = error
        finally:
            self.ended = True
            self._halted.release()

    def _wait(self, within: float) -> Self:
        self.waits = not self._halted.acquire(timeout=within)
        if self.waits and within == PATIENCE:
            raise TimeoutError(f"it neither stops nor ends after {self.passed}")
        if self.ended:
            self._thread.join()
        return self
