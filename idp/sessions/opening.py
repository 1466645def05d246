"""A session about to begin: its row, its entry in the trail and its cookie, nothing of it written yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring, random_id
from directory.people import Standing, User
from idp.factors.factor import Proven, Source, methods, reached
from idp.sessions.session_rows import handle

FIRST = 1
"""The generation a session begins with."""


@dataclass(frozen=True)
class Capacity:
    """Whom somebody acts as: a person in one assignment, or in none."""

    user: User | Standing
    assignment_id: int | None


@dataclass(frozen=True)
class Opening:
    """What is to be written, and what the browser is given for it."""

    row: dict[str, Any]
    """Values of ``SsoSession``, each but those of its end."""
    entry: dict[str, Any]
    """Of the trail (``audit.entry``)."""
    cookie: str

    @property
    def id(self) -> str:
        """The session's."""
        return str(self.row["id"])


def opening(
    proven: Sequence[Proven],
    capacity: Capacity,
    source: Source,
    *,
    now: datetime,
    settings: Settings,
    keyring: Keyring,
) -> Opening:
    """A new session of whoever proved this. It counts from the oldest of the proofs, and is dead where
    the epochs of one of them are over.
    """
    user, what = capacity.user, columns(proven, settings)
    row = new_row(
        now=now,
        settings=settings,
        user_id=user.id,
        assignment_id=capacity.assignment_id,
        issued_at=what["auth_time"],
        ip=source.ip,
        port=source.port,
        user_agent=source.user_agent[:300],
        **what,
    )
    entry = audit.entry(
        Tag.SESSION_START,
        at=now,
        actor=Actor("user", user.id, user.username, source.ip, source.port),
        subject=("user", user.id),
        data={
            "session": row["id"],
            "assignment": capacity.assignment_id,
            "acr": what["acr"],
            "amr": what["amr"],
            "factors": [one.factor for one in proven],
        },
    )
    return Opening(row, entry, handle(keyring, row["id"], FIRST))


def columns(proven: Sequence[Proven], settings: Settings) -> dict[str, Any]:
    """What a session keeps of the proofs behind it."""
    oldest = min(one.at for one in proven)
    shorter = (one.lasts for one in proven if one.lasts is not None)
    return {
        "acr": reached(proven).acr,
        "amr": methods(proven),
        "auth_time": oldest,
        "user_epoch": min(one.epochs.user for one in proven),
        "installation_epoch": min(one.epochs.installation for one in proven),
        "expires_at": oldest + timedelta(seconds=min([settings.session_lifetime, *shorter])),
    }


def new_row(*, now: datetime, settings: Settings, **others: Any) -> dict[str, Any]:
    """A row of its first generation, under a new id."""
    return {
        "id": random_id(),
        "generation": FIRST,
        "created_at": now,
        "last_seen_at": now,
        "idle_until": now + timedelta(seconds=settings.session_idle),
        **others,
    }
