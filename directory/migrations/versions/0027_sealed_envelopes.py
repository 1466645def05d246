"""Sealed codes with which an administrator signs in when every other way is away."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "envelope",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("role_id", _KEY, nullable=False),
        sa.Column("halves", sa.Integer(), nullable=False),
        sa.Column("installation_epoch", sa.Integer(), nullable=False),
        sa.Column("sealed_at", _MOMENT, nullable=False),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("ended_as", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_envelope_user_id")),
        sa.ForeignKeyConstraint(["role_id"], ["admin_role.id"], name=op.f("fk_envelope_role_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_envelope")),
        sa.UniqueConstraint("digest", name=op.f("uq_envelope_digest")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_envelope_user_id"), "envelope", ["user_id"])


def downgrade() -> None:
    op.drop_table("envelope")
