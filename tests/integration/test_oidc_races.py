"""What may be used once is used once, also when two ask at the same moment."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from directory.base.outbox import Job, JobKind
from directory.people import User
from idp import sessions
from idp.console import pages_clients
from idp.factors import passwords
from idp.factors.factor import Source
from idp.oidc import clients, logout
from idp.oidc.authorization import consent
from idp.oidc.authorization.consent import Consent
from idp.oidc.grants import Grant
from tests.browser_client import hidden_fields, open_login, submit
from tests.device_flow import Device, register_device
from tests.factories import proven
from tests.relying_party import OPERATOR, Flow, World, build_world


@pytest.fixture
def world(services: Any, clock: Any) -> World:
    return build_world(services, clock)


def _together(app: Any, work: Any, times: int = 4) -> list[Any]:
    """Run ``work`` with a browser each, all at the same moment."""
    barrier, answers, lock = threading.Barrier(times), [], threading.Lock()

    def one() -> None:
        browser = app.test_client()
        barrier.wait()
        answer = work(browser)
        with lock:
            answers.append(answer)

    threads = [threading.Thread(target=one) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


@pytest.mark.both_databases
def test_of_parallel_redemptions_one_wins_and_its_tokens_die(
    world: World, app: Any, client: Any
) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    for _ in range(3):
        code = flow.code()
        answers = _together(
            app, lambda b, c=code: Flow(b, flow.party, verifier=flow.verifier).redeem(c).get_json()
        )
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"]) == {"active": False}


@pytest.mark.both_databases
def test_of_parallel_refreshes_one_wins_and_goes_on(world: World, app: Any, client: Any) -> None:
    flow = Flow(client, world.register())
    world.sign_in(client)
    text = flow.tokens()["refresh_token"]
    for _ in range(3):
        answers = _together(app, lambda b, t=text: Flow(b, flow.party).refresh(t).get_json())
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert flow.introspect(won[0]["access_token"])["active"] is True
        text = won[0]["refresh_token"]


@pytest.mark.both_databases
def test_of_parallel_polls_one_wins_and_keeps_its_tokens(
    world: World, app: Any, client: Any
) -> None:
    """A device that asks twice at once has done nothing wrong; its answers must not be two."""
    device = Device(client, register_device(world))
    world.sign_in(client)
    for _ in range(3):
        held = device.begin().answer
        device.decide()
        answers = _together(
            app, lambda b, h=held: Device(b, device.party, answer=h).poll().get_json()
        )
        won = [a for a in answers if "access_token" in a]
        assert len(won) == 1
        assert {a["error"] for a in answers if a not in won} == {"invalid_grant"}
        assert device.flow.introspect(won[0]["access_token"])["active"] is True
        assert device.flow.refresh(won[0]["refresh_token"]).status_code == 200


@pytest.mark.both_databases
def test_of_parallel_answers_to_a_device_one_counts(world: World, app: Any, client: Any) -> None:
    device = Device(client, register_device(world))
    world.sign_in(client)
    for _ in range(3):
        form = hidden_fields(device.begin().confirmation().text)
        cookies = {c.key: c.value for c in client._cookies.values()}

        def answer(browser: Any, form: Any = form, cookies: Any = cookies) -> Any:
            for name, value in cookies.items():
                browser.set_cookie(name, value, domain="localhost")
            return browser.post("/device/confirm", data=form | {"decision": "allow"})

        before = len(world.all(Grant))
        answers = [a for a in _together(app, answer) if a.headers.get("Location")]
        assert [a.headers["Location"] for a in answers].count("/device/allowed") == 1
        assert len(world.all(Grant)) == before + 1
        assert device.poll().status_code == 200


@pytest.mark.both_databases
def test_secrets_of_parallel_rotations_all_are_the_clients_in_turn(world: World, app: Any) -> None:
    party, has = world.register(), world.services

    def rotate(_browser: Any) -> str:
        with has.db.write() as session:
            _, secret = pages_clients.rotate(
                session, party.client_id, actor=OPERATOR, keyring=has.keyring, now=world.clock()
            )
            return secret

    for _ in range(3):
        given = _together(app, rotate, times=2)
        with has.db.read() as session:
            kept = clients.get(session, party.client_id).secrets
        digests = {has.keyring.keyed_hash("client-secret", secret) for secret in given}
        assert {each["hash"] for each in kept} == digests


@pytest.mark.both_databases
def test_consents_given_at_the_same_moment_are_both_remembered(world: World) -> None:
    has, client_id = world.services, world.register().id

    def allow(session: Any, scope: str) -> None:
        consent.remember(
            session,
            user_id=world.user_id,
            client_id=client_id,
            scopes=[scope],
            actor=OPERATOR,
            now=world.clock(),
        )

    def other() -> None:
        with has.db.write() as session:
            allow(session, "org")

    thread = threading.Thread(target=other)
    with has.db.write() as session:
        allow(session, "email")
        thread.start()
        thread.join(0.4)  # it waits for the first by then
    thread.join(60)
    (kept,) = world.all(Consent)
    assert kept.scopes == ["email", "org"]


@pytest.mark.both_databases
def test_a_client_that_is_being_changed_goes_on_serving_people(world: World, client: Any) -> None:
    """Making it keys of another kind takes seconds; nobody who signs in waits for it."""
    has, flow, given = world.services, Flow(client, world.register()), []
    if has.db.is_sqlite:
        pytest.skip("a file has one writer")
    world.sign_in(client)
    thread = threading.Thread(target=lambda: given.append(flow.tokens()))
    with has.db.write() as session:
        clients.held(session, flow.party.client_id).name = "Tên mới"
        session.flush()
        thread.start()
        thread.join(20)
        assert given
    thread.join(60)
    assert flow.introspect(given[0]["access_token"])["active"] is True


# ---- signing out everywhere ------------------------------------------------------------------

PASSWORD = "bếp củi reo vui sớm mai"
A_MOMENT = 0.4
"""Whoever has not answered by then is taken to wait for the other's lock."""


