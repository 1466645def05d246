"""A form sent twice acts once; what is shown once survives a reload by the same browser.

Every form carries a random key of its own. The same form again (same key, same fields, same
browser) is given the answer of the first, and nothing is done. A page that answers a form is put
aside and reached by 303, so that a reload is a GET: it is kept for a minute under a key that only
this browser's cookie holds, and goes with the session. A page that only shows what was asked for
is kept for as long as a session may idle, and its form may be sent again (``only_shows``). What is made
in batches is too much to be put aside: it is shown once, as the answer itself, and the same form again
leads where it says (``shown_once``). All this holds for every form of the pages without their doing.

    replay      before anything: has this form been answered?
    begin       after the form's token fits: it is being acted upon
    finish      after the page has been made: its answer is kept
"""

import base64
import contextlib
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, abort, g, make_response, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from directory.base import base64url
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, Misconfigured, NotFound
from idp.sessions import answers
from idp.sessions.answers import SHOWN_FOR, Kept
from idp.web import gate
from idp.web.gate import services

log = structlog.get_logger(__name__)
blueprint = Blueprint("answers", __name__)

FORMS = ("login", "portal", "console")
"""Blueprints whose forms are kept: those of applications answer by what the protocols say."""
_APART = "login.record"
"""Each step of a sign-in is recorded once by its flow, and is paid for by everybody."""
FIELD = "form_key"
_HEADERS = ("Content-Type", "Content-Disposition", "Content-Security-Policy", "Location")
_WAIT = 2.0
"""Seconds that the second of two clicks waits for the answer to the first."""
_LONGEST = timedelta(minutes=1)
"""What has been acted upon for longer was cut off."""


def form_key() -> str:
    """The key of one form on the page that is being made."""
    browser_key()
    return secrets.token_urlsafe(16)


def browser_key() -> Keyring:
    """This browser's own key, which is stored nowhere else; made when it has none."""
    if "browser_key" not in g:
        name = gate.cookie_name("answers")
        given = request.cookies.get(name, "")
        try:
            key = base64url.decode(given)
        except ValueError:
            key = b""
        if len(key) != 32:
            key = secrets.token_bytes(32)
            value = base64url.encode(key)
            g.new_browser_key = (name, value)
        g.browser_key = Keyring({"browser": key}, "browser")
    found: Keyring = g.browser_key
    return found


def only_shows() -> None:
    """This answer shows what its form asks for, and nothing was written: the same form later asks
    again.
    """
    g.only_shown = True


def shown_once(then: str) -> None:
    """This answer is not put aside: the same form again acts no more, and leads there."""
    g.shown_once = then


def nothing_is_kept() -> None:
    """This answer is for a script of the page: nothing is written, and it is not put aside."""
    g.nothing_written = True


