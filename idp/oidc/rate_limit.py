"""Rows that anybody may have written: requests of clients that prove nothing about themselves.

Whoever knows the ``client_id`` of a public client could fill tables in its name; so many requests
of one address are taken in a window (RFC 6819 §4.4.1.11, OWASP API4:2023).
"""

from datetime import datetime, timedelta

from authlib.oauth2.rfc6749 import OAuth2Error

from directory.base.errors import Locked
from idp.factors import throttle
from idp.oidc.clients.view import ClientView
from idp.oidc.provider import Provider
from idp.web.gate import client_address

MOST = 100
WINDOW = timedelta(minutes=10)


class Crowded(OAuth2Error):  # type: ignore[misc]
    """429: this address has asked too often (RFC 6585 §4)."""

    error = "temporarily_unavailable"
    description = "Too many requests from this address."
    status_code = 429

    def __init__(self, wait: timedelta) -> None:
        super().__init__()
        self._wait = max(1, int(wait.total_seconds()))

    def get_headers(self) -> list[tuple[str, str]]:
        """With Retry-After."""
        return [*super().get_headers(), ("Retry-After", str(self._wait))]


def admit(provider: Provider, client: ClientView, endpoint: str, *, now: datetime) -> None:
    """One more request of this address at this endpoint; those that prove who they are do not
    count. Raises Crowded.
    """
    if not client.public:
        return
    key = f"{endpoint}:{throttle.source_key(client_address()[0])}"
    try:
        with provider.tools.db.write() as session:
            throttle.admit(session, key, most=MOST, window=WINDOW, now=now)
    except Locked as exc:
        raise Crowded(exc.until - now) from exc
