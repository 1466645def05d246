"""Visits to other addresses (an upstream, the host of certificates) that lead to no sign-in, bounded.

Anybody could have a row, a call or an entry of the trail written for each press of a button, and for each
answer brought again. So each leaving is counted before anything else is done, and each refusal as it is told;
a sign-in takes back that she left. Nobody is locked by it: it is about addresses and browsers.
"""

from collections.abc import Callable

from sqlalchemy.orm import Session

from idp.factors import known_browser, limits, throttle
from idp.factors.factor import Asking
from idp.factors.limits import Limit
from idp.services import Services

TOO_MANY = "too_many"
"""Why nobody is led away from where too many were, for nothing: once in the trail for each window."""


def count(
    has: Services, asking: Asking, tell: Callable[[Session, str], None], why: str = ""
) -> None:
    """Somebody leaves, or is refused (``why``): one more. ``tell`` writes why into the trail; also that there
    are too many, which is all that is written then. Raises Locked.
    """
    with has.db.write() as session:
        closed, first = throttle.count(session, _limits(has, asking), now=asking.now)
        if closed is None and why:
            tell(session, why)
        elif first:
            tell(session, TOO_MANY)
    if closed is not None:
        raise closed


def led_in(session: Session, has: Services, asking: Asking) -> None:
    """The visit has proven who she is."""
    throttle.take_back(session, _limits(has, asking), 1, now=asking.now)


def _limits(has: Services, asking: Asking) -> tuple[Limit, ...]:
    browser = known_browser.of_anybody(
        has.keyring, asking.known, now=asking.now, settings=has.settings
    )
    return limits.of_visits(asking.source.ip or "", browser, has.settings)
