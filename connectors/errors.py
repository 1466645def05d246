"""Three kinds of failure of the outside world.

    ConnectorError
     ├ Transient       the other side is busy, slow or away: try again later
     │  └ Withheld     it is we who wait: nothing may be given yet, and no try is counted
     ├ Rejected        it understood and refused: a person must look at this one account
     └ Misconfigured   address, credential or certificate is wrong: every account would fail

The worker puts a transient job off and parks the two others. A reason is a Vietnamese sentence
that a person reads in the console; ``args`` fill it in after translation. It never carries a
secret, a token or a citizen number.
"""

from datetime import timedelta
from typing import Any

from directory.base.errors import DinhdanhError


class ConnectorError(DinhdanhError):
    """Root of all failures that come from outside."""

    status = 502
    kind = "connector"

    def __init__(self, reason: str, **args: Any) -> None:
        super().__init__(self.kind, reason, **args)

    @property
    def reason(self) -> str:
        """The sentence with its arguments filled in."""
        return self.text()


class Transient(ConnectorError):
    """Try again later; ``retry_after`` is how long the other side asked us to wait, if it did."""

    status = 503
    kind = "connector_transient"

    def __init__(self, reason: str, retry_after: timedelta | None = None, **args: Any) -> None:
        super().__init__(reason, **args)
        self.retry_after = retry_after


class Withheld(Transient):
    """Nothing is wrong at the target: we do not give anything yet. The try does not count."""

    kind = "connector_withheld"


class Rejected(ConnectorError):
    """Understood and refused; the same request would be refused again."""

    kind = "connector_rejected"


class Misconfigured(ConnectorError):
    """The connection itself is wrong in a way that only its owner can mend."""

    kind = "connector_misconfigured"
