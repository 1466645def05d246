"""Recovery codes: ten on a sheet of paper, each good once, for the day the phone is gone.

They are shown once and kept as keyed hashes. A new sheet ends the one before it. A code is used up
by one UPDATE; the row of its sheet in ``enrolled_factor`` says when one was used last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, ForeignKey, and_, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from connectors.notices import Notice
from directory.base.audit import Actor
from directory.base.crypto import Keyring, random_id
from directory.base.db import AUTOINCREMENT, Base, Key, core
from directory.base.errors import InvalidInput
from directory.entitlements import Installation
from directory.people import User
from idp.assurance import Means, Strength
from idp.factors import enrolled, limits, paper_code, throttle
from idp.factors.enrolled import LIVE, EnrolledFactor
from idp.factors.factor import Answer, Asking, Epochs, Field, Form, Passed, Proven
from idp.factors.guarded import Guess, guarded
from idp.services import Services

CODE = "recovery_code"
SHEET = 10
"""Codes on a sheet."""


class RecoveryCode(Base):
    """One code of a sheet."""

    __tablename__ = "recovery_code"
    __table_args__ = (AUTOINCREMENT,)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    factor_id: Mapped[int] = mapped_column(ForeignKey("enrolled_factor.id"), index=True)
    digest: Mapped[str] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class _Found:
    """The code that was typed, if it is on her sheet, and the epochs before it is used."""

    code_id: int | None
    sheet_id: int | None
    epochs: Epochs


def proven(at: datetime, epochs: Epochs) -> Proven:
    """What a code of her sheet proves."""
    return Proven(CODE, at, epochs, level=1, amr=("otp",), means=(Means.POSSESSION,))


class ByRecoveryCode:
    """A code of her sheet, beside a password."""

    code = CODE
    title = "Mã dự phòng trên giấy"
    first = False
    gives = Strength(1, frozenset({Means.POSSESSION}))

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """To whom has a sheet."""
        return CODE in asking.enrolled

    def begin(self, _has: Services, _asking: Asking) -> Form:
        """The code."""
        return Form(
            lead="Nhập một mã dự phòng chưa dùng trên tờ bạn đã in. Mỗi mã chỉ dùng được một lần.",
            button="Tiếp tục",
            fields=(Field("code", "Mã 16 chữ số", attributes=ON_PAPER),),
            help="Không còn tờ mã nào? Hãy đến bộ phận tổ chức cán bộ của đơn vị.",
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed:
        """Raises InvalidInput, Locked."""
        given = paper_code.typed(answer.values.get("code", ""))
        user_id = asking.user_id or 0

        def read(connection: Connection) -> Guess[_Found]:
            found = _find(connection, has.keyring, user_id, given)
            return Guess(limits.of_codes(CODE, user_id, has.settings), user_id, found)

        right = guarded(
            has.db,
            read,
            lambda found, _: found.code_id is not None,
            factor=CODE,
            now=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
        )
        if right is None:
            raise InvalidInput(
                "code_wrong", "Mã này không có trên tờ mã dự phòng hiện nay của bạn.", field="code"
            )
        found = right.about

        def settle(session: Session) -> None:
            if not _use(session, user_id, found, now=asking.now):
                raise InvalidInput(
                    "code_spent", "Mã này đã dùng rồi. Hãy dùng một mã khác.", field="code"
                )
            throttle.succeeded(session, right.attempt, now=asking.now)

        return Passed(user_id, proven(asking.now, found.epochs), settle)


ON_PAPER: dict[str, str | int | bool] = {
    "inputmode": "numeric",
    "autocomplete": "off",
    "required": True,
}


def _digest(keyring: Keyring, user_id: int, code: str) -> str:
    return paper_code.digest(keyring, "recovery", f"{user_id}:{code}")


def _find(connection: Connection, keyring: Keyring, user_id: int, given: str) -> _Found:
    """One SELECT; epochs are read where the code is not hers, too."""
    row = connection.execute(
        select(
            RecoveryCode.id,
            RecoveryCode.factor_id,
            User.access_epoch,
            select(Installation.epoch).scalar_subquery().label("installation"),
        )
        .select_from(User)
        .outerjoin(EnrolledFactor, and_(EnrolledFactor.user_id == User.id, LIVE, _SHEETS))
        .outerjoin(
            RecoveryCode,
            and_(
                RecoveryCode.factor_id == EnrolledFactor.id,
                RecoveryCode.digest == _digest(keyring, user_id, given),
            ),
        )
        .where(User.id == user_id)
        .order_by(RecoveryCode.id.is_(None))
    ).first()
    if row is None:
        return _Found(None, None, Epochs(0, 0))
    return _Found(row.id, row.factor_id, Epochs(row.access_epoch, row.installation))


_SHEETS: Any = EnrolledFactor.kind == CODE


def _use(session: Session, user_id: int, found: _Found, *, now: datetime) -> bool:
    """Use the code up; of many at once, one is told True. With the last one the sheet ends."""
    connection = core(session)
    sheet = select(EnrolledFactor.id).where(EnrolledFactor.id == found.sheet_id, LIVE)
    used = connection.execute(
        update(RecoveryCode)
        .where(
            RecoveryCode.id == found.code_id,
            RecoveryCode.used_at.is_(None),
            RecoveryCode.factor_id.in_(sheet),
        )
        .values(used_at=now)
        .returning(RecoveryCode.id)
    ).one_or_none()
    if used is None:
        return False
    count = connection.execute(
        update(EnrolledFactor)
        .where(EnrolledFactor.id == found.sheet_id)
        .values(last_used_at=now, counter=EnrolledFactor.counter + 1)
        .returning(EnrolledFactor.counter)
    ).scalar_one()
    if count >= SHEET:
        enrolled.end(
            session, [user_id], why="used_up", only=found.sheet_id, now=now, actor=Actor.system()
        )
    return True


def left(where: Connection | Session, user_id: int) -> int:
    """How many codes of her sheet are unused."""
    unused = (
        select(func.count())
        .select_from(RecoveryCode)
        .join(EnrolledFactor, EnrolledFactor.id == RecoveryCode.factor_id)
        .where(EnrolledFactor.user_id == user_id, LIVE, RecoveryCode.used_at.is_(None))
    )
    return int(core(where).execute(unused).scalar_one())


def issue(
    session: Session, keyring: Keyring, user_id: int, *, now: datetime, actor: Actor
) -> Sequence[str]:
    """A new sheet of codes, as they are printed; the one before it is void. The caller has seen her
    prove herself as strongly as they do.
    """
    enrolled.end(session, [user_id], why="replaced", kind=CODE, now=now, actor=actor)
    sheet_id = enrolled.enrol(
        session,
        user_id,
        kind=CODE,
        name="Tờ mã dự phòng",
        notice=Notice.CODES_PRINTED,
        origin=keyring.keyed_hash("enrolled", f"{CODE}:{random_id()}"),
        now=now,
        actor=actor,
    )
    codes = [paper_code.new() for _ in range(SHEET)]
    core(session).execute(
        insert(RecoveryCode),
        [{"factor_id": sheet_id, "digest": _digest(keyring, user_id, c)} for c in codes],
    )
    return [paper_code.grouped(code) for code in codes]
