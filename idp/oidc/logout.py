"""Signing out: RP-initiated (OIDC RP-Initiated Logout 1.0), and telling every other party.

A browser may be sent here by anybody. Only an ID token of ours about this very person signs her
out at once; otherwise she is asked. A hint that is not ours, or names another client, and an
address that is not registered, are refused on our own page: nobody is signed out or redirected.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base import outbox
from directory.base.outbox import Priority
from idp.oidc import grants
from idp.oidc.artefact import latest_per_party, logout_job
from idp.oidc.authorization.shown import Shown
from idp.oidc.clients import view as client_view
from idp.oidc.clients.redirects import with_query
from idp.oidc.clients.view import ClientView
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


def wish(
    connection: Connection,
    tokens: Tokens,
    values: dict[str, str],
    view: SessionView | None,
    *,
    now: datetime,
) -> Wish:
    """What a logout request asks for. Raises Shown when nothing of it may be followed."""
    hint = _hint(tokens, values.get("id_token_hint"), now=now)
    client = _client(connection, values.get("client_id"), hint)
    uri = values.get("post_logout_redirect_uri")
    location = None
    if uri is not None:
        if client is None or uri not in client.post_logout_redirect_uris:
            raise Shown(
                "post_logout_redirect_uri",
                "Địa chỉ chuyển về sau khi đăng xuất không đúng với đăng ký.",
            )
        state = [("state", values["state"])] if "state" in values else []
        location = with_query(uri, state) if state else uri
    # §2: an ID token about somebody else says nothing about whoever is signed in here.
    certain = hint is not None and (view is None or hint.get("sub") == view.sub)
    return Wish(client, location, ask=not certain and view is not None)


def _hint(tokens: Tokens, text: str | None, *, now: datetime) -> dict[str, Any] | None:
    """§2: an expired ID token is accepted, one we have not signed is not."""
    if text is None:
        return None
    found = tokens.signed_by_us(text, typ="JWT", now=now)
    if found is None or not isinstance(found.get("aud"), str):
        raise Shown("id_token_hint", "Yêu cầu đăng xuất không hợp lệ.")
    return found


def _client(
    connection: Connection, client_id: str | None, hint: dict[str, Any] | None
) -> ClientView | None:
    audience = hint["aud"] if hint is not None else None
    # §2: when both are present they must be the same.
    if client_id is not None and audience is not None and client_id != audience:
        raise Shown("client_id", "Yêu cầu đăng xuất không hợp lệ.")
    named = client_id or audience
    return client_view.view(connection, named) if named else None


def enqueue_logout(
    session: Session, session_ids: Sequence[str], *, now: datetime, reason: str
) -> None:
    """These sessions have ended: end their grants and tell the relying parties behind them."""
    held = grants.not_revoked(session, session_ids=session_ids, since=now - timedelta(days=1))
    ended = [g.id for g in held if not g.offline or reason in OFFLINE_TOO]
    grants.revoke(session, ended, now=now, reason=reason)
    told = latest_per_party(g for g in held if g.code_used_at is not None)
    outbox.enqueue_rows(
        session,
        [logout_job(grant, n, now=now, priority=Priority.URGENT) for n, grant in enumerate(told)],
    )
