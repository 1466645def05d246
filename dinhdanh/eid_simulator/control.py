"""What tests ask for, in process: the next sign-in, faults for everybody, clients, outages."""

from collections.abc import Iterable, Mapping
from typing import Any

from dinhdanh.eid_simulator import clients, people
from dinhdanh.eid_simulator.clients import Client
from dinhdanh.eid_simulator.faults.registry import faults_named
from dinhdanh.eid_simulator.providers.provider import Provider
from dinhdanh.eid_simulator.sign_ins import CHOICES, Choice, chosen
from dinhdanh.eid_simulator.simulation import Prepared, Simulation, as_data


class NotThere(ValueError):
    """Somebody asked for a person, a provider or a choice there is not."""


class Control:
    """The simulator's hidden side."""

    def __init__(self, simulation: Simulation, providers: Mapping[str, Provider]) -> None:
        self._simulation, self._providers = simulation, providers

    def next(
        self,
        *,
        person: str = "",
        faults: Iterable[str] = (),
        provider: str | None = None,
        client_id: str | None = None,
        times: int = 1,
        **further: Any,
    ) -> Choice:
        """Answer the next sign-in (or so many) with this choice, without showing a page.

        ``further``: ``level`` (recorded, 1, 2, none), ``account`` (vneid, dvcqg), ``acr``,
        ``seconds``, ``decision`` (sign_in, decline). ``provider`` and ``client_id`` narrow what
        it is for. Raises NotThere, UnknownFault.
        """
        if person and person not in self._simulation.people:
            raise NotThere(f"person {person}")
        if provider is not None:
            self._provider(provider)
        for name, value in further.items():
            if name != "seconds" and str(value) not in CHOICES.get(name, ()):
                raise NotThere(f"{name} {value}")
        choice = chosen(further | {"person": person}, faults_named(faults))
        self._simulation.prepare(Prepared(choice, provider, client_id, times))
        return choice

    def always(self, faults: Iterable[str]) -> tuple[str, ...]:
        """Let these faults happen to everybody, until others (or none) are named."""
        self._simulation.standing = faults_named(faults)
        return self._simulation.standing

    def register(self, entry: Mapping[str, Any]) -> Client:
        """Add a client, or replace the one of that id. Raises WrongFile naming the field."""
        client = clients.made_of(dict(entry), said_by="client")
        self._simulation.clients[client.client_id] = client
        return client

    def inhabit(self, entries: list[Mapping[str, Any]]) -> int:
        """Replace the people. Raises WrongFile naming entry and field; gives how many there are."""
        found = people.made_of(list(entries), said_by="people")
        self._simulation.people = {person.key: person for person in found}
        return len(found)

    def down(self, seconds: float) -> None:
        """Listen to nobody for so many seconds."""
        self._simulation.outage.begin(seconds)

    def up(self) -> None:
        """Listen again before that time is over."""
        self._simulation.outage.end()

    def rotate(self, provider: str) -> None:
        """Sign with new keys from now on."""
        self._provider(provider).keys.rotate()

    def calls(self) -> list[dict[str, Any]]:
        """What was asked of the providers, oldest first: endpoint, method, status."""
        return [as_data(call) for call in self._simulation.calls]

    def clear(self) -> None:
        """Forget sign-ins, faults and choices; people, clients and keys stay."""
        self._simulation.forget()

    def documents(self) -> list[dict[str, Any]]:
        """What a relying party is configured with, by provider."""
        return [
            {
                "prefix": prefix,
                "profile": provider.profile,
                "addresses": {"issuer": provider.issuer}
                | {name: provider.address(name) for name in provider.paths},
            }
            for prefix, provider in self._providers.items()
        ]

    def _provider(self, prefix: str) -> Provider:
        if prefix not in self._providers:
            raise NotThere(f"provider {prefix}")
        return self._providers[prefix]
