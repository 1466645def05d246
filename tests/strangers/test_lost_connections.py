"""The server goes away between two statements of the hot paths: what was only asked is asked once more
and answered; what may have written is told as not done, and is not sent again by itself.

The connections end without their being idle long enough to be tried first.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from bench.statements import heard
from directory.base import patience
from directory.base.config import Settings
from directory.base.db import Database
from idp.run import installation, migrate, wiring
from idp.run.app import create_app
from tests.cluster import Cluster
from tests.conftest import SERVER, missing
from tests.relying_party import Flow, World, build_world
from tests.serving import until
from tests.wire import Wire

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
ENDED = text(
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
WAYS = ("the server ends it", "the network ends it")
WRITES = ("INSERT", "UPDATE", "WITH", "DELETE")


@pytest.fixture
def wire(database_kind: str) -> Iterator[Wire]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    with Wire(SERVER) as made:
        yield made


@pytest.fixture
def far(wire: Wire, database_url: str, make_settings: Any, clock: Any) -> Iterator[Any]:
    """Services whose database is at the end of the wire."""
    built = wiring.build(make_settings(database_url=wire.url(database_url)), clock=clock)
    yield built
    built.db.dispose()


@pytest.fixture
def browser(far: Any) -> FlaskClient:
    return create_app(far).test_client()


@pytest.fixture
def flow(far: Any, clock: Any, browser: FlaskClient) -> Flow:
    """A relying party in use; somebody is signed in."""
    world = build_world(far, clock)
    world.sign_in(browser)
    made = Flow(browser, world.register(introspect_all=True))
    made.tokens()
    return made


@pytest.fixture
def beside(services: Any) -> Database:
    """The same database by another way."""
    return services.db


@pytest.fixture(params=WAYS)
def cut(request: pytest.FixtureRequest, wire: Wire, beside: Database) -> Callable[[], None]:
    """Every connection over the wire ends."""

    def by_server() -> None:
        with beside.probe() as connection:
            until(lambda: connection.scalar(ENDED), within=60)

    return {WAYS[0]: by_server, WAYS[1]: wire.reset}[request.param]


@contextmanager
def sent(db: Database, before: Callable[[str], None] = lambda _: None) -> Iterator[list[str]]:
    """The first words of the statements inside the block; ``before`` each of them is sent."""
    found: list[str] = []

    def hear(statement: str) -> None:
        word = statement.split(None, 1)[0].upper()
        found.append(word)
        before(word)

    with heard(hear, *db.engines):
        yield found


def names(db: Database) -> list[str]:
    """Of what a connection of the hot paths has prepared."""
    with db.hot() as connection:
        found = connection.scalars(text("SELECT name FROM pg_prepared_statements"))
        return [name for name in found if name.startswith("hot_")]


def test_what_is_only_asked_is_asked_once_more(
    far: Any, flow: Flow, browser: FlaskClient, clock: Any, cut: Callable[[], None]
) -> None:
    flow.scope = "openid profile"
    held = flow.tokens()["access_token"]
    machine = Flow(browser, World(far, clock, 0, 0, 0, 0).machine())
    asks: list[Callable[[], bool]] = [
        lambda: flow.introspect(held)["active"],
        lambda: flow.userinfo(held).status_code == 200,
        lambda: machine.token(grant_type="client_credentials").status_code == 200,
    ]
    for ask in asks:
        with sent(far.db) as usual:
            assert ask()
        assert usual == ["SELECT"]
        cut()
        with sent(far.db) as lost:
            assert ask()
        assert lost == ["SELECT", "SELECT"]
        with sent(far.db) as again:
            assert ask()
        assert again == usual
    found = names(far.db)
    assert found
    # The first name of each: what the new backend does not know was not asked for by its name.
    assert {name.rpartition("_")[2] for name in found} == {"0"}


def test_a_read_that_begins_a_write_is_asked_once_more_as_well(
    far: Any, flow: Flow, cut: Callable[[], None]
) -> None:
    held = flow.tokens()
    with far.db.hot() as connection:
        connection.execute(select(1))  # one is open
    cut()
    with sent(far.db) as found:
        assert flow.refresh(held["refresh_token"]).status_code == 200
    assert found == ["SELECT", "SELECT", "UPDATE"]
    cut()
    assert flow.code()
    cut()
    assert flow.post("/oauth2/revoke", {"token": held["access_token"]}).status_code == 200


def test_a_write_whose_connection_is_gone_is_told_as_not_done(
    far: Any, flow: Flow, cut: Callable[[], None]
) -> None:
    """And by the same request later it is done."""
    held, code = flow.tokens(), flow.code()
    asks: dict[str, Callable[[], Any]] = {
        "/oauth2/authorize": flow.ask,
        "/oauth2/par": lambda: flow.post("/oauth2/par", flow.query),
        "code": lambda: flow.redeem(code),
        "refresh": lambda: flow.refresh(held["refresh_token"]),
        "/oauth2/revoke": lambda: flow.post("/oauth2/revoke", {"token": held["access_token"]}),
    }
    for name, ask in asks.items():
        done: list[str] = []

        def before(word: str, done: list[str] = done) -> None:
            if word in WRITES and not done:
                done.append(word)
                cut()

        with sent(far.db, before) as found:
            answer = ask()
        assert (answer.status_code, done) == (503, found[-1:]), name
        assert sum(word in WRITES for word in found) == 1, name
        assert int(answer.headers["Retry-After"]) >= 1
        assert "no-store" in answer.headers["Cache-Control"]
        if name == "/oauth2/authorize":
            assert answer.mimetype == "text/html"
        else:
            assert answer.get_json()["error"] == "temporarily_unavailable"
        assert ask().status_code in (200, 201, 302), name
    assert {name.rpartition("_")[2] for name in names(far.db)} == {"0"}


def test_a_write_whose_answer_was_lost_has_happened_once(
    far: Any, flow: Flow, wire: Wire, beside: Database
) -> None:
    held = flow.refresh(flow.tokens()["refresh_token"]).get_json()["refresh_token"]

    def generations() -> list[int]:
        with beside.probe() as connection:
            asked = text("SELECT refresh_generation FROM access_grant ORDER BY refresh_generation")
            return list(connection.scalars(asked))

    usual = generations()

    def cut_when_written() -> None:
        until(lambda: generations() != usual, within=10)
        wire.reset()

    waiting = threading.Thread(target=cut_when_written)

    def before(word: str) -> None:
        if word == "UPDATE":
            wire.deafen()
            waiting.start()

    with sent(far.db, before) as found:
        answer = flow.refresh(held)
    waiting.join()
    wire.heal()
    assert (answer.status_code, found) == (503, ["SELECT", "UPDATE"])
    assert generations() == [*usual[:-1], usual[-1] + 1]
    assert flow.tokens()


# ---- a server of its own -------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made


@pytest.fixture
def own(cluster: Cluster, tmp_path: Path, _keyring_file: Path, clock: Any) -> Iterator[Any]:
    """Services on the cluster, as the web has them."""
    settings = Settings(
        data_dir=tmp_path,
        database_url=cluster.url,
        keyring_file=_keyring_file,
        second_factor="nobody",
    )
    built = wiring.build(settings, clock=clock, limits=patience.of_web(settings))
    migrate.upgrade(built.db.engine)
    installation.prepare(built, name="Tỉnh Thử")
    yield built
    built.db.dispose()


@pytest.mark.slow  # a server of its own is set up and started
def test_a_server_that_is_started_anew_between_two_requests(
    database_kind: str, own: Any, cluster: Cluster, clock: Any
) -> None:
    browser = create_app(own).test_client()
    world = build_world(own, clock)
    world.sign_in(browser)
    flow = Flow(browser, world.register(introspect_all=True))
    held = flow.tokens()
    cluster.restart()
    assert flow.introspect(held["access_token"])["active"] is True
    assert flow.userinfo(held["access_token"]).status_code == 200
    cluster.restart()
    held = flow.refresh(held["refresh_token"]).get_json()  # what it asks first is asked once more
    done: list[str] = []

    def before(word: str) -> None:
        if word == "UPDATE" and not done:
            done.append(word)
            cluster.restart()

    with sent(own.db, before) as found:
        answer = flow.refresh(held["refresh_token"])
    assert (answer.status_code, found) == (503, ["SELECT", "UPDATE"])
    held = flow.refresh(held["refresh_token"]).get_json()
    cluster.stop()
    answer = flow.post("/oauth2/introspect", {"token": held["access_token"]})
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    cluster.start()
    assert flow.introspect(held["access_token"])["active"] is True
    assert {name.rpartition("_")[2] for name in names(own.db)} == {"0"}
    assert flow.tokens()
