"""Counters of wrong guesses: whose they are, when they end, when the last was counted."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("throttle", sa.Column("window_end", _MOMENT, nullable=True))
    op.add_column("throttle", sa.Column("last_at", _MOMENT, nullable=True))
    op.add_column("throttle", sa.Column("about", sa.Text(), nullable=True))
    op.create_index("ix_throttle_about", "throttle", ["about"])


def downgrade() -> None:
    op.drop_index("ix_throttle_about", "throttle")
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        for name in ("about", "last_at", "window_end"):
            batch_op.drop_column(name)
