"""Names and kinds of units become dated rows like their parents and codes, and codes may come back.

Names are filled from today's columns: what a unit was called before is not known. The old rule, that a
code is never borne by a second unit, gives way to one over its open rows; that no two bear it on one day
is decided under the lock of the tree. A release that does not know this yet goes on serving: it reads
today's columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("valid_to IS NULL AND value <> ''")
_NEVER_REUSED = {"sqlite_autoincrement": True}


def _record() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("opened_by", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
    )


def upgrade() -> None:
    op.create_table(
        "unit_name",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("unit_id", _KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.Column("sort_key", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        *_record(),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_unit_name_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_name")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_unit_name_unit_id"), "unit_name", ["unit_id"])
    op.execute(
        sa.text(
            "INSERT INTO unit_name (unit_id, name, short_name, kind, search_key, sort_key,"
            " valid_from) SELECT id, name, short_name, kind, search_key, sort_key, valid_from"
            " FROM org_unit ORDER BY id"
        )
    )
    for column in _record():
        op.add_column("unit_edge", column)
    with op.batch_alter_table("unit_code", table_kwargs=_NEVER_REUSED) as batch_op:
        for column in _record():
            batch_op.add_column(column)
        batch_op.drop_constraint("uq_unit_code_scheme_value", type_="unique")
    op.create_index("ix_unit_code_value", "unit_code", ["scheme", "value"])
    op.create_index(
        "uq_unit_code_open",
        "unit_code",
        ["scheme", "value"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    op.drop_index("uq_unit_code_open", table_name="unit_code")
    op.drop_index("ix_unit_code_value", table_name="unit_code")
    with op.batch_alter_table("unit_code", table_kwargs=_NEVER_REUSED) as batch_op:
        batch_op.create_unique_constraint("uq_unit_code_scheme_value", ["scheme", "value"])
        for name in ("opened_by", "recorded_at", "taken_back_at"):
            batch_op.drop_column(name)
    with op.batch_alter_table("unit_edge", table_kwargs=_NEVER_REUSED) as batch_op:
        for name in ("opened_by", "recorded_at", "taken_back_at"):
            batch_op.drop_column(name)
    op.drop_index(op.f("ix_unit_name_unit_id"), table_name="unit_name")
    op.drop_table("unit_name")
