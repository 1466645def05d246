"""Jobs of the column ACCESS: tell relying parties, and prove from outside that the cut holds.

A probe never looks into our own tables: it makes the very token or cookie a thief would hold and
presents it over HTTP, as an ordinary client or browser would. First it presents one that is good:
only who is told that this one is active believes that the other is not. A proxy that refuses
everybody, or drops our cookie, proves nothing.
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from joserfc import jwt
from pydantic import BaseModel, StrictBool, StrictStr, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from connectors import delivery
from connectors.errors import Misconfigured, Rejected, Transient
from connectors.outbound import Response
from connectors.tools import Tools
from directory.base import outbox
from directory.base.crypto import random_id
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim, Priority
from directory.changes import effects
from directory.changes.effects import State
from directory.people import User
from idp import sessions
from idp.oidc import cutter, grants
from idp.oidc.clients.client_rows import Client
from idp.oidc.clients.probe import PROBE, probe_secret
from idp.oidc.clients.sectors import salt_of
from idp.oidc.grants import Grant
from idp.oidc.live_grants import not_revoked
from idp.oidc.opaque_tokens import Access, serial
from idp.oidc.signing_keys import STAMP
from idp.oidc.tokens import Tokens
from idp.sessions import SsoSession

LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_TYPE = "logout+jwt"
LOGOUT_LIFETIME = timedelta(minutes=2)
"""Back-Channel Logout §2.4: two minutes at most."""
INTROSPECTION = "/oauth2/introspect"
SESSION_STATE = "/session/status"
PATIENCE = 5
"""Attempts after which something that is still active needs a person."""

TREE = "tree"
"""Why it ended: her unit came under another legal person."""

Done = Callable[[Session], set[str]]


def deliver_logout(tools: Tools, claim: Claim) -> Done:
    """Sign a logout token now and deliver it. Raises as ``connectors.delivery.deliver`` does."""
    now = tools.clock()
    with tools.db.read() as session:
        row = session.execute(
            select(
                Grant.session_id,
                User.sub,
                Client.client_id,
                salt_of(Client.sector).label("sector_salt"),
                Client.id_token_alg,
                Client.backchannel_logout_uri,
                STAMP.label("keys_stamp"),
            )
            .join(User, User.id == Grant.user_id)
            .join(Client, Client.id == Grant.client_id)
            .where(Grant.id == claim.key)
        ).one_or_none()
    if row is None or row.backchannel_logout_uri is None:
        return _advance(tools, claim, State.SUPERSEDED, {"receiver": None})
    token, jti = logout_token(tools, row)
    failpoint("logout.before_send")
    status = delivery.deliver(tools.outbound, row.backchannel_logout_uri, token)
    failpoint("logout.after_send")
    detail = {"status": status, "jti": jti, "sent_at": now.isoformat()}
    return _advance(tools, claim, State.ACKNOWLEDGED, detail)


def tell_of_end(tools: Tools, claim: Claim) -> Done:
    """Mark what her epoch has ended, and tell the clients that may have sessions of their own."""
    user_id = int(claim.key)

    def record(session: Session) -> set[str]:
        now = tools.clock()
        over = select(User.access_epoch).where(User.id == user_id).scalar_subquery()
        ended = select(SsoSession.id).where(
            SsoSession.user_id == user_id,
            SsoSession.ended_at.is_(None),
            SsoSession.user_epoch < over,
        )
        sessions.end_many(session, list(session.scalars(ended)), now=now, reason=TREE)
        dead = set(
            session.scalars(
                select(Grant.id).where(Grant.user_id == user_id, Grant.user_epoch < over)
            )
        )
        since = now - cutter.RELYING_PARTY_SESSION
        held = not_revoked(session, user_ids=[user_id], since=since)
        told = cutter.latest_per_party(g for g in held if g.id in dead and g.given_at)
        outbox.enqueue_rows(
            session,
            [
                cutter.logout_job(grant, n, now=now, priority=Priority.BULK)
                for n, grant in enumerate(told)
            ],
        )
        gone = [g.id for g in held if g.id in dead]
        grants.revoke(session, gone, now=now, reason=TREE)
        return set()

    return record


def logout_token(tools: Tools, row: Any) -> tuple[str, str]:
    """A logout token (Back-Channel Logout §2.4) and its ``jti``. It has no nonce, ever."""
    now = tools.clock()
    tokens = Tokens(tools)
    signer = tokens.keys.signer(row.id_token_alg, row.keys_stamp)
    jti = random_id()
    claims = {
        "iss": tools.settings.issuer,
        "aud": row.client_id,
        "iat": int(now.timestamp()),
        "exp": int((now + LOGOUT_LIFETIME).timestamp()),
        "jti": jti,
        "events": {LOGOUT_EVENT: {}},
        "sub": tokens.subjects.subject(row.sub, row.sector_salt),
        **(
            {"sid": tokens.subjects.session(row.session_id, row.sector_salt)}
            if row.session_id
            else {}
        ),
    }
    return jwt.encode(signer.header(typ=LOGOUT_TYPE), claims, signer.key, [signer.alg]), jti


def probe_access(tools: Tools, claim: Claim) -> Done:
    """Present what was cut and see it refused. Raises Transient, and Rejected in the end, while
    it still opens something.
    """
    kind, _, target = claim.key.partition(":")
    failpoint("access.before_probe")
    evidence = _probe_session(tools, target) if kind == "session" else _probe_grant(tools, target)
    if not evidence.pop("refused"):
        if claim.tries >= PATIENCE:
            raise Rejected("Quyền truy cập vẫn còn hiệu lực sau khi thu hồi.")
        raise Transient("Quyền truy cập vẫn còn hiệu lực; sẽ kiểm tra lại.")
    return _advance(tools, claim, State.VERIFIED, evidence)


def _probe_grant(tools: Tools, grant_id: str) -> dict[str, Any]:
    now = tools.clock()
    made = Access(grant_id, serial(), now, now + timedelta(minutes=1), 0xFFFF)
    _, good = _introspect(tools, _own_token(tools))
    if good is not True:
        raise Misconfigured("Kiểm chứng không thấy được cả quyền truy cập đang còn hiệu lực.")
    status, active = _introspect(tools, Tokens(tools).handles.access(made))
    return {
        "refused": active is False,
        "probe": INTROSPECTION,
        "control": "token",
        "status": status,
        "active": active,
        "at": now.isoformat(),
    }


def _own_token(tools: Tools) -> str:
    """A token of the probe's own (RFC 6749 §4.4), for the control."""
    token = _said(_call(tools, "/oauth2/token", {"grant_type": "client_credentials"})).access_token
    if token is None:
        raise Misconfigured("Tài khoản kiểm chứng không được chấp nhận.")
    return token


