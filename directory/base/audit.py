"""The audit trail: append-only, chained and signed by one sealer.

Entries are inserted in the business transaction and carry no chain value yet, so that the trail
is no bottleneck; within two seconds the sealer numbers them, chains each to the one before by
SHA-256 and signs the head by MAC. ``verify`` recomputes everything and reports the unsealed
tail. Personal values stay outside the hash as salted commitments: after retention the values
can be erased and the chain still holds.

An older head is signed as well, so a head in the database proves nothing about what came after
it: ``verify`` (``directory.base.verification``) also compares checkpoints, which are kept outside
(``directory.base.checkpoints``).
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from sqlalchemy import Index, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from directory.base import storable
from directory.base.crypto import Keyring
from directory.base.db import AUTOINCREMENT, Base, Key, insert_rows


class Tag(StrEnum):
    """subject.action of everything that is audited."""

    CHANGE_COMMIT = "change.commit"
    CHANGE_UNDO = "change.undo"
    CHANGE_SUPERSEDE = "change.supersede"
    CHANGE_REVIVE = "change.revive"
    CHANGE_SETTLED = "change.settled"
    CHANGE_PROPOSE = "change.propose"
    CHANGE_APPROVE = "change.approve"
    CHANGE_DECLINE = "change.decline"
    CHANGE_WITHDRAW = "change.withdraw"
    CHANGE_LAPSE = "change.lapse"
    USER_CREATE = "user.create"
    USER_UPDATE = "user.update"
    """Her name, birth or address."""
    ASSIGNMENT_OPEN = "assignment.open"
    ASSIGNMENT_CLOSE = "assignment.close"
    ASSIGNMENT_REOPEN = "assignment.reopen"
    USER_SUSPEND = "user.suspend"
    USER_RESUME = "user.resume"
    USER_LEAVE = "user.leave"
    UNIT_CREATE = "unit.create"
    UNIT_UPDATE = "unit.update"
    POSITION_CREATE = "position.create"
    ROLE_GRANT = "role.grant"
    ROLE_END = "role.end"
    RULE_CHANGE = "rule.change"
    APPLICATION_CHANGE = "application.change"
    CLIENT_CHANGE = "client.change"
    SESSION_START = "session.start"
    SESSION_END = "session.end"
    SESSION_SWITCH = "session.switch"
    LOGIN_FAIL = "login.fail"
    LOGIN_LOCK = "login.lock"
    LOGIN_UNLOCK = "login.unlock"
    LOGIN_DISOWN = "login.disown"
    """A sign-in in somebody's name was not hers, she says."""
    LOGIN_BREAK_GLASS = "login.break_glass"
    """An administrator came in by a sealed envelope."""
    ENVELOPE_SEAL = "envelope.seal"
    ENVELOPE_VOID = "envelope.void"
    PASSWORD_SET = "password.set"  # noqa: S105 (a name, not a secret)
    FACTOR_ENROL = "factor.enrol"
    FACTOR_RENAME = "factor.rename"
    FACTOR_END = "factor.end"
    ACTIVATION_ISSUE = "activation.issue"
    ACTIVATION_VOID = "activation.void"
    GRANT_ISSUE = "grant.issue"
    GRANT_REVOKE = "grant.revoke"
    CERTIFICATE_ISSUE = "certificate.issue"
    CERTIFICATE_DISTRUST = "certificate.distrust"
    CERTIFICATE_REVOKE = "certificate.revoke"
    CERTIFICATE_TRUST = "certificate.trust"
    """Whose certificates are believed, and which of theirs are not."""
    ACCOUNT_APPLIED = "account.applied"
    WORK_DONE = "work.done"
    WORK_FAILED = "work.failed"
    JOB_PARKED = "job.parked"
    JOB_RETRIED = "job.retried"
    KEY_ROTATE = "key.rotate"
    FEED_LOAD = "feed.load"
    EID_UPSTREAM = "eid.upstream"
    EID_LINK = "eid.link"
    EID_UNLINK = "eid.unlink"
    EID_REFUSE = "eid.refuse"
    EID_REVIEW = "eid.review"
    INSTALLATION_RESTORED = "installation.restored"
    INSTALLATION_CONFIRMED = "installation.confirmed"


@dataclass(frozen=True)
class Actor:
    """Who does something: a person, a client, or the installation's operator at the CLI."""

    kind: str
    """``user``, ``client``, ``operator`` or ``system``."""
    id: int | None = None
    label: str = ""
    ip: str | None = None
    port: int | None = None
    posts: frozenset[int] | None = None
    """The assignments a person acts under here; None where all of hers count."""

    @classmethod
    def system(cls) -> "Actor":
        """The product itself: workers and scheduled changes."""
        return cls("system", None, "dinhdanh")

    @classmethod
    def operator(cls, label: str) -> "Actor":
        """The person at the installation's command line, named by the operating system."""
        return cls("operator", None, label)

    @property
    def key(self) -> str:
        """Stable text for idempotency keys and throttles."""
        return f"{self.kind}:{self.id if self.id is not None else self.label}"


