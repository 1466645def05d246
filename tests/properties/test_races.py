"""Nothing issued under an older epoch or before a dated cut is ever active.

A commit is held open at one of its failpoints while a sign-in, an authorization, a redemption or
a refresh of the same person stands at one of its own; then one goes on, and the other. Whatever
the order, what she obtained by a proof older than the commit opens nothing afterwards, and
neither does it after the change is undone. On SQLite one of the two often waits for the other's
lock: that, too, is one of the orders.
"""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory import assignments
from directory.assignments import Assignment
from directory.base.audit import Actor
from directory.base.clock import day_start, local_day
from directory.base.errors import Conflict
from directory.changes import spec as specs
from directory.changes import undo
from directory.people import User, UserStatus
from directory.units import OrgUnit
from idp import sessions
from idp.factors import passwords
from idp.oidc import grants
from idp.sessions import lifecycle
from tests.browser_client import following, open_login, submit
from tests.factories import make_assignment, make_user
from tests.properties.stepping import Stepper, install, reach
from tests.relying_party import OPERATOR, Flow, World, build_world

PASSWORD = "bếp củi reo vui sớm mai"
A_MOMENT = 0.15
"""Whoever has not come to a stop by then is taken to wait for the other's lock."""
COMMIT = ("commit.begin", "commit.locked", "commit.rows", "commit.cut", "commit.before_commit")
PROVEN = "password.proven"
"""The password is being checked: person and epochs have been read."""
OPENING = "session.opening"
"""The old session has ended, the new one is not there yet."""
STOPS = {
    "sign_in": (PROVEN, "login.finish", "session.start"),
    "sign_in_again": (PROVEN, "login.finish"),
    "switch": ("switch.begin", OPENING, "switch.done"),
    "authorize": ("authorize.before_code",),
    "redeem": ("code.consuming", "token.before_issue"),
    "refresh": ("refresh.consuming", "token.before_issue"),
}
KINDS = ("other", "within", "suspend")
QUIET = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Official:
    """One person with everything she may hold."""

    world: World
    browser: FlaskClient
    flow: Flow
    user_id: int
    username: str
    assignment_id: int
    concurrent_id: int
    grabbed: list[dict[str, Any]]
    """Token answers she got, oldest first."""
    code: str | None = None

    # ---- what she does while HR decides --------------------------------------------------------

    def sign_in(self) -> None:
        """From the password page of a flow begun before, to the session."""
        page = open_login(self.browser, "/portal/profile")
        answer = submit(self.browser, page, username=self.username, password=PASSWORD)
        for _ in range(3):
            answer = following(self.browser, answer)
            if answer.status_code != 200 or "assignment" not in answer.text:
                return
            answer = submit(self.browser, answer, assignment=str(self.assignment_id))

    sign_in_again = sign_in

    def switch(self) -> None:
        """Go on in the concurrent post."""
        has = self.world.services
        view = self.session()
        if view is None:
            return
        reach("switch.begin")
        with has.db.write() as session:
            _, cookie = sessions.switch(
                session,
                view,
                self.concurrent_id,
                now=has.clock(),
                settings=has.settings,
                keyring=has.keyring,
            )
            reach("switch.done")
        self.browser.set_cookie("dinhdanh", cookie, domain="localhost")

    def authorize(self) -> None:
        answer = self.flow.ask()
        if answer.status_code == 302 and "code=" in answer.headers["Location"]:
            self.code = self.flow.told(answer)["code"]

    def redeem(self) -> None:
        answer = self.flow.redeem(self.code or "").get_json()
        if "access_token" in answer:
            self.grabbed.append(answer)

    def refresh(self) -> None:
        answer = self.flow.refresh(self.grabbed[-1]["refresh_token"]).get_json()
        if "access_token" in answer:
            self.grabbed.append(answer)

    # ---- what it is worth afterwards -----------------------------------------------------------

    def cookie(self) -> str | None:
        found = self.browser.get_cookie("dinhdanh", domain="localhost")
        return found.value if found else None

    def session(self) -> sessions.SessionView | None:
        has = self.world.services
        with has.db.hot() as connection:
            return sessions.peek(connection, has.keyring, self.cookie() or "", now=has.clock())

    def assert_nothing_opens(self) -> None:
        assert self.session() is None
        assert self.browser.get("/session/status").status_code == 401
        self.assert_nothing_granted()

    def assert_nothing_granted(self) -> None:
        if self.code is not None:
            assert self.flow.redeem(self.code).get_json()["error"] == "invalid_grant"
        for answer in self.grabbed:
            assert self.flow.introspect(answer["access_token"]) == {"active": False}
            assert self.flow.introspect(answer["refresh_token"]) == {"active": False}
            assert self.flow.userinfo(answer["access_token"]).status_code == 401
        for answer in self.grabbed:
            assert self.flow.refresh(answer["refresh_token"]).get_json()["error"] == "invalid_grant"


