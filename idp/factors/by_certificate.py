"""A certificate, as on a USB token: shown over TLS at a host of its own (``certificate_visit``).

The TLS edge there has seen that whoever comes holds the certificate's key, for that host and for no
other; what the certificate is worth is judged when she is back (``connectors.pki.presented``). She is
known by its key, which she has enrolled: never by the names in it. So a renewed certificate of the
same key is as good, and one of the same names is nobody's.

What it proves depends on how its house issues: keys in tokens that ask for a PIN are two factors
(level 2), any other is one that she holds. Nothing here can be guessed: it neither counts towards a
lock nor is stopped by one.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from connectors.pki import path, presented
from connectors.pki.naming import common_name
from connectors.pki.presented import Presented, Refusal
from directory.base import audit, replay_cache
from directory.base.audit import Actor, Tag
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import core
from directory.base.errors import InvalidInput
from directory.base.remembered import Remembered
from idp.assurance import Means, Strength
from idp.factors import certificate_visit, enrolled, enrolled_keys, visits
from idp.factors.certificate_visit import SHOWN, STATE, Asked, Shown
from idp.factors.enrolled_keys import Named
from idp.factors.factor import Answer, Asking, Elsewhere, Epochs, Factor, Form, Passed, Proven
from idp.services import Services

CODE = "certificate"
CONFIRM = timedelta(minutes=10)
"""How long what would be added may be looked at."""
_HELD, _BOTH = 1, 2
_ANOTHERS = "anothers"
_NOT_ENROLLED = "not enrolled"
_ENDED = "ended"


def possible(settings: Settings) -> bool:
    """Whether anybody can show one here."""
    return bool(settings.certificate_site and settings.trusted_proxies)


def proven(at: datetime, epochs: Epochs, *, level: int) -> Proven:
    """What a certificate of a house of that level proves."""
    in_token = level >= _BOTH
    return Proven(
        CODE,
        at,
        epochs,
        level=_BOTH if in_token else _HELD,
        # RFC 8176 §2: "pop" where nobody knows whether hardware keeps the key.
        amr=("hwk", "pin", "mfa") if in_token else ("pop",),
        means=(Means.POSSESSION, Means.KNOWLEDGE) if in_token else (Means.POSSESSION,),
        phishing_resistant=True,
    )


class ByCertificate:
    """A certificate of hers."""

    code = CODE
    title = "Chứng thư số (USB token)"
    first = True
    gives = Strength(_BOTH, frozenset({Means.POSSESSION, Means.KNOWLEDGE}), phishing_resistant=True)

    def __init__(self, settings: Settings) -> None:
        self._site = settings.certificate_site

    def offers(self, _where: Connection | Session, asking: Asking) -> bool:
        """To everybody while nobody knows who she is; then to whom has one."""
        return asking.user_id is None or CODE in asking.enrolled

    def begin(self, _has: Services, _asking: Asking) -> Form:
        """A button that leads to the host where it is shown."""
        return Form(
            lead="Cắm thiết bị (USB token) trước, rồi bấm nút. Trình duyệt sẽ hỏi chọn chứng thư và mã PIN.",
            button="Đăng nhập bằng chứng thư",
            leads_to=self._site,
        )

    def check(self, has: Services, asking: Asking, answer: Answer) -> Passed | Elsewhere:
        """Raises InvalidInput; audited with the reason where there is a certificate."""
        back = asking.back(CODE)
        if not answer.returned:
            _count(has, asking)
            asked = Asked(back, asking.state, asking.now)
            return Elsewhere(certificate_visit.url(has.settings, has.keyring, asked))
        sealed, state = answer.values.get(SHOWN, ""), answer.values.get(STATE, "")
        try:
            shown = certificate_visit.brought(
                has.keyring, sealed, back=back, state=state, now=asking.now
            )
        except InvalidInput as refused:
            _count(has, asking, refused.code)
            raise
        return self._passed(has, asking, shown, state)

    def _passed(self, has: Services, asking: Asking, shown: Shown, state: str) -> Passed:
        with has.db.read() as session:
            # First the epochs: what is cut while we look is dead.
            named = enrolled_keys.named_by(
                session, origin(has.keyring, path.key_of(shown.certificate)), CODE
            )
            told = presented.judge(session, has.settings, shown.certificate, now=asking.now)
        why = _flaw(asking.user_id, named, told)
        if why is not None:
            _count(has, asking, why, named)
            raise refusal(why)
        assert named is not None  # noqa: S101 (no flaw)
        assert isinstance(told, Presented)  # noqa: S101 (no flaw)

        def settle(session: Session) -> None:
            until = asking.now + certificate_visit.BACK
            once(session, f"{asking.flow_id}:{state}", until=until)
            used = enrolled_keys.use(session, named.id, 0, public=public(told), now=asking.now)
            if not used:
                raise refusal(_ENDED)
            visits.led_in(session, has, asking)

        return Passed(named.user_id, proven(shown.at, named.epochs, level=told.level), settle)


def _flaw(user_id: int | None, named: Named | None, told: Presented | Refusal) -> str | None:
    """Why a certificate lets nobody in. What is wrong with itself goes first."""
    if isinstance(told, Refusal):
        return told.value
    if named is None:
        return _NOT_ENROLLED
    if not named.live:
        return _ENDED
    anothers = user_id not in (None, named.user_id) or told.owner not in (None, named.user_id)
    return _ANOTHERS if anothers else None


class Certificates:
    """The factor, where there is a host for it."""

    def members(
        self, has: Services, where: Connection | Session, now: datetime
    ) -> tuple[Factor, ...]:
        """One, or none."""
        return (ByCertificate(has.settings),) if possible(has.settings) else ()

    def known(self, remembered: Remembered) -> tuple[Strength, ...]:
        """Nothing that a password and a code do not reach as well."""
        return ()

    def gone(self, code: str) -> Factor | None:
        """Nobody comes back from it."""
        return None


def origin(keyring: Keyring, key: str) -> str:
    """What the row of a key is found by: two people cannot have one key."""
    return keyring.keyed_hash("enrolled", f"{CODE}:{key}")


def public(told: Presented) -> dict[str, object]:
    """What is kept of a certificate beside its key: of whom to ask, and for people to look at."""
    return {
        "issued_by": told.foreign,
        "serial": told.serial,
        "subject": told.subject,
        "issuer": told.issuer,
        "not_after": told.not_after.isoformat(),
        "level": told.level,
    }


def once(session: Session, whose: str, *, until: datetime) -> None:
    """What was brought back is used up. Raises InvalidInput for the second who comes with it."""
    digest = replay_cache.digest(CODE, whose, "")
    if not replay_cache.first(core(session), digest, until=until):
        raise InvalidInput(
            "certificate_spent", "Trang này đã dùng rồi. Hãy bấm nút một lần nữa.", field=""
        )


def _count(has: Services, asking: Asking, why: str = "", about: Named | None = None) -> None:
    """One more who leaves, or is refused: in the trail with the reason. Raises Locked."""

    def tell(session: Session, told: str) -> None:
        hers = about is not None and told == why
        audit.record(
            session,
            Tag.LOGIN_FAIL,
            at=asking.now,
            actor=Actor("anonymous", None, "", asking.source.ip, asking.source.port),
            subject=("user", about.user_id) if hers and about else (CODE, ""),
            data={"factors": [CODE], "why": told},
        )

    visits.count(has, asking, tell, why)


def refusal(why: str) -> InvalidInput:
    """What whoever shows a certificate is told that says nothing."""
    return InvalidInput("certificate_refused", SENTENCES[why], field="")


SENTENCES = {
    Refusal.UNREADABLE.value: "Không đọc được chứng thư mà thiết bị gửi tới. Hãy chọn chứng thư khác.",
    Refusal.WEAK.value: "Khóa của chứng thư này quá yếu nên không được nhận.",
    Refusal.USE.value: "Chứng thư này không dùng để đăng nhập được. Hãy chọn chứng thư cá nhân của bạn.",
    Refusal.UNKNOWN.value: "Nơi cấp chứng thư này chưa được hệ thống tin cậy. Hãy chọn chứng thư khác.",
    Refusal.EARLY.value: "Chứng thư này chưa đến ngày có hiệu lực.",
    Refusal.EXPIRED.value: "Chứng thư này đã hết hạn. Hãy gia hạn, hoặc đăng nhập bằng cách khác.",
    Refusal.ISSUER.value: "Nơi cấp chứng thư này không còn hiệu lực. Hãy báo người quản trị.",
    Refusal.REVOKED.value: "Chứng thư này đã bị thu hồi. Hãy đăng nhập bằng cách khác.",
    Refusal.DISTRUSTED.value: "Chứng thư này đang bị ngừng tin cậy. Hãy đăng nhập bằng cách khác.",
    Refusal.STALE.value: "Hệ thống chưa có danh sách thu hồi còn hạn của nơi cấp, nên chưa nhận chứng thư "
    "này. Hãy báo người quản trị; trong lúc chờ, đăng nhập bằng cách khác.",
    _NOT_ENROLLED: "Chứng thư này chưa được thêm ở đây. Hãy đăng nhập bằng cách khác, rồi thêm nó ở trang "
    "Cách đăng nhập của tôi.",
    _ENDED: "Chứng thư này đã bị bỏ khỏi cách đăng nhập. Hãy đăng nhập bằng cách khác.",
    _ANOTHERS: "Chứng thư này không phải của người đang đăng nhập. Hãy chọn chứng thư khác.",
}


# ---- enrolling -------------------------------------------------------------------------------


def way(has: Services, within: str, *, back: str, now: datetime) -> str:
    """Where somebody shows a certificate that she would add, in this session."""
    return certificate_visit.url(has.settings, has.keyring, Asked(back, _state(has, within), now))


def _state(has: Services, within: str) -> str:
    """Of a visit that leads to no sign-in: it is of this session and of no other."""
    return has.keyring.mac("certificate-within", within.encode()).hex()


def shown(
    has: Services,
    session: Session,
    user_id: int,
    within: str,
    *,
    sealed: str,
    back: str,
    now: datetime,
) -> Presented:
    """The certificate that she has shown, if she may add it. Raises InvalidInput."""
    found = certificate_visit.brought(
        has.keyring, sealed, back=back, state=_state(has, within), good=CONFIRM, now=now
    )
    told = presented.judge(session, has.settings, found.certificate, now=now)
    if isinstance(told, Refusal):
        raise refusal(told.value)
    if told.owner not in (None, user_id):
        raise refusal(_ANOTHERS)
    named = enrolled_keys.named_by(session, origin(has.keyring, told.key), CODE)
    if named is not None and named.live:
        raise _known() if named.user_id == user_id else refusal(_ANOTHERS)
    return told


def _known() -> InvalidInput:
    return InvalidInput("certificate_known", "Chứng thư này đã được thêm trước đây.", field="")


def confirm(  # noqa: PLR0913 (one keyword per fact)
    session: Session,
    has: Services,
    user_id: int,
    within: str,
    *,
    sealed: str,
    back: str,
    name: str,
    now: datetime,
    actor: Actor,
) -> Presented:
    """She has looked at it: it is hers from now on. Raises InvalidInput."""
    told = shown(has, session, user_id, within, sealed=sealed, back=back, now=now)
    here = origin(has.keyring, told.key)
    # Somebody's once, and ended: a token that was found again, or given back and handed on.
    enrolled_keys.give_way(session, here)
    made = enrolled.enrol(
        session,
        user_id,
        kind=CODE,
        name=name or common_name(told.subject)[: enrolled.NAME_LONGEST] or ByCertificate.title,
        origin=here,
        public=public(told),
        now=now,
        actor=actor,
    )
    if made is None:
        raise _known()
    return told
