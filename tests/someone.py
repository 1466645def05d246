"""A person at a browser of her own, with a phone and a sheet of paper."""

import re
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from directory.base.audit import AuditEntry
from idp import sessions
from tests.authenticator import Authenticator, wrong_code
from tests.browser_client import following, open_login, shown, submit
from tests.hr_world import PASSWORD, Hr

INSIDE = {"REMOTE_ADDR": "10.20.30.40"}
OUTSIDE = {"REMOTE_ADDR": "203.0.113.9"}
PAPER = re.compile(r"<li><code>((?:\d{4} ){3}\d{4})</code></li>")


class Someone:
    """A person at a browser of her own."""

    def __init__(self, hr: Hr, who: str, network: dict[str, str] = INSIDE) -> None:
        self.hr, self.who = hr, who
        self.client: FlaskClient = hr.app.test_client()
        self.client.environ_base |= network
        self.app: Authenticator | None = None
        self.codes: list[str] = []

    @property
    def id(self) -> int:
        return self.hr.people[self.who]

    def password(self, where: str = "/portal/profile", **fields: str) -> Any:
        """Name and password; the page that follows."""
        page = open_login(self.client, where)
        given = {"username": self.hr.names[self.who], "password": PASSWORD} | fields
        answer = submit(self.client, page, **given)
        assert answer.status_code == 303, answer.text
        return following(self.client, answer)

    def enrol(self, page: Any) -> Any:
        """Scan what the page shows, and type the first code."""
        self.app = Authenticator.scan(page.text)
        return self.type(page, self.app.code(self.hr.clock()))

    def type(self, page: Any, code: str) -> Any:
        """Type a code into the form of a page."""
        action = re.search(r'<form method="post"(?: action="([^"]+)")?>', page.text)
        assert action is not None, page.text
        answer = submit(self.client, page, action[1] or "", code=code)
        return shown(self.client, answer)

    def onward(self, page: Any) -> Any:
        """From the sheet of codes to the end of the sign-in."""
        self.codes = PAPER.findall(page.text)
        [link] = re.findall(r'<a class="btn btn-primary" href="([^"]+)"', page.text)
        return self.client.get(link)

    def whole(self, where: str = "/portal/profile") -> Any:
        """Enrol in the midst of a sign-in, to its end."""
        return self.onward(self.enrol(self.password(where)))

    def code(self) -> str:
        """What her app shows now."""
        assert self.app is not None
        return self.app.code(self.hr.clock())

    def wrong_code(self) -> str:
        """What her app does not show, now or soon."""
        assert self.app is not None
        return wrong_code(self.hr.clock(), self.app)

    def step_up(self, where: str) -> Any:
        """Sign in anew where a page asks for it, with all that she has; back at that page."""
        page = self.client.get(where, follow_redirects=True)
        given = {"username": self.hr.names[self.who], "password": PASSWORD}
        answer = following(self.client, submit(self.client, page, **given))
        if answer.status_code == 200:
            answer = self.type(answer, self.code())
        return self.client.get(answer.headers["Location"])

    def act(self, action: str, page: str = "/portal/ways", **fields: Any) -> Any:
        """Send a form of a page."""
        return submit(self.client, self.client.get(page), action, **fields)

    def session(self) -> sessions.SsoSession | None:
        """Her newest living session."""
        with self.hr.services.db.read() as session:
            found = sessions.living(session, [self.id], now=self.hr.clock())
            return found[-1] if found else None

    def again(self, network: dict[str, str] | None = None) -> "Someone":
        """The same person, with the same phone, at another browser."""
        other = Someone(self.hr, self.who, network or dict(self.client.environ_base))
        other.app, other.codes = self.app, self.codes
        return other


def trail(hr: Hr, tag: str) -> list[dict[str, Any]]:
    with hr.services.db.read() as session:
        rows = session.scalars(
            select(AuditEntry.data).where(AuditEntry.tag == tag).order_by(AuditEntry.id)
        )
        return list(rows)
