"""What somebody does with a slip in her hand: types its code, answers its question, sets a password.

The code selects the slip. A wrong one counts against whoever types it and against the installation,
never against a person: an outsider can void nobody's slip. Whoever has the code is told what became
of the slip. Its question (her birth date, or the last digits of her citizen number) keeps a slip
that was lost from being enough; five wrong answers void it.
"""

import re
import unicodedata
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Connection, update
from sqlalchemy.orm import Session

from directory.base import audit
from directory.base.audit import Actor, Tag
from directory.base.crypto import Keyring
from directory.base.errors import InvalidInput
from directory.people import User
from idp.factors import enrolled, limits, paper_code, slips, throttle
from idp.factors.guarded import Guess, guarded
from idp.factors.slip_rows import Activation
from idp.services import Services

TRIES = 5
"""Wrong answers after which a slip is void."""
_FACTOR = "slip"
_LAST = 4
"""Digits of the citizen number that are asked for."""
_OLD = re.compile(r"[\w-]{40,60}", re.ASCII)
"""A slip of an earlier release: a token that only a link says."""


class Question(StrEnum):
    """What is asked of whoever uses a slip."""

    BIRTH = "birth"
    NUMBER = "number"
    EITHER = "either"


def question(user: User) -> Question | None:
    """What is asked about her; None where neither her day of birth nor her number is known."""
    born, number = _born(user) is not None, bool(user.citizen_masked)
    if born and number:
        return Question.EITHER
    return Question.BIRTH if born else Question.NUMBER if number else None


def typed(text: str) -> str:
    """The code that somebody typed. Raises InvalidInput for what can be none."""
    text = text.strip()
    return text if _OLD.fullmatch(text) else paper_code.typed(text)


def opened(has: Services, code: str, answer: str, *, now: datetime, actor: Actor) -> int:
    """The id of the slip of this code, its question answered. Nothing of it is used up. Raises InvalidInput
    saying what is wrong with either, and Locked.
    """
    code = typed(code)

    def read(connection: Connection) -> Guess[bool]:
        known = slips.is_known(connection, has.keyring, code)
        return Guess(limits.of_slips(actor.ip or "", has.settings), None, known)

    right = guarded(
        has.db, read, lambda found, _: bool(found), factor=_FACTOR, now=now, actor=actor
    )
    if right is None:
        raise InvalidInput(
            "slip_unknown",
            "Không có phiếu nào mang mã này. Hãy so lại với tờ phiếu.",
            field="code",
        )
    with has.db.write() as session:
        # Others' wrong ones stay counted.
        throttle.release(session, right.attempt)
    with has.db.write() as session:
        slip = slips.by_code(session, has.keyring, code)
        found = slips.standing_of(session, slip, now=now)
        if found.owner is None:
            raise _void(found.why)
        wrong = _answered(session, has.keyring, slip, found.owner, answer, now, actor)
        if wrong is None:
            return slip.id
    raise wrong


def owner(session: Session, slip_id: int, *, now: datetime) -> User:
    """Whose slip this is that was opened a while ago. Raises InvalidInput."""
    slip = session.get(Activation, slip_id)
    found = slips.standing_of(session, slip, now=now) if slip is not None else None
    if found is None or found.owner is None:
        raise _void(found.why if found is not None else "used")
    return found.owner


