"""What may be presented once: identifiers of proofs and assertions, remembered for all nodes.

One statement both asks and remembers, so that of two presentations at the same moment exactly
one is the first.
"""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import hot
from directory.base.db import Base, UTCDateTime
from directory.base.rows import for_each_dialect

MARGIN = timedelta(minutes=1)
"""By which the clocks of nodes may differ, and more."""


class UsedOnce(Base):
    """A digest of something that has been presented, until it would be refused for its age."""

    __tablename__ = "used_once"

    digest: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)


_VALUES = {
    "digest": bindparam("digest"),
    "expires_at": bindparam("expires_at", type_=UTCDateTime()),
}
_FIRSTS = for_each_dialect(
    lambda insert: (
        insert(UsedOnce).values(_VALUES).on_conflict_do_nothing().returning(UsedOnce.digest)
    )
)
_FIRST = hot.write(_FIRSTS)
FIRST = _FIRSTS["postgresql"].cte("first")
"""On PostgreSQL, for a statement that writes something only where this is presented for the first
time; its parameters are those of ``first``."""
_KNOWN = hot.read(select(UsedOnce.digest).where(UsedOnce.digest == bindparam("digest")))


def digest(kind: str, whose: str, identifier: str) -> str:
    """What is remembered of an identifier. JSON may hold halves of characters; they count."""
    text = "\0".join((kind, whose, identifier))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def first(connection: Connection, digest: str, *, until: datetime) -> bool:
    """Whether this is presented for the first time; True for exactly one caller. One INSERT.

    ``until`` is when it would be refused for its age anyway.
    """
    return _FIRST.one(connection, digest=digest, expires_at=until) is not None


def known(connection: Connection, digest: str) -> bool:
    """Whether this has been presented. One SELECT."""
    return _KNOWN.one(connection, digest=digest) is not None


def purge(session: Session, *, now: datetime) -> None:
    """Forget what is too old to be presented."""
    session.execute(delete(UsedOnce).where(UsedOnce.expires_at < now - MARGIN))
