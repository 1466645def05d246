"""What a factor is, and what it proves: values and one protocol (decision 0031).

    Asking      a sign-in as a factor sees it
    Form        what the page asks for: fields, or only a button
    Answer      what came back: the fields, a redirect's parameters, the TLS edge's word
    Passed      who she is, and what was proven
    Elsewhere   she is to prove it at another address, and comes back with an answer
    Further     something is left to ask, on the factor's own form

A factor that answers by redirect gives ``Elsewhere`` to the press of its button and ``Passed`` to
what comes back; one that is checked at the TLS edge looks at ``Answer.certificate``; one that must
remember what it asked (a challenge) puts it into ``Form.kept``. None stores a sign-in, starts a
session or knows a page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from idp.assurance import UNASKED, Demand, Means, Strength

if TYPE_CHECKING:
    from idp.services import Services


@dataclass(frozen=True)
class Source:
    """Where somebody comes from, for the session row and the audit."""

    ip: str | None
    port: int | None
    user_agent: str


@dataclass(frozen=True)
class Epochs:
    """Her epoch and the installation's, read before the check: what is cut in between is dead."""

    user: int
    installation: int


@dataclass(frozen=True)
class Proven:
    """One factor, proven once by one person for one purpose. Only its own check makes one."""

    factor: str
    at: datetime
    epochs: Epochs
    level: int
    """What it gives alone, 1 to 4 (``assurance.Strength``)."""
    amr: tuple[str, ...]
    """RFC 8176."""
    means: tuple[Means, ...] = ()
    phishing_resistant: bool = False
    lasts: int | None = None
    """Seconds after which a session that rests on it is over, where that is sooner than usual."""

    @property
    def elsewhere(self) -> bool:
        """Whether somebody else has vouched: it rests on no means of ours."""
        return not self.means

    @property
    def strength(self) -> Strength:
        """What it gives, to be taken together with others."""
        return Strength(self.level, frozenset(self.means), self.phishing_resistant)

    @property
    def stored(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "factor": self.factor,
            "at": self.at.isoformat(),
            "epochs": [self.epochs.user, self.epochs.installation],
            "level": self.level,
            "amr": list(self.amr),
            "means": list(self.means),
            "phishing_resistant": self.phishing_resistant,
            **({} if self.lasts is None else {"lasts": self.lasts}),
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Proven":
        """What ``stored`` gave."""
        return cls(
            kept["factor"],
            datetime.fromisoformat(kept["at"]),
            Epochs(*kept["epochs"]),
            kept["level"],
            tuple(kept["amr"]),
            tuple(Means(each) for each in kept["means"]),
            kept["phishing_resistant"],
            kept.get("lasts"),
        )


def reached(proven: Sequence[Proven]) -> Strength:
    """What all of them give together."""
    return reduce(lambda strength, one: strength | one.strength, proven, Strength())


def methods(proven: Sequence[Proven]) -> list[str]:
    """Their ``amr`` together: "mfa" where they rest on different means (RFC 8176 §2). Whoever was asked
    for one of them was asked.
    """
    named = dict.fromkeys(each for one in proven for each in one.amr)
    if any(UNASKED not in one.amr for one in proven):
        named.pop(UNASKED, None)
    if len(proven) > 1 and len(reached(proven).means) > 1:
        named["mfa"] = None
    return list(named)


@dataclass(frozen=True)
class Field:
    """One input of a form."""

    name: str
    label: str
    type: str = "text"
    value: str = ""
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """What the page asks for. Sentences are Vietnamese, translated when they are shown."""

    lead: str
    button: str
    fields: tuple[Field, ...] = ()
    help: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    """(what it is, what it says) of what she is to look at before she presses the button; the first
    of each pair is translated when it is shown."""
    leads_to: str = ""
    """A URL at the origin that ``Elsewhere`` leads to: the page lets its form end there."""
    script: str = ""
    """A script of ours that fills the fields in and sends them; where it does not run, the page says
    so and shows no button."""
    asks: str = ""
    """What that script asks the browser for, as JSON."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Comes back in the answer as it went: sealed, for this sign-in and this factor."""


@dataclass(frozen=True)
class Asking:
    """A sign-in as a factor sees it."""

    flow_id: str
    user_id: int | None
    """Whose the proofs so far are."""
    demand: Demand
    hint: str
    """Who she is likely to be, as she would type it."""
    source: Source
    now: datetime
    back: Callable[[str], str]
    """The absolute address that ``Elsewhere`` of this factor comes back to, by GET; the same for
    every sign-in."""
    state: str
    """Names this visit there; must come back as the parameter ``state``."""
    enrolled: frozenset[str] = frozenset()
    """Of which factors she has enrolled something; read once for all of them."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Of ``Further``, for the form that it leads to."""
    known: str = ""
    """What her browser shows of who has signed in there (``known_browser``)."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    values: Mapping[str, str]
    kept: Mapping[str, str] = field(default_factory=dict)
    """Of the form or of ``Elsewhere``."""
    returned: bool = False
    """Whether it comes from where ``Elsewhere`` led."""
    query: str = ""
    """What it came back with, as it was spelt: where ``+`` may be a plus."""
    certificate: str | None = None
    """The header ``Client-Cert`` (RFC 9440), where it comes from a proxy we believe."""


@dataclass(frozen=True)
class Parting:
    """Where she may sign out as well."""

    title: str
    url: str


@dataclass(frozen=True)
class Passed:
    """The check said yes."""

    user_id: int
    proven: Proven
    settle: Callable[[Session], None] = lambda _session: None
    """Written in the transaction that records the proof."""
    temporary: bool = False
    """Whether she must replace what she proved herself with before she goes on."""
    parting: Parting | None = None
    """Offered to her when she has signed out here."""


@dataclass(frozen=True)
class Elsewhere:
    """She is to go to this URL."""

    url: str
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Further:
    """Something is left to ask: ``begin`` is asked for a form with ``Asking.kept``."""

    kept: Mapping[str, str]


class Factor(Protocol):
    """One way to prove oneself."""

    @property
    def code(self) -> str:
        """Its name in stored sign-ins, forms and the audit trail; never changed."""

    @property
    def title(self) -> str:
        """What people call it."""

    @property
    def first(self) -> bool:
        """Whether it finds out who she is, so that a sign-in may begin with it."""

    @property
    def gives(self) -> Strength:
        """The most that it proves."""

    def offers(self, where: Connection | Session, asking: Asking) -> bool:
        """Whether she, or whoever it is, can use it now."""

    def begin(self, has: "Services", asking: Asking) -> Form:
        """What the page asks for."""

    def check(
        self, has: "Services", asking: Asking, answer: Answer
    ) -> Passed | Elsewhere | Further:
        """What the answer proves. Raises InvalidInput and Locked; runs outside transactions.

        What can be guessed is checked by ``guarded`` and nothing else.
        """
