"""A connector that only tests know: its target is a dictionary."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from connectors.accounts import registry
from connectors.accounts.contract import AccountPage, Action, Capability, Outcome, RemoteAccount


class Settings(BaseModel):
    """What it asks for."""

    model_config = ConfigDict(extra="forbid")

    shelf: str


class Ledger:
    """A target in memory, behind the promises of every connector."""

    def __init__(self) -> None:
        self.entries: dict[str, RemoteAccount] = {}
        self.cursors: list[str | None] = []
        self.endless = False

    def put(self, key: str, external_id: str | None, *, active: bool = True) -> None:
        self.entries[key] = RemoteAccount(key, external_id, f"u-{key}", active, {})

    def capabilities(self) -> frozenset[Capability]:
        return frozenset(Capability)

    def fetch(self, cursor: str | None = None) -> AccountPage:
        self.cursors.append(cursor)
        start = int(cursor or 0)
        some = tuple(list(self.entries.values())[start : start + 2])
        more = start + 2 < len(self.entries)
        return AccountPage(some, "0" if self.endless else (str(start + 2) if more else None))

    def apply(self, operation: Any) -> Outcome:
        wanted = operation.wanted
        key = wanted.external_id
        before = self.entries.get(key)
        if before is None and not wanted.active:
            return Outcome(None, Action.ABSENT)
        self.entries[key] = RemoteAccount(
            key, key, wanted.username, wanted.active, wanted.attributes or {}, wanted.role
        )
        return Outcome(key, Action.CREATED if before is None else Action.UPDATED)

    def probe(self, key: str) -> RemoteAccount | None:
        return self.entries.get(key)

    get = probe

    def find(self, external_id: str, username: str) -> RemoteAccount | None:
        return self.entries.get(external_id)

    def try_entry(self, seen: RemoteAccount) -> dict[str, Any]:
        return {"shelf": "shut"}

    def differences(self, wanted: Any, seen: RemoteAccount) -> tuple[str, ...]:
        return () if wanted.active == seen.active else ("active",)

    def test(self) -> str:
        return "ledger"

    def close(self) -> None: ...


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The target, and its kind known to this process."""
    target = Ledger()
    adapter = SimpleNamespace(Settings=Settings, SECRET=False, connect=lambda *_: target)
    monkeypatch.setitem(registry.ADAPTERS, "ledger", adapter)  # type: ignore[arg-type]
    return target
