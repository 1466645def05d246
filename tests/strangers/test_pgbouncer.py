"""Behind a real PgBouncer: the few connections that it lends to many, one transaction each, are all that
an installation needs; nothing of one transaction is found by the next.
"""

import secrets
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import make_url, select, text

from bench.installation import Installation, Tree, with_password
from bench.load import Served, measure
from bench.operations import OPERATIONS
from dinhdanh import ports
from directory.base import patience
from directory.base import pooled as pooled_
from directory.base.clock import system_clock
from directory.base.db import Database, unpooled
from directory.base.outbox import Job
from directory.units import boundary
from idp.run import wiring
from idp.run.app import create_app
from tests.conftest import SERVER, missing
from tests.pooler import Pooler, told_of
from tests.relying_party import Flow, build_world
from tests.serving import until

pytestmark = pytest.mark.slow  # a pooler, and an installation made by its commands
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
TOLD = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "30s",
    "jit": "off",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
}


@dataclass
class Behind:
    """A database whose role is set up for a pooler, and the role."""

    database: str
    role: str

    def direct(self) -> str:
        own = make_url(SERVER).set(database=self.database, username=self.role)
        return own.render_as_string(hide_password=False)


def _said(*statements: str, database: str | None = None) -> None:
    server = make_url(SERVER) if database is None else make_url(SERVER).set(database=database)
    engine = unpooled(server.render_as_string(hide_password=False))
    with engine.connect() as connection:
        for each in statements:
            connection.execute(text(each))
    engine.dispose()


@pytest.fixture
def role() -> Iterator[str]:
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name = f"pooled_{secrets.token_hex(6)}"
    _said(f"CREATE ROLE {name} LOGIN SUPERUSER", *told_of(name))
    yield name
    _said(f"DROP ROLE {name}")


# ---- one process's connections -------------------------------------------------------------------


