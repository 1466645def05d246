"""Clients as those who answer for their application see and change them.

Owners touch the clients of their own applications, and of those only what lies within one
application: what reaches beyond (the installation's own API, no consent, introspection of
everything) takes the right over the installation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from connectors.tools import Tools
from directory import entitlements, permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput, NotAllowed, NotFound
from directory.entitlements import Application
from directory.permissions import Do, Rights
from idp.console import pages_logouts
from idp.oidc import clients, entitlement
from idp.oidc.authorization import consent
from idp.oidc.clients import Client, Options, Registration, refusals
from idp.oidc.clients.refusals import Refusal
from idp.oidc.clients.view import ClientView
from idp.sessions import SessionView


@dataclass(frozen=True)
class ClientRow:
    """A client with the application it belongs to."""

    client: Client
    application: str | None


@dataclass(frozen=True)
class OldSecret:
    """The secret before the present one, while it still works."""

    created_at: datetime
    until: datetime


@dataclass(frozen=True)
class ClientPage:
    """One client with what its owner may want to know."""

    client: Client
    application: Application | None
    options: Options
    old_secrets: list[OldSecret]
    secret_since: datetime | None
    unacknowledged: int
    refusals: Sequence[Refusal]
    """Why it was refused of late, the newest first."""


def listed(session: Session, granted: Rights) -> list[ClientRow]:
    """The clients of the applications the asker manages; those of none for administrators."""
    names = {a.id: a.name for a in entitlements.applications(session)}
    return [
        ClientRow(c, names.get(c.application_id) if c.application_id else None)
        for c in clients.all_clients(session)
        if _manages(granted, c.application_id) and c.client_id != clients.PROBE
    ]


def _manages(granted: Rights, application_id: int | None) -> bool:
    if application_id is None:
        return granted.may(Do.MANAGE_INSTALLATION, None)
    return granted.may_manage(application_id)


def _beyond(client: Client | Registration) -> bool:
    """Whether it reaches beyond its application: the installation's own API, all tokens."""
    return client.introspect_all or bool(set(client.scopes) & set(clients.API_SCOPES))


def _own(session: Session, actor: Actor, client_id: str, *, now: datetime) -> tuple[Client, Rights]:
    """A client the actor manages, held until the transaction ends. Raises NotFound."""
    granted = permissions.rights(session, actor, local_day(now))
    return _managed(granted, clients.held(session, client_id)), granted


def _within(session: Session, actor: Actor, client_id: str, *, now: datetime) -> Client:
    """A client the actor may change, held. Raises NotFound, and NotAllowed where it reaches
    beyond its application and she does not: its secret would be hers.
    """
    found, granted = _own(session, actor, client_id, now=now)
    if _beyond(found) and not granted.may(Do.MANAGE_INSTALLATION, None):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="application")
    return found


def _managed(granted: Rights, found: Client) -> Client:
    if not _manages(granted, found.application_id) or found.client_id == clients.PROBE:
        raise NotFound("client_unknown", "Không tìm thấy ứng dụng khách.")
    return found


def get(session: Session, granted: Rights, client_id: str) -> Client:
    """One client. Raises NotFound, also for one the asker does not manage."""
    return _managed(granted, clients.get(session, client_id))


def whole(session: Session, granted: Rights, client_id: str, *, now: datetime) -> ClientPage:
    """Everything about one client. Raises NotFound."""
    client = get(session, granted, client_id)
    silent = pages_logouts.silent_clients(session, granted, now=now)
    return ClientPage(
        client,
        session.get(Application, client.application_id) if client.application_id else None,
        Options.of(client.options),
        old_secrets(client, now=now),
        next(
            (
                datetime.fromisoformat(s["created_at"])
                for s in client.secrets
                if not s["expires_at"]
            ),
            None,
        ),
        next((s.waiting + s.parked for s in silent if s.client_id == client_id), 0),
        refusals.recent(session, client.id, now=now),
    )


def old_secrets(client: Client, *, now: datetime) -> list[OldSecret]:
    """Secrets that were replaced and still work."""
    found = [
        OldSecret(datetime.fromisoformat(s["created_at"]), datetime.fromisoformat(s["expires_at"]))
        for s in client.secrets
        if s["expires_at"]
    ]
    return [old for old in found if old.until > now]


def entitled(tools: Tools, client: ClientView, view: SessionView, *, now: datetime) -> bool:
    """Whether the asker herself, as she acts now, may sign in to the client's application."""
    with tools.db.hot() as connection:
        standing = consent.standing(
            connection,
            view.user_id,
            assignment_id=view.assignment_id,
            client_id=client.id,
        )
    return entitlement.entitled(tools.db, client, standing.capacity, on=local_day(now))


def managed(session: Session, granted: Rights) -> list[Application]:
    """The applications a new client of the asker's may belong to."""
    return [a for a in entitlements.applications(session) if granted.may_manage(a.id)]


def register(
    session: Session, wanted: Registration, *, actor: Actor, keyring: Keyring, now: datetime
) -> tuple[Client, str | None]:
    """Register a client; it and its secret. Raises NotAllowed, InvalidInput."""
    granted = permissions.rights(session, actor, local_day(now))
    everywhere = granted.may(Do.MANAGE_INSTALLATION, None)
    if wanted.application_id is None and not everywhere:
        raise InvalidInput("client_application", "Hãy chọn ứng dụng.", field="application_id")
    beyond = wanted.first_party or _beyond(wanted)
    if not _manages(granted, wanted.application_id) or (beyond and not everywhere):
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="application")
    return clients.register(session, wanted, keyring=keyring, actor=actor, now=now)


def edit(
    session: Session,
    client_id: str,
    wanted: Callable[[Client], Registration],
    *,
    actor: Actor,
    keyring: Keyring,
    now: datetime,
) -> None:
    """Change what a client is registered as. Raises NotFound, InvalidInput.

    ``wanted`` makes the registration from the present one, so that nothing between is lost.
    """
    found = _within(session, actor, client_id, now=now)
    clients.replace(session, found, wanted(found), keyring=keyring, actor=actor, now=now)


def rotate(
    session: Session, client_id: str, *, actor: Actor, keyring: Keyring, now: datetime
) -> tuple[Client, str]:
    """A new secret for a client of the asker's. Raises NotFound, InvalidInput."""
    found = _within(session, actor, client_id, now=now)
    return found, clients.rotate_secret(session, found, keyring=keyring, actor=actor, now=now)


def retire(session: Session, client_id: str, *, actor: Actor, now: datetime) -> None:
    """The secrets before the present one work no longer. Raises NotFound."""
    found, _ = _own(session, actor, client_id, now=now)
    clients.retire_secrets(session, found, actor=actor, now=now)


def disable(session: Session, client_id: str, *, actor: Actor, now: datetime) -> None:
    """Disable a client of the asker's. Raises NotFound."""
    found, _ = _own(session, actor, client_id, now=now)
    clients.disable(session, found, actor=actor, now=now)


def enable(session: Session, client_id: str, *, actor: Actor, now: datetime) -> None:
    """Let a client of the asker's ask again. Raises NotFound."""
    found = _within(session, actor, client_id, now=now)
    clients.enable(session, found, actor=actor, now=now)