class Stage:
    """One installation on which every example plays with a new person."""

    def __init__(self, services: Any, clock: Any, app: Flask) -> None:
        self.world = build_world(services, clock)
        self.app = app
        self.party = self.world.register(scopes=("openid", "profile", "offline_access"))
        self.phc = passwords.hashed(services.passwords, PASSWORD)
        with services.db.read() as session:
            first = session.get_one(Assignment, self.world.assignment_id)
            self.position_id = first.position_id
            self.room_id = first.unit_id
        self.home_id = self._parent(self.room_id)

    def _parent(self, unit_id: int) -> int:
        with self.world.services.db.read() as session:
            return session.get_one(OrgUnit, unit_id).parent_id or 0

    def official(self, *, posts: int = 1) -> Official:
        """A new person with a post in the room (and another beside it) and a password."""
        has = self.world.services
        with has.db.write() as session:
            user = make_user(session, "Lê Thị Lan")
            own = make_assignment(session, user, _unit(session, self.room_id))
            beside = make_assignment(
                session,
                user,
                _unit(session, self.room_id),
                kind="concurrent",
                valid_from=own.valid_from if posts > 1 else local_day(has.clock()),
                valid_to=None if posts > 1 else local_day(has.clock()),
            )
            passwords.store(
                session,
                user.id,
                self.phc,
                must_change=False,
                now=has.clock(),
                actor=Actor.system(),
            )
        browser = self.app.test_client()
        flow = Flow(browser, self.party, scope="openid profile")
        return Official(
            self.world, browser, flow, user.id, user.username, own.id, beside.id, grabbed=[]
        )

    def commit(self, kind: str, user_id: int) -> Any:
        """HR's decision about her, planned now; what commits it."""
        has = self.world.services
        body: dict[str, Any] = {"kind": "suspend" if kind == "suspend" else "transfer"}
        if kind != "suspend":
            body["to_unit"] = self.world.other_unit_id if kind == "other" else self.home_id
        with has.db.read() as session:
            spec = specs.parse(
                session, body | {"user": user_id}, now=has.clock(), keyring=has.keyring
            )
            plan = has.door.plan(session, spec, OPERATOR, now=has.clock())

        def commit() -> str:
            with has.db.write() as session:
                change = has.door.commit(
                    session, spec, OPERATOR, now=has.clock(), fingerprint=plan.fingerprint
                )
                return str(change.id)

        return commit

    def take_back(self, change_id: str, user_id: int) -> None:
        """Undo the decision; a suspension is ended by a resumption as well."""
        has = self.world.services
        with has.db.read() as session:
            spec = undo.spec_of(session, change_id)
            plan = has.door.plan(session, spec, OPERATOR, now=has.clock())
        with has.db.write() as session:
            has.door.commit(session, spec, OPERATOR, now=has.clock(), fingerprint=plan.fingerprint)
        with has.db.read() as session:
            assert session.get_one(User, user_id).status == UserStatus.ACTIVE


def _unit(session: Any, unit_id: int) -> OrgUnit:
    return session.get_one(OrgUnit, unit_id)


