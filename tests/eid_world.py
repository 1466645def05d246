"""A person whom an upstream can vouch for, and her browser: what tests of electronic identities share."""

from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from connectors.eid import reviews, upstreams
from connectors.eid.reviews import EidReview
from connectors.eid.vouched import Vouched
from directory.base.audit import Actor, AuditEntry
from directory.eid_links import EidLink, Identity
from directory.people import User, citizen_columns
from directory.units import OrgUnit
from idp import sessions
from idp.factors import passwords
from idp.login.flow_rows import LoginFlow
from idp.sessions import SsoSession
from tests.browser_client import following, open_login, submit
from tests.factories import make_assignment, make_user
from tests.relying_party import World, build_world
from tests.upstream import CLIENT, NUMBER, SECRET, Several, Upstream, pem

OPERATOR = Actor.operator("kiểm thử")
OTHER_NUMBER = "038190009999"
PASSWORD = "bếp củi reo vui sớm mai"


@dataclass
class EidWorld:
    """One official with a number, upstreams, and an application that serves both."""

    world: World
    app: Flask
    at: Upstream
    """The upstream named ``vneid``."""
    others: list[Upstream] = field(default_factory=list)

    @property
    def user_id(self) -> int:
        return self.world.user_id

    def browser(self) -> FlaskClient:
        return self.app.test_client()

    def add(self, upstream: Upstream, name: str = "vneid", **said: Any) -> None:
        """Configure an upstream, as the command line does."""
        has = self.world.services
        if upstream is not self.at:
            self.others.append(upstream)
            self.app.serve(  # type: ignore[attr-defined]
                replace(has, outbound=Several(self.at, *self.others))
            )
        with has.db.write() as session:
            row = upstreams.made(
                has.keyring,
                name=name,
                title="VNeID" if name == "vneid" else name,
                profile=upstream.profile,
                issuer=upstream.issuer,
                said={"client_id": CLIENT, "acr": {"loa:2": "urn:vn:aal:2"}} | said,
                secret=SECRET,
                key=pem() if upstream.profile == "vneid2026" else None,
                now=self.world.clock(),
            )
            upstreams.add(session, row, actor=OPERATOR)
        self.world.clock.advance(seconds=6)  # the list of a process is so old at most

    def disable(self, name: str = "vneid") -> None:
        with self.world.services.db.write() as session:
            upstreams.enable(session, name, enabled=False, now=self.world.clock(), actor=OPERATOR)

    def person(self, full_name: str = "Trần Văn Ba", number: str = OTHER_NUMBER) -> int:
        """Another official."""
        has = self.world.services
        with has.db.write() as session:
            user = make_user(
                session, full_name, birth_date="1985-01-02", **citizen_columns(has.keyring, number)
            )
            make_assignment(session, user, session.get_one(OrgUnit, self.world.unit_id))
            return user.id

    # ---- what a browser does ---------------------------------------------------------------

    def leave(
        self, browser: FlaskClient, name: str = "vneid", return_to: str = "/portal/profile"
    ) -> str:
        """Open the sign-in page and press the button; where she is sent."""
        page = open_login(browser, return_to)
        return self.press(browser, page.request.path, name).headers["Location"]

    def press(self, browser: FlaskClient, path: str, name: str = "vneid") -> TestResponse:
        page = browser.get(f"{path}?way=eid-{name}")
        return submit(browser, page, path, step=f"eid-{name}")

    def back(self, browser: FlaskClient, query: str, name: str = "vneid") -> TestResponse:
        return browser.get(f"/login/back/eid-{name}?{query}")

    def visit(self, browser: FlaskClient, name: str = "vneid", at: Upstream | None = None) -> Any:
        """There and back again: the answer to what was brought back."""
        return self.back(browser, (at or self.at).authorize(self.leave(browser, name)), name)

    def confirm(self, browser: FlaskClient, answer: TestResponse) -> TestResponse:
        """Look at what would be linked and press the button; the answer to that."""
        assert answer.status_code == 303, answer.text
        page = browser.get(answer.headers["Location"])
        assert "Đúng là tôi" in page.text
        return submit(browser, page, page.request.path)

    def link(self, browser: FlaskClient | None = None, name: str = "vneid") -> TestResponse:
        """A first sign-in, whole."""
        browser = browser or self.browser()
        done = self.confirm(browser, self.visit(browser, name))
        assert done.status_code == 303, done.text
        return following(browser, done)

    # ---- what is left of it ----------------------------------------------------------------

    def session_of(self, user_id: int | None = None) -> SsoSession | None:
        with self.world.services.db.read() as session:
            found = sessions.living(session, [user_id or self.user_id], now=self.world.clock())
            return found[-1] if found else None

    def links(self) -> list[EidLink]:
        return self.world.all(EidLink)

    def trail(self, tag: str) -> list[AuditEntry]:
        """Entries of one kind, the oldest first."""
        found = [one for one in self.world.all(AuditEntry) if one.tag == tag]
        return sorted(found, key=lambda one: one.id)

    def refused(self, answer: TestResponse, why: str) -> None:
        """It ended in a refusal that says what to do, is audited, and left nothing."""
        assert answer.status_code == 422, (answer.status_code, answer.text[:200])
        [entry] = self.trail("eid.refuse")[-1:]
        assert entry.data["why"] == why, (entry.data, why)
        assert entry.data["upstream"]
        assert "Hãy" in answer.text
        self.nothing_is_left()

    def nothing_is_left(self) -> None:
        assert self.session_of() is None
        assert self.links() == []
        assert [flow.user_id for flow in self.world.all(LoginFlow) if flow.user_id] == []
        self.no_number_anywhere()

    def no_number_anywhere(self) -> None:
        """Neither in the database nor in what was said, in clear."""
        numbers = (NUMBER, OTHER_NUMBER, self.at.number)
        with self.world.services.db.read() as session:
            for table in ("audit_entry", "login_flow", "eid_link", "eid_review", "used_once"):
                for row in session.execute(text(f"SELECT * FROM {table}")):
                    said = " ".join(map(str, row))
                    assert not any(number in said for number in numbers), (table, said)


def hold(services: Any, user_id: int, now: Any, name: str = "Lê Thị Loan") -> int:
    """An upstream calls somebody otherwise than we do: what waits for a decision then."""
    issuer = "https://dinhdanh.example"
    found = Vouched(issuer, "s", NUMBER, name, "1990-05-17", 2, 2, assumed=True)
    who = Identity("vneid", issuer, "dấu", "số", 2)
    with services.db.write() as session:
        user = session.get_one(User, user_id)
        reviews.ask(session, services.keyring, user, who, found, now=now, actor=Actor.system())
    with services.db.read() as session:
        return max(one.id for one in session.query(EidReview))


def build(services: Any, clock: Any, app: Flask, profile: str = "standard") -> EidWorld:
    """The world of a test: an official with her number, and one upstream that knows her."""
    world = build_world(services, clock)
    world.change(
        User,
        world.user_id,
        birth_date="1990-05-17",
        eid_level=None,
        **citizen_columns(services.keyring, NUMBER),
    )
    with services.db.write() as session:
        passwords.set_password(
            session, services.passwords, world.user_id, PASSWORD, must_change=False, now=clock()
        )
    at = Upstream(clock, profile)
    has = replace(services, outbound=Several(at))
    app.serve(has)  # type: ignore[attr-defined]
    made = EidWorld(replace(world, services=has), app, at)
    made.add(at)
    return made
