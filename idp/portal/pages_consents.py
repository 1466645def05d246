"""What a person has allowed applications, and what applications and devices hold on her behalf
beyond her browser's sessions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from directory.base.text import by_name
from directory.entitlements import Application
from idp.oidc import grants, resources
from idp.oidc.authorization import consent as consents
from idp.oidc.authorization.consent import Consent
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.kinds import SCOPES
from idp.oidc.grants import Grant
from idp.oidc.resources import Service


@dataclass
class Allowed:
    """One application."""

    client_id: str
    name: str
    application: str | None
    scopes: list[str] = field(default_factory=list)
    resources: set[str] = field(default_factory=set)
    services: list[Service] = field(default_factory=list)
    """Of others, for which it was asked."""
    since: datetime | None = None
    asked: bool = False
    """Whether she was asked; otherwise it is the agency's own."""
    devices: int = 0
    """Devices it was let in on, that act without a browser."""
    lasting: bool = False
    """Whether it may act for her when she has signed out."""
    last_used: datetime | None = None

    def add(self, scopes: Iterable[str], resources: Iterable[str], since: datetime) -> None:
        """It may know and do these things, at these resources, since then."""
        self.resources |= set(resources)
        self.scopes = [s for s in SCOPES if s in {*self.scopes, *scopes}]
        self.since = min(self.since or since, since)


def allowed(session: Session, user_id: int, *, issuer: str, now: datetime) -> list[Allowed]:
    """What she consented to, and every grant that outlives her session, by application's name."""
    found: dict[int, Allowed] = {}

    def of(client: Client, application: str | None) -> Allowed:
        return found.setdefault(client.id, Allowed(client.client_id, client.name, application))

    for consent, client, name in session.execute(
        select(Consent, Client, Application.name)
        .join(Client, Client.id == Consent.client_id)
        .outerjoin(Application, Application.id == Client.application_id)
        .where(Consent.user_id == user_id)
    ):
        one = of(client, name)
        one.asked = True
        one.add(*consents.parted(consent.scopes), consent.given_at)
    for grant, client, name in session.execute(
        select(Grant, Client, Application.name)
        .join(Client, Client.id == Grant.client_id)
        .outerjoin(Application, Application.id == Client.application_id)
        .where(
            Grant.user_id == user_id,
            Grant.code_used_at.is_not(None),
            or_(Grant.offline, Grant.session_id.is_(None)),
            grants.IS_LIVING,
        )
        .order_by(Grant.issued_at),
        grants.at(now),
    ):
        one = of(client, name)
        one.add(grant.scopes, grant.resources, grant.issued_at)
        one.lasting = True
        one.devices += grant.session_id is None
        used = grant.refreshed_at or grant.code_used_at or grant.issued_at
        one.last_used = max(one.last_used or used, used)
    every = {uri for one in found.values() for uri in one.resources}
    for service in resources.shown(session, sorted(every), issuer=issuer):
        for one in found.values():
            if service.uri in one.resources:
                one.services.append(service)
    return sorted(found.values(), key=lambda one: (by_name(one.name), one.client_id))


def client_of(session: Session, client_id: str) -> int | None:
    """The internal id of a client, enabled or not."""
    return session.scalar(select(Client.id).where(Client.client_id == client_id))
