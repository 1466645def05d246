"""How long a job may take in all: every remote call that its thread makes ends by then.

Each call has a limit of its own; a target that answers each of very many calls in time would
still hold a worker for ever. ``within`` sets the moment for whatever is called inside it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from connectors.errors import Transient

_over_at: ContextVar[float | None] = ContextVar("over_at", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What is called inside is over after ``seconds``, or earlier where that was said before."""
    at, before = time.monotonic() + seconds, _over_at.get()
    token = _over_at.set(at if before is None else min(at, before))
    try:
        yield
    finally:
        _over_at.reset(token)


def left(limit: float) -> float:
    """Seconds for the next step: ``limit``, or what is left of the job if that is less.

    Raises Transient when nothing is left.
    """
    at = _over_at.get()
    if at is None:
        return limit
    remaining = at - time.monotonic()
    if remaining <= 0:
        raise Transient("Hệ thống đích trả lời quá lâu; công việc đã hết thời hạn.")
    return min(limit, remaining)
