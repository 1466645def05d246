"""The application itself: pages, sign-in by OpenID Connect, sign-out. START HERE.

browser            this application                  provider
   │  GET /login          │                             │
   │◄─ 302 ───────────────┤ state, nonce, PKCE kept     │
   │──────────────── authorization request ────────────►│
   │◄─ 302 code, state ─────────────────────────────────┤
   │  GET /callback       │                             │
   │─────────────────────►├── code + PKCE verifier ────►│
   │                      │◄── ID, access, refresh token┤
   │◄─ session cookie ────┤ tokens stay in our database │
"""

import secrets
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from examples.apps import backchannel, probes, texts
from examples.apps.accounts import Account, AccountStorage
from examples.apps.backchannel import BackchannelLogout
from examples.apps.database import Clock, Database, utc_now
from examples.apps.profiles import PROFILES, ApplicationProfile
from examples.apps.provider import Provider, ProviderUnavailable, SignInRefused
from examples.apps.scim import AccountEndpoint
from examples.apps.sessions import ATTEMPT_SECONDS, STRONG, Session, Sessions
from examples.apps.settings import Settings

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
SILENT_REFUSALS = frozenset(
    {"login_required", "interaction_required", "consent_required", "account_selection_required"}
)
"""What a provider answers to ``prompt=none`` when it cannot stay silent (OIDC Core §3.1.2.6)."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The parts of one application, put together once by ``create_app``."""

    settings: Settings
    profile: ApplicationProfile
    database: Database
    accounts: AccountStorage
    sessions: Sessions
    provider: Provider

    def session(self) -> Session | None:
        """The session of the present request."""
        return self.sessions.find(request.cookies.get(self.profile.session_cookie))

    @property
    def redirect_uri(self) -> str:
        """Where the provider sends the browser back to."""
        return f"{self.settings.base_url}/callback"


pages = Blueprint("pages", __name__)


def party() -> RelyingParty:
    """The application that serves the present request."""
    found: RelyingParty = current_app.extensions["relying_party"]
    return found


