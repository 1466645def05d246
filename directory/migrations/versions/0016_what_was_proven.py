"""What a sign-in under way has proven, one or several factors."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("login_flow", sa.Column("proven", json, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("login_flow", schema=None) as batch_op:
        batch_op.drop_column("proven")
