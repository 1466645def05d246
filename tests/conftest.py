"""Fixtures every part of the suite shares.

    clock       a clock that stands still until a test moves it
    settings    of a fresh installation under tmp_path, on SQLite or PostgreSQL
    database    its database, with every table and one Installation row
    new_installation  a folder in which ``dinhdanh migrate`` was run
    services    everything a request, a job or a command needs, ready to work
    app client  the web application, one for all tests of a process, and a test client
    another_app  a second one, of other services: another process, other settings
    slapd       a private OpenLDAP server (contract and integration tests)

A test marked ``both_databases`` runs on the PostgreSQL server that ``TEST_DATABASE_URL`` names
(``make test`` starts one), and again on SQLite (``make test-quick``, ``make test-slow``); all others
run on SQLite. Each test gets
a database of its own: a copy of a template that is made once per worker process, or one that was
put back to that (tests/databases.py). What else need be done only once is in tests/once.py. Sockets are closed under tests/unit and
tests/properties.
"""

import gc
import os
import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_socket
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pydantic import BaseModel
from sqlalchemy import event, make_url

from directory.base.config import Settings
from directory.base.crypto import Keyring
from directory.base.db import Database
from idp.run import installation, logs, migrate, wiring
from idp.run.app import WebApplication
from idp.services import Services
from tests import command_line, databases, once
from tests.factories import QUICK

START = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""09:00 on a Monday in Viet Nam."""
SERVER = os.environ.get("TEST_DATABASE_URL", "")
IN_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")
NO_SOCKETS = ("unit", "properties")
LONGEST = ("crash", "story")
SHORT = ("adversarial", "contract", "flows")
"""Folders of which no file takes longer than a quarter of a minute."""
SHORTEST = ("unit",)
"""Of which none takes longer than some seconds: when one process has nothing left, the others soon
have nothing either."""
TESTS = Path(__file__).parent

for name in [n for n in os.environ if n.startswith("DINHDANH_")]:
    del os.environ[name]  # the settings of whoever runs the tests are not the tests' settings


pytest_plugins = ["tests.spent", "tests.one_of_each"]

logs.structure()

# How long an example takes says how busy the machine is, not whether it is right.
hypothesis_settings.register_profile(
    "busy", hypothesis_settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("busy")


once.share()


class FrozenClock:
    """Stands still; ``advance`` and ``set`` move it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, *, seconds: float = 0, **parts: float) -> datetime:
        """Move on (``seconds``, ``minutes``, ``days`` …) and give the new moment."""
        self.now += timedelta(seconds=seconds, **parts)
        return self.now

    def set(self, now: datetime) -> None:
        """Stand at another moment."""
        self.now = now


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run ``both_databases`` tests on each database."""
    if metafunc.definition.get_closest_marker("both_databases"):
        kinds = [pytest.param("sqlite", marks=pytest.mark.twin), "postgresql"]
        metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, before ours otherwise
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long ones, and of these with the longest: whole files go to one process
    each, and the last to begin should not be the one that takes minutes. The rest is in random
    order.
    """
    items.sort(key=_turn)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """The collector finds nothing in what is only being read."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """What has been read stays: the collector need not go through it again and again."""
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish() -> None:
    """What is read at the end (Hypothesis) looks for itself among what the collector sees."""
    gc.unfreeze()


def pytest_unconfigure() -> None:
    """Every database is gone."""
    databases.leave()


def _turn(item: pytest.Item) -> int:
    folder = item.path.relative_to(TESTS).parts[0]
    if item.get_closest_marker("serial") is None:
        return 4 if folder in SHORTEST else 3 if folder in SHORT else 2
    return 0 if folder in LONGEST else 1


def missing(service: str) -> None:
    """Skip a test for want of a service; under CI nothing may be skipped for that."""
    if IN_CI:
        pytest.fail(f"{service} is missing")
    pytest.skip(f"{service} is missing")


@pytest.fixture(autouse=True)
def _closed_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    part = request.path.relative_to(TESTS).parts[0]
    if part not in NO_SOCKETS or request.node.get_closest_marker("enable_socket"):
        yield
        return
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(scope="session", autouse=True)
def _compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes of this run
    once.templates(folder / "templates")


@pytest.fixture
def clock() -> FrozenClock:
    """The clock of this test."""
    return FrozenClock()


@pytest.fixture(scope="session")
def _keyring_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keyring") / "keyring.json"
    Keyring.open(file, create=True)
    return file


def _fill(url: str, keyring_file: Path, work: Path) -> None:
    """Make every table and what a fresh installation holds."""
    settings = Settings(data_dir=work, database_url=url, keyring_file=keyring_file)
    services = wiring.build(settings, clock=FrozenClock())
    try:
        _hurry(services.db)
        # The same schema as the migrations make (tests/integration/test_migrations.py), faster.
        wiring.metadata().create_all(services.db.engine)
        migrate.stamp(services.db.engine)
        installation.prepare(services, name="Tỉnh Thanh Hóa")
    finally:
        services.db.dispose()


def _hurry(database: Database) -> None:
    """A test's SQLite file need not survive a power cut."""
    if database.is_sqlite:

        @event.listens_for(database.engine, "connect")
        def _relax(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA synchronous=OFF")


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory, _keyring_file: Path) -> Path:
    work = tmp_path_factory.mktemp("template")
    file = work / "dinhdanh.db"
    _fill(f"sqlite:///{file}", _keyring_file, work)
    return file


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated") / "var"
    command_line.migrate(folder)
    return folder


