"""Statements of the hot paths, sent straight through the driver: what goes in comes out, errors are
SQLAlchemy's, and what is repeated is a question whose connection was gone.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Integer,
    MetaData,
    Table,
    Text,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    MultipleResultsFound,
    OperationalError,
    StatementError,
)

from directory.base import hot
from directory.base.away import is_away
from directory.base.bounded import NoAnswer
from directory.base.db import Database, Json, UTCDateTime
from directory.base.patience import Limits
from tests.relying_party import counted

on_both = pytest.mark.both_databases
on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)

METADATA = MetaData()
KEPT = Table(
    "kept",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("small", Integer),
    Column("big", BigInteger),
    Column("flag", Boolean),
    Column("at", UTCDateTime),
    Column("day", Date),
    Column("said", Json),
)
PUT = hot.write(insert(KEPT).values({c.name: bindparam(c.name, type_=c.type) for c in KEPT.c}))
PUT_CHOSEN = hot.write(
    insert(KEPT).from_select(
        KEPT.c.keys(), select(*(bindparam(c.name, type_=c.type).label(c.name) for c in KEPT.c))
    )
)
GET = hot.read(select(KEPT).where(KEPT.c.key == bindparam("key")))
ALL = hot.read(select(KEPT.c.key, KEPT.c.small).order_by(KEPT.c.key))
RAISE = hot.write(
    update(KEPT)
    .where(KEPT.c.key == bindparam("of"))
    .values(small=KEPT.c.small + 1)
    .returning(KEPT.c.small, (KEPT.c.small > 1).label("more"))
)
EMPTY: dict[str, Any] = dict.fromkeys(KEPT.c.keys())


class Colour(StrEnum):
    RED = "red"


@pytest.fixture
def database(services: Any) -> Iterator[Database]:
    METADATA.create_all(services.db.engine)
    yield services.db
    METADATA.drop_all(services.db.engine)


def _cut(database: Database, connection: Any) -> None:
    """The server ends this very connection."""
    pid = connection.connection.driver_connection.info.backend_pid
    with database.engine.connect() as other:
        other.execute(select(func.pg_terminate_backend(pid, 5000)))


NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


@on_both
@pytest.mark.parametrize(
    "given",
    [
        {"small": 7, "big": 2**62, "flag": True, "at": NOON, "day": date(2026, 2, 28)},
        {"small": -(2**31), "big": -(2**63), "flag": False, "at": datetime.min.replace(tzinfo=UTC)},
        {"at": NOON.astimezone(timezone(timedelta(hours=7)))},
        {"said": {"tên": ["Ngọc", 1, 2.5, True, None, {"a": []}], "quote": "'\"%s $1 :x"}},
        {"said": []},
        {"said": "one"},
        {},
    ],
)
@pytest.mark.parametrize("put", [PUT, PUT_CHOSEN])
def test_what_goes_in_comes_out(database: Database, put: hot.Statement, given: Any) -> None:
    with database.hot() as connection:
        for key in ("first", "second"):  # the second time it has been prepared
            assert put.all(connection, **(EMPTY | given | {"key": key})) == []
            row = GET.one(connection, key=key)
            assert row._asdict() == EMPTY | given | {"key": key}
            assert row.at is None or row.at.tzinfo is UTC
            # As SQLAlchemy itself reads it.
            assert tuple(connection.execute(select(KEPT).where(KEPT.c.key == key)).one()) == row
    with database.read() as session:
        assert GET.one(session.connection(), key="first") == row._replace(key="first")


@on_both
def test_words_of_a_kind_are_text_and_numbers_of_any_size_one_statement(database: Database) -> None:
    with database.hot() as connection:
        for n in (1, 40_000, 2**31 - 1):
            PUT.run(connection, **(EMPTY | {"key": f"{Colour.RED}{n}", "small": n, "big": n}))
        PUT.run(connection, **(EMPTY | {"key": Colour.RED}))
        assert [row.small for row in ALL.all(connection)] == [None, 1, 2**31 - 1, 40_000]
        assert GET.one(connection, key=Colour.RED).key == "red"
        assert GET.one(connection, key="nobody") is None


@on_both
def test_a_write_gives_what_it_returns(database: Database) -> None:
    with database.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        row = RAISE.one(connection, of="a")
        assert (row.small, row.more) == (2, True)
        assert RAISE.one(connection, of="b") is None
        PUT.run(connection, **(EMPTY | {"key": "c", "small": 1}))
        with pytest.raises(MultipleResultsFound):
            ALL.one(connection)


@on_both
def test_in_a_transaction_it_is_one_of_its_statements(database: Database) -> None:
    with suppress(ZeroDivisionError), database.write() as session:
        PUT.run(session.connection(), **(EMPTY | {"key": "a", "small": 1}))
        assert RAISE.one(session.connection(), of="a").small == 2
        raise ZeroDivisionError
    with database.engine.connect() as connection:
        PUT.run(connection, **(EMPTY | {"key": "b", "small": 1}))  # never committed
    for _ in range(10):  # what the server had prepared was forgotten in between
        with database.read() as session:
            assert ALL.all(session.connection()) == []
    with database.write() as session:
        PUT.run(session.connection(), **(EMPTY | {"key": "a"}))
    with database.hot() as connection:
        assert [row.key for row in ALL.all(connection)] == ["a"]


@on_both
def test_errors_are_those_of_sqlalchemy(database: Database) -> None:
    with database.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a"}))
        with pytest.raises(IntegrityError) as found:
            PUT.run(connection, **(EMPTY | {"key": "a"}))
        assert not is_away(found.value)
        assert not found.value.connection_invalidated
        with pytest.raises(StatementError, match="naive datetime"):
            PUT.run(connection, **(EMPTY | {"key": "b", "at": datetime(2026, 1, 1)}))  # noqa: DTZ001
        with pytest.raises(StatementError):
            GET.one(connection)  # without its parameter
        assert "a secret" not in str(_error(connection, said="a secret"))
        assert [row.key for row in ALL.all(connection)] == [
            "a"
        ]  # the connection is as good as ever
    with pytest.raises(IntegrityError), database.write() as session:
        PUT.run(session.connection(), **(EMPTY | {"key": "a"}))


def _error(connection: Any, **values: Any) -> Exception:
    with pytest.raises(IntegrityError) as found:
        PUT.run(connection, **(EMPTY | {"key": "a"} | values))
    return found.value


@on_postgresql
@pytest.mark.parametrize("alone", [True, False])
def test_postgresql_takes_no_text_with_a_nul(database: Database, alone: bool) -> None:
    way = database.hot() if alone else database.engine.connect()
    with way as connection:
        with pytest.raises(DataError):
            GET.one(connection, key="a\0b")
        with pytest.raises(UnicodeEncodeError):
            GET.one(connection, key="half \ud800")


@on_both
def test_each_is_heard_of(services: Any, database: Database) -> None:
    with database.hot() as connection, counted(services) as cost:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        RAISE.one(connection, of="a")
        GET.one(connection, key="a")
        ALL.all(connection)
    assert cost == {"INSERT": 1, "UPDATE": 1, "SELECT": 2}
    with database.read() as session, counted(services) as cost:
        GET.one(session.connection(), key="a")
    assert cost == {"SELECT": 1}


@on_postgresql
def test_a_question_whose_connection_is_gone_is_asked_again_and_a_write_is_not(
    database: Database, database_url: str
) -> None:
    trusting = Database(database_url, limits=Limits(trusted=3600.0))
    with trusting.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        _cut(database, connection)
        assert GET.one(connection, key="a").small == 1
        connection.execute(text("SELECT 1"))  # SQLAlchemy, too, goes on
        _cut(database, connection)
        assert GET.one(connection, key="a").small == 1
        _cut(database, connection)
        with pytest.raises(OperationalError) as found:
            RAISE.one(connection, of="a")
        assert is_away(found.value)
        assert found.value.connection_invalidated
    with trusting.hot() as connection:
        assert RAISE.one(connection, of="a").small == 2  # that one only
    trusting.dispose()


@on_postgresql
def test_in_a_transaction_nothing_is_asked_again(database: Database) -> None:
    with database.read() as session:
        connection = session.connection()
        assert ALL.all(connection) == []
        _cut(database, connection)
        with pytest.raises(DBAPIError) as found:
            ALL.all(connection)
    assert is_away(found.value)
    with database.read() as session:
        assert ALL.all(session.connection()) == []


@on_postgresql
def test_after_one_lost_connection_all_are_made_anew(database: Database, database_url: str) -> None:
    trusting = Database(database_url, limits=Limits(trusted=3600.0))
    with trusting.hot() as one, trusting.hot() as other:
        pids = {each.connection.driver_connection.info.backend_pid for each in (one, other)}
    with trusting.hot() as one:
        _cut(database, one)
        assert ALL.all(one) == []
        with trusting.hot() as other:
            pid = other.connection.driver_connection.info.backend_pid
            assert pid not in pids
    trusting.dispose()


SLEEP = hot.read(select(func.pg_sleep(bindparam("seconds")).cast(Text).label("slept")))


@on_postgresql
def test_a_statement_whose_time_is_over_is_not_asked_again(
    database: Database, database_url: str
) -> None:
    hurried = Database(database_url, limits=Limits(statement=1.0))
    with hurried.hot() as connection:
        with pytest.raises(OperationalError) as found:
            SLEEP.one(connection, seconds=20)
        assert is_away(found.value)
        assert not found.value.connection_invalidated
        assert ALL.all(connection) == []
        driver = connection.connection.driver_connection
        connection.exec_driver_sql("SET statement_timeout = 0")
        driver.patience = 0.2
        with pytest.raises(OperationalError) as lost:
            SLEEP.one(connection, seconds=20)
        assert isinstance(lost.value.orig, NoAnswer)
        assert is_away(lost.value)
        assert driver.closed
        assert ALL.all(connection) == []
    hurried.dispose()


@on_postgresql
@pytest.mark.parametrize("prepared", [True, False])
def test_nothing_is_prepared_where_the_settings_say_so(
    database: Database, database_url: str, prepared: bool
) -> None:
    own = Database(database_url, prepared=prepared)
    with own.hot() as connection:
        for n in range(7):  # the driver itself begins with the fifth
            PUT_CHOSEN.run(connection, **(EMPTY | {"key": str(n), "flag": True}))
            assert GET.one(connection, key=str(n)).flag is True
            connection.execute(select(literal(n)))
        names = connection.execute(text("SELECT name FROM pg_prepared_statements")).scalars().all()
    assert sum(name.startswith("hot_") for name in names) == 2 * prepared
    assert bool(names) is prepared
    with own.read() as session:
        for _ in range(7):
            assert len(ALL.all(session.connection())) == 7
        names = session.execute(text("SELECT name FROM pg_prepared_statements")).scalars().all()
    assert bool(names) is prepared
    own.dispose()


@on_postgresql
@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize(
    "meanwhile",
    [
        "ALTER TABLE kept ADD COLUMN later TEXT",
        "ALTER TABLE kept ALTER COLUMN small TYPE BIGINT",
        "ALTER TABLE kept ALTER COLUMN key TYPE VARCHAR(99)",
        'ALTER TABLE kept ALTER COLUMN key TYPE TEXT COLLATE "C"',
        "CREATE INDEX added ON kept (small)",
    ],
)
def test_a_newer_node_may_change_tables_under_prepared_statements(
    database: Database, database_url: str, prepared: bool, meanwhile: str
) -> None:
    own = Database(database_url, prepared=prepared)
    with own.hot() as connection:
        for n in range(2):
            PUT.run(connection, **(EMPTY | {"key": str(n), "small": 1}))
            assert GET.one(connection, key=str(n)).small == 1
            assert RAISE.one(connection, of=str(n)).small == 2
        with database.engine.begin() as newer:
            newer.execute(text(meanwhile))
        for n in range(2):
            assert GET.one(connection, key=str(n))[:2] == (str(n), 2)
            assert RAISE.one(connection, of=str(n)).small == 3  # once
            PUT.run(connection, **(EMPTY | {"key": f"later {n}"}))
    own.dispose()


@on_postgresql
@pytest.mark.parametrize("how", ["DISCARD ALL", "DEALLOCATE ALL"])
def test_what_the_server_has_forgotten_is_prepared_anew(database: Database, how: str) -> None:
    with database.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        assert RAISE.one(connection, of="a").small == 2
        assert GET.one(connection, key="a").small == 2
        connection.exec_driver_sql(how)
        assert RAISE.one(connection, of="a").small == 3
        assert GET.one(connection, key="a").small == 3


@on_postgresql
def test_a_name_stands_for_one_statement_in_every_process(
    database: Database, database_url: str
) -> None:
    """A pooler that hands a process the connection of another may not hand it its statements."""
    names = []
    for order in ((PUT, GET), (GET, PUT)):
        own = Database(database_url)
        with own.hot() as connection:
            for each in order:
                each.all(connection, **(EMPTY | {"key": f"{len(names)}"}))
            found = connection.execute(text("SELECT name, statement FROM pg_prepared_statements"))
            names.append({n: s for n, s in found if n.startswith("hot_")})
        own.dispose()
    assert len(names[0]) == 2
    assert names[0] == names[1]


@on_postgresql
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("answers", [0, 1])
def test_who_is_stopped_while_waiting_leaves_no_answer_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException], answers: int
) -> None:
    with database.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        driver = connection.connection.driver_connection
        whole, heard = type(driver).wait, []

        def wait(self: Any, *given: Any, **named: Any) -> Any:
            if len(heard) == answers:  # of preparing, or of asking
                raise stop
            heard.append(1)
            return whole(self, *given, **named)

        with monkeypatch.context() as patched:
            patched.setattr(type(driver), "wait", wait)
            with pytest.raises(stop):
                GET.one(connection, key="a")
    for n in (1, 2):
        with database.hot() as connection:
            assert [row.key for row in ALL.all(connection)] == ["a"]
            assert GET.one(connection, key="a").small == n
            assert RAISE.one(connection, of="a").small == n + 1


@on_postgresql
def test_how_the_server_writes_times_is_not_left_to_whoever_set_it_up(
    database: Database, database_url: str
) -> None:
    name = database.engine.url.database
    with database.engine.begin() as connection:
        for setting in (
            "datestyle = 'SQL, DMY'",
            "timezone = 'Asia/Ho_Chi_Minh'",
            "bytea_output = 'escape'",
            "intervalstyle = 'sql_standard'",
            "standard_conforming_strings = 'off'",
        ):
            connection.execute(text(f'ALTER DATABASE "{name}" SET {setting}'))
    own = Database(database_url)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    given = EMPTY | {"key": "a\\b", "at": last, "day": date(2026, 2, 3)}
    with own.hot() as connection:
        PUT.run(connection, **given)
        assert GET.one(connection, key="a\\b")._asdict() == given
    with own.write() as session:
        assert GET.one(session.connection(), key="a\\b")._asdict() == given
        assert session.execute(select(KEPT.c.at, KEPT.c.day)).one() == (last, date(2026, 2, 3))
    own.dispose()


@on_both
@pytest.mark.parametrize(
    "statement",
    [
        lambda: select(KEPT).where(KEPT.c.key.in_(["a", "b"])),
        lambda: select(KEPT.c.key, KEPT.c.key),
        lambda: select(func.count() + 1),
    ],
)
def test_what_it_could_not_give_by_name_is_refused(
    database: Database, statement: Callable[[], Any]
) -> None:
    with database.hot() as connection, pytest.raises((TypeError, ValueError)):
        hot.read(statement()).all(connection)


@on_postgresql
def test_the_server_plans_a_hot_statement_once(database: Database) -> None:
    with database.hot() as connection:
        for n in range(9):
            GET.one(connection, key=None if n % 2 else "a")
        plans = connection.execute(
            text(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name LIKE 'hot%'"
            )
        ).one()
        compiling = connection.execute(text("SHOW jit")).scalar_one()
    assert (*plans, compiling) == (9, 0, "off")


@on_postgresql
@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("alone", [True, False])
def test_what_the_server_says_by_the_way_is_no_answer(
    database: Database, database_url: str, prepared: bool, alone: bool
) -> None:
    """Notices, before the answer and in the midst of it."""
    with database.engine.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION chatting() RETURNS int LANGUAGE plpgsql AS $$ BEGIN"
                " RAISE NOTICE 'Ngọc'; RAISE WARNING 'Đà'; RETURN 1; END $$"
            )
        )
    said = hot.read(select(func.chatting(type_=Integer).label("one"), KEPT.c.key))
    own = Database(database_url, prepared=prepared)
    with own.hot() if alone else own.engine.connect() as connection:
        for key in "ab":
            PUT.run(connection, **(EMPTY | {"key": key}))
        for _ in range(3):
            assert sorted(said.all(connection)) == [(1, "a"), (1, "b")]
            connection.exec_driver_sql("DROP TABLE IF EXISTS nothing")  # a notice with no rows
            assert [row.key for row in ALL.all(connection)] == ["a", "b"]
    own.dispose()


@on_postgresql
@pytest.mark.parametrize("prepared", [True, False])
def test_who_is_rung_for_on_a_connection_that_listens_by_mistake_hears_nothing(
    database: Database, database_url: str, prepared: bool
) -> None:
    """A pooler lends us the server's connection of a worker that listened through it."""
    own = Database(database_url, prepared=prepared)
    with own.hot() as connection:
        PUT.run(connection, **(EMPTY | {"key": "a", "small": 1}))
        connection.exec_driver_sql("LISTEN told")
        for n in range(1, 4):
            with database.engine.begin() as other:
                other.execute(text("SELECT pg_notify('told', 'Ngọc')"))
            assert RAISE.one(connection, of="a").small == n + 1
            connection.exec_driver_sql("NOTIFY told, 'ours'")
            assert GET.one(connection, key="a").small == n + 1
            assert [row.key for row in ALL.all(connection)] == ["a"]
        driver = connection.connection.driver_connection
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the driver sees that we pass it over
            with pytest.raises(NoAnswer):  # nor is any of it kept
                list(driver.notifies(timeout=0))
    own.dispose()


