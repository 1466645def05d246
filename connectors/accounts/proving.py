"""Whether an account really is as wanted: a fresh look at the target, not believed too easily.

    whose      the account seen is the one written to, and hers
    right      it shows everything that is wanted; text that a target cut is told apart
    control    before "inactive" is believed, something active was seen by the same look: this
               account before it was switched off, or another that we know to be active
    thief      what somebody who holds the old password would try has failed

What does not show yet is Transient; what has not come after a few attempts is Rejected, in words
that say what never arrives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.accounts import mapping
from connectors.accounts.contract import Action, Connector, Outcome, RemoteAccount, WantedAccount
from connectors.errors import Rejected, Transient
from directory.base import storable

PATIENCE = 5
"""Attempts after which what does not show will not show."""
CONTROLS = 3
"""How many other accounts are tried as a control."""

Evidence = dict[str, Any]


@dataclass(frozen=True)
class Other:
    """Another account of the application, active when it was last looked at."""

    key: str
    external_id: str


class _NotYet(Exception):
    """It does not show, or cannot be believed."""

    def __init__(self, reason: str, **args: Any) -> None:
        super().__init__(reason)
        self.reason = reason
        self.args_of = args


def look(
    connector: Connector,
    wanted: WantedAccount,
    outcome: Outcome,
    *,
    others: Sequence[Other] = (),
    last: bool = False,
) -> tuple[RemoteAccount | None, Evidence]:
    """What the target shows, and how we know; None where nothing is there and nothing wanted.

    Raises Transient while it is not what is wanted, and Rejected instead where ``last``.
    """
    if outcome.action is Action.ABSENT or outcome.remote_id is None:
        return None, dict(outcome.evidence)
    if not storable.holdable(outcome.remote_id):
        raise Rejected("Hệ thống đích đặt mã tài khoản không lưu được.")
    try:
        seen, evidence = _seen(connector, wanted, outcome)
        if not seen.active:
            evidence |= _control(connector, outcome, others)
            evidence |= connector.try_entry(seen)
    except _NotYet as not_yet:
        kind = Rejected if last else Transient
        raise kind(not_yet.reason, **not_yet.args_of) from not_yet
    return seen, evidence


def _seen(
    connector: Connector, wanted: WantedAccount, outcome: Outcome
) -> tuple[RemoteAccount, Evidence]:
    seen = connector.probe(outcome.remote_id or "")
    if seen is None:
        raise _NotYet("Hệ thống đích chưa cho thấy tài khoản vừa cập nhật.")
    if not _hers(wanted, seen, outcome):
        raise _NotYet("Hệ thống đích cho thấy tài khoản của người khác ở mã này.")
    wrong = connector.differences(wanted, seen)
    cut = mapping.cut(wanted, seen, wrong)
    wrong = tuple(name for name in wrong if name not in cut)
    if wrong:
        raise _NotYet("Tài khoản tại hệ thống đích chưa đúng ở: {wrong}.", wrong=", ".join(wrong))
    return seen, {"cut": list(cut)} if cut else {}


def _hers(wanted: WantedAccount, seen: RemoteAccount, outcome: Outcome) -> bool:
    """An account that carries no external id at all is hers by number and name."""
    if seen.key != outcome.remote_id:
        return False
    if seen.external_id is None:
        return seen.username.casefold() == wanted.username.casefold()
    return seen.external_id == wanted.external_id


def _control(connector: Connector, outcome: Outcome, others: Sequence[Other]) -> Evidence:
    """Something active that the same look has shown; "none" where nothing of ours is active."""
    if outcome.action is Action.DISABLED:
        return {"control": "before"}
    tried = 0
    for other in others:
        seen = connector.probe(other.key)
        if seen is None or seen.external_id not in (None, other.external_id):
            continue
        if seen.active:
            return {"control": "other"}  # whose is not for everybody who reads this
        tried += 1
    if tried:
        raise _NotYet("Hệ thống đích báo mọi tài khoản đều ngừng; chưa thể tin là đã thu hồi.")
    return {"control": "none"}
