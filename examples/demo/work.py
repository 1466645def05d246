"""What the steps of the set-up share."""

from dataclasses import dataclass
from typing import Any

from directory.base.audit import Actor
from examples.demo.ground import Ground
from idp.services import Services


@dataclass(frozen=True)
class Work:
    """One set-up: where, through which services, on whose behalf, and what was there before."""

    ground: Ground
    services: Services
    actor: Actor
    earlier: dict[str, Any]
    """The contents of credentials.json as an earlier start left it; empty at the first."""