def _digest() -> str | None:
    """What this form is kept under; None for one without a key, or of no page of ours."""
    key = request.form.get(FIELD, "")
    if not key or gate.cookie_name("answers") not in request.cookies:
        return None
    fields = sorted(
        (name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"
    )
    files = []
    for name, file in request.files.items(multi=True):
        files.append((name, hashlib.sha256(file.read()).hexdigest()))
        file.seek(0)
    whole = json.dumps([request.path, fields, files])
    return browser_key().keyed_hash("form", whole)


def _ours() -> bool:
    return request.method == "POST" and request.blueprint in FORMS and request.endpoint != _APART


# ---- before --------------------------------------------------------------------------------


def _replay() -> Any:
    if not _ours():
        return None
    g.form_digest = digest = _digest()
    if digest is None:
        return None
    found = _settled(digest)
    if found is None:
        return None
    if found.status is None:
        return _under_way(found)
    return _again(found)


def _settled(digest: str) -> Kept | None:
    """What is kept under the digest, after a moment's waiting while it is being made."""
    has = services()
    until = time.monotonic() + _WAIT
    while True:
        with has.db.hot() as connection:
            found = answers.find(connection, digest, now=has.clock())
        if found is None or found.status is not None or time.monotonic() > until:
            return found
        if has.clock() - found.begun_at > _LONGEST:
            return found
        time.sleep(0.1)


def _under_way(found: Kept) -> Any:
    if services().clock() - found.begun_at > _LONGEST:
        raise Conflict(
            "form_unknown",
            "Lượt gửi trước bị ngắt giữa chừng và chưa rõ đã thực hiện hay chưa. "
            "Hãy xem lại trước khi làm lại từ đầu.",
        )
    raise Conflict("form_running", "Biểu mẫu này đang được xử lý. Hãy đợi một lát rồi xem lại.")


def _again(found: Kept) -> Any:
    if found.session_id is not None and not _is_of(found):
        return None
    is_page = found.status is not None and found.status < 300
    answer: Any = None if is_page else _opened(found)
    if answer is None and found.location is not None:
        answer = redirect(found.location, 303)
    if answer is not None:
        g.form_digest, g.form_replayed = None, True
    return answer


def _is_of(found: Kept) -> bool:
    view = gate.current_session()
    return view is not None and view.id == found.session_id


def _begin() -> None:
    digest = g.get("form_digest")
    view = gate.current_session() if digest else None
    if digest is None or view is None:
        return
    has = services()
    with has.db.write() as session:
        claimed = answers.claim(session, digest, session_id=view.id, now=has.clock())
    if not claimed:
        found = _settled(digest)
        answer = _again(found) if found and found.status is not None else None
        if answer is None:
            raise Conflict(
                "form_running", "Biểu mẫu này đang được xử lý. Hãy đợi một lát rồi xem lại."
            )
        abort(answer)
    g.form_claimed = True


# ---- after ---------------------------------------------------------------------------------


def _finish(response: Response) -> Response:
    if _ours() and not g.get("form_replayed"):
        try:
            response = _kept(response)
        except SQLAlchemyError:
            # What was asked for is done or refused already: its answer is not kept, that is all.
            log.warning("form.answer_not_kept")
    if "new_browser_key" in g:
        name, value = g.new_browser_key
        gate.set_cookie(response, name, value)
    return response


def _kept(response: Response) -> Response:
    has, digest, claimed = services(), g.get("form_digest"), g.get("form_claimed", False)
    status = response.status_code
    if status >= 500 or (status >= 400 and not claimed):
        if claimed and status == 503:
            with has.db.write() as session:
                answers.drop(session, digest)
        # After any other fault it is not known what was done: the claim stays.
        return response
    if status < 300 and claimed and "shown_once" in g:
        return _never_again(response, digest)
    page, only_shown = status < 300, status < 400 and g.get("only_shown", False)
    if g.get("nothing_written") or only_shown:
        if claimed:
            with has.db.write() as session:
                answers.drop(session, digest)
        if not (only_shown and page):
            return response
        digest, claimed = None, False
    if not (claimed or page):
        return response  # nobody is signed in, or the form has no key
    digest = digest or browser_key().keyed_hash("form", secrets.token_urlsafe(16))
    view = gate.current_session()
    begins = any(
        value.startswith(gate.cookie_name() + "=")
        for value in response.headers.getlist("Set-Cookie")
    )
    with has.db.write() as session:
        answers.keep(
            session,
            digest,
            session_id=None if view is None or begins else view.id,
            status=status,
            location=url_for("answers.shown", digest=digest) if page else response.location,
            sealed=_sealed(digest, response, page=page),
            now=has.clock(),
            shown_for=timedelta(seconds=has.settings.session_idle) if only_shown else SHOWN_FOR,
        )
    if page:
        response.set_data(b"")
        for name in ("Content-Disposition", "Content-Security-Policy"):
            response.headers.pop(name, None)
        response.headers["Content-Type"] = "text/html; charset=utf-8"
        response.status_code = 303
        response.location = url_for("answers.shown", digest=digest)
    return response


def _never_again(response: Response, digest: str) -> Response:
    has, view, onward = services(), gate.current_session(), redirect(g.shown_once, 303)
    with has.db.write() as session:
        answers.keep(
            session,
            digest,
            session_id=None if view is None else view.id,
            status=onward.status_code,
            location=onward.location,
            sealed=_sealed(digest, make_response(onward), page=False),
            now=has.clock(),
        )
    return response


def _sealed(digest: str, response: Response, *, page: bool) -> str:
    """A page without its cookies, which this answer sets itself; else all that it said."""
    headers = [(n, v) for n, v in response.headers.items() if n in _HEADERS]
    if not page:
        headers += [("Set-Cookie", v) for v in response.headers.getlist("Set-Cookie")]
    body = base64.b64encode(response.get_data()).decode()
    whole = json.dumps({"status": response.status_code, "headers": headers, "body": body})
    return browser_key().encrypt(f"answer:{digest}", whole.encode())


def _opened(found: Kept) -> Response | None:
    """The kept answer; None when its minute is over or this is not its browser."""
    if found.sealed is None:
        return None
    with contextlib.suppress(Misconfigured):
        whole = json.loads(browser_key().decrypt(f"answer:{found.digest}", found.sealed))
        response = make_response(base64.b64decode(whole["body"]), whole["status"])
        response.headers.pop("Content-Type", None)
        response.headers.extend([(n, v) for n, v in whole["headers"]])
        response.headers["Cache-Control"] = "no-store"
        return response
    return None


@blueprint.get("/shown/<digest>")
def shown(digest: str) -> Any:
    """The page that answered a form, for a minute and for this browser."""
    has = services()
    with has.db.hot() as connection:
        found = answers.find(connection, digest[:100], now=has.clock())
    mine = found is not None and (found.session_id is None or _is_of(found))
    opened = _opened(found) if found is not None and mine else None
    if opened is None or opened.status_code >= 300:
        raise NotFound("shown_once", "Nội dung này đã hiện một lần và không xem lại được nữa.")
    return opened


def install(app: Flask, check_tokens: Callable[[Flask], None]) -> None:
    """Around the check of form tokens: an answer given again changes nothing and needs none, and
    only what may be acted upon is claimed.
    """
    app.jinja_env.globals["form_key"] = form_key
    app.before_request(_replay)
    check_tokens(app)
    app.before_request(_begin)
    app.after_request(_finish)
