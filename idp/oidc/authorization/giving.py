"""What the authorization endpoint gives: one grant row, and what its response type names.

Everything given hangs on the one row, as everywhere.

A grant is written only while what it rests on still stands.
An authorization reads session and consent, thinks, and writes. Meanwhile the person may have gone
on in another capacity or taken her consent back, and whoever ended what she had given could not see
this grant. So the row is written by one statement that looks once more and holds what it looked at
(FOR SHARE): either it waits for the switch, or the withdrawal, and finds nothing to rest on; or these
wait for it, and find it among what they end. SQLite has one writer at a time.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oidc.core.errors import ConsentRequiredError, LoginRequiredError
from sqlalchemy import BigInteger, Connection, bindparam, insert, select, true

from directory.base import hot
from directory.base.config import Settings
from directory.base.crypto import random_id
from directory.base.failpoints import failpoint
from idp.assurance import may_last
from idp.oidc import grants
from idp.oidc.authorization import pushed
from idp.oidc.authorization.checked_request import CheckedRequest
from idp.oidc.authorization.consent import Consent
from idp.oidc.clients.kinds import GrantType, ResponseType
from idp.oidc.grants import Grant
from idp.oidc.id_token import id_token
from idp.oidc.opaque_tokens import Code
from idp.oidc.request import Provider
from idp.sessions import SessionView, SsoSession

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


def _written(resting: Any, *held: Any) -> hot.Statement:
    chosen = resting.with_for_update(read=True, of=held)
    return hot.write(insert(Grant).from_select(_COLUMNS, chosen).returning(Grant.id))


def _written_by_pushed(resting: Any, *held: Any) -> hot.Statement:
    """PostgreSQL's: the same, and the pushed request it answers is used up."""
    used = pushed.USED_UP.cte("used")
    chosen = resting.join(used, true()).with_for_update(read=True, of=held)
    given = insert(Grant).from_select(_COLUMNS, chosen).returning(Grant.id).cte("given")
    return hot.write(
        select(
            select(used.c.id).scalar_subquery().label("used"),
            select(given.c.id).scalar_subquery().label("given"),
        )
    )


_ISSUE = _written(_BY_SESSION, SsoSession)
_ISSUE_BY_CONSENT = _written(_BY_CONSENT, SsoSession, Consent)
_ISSUE_BY_PUSHED = _written_by_pushed(_BY_SESSION, SsoSession)
_ISSUE_BY_CONSENT_AND_PUSHED = _written_by_pushed(_BY_CONSENT, SsoSession, Consent)
_ENDED = hot.read(select(SsoSession.ended_at).where(SsoSession.id == bindparam("session")))


def give(
    provider: Provider, checked: CheckedRequest, view: SessionView, *, consent_id: int | None
) -> dict[str, str]:
    """The parameters of a successful response. One INSERT, and one SELECT for tokens.

    Raises LoginRequiredError when the session has ended meanwhile, and ConsentRequiredError when
    the consent it rests on was taken back.
    """
    request, words = checked.request, checked.response_type.words
    grant_id = random_id()
    failpoint("authorize.before_code")
    columns = _columns(provider.tools.settings, checked, view, grant_id)
    if not _given(checked, columns, consent_id=consent_id):
        ended = session_ended(request.connection, view.id)
        raise LoginRequiredError if ended else ConsentRequiredError
    said: dict[str, str] = {}
    if "code" in words:
        said["code"] = provider.tokens.handles.code(Code(grant_id))
    if words == {"code"}:
        return said
    grant = grants.read_with_person(request.connection, grant_id, now=request.now)
    if grant is None:
        raise InvalidRequestError
    if "token" in words:
        text, expires_at = provider.tokens.access(
            checked.client,
            grant,
            scopes=grant.scopes,
            resources=grant.resources,
            now=request.now,
        )
        said |= {
            "access_token": text,
            "token_type": "Bearer",
            "expires_in": str(int((expires_at - request.now).total_seconds())),
            "scope": " ".join(grant.scopes),
        }
    if "id_token" in words:
        said["id_token"] = id_token(
            provider,
            checked.client,
            grant,
            connection=request.connection,
            now=request.now,
            nonce=grant.nonce,
            access_token=said.get("access_token"),
            code=said.get("code"),
            alone=words == {"id_token"},
        )
    return said