def _while_leaving(world: World, work: Any, begun: threading.Event | None = None) -> Any:
    """What ``work`` gives that begins while she is signing out everywhere, uncommitted yet; not before
    it has ``begun``, where it says so.
    """
    has, answers = world.services, []
    thread = threading.Thread(target=lambda: answers.append(work()))
    with has.db.write() as session:
        _leave(world, session)
        thread.start()
        assert begun is None or begun.wait(60)
        thread.join(A_MOMENT)
    thread.join(60)
    return answers[0]


def _leave(world: World, session: Any) -> None:
    has = world.services
    logout.end_everywhere(
        session, world.user_id, now=has.clock(), settings=has.settings, actor=OPERATOR
    )


def _before_signing_in(world: World, browser: Any) -> Callable[[], Any]:
    """She stands at the page for her password: what gives it."""
    has = world.services
    with has.db.write() as session:
        phc = passwords.hashed(has.passwords, PASSWORD)
        passwords.store(
            session, world.user_id, phc, must_change=False, now=has.clock(), actor=OPERATOR
        )
    username = world.one(User, world.user_id).username
    page = open_login(browser, "/portal/profile")
    return lambda: submit(browser, page, username=username, password=PASSWORD)


@pytest.mark.both_databases
def test_a_sign_in_that_is_not_overtaken_opens_doors(world: World, client: Any) -> None:
    _before_signing_in(world, client)()
    assert client.get("/session/status").status_code == 200


@pytest.mark.both_databases
@pytest.mark.parametrize("moment", ["before it finishes", "while it finishes", "as it is written"])
def test_a_sign_in_under_way_does_not_survive_signing_out_everywhere(
    world: World, client: Any, moment: str
) -> None:
    """What was proven before she left everywhere opens nothing, in whichever order they end."""
    has, sign_in = world.services, _before_signing_in(world, client)
    if moment == "while it finishes":
        begun, candidate = threading.Event(), passwords.candidate

        def found(*given: Any, **how: Any) -> Any:
            her = candidate(*given, **how)  # as she is before she has left
            begun.set()
            return her

        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(passwords, "candidate", found)
            _while_leaving(world, sign_in, begun)
    elif moment == "before it finishes":
        verify = has.passwords.verify

        def looked_at(*given: Any, **how: Any) -> bool:
            _left(world)
            return bool(verify(*given, **how))

        with pytest.MonkeyPatch.context() as meanwhile:
            meanwhile.setattr(has.passwords, "verify", looked_at)
            sign_in()
    else:
        with has.db.write() as session:
            leaving = threading.Thread(target=lambda: _left(world))
            _open_session(world, session, client)
            leaving.start()
            leaving.join(A_MOMENT)
        leaving.join(60)
    assert client.get("/session/status").status_code == 401
    # And she may come back.
    world.sign_in(client)
    assert client.get("/session/status").status_code == 200


def _left(world: World) -> None:
    with world.services.db.write() as session:
        _leave(world, session)


def _open_session(world: World, session: Any, browser: Any) -> None:
    has = world.services
    user = session.get_one(User, world.user_id)
    _, cookie = sessions.start(
        session,
        [proven(session, user, has.clock())],
        sessions.Capacity(user, world.assignment_id),
        Source("192.0.2.7", 50000, "test"),
        now=has.clock(),
        settings=has.settings,
        keyring=has.keyring,
    )
    browser.set_cookie("dinhdanh", cookie, domain="localhost")


@pytest.mark.both_databases
def test_what_an_application_obtains_meanwhile_dies_with_the_rest(
    world: World, client: Any
) -> None:
    """``offline_access`` too: "everywhere" is also what acts while she is away."""
    flow = Flow(client, world.register(), scope="openid offline_access")
    world.sign_in(client)
    held = [flow.tokens()]

    def ask() -> None:
        answer = flow.ask()
        if "code=" in answer.headers["Location"]:
            given = flow.redeem(flow.told(answer)["code"]).get_json()
            held.extend([given] if "access_token" in given else [])

    _while_leaving(world, ask)
    for answer in held:
        assert flow.introspect(answer["access_token"]) == {"active": False}
        assert flow.refresh(answer["refresh_token"]).get_json()["error"] == "invalid_grant"


@pytest.mark.both_databases
def test_an_application_that_is_just_being_told_of_her_is_told_that_she_left(
    world: World, client: Any
) -> None:
    """A code may be redeemed by a request this transaction does not see."""
    party = world.register(backchannel_logout_uri="http://localhost:9001/logout")
    flow = Flow(client, party)
    world.sign_in(client)
    flow.code()
    _left(world)
    (job,) = [job for job in world.all(Job) if job.kind == JobKind.LOGOUT_DELIVER]
    assert job.key == world.all(Grant)[0].id
