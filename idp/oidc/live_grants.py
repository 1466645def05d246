"""A grant as the door and sign-out see it, who must end many and tell their clients."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base.rows import batches
from directory.entitlements import Application
from idp.oidc.clients.client_rows import Client
from idp.oidc.grants import Grant


@dataclass(frozen=True)
class LiveGrant:
    """A grant: whose, whose session's, which client's."""

    id: str
    user_id: int
    session_id: str | None
    assignment_id: int | None
    client_id: int
    client_name: str
    backchannel_logout_uri: str | None
    access_token_format: str
    application_name: str | None
    offline: bool
    refreshable: bool
    front_channel: bool
    code_used_at: datetime | None
    issued_at: datetime
    expires_at: datetime

    @property
    def given_at(self) -> datetime | None:
        """Since when its client may know the person; None: the code was never redeemed."""
        return self.issued_at if self.front_channel else self.code_used_at


def not_revoked(
    session: Session,
    *,
    user_ids: Iterable[int] = (),
    session_ids: Iterable[str] = (),
    since: datetime,
) -> list[LiveGrant]:
    """Unrevoked grants of these people or sessions that end after ``since``, oldest first."""
    found: list[LiveGrant] = []
    for column, wanted in ((Grant.user_id, set(user_ids)), (Grant.session_id, set(session_ids))):
        ordered: list[Any] = sorted(wanted)
        for some in batches(ordered):
            rows = session.execute(
                select(
                    Grant.id,
                    Grant.user_id,
                    Grant.session_id,
                    Grant.assignment_id,
                    Grant.client_id,
                    Client.name.label("client_name"),
                    Client.backchannel_logout_uri,
                    Client.access_token_format,
                    Application.name.label("application_name"),
                    Grant.offline,
                    Grant.refreshable,
                    Grant.front_channel,
                    Grant.code_used_at,
                    Grant.issued_at,
                    Grant.expires_at,
                )
                .join(Client, Client.id == Grant.client_id)
                .outerjoin(Application, Application.id == Client.application_id)
                .where(
                    column.in_(some),
                    Grant.revoked_at.is_(None),
                    Grant.expires_at > since,
                )
                .order_by(Grant.issued_at, Grant.id)
            )
            found += [LiveGrant(**row._asdict()) for row in rows]
    return found
