"""Why a client was refused, for whoever looks after it: never told to whoever calls.

What calls hears an error of the protocol, the same for many causes. Its owner reads the cause on
its page in the console. Strangers cause refusals, too, so they are bounded: of one client and one
reason one row a minute, ``MOST`` rows of a client, for ``KEPT``. No row holds a secret, a token or
a code: what is kept of a request is which method it used, and addresses and names it sent.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from sqlalchemy import Connection, ForeignKey, bindparam, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import hot
from directory.base.db import Base, UTCDateTime
from directory.base.errors import DinhdanhError
from directory.base.rows import for_each_dialect
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.view import ClientView

log = structlog.get_logger(__name__)

KEPT = timedelta(days=7)
MOST = 100
"""Rows kept of one client."""
SHOWN = 20
LONGEST = 300
"""Characters of what was sent."""
REMEMBERED = 4096
"""Refusals of this minute that a process knows to be written."""


class Reason(StrEnum):
    """Why. The sentences, with what to do about it, are the console's."""

    DISABLED = "disabled"
    NO_PROOF = "no_proof"
    OTHER_METHOD = "other_method"
    TWO_METHODS = "two_methods"
    SECRET = "secret"  # noqa: S105 (a word)
    ASSERTION = "assertion"
    CERTIFICATE = "certificate"
    KEYS = "keys"
    REDIRECT_URI = "redirect_uri"
    REDIRECT_URI_MISSING = "redirect_uri_missing"
    LOGOUT_URI = "post_logout_redirect_uri"
    LOGOUT_HINT = "id_token_hint"
    PKCE = "pkce"
    RESPONSE_TYPE = "response_type"
    GRANT_TYPE = "grant_type"
    SCOPE = "scope"
    RESOURCE = "resource"
    GRANT = "grant"
    REQUEST_OBJECT = "request_object"
    DPOP = "dpop"
    REQUEST = "request"


BY_ERROR = {
    "unsupported_response_type": Reason.RESPONSE_TYPE,
    "unsupported_grant_type": Reason.GRANT_TYPE,
    "invalid_scope": Reason.SCOPE,
    "invalid_target": Reason.RESOURCE,
    "invalid_grant": Reason.GRANT,
    "invalid_request_object": Reason.REQUEST_OBJECT,
    "invalid_request_uri": Reason.REQUEST_OBJECT,
    "invalid_dpop_proof": Reason.DPOP,
    "invalid_request": Reason.REQUEST,
    "registration_not_supported": Reason.REQUEST,
    "unsupported_token_type": Reason.REQUEST,
}
"""Errors of the protocol that say the client does something wrong; the others (the person must
sign in, a device must wait) are in order."""


class Refusal(Base):
    """One client was refused for one reason in one minute, for the first time in it."""

    __tablename__ = "client_refusal"

    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"), primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    place: Mapped[str]
    """The path of the endpoint."""
    detail: Mapped[str]
    """What was sent, or what was wrong with it; empty where that says nothing more."""


_VALUES = {
    "client_id": bindparam("client_id"),
    "minute": bindparam("minute", type_=UTCDateTime()),
    "reason": bindparam("reason"),
    "at": bindparam("at", type_=UTCDateTime()),
    "place": bindparam("place"),
    "detail": bindparam("detail"),
}
_INSERT = hot.write(
    for_each_dialect(lambda insert: insert(Refusal).values(_VALUES).on_conflict_do_nothing())
)
_ID = hot.read(select(Client.id).where(Client.client_id == bindparam("client_id")))


@dataclass(frozen=True)
class NewRefusal:
    """One refusal, before it is written."""

    reason: Reason
    place: str
    detail: str = ""


class Refusals:
    """One process's way to the table; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: OrderedDict[tuple[int | str, str, datetime], None] = OrderedDict()

    def note(
        self,
        connection: Connection,
        client: ClientView | str,
        refused: NewRefusal,
        *,
        now: datetime,
    ) -> None:
        """Write it down, unless that was done this minute. At most one INSERT; one SELECT before
        it for a client that is only named, since it is unknown or disabled. Raises nothing: what
        has been refused stays refused.
        """
        minute = now.replace(second=0, microsecond=0)
        named = client if isinstance(client, str) else client.id
        if self._known((named, refused.reason.value, minute)):
            return
        try:
            found = _ID.one(connection, client_id=client) if isinstance(client, str) else client
            if found is not None:
                row = {
                    "client_id": found.id,
                    "minute": minute,
                    "reason": refused.reason.value,
                    "at": now,
                    "place": refused.place,
                    "detail": _printable(refused.detail),
                }
                _INSERT.run(connection, **row)
        except (DinhdanhError, SQLAlchemyError) as exc:
            log.warning("client.refusal_not_kept", why=type(exc).__name__)

    def _known(self, what: tuple[int | str, str, datetime]) -> bool:
        with self._lock:
            if what in self._written:
                return True
            self._written[what] = None
            while len(self._written) > REMEMBERED:
                self._written.popitem(last=False)
            return False


def _printable(text: str) -> str:
    """As much of it as is shown, without characters that change what those beside them mean."""
    kept = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:LONGEST])
    return kept + ("…" if len(text) > LONGEST else "")


def recent(session: Session, client_id: int, *, now: datetime) -> Sequence[Refusal]:
    """The newest refusals of a client, the newest first."""
    return session.scalars(
        select(Refusal)
        .where(Refusal.client_id == client_id, Refusal.at > now - KEPT)
        .order_by(Refusal.at.desc(), Refusal.reason)
        .limit(SHOWN)
    ).all()


def purge(session: Session, *, now: datetime) -> None:
    """Delete what is too old, and what is too much of one client."""
    session.execute(delete(Refusal).where(Refusal.at <= now - KEPT))
    crowded = session.scalars(
        select(Refusal.client_id).group_by(Refusal.client_id).having(func.count() > MOST)
    ).all()
    for client_id in crowded:
        last = session.scalar(
            select(Refusal.at)
            .where(Refusal.client_id == client_id)
            .order_by(Refusal.at.desc())
            .offset(MOST - 1)
            .limit(1)
        )
        if last is not None:
            session.execute(
                delete(Refusal).where(Refusal.client_id == client_id, Refusal.at < last)
            )
