"""Accounts at a target that belong to nobody in the directory: found, kept in sight, never touched.

What to do with one is for people to decide: to link it to somebody, or to close it there.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.accounts import listing, registry
from connectors.accounts.contract import Capability, RemoteAccount
from connectors.errors import Rejected
from connectors.tools import Tools
from directory.base import storable
from directory.base.db import AUTOINCREMENT, Base, Key
from directory.base.rows import batches, insert_into
from directory.entitlements import Account, Application
from directory.people import User


class OrphanAccount(Base):
    """An account that nobody of ours owns, as it was last listed."""

    __tablename__ = "orphan_account"
    __table_args__ = (UniqueConstraint("application_id", "remote_id"), AUTOINCREMENT)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    remote_id: Mapped[str]
    username: Mapped[str]
    external_id: Mapped[str | None]
    active: Mapped[bool]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]


@dataclass(frozen=True)
class Looked:
    """What one look at a target's whole list has found."""

    accounts: int
    orphans: int
    new: int
    """Orphans nobody had seen before."""


@dataclass(frozen=True)
class _Ours:
    """Who is in the directory, and the accounts that are linked to somebody."""

    subs: frozenset[str]
    linked: frozenset[str | None]

    @classmethod
    def read(cls, session: Session, application_id: int) -> "_Ours":
        linked = select(Account.remote_id).where(
            Account.application_id == application_id, Account.remote_id.is_not(None)
        )
        return cls(frozenset(session.scalars(select(User.sub))), frozenset(session.scalars(linked)))

    def has(self, account: RemoteAccount) -> bool:
        return account.external_id in self.subs or account.key in self.linked


def look(tools: Tools, application: Application) -> Looked:
    """List the target and keep who of it belongs to nobody; those who are gone or belong to
    somebody by now are forgotten. Nothing changes at the target.

    Raises ConnectorError, Rejected also where the target cannot be listed; then nothing changes
    here either: half a list says nothing about who is missing from it.
    """
    connector = registry.connector_for(tools, application)
    if Capability.FETCH not in connector.capabilities():
        raise Rejected("Hệ thống này không liệt kê được tài khoản.")
    with tools.db.read() as session:
        ours = _Ours.read(session, application.id)
    seen = 0
    strangers: dict[str, RemoteAccount] = {}
    for account in listing.accounts(connector):
        seen += 1
        # What cannot be kept cannot be anybody's of ours.
        if not ours.has(account):
            strangers[storable.text(account.key)] = account
    with tools.db.write() as session:
        # A list takes minutes: who has come meanwhile, and her account, are in its later pages.
        ours = _Ours.read(session, application.id)
        strangers = {key: one for key, one in strangers.items() if not ours.has(one)}
        new = _keep(session, application.id, strangers, now=tools.clock())
    return Looked(seen, len(strangers), new)


def _keep(
    session: Session, application_id: int, strangers: dict[str, RemoteAccount], *, now: datetime
) -> int:
    # Two looks at once write one list after the other.
    session.get_one(Application, application_id, with_for_update=True)
    mine = OrphanAccount.application_id == application_id
    known = set(session.scalars(select(OrphanAccount.remote_id).where(mine)))
    for some in batches(sorted(known - strangers.keys())):
        session.execute(delete(OrphanAccount).where(mine, OrphanAccount.remote_id.in_(some)))
    statement = insert_into(session, OrphanAccount)
    latest = ("username", "external_id", "active", "last_seen_at")
    statement = statement.on_conflict_do_update(
        index_elements=["application_id", "remote_id"],
        set_={name: statement.excluded[name] for name in latest},
    )
    for keys in batches(sorted(strangers)):
        session.execute(statement, [_row(application_id, k, strangers[k], now) for k in keys])
    return len(strangers.keys() - known)


def _row(application_id: int, key: str, account: RemoteAccount, now: datetime) -> dict[str, object]:
    return {
        "application_id": application_id,
        "remote_id": key,
        "username": storable.text(account.username),
        "external_id": storable.text(account.external_id) if account.external_id else None,
        "active": account.active,
        "first_seen_at": now,
        "last_seen_at": now,
    }


def listed(session: Session, application_id: int, *, limit: int = 200) -> list[OrphanAccount]:
    """Orphans of an application, those that are active first."""
    return list(
        session.scalars(
            select(OrphanAccount)
            .where(OrphanAccount.application_id == application_id)
            .order_by(OrphanAccount.active.desc(), OrphanAccount.id)
            .limit(limit)
        )
    )
