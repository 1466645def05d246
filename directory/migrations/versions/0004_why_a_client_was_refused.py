"""Why a client was refused, for its owner."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_refusal",
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_client_refusal_client_id_client")
        ),
        sa.PrimaryKeyConstraint("client_id", "minute", "reason", name=op.f("pk_client_refusal")),
    )
    with op.batch_alter_table("client_refusal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_refusal_at"), ["at"], unique=False)


def downgrade() -> None:
    op.drop_table("client_refusal")
