"""Signing out: RP-initiated (OIDC RP-Initiated Logout 1.0), and telling every other party.

A browser may be sent here by anybody. Only an ID token of ours about this very person and session
signs her out at once; otherwise she is asked. A hint that is not ours, or names another client, and an
address that is not registered, are refused on our own page: nobody is signed out or redirected.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory import people
from directory.base import audit, outbox
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.failpoints import failpoint
from directory.base.outbox import Priority
from idp import sessions
from idp.oidc import grants, signing_keys
from idp.oidc.authorization import consent
from idp.oidc.authorization.page_error import PageError
from idp.oidc.clients import view as client_view
from idp.oidc.clients.redirects import with_query
from idp.oidc.clients.view import ClientView
from idp.oidc.cutter import RELYING_PARTY_SESSION, latest_per_party, logout_job, not_ended
from idp.oidc.live_grants import LiveGrant, not_revoked
from idp.oidc.tokens import Tokens
from idp.sessions import SessionView

OFFLINE_TOO = frozenset({"switched", "switch"})
"""Reasons that end offline grants as well: she left the capacity they act in."""


@dataclass(frozen=True)
class Wish:
    """A sign-out that may be carried out, and where the browser goes then."""

    client: ClientView | None
    location: str | None
    ask: bool
    """Whether the person must confirm on our page."""

    @property
    def host(self) -> str:
        """Where the person will be taken."""
        return urlsplit(self.location or "").netloc or (self.location or "").partition("?")[0]


def wish(
    connection: Connection,
    tokens: Tokens,
    values: dict[str, str],
    view: SessionView | None,
    *,
    now: datetime,
) -> Wish:
    """What a logout request asks for. Raises PageError when nothing of it may be followed."""
    hint = _hint(connection, tokens, values, now=now)
    client = _client(connection, values.get("client_id"), hint)
    uri = values.get("post_logout_redirect_uri")
    location = None
    if uri is not None:
        if client is None and not values.keys() & {"client_id", "id_token_hint"}:
            raise PageError(
                "logout_client_missing",
                "Ứng dụng muốn đưa bạn về một địa chỉ sau khi đăng xuất nhưng không nói nó là "
                "ứng dụng nào (id_token_hint hoặc client_id). Bạn chưa được đăng xuất.",
            )
        if client is None or uri not in client.post_logout_redirect_uris:
            raise PageError(
                "post_logout_redirect_uri",
                "Địa chỉ chuyển về sau khi đăng xuất không đúng với đăng ký của ứng dụng. "
                "Bạn chưa được đăng xuất.",
                client_id=client.client_id if client is not None else "",
                sent=uri,
            )
        state = [("state", values["state"])] if "state" in values else []
        location = with_query(uri, state) if state else uri
    # §2: an ID token about somebody else, or of another session of hers (which may be years old, and
    # in anybody's log), says nothing about whoever is signed in here. §3: without one, a person
    # confirms that she wants to be taken there, signed in or not.
    certain = hint is not None and (view is None or _about(hint, view, client, tokens))
    asking = view is not None or location is not None
    return Wish(client, location, ask=asking and not certain)


def _hint(
    connection: Connection, tokens: Tokens, values: dict[str, str], *, now: datetime
) -> dict[str, Any] | None:
    """§2: an expired ID token is accepted, one we have not signed is not. One SELECT."""
    text = values.get("id_token_hint")
    if text is None:
        return None
    keys = tokens.keys.at(signing_keys.stamp(connection))
    found = tokens.signed_by_us(text, typ="JWT", keys=keys, now=now)
    # Other JWTs of ours lack one of these: signed responses have no sub, signed userinfo no exp.
    whole = found is not None and {"sub", "iat", "exp"} <= found.keys()
    if found is None or not whole or not isinstance(found.get("aud"), str):
        raise PageError(
            "id_token_hint",
            "Ứng dụng gửi kèm một ID token không do hệ thống này cấp hoặc đã bị sửa. "
            "Bạn chưa được đăng xuất.",
            client_id=values.get("client_id", ""),
        )
    return found


def _about(
    hint: dict[str, Any], view: SessionView, client: ClientView | None, tokens: Tokens
) -> bool:
    """Whether the hint names whoever is signed in and this session, as its client knows both."""
    salt, names = client.sector_salt if client is not None else None, tokens.subjects
    same = hint.get("sub") == names.subject(view.sub, salt)
    return same and hint.get("sid") == names.session(view.id, salt)


def _client(
    connection: Connection, client_id: str | None, hint: dict[str, Any] | None
) -> ClientView | None:
    audience = hint["aud"] if hint is not None else None
    # §2: when both are present they must be the same.
    if client_id is not None and audience is not None and client_id != audience:
        raise PageError(
            "client_id", "Yêu cầu đăng xuất nêu hai ứng dụng khác nhau. Bạn chưa được đăng xuất."
        )
    named = client_id or audience
    return client_view.view(connection, named) if named else None


def enqueue_logout(
    session: Session, session_ids: Sequence[str], *, now: datetime, reason: str
) -> None:
    """These sessions have ended: end their grants and tell the relying parties behind them."""
    held = not_revoked(session, session_ids=session_ids, since=now - RELYING_PARTY_SESSION)
    ended = [g.id for g in held if not g.offline or reason in OFFLINE_TOO]
    grants.revoke(session, ended, now=now, reason=reason)
    _tell(session, held, now=now)
    failpoint("session.told")


def end_everywhere(
    session: Session, user_id: int, *, now: datetime, settings: Settings, actor: Actor
) -> list[str]:
    """She signs out everywhere: every session of hers, and all that applications and devices hold
    on her behalf, ends; the sessions that had not ended before. Relying parties are told.

    Whoever proved to be her before proves it again, also in a sign-in under way: what it still
    gives carries her old epoch.
    """
    people.cut(session, user_id)
    open_ones = [row.id for row in not_ended(session, [user_id])]
    ended = sessions.end_many(session, open_ones, now=now, reason="everywhere", actor=actor)
    held = not_revoked(session, user_ids=[user_id], since=now - RELYING_PARTY_SESSION)
    grants.revoke(session, [g.id for g in held], now=now, reason="everywhere")
    _tell(session, held, now=now, in_flight=timedelta(seconds=2 * settings.code_lifetime))
    audit.record(
        session,
        Tag.GRANT_REVOKE,
        at=now,
        actor=actor,
        subject=("user", user_id),
        data={"reason": "everywhere", "grants": len(held)},
    )
    return ended


def end_consent(
    session: Session, user_id: int, client_id: int, *, now: datetime, actor: Actor
) -> None:
    """She takes back what she allowed one application: its grants end, and it is told."""
    held = not_revoked(session, user_ids=[user_id], since=now - RELYING_PARTY_SESSION)
    consent.withdraw(session, user_id=user_id, client_id=client_id, actor=actor, now=now)
    _tell(session, [g for g in held if g.client_id == client_id], now=now)


def _tell(
    session: Session,
    held: Iterable[LiveGrant],
    *,
    now: datetime,
    in_flight: timedelta = timedelta(),
) -> None:
    """A logout token to each relying party that may have begun a session of its own: by a code it
    has redeemed, or by one so young that a request we cannot see yet may be redeeming it.
    """
    young = now - in_flight
    told = latest_per_party(g for g in held if g.given_at is not None or g.issued_at > young)
    outbox.enqueue_rows(
        session,
        [logout_job(grant, n, now=now, priority=Priority.URGENT) for n, grant in enumerate(told)],
    )
