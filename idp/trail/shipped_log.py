"""The audit trail as JSON lines: written by ``dinhdanh audit export``, read after a restore.

export   every sealed entry after a number, one JSON object per line, without personal values
read     what a shipped log knows of the time after a backup; the chain is checked from the
         last entry that the backup still has, and against checkpoints
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import AuditEntry, Tag
from directory.base.checkpoints import Checkpoint
from directory.base.errors import InvalidInput

LEFT = (Tag.USER_LEAVE, Tag.USER_SUSPEND)
"""Who may no longer act."""
ENDED = (
    Tag.ROLE_END,
    Tag.CERTIFICATE_REVOKE,
    Tag.CERTIFICATE_DISTRUST,
    Tag.CERTIFICATE_ISSUE,
    Tag.KEY_ROTATE,
    Tag.CLIENT_CHANGE,
)
"""What else a backup gives back, or no longer knows."""
_FIELDS = (
    "seq",
    "hash",
    "id",
    "at",
    "tag",
    "actor_kind",
    "actor_id",
    "actor_label",
    "source_ip",
    "source_port",
    "subject_kind",
    "subject_id",
    "change_id",
    "data",
    "commitment",
)
_PAGE = 2000


@dataclass(frozen=True)
class Entry:
    """One entry, as it stands in the log."""

    seq: int
    hash: str
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
    commitment: str


def export(session: Session, *, after: int = 0) -> Iterator[str]:
    """Sealed entries from number ``after`` + 1 on, in order."""
    columns = [getattr(AuditEntry, name) for name in _FIELDS]
    while rows := session.execute(
        select(*columns).where(AuditEntry.seq > after).order_by(AuditEntry.seq).limit(_PAGE)
    ).all():
        for row in rows:
            said = dict(row._mapping) | {"at": row.at.isoformat()}  # noqa: SLF001 (public name)
            yield json.dumps(said)  # in ASCII, so that every pipe carries it unchanged
        after = rows[-1].seq


@dataclass(frozen=True)
class Known:
    """What a log knows of the time after a backup."""

    entries: list[Entry]
    """Those that speak of somebody or something that a backup gives back."""
    reached: int
    """The last number in it."""
    vouched: int
    """The furthest number a checkpoint confirms; 0 for none."""


def read(file: Path, *, after: int, previous: str, checkpoints: Iterable[Checkpoint]) -> Known:
    """Entries of the log after number ``after``, whose hash is ``previous``.

    Raises InvalidInput where the log does not go on from there, was altered, or says something
    else than a checkpoint.
    """
    expected = {c.seq: c.hash for c in checkpoints if c.seq > after}
    found: list[Entry] = []
    seq, vouched = after, 0
    try:
        with file.open("r", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                entry = _entry(line, number)
                if entry.seq <= after:
                    continue
                version = audit.VERSION if entry.hash.startswith(audit.VERSION) else ""
                linked = audit.link(previous, seq + 1, entry, version=version)
                disputed = expected.get(entry.seq, entry.hash) != entry.hash
                if entry.seq != seq + 1 or entry.hash != linked or disputed:
                    raise InvalidInput(
                        "log_altered",
                        "Dòng {line} của tệp nhật ký không nối tiếp mục #{seq}: tệp thiếu dòng, đã "
                        "bị sửa hoặc của hệ thống khác.",
                        field="log",
                        line=number,
                        seq=seq,
                    )
                seq, previous = entry.seq, entry.hash
                vouched = seq if seq in expected else vouched
                if entry.tag in (*LEFT, *ENDED):
                    found.append(entry)
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidInput(
            "log_unreadable", "Không đọc được tệp nhật ký {file}.", field="log", file=file
        ) from exc
    return Known(found, seq, vouched)


def people(entries: Sequence[Entry]) -> dict[int, Entry]:
    """Who may no longer act, by id, each with her last entry that says so."""
    return {
        int(entry.subject_id): entry
        for entry in entries
        if entry.tag in LEFT and entry.subject_kind == "user" and entry.subject_id.isdecimal()
    }


def _entry(line: str, number: int) -> Entry:
    try:
        said = json.loads(line)
        values = {name: said[name] for name in _FIELDS}
        values["at"] = datetime.fromisoformat(values["at"]).astimezone(UTC)
        if type(values["seq"]) is int and isinstance(values["hash"], str):
            return Entry(**values)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InvalidInput(
        "log_line", "Dòng {line} của tệp nhật ký không đọc được.", field="log", line=number
    )
