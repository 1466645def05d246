"""What all simulated providers share: people, clients, keys, the time, and what is going on."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dinhdanh.eid_simulator import kept, people
from dinhdanh.eid_simulator.clients import DEMO, DEMO_SECRET, Client
from dinhdanh.eid_simulator.clock import Clock, system
from dinhdanh.eid_simulator.faults.fault import DVCQG, EVERYWHERE, STANDARD, VNEID
from dinhdanh.eid_simulator.people import Person
from dinhdanh.eid_simulator.sign_ins import Choice, Memory

PROFILES = EVERYWHERE
MOST_CALLS = 2000


@dataclass(frozen=True)
class Mount:
    """A provider of a profile, at a path of its own."""

    profile: str
    prefix: str


MOUNTS = (Mount(STANDARD, STANDARD), Mount(DVCQG, DVCQG), Mount(VNEID, VNEID))
"""One of each, unless somebody wants more."""


@dataclass(frozen=True)
class Settings:
    """How a simulation is set up."""

    base: str
    """Where browsers and relying parties find it, without a slash at the end."""
    people: tuple[Person, ...] = people.PEOPLE
    clients: tuple[Client, ...] = ()
    mounts: tuple[Mount, ...] = MOUNTS
    folder: Path | None = None
    """Where keys are kept; none are, without one."""
    clock: Clock = system
    control_token: str | None = field(default=None, repr=False)
    """What calls to the control API must bring; none: they need not bring anything."""
    control: bool = True
    """Whether there is a control API."""

    @property
    def path(self) -> str:
        """The path of ``base``, for a simulator behind a proxy that gives it a folder."""
        return urlsplit(self.base).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return self.base.startswith("https:")


@dataclass
class Prepared:
    """A choice that is made beforehand for the next sign-in it fits."""

    choice: Choice
    provider: str | None = None
    client_id: str | None = None
    times: int = 1


@dataclass(frozen=True)
class Call:
    """A relying party's or a browser's request that was answered; nothing secret in it."""

    at: datetime
    provider: str
    endpoint: str
    method: str
    status: int


class Outage:
    """While one lasts, nobody is at home."""

    def __init__(self) -> None:
        self._until = 0.0
        self.hang_up: Callable[[], None] | None = None
        """Stops listening at once, where there is something that listens."""
        self.pick_up: Callable[[], None] | None = None
        """Waits until it listens again."""

    def begin(self, seconds: float) -> None:
        """Be gone for so many seconds, from now on."""
        self._until = time.monotonic() + seconds
        if self.hang_up is not None:
            self.hang_up()

    @property
    def left(self) -> float:
        """Seconds it still lasts."""
        return max(0.0, self._until - time.monotonic())

    def end(self) -> None:
        """Be back."""
        self._until = 0.0
        if self.pick_up is not None:
            self.pick_up()


class Simulation:
    """The state behind all providers of one simulator."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.base = settings.base.rstrip("/")
        self.clock = settings.clock
        self.people = {person.key: person for person in settings.people}
        self.memory = Memory()
        self.outage = Outage()
        self.stopping = threading.Event()
        self.standing: tuple[str, ...] = ()
        """Faults that happen to everybody."""
        self.calls: deque[Call] = deque(maxlen=MOST_CALLS)
        self.demo_private_key = kept.encryption_key(settings.folder)
        self.clients = {
            DEMO: Client(DEMO, DEMO_SECRET, encryption_key=self.demo_private_key.public_key())
        }
        self.clients |= {client.client_id: client for client in settings.clients}
        self.keys = {
            mount.prefix: kept.signing_keys(settings.folder, mount.prefix)
            for mount in settings.mounts
        }
        self._prepared: list[Prepared] = []
        self._lock = threading.Lock()

    def person(self, key: str) -> Person:
        """Somebody by her key; the first of all where there is nobody of that key."""
        return self.people.get(key) or next(iter(self.people.values()))

    def other_than(self, person: Person) -> Person:
        """Somebody else; one of the built-in people where she is alone."""
        everybody = (*self.people.values(), *people.PEOPLE)
        return next(e for e in everybody if e.citizen_number != person.citizen_number)

    def prepare(self, prepared: Prepared) -> None:
        """Answer the next sign-in that fits with this choice, without asking anybody."""
        with self._lock:
            self._prepared.append(prepared)

    def prepared_for(self, provider: str, client_id: str) -> Choice | None:
        """The first choice that fits; it is used up."""
        with self._lock:
            for place, each in enumerate(self._prepared):
                if each.provider in (None, provider) and each.client_id in (None, client_id):
                    each.times -= 1
                    if each.times <= 0:
                        del self._prepared[place]
                    return replace(each.choice)
        return None

    def faults(self, chosen: Iterable[str]) -> tuple[str, ...]:
        """What goes wrong in a sign-in: what was chosen for it, and what stands for everybody."""
        return (*chosen, *(code for code in self.standing if code not in chosen))

    def wait(self, seconds: float) -> None:
        """Take so long, or until the simulator stops."""
        if seconds > 0:
            self.stopping.wait(seconds)

    def saw(self, provider: str, endpoint: str, method: str, status: int) -> None:
        """Remember a call."""
        self.calls.append(Call(self.clock(), provider, endpoint, method, status))

    def forget(self) -> None:
        """Forget sign-ins, faults and choices; people, clients and keys stay."""
        self.memory.clear()
        self.outage.end()
        self.standing = ()
        self.calls.clear()
        with self._lock:
            self._prepared.clear()


def as_data(call: Call) -> dict[str, Any]:
    """A call as JSON can say it."""
    return {
        "at": call.at.isoformat(),
        "provider": call.provider,
        "endpoint": call.endpoint,
        "method": call.method,
        "status": call.status,
    }
