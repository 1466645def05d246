"""Answers to forms."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "form_answer",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("sealed", sa.Text(), nullable=True),
        sa.Column("sealed_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_form_answer")),
    )
    with op.batch_alter_table("form_answer", schema=None) as batch_op:
        for name in ("session_id", "expires_at"):
            batch_op.create_index(batch_op.f(f"ix_form_answer_{name}"), [name], unique=False)


def downgrade() -> None:
    op.drop_table("form_answer")
