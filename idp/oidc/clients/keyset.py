"""A client's own keys: those it registered (``jwks``), or those it publishes (``jwks_uri``).

What it publishes is fetched through the one guarded client and kept per process: as long as the
answer allows, within bounds; afresh when a signature names a key that the copy lacks or fits none
of its keys, so that a rotation needs no notice, but at most every ``AGAIN`` seconds per client,
so that nobody makes us call out by sending rubbish.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import Key, OctKey

from connectors.errors import ConnectorError
from connectors.outbound import Response
from connectors.tools import Tools
from directory.base import jws
from directory.base.errors import DinhdanhError
from directory.base.jwk import Jwk, usable
from directory.base.jws import Untrusted
from idp.oidc.clients.call_limits import Slots
from idp.oidc.clients.client_rows import secret_lives
from idp.oidc.clients.view import ClientView

AGAIN = timedelta(seconds=10)
"""Between two calls that a failure or an unknown key has caused."""
FRESHEST = timedelta(minutes=1)
USUAL = timedelta(minutes=5)
OLDEST = timedelta(hours=1)
"""The bounds of a copy's age, whatever the answer's max-age says; also where no newer copy can
be had: a key its owner has withdrawn must not live on for long."""
LARGEST = 64 * 1024
MOST_KEYS = 50
MOST_TRIED = 8
"""Keys tried on one signature that names none."""
SLOWEST = 5.0
"""Seconds one call may take."""
AT_ONCE = 4
"""Calls under way at the same time, one per client: slow servers of clients must not take all our
threads, nor one client all calls."""
PATIENCE = 2.0
"""Seconds to wait for another thread that is fetching the same keys."""
COPIES = 1000
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=\"?(\d{1,9})")


class NoKeys(DinhdanhError):
    """No key of the client's can be had: it has none that fits, or its server does not answer."""

    status = 400

    def __init__(self) -> None:
        super().__init__("client_keys", "Không có khóa công khai phù hợp của ứng dụng.")


@dataclass(frozen=True)
class Opened:
    """What a client has signed."""

    header: dict[str, Any]
    claims: dict[str, Any]


def opened(
    keys: "ClientKeys", client: ClientView, text: str, *, algorithms: Collection[str], now: datetime
) -> Opened:
    """The header and claims of a text the client has signed. Raises Untrusted, NoKeys."""
    found = jws.read(text, algorithms=algorithms)
    fitting = keys.fitting(client, kid=found.kid, alg=found.alg, now=now)
    try:
        return Opened(found.header, jws.claims(found, fitting))
    except Untrusted:
        # It may have published another key under the same name, or names none.
        if not keys.renew(client, now=now):
            raise
    fitting = keys.fitting(client, kid=found.kid, alg=found.alg, now=now)
    return Opened(found.header, jws.claims(found, fitting))


