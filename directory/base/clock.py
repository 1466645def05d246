"""Time as a parameter: aware UTC inside, Asia/Ho_Chi_Minh for effective days."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The present moment, aware, UTC. The only place that asks the operating system."""
    return datetime.now(UTC)


def local_day(at: datetime) -> date:
    """The calendar day in Viet Nam at the given moment."""
    return at.astimezone(VIETNAM).date()


def day_start(day: date) -> datetime:
    """The first moment of a Vietnamese day, as UTC. A decision takes effect at this moment.

    The first day of the calendar begins before the first moment UTC knows; it gives that moment.
    """
    if day == date.min:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.combine(day, time.min, VIETNAM).astimezone(UTC)


def next_day(day: date) -> date:
    """The day after; end dates are exclusive, so a row open through ``day`` ends on it.

    The last day of the calendar has none and gives itself.
    """
    return day + timedelta(days=1) if day < date.max else day
