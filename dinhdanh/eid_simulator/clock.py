"""The only place that asks the system what time it is."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)
