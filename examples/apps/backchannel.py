"""Back-channel logout: the provider tells us, server to server, that a session is over.

OpenID Connect Back-Channel Logout 1.0. Section 2.6 lists what a logout token must satisfy before
it is believed; ``check`` goes through that list in its order. Anyone can call this address, so
only the signature makes the message the provider's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeGuard, cast

from flask import Blueprint, Response, current_app, jsonify, request
from joserfc.errors import JoseError

from examples.apps.database import Database, Kind
from examples.apps.provider import Provider, ProviderUnavailable
from examples.apps.sessions import Sessions

EVENT = "http://schemas.openid.net/event/backchannel-logout"
LEEWAY = 30
"""Seconds our clock and the provider's may differ."""


class Refusal(StrEnum):
    """Why a logout token is not believed (numbers: steps of §2.6)."""

    MISSING = "logout_token is missing"
    SIGNATURE = "the signature or its algorithm is not acceptable"  # 2, 3
    TYPE = "typ is not logout+jwt"  # §2.4
    ISSUER = "iss is not our provider"  # 4
    AUDIENCE = "aud is not this client"  # 4
    ISSUED_AT = "iat is missing or in the future"  # 4
    EXPIRED = "exp is missing or past"  # 4
    NOBODY = "neither sub nor sid"  # 5
    EVENTS = "events lacks the back-channel logout event"  # 6
    NONCE = "nonce is present"  # 7
    NO_JTI = "jti is missing"
    REPLAYED = "jti was seen before"  # 8


class LogoutRefused(Exception):
    """The logout token does not hold."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whom a believed logout token is about, and what recognises it if it comes again."""

    jti: str
    sub: str | None
    sid: str | None
    issued_at: int
    expires_at: int


def check(
    header: Mapping[str, Any],
    claims: Mapping[str, Any],
    *,
    issuer: str,
    client_id: str,
    now: int,
) -> LogoutToken:
    """Everything §2.6 asks of a token whose signature already holds, except replay."""
    audience, issued_at, expires_at = (claims.get(key) for key in ("aud", "iat", "exp"))
    sub, sid, jti, events = (claims.get(key) for key in ("sub", "sid", "jti", "events"))
    failures = {
        # Older providers leave typ out or write JWT; another value names another kind of token.
        Refusal.TYPE: str(header.get("typ", "JWT")).lower().removeprefix("application/")
        not in ("logout+jwt", "jwt"),
        Refusal.ISSUER: claims.get("iss") != issuer,
        # No audience beside us is trusted (OIDC Core §3.1.3.7, step 3).
        Refusal.AUDIENCE: audience not in (client_id, [client_id]),
        Refusal.ISSUED_AT: not _is_time(issued_at) or issued_at > now + LEEWAY,
        Refusal.EXPIRED: not _is_time(expires_at) or expires_at <= now - LEEWAY,
        Refusal.NOBODY: not (_is_text(sub) or _is_text(sid)),
        Refusal.EVENTS: not (isinstance(events, dict) and isinstance(events.get(EVENT), dict)),
        # An ID token of ours must never pass for a logout token.
        Refusal.NONCE: "nonce" in claims,
        Refusal.NO_JTI: not _is_text(jti),
    }
    for refusal, failed in failures.items():
        if failed:
            raise LogoutRefused(refusal)
    return LogoutToken(
        jti=cast("str", jti),
        sub=sub if _is_text(sub) else None,
        sid=sid if _is_text(sid) else None,
        issued_at=int(cast("float", issued_at)),
        expires_at=int(cast("float", expires_at)),
    )


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""


class BackchannelLogout:
    """Receives logout tokens: believes each once, and ends the sessions it names."""

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        provider: Provider,
        sessions: Sessions,
        database: Database,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._provider = provider
        self._sessions = sessions
        self._database = database

    def receive(self, raw: str | None) -> dict[str, Any]:
        """Act on a logout token. Raises ``LogoutRefused``, or ``ProviderUnavailable`` for keys."""
        if not raw:
            raise LogoutRefused(Refusal.MISSING)
        try:
            header, claims = self._provider.verify(raw)
        except (JoseError, ValueError) as error:
            raise LogoutRefused(Refusal.SIGNATURE) from error
        now = self._database.now()
        token = check(header, claims, issuer=self._issuer, client_id=self._client_id, now=now)
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM logout_token WHERE expires_at < ?", (now - LEEWAY,))
            seen = connection.execute(
                "INSERT INTO logout_token VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (token.jti, token.sub, token.sid, token.issued_at, token.expires_at),
            )
            if seen.rowcount == 0:
                raise LogoutRefused(Refusal.REPLAYED)
            ended = self._sessions.end_matching(sub=token.sub, sid=token.sid)
        return {"jti": token.jti, "sub": token.sub, "sid": token.sid, "sessions_ended": ended}

    def remember(self, path: str, status: int, detail: dict[str, Any]) -> None:
        """Put a received token on the activity list."""
        self._database.record(
            Kind.BACKCHANNEL_LOGOUT, method="POST", path=path, status=status, detail=detail
        )


pages = Blueprint("backchannel", __name__)


@pages.post("/backchannel-logout")
def backchannel_logout() -> Response:
    """Answer 200 when done, 400 when the token is not believed (§2.8), 503 to be called again."""
    receiver: BackchannelLogout = current_app.extensions["backchannel_logout"]
    try:
        detail, status = receiver.receive(request.form.get("logout_token")), 200
        response = Response()
    except LogoutRefused as refused:
        detail, status = {"refused": refused.refusal.name.lower()}, 400
        response = jsonify(error="invalid_request", error_description=str(refused))
    except ProviderUnavailable:
        detail, status = {"refused": "provider_unavailable"}, 503
        response = jsonify(error="temporarily_unavailable")
        response.headers["Retry-After"] = "5"
    response.status_code = status
    receiver.remember(request.path, status, detail)
    return response
