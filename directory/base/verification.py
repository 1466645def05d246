"""``verify``: whether the audit trail is the one that was written.

It walks the whole chain as of one moment and accepts an entry only in the exact form in which we
write one: every column of its type, every JSON text as we would write it, personal values as
[salt, value] or, erased, [leaf]. Whoever altered an entry and linked the chain again would have
to sign the head; whoever put an older head back is given away by a checkpoint.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, literal_column, select
from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import AuditEntry, AuditHead, Tag
from directory.base.checkpoints import Checkpoint
from directory.base.crypto import Keyring
from directory.base.db import Database


@dataclass(frozen=True)
class Restore:
    """A backup was put back: what came after ``kept`` and before ``at`` was lost with it."""

    kept: int
    at: datetime
    seq: int
    by: str

    def explains(self, found: Checkpoint) -> bool:
        """Whether a checkpoint speaks of entries that were lost with it."""
        return found.seq > self.kept and found.at <= self.at


@dataclass(frozen=True)
class Verdict:
    """What ``verify`` found; the chain holds when ``broken_at`` is None, the head fits and no
    checkpoint speaks against it.
    """

    sealed: int
    unsealed: int
    broken_at: int | None
    head_fits: bool
    witnessed: Checkpoint | None = None
    """The newest checkpoint that says what the chain says."""
    disputed: Checkpoint | None = None
    """The first that says something else."""
    unwitnessed_since: datetime | None = None
    """When the first entry after ``witnessed`` was made."""
    lost: tuple[tuple[Restore, int], ...] = ()
    """Restores that explain checkpoints, each with the furthest number they reached."""

    @property
    def holds(self) -> bool:
        """Whether nothing sealed was altered, removed or cut off."""
        return self.broken_at is None and self.head_fits and self.disputed is None


def verify(db: Database, keyring: Keyring, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
    """Walk the whole chain, at one moment, and compare checkpoints with it, whose signatures the
    caller has checked. Personal values that were ``erased`` do not break it; anything else does.
    """
    expected: dict[int, list[Checkpoint]] = {}
    for found in checkpoints:
        expected.setdefault(found.seq, []).append(found)
    against: list[Checkpoint] = []
    restores: list[Restore] = []
    witnessed, since = None, None
    with db.snapshot() as session:
        previous, count, broken = "", 0, None
        for raw in _sealed(session, strictly=db.is_sqlite):
            count += 1
            row = _read(raw, as_text=db.is_sqlite)
            if row is None or not _follows(row, previous, count):
                broken = raw.seq if isinstance(raw.seq, int) else count
                break
            previous = row.hash
            said = expected.pop(count, [])
            against += [found for found in said if found.hash != row.hash]
            if any(found.hash == row.hash for found in said):
                witnessed, since = next(f for f in said if f.hash == row.hash), None
            elif since is None:
                since = row.at
            if row.tag == Tag.INSTALLATION_RESTORED:
                restores += _restore(keyring, row)
        fits = _head_fits(session, keyring, count, previous)
        unsealed = session.scalar(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.seq.is_(None))
        )
    if broken is None:
        against += [found for said in expected.values() for found in said]
    against.sort(key=lambda found: (found.seq, found.at))
    explained = {id(c): r for c in against for r in restores if r.explains(c)}
    lost: dict[Restore, int] = {}
    for found in against:
        if id(found) in explained:
            lost[explained[id(found)]] = found.seq
    return Verdict(
        count,
        unsealed or 0,
        broken,
        fits,
        witnessed,
        next((found for found in against if id(found) not in explained), None),
        since,
        tuple(lost.items()),
    )


def restored(keyring: Keyring, *, kept: int, at: datetime) -> dict[str, Any]:
    """What an entry says of a restore. The sealer chains whatever stands in the table, so the
    entry carries a MAC of its own: without the keyring nobody explains a cut by a restore.
    """
    return {"kept": kept, "mac": _mac(keyring, kept, at)}


def _mac(keyring: Keyring, kept: int, at: datetime) -> str:
    return keyring.mac("restored", f"{kept}:{at.astimezone(UTC).isoformat()}".encode()).hex()


def _restore(keyring: Keyring, row: "_Read") -> list[Restore]:
    kept, mac = row.data.get("kept"), row.data.get("mac")
    if type(kept) is not int or not isinstance(mac, str):
        return []
    if not secrets.compare_digest(mac.encode(), _mac(keyring, kept, row.at).encode()):
        return []
    return [Restore(kept, row.at, row.seq, row.actor_label)]


def restores(connection: Connection, keyring: Keyring) -> list[Restore]:
    """Every restore that the sealed trail tells of and the keyring vouches for."""
    query = select(*_COLUMNS).where(
        AuditEntry.tag == Tag.INSTALLATION_RESTORED.value, AuditEntry.seq.is_not(None)
    )
    rows = (_read(raw, as_text=False) for raw in connection.execute(query))
    return [found for row in rows if row is not None for found in _restore(keyring, row)]


def _follows(row: "_Read", previous: str, seq: int) -> bool:
    version = audit.VERSION if row.hash.startswith(audit.VERSION) else ""
    return (
        row.seq == seq
        and row.hash == audit.link(previous, seq, row, version=version)
        and audit.commitment(row.personal) == row.commitment
    )


def _head_fits(session: Session, keyring: Keyring, count: int, previous: str) -> bool:
    heads = session.execute(select(AuditHead.seq, AuditHead.hash, AuditHead.mac)).all()
    if len(heads) != 1:
        return not heads and count == 0
    ((seq, digest, mac),) = heads
    return (seq, digest) == (count, previous) and secrets.compare_digest(
        str(mac).encode(), audit.sign(keyring, seq, digest).encode()
    )


_COLUMNS = AuditEntry.__table__.columns


def _sealed(session: Session, *, strictly: bool, page: int = 5000) -> Iterator[Row[Any]]:
    """All sealed entries; ``strictly`` as SQLite keeps them, without any conversion on the way."""
    wanted = [literal_column(f'"{c.name}"').label(c.name) if strictly else c for c in _COLUMNS]
    last: Any = None
    while True:
        query = select(*wanted).select_from(AuditEntry).where(AuditEntry.seq.is_not(None))
        if last is not None:
            query = query.where(AuditEntry.seq > last)
        rows = session.execute(query.order_by(AuditEntry.seq).limit(page)).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].seq


@dataclass(frozen=True)
class _Read:
    """An entry whose every column has the type and the form in which we write it."""

    id: int
    at: datetime
    tag: str
    actor_kind: str
    actor_id: int | None
    actor_label: str
    source_ip: str | None
    source_port: int | None
    subject_kind: str
    subject_id: str
    change_id: str | None
    data: dict[str, Any]
    personal: dict[str, list[Any]]
    commitment: str
    seq: int
    hash: str


_NUMBERS = ("id", "actor_id", "source_port", "seq")
_STORED = "%Y-%m-%d %H:%M:%S.%f"
"""How SQLAlchemy writes a moment into SQLite."""


def _read(raw: Row[Any], *, as_text: bool) -> _Read | None:
    """The entry, or None where a value could not have been written by us."""
    values = dict(raw._mapping)  # noqa: SLF001 (SQLAlchemy's public name)
    if as_text:
        values["at"] = _moment(values["at"])
        values["data"], values["personal"] = _json(values["data"]), _json(values["personal"])
    for name, value in values.items():
        wanted: type = str
        if name in _NUMBERS:
            wanted = int
        elif name in ("data", "personal"):
            wanted = dict
        elif name == "at":
            wanted = datetime
        missing = value is None and _COLUMNS[name].nullable and name not in ("seq", "hash")
        if type(value) is not wanted and not missing:
            return None
    if not all(_is_kept(pair) for pair in values["personal"].values()):
        return None
    return _Read(**(values | {"at": values["at"].astimezone(UTC)}))


def _is_kept(pair: Any) -> bool:
    """Whether it is [salt, value] or [leaf]."""
    if not isinstance(pair, list) or not pair or not isinstance(pair[0], str):
        return False
    return len(pair) == 2 or (len(pair) == 1 and len(pair[0]) == hashlib.sha256().digest_size * 2)


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.strptime(text, _STORED).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
    return found if found.strftime(_STORED) == text else None


def _json(text: Any) -> Any:
    """The value, if the text is the one we would have written for it: SQLite keeps what it was
    given, and a member said twice means one thing to one reader and another to the next.
    """
    try:
        value = json.loads(text) if isinstance(text, str) else None
        return value if json.dumps(value) == text else None
    except (ValueError, RecursionError):
        return None