@pytest.fixture
def new_installation(tmp_path: Path, _migrated: Path) -> Path:
    """``var`` in the test's folder as ``dinhdanh migrate`` leaves it, which takes a second."""
    return Path(shutil.copytree(_migrated, tmp_path / "var"))


def _server_url(name: str) -> str:
    return make_url(SERVER).set(database=name).render_as_string(hide_password=False)


def _administer(*statements: str) -> None:
    databases.administer(SERVER, *statements)


@pytest.fixture(scope="session")
def _postgresql_template(
    tmp_path_factory: pytest.TempPathFactory, _keyring_file: Path
) -> Iterator[str]:
    name = f"template_{secrets.token_hex(6)}"
    _administer(f'CREATE DATABASE "{name}"')
    _fill(_server_url(name), _keyring_file, tmp_path_factory.mktemp("template"))
    yield name
    _administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def _postgresql_databases(_postgresql_template: str) -> Iterator[databases.Databases]:
    copies = databases.Databases(SERVER, _postgresql_template)
    yield copies
    copies.close()


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """``sqlite`` or ``postgresql``."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def empty_database_url(database_kind: str, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table in it."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'dinhdanh.db'}"
        return
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    name = f"test_{secrets.token_hex(6)}"
    _administer(f'CREATE DATABASE "{name}"')
    yield _server_url(name)
    _administer(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[str]:
    """The URL of a database that holds what a fresh installation holds."""
    if database_kind == "sqlite":
        file = tmp_path / "dinhdanh.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    if not SERVER:
        missing("PostgreSQL (TEST_DATABASE_URL)")
    copies = request.getfixturevalue("_postgresql_databases")
    name = copies.take()
    yield _server_url(name)
    copies.give_back(name)


@pytest.fixture
def keyring(_keyring_file: Path) -> Keyring:
    """The keyring of the installation under test."""
    return Keyring.open(_keyring_file)


@pytest.fixture
def make_settings(
    tmp_path: Path, database_url: str, _keyring_file: Path
) -> Callable[..., Settings]:
    """Make settings that differ from the test's own in the given ones."""
    own: dict[str, Any] = {
        "data_dir": tmp_path,
        "database_url": database_url,
        "keyring_file": _keyring_file,
        "issuer": "http://localhost:8000",
        # Most tests are about something else, and sign in with a password alone.
        "second_factor": "nobody",
        "admin_password_days": 0,
    }

    def make(**others: Any) -> Settings:
        given = own | others
        if any(name.startswith("DINHDANH_") for name in os.environ):
            return Settings(**given)
        # To ask an environment that holds none takes longer than all the rest.
        BaseModel.__init__(made := Settings.__new__(Settings), **given)
        return made

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """The settings of the installation under test."""
    return make_settings()


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """The database of the installation under test."""
    opened = Database(settings.database)
    _hurry(opened)
    yield opened
    opened.dispose()


@pytest.fixture
def services(settings: Settings, clock: FrozenClock) -> Iterator[Services]:
    """Everything a request, a job or a command needs; passwords cost next to nothing."""
    built = replace(wiring.build(settings, clock=clock), passwords=QUICK)
    _hurry(built.db)
    yield built
    built.db.dispose()


class _Application:
    """One for all tests of a process: what it takes from an installation is given for each test
    (``WebApplication.serve``). Nothing can be added to it: it has been asked once.
    """

    def __init__(self) -> None:
        self._made = WebApplication()
        self._configured = dict(self._made.config)
        with self._made.test_request_context("/"), suppress(KeyError):  # which installation?
            self._made.full_dispatch_request()

    def serving(self, services: Services, *, testing: bool) -> Flask:
        """It, answering for this installation and for no other."""
        self._made.config.clear()
        self._made.config.update(self._configured, TESTING=testing)
        self._made.serve(services)
        return self._made


@pytest.fixture(scope="session")
def _application() -> _Application:
    return _Application()


@pytest.fixture(scope="session")
def _another_application() -> _Application:
    return _Application()


@pytest.fixture
def app(services: Services, _application: _Application) -> Flask:
    """The web application. A test that adds to it makes its own (``idp.run.app.create_app``)."""
    return _application.serving(services, testing=True)


@pytest.fixture
def another_app(_another_application: _Application) -> Callable[[Services], Flask]:
    """The application beside ``app``: what it is given last it serves, as ``create_app`` would."""
    return lambda services: _another_application.serving(services, testing=False)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without cookies yet."""
    return app.test_client()
