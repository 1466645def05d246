"""The password as a factor: the first of them, and the form that a sign-in begins with."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.errors import InvalidInput
from directory.entitlements import installation_epoch
from idp.assurance import Means, Strength
from idp.factors import passwords, throttle
from idp.factors.factor import Answer, Asking, Epochs, Field, Form, Passed, Proven
from idp.factors.guarded import Guess, guarded
from idp.factors.passwords import Candidate
from idp.services import Services

CODE = "password"
WRONG = "Tên đăng nhập hoặc mật khẩu không đúng."
"""One sentence for an unknown name and a wrong password: nobody learns who exists."""


def proven(at: datetime, epochs: Epochs) -> Proven:
    """What a password that fits proves."""
    return Proven(CODE, at, epochs, level=1, amr=("pwd",), means=(Means.KNOWLEDGE,))


@dataclass(frozen=True)
class _Known:
    """Whom a name means, and the epochs before her password is looked at."""

    found: Candidate | None
    installation_epoch: int


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
        """Raises InvalidInput, Locked."""
        username = answer.values.get("username", "").strip()
        password = answer.values.get("password", "")
        if not username or not password:
            raise InvalidInput("empty", "Hãy nhập tên đăng nhập và mật khẩu.", field="username")
        passwords.require_bound(password, field="password")
        typed = passwords.Typed(has.passwords, password)

        def read(connection: Connection) -> Guess[_Known]:
            found = passwords.candidate(connection, username)
            user_id = found.user_id if found else None
            key = throttle.account_key(has.keyring, username, user_id)
            return Guess(key, user_id, _Known(found, installation_epoch(connection)))

        right = guarded(
            has.db,
            read,
            lambda known: typed.fits(known.found),
            factor=CODE,
            now=asking.now,
            settings=has.settings,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
        )
        found = right.about.found if right else None
        if right is None or found is None:
            raise InvalidInput("login_wrong", WRONG, field="username")
        old, new = found.hash, typed.renewed()
        attempt = right.attempt

        def settle(session: Session) -> None:
            throttle.succeeded(session, attempt)
            if new and old:
                passwords.replace_hash(session, found.user_id, old=old, new=new)

        epochs = Epochs(found.user_epoch, right.about.installation_epoch)
        return Passed(found.user_id, proven(asking.now, epochs), settle, found.must_change)


_NAME: dict[str, str | int | bool] = {
    "autocomplete": "username",
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


def again(
    has: Services,
    username: str,
    given: str,
    *,
    now: datetime,
    actor: Actor,
    field: str = "password",
) -> bool:
    """Whether somebody signed in has given her password again; counted as at the sign-in, for a
    stolen session is no way to guess. Raises InvalidInput naming ``field``, Locked.
    """
    passwords.require_bound(given, field=field)

    def read(connection: Connection) -> Guess[Candidate | None]:
        return Guess(f"user:{actor.id}", actor.id, passwords.candidate(connection, username))

    right = guarded(
        has.db,
        read,
        lambda found: passwords.verify(has.passwords, found, given),
        factor=CODE,
        now=now,
        settings=has.settings,
        actor=actor,
    )
    if right is None:
        return False
    with has.db.write() as session:
        throttle.succeeded(session, right.attempt)
    return True
