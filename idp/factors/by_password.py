"""The password as a factor: the first of them, and the form that a sign-in begins with."""

from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.errors import InvalidInput
from idp.assurance import Means, Strength
from idp.factors import known_browser, limits, passwords, throttle
from idp.factors.factor import Answer, Asking, Epochs, Field, Form, Passed, Proven
from idp.factors.guarded import Guess, guarded
from idp.factors.passwords import Candidate
from idp.services import Services

CODE = "password"
WRONG = (
    "Tên đăng nhập hoặc mật khẩu không đúng. Bộ gõ tiếng Việt có thể đổi chữ và số khi gõ: nếu đang bật, "
    "hãy tắt rồi nhập lại."
)
"""One sentence for an unknown name and a wrong password: nobody learns who exists. A key pressed twice
takes a letter away where an input method is on, and leaves no mark: so it is named here, too.
"""
WRONG_WITH_MARKS = (
    "Tên đăng nhập hoặc mật khẩu không đúng. Trong những gì bạn gõ có chữ có dấu: bộ gõ tiếng Việt đang "
    "bật? Nếu mật khẩu của bạn không có dấu, hãy tắt bộ gõ rồi nhập lại."
)
"""The same where an input method may have changed what was typed: that follows from the text alone."""


def proven(at: datetime, epochs: Epochs) -> Proven:
    """What a password that fits proves."""
    return Proven(CODE, at, epochs, level=1, amr=("pwd",), means=(Means.KNOWLEDGE,))


class Password:
    """A user name and a password."""

    code = CODE
    title = "Mật khẩu"
    first = True
    gives = Strength(1, frozenset({Means.KNOWLEDGE}))

    def offers(self, _where: Connection | Session, _asking: Asking) -> bool:
        """To everybody: who has none is not told apart from who has."""
        return True

    def begin(self, _has: Services, asking: Asking) -> Form:
        """Name and password."""
        return Form(
            lead="Dùng tài khoản cơ quan cấp cho bạn.",
            button="Đăng nhập",
            help="Chưa có hoặc quên mật khẩu? Hãy nhận phiếu kích hoạt ở bộ phận tổ chức cán bộ"
            " của đơn vị.",
            fields=(
                Field("username", "Tên đăng nhập", value=asking.hint, attributes=_NAME),
                Field("password", "Mật khẩu", "password", attributes=_SECRET),
            ),
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed:
        """Raises InvalidInput, Locked, Busy."""
        username = answer.values.get("username", "").strip()
        password = answer.values.get("password", "")
        if not username or not password:
            raise InvalidInput("empty", "Hãy nhập tên đăng nhập và mật khẩu.", field="username")
        passwords.require_bound(password, field="password")
        typed = passwords.Typed(has.passwords, password)

        def read(connection: Connection) -> Guess[Candidate | None]:
            today = local_day(asking.now)
            found = passwords.candidate(connection, username, on=today)
            return _guess(has, asking, username, found)

        right = guarded(
            has.db,
            read,
            typed.fits,
            factor=CODE,
            now=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
        )
        found = right.about if right else None
        if right is None or found is None:
            if passwords.has_marks(username + password):
                raise InvalidInput("login_wrong", WRONG_WITH_MARKS, field="username")
            raise InvalidInput("login_wrong", WRONG, field="username")
        old, new = found.hash, typed.renewed()
        attempt = right.attempt

        def settle(session: Session) -> None:
            throttle.succeeded(session, attempt, now=asking.now)
            if new and old:
                passwords.replace_hash(session, found.user_id, old=old, new=new)

        epochs = Epochs(found.user_epoch, found.installation_epoch)
        # What was an administrator's for long enough is replaced as a temporary one is.
        old_enough = found.outlived(has.settings.admin_password_days, now=asking.now)
        temporary = found.must_change or old_enough
        return Passed(found.user_id, proven(asking.now, epochs), settle, temporary)


_NAME: dict[str, str | int | bool] = {
    "autocomplete": "username webauthn",  # her passkeys stand among what the browser proposes
    "autocapitalize": "none",
    "spellcheck": "false",
    "required": True,
    "maxlength": 200,
}
_SECRET: dict[str, str | int | bool] = {
    "autocomplete": "current-password",
    "autocapitalize": "none",
    "spellcheck": "false",
    "required": True,
}


def _guess(
    has: Services, asking: Asking, username: str, found: Candidate | None
) -> Guess[Candidate | None]:
    """What a wrong password counts against: her browser, where it is one of hers."""
    user_id, settings = found.user_id if found else None, has.settings
    who = throttle.who(has.keyring, username, user_id)
    anywhere = limits.of_name(who, asking.source.ip or "", settings)
    browser = None
    if found is not None:
        browser = known_browser.of_person(
            has.keyring,
            asking.known,
            found.user_id,
            found.user_epoch,
            now=asking.now,
            settings=settings,
        )
    if browser is None:
        return Guess(anywhere, user_id, found)
    return Guess(limits.of_browser(who, browser, settings), user_id, found, anywhere)


def again(
    has: Services,
    username: str,
    given: str,
    *,
    signed_in: datetime,
    now: datetime,
    actor: Actor,
    field: str = "password",
) -> bool:
    """Whether somebody signed in has given her password again. Wrong ones count by themselves, for
    this sign-in: a stolen session is no way to guess, and none to keep her from signing in. Raises InvalidInput
    naming ``field``, Locked, Busy. ``signed_in`` is when the actor did.
    """
    passwords.require_bound(given, field=field)
    counted = limits.of_confirming(actor.id or 0, signed_in, has.settings)

    def read(connection: Connection) -> Guess[Candidate | None]:
        return Guess(counted, actor.id, passwords.candidate(connection, username))

    right = guarded(
        has.db,
        read,
        lambda found, first: passwords.verify(has.passwords, found, given, first=first),
        factor=CODE,
        now=now,
        actor=actor,
    )
    if right is None:
        return False
    with has.db.write() as session:
        throttle.succeeded(session, right.attempt, now=now)
    return True
