"""When the session that a page is shown in ends, for the note at its foot and the warning before
(WCAG 2.2.1): by idleness, which any request puts off, or in the end, which a new sign-in does.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from flask import request

from directory.base.config import Settings
from idp.sessions import SessionView
from idp.sessions.session_rows import TOUCH_EVERY
from idp.web import gate
from idp.web.gate import services

_LEAD = 60
_LEAST = 20
"""Seconds: who is warned has no less to answer."""


@dataclass(frozen=True)
class Ending:
    """Of one page, at one moment."""

    now: datetime
    idle_at: datetime
    """When the session, or the console in it, has been idle too long if nothing more is done."""
    session_idle_at: datetime
    over_at: datetime
    """When it is over however busy."""
    lead: int
    """So many seconds before, she is warned."""

    @property
    def whole(self) -> bool:
        """Whether the end is the last one, that doing something does not put off."""
        return self.over_at <= self.idle_at

    @property
    def left(self) -> int:
        """Seconds until the nearer of both."""
        return self._seconds(min(self.idle_at, self.over_at))

    @property
    def session_left(self) -> int:
        """The same for pages outside the console."""
        return self._seconds(min(self.session_idle_at, self.over_at))

    @property
    def told(self) -> dict[str, Any]:
        """For the script of a page that wants to stay."""
        return {
            "left": self.left,
            "session_left": self.session_left,
            "whole": self.whole,
            "lead": self.lead,
        }

    def _seconds(self, at: datetime) -> int:
        return max(0, int((at - self.now).total_seconds()))


def of(view: SessionView, settings: Settings, *, now: datetime, console: bool) -> Ending:
    """What this request, which is a sign of life, leaves."""
    # Written once a minute at most, and so counted from what is written.
    seen = now if now - view.last_seen_at >= TOUCH_EVERY else view.last_seen_at
    session_idle = seen + timedelta(seconds=settings.session_idle)
    limit = min(settings.session_idle, settings.admin_idle) if console else settings.session_idle
    idle = (
        min(session_idle, now + timedelta(seconds=settings.admin_idle)) if console else session_idle
    )
    lead = max(_LEAST, min(_LEAD, limit // 3))
    return Ending(now, idle, session_idle, view.expires_at, lead)


def here() -> Ending:
    """Of the page, or the answer, of this request: one for somebody who is signed in."""
    has, view = services(), cast("SessionView", gate.current_session())
    console = request.blueprint == "console"
    return of(view, has.settings, now=has.clock(), console=console)
