"""The signing keys as one process knows them.

    sign, verify    by what the table says at this moment: whoever asks has read its stamp
                    (``signing_keys.STAMP``) with the client or the grant that it is for
    publish         by what it said ``FRESH`` ago at most, where the database answers; else by what
                    was read last: keys are published whether or not it does

What is published may be that old, for whoever reads it keeps it for minutes. A withdrawn key signs
nothing from the next statement on, and nothing it has signed is believed. To load an RSA key costs
33 ms: key objects are kept by name.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import Row, select

from directory.base.away import is_away
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import Misconfigured
from directory.base.remembered import Remembered
from directory.base.rows import ends_after
from idp.oidc import signing_keys
from idp.oidc.signing_keys import ALGORITHMS, STAMP, SigningKey

log = structlog.get_logger(__name__)

FRESH = timedelta(seconds=5)
"""How long a process may publish what it last read, where the database answers."""
GLANCE = 0.25
"""Seconds that whoever finds it old waits for the database before she takes what there is."""

Key = RSAKey | ECKey
_TABLE = "signing keys"
_READ = select(
    SigningKey.kid,
    SigningKey.alg,
    SigningKey.state,
    SigningKey.retire_at,
    SigningKey.public,
    SigningKey.private_sealed,
    STAMP.label("stamp"),
).order_by(SigningKey.created_at, SigningKey.kid)


@dataclass(frozen=True)
class TokenSigner:
    """The key that signs for one algorithm now."""

    kid: str
    alg: str
    key: Key

    def header(self, *, typ: str) -> dict[str, Any]:
        """The JOSE header of what it signs."""
        return {"alg": self.alg, "kid": self.kid, "typ": typ}


@dataclass(frozen=True)
class KeyList:
    """What the table says under one stamp."""

    stamp: str
    rows: Sequence[Row[Any]] = field(repr=False)
    public_keys: Mapping[str, Key] = field(repr=False)

    def current(self, alg: str) -> Row[Any] | None:
        """The key that signs by an algorithm."""
        return next((r for r in self.rows if (r.alg, r.state) == (alg, "current")), None)

    def algorithms(self) -> list[str]:
        """The algorithms we can sign with, in our order."""
        return [alg for alg in ALGORITHMS if self.current(alg) is not None]

    def jwks(self, *, now: datetime) -> dict[str, Any]:
        """The public key set (RFC 7517 §5)."""
        listed = (row.public for row in self.rows if ends_after(row.retire_at, now))
        return {"keys": [dict(public) for public in listed]}

    def verifying(self, kid: str | None, alg: str, *, now: datetime) -> list[Key]:
        """The public key that has signed under this name by this algorithm; none: nobody has."""
        named = (row for row in self.rows if (row.kid, row.alg) == (kid, alg))
        return [self.public_keys[row.kid] for row in named if ends_after(row.retire_at, now)]


class SigningKeys:
    """The keys of one installation; safe to use from several threads. It keeps nothing itself."""

    def __init__(self, db: Database, keyring: Keyring) -> None:
        self._db = db
        self._keyring = keyring

    def at(self, stamp: str) -> KeyList:
        """The keys under a stamp that was read just now, or under a newer one."""
        return self._db.remembered.recall(_TABLE, stamp, self._read)

    def now(self) -> KeyList:
        """The keys at this moment. One SELECT, and another where they have changed."""
        with self._db.read() as session:
            stamp = signing_keys.stamp(session.connection())
        return self.at(stamp)

    def newest(self) -> KeyList:
        """The keys as they were when anybody here last looked: for what may be old, and for a
        first judgement that is confirmed by ``at``.
        """
        found: KeyList | None = self._db.remembered.newest(_TABLE)
        return self.now() if found is None else found

    def naming(self, kid: str | None) -> KeyList:
        """The same, but looked at afresh where none has this name."""
        found = self.newest()
        return found if kid is None or kid in found.public_keys else self.now()

    def signer(self, alg: str, stamp: str | None = None) -> TokenSigner:
        """The current key of an algorithm; without a stamp it costs a SELECT. Raises Misconfigured
        where there is none.
        """
        found = self.now() if stamp is None else self.at(stamp)
        row = found.current(alg)
        if row is None:
            raise Misconfigured("key_missing", "Chưa có khóa ký {alg}.", alg=alg)
        return TokenSigner(row.kid, row.alg, self._private(row))

    def warm(self) -> None:
        """Read the table before anybody asks; at the first question if the database is away."""
        try:
            self.now()
        except Exception as error:
            if not is_away(error):
                log.exception("keys.unread")

    def _read(self) -> tuple[str, KeyList]:
        # Whoever asks holds a connection for single statements, of which there is no second.
        with self._db.read() as session:
            rows = session.execute(_READ).all()
        stamp = rows[0].stamp if rows else ""
        return stamp, KeyList(stamp, rows, {row.kid: _import(row.public) for row in rows})

    def _private(self, row: Row[Any]) -> Key:
        """Loaded when it first signs; twice where two threads are first at once, which harms
        nothing.
        """
        sealed = row.private_sealed

        def load() -> tuple[str, Key]:
            return sealed, _import(json.loads(self._keyring.decrypt("signing", sealed)))

        return _LOADED.recall(row.kid, sealed, load)


_LOADED = Remembered(12)
"""Private keys by key id, which is the key's thumbprint: one id is one key, whatever row it stands
in. Few sign; what signs no more is soon forgotten."""


class PublishedKeys:
    """What relying parties are told of; safe to use from several threads."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._lock = threading.Lock()
        self._looked_at: datetime | None = None

    def get(self, *, now: datetime) -> KeyList:
        """The keys to publish: as they were ``FRESH`` ago at most, unless the database is away."""
        found = self._keys.newest()
        with self._lock:
            at = self._looked_at
            if at is not None and at <= now < at + FRESH:
                return found
            self._looked_at = now
        looking = threading.Thread(target=self._keys.warm, name="keys", daemon=True)
        looking.start()
        looking.join(GLANCE)
        return self._keys.newest()


def _import(jwk: dict[str, Any]) -> Key:
    return ECKey.import_key(jwk) if jwk["kty"] == "EC" else RSAKey.import_key(jwk)
