"""A connection of PostgreSQL's driver that gives up waiting: see ``directory.base.patience``."""

from typing import Any, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen

RV = TypeVar("RV")


class NoAnswer(psycopg.OperationalError):
    """The other side has said nothing for too long."""

    waited = True


class Bounded(psycopg.Connection[Any]):
    """Gives up, and closes, when an answer does not come in ``patience`` seconds."""

    patience: float | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # The driver keeps what a NOTIFY says until somebody asks for it, and nobody does: who listens
        # (idp.run.listening) takes it from the line. A pooler may lend a connection that was listened on.
        self.add_notify_handler(_pass_over)

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """One exchange with the server. Raises OperationalError."""
        limit = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, limit)
        except errors._WaitTimeout as error:  # noqa: SLF001 (named in wait's documentation)
            # What the server still sends would be taken for the answer to another question.
            self.pgconn.finish()
            raise NoAnswer("no answer in time; connection closed") from error


def _pass_over(_told: psycopg.Notify) -> None:
    pass
