"""The units people were in when a change about them was committed.

Filled for what was committed before: where a line names no unit (a suspension), from the timeline as
far as it was known then, on the day of the commit or, of a change that waited, on its day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LOCAL = {
    "sqlite": "date(c.committed_at, '+7 hours')",
    "postgresql": "(c.committed_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date",
}
_FILL = """
INSERT INTO change_unit (change_id, user_id, unit_id)
SELECT DISTINCT c.id, l.user_id, a.unit_id
FROM change c
JOIN change_line l ON l.change_id = c.id AND l."table" = 'users' AND l.action = 'update'
JOIN assignment a ON a.user_id = l.user_id
LEFT JOIN change o ON o.id = a.opened_by
LEFT JOIN change e ON e.id = a.closed_by AND e.committed_at > c.committed_at
WHERE (o.id IS NULL OR o.committed_at <= c.committed_at)
  AND (
    (a.valid_from <= {day} AND (a.valid_to IS NULL OR a.valid_to > {day} OR e.id IS NOT NULL))
    OR (
      c.effective_on > {day} AND a.valid_from <= c.effective_on
      AND (a.valid_to IS NULL OR a.valid_to > c.effective_on OR e.id IS NOT NULL)
    )
  )
  AND NOT EXISTS (
    SELECT 1 FROM change_line n
    WHERE n.change_id = c.id AND n.user_id = l.user_id AND n.unit_id = a.unit_id
  )
"""


def upgrade() -> None:
    op.create_table(
        "change_unit",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("unit_id", _KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["change_id"], ["change.id"], name=op.f("fk_change_unit_change_id")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_change_unit_unit_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_change_unit_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_unit")),
        sa.UniqueConstraint(
            "change_id",
            "user_id",
            "unit_id",
            name=op.f("uq_change_unit_change_id_user_id_unit_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_change_unit_unit", "change_unit", ["unit_id", "change_id"])
    op.create_index("ix_change_line_unit", "change_line", ["unit_id", "change_id"])
    op.execute(sa.text(_FILL.format(day=_LOCAL[op.get_bind().dialect.name])))


def downgrade() -> None:
    op.drop_index("ix_change_line_unit", table_name="change_line")
    op.drop_index("ix_change_unit_unit", table_name="change_unit")
    op.drop_table("change_unit")
