"""What two have agreed upon, where a slip takes two, and who the second one was."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("activation", sa.Column("change_id", sa.Text(), nullable=True))
    op.add_column("activation", sa.Column("approver_kind", sa.Text(), nullable=True))
    op.add_column("activation", sa.Column("approver_id", _KEY, nullable=True))
    op.create_index(op.f("ix_activation_change_id"), "activation", ["change_id"], unique=True)


def downgrade() -> None:
    op.drop_index(op.f("ix_activation_change_id"), table_name="activation")
    with op.batch_alter_table("activation", schema=None) as batch_op:
        for name in ("approver_id", "approver_kind", "change_id"):
            batch_op.drop_column(name)