@on_postgresql
@pytest.mark.parametrize("prepared", [True, False])
def test_a_setting_that_is_changed_meanwhile_changes_no_answer(
    database: Database, database_url: str, prepared: bool
) -> None:
    """By whoever sets up the role or the database, and on the connection itself, as a pooler does that
    gives its clients' settings to each connection it lends them.
    """
    own = Database(database_url, prepared=prepared)
    name = database.engine.url.database
    given = EMPTY | {"key": "a", "small": 1, "at": NOON, "day": date(2026, 2, 3)}
    with own.hot() as connection:
        PUT.run(connection, **given)
        assert GET.one(connection, key="a")._asdict() == given
        with database.engine.begin() as other:
            for setting in ("timezone = 'Asia/Ho_Chi_Minh'", "datestyle = 'SQL, DMY'"):
                other.execute(text(f'ALTER DATABASE "{name}" SET {setting}'))
                other.execute(text(f'ALTER ROLE CURRENT_USER IN DATABASE "{name}" SET {setting}'))
        assert GET.one(connection, key="a")._asdict() == given
        for setting in ("timezone = 'Asia/Ho_Chi_Minh'", "application_name = 'ứng dụng'"):
            connection.exec_driver_sql(f"SET {setting}")
            assert GET.one(connection, key="a")._asdict() == given
            assert RAISE.one(connection, of="a").small == given["small"] + 1
            given["small"] += 1
    with own.read() as session:
        assert GET.one(session.connection(), key="a")._asdict() == given
    own.dispose()
