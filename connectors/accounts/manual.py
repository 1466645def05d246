"""Applications that nobody can call: a person does it, and says so.

What is wanted becomes a work item with an owner and a day (``work_items``). Its effect is complete
when it is acknowledged: nobody has looked, so that it is never called verified.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from connectors.accounts.contract import (
    AccountPage,
    Action,
    Capability,
    Operation,
    Outcome,
    Pending,
    RemoteAccount,
    WantedAccount,
)
from connectors.errors import Rejected
from connectors.outbound import Outbound

SECRET = False


class Settings(BaseModel):
    """``--set`` of an application whose accounts are kept by hand."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(default="", max_length=200)
    """Who does it, in words; empty: the application's owner."""
    days: int = Field(default=3, ge=1, le=90)
    """How many days she has."""


class ManualConnector:
    """Writes nothing anywhere: it says who is to do it, and by when."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def capabilities(self) -> frozenset[Capability]:
        """A person can do whatever the application can."""
        return frozenset(Capability) - {Capability.FETCH}

    def test(self) -> str:
        """There is nothing to be tried."""
        return self.settings.owner

    def fetch(self, cursor: str | None = None) -> AccountPage:
        """Raises Rejected: nobody lists accounts by hand every night."""
        raise Rejected("Hệ thống này không liệt kê được tài khoản.")

    def get(self, key: str) -> RemoteAccount | None:
        """Nobody can look."""
        return None

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        """Nobody can look."""
        return None

    def apply(self, operation: Operation) -> Outcome:
        """Handed over; what has been done is told later."""
        action = Action.UPDATED if operation.key else Action.CREATED
        if not operation.wanted.active:
            action = Action.DISABLED
        pending = Pending(timedelta(days=self.settings.days), self.settings.owner)
        return Outcome(operation.key, action, pending=pending)

    def probe(self, key: str) -> RemoteAccount | None:
        """Nobody can look."""
        return None

    def try_entry(self, seen: RemoteAccount) -> Mapping[str, Any]:
        """Nothing can be tried from here."""
        return {}

    def differences(self, wanted: WantedAccount, seen: RemoteAccount) -> tuple[str, ...]:
        """Nothing was seen."""
        return ()

    def close(self) -> None:
        """Nothing is open."""


def connect(settings: BaseModel, _secret: str, _outbound: Outbound) -> ManualConnector:
    """A connector with these settings; for the registry."""
    return ManualConnector(Settings.model_validate(settings))
