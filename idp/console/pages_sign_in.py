"""What an HR officer does for a person's sign-in: a new slip, an end to a lock, the second factor reset.

One officer alone must not become anybody: a slip for whoever has signed in before, or holds an office
out of reach, takes a second person (``slip_rights``, ``slip_approval``); and whoever has given a person
a slip, and so a password, resets nothing else of hers for a day, nor the other way round.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from directory import people, permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.errors import Conflict, NotAllowed, NotFound
from directory.changes.kinds import slip
from directory.changes.model import Spec
from directory.permissions import Rights
from idp import approving, edge, sessions
from idp.factors import apart, resetting, slip_approval, slip_rights, slips, throttle
from idp.factors.slip_rights import Bar, Verdict
from idp.factors.slips import Agreed
from idp.services import Services


class Offered(StrEnum):
    """What a person's page offers about a slip."""

    NOTHING = "nothing"
    ISSUE = "issue"
    """One alone gives her one."""
    ASK = "ask"
    """It takes a second person, who has not been asked."""
    WAITS = "waits"
    PRINT = "print"
    """Two have agreed; it is to be printed, once."""


@dataclass(frozen=True)
class SlipOffer:
    """What the asker may do about a slip for somebody, and why not more."""

    what: Offered
    verdict: Verdict
    because: str = ""
    """Why it takes a second person."""
    proposal_id: str | None = None
    until: datetime | None = None
    """When what two have agreed upon is over."""


def offer(
    session: Session, granted: Rights, user_id: int, *, now: datetime, within: timedelta
) -> SlipOffer:
    """As her page shows it; ``within`` is how long an approval is good."""
    found = slip_rights.verdict(session, granted, user_id, on=local_day(now))
    if found.bar is not None:
        return SlipOffer(Offered.NOTHING, found)
    if found.alone:
        return SlipOffer(Offered.ISSUE, found)
    agreed = slip_approval.agreed(session, user_id, granted.actor, now=now, within=within)
    if agreed is not None:
        return SlipOffer(Offered.PRINT, found, found.because, until=agreed.at + within)
    waiting = slip_approval.proposed(session, user_id, granted.actor, now=now)
    if waiting is not None:
        return SlipOffer(Offered.WAITS, found, found.because, waiting)
    return SlipOffer(Offered.ASK, found, found.because)


def propose_slip(has: Services, user_id: int, *, actor: Actor) -> str:
    """Ask a second person for a slip; the proposal's id. Raises NotFound, NotAllowed, Conflict."""
    now = has.clock()
    with has.db.read() as session:
        found = _verdict(session, user_id, actor, now)
        apart.require_slip(session, user_id, actor, now=now)
    if found.alone:
        raise Conflict(
            "approval_not_needed", "Phiếu này không cần người thứ hai; hãy cấp phiếu ngay."
        )

    def ask(_session: Session, now: datetime, _granted: Rights) -> Spec:
        because = slip.Asks(because=found.because)
        return Spec(slip.KIND.code, local_day(now), users=(user_id,), asked=because)

    plan = edge.preview(has, ask, actor)
    made = approving.propose(has, ask, actor, fingerprint=plan["fingerprint"], key=None)
    return str(made["id"])


def issue_slip(
    session: Session,
    user_id: int,
    *,
    actor: Actor,
    keyring: Keyring,
    settings: Settings,
    now: datetime,
) -> str:
    """The code of a new activation slip; what takes two is issued once they have agreed.

    Raises NotFound, NotAllowed, Conflict.
    """
    people.lock(session, [user_id])  # of a slip and a reset at one moment the second sees the first
    found = _verdict(session, user_id, actor, now)
    apart.require_slip(session, user_id, actor, now=now)
    by: Agreed | None = None
    if found.together:
        within = timedelta(seconds=settings.approval_lifetime)
        by = slip_approval.agreed(session, user_id, actor, now=now, within=within)
        if by is None:
            raise NotAllowed(
                "slip_needs_two",
                "Phiếu này cần người thứ hai phê duyệt trước khi in. Hãy gửi đề nghị từ trang của "
                "người này.",
                missing="approval",
            )
    return slips.issue(
        session,
        keyring,
        user_id,
        now=now,
        lifetime=settings.activation_lifetime,
        actor=actor,
        agreed=by,
    )


def reset_factors(
    session: Session, user_id: int, *, actor: Actor, now: datetime
) -> list[str] | None:
    """End what a person has beside her password, this and her sessions, for her to begin anew with a
    slip: which sessions these were; None if she had nothing. Raises NotFound, NotAllowed, Conflict.
    """
    _require_reset(session, user_id, actor, now)
    user = people.lock(session, [user_id])[0]
    apart.require_reset(session, user_id, actor, now=now)
    if not resetting.reset(session, user_id, now=now, actor=actor):
        return None
    throttle.unlock(session, user_id, now=now, actor=actor)
    _, gone = sessions.cut_others(
        session,
        user_id,
        epoch=user.access_epoch,
        keep=None,
        now=now,
        actor=actor,
        reason="factor",
    )
    return gone


def unlock(session: Session, user_id: int, *, actor: Actor, now: datetime) -> bool:
    """Let a person try to sign in again; False if she was not locked. Raises NotFound, NotAllowed."""
    _require_reset(session, user_id, actor, now)
    return throttle.unlock(session, user_id, now=now, actor=actor)


def _verdict(session: Session, user_id: int, actor: Actor, now: datetime) -> Verdict:
    """What the actor may do about a slip. Raises NotFound for whom she does not see, NotAllowed."""
    on = local_day(now)
    found = slip_rights.verdict(session, permissions.rights(session, actor, on), user_id, on=on)
    _require(found.bar in (None, Bar.NOTHING), found)
    if found.bar is not None:
        slips.require_use(session, user_id, on=on)
    return found


def _require_reset(session: Session, user_id: int, actor: Actor, now: datetime) -> None:
    on = local_day(now)
    found = slip_rights.verdict(session, permissions.rights(session, actor, on), user_id, on=on)
    _require(found.may_reset, found)


def _require(allowed: bool, found: Verdict) -> None:
    if found.bar == Bar.UNSEEN:
        raise NotFound("user_unknown", "Không tìm thấy người dùng.")
    if not allowed:
        raise NotAllowed("not_allowed", "Không có quyền thực hiện việc này.", missing="source")
