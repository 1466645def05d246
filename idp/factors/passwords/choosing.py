"""A new password that a person chooses."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from directory import permissions
from directory.base.audit import Actor
from directory.base.clock import local_day
from directory.base.config import Settings
from directory.base.errors import InvalidInput
from directory.base.hashing import PasswordHasher
from directory.people import User
from idp.assurance import asked_everywhere
from idp.factors.passwords import earlier, own, stored
from idp.factors.passwords.canonical import canonical
from idp.factors.passwords.own import Own
from idp.factors.passwords.stored import Candidate
from idp.factors.passwords.strength import Judgement, Rule, judge, require_strength, rule
from idp.factors.passwords.typed import hashed, verify, was_hers


@dataclass(frozen=True)
class Choosing:
    """Who chooses: what is asked of her new password, and what is known of her."""

    by: Rule
    own: Own
    unlike: Candidate | None
    """Whose present password the new one must not be; None where she gives none."""
    leaks: Path | None = None
    """The file of passwords that leaked."""
    earlier: tuple[str, ...] = ()
    """Hashes of those that she had before and may not take again."""

    @property
    def temporary(self) -> bool:
        """Whether her present one was given to her for one time."""
        return self.unlike is not None and self.unlike.must_change

    def judged(self, password: str) -> Judgement:
        """What is to be said of it while she types. Raises InvalidInput for one too long."""
        return judge(password, by=self.by, own=self.own, leaks=self.leaks)

    def hash(self, passwords: PasswordHasher, password: str, *, again: str) -> str:
        """The hash of what she typed twice. Raises InvalidInput, Busy. Outside transactions.

        Whoever chooses has proven who she is: she goes first.
        """
        require_strength(self.judged(password))
        if canonical(password) != canonical(again):
            raise InvalidInput(
                "password_differs", "Hai lần nhập mật khẩu không giống nhau.", field="again"
            )
        if self.unlike is not None and verify(passwords, self.unlike, password, first=True):
            raise InvalidInput(
                "password_same", "Mật khẩu mới phải khác mật khẩu cũ.", field="password"
            )
        if was_hers(passwords, self.earlier, password):
            raise InvalidInput(
                "password_used",
                "Mật khẩu này trùng với một trong {n} mật khẩu gần đây. Hãy chọn mật khẩu khác.",
                field="password",
                n=len(self.earlier) + 1,
            )
        return hashed(passwords, password, first=True)


def choosing(
    session: Session,
    user: User,
    *,
    settings: Settings,
    now: datetime,
    first: bool = False,
) -> Choosing:
    """A person about to choose; ``first``: whatever she had before is forgotten.

    Her password may be shorter where two factors are asked of her wherever she comes from. Whoever
    administers anything takes none of those again that she had lately.
    """
    granted = permissions.rights(session, Actor("user", user.id), local_day(now))
    administers = bool(granted.reaches)
    two = asked_everywhere(settings, administers=administers)
    # Her present one counts among them.
    before = settings.admin_password_history - 1 if administers else 0
    return Choosing(
        rule(settings, second_factor=two),
        own.about(session, user, now=now),
        None if first else stored.candidate(session, user.username),
        settings.blocklist,
        earlier.hashes(session, user.id, most=before),
    )
