"""Whether a password is long enough, and not one that is guessed.

No rule about kinds of characters: length, a list of known passwords, and what guessing would cost
(NIST SP 800-63B §5.1.1.2). What it must cost depends on whether a second factor is asked for besides.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from directory.base.config import Settings
from directory.base.errors import InvalidInput
from idp.factors.passwords import leaked
from idp.factors.passwords.canonical import canonical, require_bound, spellings
from idp.factors.passwords.guesses import Estimate, Part, estimate
from idp.factors.passwords.keystrokes import bare
from idp.factors.passwords.known import Kind
from idp.factors.passwords.own import Own

_ALONE, _BESIDE_ANOTHER = 40.0, 30.0
"""Guesses in log2. Who has the database tries some 10⁴ a second on one machine against argon2id: 40 are
three years of it. Beside a second factor only the pages are left, with twenty tries a day."""
_MORE = 12.0
"""So much above what is asked a password is called strong."""


@dataclass(frozen=True)
class Rule:
    """What is asked of a password."""

    least: int
    """Characters."""
    guesses: float
    """Log2."""


def rule(settings: Settings, *, second_factor: bool) -> Rule:
    """For whom a second factor is demanded besides, and for whom the password is all."""
    if second_factor:
        return Rule(settings.password_min_beside_second, _BESIDE_ANOTHER)
    return Rule(settings.password_min, _ALONE)


class Verdict(StrEnum):
    """What is said of a password."""

    SHORT = "short"
    WEAK = "weak"
    GOOD = "good"
    STRONG = "strong"


@dataclass(frozen=True)
class Judgement:
    """What is said, and why."""

    verdict: Verdict
    rule: Rule
    parts: tuple[Part, ...] = ()
    """What is easy to guess in it; positions are those of its canonical form."""

    @property
    def accepted(self) -> bool:
        """Whether it may be somebody's password."""
        return self.verdict in (Verdict.GOOD, Verdict.STRONG)


class Weak(InvalidInput):
    """A password that is easy to guess; ``judgement`` says where."""

    def __init__(self, judgement: Judgement, *, field: str) -> None:
        super().__init__("password_weak", "Mật khẩu này dễ đoán.", field=field)
        self.judgement = judgement


def judge(text: str, *, by: Rule, own: Own, leaks: Path | None = None) -> Judgement:
    """What is to be said of a password. ``leaks``: the file of those that leaked. Raises InvalidInput
    for one longer than any.
    """
    require_bound(text, field="password")
    if leaks is not None and leaked.holds(leaks, spellings(text)):
        return Judgement(Verdict.WEAK, by, (Part(Kind.LEAKED, 0, len(canonical(text))),))
    text = canonical(text)
    if (found := _known_whole(text, own)) is not None:
        return Judgement(Verdict.WEAK, by, (found,))
    cost = estimate(text, own.look)
    if len(text) < by.least:
        return Judgement(Verdict.SHORT, by, _worth_saying(cost))
    if cost.guesses < by.guesses:
        return Judgement(Verdict.WEAK, by, _worth_saying(cost))
    more = cost.guesses >= by.guesses + _MORE
    return Judgement(Verdict.STRONG if more else Verdict.GOOD, by)


def _known_whole(text: str, own: Own) -> Part | None:
    found = own.look(bare(text))
    if found is not None and found.kind is Kind.PASSWORD:
        return Part(Kind.PASSWORD, 0, len(text))
    return None


def _worth_saying(cost: Estimate) -> tuple[Part, ...]:
    """One part of each kind, in the order in which they stand."""
    seen: dict[Kind, Part] = {}
    for part in cost.parts:
        seen.setdefault(part.kind, part)
    return tuple(seen.values())


def require_strength(judgement: Judgement, *, field: str = "password") -> None:
    """Raises InvalidInput for a password that is too short or easy to guess."""
    if judgement.verdict is Verdict.SHORT:
        raise InvalidInput(
            "password_short",
            "Mật khẩu phải có ít nhất {least} ký tự.",
            field=field,
            least=judgement.rule.least,
        )
    if not judgement.accepted:
        raise Weak(judgement, field=field)
