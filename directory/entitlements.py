"""Applications, the rules that say who gets which of them in which role, and account links.

``desired_accounts`` is pure: people's assignments and the rules in, the accounts that ought to
exist out. "No rule" means nobody, never everybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Connection, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.assignments import Held, HeldAs
from directory.base import outbox
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.errors import InvalidInput
from directory.base.rows import batches
from directory.base.text import by_name
from directory.people import UserStatus
from directory.units import OrgUnit


class Application(Base):
    """What the launcher shows and connectors provision."""

    __tablename__ = "application"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    description: Mapped[str] = mapped_column(default="")
    launch_url: Mapped[str | None]
    open_to_all: Mapped[bool] = mapped_column(default=False)
    """Whether people without an entitlement may sign in (the application decides what they see)."""
    connector: Mapped[str | None]
    """``scim``, ``ldap`` … or None where nothing is provisioned."""
    connector_settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    connector_secret: Mapped[str | None]
    """Encrypted under the keyring, purpose ``connector``."""
    enabled: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=1)


class Rule(Base):
    """Everyone whose assignment matches all given conditions gets the application in the role."""

    __tablename__ = "entitlement_rule"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), index=True)
    role: Mapped[str]
    priority: Mapped[int] = mapped_column(default=100)
    """Where several rules match one person, the smallest decides the role."""
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("org_unit.id"))
    """This unit and everything below it."""
    unit_kind: Mapped[str | None]
    bloc: Mapped[str | None]
    position_code: Mapped[str | None]
    leadership: Mapped[bool | None]
    enabled: Mapped[bool] = mapped_column(default=True)


class AccountState(StrEnum):
    """What we last saw of an account at its target."""

    ABSENT = "absent"
    ACTIVE = "active"
    DISABLED = "disabled"
    GONE = "gone"
    """It was there; its target has lost it, and not by us."""


class Account(Base):
    """The link between a user and her record in one application."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("user_id", "application_id"),
        Index("ix_account_application", "application_id", "state"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    remote_id: Mapped[str | None]
    state: Mapped[str] = mapped_column(default=AccountState.ABSENT.value)
    role: Mapped[str | None]
    assignment_id: Mapped[int | None] = mapped_column(Key)
    fingerprint: Mapped[str | None]
    """Digest of the attributes last written, to tell "nothing to do" without a call."""
    applied_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]


class Installation(Base):
    """One row: what the whole installation shares."""

    __tablename__ = "installation"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    epoch: Mapped[int] = mapped_column(default=1)
    rules_revision: Mapped[int] = mapped_column(default=1)
    """Another random number with each change of the rules. It counts nothing: a counter would say
    the same again of other rules after a backup was put back."""
    keyring_id: Mapped[str]
    """A key id that the keyring must know; refuses a start with the wrong keyring."""
    unconfirmed_since: Mapped[datetime | None]
    """When a backup was put back whose staff list nobody has confirmed yet. While it is set only
    administrators are let in and nothing is given at any target: who left since is not known."""


_EPOCH = select(Installation.epoch)


def installation_epoch(where: Connection | Session) -> int:
    """The installation's epoch now."""
    return int(core(where).execute(_EPOCH).scalar_one())


@dataclass(frozen=True)
class RuleView:
    """A rule as ``desired_accounts`` needs it."""

    id: int
    application_id: int
    role: str
    priority: int
    unit_id: int | None
    unit_path: str | None
    """Where the unit stood when the rule was read, for a search made then. Whether it matches goes by
    the unit's id: units are moved, and rules are remembered."""
    unit_kind: str | None
    bloc: str | None
    position_code: str | None
    leadership: bool | None

    def matches(self, held: Held) -> bool:
        """Whether this assignment earns what the rule gives."""
        return (
            (self.unit_id is None or f"/{self.unit_id}/" in held.unit.path)
            and (self.unit_kind is None or held.unit.kind == self.unit_kind)
            and (self.bloc is None or held.unit.bloc == self.bloc)
            and (self.position_code is None or held.position_code == self.position_code)
            and (self.leadership is None or held.leadership == self.leadership)
        )


@dataclass(frozen=True)
class Desired:
    """An account that ought to exist."""

    application_id: int
    role: str
    assignment_id: int
    rule_id: int
    held: Held


@dataclass(frozen=True)
class Rulebook:
    """Enabled rules, and the revision they were read at."""

    revision: int
    rules: tuple[RuleView, ...]