@pytest.fixture(params=["transaction", "session"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pooler(role: str, mode: str) -> Iterator[Pooler]:
    # In session mode each of our connections has one of its own.
    size = 3 if mode == "transaction" else 40
    with Pooler(SERVER, role, size=size, pool_mode=mode) as made:
        yield made


@pytest.fixture
def pooled(
    pooler: Pooler, mode: str, database_url: str, make_settings: Any, clock: Any
) -> Iterator[Any]:
    """Services behind the pooler, as the web has them."""
    settings = make_settings(
        database_url=pooler.url(str(make_url(database_url).database)),
        database_prepared=mode == "session",
    )
    built = wiring.build(settings, clock=clock, limits=patience.of_web(settings))
    yield built
    built.db.dispose()


@on_postgresql
def test_the_server_is_told_what_it_is_told_without_a_pooler(pooled: Any) -> None:
    with pooled.db.hot() as hot, pooled.db.read() as session, pooled.db.probe() as probe:
        for name, value in TOLD.items():
            for way in (hot, session, probe):
                assert way.scalar(text(f"SHOW {name}")) == value, name
        assert str(hot.scalar(text("SHOW datestyle"))).startswith("ISO")


@on_postgresql
def test_two_processes_share_what_is_lent(
    pooler: Pooler, mode: str, pooled: Any, services: Any, clock: Any
) -> None:
    """Each with its own order of statements, at the same time, and somebody else's transactions."""
    other = wiring.build(pooled.settings, clock=clock, limits=patience.of_web(pooled.settings))
    world = build_world(services, clock)
    wrong: list[Any] = []

    def asks(browser: FlaskClient, turns: int) -> None:
        flow = Flow(browser, party)
        for n in range(turns):
            held = flow.tokens()
            said = [flow.introspect(held["access_token"])["active"] is True]
            said.append(flow.userinfo(held["access_token"]).status_code == 200)
            renewed = flow.refresh(held["refresh_token"])
            said.append(renewed.status_code == 200)
            said.append(flow.post("/oauth2/par", flow.query).status_code == 201)
            form = {"token": renewed.get_json()["access_token"]}
            said.append(flow.post("/oauth2/revoke", form).status_code == 200)
            said.append(flow.introspect(form["token"]) == {"active": False})
            if not all(said):
                wrong.append((n, said))

    party = world.register(introspect_all=True)
    # One after the other: Python 3.11 compiles no two syntax trees at once.
    browsers = [create_app(has).test_client() for has in (pooled, other) for _ in range(2)]
    for browser in browsers:
        world.sign_in(browser)
    threads = [threading.Thread(target=asks, args=(browser, 6)) for browser in browsers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    other.db.dispose()
    assert wrong == []
    if mode == "transaction":
        with pooled.db.hot() as connection:
            for _ in range(10):
                assert not connection.scalar(text("SELECT count(*) FROM pg_prepared_statements"))


@on_postgresql
def test_nothing_of_one_transaction_is_found_by_the_next(pooled: Any) -> None:
    db: Database = pooled.db
    level = text("SHOW transaction_isolation")
    with db.snapshot() as session:
        assert session.scalar(level) == "repeatable read"
        before = session.scalar(text("SELECT count(*) FROM job"))
        with db.write() as writing:
            boundary.lock_tree(writing)
            writing.execute(text("SET LOCAL statement_timeout = '1s'"))
            writing.execute(text("DELETE FROM job"))
        assert session.scalar(text("SELECT count(*) FROM job")) == before
    with suppress(ZeroDivisionError), db.write() as session:
        boundary.lock_tree(session)
        raise ZeroDivisionError
    for _ in range(6):
        with db.read() as session:
            assert session.scalar(level) == "read committed"
            assert session.scalar(text("SHOW transaction_read_only")) == "off"
            assert session.scalar(text("SHOW statement_timeout")) == "10s"
            held = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            mine = " WHERE l.locktype = 'advisory' AND d.datname = current_database()"
            assert session.scalar(text(held + mine)) == 0


@on_postgresql
def test_who_changes_the_tree_is_alone_at_it(pooled: Any) -> None:
    """The lock is held by the transaction, whichever connection it was lent."""
    inside: list[str] = []

    def change(name: str) -> None:
        with pooled.db.write() as session:
            boundary.lock_tree(session)
            inside.append(name)
            session.execute(select(Job).limit(1))
            session.execute(text("SELECT pg_sleep(0.05)"))
            inside.append(name)

    threads = [threading.Thread(target=change, args=(name,)) for name in "abcd"]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert inside[::2] == inside[1::2]
    assert sorted(inside[::2]) == list("abcd")


@on_postgresql
@pytest.mark.parametrize("mode", ["transaction"], indirect=True)
def test_what_the_pooler_does_not_pass_over_it_refuses(
    role: str, mode: str, database_url: str
) -> None:
    """Why docs/operations.md has it pass over ``options``."""
    with Pooler(SERVER, role, pool_mode=mode, ignore_startup_parameters="") as strict:
        database = Database(strict.url(str(make_url(database_url).database)), prepared=False)
        with pytest.raises(Exception, match="unsupported startup parameter"), database.hot():
            pass
        database.dispose()


@on_postgresql
def test_at_the_server_itself_commands_have_no_limit_whatever_the_role_has(
    role: str, database_url: str
) -> None:
    direct = make_url(database_url).set(username=role).render_as_string(hide_password=False)
    for limits, told in ((patience.UNHURRIED, "0"), (patience.Limits(statement=4.0), "4s")):
        database = Database(direct, limits=limits)
        with database.read() as session, database.hot() as hot:
            for way in (session, hot):
                assert way.scalar(text("SHOW statement_timeout")) == told
                assert (way.scalar(text("SHOW lock_timeout")) == "0") is (told == "0")
        database.dispose()


@on_postgresql
def test_it_is_seen_who_lends_his_connections_by_transaction(
    pooler: Pooler, mode: str, database_url: str
) -> None:
    there = pooler.url(str(make_url(database_url).database))
    assert pooled_.by_transaction(there) is (mode == "transaction")
    assert pooled_.by_transaction(database_url) is False
    for url, is_between in ((there, True), (database_url, False)):
        database = Database(url, prepared=False)
        with database.hot() as connection:
            assert pooled_.between(connection) is is_between
        database.dispose()


@on_postgresql
@pytest.mark.parametrize("size", [1, 2, 20])
@pytest.mark.parametrize("mode", ["transaction"], indirect=True)
def test_it_is_seen_however_many_he_lends(
    role: str, mode: str, size: int, database_url: str
) -> None:
    with Pooler(SERVER, role, size=size) as lending:
        there = lending.url(str(make_url(database_url).database))
        database = Database(there, prepared=False)
        with ExitStack() as held:  # as many of them as there are in use by others
            for _ in range(min(size - 1, 5)):
                connection = held.enter_context(database.engine.connect())
                connection.execute(text("SELECT 1"))
        assert pooled_.by_transaction(there)
        database.dispose()


@on_postgresql
def test_what_is_lost_behind_the_pooler_or_with_it(
    pooler: Pooler, pooled: Any, services: Any, clock: Any
) -> None:
    browser = create_app(pooled).test_client()
    world = build_world(services, clock)
    world.sign_in(browser)
    flow = Flow(browser, world.register(introspect_all=True))
    held = flow.tokens()
    services.db.dispose()
    ended = text(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with services.db.probe() as connection:
        assert connection.scalar(ended)
    # The pooler says so at the next use, or has seen it: what asks first is asked once more.
    assert flow.introspect(held["access_token"])["active"] is True
    held = flow.refresh(held["refresh_token"]).get_json()
    pooler.stop()
    answer = flow.post("/oauth2/introspect", {"token": held["access_token"]})
    assert (answer.status_code, answer.get_json()["error"]) == (503, "temporarily_unavailable")
    pooler.start()
    assert flow.introspect(held["access_token"])["active"] is True
    assert flow.refresh(held["refresh_token"]).status_code == 200


# ---- a whole installation ------------------------------------------------------------------------


@pytest.fixture
def behind() -> Iterator[Behind]:
    """An empty database, and a role that owns it and nothing else."""
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name = f"pooled_{secrets.token_hex(6)}"
    _said(f"CREATE ROLE {name} LOGIN", *told_of(name), f'CREATE DATABASE "{name}" OWNER {name}')
    yield Behind(name, name)
    _said(f'DROP DATABASE "{name}" WITH (FORCE)', f"DROP ROLE {name}")


def test_an_installation_of_two_web_processes_and_a_worker_does_everything(behind: Behind) -> None:
    """Made by its commands, asked over HTTP; the worker, which would look in an hour only, is rung for
    through the pooler and listens at the server itself.
    """
    with ExitStack() as stack:
        pooler = stack.enter_context(Pooler(SERVER, behind.role))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        issuer = f"http://localhost:{stack.enter_context(ports.reserve())[0]}"
        made = Installation(
            Tree("pooled"),
            Path(folder),
            issuer,
            None,
            database_url=pooler.url(behind.database),
            database_prepared=False,
            worker_listen_url=behind.direct(),
            worker_poll_seconds=3600,
            web_processes=2,
        )
        parties, slips = made.prepare(2)
        _refuses_to_prepare(made)
        with made.serving() as pid:
            people = [with_password(issuer, *slip) for slip in slips.items()]
            served = Served("pooled", parties, people, pid, None)
            with served.users() as users:
                for operation in OPERATIONS:
                    assert measure(served, users, operation, 4).errors == [], operation.name
                leaving, staying = users
                tokens = [each.silent(parties.web) for each in users]
                began = system_clock()
                done = made.say(
                    *("change", "leave", leaving.person.username, "--reason", "retire"),
                    *("--number", "1/QĐ", "--date", f"{began:%d/%m/%Y}", "--issuer", "UBND"),
                    *("--yes", "--wait"),
                )
                assert done
                active = [
                    staying.post("/oauth2/introspect", parties.web, {"token": t["access_token"]})
                    for t in tokens
                ]
                assert [each["active"] for each in active] == [False, True]
            assert until(lambda: not _count(behind, WAITING), within=60)
        log = (Path(folder) / "server.log").read_text("utf-8")
        assert not [line for line in log.splitlines() if '"level": "error"' in line], log
        assert "Traceback" not in log
    assert until(lambda: not _count(behind, CONNECTED), within=60)


def _refuses_to_prepare(made: Installation) -> None:
    """Neither ``serve`` nor ``check`` puts up with it."""
    right = made.config.read_text("utf-8")
    made.config.write_text(right.replace("database_prepared = false", "database_prepared = true"))
    for command in ("serve", "check"):
        with pytest.raises(RuntimeError, match="database_prepared = false") as refused:
            made.say(command)
        assert "Traceback" not in str(refused.value)
    made.config.write_text(right, "utf-8")


WAITING = "SELECT count(*) FROM job WHERE state IN ('ready', 'running') AND run_at <= now()"
CONNECTED = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


def _count(behind: Behind, question: str) -> int:
    engine = unpooled(behind.direct())
    with engine.connect() as connection:
        found = connection.scalar(text(question))
    engine.dispose()
    return int(found or 0)