def uses_up(checked: CheckedRequest) -> bool:
    """Whether the pushed request is used up by the statement that gives the grant (PostgreSQL), unless
    something is to be written in between.
    """
    kept, dialect = checked.kept, checked.request.connection.dialect.name
    return kept is not None and not kept.carried and not checked.agreed and dialect == "postgresql"


def _given(checked: CheckedRequest, columns: Mapping[str, Any], *, consent_id: int | None) -> bool:
    """Whether the grant has been written. Raises PageError for whoever comes second with a pushed
    request.
    """
    request, kept = checked.request, checked.kept
    if kept is None:
        return issue(request.connection, columns, consent_id=consent_id)
    statement = _ISSUE_BY_PUSHED if consent_id is None else _ISSUE_BY_CONSENT_AND_PUSHED
    values = _parameters(columns, consent_id) | {"request": kept.id, "now": request.now}
    found = statement.one(request.connection, **values)
    if found.used is None:
        raise pushed.over()
    checked.kept = None
    return found.given is not None


def _columns(
    settings: Settings, checked: CheckedRequest, view: SessionView, grant_id: str
) -> dict[str, Any]:
    request, client, now = checked.request, checked.client, checked.request.now
    by_code = "code" in checked.response_type.words
    offline = "offline_access" in checked.scopes and may_last(view.amr)
    lifetime = timedelta(seconds=settings.refresh_lifetime)
    code_lifetime = timedelta(seconds=settings.code_lifetime if by_code else 0)
    return {
        "id": grant_id,
        "user_id": view.user_id,
        "client_id": client.id,
        "session_id": view.id,
        "assignment_id": view.assignment_id,
        "scopes": checked.scopes,
        "claims": checked.kept_claims,
        "nonce": request.get("nonce"),
        "redirect_uri": checked.channel.redirect_uri,
        "code_challenge": request.get("code_challenge") or "",
        "code_jkt": checked.code_jkt,
        "resources": checked.resources,
        "front_channel": checked.response_type is not ResponseType.CODE,
        "auth_time": view.auth_time,
        "acr": checked.demand.stated(view.acr),
        "amr": list(view.amr),
        # The session's epochs, not today's: what raced an open commit is dead.
        "user_epoch": view.user_epoch,
        "installation_epoch": view.installation_epoch,
        "client_epoch": client.epoch,
        "application_epoch": client.application_epoch,
        "offline": offline,
        "refreshable": by_code and client.check_grant_type(GrantType.REFRESH),
        "issued_at": now,
        "expires_at": now + lifetime if offline else view.expires_at,
        "code_expires_at": now + code_lifetime,
        "refresh_generation": 0,
    }


def issue(connection: Connection, values: Mapping[str, Any], *, consent_id: int | None) -> bool:
    """Write a new grant of a session; False when the session has ended since it was read, or the
    consent that was read (None: it rests on none) is no longer that. One INSERT.
    """
    statement = _ISSUE if consent_id is None else _ISSUE_BY_CONSENT
    return statement.one(connection, **_parameters(values, consent_id)) is not None


def _parameters(values: Mapping[str, Any], consent_id: int | None) -> dict[str, Any]:
    found = {_PREFIX + name: value for name, value in values.items()}
    return found if consent_id is None else found | {_CONSENT: consent_id}


def session_ended(connection: Connection, session_id: str) -> bool:
    """Whether it was the session that a refused grant lacked."""
    row = _ENDED.one(connection, session=session_id)
    return row is None or row.ended_at is not None