def create_app(
    settings: Settings, *, clock: Clock = utc_now, provider: Provider | None = None
) -> Flask:
    """Build one application from its settings; tests bring a clock and a provider of their own."""
    profile = PROFILES[settings.profile]
    database = Database(settings.store, clock=clock)
    sessions = Sessions(database)
    accounts = AccountStorage(database)
    provider = provider or Provider(settings)

    app = Flask(__name__, static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    app.jinja_env.globals.update(_=texts.translate, profile=profile)
    app.extensions["relying_party"] = RelyingParty(
        settings, profile, database, accounts, sessions, provider
    )
    app.extensions["backchannel_logout"] = BackchannelLogout(
        issuer=settings.issuer,
        client_id=settings.client_id,
        provider=provider,
        sessions=sessions,
        database=database,
    )
    app.before_request(_set_language)
    app.after_request(_harden)
    app.register_error_handler(HTTPException, _error_page)
    for blueprint in (pages, backchannel.pages, probes.pages):
        app.register_blueprint(blueprint)
    AccountEndpoint(accounts, token=settings.scim_token, database=database).init_app(app)
    return app


@pages.get("/")
def home() -> str:
    """What a person sees: nothing, a friendly refusal, or the work of her unit."""
    rp = party()
    session = rp.session()
    if session is None:
        return render_template("signed_out.html", notice=None)
    # Looked up on every request: a change that arrives by SCIM counts from the next click.
    account = rp.accounts.find(session.sub)
    if account is None:
        return render_template("no_account.html", session=session)
    if not account.active:
        return render_template("disabled.html", session=session, account=account)
    return _work(rp, session, account)


@pages.get("/restricted")
def restricted() -> BaseResponse | str | tuple[str, int]:
    """What is shown to those alone who have proven themselves by two factors: the level is looked
    at where it matters, and whoever lacks it is told why and sent to prove more (RFC 9470).
    """
    rp = party()
    session = rp.session()
    if session is None:
        return redirect("/login?onward=restricted")
    account = rp.accounts.find(session.sub)
    if account is None or not account.active:
        return redirect("/")
    if not session.is_strong:
        asked = "asked" in request.args
        return render_template(
            "step_up.html", session=session, asked=asked, provider=rp.settings.issuer
        ), 403
    return _work(rp, session, account, template="restricted.html")


def _work(
    rp: RelyingParty, session: Session, account: Account, *, template: str = "home.html"
) -> str:
    unit = account.department or account.organization
    today = rp.database.clock().astimezone(VIETNAM).date()
    return render_template(
        template,
        session=session,
        account=account,
        unit=unit,
        role=rp.profile.role(account.role),
        items=rp.profile.work(unit, today=today) if unit else [],
        today=today,
    )


@pages.get("/login")
def login() -> BaseResponse | tuple[str, int, dict[str, str]]:
    """Send the browser to the provider, and remember what the answer must match."""
    rp = party()
    parameters = {"ui_locales": g.language}
    if request.args.get("prompt") in PROMPTS:
        parameters["prompt"] = request.args["prompt"]
    onward = "/restricted" if request.args.get("onward") == "restricted" else "/"
    if "step_up" in request.args:
        # Wished for, not demanded: whoever has no second factor comes back as she was, and is told.
        parameters["acr_values"] = STRONG[0]
        onward = "/restricted?asked"
    try:
        sign_in = rp.provider.start(rp.redirect_uri, **parameters)
    except ProviderUnavailable:
        return _unavailable()
    browser = request.cookies.get(rp.profile.login_cookie) or secrets.token_urlsafe(32)
    rp.sessions.attempt(sign_in, browser=browser, onward=onward)
    response = redirect(sign_in.url)
    _set_cookie(response, rp.profile.login_cookie, browser, max_age=ATTEMPT_SECONDS)
    return response


@pages.get("/callback")
def callback() -> BaseResponse | str | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Receive the provider's answer: check it, redeem the code, open a session of our own."""
    rp = party()
    # The attempt is spent first: whatever the answer says, it cannot be used a second time.
    attempt = rp.sessions.claim_attempt(
        request.args.get("state", ""), browser=request.cookies.get(rp.profile.login_cookie, "")
    )
    if attempt is None:
        return _problem("Lượt đăng nhập đã hết hạn hoặc không bắt đầu từ trình duyệt này.", 400)
    try:
        _check_answer(rp)
        tokens = rp.provider.exchange(
            request.args.get("code", ""),
            redirect_uri=rp.redirect_uri,
            nonce=attempt.nonce,
            code_verifier=attempt.code_verifier,
        )
    except ProviderUnavailable:
        return _unavailable()
    except SignInRefused as refused:
        if refused.code in SILENT_REFUSALS:
            notice = "Anh/chị chưa đăng nhập ở hệ thống định danh. Bấm Đăng nhập để tiếp tục."
            return render_template("signed_out.html", notice=notice)
        current_app.logger.warning("sign-in refused: %s (%s)", refused.code, refused)
        sentence = "Hệ thống định danh không cho phép đăng nhập vào ứng dụng này."
        return _problem(sentence, 403 if refused.code == "access_denied" else 400, refused.code)
    if (before := rp.session()) is not None:
        rp.sessions.end(before)
    cookie = rp.sessions.start(tokens)
    if cookie is None:
        return _problem("Phiên đăng nhập đã kết thúc ở hệ thống định danh.", 403)
    response = redirect(attempt.onward)
    _set_cookie(response, rp.profile.session_cookie, cookie)
    return response


def _check_answer(rp: RelyingParty) -> None:
    """An error ends the sign-in; an answer that says who gives it must name our provider."""
    promised = rp.provider.metadata().get("authorization_response_iss_parameter_supported")
    given = request.args.get("iss")  # RFC 9207
    if given != rp.settings.issuer and (given is not None or promised):
        raise SignInRefused("invalid_issuer", "the answer is not our provider's")
    if "error" in request.args:
        raise SignInRefused(request.args["error"], request.args.get("error_description"))


@pages.post("/logout")
def logout() -> BaseResponse | tuple[str, int]:
    """End our session, then let the provider end its own (RP-initiated logout)."""
    rp = party()
    session = rp.session()
    if session is None:
        return redirect("/", 303)
    if not secrets.compare_digest(
        session.csrf.encode(), request.form.get("csrf_token", "").encode()
    ):
        return _problem("Trang đã quá cũ. Hãy tải lại rồi thử lại.", 400)
    rp.sessions.end(session)
    try:
        onward = rp.provider.logout_url(
            id_token_hint=session.id_token, return_to=f"{rp.settings.base_url}/"
        )
    except ProviderUnavailable:
        onward = None
    response = redirect(onward or "/", 303)
    response.delete_cookie(rp.profile.session_cookie)
    return response


def _set_cookie(
    response: BaseResponse, name: str, value: str, *, max_age: int | None = None
) -> None:
    """No script reads it, no other site sends it along except by a link, https only on https."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        httponly=True,
        samesite="Lax",
        secure=party().settings.secure,
    )


def _unavailable() -> tuple[str, int, dict[str, str]]:
    page = render_template(
        "problem.html",
        title="Chưa kết nối được hệ thống định danh",
        sentence="Xin thử lại sau ít phút.",
        code=None,
    )
    return page, 503, {"Retry-After": "5"}


def _problem(sentence: str, status: int, code: str | None = None) -> tuple[str, int]:
    title = "Không đăng nhập được" if request.path == "/callback" else "Yêu cầu không hợp lệ"
    return render_template("problem.html", title=title, sentence=sentence, code=code), status


def _error_page(error: HTTPException) -> BaseResponse:
    response = error.get_response()
    title = "Không tìm thấy trang" if error.code == 404 else "Yêu cầu không hợp lệ"
    response.data = render_template("problem.html", title=title, sentence=None, code=None)
    response.content_type = "text/html; charset=utf-8"
    return response


def _set_language() -> None:
    g.language = texts.choose_language(request.cookies.get(party().profile.language_cookie))


def _harden(response: Response) -> Response:
    """Headers for every answer: nothing from elsewhere, nothing kept, nothing framed."""
    rp = party()
    # Browsers apply form-action to the redirect after POST /logout, hence the provider's origin.
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none';"
        f" form-action 'self' {rp.settings.issuer_origin}; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    if request.endpoint != "static":
        response.headers["Cache-Control"] = "no-store"
    if request.args.get("lang") in texts.LANGUAGES:
        _set_cookie(response, rp.profile.language_cookie, request.args["lang"])
    return response
