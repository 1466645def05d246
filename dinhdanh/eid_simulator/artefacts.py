"""What providers make, in a form that faults can still change before it leaves."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from dinhdanh.eid_simulator.jose import Signer, SigningKeys, compact


@dataclass
class Callback:
    """The answer to an authorization request, on its way through the browser."""

    parameters: list[tuple[str, str]]
    by_post: bool = False
    by_hand: bool = False
    """Shown as an address that somebody opens where she likes."""
    literal: frozenset[str] = frozenset()
    """Names whose values stand in the address as they are: the 2026 profile's base64, with its
    ``+`` and ``/``."""

    def get(self, name: str) -> str | None:
        """The first value of that name."""
        return next((value for each, value in self.parameters if each == name), None)

    def drop(self, name: str) -> None:
        """Leave a parameter out."""
        self.parameters = [(each, value) for each, value in self.parameters if each != name]

    def put(self, name: str, value: str) -> None:
        """Say this value in place of any other."""
        names = [each for each, _ in self.parameters]
        place = names.index(name) if name in names else len(names)
        self.drop(name)
        self.parameters.insert(place, (name, value))

    def add(self, name: str, value: str) -> None:
        """Say this value, too."""
        self.parameters.append((name, value))

    def query(self) -> str:
        """The query string."""
        return "&".join(
            f"{name}={value if name in self.literal else quote(value, safe='')}"
            for name, value in self.parameters
        )


@dataclass
class IdToken:
    """Header, claims and signature before they are put together."""

    header: dict[str, Any]
    claims: dict[str, Any]
    sign: Signer
    keys: SigningKeys
    client_secret: str

    def written(self) -> str:
        """The compact serialisation."""
        return compact(self.header, self.claims, self.sign)


class Ending(StrEnum):
    """How a connection ends."""

    WHOLE = "whole"
    RESET = "reset"
    """Reset by this side before a byte of the answer."""
    CUT = "cut"
    """Reset in the middle of the body."""


@dataclass
class Answer:
    """An answer to a relying party's own call."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0
    """Seconds before the first byte."""
    ending: Ending = Ending.WHOLE

    def say(self, text: str, *, status: int = 200, content_type: str = "application/json") -> None:
        """Say something else."""
        self.body, self.status, self.content_type = text.encode(), status, content_type


def in_json(value: Any, status: int = 200) -> Answer:
    """An answer in JSON that nobody may keep (RFC 6749 section 5.1)."""
    body = json.dumps(value, ensure_ascii=False).encode()
    return Answer(body, status, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


def refused(error: str, description: str, status: int = 400) -> Answer:
    """An error as RFC 6749 section 5.2 writes it."""
    return in_json({"error": error, "error_description": description}, status)
