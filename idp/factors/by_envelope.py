"""The sealed envelope as a factor: how an administrator comes in when everything else is away.

It needs neither password, phone, token, network nor another provider, and no lock of hers stops it. Wrong
codes count as those of slips do: against the source and all of them together, never against a person. What
was right is used up in the transaction that records it, together with its entry in the trail and the
messages to her and to whoever answers for security: nobody comes in quietly.

It is two factors by the installation's own word, as an upstream's may be: how a safe is kept and who opens it
no program sees. So it rests on no means of ours, and together with others it is no more.
"""

from datetime import datetime

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from connectors import notices
from connectors.notices import Notice
from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.errors import InvalidInput
from directory.base.remembered import Remembered
from directory.entitlements import installation_epoch
from directory.people import User, folded
from idp.assurance import SEALED, Strength
from idp.factors import envelopes, limits, paper_code, throttle
from idp.factors.envelopes import HALVES, USED, TypedEnvelope
from idp.factors.factor import Answer, Asking, Epochs, Factor, Field, Form, Passed, Proven
from idp.factors.guarded import Guess, guarded
from idp.services import Services

log = structlog.get_logger(__name__)

CODE = "break_glass"
GIVES = Strength(2)
_CODES = ("code", "code2")


class Envelopes:
    """The factor, where the installation keeps envelopes."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """One, or none."""
        return (ByEnvelope(has.settings),) if has.settings.break_glass in HALVES else ()

    def known(self, remembered: Remembered) -> tuple[Strength, ...]:
        """Nothing that a password and a code do not reach as well."""
        return ()

    def gone(self, code: str) -> Factor | None:
        """Nobody comes back from it."""
        return None


class ByEnvelope:
    """A name, and what stands on the paper in the envelope, or in both of them."""

    code = CODE
    title = "Phong bì khẩn cấp"
    first = True
    gives = GIVES

    def __init__(self, settings: Settings) -> None:
        self._halves = HALVES[settings.break_glass]

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """To whoever begins: who has one is not told."""
        return asking.user_id is None

    def begin(self, _has: Services, _asking: Asking) -> Form:
        """Name and codes."""
        labels = ("Mã 16 chữ số",) if self._halves == 1 else ("Mã phần A", "Mã phần B")
        fields = (
            Field(name, label, attributes=_PAPER)
            for name, label in zip(_CODES, labels, strict=False)
        )
        return Form(
            lead="Chỉ dùng khi quản trị viên không còn cách nào khác để đăng nhập. Phong bì dùng được một lần; "
            "quản trị viên và người phụ trách an toàn được báo qua các kênh thông báo đã cài.",
            button="Mở phong bì và đăng nhập",
            fields=(Field("username", "Tên đăng nhập", attributes=_NAME), *fields),
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed:
        """Raises InvalidInput, Locked."""
        username = answer.values.get("username", "").strip()
        if not username:
            raise InvalidInput("empty", "Hãy nhập tên đăng nhập.", field="username")
        codes = [
            paper_code.typed(answer.values.get(name, ""), field=name)
            for name in _CODES[: self._halves]
        ]
        actor = Actor("anonymous", None, "", asking.source.ip, asking.source.port)
        seen: list[TypedEnvelope] = []

        def read(connection: Connection) -> Guess[tuple[TypedEnvelope, Epochs] | None]:
            found = envelopes.find(
                connection, has.keyring, codes, now=asking.now, settings=has.settings
            )
            counted = limits.of_slips(asking.source.ip or "", has.settings)
            if found is None or found.username != folded(username):
                return Guess(counted, None, None)
            seen.append(found)
            return Guess(counted, found.user_id, (found, _epochs(connection, found.user_id)))

        right = guarded(
            has.db,
            read,
            lambda about, _: about is not None and not about[0].why,
            factor=CODE,
            now=asking.now,
            actor=actor,
        )
        if right is None or right.about is None:
            raise _refused(seen[0].why if seen else None)
        found, epochs = right.about

        def settle(session: Session) -> None:
            if not envelopes.use(session, found, now=asking.now, settings=has.settings):
                raise _refused(USED)
            # Others' wrong ones stay counted.
            throttle.release(session, right.attempt)
            _tell(session, found, asking)

        lasts = has.settings.break_glass_lifetime
        proven = Proven(CODE, asking.now, epochs, GIVES.level, (SEALED,), lasts=lasts)
        return Passed(found.user_id, proven, settle)


def _tell(session: Session, found: TypedEnvelope, asking: Asking) -> None:
    actor = Actor("user", found.user_id, found.username, asking.source.ip, asking.source.port)
    audit.record(
        session,
        Tag.LOGIN_BREAK_GLASS,
        at=asking.now,
        actor=actor,
        subject=("user", found.user_id),
        data={"envelope": found.id},
    )
    for notice in (Notice.BREAK_GLASS, Notice.BREAK_GLASS_HERS):
        notices.tell(session, found.user_id, notice, now=asking.now, actor=actor)
    log.warning("login.break_glass", user=found.user_id, envelope=found.id)


def _epochs(connection: Connection, user_id: int) -> Epochs:
    epoch = connection.scalar(select(User.access_epoch).where(User.id == user_id))
    return Epochs(epoch or 0, installation_epoch(connection))


def _refused(why: str | None) -> InvalidInput:
    """What became of it is told to whoever has its codes and knows whose it is."""
    if why == USED:
        return InvalidInput(
            "envelope_used",
            "Phong bì này đã dùng rồi. Nếu không phải bạn mở, hãy báo ngay người phụ trách an toàn.",
            field="code",
        )
    if why is not None:
        return InvalidInput(
            "envelope_void",
            "Phong bì này hết hiệu lực: đã có phong bì mới, đã quá hạn, vai trò hay công tác đã thay đổi, hoặc bản "
            "sao lưu đã được khôi phục. Người vận hành máy chủ làm phong bì mới bằng: dinhdanh user break-glass",
            field="code",
        )
    return InvalidInput(
        "envelope_wrong",
        "Tên đăng nhập hoặc mã không đúng. Hãy so lại từng nhóm số với tờ giấy trong phong bì.",
        field="code",
    )


_NAME: dict[str, str | int | bool] = {
    "autocomplete": "username",
    "autocapitalize": "none",
    "spellcheck": "false",
    "required": True,
    "maxlength": 200,
}
_PAPER: dict[str, str | int | bool] = {
    "inputmode": "numeric",
    "autocomplete": "off",
    "required": True,
}
