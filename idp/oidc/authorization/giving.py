"""A grant is written only while what it rests on still stands.

An authorization reads session and consent, thinks, and writes. Meanwhile the person may have gone
on in another capacity or taken her consent back, and whoever ended what she had given could not see
this grant. So the row is written by one statement that looks once more and holds what it looked at
(FOR SHARE): either it waits for the switch, or the withdrawal, and finds nothing to rest on; or these
wait for it, and find it among what they end. SQLite has one writer at a time.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, insert, select

from idp.oidc.authorization.consent import Consent
from idp.oidc.grants import Grant
from idp.sessions import SsoSession

_LATER = {"bound_to", "code_used_at", "refreshed_at", "revoked_at", "revoke_reason"}
"""Columns that nothing is written to when a grant is given."""
_COLUMNS = [c for c in Grant.__table__.columns if c.name not in _LATER]
_PREFIX = "the_"
_CONSENT = "consent"

_BY_SESSION = (
    select(*(bindparam(_PREFIX + c.name, type_=c.type).label(c.name) for c in _COLUMNS))
    .select_from(SsoSession)
    .where(SsoSession.id == bindparam(_PREFIX + "session_id"), SsoSession.ended_at.is_(None))
)
_BY_CONSENT = _BY_SESSION.join(Consent, Consent.id == bindparam(_CONSENT, type_=BigInteger()))


def _written(resting: Any, *held: Any) -> Any:
    chosen = resting.with_for_update(read=True, of=held)
    return insert(Grant).from_select(_COLUMNS, chosen).returning(Grant.id)


_ISSUE = _written(_BY_SESSION, SsoSession)
_ISSUE_BY_CONSENT = _written(_BY_CONSENT, SsoSession, Consent)
_ENDED = select(SsoSession.ended_at).where(SsoSession.id == bindparam("session"))


def issue(connection: Connection, values: Mapping[str, Any], *, consent_id: int | None) -> bool:
    """Write a new grant of a session; False when the session has ended since it was read, or the
    consent that was read (None: it rests on none) is no longer that. One INSERT.
    """
    given = {_PREFIX + name: value for name, value in values.items()}
    if consent_id is None:
        return connection.execute(_ISSUE, given).first() is not None
    row = connection.execute(_ISSUE_BY_CONSENT, given | {_CONSENT: consent_id}).first()
    return row is not None


def session_ended(connection: Connection, session_id: str) -> bool:
    """Whether it was the session that a refused grant lacked."""
    row = connection.execute(_ENDED, {"session": session_id}).one_or_none()
    return row is None or row.ended_at is not None
