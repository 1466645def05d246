"""A form that came when its sender had to sign in again: nothing of it is written, nothing lost.

She is led back to where it was filled in, and told there that nothing was written. What is asked
by a GET (most previews) goes back as its address; what only looks for something, to where it is
asked. A form with fields of its own is put aside: sealed
under a key that only her browser holds, given to the same person only, one for each session that
there was; passwords are never in it.
"""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Flask, g, redirect, render_template, request, url_for
from flask import session as browser_state
from sqlalchemy import select

from directory.base.errors import Misconfigured, NotFound
from directory.changes import kind
from idp.sessions import SsoSession, answers
from idp.web import form_keys, gate
from idp.web.gate import current_session, require_session, services

blueprint = Blueprint("unwritten", __name__)

RESUMED = "resumed"
"""A field of the form that brings back what was put aside: it is shown, and not acted upon."""
KEPT_FOR = timedelta(minutes=30)
LARGEST = 64 * 1024
"""Characters of JSON. No form of ours that people fill in comes near it."""
_AS_ADDRESS = {
    "console.change_confirm": "console.change_form",
    "console.undo_confirm": "console.undo",
}
"""Forms that confirm a preview, and the preview, which is a GET."""
_LOOKS = {"console.people_search": "console.people"}
"""Forms that write nothing, and the page they are on."""
_OF_NO_USE = {
    "csrf_token",
    form_keys.FIELD,
    RESUMED,
    "key",
    "fingerprint",
    "decision",
    "session",
    "assignment",
}
_SECRET = {"password", "again", "current", "code"}


def back() -> str:
    """Where the sender of this form comes back to, once she has signed in."""
    g.nothing_written = True
    if gate.session_before() is None:
        return "/"
    if request.endpoint in _LOOKS:
        return url_for(_LOOKS[request.endpoint])
    browser_state["unwritten"] = True
    if request.endpoint in _AS_ADDRESS and not _private():
        return _address()
    return _put_aside() or _came_from()


def _private() -> bool:
    """Whether the form's fields may not stand in an address."""
    found = kind.find(str((request.view_args or {}).get("kind")))
    return found is not None and found.private


def _address() -> str:
    """The preview that this form confirms."""
    fields = [(n, v) for n, v in request.form.items(multi=True) if n not in _OF_NO_USE | _SECRET]
    page = _AS_ADDRESS[request.endpoint or ""]
    if page == "console.change_form":
        fields.append(("step", "preview"))
    where = url_for(page, **(request.view_args or {}))
    return f"{where}?{urlencode(fields)}" if fields else where


def _came_from() -> str:
    """The page of ours that the form was on (Referrer-Policy: same-origin), else the start."""
    parts = urlsplit(request.headers.get("Referer", ""))
    ours = urlsplit(services().settings.issuer)
    where = f"{parts.path}?{parts.query}" if parts.query else parts.path
    found = gate.local_path(where) if parts.netloc == ours.netloc else None
    return found or ("/console/" if request.blueprint == "console" else "/")


def _put_aside() -> str | None:
    """The address under which its fields wait; None when it has none worth keeping."""
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in _OF_NO_USE | _SECRET and value
    ]
    session_id = gate.session_before()
    if not fields or session_id is None:
        return None
    has = services()
    key = form_keys.browser_key()
    # By our own key: one for each session, whatever else the browser says.
    digest = has.keyring.keyed_hash("unwritten", session_id)
    with has.db.write() as session:
        owner = session.scalar(select(SsoSession.user_id).where(SsoSession.id == session_id))
        if owner is None:
            return None
        whole = json.dumps({"owner": owner, "action": request.path, "fields": fields})
        if len(whole) > LARGEST:
            return None
        answers.keep(
            session,
            digest,
            session_id=None,
            status=409,
            location=None,
            sealed=key.encrypt(f"unwritten:{digest}", whole.encode()),
            now=has.clock(),
            shown_for=KEPT_FOR,
        )
    return url_for("unwritten.waiting", digest=digest)


@blueprint.get("/unwritten/<digest>")
@require_session
def waiting(digest: str) -> Any:
    """What was put aside, and a button that brings back its form with it."""
    has, view = services(), current_session()
    with has.db.hot() as connection:
        found = answers.find(connection, digest[:100], now=has.clock())
    if found is None or found.sealed is None or view is None:
        return redirect("/", 303)
    try:
        key = form_keys.browser_key()
        whole = json.loads(key.decrypt(f"unwritten:{found.digest}", found.sealed))
    except Misconfigured:
        raise NotFound("unwritten_unknown", "Không tìm thấy trang này.") from None
    if whole["owner"] != view.user_id:
        return redirect("/", 303)
    return render_template("unwritten.html", action=whole["action"], fields=whole["fields"])


def said() -> bool:
    """Whether this page must say that nothing was written; once."""
    if request.blueprint == "login" or current_session() is None:
        return False
    return bool(browser_state.pop("unwritten", False))


def install(app: Flask) -> None:
    """Give the pages their sentence, and whoever asks for a sign-in the way back."""
    app.extensions["dinhdanh-unwritten"] = back
    app.jinja_env.globals["nothing_written"] = said
