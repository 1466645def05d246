"""The audit trail's anchor: checkpoints outside the database, written, read and compared.

keep        append a checkpoint when the sealed head has moved; the sealer, ``migrate``
standing    whether the database is at least as far as the newest checkpoint says
require     raises where it is not: a backup was put back, or somebody cut the trail
gather      the checkpoints of some files, and what is wrong with the files themselves
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog
from sqlalchemy import Connection, bindparam, exists, select

from directory.base import checkpoints, private, verification
from directory.base.audit import AuditEntry, AuditHead
from directory.base.checkpoints import Checkpoint
from directory.base.errors import Misconfigured
from directory.base.hosts import Host
from directory.entitlements import Installation
from idp.services import Services

log = structlog.get_logger(__name__)

_FACILITY = 13 * 8
"""Log audit (RFC 5424 §6.2.1), severity below."""
_NOTICE = 5


@dataclass(frozen=True)
class AnchorStanding:
    """How the database stands to the newest checkpoint of this machine."""

    seq: int
    """Of the sealed head; 0 for an empty trail."""
    hash: str
    newest: Checkpoint | None
    """The last line of our file, if it is genuine."""
    behind: bool
    """The checkpoint knows of entries that the database does not have, or of others."""
    unsealed: bool
    """Entries wait to be chained."""


def installation_id(services: Services, keyring_id: str) -> str:
    """What checkpoints call this installation: the same before and after a restore."""
    return services.keyring.mac("installation", keyring_id.encode()).hex()


def standing(services: Services) -> AnchorStanding:
    """Compare the database with the last line of our own file. Raises OSError."""
    with services.db.hot() as connection:
        return _standing(services, connection)


_LOOK = select(
    select(AuditHead.seq).limit(1).scalar_subquery().label("seq"),
    select(AuditHead.hash).limit(1).scalar_subquery().label("hash"),
    select(Installation.keyring_id).limit(1).scalar_subquery().label("keyring_id"),
    select(AuditEntry.hash)
    .where(AuditEntry.seq == bindparam("newest"))
    .scalar_subquery()
    .label("hash_of_newest"),
    exists().where(AuditEntry.seq.is_(None)).label("unsealed"),
)
"""Asked every two seconds: one statement for all there is to know."""
_TOO_LARGE = 2**63
"""A number in a line that is not ours may be any; a database's may not."""


def _standing(services: Services, connection: Connection) -> AnchorStanding:
    file = services.settings.checkpoint_file
    newest = checkpoints.last(file) or checkpoints.last(checkpoints.aside(file))
    asked = newest.seq if newest is not None and newest.seq < _TOO_LARGE else None
    found = connection.execute(_LOOK, {"newest": asked}).one()
    seq, digest = found.seq or 0, found.hash or ""
    behind = False
    if newest is not None:
        known = installation_id(services, found.keyring_id or "")
        if not checkpoints.genuine(services.keyring, newest, installation=known):
            newest = None
        elif seq < newest.seq or found.hash_of_newest != newest.hash:
            told = verification.restores(connection, services.keyring)
            behind = not any(restore.explains(newest) for restore in told)
    return AnchorStanding(seq, digest, newest, behind, bool(found.unsealed))


def keep(services: Services, now: datetime) -> AnchorStanding:
    """Write down how far the trail has come, if that is further than what is written.

    Where the file knows more than the database nothing is written: that must stay visible.
    Raises OSError.
    """
    file = services.settings.checkpoint_file
    private.folder(file.parent)
    with checkpoints.held(file) as descriptor, services.db.hot() as connection:
        found = _standing(services, connection)
        known = (found.newest.seq, found.newest.hash) if found.newest is not None else (0, "")
        if found.behind or found.seq == 0 or known == (found.seq, found.hash):
            return found
        keyring_id = connection.scalar(select(Installation.keyring_id)) or ""
        made = checkpoints.make(
            services.keyring,
            seq=found.seq,
            digest=found.hash,
            at=now,
            installation=installation_id(services, keyring_id),
        )
        checkpoints.append(descriptor, made)
    if services.settings.audit_syslog:
        _tell(services.settings.audit_syslog, made)
    return replace(found, newest=made)


def _tell(where: str, made: Checkpoint) -> None:
    """Send it to the log service (RFC 5424); what is not heard there still stands in the file."""
    stamp = made.at.isoformat().replace("+00:00", "Z")
    message = (
        f"<{_FACILITY + _NOTICE}>1 {stamp} {socket.gethostname() or '-'} dinhdanh - "
        f"audit-checkpoint - {checkpoints.line(made)}"
    )
    host = None if where.startswith("/") else Host.read(where)
    family = socket.AF_UNIX
    if host is not None:
        family = socket.AF_INET6 if ":" in host.name else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as out:
            out.settimeout(1.0)
            out.sendto(message.encode(), where if host is None else (host.name, host.port or 514))
    except OSError:
        log.warning("audit.syslog_failed", where=where, exc_info=True)


def require(services: Services) -> None:
    """Raises Misconfigured where the database is behind the newest checkpoint of this machine."""
    try:
        found = standing(services)
    except OSError as exc:
        raise _unreadable(services.settings.checkpoint_file, exc) from exc
    if found.behind and found.newest is not None:
        raise Misconfigured(
            "database_behind",
            "Cơ sở dữ liệu cũ hơn điểm kiểm tra #{seq} trong {file} (hiện chỉ tới #{reached}). Nếu "
            "vừa khôi phục bản sao lưu, hãy chạy: dinhdanh restored. Nếu không, nhật ký đã bị cắt "
            "hoặc sửa.",
            seq=found.newest.seq,
            reached=found.seq,
            file=services.settings.checkpoint_file,
        )


def _unreadable(file: Path, exc: OSError) -> Misconfigured:
    return Misconfigured(
        "checkpoints",
        "Không đọc hoặc ghi được tệp điểm kiểm tra {file}: {why}.",
        file=file,
        why=exc.strerror or type(exc).__name__,
    )


@dataclass(frozen=True)
class Gathered:
    """What some files hold."""

    checkpoints: list[Checkpoint]
    missing: list[Path]
    empty: list[Path]
    forged: list[tuple[Path, int]]
    """Lines that look like a checkpoint and carry no signature of this installation."""


def gather(services: Services, files: Sequence[Path]) -> Gathered:
    """Every checkpoint in these files, its signature checked; none named: our own file, and the
    one put aside before it. Raises Misconfigured for a file that cannot be read.
    """
    own = services.settings.checkpoint_file
    with services.db.hot() as connection:
        keyring_id = connection.scalar(select(Installation.keyring_id)) or ""
    known = installation_id(services, keyring_id)
    found = Gathered([], [], [], [])
    older = [checkpoints.aside(own)] if not files and checkpoints.aside(own).exists() else []
    for file in [*older, *(files or [own])]:
        count = 0
        try:
            for number, each in checkpoints.read(file):
                count += 1
                if checkpoints.genuine(services.keyring, each, installation=known):
                    found.checkpoints.append(each)
                else:
                    found.forged.append((file, number))
        except FileNotFoundError:
            found.missing.append(file)
            continue
        except OSError as exc:
            raise _unreadable(file, exc) from exc
        if count == 0:
            found.empty.append(file)
    return found


def written(services: Services, now: datetime) -> None:
    """``keep`` for commands. Raises Misconfigured where the file cannot be written."""
    try:
        keep(services, now)
    except OSError as exc:
        raise _unreadable(services.settings.checkpoint_file, exc) from exc