@dataclass
class _Copy:
    """What one client published when we last looked."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: tuple[Jwk, ...] = ()
    fetched_at: datetime | None = None
    fresh_until: datetime | None = None
    not_before: datetime | None = None
    """Before that it is not fetched again."""

    def answers(self, kid: str | None, now: datetime) -> bool:
        """Whether there is no reason to fetch, or a reason not to."""
        fresh = self.fresh_until is not None and now < self.fresh_until
        known = kid is None or any(key.get("kid") == kid for key in self.keys)
        return (fresh and known) or not self.due(now)

    def due(self, now: datetime) -> bool:
        """Whether it may be fetched."""
        return self.not_before is None or now >= self.not_before

    def usable(self, now: datetime) -> tuple[Jwk, ...]:
        """The keys, while they are not too old."""
        young = self.fetched_at is not None and now < self.fetched_at + OLDEST
        return self.keys if young else ()


class ClientKeys:
    """One process's copies of what clients publish; safe to use from several threads."""

    def __init__(self, tools: Tools) -> None:
        self._outbound = tools.outbound
        self._keyring = tools.keyring
        self._lock = threading.Lock()
        self._copies: OrderedDict[tuple[int, str], _Copy] = OrderedDict()
        self._calls = Slots(AT_ONCE)

    def fitting(self, client: ClientView, *, kid: str | None, alg: str, now: datetime) -> list[Key]:
        """The keys by which a signature of this algorithm may be checked, at least one.

        For HMAC those are its secrets in force, else the public keys it has registered or
        publishes: the key named ``kid``, where none has that name those without a name, and all
        where the signature names none. Raises NoKeys.
        """
        if alg in jws.HMAC:
            keys: list[Key] = [*self._secrets(client, now)]
        else:
            found = self.published(client, kid=kid, now=now)
            named = [jwk for jwk in found if kid is None or jwk.get("kid") == kid]
            named = named or [jwk for jwk in found if "kid" not in jwk]
            keys = [key for jwk in named if (key := usable(jwk, alg)) is not None]
        if not keys:
            raise NoKeys
        return keys[:MOST_TRIED]

    def _secrets(self, client: ClientView, now: datetime) -> list[OctKey]:
        """Its secrets in force, as far as they were kept to sign with (``client_rows.kept``)."""
        found = []
        for kept in client.secrets:
            if "sealed" in kept and secret_lives(kept, now):
                secret = self._keyring.decrypt("client-secret", kept["sealed"])
                found.append(OctKey.import_key(secret))
        return found

    def published(self, client: ClientView, *, kid: str | None, now: datetime) -> Sequence[Jwk]:
        """The client's key set, read afresh when it lacks ``kid``. Raises NoKeys."""
        options = client.options
        if options.jwks is not None:
            return _keys(options.jwks)
        if options.jwks_uri is None:
            raise NoKeys
        copy = self._copy(client, options.jwks_uri)
        if not copy.answers(kid, now):
            self._fetch(copy, client, options.jwks_uri, kid=kid, now=now)
        return copy.usable(now)

    def renew(self, client: ClientView, *, now: datetime) -> bool:
        """Fetch what it publishes because no key of the copy fits; whether that was done."""
        uri = client.options.jwks_uri
        if client.options.jwks is not None or uri is None:
            return False
        copy = self._copy(client, uri)
        before = copy.fetched_at
        if before is None or before == now or not copy.due(now):
            return False
        copy.fresh_until = None
        self._fetch(copy, client, uri, kid=None, now=now)
        return copy.fetched_at != before

    def _copy(self, client: ClientView, uri: str) -> _Copy:
        with self._lock:
            copy = self._copies.setdefault((client.id, uri), _Copy())
            self._copies.move_to_end((client.id, uri))
            while len(self._copies) > COPIES:
                self._copies.popitem(last=False)
            return copy

    def _fetch(
        self, copy: _Copy, client: ClientView, uri: str, *, kid: str | None, now: datetime
    ) -> None:
        """One thread calls; the others wait a little and make do with what there is then."""
        if not copy.lock.acquire(timeout=PATIENCE):
            return
        try:
            if copy.answers(kid, now):
                return
            with self._calls.one(client.id) as free:
                if free:
                    self._call(copy, uri, now)
        finally:
            copy.lock.release()

    def _call(self, copy: _Copy, uri: str, now: datetime) -> None:
        # The first copy may at once be found to lack a key; after that there is a pause.
        again = copy.fetched_at is not None
        try:
            headers = {"Accept": "application/jwk-set+json, application/json"}
            answer = self._outbound.request("GET", uri, headers=headers, timeout=SLOWEST)
            found = _keys(_json(answer.require_ok()))
        except (ConnectorError, NoKeys, RecursionError):
            copy.not_before = now + AGAIN
            return
        copy.keys = tuple(found)
        copy.fetched_at, copy.fresh_until = now, now + _lifetime(answer)
        copy.not_before = now + AGAIN if again else None


def _json(answer: Response) -> Any:
    """Raises NoKeys for too much, Rejected for what is no JSON."""
    if len(answer.body) > LARGEST:
        raise NoKeys
    return answer.json()


def _keys(found: Any) -> list[Jwk]:
    """The members of a JWK Set (RFC 7517 §5). Raises NoKeys when it is none, or outsized."""
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, list) or len(keys) > MOST_KEYS:
        raise NoKeys
    return [key for key in keys if isinstance(key, dict)]


def _lifetime(answer: Response) -> timedelta:
    """How long an answer may be kept (RFC 9111 §5.2.2.1), within our bounds."""
    found = _MAX_AGE.search(answer.headers.get("Cache-Control", "").lower())
    wanted = timedelta(seconds=int(found[1])) if found else USUAL
    return min(max(wanted, FRESHEST), OLDEST)
