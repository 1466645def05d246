"""Places of attempts under way, that come back by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # The defaults stay: an earlier version that still runs beside this one says nothing of them.
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        batch_op.add_column(sa.Column("slot", _KEY, nullable=False, server_default="0"))
        for name in ("reserved", "reserved_before"):
            batch_op.add_column(sa.Column(name, sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("throttle", schema=None) as batch_op:
        for name in ("reserved_before", "reserved", "slot"):
            batch_op.drop_column(name)
