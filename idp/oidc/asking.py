"""Who asks, and what the request names beside: read by one statement.

A code or a token names a grant, or a client. What is named is read along with the client that brings
it, before it is known whether the client is who it says: nobody looks at it before its turn comes
(``order``), and what may be used once is taken by a statement that looks again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Subquery, bindparam, select, true
from sqlalchemy.orm import aliased

from directory.base import hot
from directory.entitlements import Application
from idp.oidc import grants
from idp.oidc.claims import person, with_person
from idp.oidc.clients import view as client_view
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.view import ClientView
from idp.oidc.grants import GrantView


@dataclass(frozen=True)
class Named:
    """What a request names: one of ours where its text carries our MAC, any at all where it is a JWT,
    which is not believed yet.
    """

    grant_id: str | None = None
    with_person: bool = False
    """Whether all that claims need is read along with the grant."""
    client_id: int | None = None
    """The client whose own token it is."""


NOTHING = Named()


@dataclass(frozen=True)
class Asking:
    """A client, and what its request names as it stood at the same moment."""

    client: ClientView
    named: Named = NOTHING
    grant: GrantView | None = None
    """Living or not; None: there is none of this name."""
    other: ClientView | None = None
    """The client whose own token it brings, if that is enabled."""


_ASKING: Any = aliased(Client, name="asking")
_APPLICATION: Any = aliased(Application, name="asking_application")


def _beside(named: Subquery) -> hot.Statement:
    """The client that asks, behind what is named, which may be missing."""
    columns = client_view.columns(_ASKING, _APPLICATION, prefix="asking_")
    both: Select[Any] = select(*named.c, *columns).select_from(_ASKING)
    found = client_view.enabled(both, _ASKING, _APPLICATION).outerjoin(named, true())
    return hot.read(found.where(_ASKING.client_id == bindparam("client_id")))


_WITH_GRANT = _beside(grants.LEAN.subquery("named"))
_WITH_PERSON = _beside(with_person(grants.LEAN).subquery("named"))
_WITH_CLIENT = _beside(
    client_view.SELECT.where(Client.id == bindparam("named", type_=BigInteger())).subquery("named")
)


def read(connection: Connection, client_id: str, named: Named, *, now: datetime) -> Asking | None:
    """The enabled client of this name and what its request names; None where there is no such client.
    One SELECT.
    """
    width = client_view.WIDTH
    if named.grant_id is not None:
        statement = _WITH_PERSON if named.with_person else _WITH_GRANT
        at = grants.at(now)
        row = statement.one(connection, client_id=client_id, grant=named.grant_id, **at)
        if row is None:
            return None
        client = client_view.read(row[-width:])
        if row.id is None:
            return Asking(client, named)
        about = person(row) if named.with_person else None
        return Asking(client, named, grants.view_of(row, client.keys_stamp, about))
    if named.client_id is not None:
        row = _WITH_CLIENT.one(connection, client_id=client_id, named=named.client_id)
        if row is None:
            return None
        other = client_view.read(row[:width]) if row.id is not None else None
        return Asking(client_view.read(row[-width:]), named, other=other)
    found = client_view.view(connection, client_id)
    return Asking(found) if found is not None else None
