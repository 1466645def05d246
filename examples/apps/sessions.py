"""Who is signed in: rows in our own database. The browser holds a random cookie and nothing else.

Because sessions are rows, a logout token can end one by ``sid`` or all of a person by ``sub``.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from sqlite3 import Connection, Row
from typing import Any

from examples.apps.database import Database
from examples.apps.provider import SignIn, Tokens

SESSION_SECONDS = 8 * 3600
ATTEMPT_SECONDS = 15 * 60
STRONG = ("urn:vn:aal:2", "urn:vn:aal:3", "urn:vn:aal:4")
"""Levels at which two factors have been proven, the least first."""


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser."""

    digest: str
    sub: str
    sid: str | None
    claims: Mapping[str, Any]
    id_token: str
    access_token: str
    refresh_token: str | None
    csrf: str

    @property
    def name(self) -> str:
        """The best name the provider gave."""
        given = (self.claims.get(key) for key in ("name", "preferred_username", "email", "sub"))
        return next((str(value) for value in given if value), "")

    @property
    def is_strong(self) -> bool:
        """Whether she has proven herself by two factors (claim ``acr``)."""
        return self.claims.get("acr") in STRONG

    @property
    def work(self) -> "Work":
        """The assignment she signed in with (claim ``org``)."""
        return Work.of(self.claims.get("org"))


@dataclass(frozen=True, slots=True)
class Work:
    """Unit and position of an assignment; every part may be missing."""

    assignment_id: str | None = None
    unit_id: str | None = None
    unit: str | None = None
    position: str | None = None
    capacity: str | None = None

    @classmethod
    def of(cls, org: object) -> "Work":
        """Read the claim ``org``, forgiving what is absent or of another shape."""
        if not isinstance(org, dict):
            return cls()
        unit, position = (_named(org.get(key)) for key in ("unit", "position"))
        return cls(
            assignment_id=org.get("assignment_id"),
            unit_id=unit.get("id"),
            unit=unit.get("name"),
            position=position.get("name"),
            capacity=org.get("capacity"),
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in under way: what its answer must match, and where she goes then."""

    nonce: str
    code_verifier: str
    onward: str


def _named(value: object) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    return {"name": value} if isinstance(value, str) else {}


def digest(cookie: str) -> str:
    """What is stored of a cookie: reading the database does not let anyone sign in."""
    return hashlib.sha256(cookie.encode()).hexdigest()


class Sessions:
    """Sign-ins under way, and sessions."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def attempt(self, sign_in: SignIn, *, browser: str, onward: str) -> None:
        """Remember a sign-in that was sent to the provider, tied to this browser."""
        now = self.database.now()
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM sign_in_attempt WHERE expires_at <= ?", (now,))
            connection.execute("DELETE FROM session WHERE expires_at <= ?", (now,))
            connection.execute(
                "INSERT INTO sign_in_attempt VALUES (?, ?, ?, ?, ?, ?)",
                (
                    sign_in.state,
                    digest(browser),
                    sign_in.nonce,
                    sign_in.code_verifier,
                    onward,
                    now + ATTEMPT_SECONDS,
                ),
            )

    def claim_attempt(self, state: str, *, browser: str) -> Attempt | None:
        """Take what an attempt must remember; nobody can take it again."""
        with self.database.transaction() as connection:
            row = connection.execute(
                "DELETE FROM sign_in_attempt WHERE state = ? AND browser_digest = ?"
                " AND expires_at > ? RETURNING nonce, code_verifier, onward",
                (state, digest(browser), self.database.now()),
            ).fetchone()
        return None if row is None else Attempt(*row)

    def start(self, tokens: Tokens) -> str | None:
        """Open a session and return its cookie.

        None when a logout token for this sign-in overtook it on the way: the provider has ended
        the session that the code came from, so there is nothing left to open.
        """
        cookie = secrets.token_urlsafe(32)
        claims = tokens.claims
        with self.database.transaction() as connection:
            if _already_ended(connection, claims):
                return None
            connection.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    digest(cookie),
                    claims["sub"],
                    claims.get("sid"),
                    json.dumps(dict(claims), ensure_ascii=False),
                    tokens.id_token,
                    tokens.access_token,
                    tokens.refresh_token,
                    secrets.token_urlsafe(24),
                    self.database.now() + SESSION_SECONDS,
                ),
            )
        return cookie

    def find(self, cookie: str | None) -> Session | None:
        """The session of a browser, unless it ended."""
        if not cookie:
            return None
        with self.database.transaction() as connection:
            row = connection.execute(
                "SELECT * FROM session WHERE cookie_digest = ? AND expires_at > ?",
                (digest(cookie), self.database.now()),
            ).fetchone()
        return None if row is None else _session(row)

    def renew(self, session: Session, tokens: Tokens) -> None:
        """Keep the tokens of a refresh; a session that ended meanwhile stays ended."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE session SET access_token = ?, refresh_token = ?, id_token = ?"
                " WHERE cookie_digest = ?",
                (
                    tokens.access_token,
                    tokens.refresh_token or session.refresh_token,
                    tokens.id_token or session.id_token,
                    session.digest,
                ),
            )

    def end(self, session: Session) -> None:
        """End one session."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM session WHERE cookie_digest = ?", (session.digest,))

    def end_matching(self, *, sub: str | None, sid: str | None) -> int:
        """End the session ``sid``, or without one every session of ``sub``; say how many."""
        with self.database.transaction() as connection:
            return connection.execute(
                "DELETE FROM session WHERE (?1 IS NOT NULL OR ?2 IS NOT NULL)"
                " AND (?1 IS NULL OR sid = ?1) AND (?2 IS NULL OR sub = ?2)",
                (sid, sub),
            ).rowcount


def _already_ended(connection: Connection, claims: Mapping[str, Any]) -> bool:
    """Whether a logout token younger than this ID token names its ``sid`` or its ``sub``.

    Both are stamped in whole seconds. Within one second the ``sid`` is believed gone; the ``sub``
    is not, for she may just have signed in again.
    """
    row = connection.execute(
        "SELECT 1 FROM logout_token WHERE (sid = ?1 AND issued_at >= ?3)"
        " OR (sid IS NULL AND sub = ?2 AND issued_at > ?3)",
        (claims.get("sid"), claims["sub"], claims["iat"]),
    ).fetchone()
    return row is not None


def _session(row: Row) -> Session:
    return Session(
        digest=row["cookie_digest"],
        sub=row["sub"],
        sid=row["sid"],
        claims=json.loads(row["claims"]),
        id_token=row["id_token"],
        access_token=row["access_token"],
        refresh_token=row["refresh_token"],
        csrf=row["csrf"],
    )