def _introspect(tools: Tools, token: str) -> tuple[int, Any]:
    """Status of the answer, and what it says of ``active`` (RFC 7662 §2.2)."""
    answer = _call(tools, INTROSPECTION, {"token": token})
    return answer.status, _said(answer).active


def _call(tools: Tools, path: str, form: dict[str, str]) -> Response:
    credentials = f"{PROBE}:{probe_secret(tools.keyring)}".encode()
    answer = tools.outbound.request(
        "POST",
        tools.settings.issuer + path,
        headers={
            "Authorization": "Basic " + base64.b64encode(credentials).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
        },
        content=urlencode(form).encode(),
    )
    if answer.status == 401:
        raise Misconfigured("Tài khoản kiểm chứng không được chấp nhận.")
    return answer.require_ok()


class _Said(BaseModel):
    """What is looked for in an answer of our own endpoints."""

    active: StrictBool | None = None
    access_token: StrictStr | None = None


def _said(answer: Response) -> _Said:
    """What an answer says; of one that says it in another way, nothing: then nothing is proven."""
    try:
        return _Said.model_validate(answer.json())
    except ValidationError:
        return _Said()


def _probe_session(tools: Tools, session_id: str) -> dict[str, Any]:
    now = tools.clock()
    with tools.db.read() as session:
        generation = session.execute(
            select(SsoSession.generation).where(SsoSession.id == session_id)
        ).scalar_one_or_none()
    if _session_state(tools, sessions.control(tools.keyring)) != (200, True):
        raise Misconfigured("Trang trạng thái phiên không cho thấy cả phiên đang còn hiệu lực.")
    cookie = sessions.handle(tools.keyring, session_id, generation or 1)
    status, active = _session_state(tools, cookie)
    return {
        "refused": status == 401 and active is False,
        "probe": SESSION_STATE,
        "control": "session",
        "status": status,
        "active": active,
        "at": now.isoformat(),
    }


def _session_state(tools: Tools, cookie: str) -> tuple[int, Any]:
    """What a browser with this cookie is told: status, and whether its session is active."""
    name = "__Host-dinhdanh" if tools.settings.secure else "dinhdanh"
    answer = tools.outbound.request(
        "GET", tools.settings.issuer + SESSION_STATE, headers={"Cookie": f"{name}={cookie}"}
    )
    if answer.status not in (200, 401):
        answer.require_ok()
        raise Transient("Trang trạng thái phiên trả lời lạ ({status}).", status=answer.status)
    if answer.status == 401 and "json" not in answer.headers.get("Content-Type", ""):
        raise Misconfigured("Trang trạng thái phiên không phải do hệ thống này trả lời.")
    return answer.status, _said(answer).active


def _advance(tools: Tools, claim: Claim, state: State, detail: dict[str, Any]) -> Done:
    def done(session: Session) -> set[str]:
        waiting = effects.of_job(session, claim.id)
        return effects.advance(session, waiting, state, at=tools.clock(), detail=detail)

    return done
