"""The machine's own time, for tests beside which commands and servers run that know no other."""

import time
from datetime import datetime, timedelta

from directory.base.clock import day_start, local_day, system_clock

A_TEST = timedelta(seconds=20)
"""Takes less."""


def now() -> datetime:
    """Not so shortly before midnight that the day changes in the middle of a test: it is waited for."""
    moment = system_clock()
    midnight = day_start(local_day(moment) + timedelta(days=1))
    if midnight - moment > A_TEST:
        return moment
    time.sleep((midnight - moment).total_seconds())
    return system_clock()
