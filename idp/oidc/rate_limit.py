"""Rows that anybody may have written: requests of clients that prove nothing about themselves.

Whoever knows the ``client_id`` of a public client could fill tables in its name; so many requests
of one address are taken in a window (RFC 6819 §4.4.1.11, OWASP API4:2023).
"""

from datetime import timedelta

from authlib.oauth2.rfc6749 import OAuth2Error

from directory.base.errors import Locked
from idp.factors import throttle
from idp.oidc.clients.kinds import GrantType
from idp.oidc.grant_types import device
from idp.oidc.grants import GrantView
from idp.oidc.request import Call

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
    """Nor has it brought too many DPoP proofs with nothing that gives tokens now: each is remembered.
    One SELECT or two for a public client that brings a proof with a device code.
    """
    if call.client.public and call.request.arrival.dpop is not None and not _may_give(call):
        _count(call, "proof")


def _may_give(call: Call) -> bool:
    """Whether what the grant type asks for is brought, of ours, this client's and not over. Whoever
    knows the name of a public client has us remember a proof with each request that can give
    nothing; honest ones make few.
    """
    request, handles = call.request, call.provider.tokens.handles
    match request.payload.grant_type:
        case GrantType.CODE:
            code = handles.open_code(request.get("code") or "")
            return code is not None and _redeemable(call, code.grant_id)
        case GrantType.REFRESH:
            refresh = handles.open_refresh(request.get("refresh_token") or "")
            return refresh is not None and _living(call, refresh.grant_id) is not None
        case GrantType.DEVICE:
            device_code = handles.open_device(request.get("device_code") or "")
            return device_code is not None and _worth_asking(call, device_code)
    return False


def _living(call: Call, grant_id: str) -> GrantView | None:
    """The grant, if it is this client's and lives."""
    grant = call.request.grant_named(grant_id)
    return grant if grant and grant.living and grant.check_client(call.client) else None


def _redeemable(call: Call, grant_id: str) -> bool:
    """Whether the grant's one-time code is unused and in time."""
    grant, now = _living(call, grant_id), call.request.now
    return grant is not None and grant.code_used_at is None and grant.code_expires_at > now


def _worth_asking(call: Call, request_id: str) -> bool:
    """Whether the device that holds this code may ask now. Anybody is given one without a sign-in:
    one poll in its interval is the device's, more are not.
    """
    found, now = device.waiting(call.request.connection, request_id), call.request.now
    if found is None or found.client_id != call.client.id or found.expires_at <= now:
        return False
    if found.decided_at is None:
        return not found.too_fast(now)
    return found.grant_id is not None and _redeemable(call, found.grant_id)


def _count(call: Call, what: str) -> None:
    """One more of this address. Raises Crowded."""
    if not call.client.public:
        return
    key, now = f"{what}:{throttle.source_key(call.request.source[0])}", call.request.now
    try:
        with call.provider.tools.db.write() as session:
            throttle.admit(session, key, most=MOST, window=WINDOW, now=now)
    except Locked as exc:
        raise Crowded(exc.until - now) from exc
