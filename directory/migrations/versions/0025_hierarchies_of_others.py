"""Hierarchies of others whose certificates people may sign in with, their lists, what is distrusted."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "hierarchy",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("lenient", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hierarchy")),
        sa.UniqueConstraint("name", name=op.f("uq_hierarchy_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "hierarchy_authority",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("hierarchy_id", _KEY, nullable=False),
        sa.Column("parent_id", _KEY, nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("not_after", _TIME, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["hierarchy_id"], ["hierarchy.id"], name=op.f("fk_hierarchy_authority_hierarchy_id")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["hierarchy_authority.id"], name=op.f("fk_hierarchy_authority_parent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hierarchy_authority")),
        sa.UniqueConstraint(
            "hierarchy_id",
            "fingerprint",
            name=op.f("uq_hierarchy_authority_hierarchy_id_fingerprint"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_hierarchy_authority_subject"), "hierarchy_authority", ["subject"])
    op.create_table(
        "hierarchy_list",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("authority_id", _KEY, nullable=False),
        sa.Column("this_update", _TIME, nullable=False),
        sa.Column("next_update", _TIME, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("brought_in_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["authority_id"],
            ["hierarchy_authority.id"],
            name=op.f("fk_hierarchy_list_authority_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hierarchy_list")),
        sa.UniqueConstraint("authority_id", name=op.f("uq_hierarchy_list_authority_id")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "foreign_distrust",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("authority_id", _KEY, nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("lifted_at", _TIME, nullable=True),
        sa.Column("change_id", sa.Text(), nullable=True),
        sa.Column("lifted_by", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["authority_id"],
            ["hierarchy_authority.id"],
            name=op.f("fk_foreign_distrust_authority_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_foreign_distrust")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_foreign_distrust_certificate", "foreign_distrust", ["authority_id", "serial"]
    )
    op.create_index("ix_foreign_distrust_change", "foreign_distrust", ["change_id"])


def downgrade() -> None:
    op.drop_table("foreign_distrust")
    op.drop_table("hierarchy_list")
    op.drop_table("hierarchy_authority")
    op.drop_table("hierarchy")
