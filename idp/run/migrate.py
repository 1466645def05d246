"""Makes and changes the schema: one Alembic chain for all tables, on SQLite and PostgreSQL.

``directory/migrations/env.py`` runs inside Alembic and gets connection and metadata from here:
the tables of all three packages are known to the composition root only.

Traps (all met): SQLite rebuilds a table to change it, and with foreign keys on, dropping the old
one deletes the rows that point at it. The switch is ignored inside a transaction, and the driver
would commit before DDL. Hence: foreign keys off, then one real transaction, then
``foreign_key_check`` before it may commit.

Nodes of this release and of the one before serve side by side: revisions only add. One that takes
something away, so that older releases cannot go on, says ``serves_from = "<its own number>"``;
``migrate`` leaves word of it in the database (``directory.base.nodes``), where nodes that have
never heard of the newer revision look.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, delete, insert, inspect

from directory.base import nodes
from directory.base.db import Database
from directory.base.errors import Misconfigured
from idp.run import schema, wiring

_LOCK = 7_233_114_001
"""PostgreSQL advisory lock: two nodes that start at once do not both upgrade."""


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, with the connection it is to use."""
    made = Config()
    made.set_main_option("script_location", str(schema.SCRIPTS))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = connection
    made.attributes["metadata"] = wiring.metadata()
    return made


def _run(engine: Engine, act: Callable[[Config], None]) -> None:
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            connection = connection.execution_options(dinhdanh_begin="")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.commit()
            connection = connection.execution_options(dinhdanh_begin="BEGIN IMMEDIATE")
        try:
            with connection.begin():
                if not sqlite:
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                act(config(connection))
                if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise Misconfigured("migration", "Nâng cấp làm hỏng liên kết dữ liệu; đã hủy.")
        finally:
            # A pooled connection must not keep the switch off.
            connection.invalidate()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to a revision; all of it or nothing.

    Raises Misconfigured where it is newer than this release.
    """
    with engine.connect() as connection:
        found = schema.current(connection)
    if found is not None and found not in schema.known():
        raise schema.too_new(found)

    def act(cfg: Config) -> None:
        command.upgrade(cfg, revision)
        _leave_word(cfg)

    _run(engine, act)


def _leave_word(cfg: Config) -> None:
    """Say from which release on the schema can be served, where there is a place to say it."""
    connection: Connection = cfg.attributes["connection"]
    if not inspect(connection).has_table(nodes.SchemaCompatibility.__tablename__):
        return
    scripts = ScriptDirectory.from_config(cfg)
    reached = scripts.iterate_revisions(schema.current(connection), "base")
    said = [getattr(script.module, "serves_from", "0001") for script in reached]
    connection.execute(delete(nodes.SchemaCompatibility))
    row = {"id": 1, "serves_from": max(said, default="0001")}
    connection.execute(insert(nodes.SchemaCompatibility), row)


def downgrade(engine: Engine, revision: str = "base") -> None:
    """Bring the schema down to a revision; all of it or nothing."""
    _run(engine, lambda cfg: command.downgrade(cfg, revision))


def stamp(engine: Engine) -> None:
    """Note that the schema is the newest, without running anything."""
    _run(engine, lambda cfg: command.stamp(cfg, "head"))


def differences(connection: Connection) -> list[object]:
    """What the tables in the code and those in the database do not agree on."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, wiring.metadata()))


def new_revision(message: str) -> Path:
    """Write a revision for what the code's tables have and the chain does not make yet."""
    with tempfile.TemporaryDirectory() as work:
        database = Database(f"sqlite:///{Path(work) / 'chain.db'}")
        if schema.head() is not None:
            upgrade(database.engine)
        made: list[Path] = []
        _run(database.engine, lambda cfg: made.append(_autogenerate(cfg, message)))
        database.dispose()
    return made[0]


def _autogenerate(cfg: Config, message: str) -> Path:
    scripts = ScriptDirectory.from_config(cfg)
    number = 1 + sum(1 for _ in scripts.walk_revisions())
    script = command.revision(cfg, message=message, autogenerate=True, rev_id=f"{number:04d}")
    if script is None or isinstance(script, list):
        raise Misconfigured("migration", "Không tạo được bản nâng cấp.")
    file = Path(script.path)
    lines = file.read_text("utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "# ### " not in line), "utf-8")
    return file


if __name__ == "__main__":  # make migration m="…"
    sys.stdout.write(f"{new_revision(' '.join(sys.argv[1:]) or sys.exit('MESSAGE missing'))}\n")
