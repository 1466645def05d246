"""Who sends a browser, who is signed in at it, in which capacity, what she has allowed before, and what
the client had pushed: read by one statement.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, select

from directory.assignments import Assignment
from directory.base import hot
from directory.base.db import UTCDateTime
from directory.entitlements import Application
from directory.people import User
from idp import sessions
from idp.oidc.authorization import consent, pushed
from idp.oidc.authorization.consent import Consent, ConsentStanding
from idp.oidc.authorization.pushed import PushedRequest, UsableRequest
from idp.oidc.claims import with_capacity
from idp.oidc.clients import view as client_view
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.view import ClientView
from idp.oidc.request import Provider, Request
from idp.sessions import SessionView, SsoSession


@dataclass(frozen=True)
class Arriving:
    """One moment's look at all that an authorization request names."""

    client: ClientView
    view: SessionView | None = None
    """Whoever is signed in."""
    standing: ConsentStanding | None = None
    """Hers towards the client."""
    pushed: UsableRequest | None = None
    """What its ``request_uri`` names, if this client pushed it and it may still be used."""


_PUSHED = "pushed_"
_ROW: Any = hot.read(
    with_capacity(
        client_view.enabled(
            select(
                *client_view.columns(Client, Application, prefix="asking_"),
                *sessions.COLUMNS,
                sessions.GOOD.label("good"),
                *consent.COLUMNS,
                *(getattr(PushedRequest, name).label(_PUSHED + name) for name in pushed.COLUMNS),
            ).select_from(Client),
            Client,
            Application,
        )
        .outerjoin(
            SsoSession,
            and_(
                SsoSession.id == bindparam("session"),
                SsoSession.generation == bindparam("generation"),
            ),
        )
        .outerjoin(User, User.id == SsoSession.user_id)
        .outerjoin(Assignment, Assignment.id == SsoSession.assignment_id)
        .outerjoin(Consent, and_(Consent.user_id == User.id, Consent.client_id == Client.id))
        .outerjoin(
            PushedRequest,
            and_(
                PushedRequest.id == bindparam("request"),
                PushedRequest.client_id == Client.id,
                PushedRequest.used_at.is_(None),
                PushedRequest.expires_at > bindparam("now", type_=UTCDateTime()),
            ),
        )
    ).where(Client.client_id == bindparam("client_id"))
)


def read(
    provider: Provider, connection: Connection, request: Request, client_id: str, *, cookie: str
) -> Arriving | None:
    """The enabled client of this name, and what else the request and the session's cookie name; None
    where there is no such client. One SELECT, and at most once a minute one UPDATE: the session lives.
    """
    tools, now = provider.tools, request.now
    session, generation = sessions.named(tools.keyring, cookie) or (None, None)
    request_id = pushed.named(provider, request.get("request_uri") or "")
    if session is None and request_id is None:
        client = client_view.view(connection, client_id)
        return Arriving(client) if client is not None else None
    row = _ROW.one(
        connection,
        client_id=client_id,
        session=session,
        generation=generation,
        request=request_id,
        **sessions.at(now),
    )
    if row is None:
        return None
    client = client_view.read(row[: client_view.WIDTH])
    found = pushed.usable(row, _PUSHED) if row.pushed_id is not None else None
    if not row.good:
        return Arriving(client, pushed=found)
    view = sessions.view_of(row)
    sessions.touch(connection, view, now=now, settings=tools.settings)
    return Arriving(client, view, consent.standing_of(row), found)
