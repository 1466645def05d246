"""What anyone may check from outside: who is signed in here, what the provider really did.

A real application has no such addresses. These make a demonstration honest: after a transfer,
ask them what became of the session, the tokens and the account.
"""

from threading import Lock
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, current_app, jsonify

from examples.apps.accounts import Account
from examples.apps.provider import ProviderUnavailable, SignInRefused
from examples.apps.scim import require_bearer

if TYPE_CHECKING:
    from examples.apps.relying_party import RelyingParty

pages = Blueprint("probes", __name__)

_refreshing = Lock()
"""A refresh token is good for one use: two requests of one browser must not both spend it."""


def _party() -> "RelyingParty":
    found: RelyingParty = current_app.extensions["relying_party"]
    return found


@pages.get("/whoami")
def whoami() -> Response:
    """The session of this browser and the account that goes with it."""
    rp = _party()
    session = rp.session()
    if session is None:
        nobody = dict.fromkeys(
            ("sub", "name", "unit", "unit_id", "position", "assignment_id", "sid", "account")
        )
        return jsonify({"signed_in": False, **nobody})
    account = rp.accounts.find(session.sub)
    return jsonify(
        signed_in=True,
        sub=session.sub,
        name=session.name,
        unit=session.work.unit,
        unit_id=session.work.unit_id,
        position=session.work.position,
        assignment_id=session.work.assignment_id,
        sid=session.sid,
        account=_public(account) if account else None,
    )


def _public(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "user_name": account.user_name,
        "display_name": account.display_name,
        "active": account.active,
        "role": account.role,
        "roles": account.roles,
        "department": account.department,
        "organization": account.organization,
        "employee_number": account.employee_number,
    }


@pages.get("/userinfo-check")
def userinfo_check() -> Response:
    """Whether the provider still honours the access token of this session."""
    rp = _party()
    session = rp.session()
    if session is None:
        return jsonify(status=401, error="not_signed_in")
    try:
        return jsonify(status=rp.provider.userinfo_status(session.access_token))
    except ProviderUnavailable:
        return jsonify(status=503, error="provider_unavailable")


@pages.route("/refresh", methods=["GET", "POST"])
def refresh() -> Response:
    """Whether the provider still honours the refresh token; if it says it is dead, so are we."""
    rp = _party()
    with _refreshing:
        session = rp.session()
        if session is None:
            return jsonify(ok=False, error="not_signed_in")
        if session.refresh_token is None:
            return jsonify(ok=False, error="no_refresh_token")
        try:
            tokens = rp.provider.refresh(session.refresh_token, subject=session.sub)
        except ProviderUnavailable:
            return jsonify(ok=False, error="provider_unavailable")
        except SignInRefused as refused:
            # The second net: should a logout token have been lost, this ends the session too.
            if refused.code in ("invalid_grant", "invalid_token"):
                rp.sessions.end(session)
            return jsonify(ok=False, error=refused.code)
        rp.sessions.renew(session, tokens)
    return jsonify(ok=True, error=None)


@pages.get("/activity")
def activity() -> Response:
    """The last thousand SCIM requests and logout tokens, oldest first, for holders of the token."""
    rp = _party()
    require_bearer(rp.settings.scim_token)
    return jsonify(rp.database.activity())


@pages.get("/healthz")
def healthz() -> Response:
    """Whether we can serve: the process answers and the database too."""
    rp = _party()
    with rp.database.transaction() as connection:
        connection.execute("SELECT 1")
    return jsonify(status="ok", profile=rp.profile.code)
