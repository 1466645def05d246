"""What work on the outside world is given: settings, time, database, keys, and the one client."""

from typing import Protocol

from connectors.outbound import Outbound
from directory.base.clock import Clock
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database


class Tools(Protocol):
    """What a job's handler is given; the composition root's ``Services`` fits."""

    @property
    def settings(self) -> Settings:
        """The installation's settings."""
        ...

    @property
    def clock(self) -> Clock:
        """The only source of the present moment."""
        ...

    @property
    def db(self) -> Database:
        """The installation's database."""
        ...

    @property
    def keyring(self) -> Keyring:
        """Keys for what is sealed at rest."""
        ...

    @property
    def outbound(self) -> Outbound:
        """The one client for calling out."""
        ...
