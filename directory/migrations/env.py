"""Runs inside Alembic. Connection and metadata come from whoever runs it (``idp/run/migrate.py``).

On PostgreSQL every text column of ours is then made to compare by its bytes (``COLLATE "C"``),
those of installations that were made before this was said among them: a revision need not say it,
and none can forget it. Only what an index is made of is made again; tables are not rewritten.
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, Connection, MetaData, Text, text

from directory.base.db import UTCDateTime


def _render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """A revision must not depend on today's code: our types are written as what they store."""
    if kind == "type" and isinstance(item, Text):
        return "sa.Text()"
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        autogen.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


_OTHERWISE = text("""
    SELECT c.relname, a.attname FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    JOIN pg_collation l ON l.oid = a.attcollation
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'text'::regtype
      AND l.collname <> 'C' AND c.relname = ANY(:ours)
    ORDER BY c.relname, a.attnum
""")


def _compare_by_bytes(connection: Connection, ours: list[str]) -> None:
    """Give the text columns of these tables the collation "C" where they have another."""
    quote = connection.dialect.identifier_preparer.quote
    wanted: dict[str, list[str]] = {}
    for table, column in connection.execute(_OTHERWISE, {"ours": ours}):
        wanted.setdefault(table, []).append(column)
    for table, columns in wanted.items():
        changes = ", ".join(f'ALTER COLUMN {quote(c)} TYPE text COLLATE "C"' for c in columns)
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {changes}")


_connection: Connection = context.config.attributes["connection"]
_metadata: MetaData = context.config.attributes["metadata"]
context.configure(
    connection=_connection,
    target_metadata=_metadata,
    render_as_batch=True,
    render_item=_render,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
    if _connection.dialect.name == "postgresql":
        _compare_by_bytes(_connection, sorted(_metadata.tables))