def use(session: Session, slip_id: int, *, now: datetime) -> int:
    """Consume the slip; whose it was. She is locked for the rest of the transaction, so that no
    change comes between the check and her new password. Raises InvalidInput.
    """
    slip = session.get_one(Activation, slip_id)
    slips.lock(session, slip.user_id)
    session.refresh(slip)
    owner(session, slip_id, now=now)
    taken = session.execute(
        update(Activation)
        .where(Activation.id == slip_id, Activation.used_at.is_(None))
        .values(used_at=now)
        .returning(Activation.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if taken is None:
        raise _void("used")
    if slip.change_id is not None:
        # Two have looked at who she is: a loss that she has reported stands in no way any more.
        enrolled.make_good(session, slip.user_id)
    return slip.user_id


def _void(why: str) -> InvalidInput:
    """What became of it: told to whoever has its code."""
    if why == "used":
        return InvalidInput(
            "slip_used",
            "Phiếu này đã dùng rồi. Nếu không phải bạn dùng, hãy báo ngay nơi cấp phiếu.",
            field="code",
        )
    if why == "newer":
        return InvalidInput(
            "slip_overtaken",
            "Phiếu này đã có phiếu mới hơn thay. Hãy dùng phiếu mới nhất.",
            field="code",
        )
    if why == "expired":
        return InvalidInput(
            "slip_expired", "Phiếu này đã hết hạn. Hãy xin nơi cấp một phiếu mới.", field="code"
        )
    if why == "early":
        return InvalidInput(
            "slip_early",
            "Chưa dùng được phiếu này: hôm nay bạn chưa có phân công công tác có hiệu lực.",
            field="code",
        )
    if why == "password":
        return InvalidInput(
            "slip_void",
            "Phiếu này hết hiệu lực vì mật khẩu đã được đặt lại sau khi in phiếu.",
            field="code",
        )
    if why == "answers":
        return InvalidInput(
            "slip_void",
            "Phiếu này hết hiệu lực vì câu hỏi bị trả lời sai quá nhiều lần. Hãy xin nơi cấp một phiếu mới.",
            field="code",
        )
    return InvalidInput(
        "slip_void",
        "Phiếu này hết hiệu lực vì công tác, vai trò hoặc quyền cấp phiếu đã thay đổi sau khi in. "
        "Hãy xin nơi cấp một phiếu mới.",
        field="code",
    )


# ---- the question ----------------------------------------------------------------------------


def _answered(
    session: Session,
    keyring: Keyring,
    slip: Activation,
    user: User,
    answer: str,
    now: datetime,
    actor: Actor,
) -> InvalidInput | None:
    """What is wrong with the answer, counted; None where it is right."""
    asked = question(user)
    if asked is None:
        return None
    if not answer.strip():
        return _missing(asked)
    # A place is taken before it is compared: a hundred at once are not a hundred answers.
    tries = session.execute(
        update(Activation)
        .where(Activation.id == slip.id, Activation.tries < TRIES)
        .values(tries=Activation.tries + 1)
        .returning(Activation.tries)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if tries is None:
        return _void("answers")
    if _fits(keyring, user, answer):
        session.execute(
            update(Activation)
            .where(Activation.id == slip.id)
            .values(tries=Activation.tries - 1)
            .execution_options(synchronize_session=False)
        )
        return None
    audit.record(
        session,
        Tag.LOGIN_FAIL,
        at=now,
        actor=actor,
        subject=("user", user.id),
        data={"factors": [_FACTOR]},
    )
    if tries < TRIES:
        return InvalidInput(
            "slip_answer",
            "Câu trả lời không khớp. Còn {left} lần; sau đó phiếu hết hiệu lực.",
            field="answer",
            left=TRIES - tries,
        )
    slips.void(session, [user.id], why="answers", now=now, actor=actor)
    return _void("answers")


def _missing(asked: Question) -> InvalidInput:
    if asked is Question.BIRTH:
        return InvalidInput("slip_question", "Hãy nhập ngày sinh của bạn.", field="answer")
    if asked is Question.NUMBER:
        return InvalidInput(
            "slip_question", "Hãy nhập 4 số cuối của số định danh cá nhân.", field="answer"
        )
    return InvalidInput(
        "slip_question",
        "Hãy nhập ngày sinh của bạn, hoặc 4 số cuối của số định danh cá nhân.",
        field="answer",
    )


def _fits(keyring: Keyring, user: User, answer: str) -> bool:
    """Whether this is her day of birth, however it is written, or the end of her number."""
    numbers = re.findall(r"\d+", unicodedata.normalize("NFKC", answer))
    digits = "".join(numbers)
    if not digits.isascii():
        return False
    born = _born(user)
    if born is not None and born in (_day(numbers), _day(_split(digits))):
        return True
    if not user.citizen_masked:
        return False
    if len(digits) == 12:
        return keyring.keyed_hash("citizen", digits) == user.citizen_hash
    return digits == user.citizen_masked[-_LAST:]


def _born(user: User) -> date | None:
    """Her day of birth, where more than the year is known."""
    try:
        return date.fromisoformat(user.birth_date or "")
    except ValueError:
        return None


def _split(digits: str) -> list[str]:
    return [digits[:2], digits[2:4], digits[4:]] if len(digits) == 8 else []


def _day(parts: list[str]) -> date | None:
    """Day, month, year; a year first turns them round."""
    if len(parts) != 3 or any(len(part) > 4 for part in parts):
        return None
    day, month, year = map(int, reversed(parts) if len(parts[0]) == 4 else parts)
    try:
        return date(year, month, day)
    except ValueError:
        return None
