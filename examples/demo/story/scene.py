"""Who takes part, where to reach everything, and what the acts have seen so far."""

import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from examples.demo.story.app_side import Application
from examples.demo.story.browser import Browser, Page
from examples.demo.story.hr_system import PersonnelSystem
from examples.demo.story.openssl import Checker
from examples.demo.story.relying import RelyingParty, Request
from examples.demo.story.telling import NotSo, Telling


@dataclass
class Seen:
    """What the story has seen with its own eyes; the proof is held against it."""

    sub: str = ""
    sid: str = ""
    goal_unit: int = 0
    unit_before: str = ""
    position_before: str = ""
    accounts_before: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    serial: str = ""
    access_token: str = ""
    refresh_token: str = ""
    unredeemed: tuple[str, Request] | None = None
    """A code issued before the commit that nobody has redeemed."""
    half_way: tuple[Browser, Page] | None = None
    """A sign-in whose password was accepted before the commit."""
    preview: dict[str, Any] = field(default_factory=dict)
    change_id: str = ""
    asked_at: datetime | None = None
    committed_at: datetime | None = None
    """When the answer to the commit had arrived, by the story's own clock."""
    committed_mono: float = 0.0
    signed_in: list[str] = field(default_factory=list)
    logout_jti: dict[str, str] = field(default_factory=dict)
    accounts_after: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    writes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The provider's last write of the account, by application; and the look after it."""
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)
    proof: dict[str, Any] = field(default_factory=dict)


@dataclass
class Scene:
    """One telling of the story."""

    telling: Telling
    credentials: dict[str, Any]
    issuer: str
    official: dict[str, Any]
    goal: dict[str, str]
    """The unit and the position the decision names, by their codes."""
    present: dict[str, Any]
    """The primary assignment of today, as the changes API gives it: earlier stories count."""
    future: dict[str, Any]
    hr_officer: dict[str, Any]
    apps: tuple[Application, Application]
    plain: RelyingParty
    personnel: PersonnelSystem
    checker: Checker
    verify: Any
    seen: Seen = field(default_factory=Seen)
    browsers: list[Browser] = field(default_factory=list)

    @property
    def username(self) -> str:
        """The official's."""
        return str(self.official["username"])

    def browser(self) -> Browser:
        """A new browser with an empty jar."""
        made = Browser(verify=self.verify)
        self.browsers.append(made)
        return made

    def close(self) -> None:
        """Close every connection; remove the official's key."""
        for browser in self.browsers:
            browser.close()
        self.plain.close()
        self.personnel.close()
        self.checker.close()

    @property
    def body(self) -> dict[str, Any]:
        """The decision as the changes API takes it."""
        return {
            "kind": "transfer",
            "user": self.username,
            "to_unit": self.goal["unit"],
            "position": self.goal["position"],
            "decision": self.decision,
        }

    decision: dict[str, str] = field(default_factory=dict)


def place(held: dict[str, Any]) -> str:
    """An assignment in words."""
    return f"{held['position']['name']}, {held['unit']['name']}"


def _primary(held: list[dict[str, Any]]) -> dict[str, Any]:
    return next((one for one in held if one["kind"] == "primary"), held[0])


@dataclass(frozen=True)
class Drawn:
    """Who is transferred, and from where to where."""

    official: dict[str, Any]
    goal: dict[str, str]
    present: dict[str, Any]
    future: dict[str, Any]


def choose(credentials: dict[str, Any], personnel: PersonnelSystem, rng: random.Random) -> Drawn:
    """An official and where to: somebody not there yet, else somebody on the way back.

    Who is there already is asked of the changes API: a preview without conflicts. Who holds a
    certificate already is left out: one shall come between preview and commit.
    """
    movers = [u for u in credentials["users"] if u.get("transfer_to")]
    if not movers:
        raise NotSo("the list of officials", "somebody with transfer_to", credentials["users"])
    rng.shuffle(movers)
    home = [(user, {"unit": user["unit"], "position": user["position"]}) for user in movers]
    refused: Any = None
    for user, goal in [*((user, user["transfer_to"]) for user in movers), *home]:
        body = {"kind": "transfer", "user": user["username"]}
        answer = personnel.preview(body | {"to_unit": goal["unit"], "position": goal["position"]})
        kinds = {e["kind"] for e in answer.body.get("effects", ())}
        free = answer.status == 200 and answer.body["committable"]
        if free and "certificate.revoke" not in kinds:
            person = answer.body["people"][0]
            return Drawn(user, goal, _primary(person["before"]), _primary(person["after"]))
        refused = (answer.status, answer.body.get("conflicts") or answer.body)
    raise NotSo("the changes API previews a transfer", "one that may be committed", refused)
