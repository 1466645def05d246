"""What is known of a kind of connector without loading what is behind it."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.accounts import registry
from connectors.accounts.ldap.pool import Pool
from connectors.errors import Misconfigured
from directory.changes.effects import State
from tests.ledger import Ledger, Settings

ENDS = {"scim": State.VERIFIED, "ldap": State.VERIFIED, "manual": State.ACKNOWLEDGED}


def test_what_completes_an_account_is_known_while_a_transaction_waits() -> None:
    """A commit asks it: no library of a target is read in for that."""
    asked = (
        "import sys; from connectors.accounts import registry;"
        "before = set(sys.modules);"
        "print([registry.final_of(kind).value for kind in registry.kinds()]);"
        "print(sorted(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    finals, read_in = ran.stdout.splitlines()
    assert finals == str([ENDS[kind].value for kind in sorted(ENDS)])
    assert read_in == "[]"


@pytest.mark.parametrize("kind", [None, "no such"])
def test_what_is_no_kind_is_verified_like_most(kind: str | None) -> None:
    assert registry.final_of(kind) is State.VERIFIED


# ---- a connector that another takes the place of -----------------------------------------------


class Client:
    """A process' client for calling out, as far as the registry looks at it."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The connectors made so far; each counts how often it was closed."""
    found: list[Any] = []

    class Closing(Ledger):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    def connect(*_: Any) -> Any:
        found.append(Closing())
        return found[-1]

    adapter = SimpleNamespace(Settings=Settings, SECRET=False, connect=connect)
    monkeypatch.setitem(registry.ADAPTERS, "ledger", adapter)  # type: ignore[arg-type]
    return found


def _application(**settings: Any) -> Any:
    columns = {"connector": "ledger", "connector_settings": settings, "connector_secret": None}
    return SimpleNamespace(id=7, name="Sổ", **columns)


def test_one_with_other_settings_closes_the_one_before_and_only_that(made: list[Any]) -> None:
    tools: Any = SimpleNamespace(outbound=Client())
    registry.connector_for(tools, _application(shelf="A1"))
    registry.connector_for(tools, _application(shelf="A1"))
    assert [one.closed for one in made] == [0]
    registry.connector_for(tools, _application(shelf="A2"))
    assert [one.closed for one in made] == [1, 0]
    registry.close(tools.outbound)
    assert [one.closed for one in made] == [1, 1]


def test_settings_that_are_wrong_close_it_as_well(made: list[Any]) -> None:
    tools: Any = SimpleNamespace(outbound=Client())
    registry.connector_for(tools, _application(shelf="A1"))
    with pytest.raises(Misconfigured):
        registry.connector_for(tools, _application(place="A1"))
    assert [one.closed for one in made] == [1]
    registry.connector_for(tools, _application(shelf="A1"))
    assert [one.closed for one in made] == [1, 0]


def test_a_connection_in_use_is_closed_once_it_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    links: list[Any] = []

    class Link:
        open = True

        def close(self) -> None:
            self.open = False

    def connect(_: Pool) -> Any:
        links.append(Link())
        return links[-1]

    monkeypatch.setattr(Pool, "_connect", connect)
    settings: Any = object()
    pool = Pool(settings, "", Client())  # type: ignore[arg-type]
    with pool.connection():
        with pool.connection():
            pass
        assert [link.open for link in links] == [True, True]
        pool.close()
        assert [link.open for link in links] == [True, False]
    assert not any(link.open for link in links)
    with pool.connection() as late:
        assert late is links[2]
    assert not any(link.open for link in links)
