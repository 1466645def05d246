"""Resource indicators (RFC 8707): which resource servers a token is for.

    ours            the issuer and userinfo, of clients that may ask for ``openid``
                    the changes API, of clients that may ask for its scopes
    registered      what the client's own registration names, and what resource servers of its
                    application are

Whoever names none gets a token for her client's application (where there is none: for ourselves),
which our own endpoints take as well; a token that names some is good there alone. ``resource`` is
the one parameter that may be repeated (§2): its values reach us as one text, a space between them,
which no URI holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from authlib.oauth2.rfc6749 import OAuth2Error
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import Session

from directory.base import hot
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.kinds import API_SCOPES
from idp.oidc.clients.options import Options
from idp.oidc.clients.view import ClientView
from idp.oidc.connection import API, USERINFO
from idp.oidc.request import Call

MOST = 8
"""Handles count a token's resources along one byte."""
LONGEST = 500
"""Characters of all of them: a client's own token carries them itself."""


class InvalidTarget(OAuth2Error):  # type: ignore[misc]
    """§2: the resource is invalid, unknown, or not this client's to ask for."""

    error = "invalid_target"


def api(issuer: str) -> str:
    """The changes API as a resource."""
    return issuer + API


def userinfo(issuer: str) -> tuple[str, str]:
    """The names userinfo goes by: its own, and that of the provider it belongs to."""
    return issuer, issuer + USERINFO


@dataclass(frozen=True)
class Service:
    """A resource of others, as people are shown it."""

    uri: str
    name: str | None
    """What its resource server is registered as, if one is."""


def of_others(named: Iterable[str], issuer: str) -> list[str]:
    """Those of the resources that are not our own endpoints."""
    own = {api(issuer), *userinfo(issuer)}
    return [uri for uri in named if uri not in own]


def shown(connection: Connection | Session, named: Iterable[str], *, issuer: str) -> list[Service]:
    """The services of others among these resources. One SELECT, where there are any."""
    wanted = of_others(named, issuer)
    if not wanted:
        return []
    names: dict[str, str] = {}
    for row in connection.execute(
        select(Client.name, Client.options)
        .where(Client.resource_server, Client.enabled)
        .order_by(Client.id)
    ):
        for uri in Options.of(row.options).resources:
            names.setdefault(uri, row.name)
    return [Service(uri, names.get(uri)) for uri in wanted]


def resource_allowed(call: Call) -> None:
    """Each ``resource`` is one the client may ask for (RFC 8707 §2). One SELECT where another
    client must vouch.
    """
    issuer = call.provider.tools.settings.issuer
    named = call.request.get("resource")
    call.resources = granted(call.request.connection, call.client, named, issuer=issuer)


def granted(
    connection: Connection, client: ClientView, text: str | None, *, issuer: str
) -> list[str]:
    """The resources of a request, if this client may ask for all of them; none when it names
    none. One SELECT where another client must vouch. Raises InvalidTarget.
    """
    asked = _named(text)
    unknown = set(asked) - _known(client, issuer)
    if unknown and not unknown <= _served(connection, client):
        raise InvalidTarget("Unknown resource.")
    if len(asked) > MOST or sum(map(len, asked)) > LONGEST:
        raise InvalidTarget("Too many resources.")
    return asked


def narrowed(text: str | None, held: Sequence[str]) -> list[str]:
    """Those of the resources held that are asked for now, all when none is named (§2.2).

    Raises InvalidTarget for one that was not granted.
    """
    asked = _named(text)
    if not set(asked) <= set(held):
        raise InvalidTarget("The resource was not granted.")
    return [uri for uri in held if not asked or uri in asked]


def meant_for(named: Sequence[str], here: Iterable[str]) -> bool:
    """Whether a token that names these resources may be used at one that goes by these names."""
    return not named or not set(named).isdisjoint(here)


def absolute(uri: str) -> bool:
    """Whether this is an absolute URI without a fragment (§2; RFC 3986 §4.3)."""
    if not uri.isascii() or not uri.isprintable() or " " in uri or len(uri) > LONGEST:
        return False
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and "#" not in uri


def _named(text: str | None) -> list[str]:
    asked = list(dict.fromkeys((text or "").split(" "))) if text else []
    if not all(absolute(uri) for uri in asked):
        raise InvalidTarget("A resource is an absolute URI without fragment.")
    return asked


def _known(client: ClientView, issuer: str) -> set[str]:
    """What needs no second look."""
    found = set(client.options.resources)
    if "openid" in client.scopes:
        found.update(userinfo(issuer))
    if not set(API_SCOPES).isdisjoint(client.scopes):
        found.add(api(issuer))
    return found


_SERVED = hot.read(
    select(Client.options).where(
        Client.application_id == bindparam("application"), Client.resource_server, Client.enabled
    )
)


def _served(connection: Connection, client: ClientView) -> set[str]:
    """What the resource servers of the client's application are."""
    if client.application_id is None:
        return set()
    rows = _SERVED.all(connection, application=client.application_id)
    return {uri for row in rows for uri in Options.of(row.options).resources}
