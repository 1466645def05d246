"""Rows that anybody may have written: requests of clients that prove nothing about themselves.

Whoever knows the ``client_id`` of a public client could fill tables in its name; so many requests
of one address are taken in a window (RFC 6819 §4.4.1.11, OWASP API4:2023).
"""

from datetime import timedelta

from authlib.oauth2.rfc6749 import OAuth2Error

from directory.base.errors import Locked
from idp.factors import throttle
from idp.oidc.request import Call
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


def source_counted(call: Call) -> None:
    """A public client's address has not asked too often; those that prove who they are do not
    count.
    """
    _count(call, call.endpoint)


def proof_counted(call: Call) -> None:
    """Nor has it brought too many DPoP proofs with nothing that we have made: each is remembered."""
    if call.request.arrival.dpop is not None and not _may_give(call):
        _count(call, "proof")


def _may_give(call: Call) -> bool:
    """Whether something that we have made is brought. Whoever knows the name of a public client
    has us remember a proof with each request that can give nothing; honest ones make none.
    """
    handles = call.provider.tokens.handles
    read = {
        "code": handles.open_code,
        "refresh_token": handles.open_refresh,
        "device_code": handles.open_device,
    }
    return any(opened(call.request.get(name) or "") is not None for name, opened in read.items())


def _count(call: Call, what: str) -> None:
    """One more of this address. Raises Crowded."""
    if not call.client.public:
        return
    key, now = f"{what}:{throttle.source_key(client_address()[0])}", call.request.now
    try:
        with call.provider.tools.db.write() as session:
            throttle.admit(session, key, most=MOST, window=WINDOW, now=now)
    except Locked as exc:
        raise Crowded(exc.until - now) from exc
