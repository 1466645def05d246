"""Who ended what somebody had enrolled: one officer resets a password or the rest, not both."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("enrolled_factor", sa.Column("ended_by", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("enrolled_factor", schema=None) as batch_op:
        batch_op.drop_column("ended_by")
