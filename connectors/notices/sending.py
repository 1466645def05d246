"""The job of a notice: by every channel there is, to every address of its medium, each once.

What one channel has taken is written down before the next is tried: a mail server that is away keeps
nothing from the other channels, and what has gone out goes out once more only where the process died
in between, under the same name.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from sqlalchemy.orm import Session

from connectors.errors import ConnectorError, Misconfigured, Transient
from connectors.notices import channels, told
from connectors.notices.channel import Channel
from connectors.notices.message import About, Message, Speaker, compose
from connectors.notices.told import Due, Ending, Medium
from connectors.notices.words import WORDS
from connectors.tools import Tools
from directory import people
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.failpoints import failpoint
from directory.base.outbox import Claim

Record = Callable[[Session], set[str]]
LONGEST_WAIT = timedelta(hours=4)
"""Between two tries: twelve of them, doubled from a minute, last about a day (RFC 5321 §4.5.4.1 asks for
patience, and greylisting for more than a minute)."""


def sender(speaker: Speaker) -> Callable[[Tools, Claim], Record]:
    """The handler that speaks so."""

    def send(tools: Tools, claim: Claim) -> Record:
        return _send(tools, claim, speaker)

    return send


def _send(tools: Tools, claim: Claim, speaker: Speaker) -> Record:
    """Raises Transient with how long to wait, Rejected, Misconfigured, once all channels were tried."""
    notice_id = int(claim.key)
    with tools.db.read() as session:
        due = told.due(session, notice_id, on=local_day(tools.clock()))
        doer = _doer(session, due)
    if due is None:
        return lambda _session: set()
    copies = list(_copies(tools.settings, due))
    ending = _unsent(due, copies)
    if ending is None:
        message = compose(_about(tools, due, doer), speaker)
        failures = list(_by_all(tools, due, message, copies))
        if failures:
            raise _worst(failures, claim.tries)
        ending = Ending.SENT

    def record(session: Session) -> set[str]:
        told.end(session, notice_id, ending, now=tools.clock())
        return set()

    return record


Copy = tuple[Channel, str]
"""By which channel, to which address."""


def _copies(settings: Settings, due: Due) -> Iterator[Copy]:
    officers = WORDS[due.what].to_officers
    for way in channels.configured(settings):
        named = settings.security_officers if officers and way.medium is Medium.MAIL else ()
        for address in named or due.addresses.get(way.medium.value, ()):
            yield way, address


def _unsent(due: Due, copies: Sequence[Copy]) -> Ending | None:
    """Why it is not sent at all."""
    if due.restored:
        return Ending.RESTORED
    if due.left and not WORDS[due.what].to_officers:
        return Ending.LEFT
    if copies:
        return None
    return Ending.NO_CHANNEL if any(due.addresses.values()) else Ending.NO_ADDRESS


def _about(tools: Tools, due: Due, doer: str) -> About:
    return About(
        due.ref,
        due.what,
        due.facts,
        due.told_at,
        due.name,
        due.user_id,
        due.sender,
        tools.settings.notice_contact,
        doer,
    )


def _doer(session: Session, due: Due | None) -> str:
    """The name of the person who did it."""
    kind, _, who = due.facts.get("by", "").partition(":") if due is not None else ("", "", "")
    if kind != "user" or not who.isdecimal():
        return ""
    return people.get(session, int(who)).full_name


def _by_all(
    tools: Tools, due: Due, message: Message, copies: Sequence[Copy]
) -> Iterator[ConnectorError]:
    """Hand it to each channel that has not taken it; what went wrong."""
    for way, address in copies:
        if _by(way, address) in due.sent:
            continue
        failpoint("notice.before_send")
        try:
            way.send(message, address)
        except ConnectorError as error:
            yield error
            continue
        failpoint("notice.after_send")
        with tools.db.write() as session:
            told.taken(session, due.id, _by(way, address), now=tools.clock())


def _by(way: Channel, address: str) -> str:
    return f"{way.code} {address}"


def _worst(failures: Sequence[ConnectorError], tries: int) -> ConnectorError:
    """What becomes of the job: it is tried again while any of it may still succeed."""
    again = next((each for each in failures if isinstance(each, Transient)), None)
    if again is not None:
        if again.retry_after is None:
            again.retry_after = min(timedelta(minutes=2 ** min(tries - 1, 12)), LONGEST_WAIT)
        return again
    fault = next((each for each in failures if isinstance(each, Misconfigured)), None)
    return fault or failures[0]
