"""One SQLite file per application: tables, transactions, and the list of what was received."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from threading import RLock
from typing import Any

Clock = Callable[[], datetime]

ACTIVITY_KEPT = 1000

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (
    id TEXT NOT NULL PRIMARY KEY,
    external_id TEXT UNIQUE,
    user_name_key TEXT NOT NULL UNIQUE,
    revision INTEGER NOT NULL,
    resource TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS session (
    cookie_digest TEXT NOT NULL PRIMARY KEY,
    sub TEXT NOT NULL,
    sid TEXT,
    claims TEXT NOT NULL,
    id_token TEXT NOT NULL,
    access_token TEXT NOT NULL,
    refresh_token TEXT,
    csrf TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS session_sub ON session (sub);
CREATE INDEX IF NOT EXISTS session_sid ON session (sid);
CREATE TABLE IF NOT EXISTS sign_in_attempt (
    state TEXT NOT NULL PRIMARY KEY,
    browser_digest TEXT NOT NULL,
    nonce TEXT NOT NULL,
    code_verifier TEXT NOT NULL,
    onward TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS logout_token (
    jti TEXT NOT NULL PRIMARY KEY,
    sub TEXT,
    sid TEXT,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS logout_token_sub ON logout_token (sub);
CREATE INDEX IF NOT EXISTS logout_token_sid ON logout_token (sid);
CREATE TABLE IF NOT EXISTS activity (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
"""


class Kind(StrEnum):
    """What another system may send us."""

    SCIM = "scim"
    BACKCHANNEL_LOGOUT = "backchannel_logout"


def utc_now() -> datetime:
    """The present moment. The only place of these applications that asks the operating system."""
    return datetime.now(UTC)


class Database:
    """One connection, one writer at a time: enough for one process of threads on SQLite."""

    def __init__(self, path: Path | str, *, clock: Clock = utc_now) -> None:
        self.clock = clock
        self._lock = RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        # In WAL mode, NORMAL loses at most the last moment at a power cut, never consistency;
        # the provider reconciles accounts, so that moment comes back.
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file; the write-ahead log is folded into it."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. A transaction inside another one is part of it."""
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            # IMMEDIATE: a read followed by a write would otherwise fail at once under contention.
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def now(self) -> int:
        """Seconds since 1970, as tokens count them."""
        return int(self.clock().timestamp())

    def record(
        self, kind: Kind, *, method: str, path: str, status: int, detail: dict[str, Any]
    ) -> None:
        """Remember one received request; the oldest beyond the last thousand are forgotten."""
        at = self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        with self.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO activity (at, method, path, status, kind, detail)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (at, method, path, status, kind, json.dumps(detail, ensure_ascii=False)),
            )
            last = cursor.lastrowid or 0
            connection.execute("DELETE FROM activity WHERE id <= ?", (last - ACTIVITY_KEPT,))

    def activity(self) -> list[dict[str, Any]]:
        """What was received, oldest first."""
        with self.transaction() as connection:
            rows = connection.execute("SELECT * FROM activity ORDER BY id").fetchall()
        return [
            {key: row[key] for key in ("at", "method", "path", "status", "kind")}
            | {"detail": json.loads(row["detail"])}
            for row in rows
        ]