@pytest.fixture
def stage(services: Any, clock: Any, app: Flask, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The installation, with the points that are this test's own."""
    install(monkeypatch)
    for module, name, point in (
        (passwords, "verify", PROVEN),
        (grants, "consume_code", "code.consuming"),
        (grants, "consume_refresh", "refresh.consuming"),
        (lifecycle, "_open", OPENING),
    ):
        monkeypatch.setattr(module, name, _announced(getattr(module, name), point))
    return Stage(services, clock, app)


def _announced(act: Any, point: str) -> Any:
    def announced(*args: Any, **options: Any) -> Any:
        reach(point)
        return act(*args, **options)

    return announced


def ready(stage: Stage, act: str) -> Official:
    """An official who holds what the act starts from."""
    official = stage.official(posts=2 if act == "switch" else 1)
    if act == "sign_in":
        return official
    stage.world.sign_in(
        official.browser, user_id=official.user_id, assignment_id=official.assignment_id
    )
    if act in ("redeem", "refresh"):
        official.code = official.flow.code()
    if act == "refresh":
        official.redeem()
        official.code = None
    return official


@dataclass
class Race:
    """How one of them came out."""

    official: Official
    change_id: str
    proven_before: bool
    """Whether she had proven herself before the commit was through."""


def race(stage: Stage, act: str, *, kind: str, stop: str, halt: str, hr_first: bool) -> Race:
    """HR's commit up to ``halt`` and the official's act up to ``stop``, in either order."""
    official = ready(stage, act)
    hr = Stepper(stage.commit(kind, official.user_id), stops=(halt,))
    she = Stepper(getattr(official, act), stops=(stop,))
    first, second = (hr, she) if hr_first else (she, hr)
    first.start()
    second.start(within=A_MOMENT)
    proven_before = not act.startswith("sign_in") or PROVEN in she.passed
    # HR's decision is through first, unless it has to wait for the lock she holds.
    for _ in range(400):
        hr.step(within=A_MOMENT)
        if hr.ended and she.ended:
            break
        if hr.ended or hr.waits:
            she.step(within=A_MOMENT)
    with contextlib.suppress(Conflict):  # who switches may learn that her session has ended
        she.finish()
    return Race(official, hr.finish(), proven_before)


@pytest.mark.both_databases
@pytest.mark.parametrize("act", STOPS)
def test_what_races_an_open_commit_opens_nothing_afterwards(stage: Stage, act: str) -> None:
    orders = st.tuples(
        st.sampled_from(KINDS),
        st.sampled_from(STOPS[act]),
        st.sampled_from(COMMIT),
        st.booleans(),
    )

    @given(order=orders)
    @QUIET
    def played(order: tuple[str, str, str, bool]) -> None:
        kind, stop, halt, hr_first = order
        done = race(stage, act, kind=kind, stop=stop, halt=halt, hr_first=hr_first)
        official = done.official
        view = official.session()
        if view is None:
            official.assert_nothing_opens()
        else:
            # It lives only under a later proof, or in a capacity the decision left her.
            assert not done.proven_before or kind == "within"
            assert view.assignment_id in _in_force(stage, official.user_id)
            official.assert_nothing_granted()
        stage.take_back(done.change_id, official.user_id)
        official.assert_nothing_opens()

    played()


def _in_force(stage: Stage, user_id: int) -> set[int]:
    has = stage.world.services
    with has.db.read() as session:
        return {a.id for a in assignments.current(session, user_id, local_day(has.clock()))}


@pytest.mark.both_databases
def test_whoever_is_cut_while_she_switches_and_hr_do_not_wait_for_each_other(stage: Stage) -> None:
    done = race(stage, "switch", kind="other", stop=OPENING, halt="commit.begin", hr_first=False)
    done.official.assert_nothing_opens()


@pytest.mark.both_databases
def test_a_dated_cut_ends_what_was_issued_before_it_and_nothing_else(stage: Stage) -> None:
    has, clock = stage.world.services, stage.world.clock
    tomorrow = local_day(clock()) + timedelta(days=1)
    midnight = day_start(tomorrow)
    spans = st.integers(-240, 240)

    @given(ordered=st.integers(-600, -241), issued=spans, later=st.integers(0, 240))
    @QUIET
    def played(ordered: int, issued: int, later: int) -> None:
        clock.set(midnight + timedelta(seconds=ordered))
        official = stage.official()
        with has.db.read() as session:
            spec = specs.parse(
                session,
                {
                    "kind": "transfer",
                    "user": official.user_id,
                    "to_unit": stage.world.other_unit_id,
                    "effective_on": tomorrow.isoformat(),
                },
                now=clock(),
                keyring=has.keyring,
            )
            plan = has.door.plan(session, spec, OPERATOR, now=clock())
        with has.db.write() as session:
            has.door.commit(session, spec, OPERATOR, now=clock(), fingerprint=plan.fingerprint)
        clock.set(midnight + timedelta(seconds=issued))
        # Without a capacity only the cut itself can end it.
        stage.world.sign_in(official.browser, user_id=official.user_id, assignment_id=None)
        official.code = official.flow.code()
        official.redeem()
        official.code = None
        assert official.session() is not None, "it is good at the moment of issue"
        clock.advance(seconds=later)
        # Nobody has done anything since: the date alone decides.
        if issued < 0 <= issued + later:
            official.assert_nothing_opens()
        else:
            assert official.session() is not None
            assert official.flow.introspect(official.grabbed[0]["access_token"])["active"] is True
            official.refresh()
            assert len(official.grabbed) == 2

    played()
