"""ClientView: a client as one request sees it, read by one SELECT.

The SELECT also brings the linked application and the installation's counters, so that nothing
else has to be asked about a client, and finds only enabled clients of enabled applications.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    cast,
    literal_column,
    select,
    true,
)
from sqlalchemy.orm import aliased

from directory.base import hot
from directory.base.crypto import Keyring
from directory.base.remembered import Remembered
from directory.entitlements import Application, Installation
from idp.oidc.clients import client_rows, redirects, sectors
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.kinds import INTERCHANGEABLE, AuthMethod, ClientKind
from idp.oidc.clients.options import Options
from idp.oidc.signing_keys import STAMP


@dataclass(frozen=True)
class ClientView:
    """A client as one request sees it, in the shape Authlib's grants ask for."""

    id: int
    client_id: str
    name: str
    kind: str
    application_id: int | None
    secrets: Sequence[Any] = field(repr=False)
    auth_method: str
    redirect_uris: Sequence[str]
    post_logout_redirect_uris: Sequence[str]
    backchannel_logout_uri: str | None
    grant_types: Sequence[str]
    response_types: Sequence[str]
    scopes: Sequence[str]
    id_token_alg: str
    access_token_format: str
    first_party: bool
    resource_server: bool
    introspect_all: bool
    sector_salt: str | None
    """Of its pairwise subjects, sealed (``sectors.salt_of``)."""
    options: Options
    epoch: int
    application_code: str | None
    application_name: str | None
    application_epoch: int | None
    open_to_all: bool | None
    installation_epoch: int
    rules_revision: int
    unconfirmed_since: datetime | None
    keys_stamp: str
    """Of the signing keys at the moment it was read (``signing_keys.STAMP``)."""

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret."""
        return self.auth_method == AuthMethod.NONE

    @property
    def pkce_required(self) -> bool:
        """Whether it must use PKCE (RFC 9700 §2.1.1): whoever keeps no secret, always."""
        options = self.options
        return self.public or options.require_pkce or options.profile.fapi

    @property
    def restricted(self) -> bool:
        """Whether only some people may sign in: those entitled to its application, or whose eID
        account is good enough.
        """
        by_rule = self.application_id is not None and not self.open_to_all
        return by_rule or self.options.minimum_eid_level is not None

    @property
    def audience(self) -> str:
        """Who its access tokens are meant for: its application; empty where it has none."""
        return self.application_code or ""

    def shown(self, language: str) -> dict[str, str]:
        """What people are shown of it, in their language where it has said so (RFC 7591 §2.2):
        its name, and the logo and pages it has.
        """
        options = self.options
        found = {"name": self.name}
        found |= {e.name: uri for e, uri in options.items() if e.localized and uri is not None}
        for tagged, value in options.localized.items():
            name, _, tag = tagged.partition("#")
            if tag.lower().partition("-")[0] == language:
                found[name.removeprefix("client_name") or "name"] = value
        # What the directory calls the application is nobody's claim about itself.
        return found | ({"name": self.application_name} if self.application_name else {})

    def get_client_id(self) -> str:
        """For Authlib."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a request names its redirect URI (OIDC Core §3.1.2.1)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """The requested scopes it may have, in our order; None when nothing is left."""
        asked = set((scope or "").split())
        return " ".join(s for s in self.scopes if s in asked) or None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """RFC 9700 §4.1.3."""
        return redirects.registered(
            redirect_uri, self.redirect_uris, native=self.kind == ClientKind.NATIVE
        )

    def check_response_type(self, response_type: str) -> bool:
        """For Authlib."""
        return response_type in self.response_types

    def check_grant_type(self, grant_type: str) -> bool:
        """For Authlib."""
        return grant_type in self.grant_types

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The registered method, at every endpoint; RFC 7662 §2.1 wants a real one."""
        same = method == self.auth_method or {method, self.auth_method} <= self.interchangeable
        return same and not (self.public and endpoint == "introspection")

    @property
    def interchangeable(self) -> frozenset[str]:
        """The methods of which any will do where one of them is registered."""
        return frozenset() if self.options.pin_auth_method else INTERCHANGEABLE

    def secret_fits(self, secret: str, *, keyring: Keyring, now: datetime) -> bool:
        """Whether this is one of its secrets in force."""
        return client_rows.secret_fits(self.secrets, secret, keyring=keyring, now=now)


_ONE = select(Installation).limit(literal_column("1"))
"""There is one row, and the server is told so."""
_INSTALLATION: Any = aliased(Installation, _ONE.subquery("installation"))
_NAMES = [f.name for f in fields(ClientView)]
_AS_JSON = [name for name in _NAMES if isinstance(getattr(Client, name, Client.id).type, JSON)]
WIDTH = len(_NAMES)
"""How many columns make a client."""


def columns(client: Any, application: Any, *, prefix: str = "") -> list[ColumnElement[Any]]:
    """The columns of a client, in the order in which ``read`` takes them: of these tables or of
    aliases of theirs.
    """
    elsewhere: dict[str, Any] = {
        "application_code": application.code,
        "application_name": application.name,
        "application_epoch": application.epoch,
        "open_to_all": application.open_to_all,
        "installation_epoch": _INSTALLATION.epoch,
        "rules_revision": _INSTALLATION.rules_revision,
        "unconfirmed_since": _INSTALLATION.unconfirmed_since,
        "keys_stamp": STAMP,
        "sector_salt": sectors.salt_of(client.sector),
    }
    found: dict[str, Any] = {
        name: elsewhere[name] if name in elsewhere else getattr(client, name) for name in _NAMES
    }
    # JSON comes as the text it is: a row that is known needs no reading.
    found |= {name: cast(found[name], Text) for name in _AS_JSON}
    return [column.label(prefix + name) for name, column in found.items()]


def enabled(statement: Select[Any], client: Any, application: Any) -> Select[Any]:
    """A statement from the client, joined with what ``columns`` needs, for enabled clients of enabled
    applications alone.
    """
    return (
        statement.outerjoin(application, application.id == client.application_id)
        .join(_INSTALLATION, true())
        .where(client.enabled, (client.application_id.is_(None)) | (application.enabled))
    )


SELECT = enabled(select(*columns(Client, Application)).select_from(Client), Client, Application)
"""Enabled clients; the statement says which."""

_KNOWN = Remembered(1024)


def read(row: tuple[Any, ...]) -> ClientView:
    """The client of these columns: read once for as long as they say the same, being their own stamp."""
    return _KNOWN.recall(row[0], row, lambda: (row, _read(row)))


def _read(row: tuple[Any, ...]) -> ClientView:
    values = dict(zip(_NAMES, row, strict=True))
    for name in _AS_JSON:
        values[name] = json.loads(values[name])
    return ClientView(**(values | {"options": Options.of(values["options"])}))


_BY_CLIENT_ID = hot.read(SELECT.where(Client.client_id == bindparam("client_id")))
_BY_ID = hot.read(SELECT.where(Client.id == bindparam("key")))


def view(connection: Connection, client_id: str) -> ClientView | None:
    """The enabled client with this client_id, of an enabled application if it has one."""
    row = _BY_CLIENT_ID.one(connection, client_id=client_id)
    return read(tuple(row)) if row else None


def view_by_id(connection: Connection, key: int) -> ClientView | None:
    """The enabled client with this internal id."""
    row = _BY_ID.one(connection, key=key)
    return read(tuple(row)) if row else None
