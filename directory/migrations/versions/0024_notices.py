"""What people are told of their accounts, and what became of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("facts", _JSON, nullable=False),
        sa.Column("addresses", _JSON, nullable=False),
        sa.Column("installation_epoch", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", _JSON, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_as", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_notice_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("ref", name=op.f("uq_notice_ref")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_notice_told_at"), "notice", ["told_at"])
    op.create_index("ix_notice_user", "notice", ["user_id", "id"])


def downgrade() -> None:
    op.drop_table("notice")
