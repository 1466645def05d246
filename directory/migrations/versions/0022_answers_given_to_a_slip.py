"""How often the question of a slip was answered wrongly."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "activation", sa.Column("tries", sa.Integer(), nullable=False, server_default="0")
    )


def downgrade() -> None:
    with op.batch_alter_table("activation", schema=None) as batch_op:
        batch_op.drop_column("tries")
