"""Electronic identities: who vouches, whom they are linked to, what somebody must look at."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "eid_upstream",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("settings", _JSON, nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=True),
        sa.Column("key_sealed", sa.Text(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eid_upstream")),
        sa.UniqueConstraint("name", name=op.f("uq_eid_upstream_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "eid_link",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("citizen_hash", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_eid_link_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eid_link")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_eid_link_issuer_subject")),
        sa.UniqueConstraint("user_id", "upstream", name=op.f("uq_eid_link_user_id_upstream")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "eid_review",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("said", sa.Text(), nullable=False),
        sa.Column("told_sealed", sa.Text(), nullable=True),
        sa.Column("differs", _JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("decided_by", _KEY, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_eid_review_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eid_review")),
        sa.UniqueConstraint(
            "user_id",
            "issuer",
            "subject",
            "said",
            name=op.f("uq_eid_review_user_id_issuer_subject_said"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_eid_review_user_id"), "eid_review", ["user_id"])


def downgrade() -> None:
    op.drop_table("eid_review")
    op.drop_table("eid_link")
    op.drop_table("eid_upstream")
