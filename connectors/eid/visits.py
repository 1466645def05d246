"""A visit to an upstream: begun, come back once, vouched for, and whose it is here.

    begin       where she goes; nothing is written
    vouched     what upstream says when she is back: the visit, and its code, count once on all nodes
    correlate   who that is: by the citizen number, among people whom HR has entered, and nobody else

What is vouched for is checked against the directory at one moment, and again when it is written down.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from connectors.eid import reviews, upstreams
from connectors.eid.calling import Calls
from connectors.eid.profiles import Back, Begun, EidProfile, Party, Visit
from connectors.eid.refusals import EidRefused, Why
from connectors.eid.reviews import Decision
from connectors.eid.vouched import Vouched
from directory import eid_links, people
from directory.base import replay_cache
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.crypto import Keyring
from directory.base.db import Database
from directory.base.errors import NotFound
from directory.eid_links import Identity
from directory.entitlements import installation_epoch

LONGEST = timedelta(minutes=10)
"""Between her leaving and her coming back."""
_REMEMBERED = timedelta(days=1)
"""How long a code is known to have been brought."""


@dataclass(frozen=True)
class Known:
    """A person of the directory, as an upstream's word finds her."""

    user_id: int
    username: str
    full_name: str
    masked: str
    """Her number."""
    user_epoch: int
    installation_epoch: int
    identity: Identity
    linked: bool
    """Whether she has been linked before; else she is to be shown what would be."""


def spoken_to(database: Database, keyring: Keyring, name: str) -> tuple[EidProfile, Party]:
    """An upstream that is enabled at this moment. Raises EidRefused."""
    with database.read() as session:
        try:
            row = upstreams.get(session, name)
        except NotFound as exc:
            raise EidRefused(Why.DISABLED, "unknown upstream") from exc
        if not row.enabled:
            raise EidRefused(Why.DISABLED)
        return upstreams.profile(row), upstreams.party(row, keyring)


def begin(calls: Calls, profile: EidProfile, party: Party, wanted: Visit) -> Begun:
    """Where she goes. Raises EidRefused."""
    if (wanted.anew or wanted.max_age is not None) and not (
        profile.tells_when or party.settings.asks_anew
    ):
        raise EidRefused(Why.STALE, "upstream cannot say when she was asked")
    begun = profile.begin(calls, party, wanted)
    return replace(begun, kept={**begun.kept, "began": calls.now.isoformat()})


def vouched(  # noqa: PLR0913 (what came back, one keyword each)
    database: Database,
    calls: Calls,
    profile: EidProfile,
    party: Party,
    *,
    redirect_uri: str,
    query: str,
    state: str,
    kept: Mapping[str, str],
) -> Vouched:
    """What upstream says of whoever is back. Raises EidRefused."""
    now = calls.now
    began = datetime.fromisoformat(kept["began"])
    if not began <= now < began + LONGEST:
        raise EidRefused(Why.TOO_LATE)
    _once(database, "eid-visit", party.name, state, now + LONGEST)
    back = Back(redirect_uri, query, kept, began)
    _once(database, "eid-code", party.name, profile.code_of(back), now + _REMEMBERED)
    found = profile.vouch(calls, party, back)
    # When she was asked there, where that is signed; else when she left us, if she is always asked.
    asked = found.at or (began if party.settings.asks_anew else None)
    return replace(found, at=asked and min(asked, now))


def _once(database: Database, kind: str, whose: str, what: str, until: datetime) -> None:
    with database.hot() as connection:
        digest = replay_cache.digest(kind, whose, what)
        if not replay_cache.first(connection, digest, until=until):
            raise EidRefused(Why.REPLAYED)


def correlate(
    database: Database,
    keyring: Keyring,
    party: Party,
    found: Vouched,
    *,
    expected: int | None,
    now: datetime,
    actor: Actor,
) -> Known:
    """Who she is here; ``expected`` is whose the proofs of this sign-in are so far. A difference of
    name or birth date is put before somebody. Raises EidRefused.
    """
    with database.read() as session:
        known = _known(session, keyring, party, found, expected, now)
        user = people.get(session, known.user_id)
        if known.linked or not reviews.differences(user, found):
            return known
        decision = reviews.decided(session, keyring, user, known.identity, found)
    if decision is Decision.ACCEPTED:
        return known
    if decision is Decision.DECLINED:
        raise EidRefused(Why.DECLINED_REVIEW)
    with database.write() as session:
        user = people.get(session, known.user_id)
        reviews.ask(session, keyring, user, known.identity, found, now=now, actor=actor)
    raise EidRefused(Why.DIFFERS)


def _known(
    session: Session,
    keyring: Keyring,
    party: Party,
    found: Vouched,
    expected: int | None,
    now: datetime,
) -> Known:
    user = people.by_citizen_number(session, keyring, found.number)
    subject = eid_links.digest(keyring, found.issuer, found.subject)
    before = eid_links.of_subject(session, found.issuer, subject)
    if before is not None and (user is None or before != (user.id, user.citizen_hash)):
        raise EidRefused(Why.OTHER_NUMBER)
    if user is None or user.citizen_hash is None:
        raise EidRefused(Why.UNKNOWN_PERSON)
    if expected is not None and user.id != expected:
        raise EidRefused(Why.OTHER_PERSON)
    if not user.may_act(local_day(now)):
        raise EidRefused(Why.INACTIVE)
    linked = before == (user.id, user.citizen_hash)
    if not linked and eid_links.has(session, user.id, party.name):
        raise EidRefused(Why.OTHER_SUBJECT)
    identity = Identity(
        party.name, found.issuer, subject, user.citizen_hash, found.level, found.via
    )
    return Known(
        user.id,
        user.username,
        user.full_name,
        user.citizen_masked or "",
        user.access_epoch,
        installation_epoch(session),
        identity,
        linked,
    )