def rulebook(session: Session, *, lock: bool = False) -> Rulebook:
    """The rules of enabled applications; with ``lock`` nobody else may change them until the
    transaction ends.
    """
    query = select(Installation.rules_revision)
    if lock:
        query = query.with_for_update(read=True)
    revision = session.scalar(query) or 0
    return _book(session, revision, select(Application.id).where(Application.enabled))


def rules_of(session: Session, application_id: int) -> Rulebook:
    """The rules of one application, whether or not it is enabled. Two SELECTs, of one moment where
    the transaction is.
    """
    revision = session.scalar(select(Installation.rules_revision)) or 0
    return _book(session, revision, [application_id])


def _book(session: Session, revision: int, applications: Any) -> Rulebook:
    rows = session.execute(
        select(Rule, OrgUnit.path)
        .outerjoin(OrgUnit, OrgUnit.id == Rule.unit_id)
        .where(Rule.enabled, Rule.application_id.in_(applications))
        .order_by(Rule.priority, Rule.id)
    )
    return Rulebook(
        revision,
        tuple(
            RuleView(
                r.id,
                r.application_id,
                r.role,
                r.priority,
                r.unit_id,
                path,
                r.unit_kind,
                r.bloc,
                r.position_code,
                r.leadership,
            )
            for r, path in rows
        ),
    )


def desired_accounts(
    rules: Iterable[RuleView], held: Iterable[Held], *, status: str, on: date
) -> dict[int, Desired]:
    """The accounts one person ought to have on a day, by application id.

    Pure. Nobody who is suspended or has left is entitled to anything. Where several rules give
    one application, the smallest priority decides; among equals the primary assignment.
    """
    if status != UserStatus.ACTIVE:
        return {}
    in_force = sorted(
        (h for h in held if h.in_force(on)), key=lambda h: (h.kind != HeldAs.PRIMARY, h.id)
    )
    wanted: dict[int, Desired] = {}
    for rule in rules:
        if rule.application_id in wanted:
            continue
        match = next((h for h in in_force if rule.matches(h)), None)
        if match is not None:
            wanted[rule.application_id] = Desired(
                rule.application_id, rule.role, match.id, rule.id, match
            )
    return wanted


LANES = 4
"""How many accounts of one application are worked on at once."""


def account_job(
    user_id: int, application_id: int, *, now: datetime, **options: Any
) -> dict[str, Any]:
    """The outbox row of "make that person's account in that application right".

    A few lanes per application: ordered per person, parallel across people, bounded per target.
    """
    return outbox.row_for(
        outbox.JobKind.ACCOUNT_APPLY,
        f"{user_id}:{application_id}",
        now=now,
        lane=f"app:{application_id}:{user_id % LANES}",
        **options,
    )


class Connected(NamedTuple):
    """An application that has a connector."""

    name: str
    connector: str


def connected(session: Session) -> dict[int, Connected]:
    """The applications that have a connector: people have accounts in no others."""
    rows = session.execute(
        select(Application.id, Application.name, Application.connector).where(
            Application.connector.is_not(None)
        )
    )
    return {row.id: Connected(row.name, row.connector) for row in rows}


def applications(session: Session) -> list[Application]:
    """All applications by name."""
    return sorted(session.scalars(select(Application)), key=lambda a: (by_name(a.name), a.id))


def application_by_code(session: Session, code: str) -> Application:
    """An application by its code. Raises InvalidInput."""
    found = session.scalars(select(Application).where(Application.code == code)).one_or_none()
    if found is None:
        raise InvalidInput(
            "application_unknown", "Không có ứng dụng {ref}.", field="application", ref=code[:60]
        )
    return found


def accounts_of(session: Session, user_ids: Iterable[int]) -> dict[tuple[int, int], Account]:
    """Account links by (user, application)."""
    wanted = list(user_ids)
    found: dict[tuple[int, int], Account] = {}
    for some in batches(wanted):
        for row in session.scalars(select(Account).where(Account.user_id.in_(some))):
            found[row.user_id, row.application_id] = row
    return found


def unconfirmed_since(where: Connection | Session) -> datetime | None:
    """When the backup was put back whose staff list nobody has confirmed yet, if one was."""
    found = where.execute(select(Installation.unconfirmed_since)).scalar_one_or_none()
    return found if isinstance(found, datetime) else None


def installation(session: Session) -> Installation:
    """The one row of the installation; present after ``migrate``."""
    return session.scalars(select(Installation)).one()
