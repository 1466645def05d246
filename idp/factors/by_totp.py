"""Codes of an app on her phone (TOTP, RFC 6238): sign-in, and how one is enrolled.

SHA-1, six digits, thirty seconds, a secret of 32 letters without padding: what every app reads
whatever else it is told. One step of drift either way. A step is used up by one UPDATE, the same for
the code that enrols and for every later one, so that no code is good twice.

Until it is confirmed the secret is stored nowhere: it follows from the keyring and from the sign-in
or session that enrols it. A reload or a wrong code shows the same, nobody else's browser ever does.
"""

import base64
import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pyotp
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from directory.base.audit import Actor
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.base.hosts import Host
from idp.assurance import Means, Strength
from idp.factors import enrolled, limits, paper_code, qr_code, throttle
from idp.factors.enrolled import Secrets
from idp.factors.factor import Answer, Asking, Epochs, Field, Form, Passed, Proven
from idp.factors.guarded import Guess, guarded
from idp.services import Services

CODE = "totp"
DIGITS = 6
PERIOD = 30
"""Seconds."""
_PURPOSE = "totp"
_DRIFT = (0, -1, 1)
"""Steps by which a clock may be wrong, the likely ones first."""
_NOT_DIGITS = re.compile(r"[\s.\-–]")


def proven(at: datetime, epochs: Epochs) -> Proven:
    """What a code that fits proves."""
    return Proven(CODE, at, epochs, level=1, amr=("otp",), means=(Means.POSSESSION,))


class Totp:
    """A code of an app, beside a password."""

    code = CODE
    title = "Mã trong ứng dụng xác thực"
    first = False
    gives = Strength(1, frozenset({Means.POSSESSION}))

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """To whom has enrolled an app."""
        return CODE in asking.enrolled

    def begin(self, _has: Services, _asking: Asking) -> Form:
        """The code."""
        return Form(
            lead="Nhập mã 6 chữ số đang hiện trong ứng dụng xác thực trên điện thoại của bạn.",
            button="Tiếp tục",
            fields=(Field("code", "Mã 6 chữ số", attributes=ONE_TIME),),
            help="Mã đổi sau mỗi 30 giây. Mã luôn bị báo sai? Hãy bật tự động đặt giờ trên điện thoại.",
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed:
        """Raises InvalidInput, Locked."""
        given = typed(answer.values.get("code", ""))
        user_id = asking.user_id or 0

        def read(connection: Connection) -> Guess[Secrets]:
            found = enrolled.secrets_of(connection, user_id, CODE)
            return Guess(limits.of_codes(CODE, user_id, has.settings), user_id, found)

        right = guarded(
            has.db,
            read,
            lambda found, _: _matching(has.keyring, found.sealed, given, asking.now) is not None,
            factor=CODE,
            now=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
        )
        if right is None:
            raise _wrong()
        matched = _matching(has.keyring, right.about.sealed, given, asking.now)

        def settle(session: Session) -> None:
            if matched is None or not enrolled.spend(session, *matched, now=asking.now):
                raise spent()
            throttle.succeeded(session, right.attempt, now=asking.now)

        return Passed(user_id, proven(asking.now, right.about.epochs), settle)


ONE_TIME: dict[str, str | int | bool] = {
    "inputmode": "numeric",
    "autocomplete": "one-time-code",
    "required": True,
}


def typed(text: str) -> str:
    """The six digits that somebody has typed, however she has set them apart. Raises InvalidInput
    for what can be no code: that is told, and is no guess.
    """
    digits = _NOT_DIGITS.sub("", unicodedata.normalize("NFKC", text))
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise InvalidInput("code_form", "Mã gồm đúng 6 chữ số.", field="code")
    return digits


def _wrong() -> InvalidInput:
    return InvalidInput(
        "code_wrong", "Mã không đúng. Hãy nhập mã đang hiện trong ứng dụng.", field="code"
    )


def spent() -> InvalidInput:
    """A code that was used before."""
    return InvalidInput(
        "code_spent", "Mã này đã dùng rồi. Hãy đợi ứng dụng hiện mã tiếp theo.", field="code"
    )


def _matching(
    keyring: Keyring, sealed: Mapping[int, str], given: str, now: datetime
) -> tuple[int, int] | None:
    """(row, step) of the app that shows this code about now."""
    for factor_id, one in sealed.items():
        step = _step(keyring.decrypt(_PURPOSE, one).decode(), given, now)
        if step is not None:
            return factor_id, step
    return None


def _step(secret: str, given: str, now: datetime) -> int | None:
    """The step whose code this is; every one that counts is looked at."""
    code, at = pyotp.TOTP(secret, digits=DIGITS, interval=PERIOD), int(now.timestamp()) // PERIOD
    fitting = [
        at + drift for drift in _DRIFT if hmac.compare_digest(code.generate_otp(at + drift), given)
    ]
    return fitting[0] if fitting else None


# ---- enrolling -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Offer:
    """A secret that is not confirmed yet, as her app takes it."""

    secret: str
    uri: str
    """``otpauth://``: a phone opens its app with it."""
    picture: str
    """The same as a QR code: an SVG element without any style of its own."""

    @property
    def in_groups(self) -> str:
        """The secret as people type it."""
        return paper_code.grouped(self.secret)


def offer(has: Services, user_id: int, username: str, within: str) -> Offer:
    """The secret of one enrolment, the same each time it is asked for. ``within`` names the sign-in
    or the session in which it happens: nobody else's leads to it.
    """
    secret = _secret(has.keyring, user_id, within)
    named = issuer(has.settings)
    uri = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=named)
    return Offer(secret, uri, qr_code.svg(uri))


def issuer(settings: Settings) -> str:
    """What apps call us: ASCII, without port and colon."""
    host = Host.of(settings.issuer)
    name = host.name if host is not None else ""
    return name if name and name.isascii() and ":" not in name else "Dinhdanh"


def confirm(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    has: Services,
    user_id: int,
    within: str,
    given: str,
    *,
    name: str,
    now: datetime,
    actor: Actor,
) -> bool:
    """She has typed a code of the secret that was offered: it is hers from now on, and that code is
    used up. False where the same form has done so before. Raises InvalidInput.
    """
    secret = _secret(has.keyring, user_id, within)
    step = _step(secret, typed(given), now)
    if step is None:
        raise InvalidInput(
            "code_wrong",
            "Mã không đúng. Hãy quét lại mã QR, hoặc xem giờ trên điện thoại có đúng không.",
            field="code",
        )
    made = enrolled.enrol(
        session,
        user_id,
        kind=CODE,
        name=name,
        origin=has.keyring.keyed_hash("enrolled", f"{CODE}:{user_id}:{within}"),
        secret=has.keyring.encrypt(_PURPOSE, secret.encode()),
        now=now,
        actor=actor,
    )
    return made is not None and enrolled.spend(session, made, step, now=now)


def _secret(keyring: Keyring, user_id: int, within: str) -> str:
    """32 letters: 160 bits (RFC 4226 §4), so that base32 needs no padding."""
    return base64.b32encode(keyring.mac(_PURPOSE, f"{user_id}:{within}".encode(), size=20)).decode()
