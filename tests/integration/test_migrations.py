"""The schema by migration: up, down and up again on both databases, with data in it."""

from datetime import date

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import func, inspect, select, text

from directory.base.db import Database
from directory.base.errors import Misconfigured
from directory.people import User
from directory.units import OrgUnit, UnitName, boundary, facts
from idp.run import migrate, schema, wiring
from tests.factories import make_assignment, make_unit, make_user

pytestmark = pytest.mark.both_databases


@pytest.fixture
def empty(empty_database_url):
    database = Database(empty_database_url)
    yield database
    database.dispose()


def _tables(database):
    return set(inspect(database.engine).get_table_names()) - {"alembic_version"}


def _fill(database):
    with database.write() as session:
        root = make_unit(session, "Tỉnh")
        for number in range(5):
            unit = make_unit(session, f"Xã {number}", parent=root, codes={"gso": f"{number:05d}"})
            make_assignment(session, make_user(session), unit)


def _counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in wiring.metadata().sorted_tables
            if table.name != "schema_compatibility"  # migrate's own word
        }


def test_the_revisions_are_those_of_the_chain(database_kind):
    chain = ScriptDirectory.from_config(migrate.config())
    assert schema.known() == {each.revision for each in chain.walk_revisions()}
    assert schema.head() == chain.get_current_head()


def test_the_migrated_schema_is_that_of_the_code(empty):
    migrate.upgrade(empty.engine)
    with empty.hot() as connection:
        assert schema.current(connection) == schema.head()
        assert migrate.differences(connection) == []
    assert _tables(empty) == set(wiring.metadata().tables)


def test_ids_are_never_used_again_where_the_code_says_so(empty):
    if not empty.is_sqlite:
        pytest.skip("PostgreSQL's sequences never go back")
    migrate.upgrade(empty.engine)
    declared = {
        table.name
        for table in wiring.metadata().tables.values()
        if table.dialect_options["sqlite"]["autoincrement"]
    }
    with empty.engine.connect() as connection:
        made = dict(
            connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
            ).all()
        )
    assert {name for name in declared if "AUTOINCREMENT" not in made[name]} == set()


def test_upgrading_again_keeps_every_row(empty):
    migrate.upgrade(empty.engine)
    _fill(empty)
    before = _counts(empty)
    assert before["users"] == 5
    assert before["org_unit"] == 6
    migrate.upgrade(empty.engine)
    assert _counts(empty) == before


def test_what_units_are_called_is_dated_when_names_come_to_be(empty):
    migrate.upgrade(empty.engine, "0010")
    with empty.write() as session:
        session.execute(
            text(
                "INSERT INTO org_unit (name, short_name, kind, bloc, tier, legal_person, path,"
                " search_key, sort_key, valid_from) VALUES ('Xã Hà Trung', 'Hà Trung', 'commune',"
                " 'government', 'commune', true, '/1/', 'xa ha trung', 'x', '2021-05-01')"
            )
        )
    migrate.upgrade(empty.engine)
    with empty.write() as session:
        rows = session.execute(
            text("SELECT name, short_name, kind, search_key, sort_key, valid_to FROM unit_name")
        ).all()
        assert rows == [("Xã Hà Trung", "Hà Trung", "commune", "xa ha trung", "x", None)]
        [unit] = session.scalars(select(OrgUnit))
        assert boundary.what_turns(session, date(2026, 3, 2)).all == ()
        renamed = UnitName(
            unit_id=unit.id,
            name="Xã Tống Sơn",
            short_name="Tống Sơn",
            kind="commune",
            search_key="xa tong son",
            sort_key="x",
            valid_from=date(2026, 3, 1),
        )
        facts.begin(session, renamed)
        assert boundary.what_turns(session, date(2026, 3, 2)).renamed == (unit.id,)
        names = session.execute(text("SELECT name, valid_to FROM unit_name ORDER BY id")).all()
        assert [(name, str(end)) for name, end in names] == [
            ("Xã Hà Trung", "2026-03-01"),
            ("Xã Tống Sơn", "None"),
        ]


def test_down_removes_everything_and_up_makes_it_anew(empty):
    migrate.upgrade(empty.engine)
    _fill(empty)
    migrate.downgrade(empty.engine)
    assert _tables(empty) == set()
    migrate.upgrade(empty.engine)
    with empty.hot() as connection:
        assert migrate.differences(connection) == []
    assert set(_counts(empty).values()) == {0}


def test_a_step_that_fails_leaves_nothing_behind(empty, monkeypatch):
    def stumble(cfg, _revision):
        cfg.attributes["connection"].execute(text("CREATE TABLE half (id INTEGER)"))
        raise RuntimeError

    monkeypatch.setattr(migrate.command, "upgrade", stumble)
    with pytest.raises(RuntimeError):
        migrate.upgrade(empty.engine)
    assert _tables(empty) == set()


def test_rebuilding_a_table_keeps_the_rows_that_point_at_it(empty, monkeypatch):
    """What batch mode does to a parent table on SQLite, with foreign keys in force before."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    migrate.upgrade(empty.engine)
    _fill(empty)
    before = _counts(empty)

    def rebuild(cfg, _revision):
        op = Operations(MigrationContext.configure(cfg.attributes["connection"]))
        with op.batch_alter_table("org_unit", recreate="auto") as batch:
            batch.alter_column("kind", new_column_name="sort")

    monkeypatch.setattr(migrate.command, "upgrade", rebuild)
    migrate.upgrade(empty.engine)
    with empty.read() as session:
        assert session.scalar(text("SELECT count(*) FROM org_unit WHERE sort IS NOT NULL")) == 6
        assert session.scalar(select(func.count()).select_from(User)) == before["users"]
        assert session.scalar(text("SELECT count(*) FROM assignment")) == before["assignment"]


def test_foreign_keys_are_in_force_again_afterwards(empty):
    from sqlalchemy.exc import IntegrityError

    migrate.upgrade(empty.engine)
    with pytest.raises(IntegrityError), empty.write() as session:
        session.execute(text("INSERT INTO post (unit_id, position_id, headcount) VALUES (9,9,1)"))


def test_a_migration_that_breaks_references_is_refused(empty, monkeypatch):
    if not empty.is_sqlite:
        return  # PostgreSQL checks each statement itself
    migrate.upgrade(empty.engine)
    _fill(empty)

    def orphan(cfg, _revision):
        cfg.attributes["connection"].execute(text("DELETE FROM users"))

    monkeypatch.setattr(migrate.command, "upgrade", orphan)
    with pytest.raises(Misconfigured):
        migrate.upgrade(empty.engine)
    assert _counts(empty)["users"] == 5