class AuditEntry(Base):
    """One audited fact."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_subject", "subject_kind", "subject_id", "id"),
        AUTOINCREMENT,
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    at: Mapped[datetime]
    tag: Mapped[str] = mapped_column(index=True)
    actor_kind: Mapped[str]
    actor_id: Mapped[int | None] = mapped_column(Key)
    actor_label: Mapped[str]
    source_ip: Mapped[str | None]
    source_port: Mapped[int | None]
    subject_kind: Mapped[str]
    subject_id: Mapped[str]
    change_id: Mapped[str | None] = mapped_column(index=True)
    data: Mapped[dict[str, Any]]
    personal: Mapped[dict[str, Any]]
    """field → [salt, value], or after retention [leaf]: what ``erased`` leaves of it."""
    commitment: Mapped[str]
    """SHA-256 over the sorted salted hashes of ``personal``; part of the chain."""
    seq: Mapped[int | None] = mapped_column(Key, unique=True)
    hash: Mapped[str | None]


class AuditHead(Base):
    """The sealed end of the chain: one row, signed, so that a cut-off tail is noticed."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    seq: Mapped[int] = mapped_column(Key)
    hash: Mapped[str]
    mac: Mapped[str]


def entry(
    tag: Tag,
    *,
    at: datetime,
    actor: Actor,
    subject: tuple[str, Any],
    change_id: str | None = None,
    data: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The column values of one entry, for ``record_rows``. ``subject`` is (kind, id).

    What came from outside and cannot be stored (NUL, half a surrogate) is kept escaped.
    """
    said = storable.json(personal or {})
    kept = {field: [secrets.token_hex(8), value] for field, value in said.items()}
    return {
        "at": at,
        "tag": tag.value,
        "actor_kind": actor.kind,
        "actor_id": actor.id,
        "actor_label": actor.label,
        "source_ip": actor.ip,
        "source_port": actor.port,
        "subject_kind": subject[0],
        "subject_id": str(subject[1]),
        "change_id": change_id,
        "data": storable.json(data or {}),
        "personal": kept,
        "commitment": commitment(kept),
    }


def record(session: Session, tag: Tag, **columns: Any) -> None:
    """Write one entry in the caller's transaction; keywords as in ``entry``."""
    record_rows(session, [entry(tag, **columns)])


def record_rows(session: Session, rows: list[dict[str, Any]]) -> None:
    """Write many entries made by ``entry``."""
    insert_rows(session, AuditEntry, rows)


def commitment(personal: Mapping[str, list[Any]]) -> str:
    """What the chain holds of personal values: SHA-256 over the sorted hashes of them."""
    leaves = sorted(_leaf(field, pair) for field, pair in personal.items())
    return hashlib.sha256("".join(leaves).encode()).hexdigest() if leaves else ""


def _leaf(field: str, pair: list[Any]) -> str:
    if len(pair) == 1:
        return str(pair[0])
    return hashlib.sha256(json.dumps([field, *pair]).encode()).hexdigest()


def erased(personal: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """What stays of personal values after retention: enough for the chain, nothing of the value."""
    return {field: [_leaf(field, pair)] for field, pair in personal.items()}


VERSION = "2:"
"""Before a hash that covers the row's id as well; those of the first release do not."""


class Said(Protocol):
    """What an entry says: an ORM row or values read from one."""

    @property
    def id(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def tag(self) -> str: ...
    @property
    def actor_kind(self) -> str: ...
    @property
    def actor_id(self) -> int | None: ...
    @property
    def actor_label(self) -> str: ...
    @property
    def source_ip(self) -> str | None: ...
    @property
    def source_port(self) -> int | None: ...
    @property
    def subject_kind(self) -> str: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def change_id(self) -> str | None: ...
    @property
    def data(self) -> dict[str, Any]: ...
    @property
    def commitment(self) -> str: ...


def link(previous: str, seq: int, row: Said, *, version: str = VERSION) -> str:
    """The hash of an entry as number ``seq`` after the one whose hash is ``previous``.

    ``version`` is empty for an entry that a node of the first release has chained.
    """
    said = [
        previous,
        seq,
        row.at.isoformat(),
        row.tag,
        row.actor_kind,
        row.actor_id,
        row.actor_label,
        row.source_ip,
        row.source_port,
        row.subject_kind,
        row.subject_id,
        row.change_id,
        row.data,
        row.commitment,
    ]
    body = json.dumps(
        [*said, row.id] if version else said,
        sort_keys=True,
        ensure_ascii=False,
    )
    # A text that cannot be encoded can stand in an SQLite file that somebody has altered.
    return version + hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def sign(keyring: Keyring, seq: int, digest: str) -> str:
    """The MAC of a head."""
    return keyring.mac("audit", f"{seq}:{digest}".encode(), size=32).hex()


def seal(session: Session, keyring: Keyring, *, limit: int = 2000) -> int:
    """Number, chain and sign up to ``limit`` unsealed entries; how many were sealed."""
    head = session.scalars(select(AuditHead).with_for_update()).one_or_none()
    if head is None:
        head = AuditHead(id=1, seq=0, hash="", mac=sign(keyring, 0, ""))
        session.add(head)
    rows = session.scalars(
        select(AuditEntry).where(AuditEntry.seq.is_(None)).order_by(AuditEntry.id).limit(limit)
    ).all()
    sealed = []
    for row in rows:
        head.hash = link(head.hash, head.seq + 1, row)
        head.seq += 1
        sealed.append({"id": row.id, "seq": head.seq, "hash": head.hash})
    if sealed:
        session.expunge_all()
        session.add(head)
        session.execute(update(AuditEntry), sealed)
    head.mac = sign(keyring, head.seq, head.hash)
    session.flush()
    return len(sealed)


def of_subject(
    session: Session, kind: str, subject_id: Any, *, limit: int = 50
) -> list[AuditEntry]:
    """The latest entries about one subject, newest first."""
    return list(
        session.scalars(
            select(AuditEntry)
            .where(AuditEntry.subject_kind == kind, AuditEntry.subject_id == str(subject_id))
            .order_by(AuditEntry.id.desc())
            .limit(limit)
        )
    )
