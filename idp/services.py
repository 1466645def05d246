"""What a request, a job or a command is given: one value, below everything that takes it."""

from dataclasses import dataclass

from connectors.outbound import Outbound
from directory.base.clock import Clock
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.hashing import PasswordHasher
from directory.changes.door import Door


@dataclass(frozen=True)
class Services:
    """Everything a request, a job or a command needs; made once per process."""

    settings: Settings
    clock: Clock
    db: Database
    keyring: Keyring
    passwords: PasswordHasher
    door: Door
    outbound: Outbound
