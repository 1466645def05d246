"""Which signer an authority belongs to; those made before are ours."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "authority", sa.Column("signer", sa.Text(), nullable=False, server_default="local")
    )


def downgrade() -> None:
    with op.batch_alter_table("authority") as table:
        table.drop_column("signer")
