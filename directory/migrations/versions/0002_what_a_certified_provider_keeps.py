"""What a certified provider keeps."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")

_NEVER_REUSED = {"sqlite_autoincrement": True}
"""SQLite forgets it of a table that is made anew."""


def _filled(name: str, kind: Any, value: str) -> Any:
    return sa.Column(
        name, kind, nullable=False, server_default=sa.text(f"'{value}'" if kind is _JSON else value)
    )


def upgrade() -> None:
    op.create_table(
        "client_invite",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_invite")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_client_invite_token_hash")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subject_sector",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("salt_sealed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_subject_sector")),
    )
    op.create_table(
        "used_once",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_once")),
    )
    with op.batch_alter_table("used_once", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_once_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "pushed_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "parameters", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.Column("jkt", sa.Text(), nullable=True),
        sa.Column("pushed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_pushed_request_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pushed_request")),
    )
    with op.batch_alter_table("pushed_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_pushed_request_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "device_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_code_hash", sa.Text(), nullable=False),
        sa.Column(
            "client_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column(
            "resources", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False
        ),
        sa.Column("client_epoch", sa.Integer(), nullable=False),
        sa.Column("application_epoch", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ip", sa.Text(), nullable=True),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("grant_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["client_id"], ["client.id"], name=op.f("fk_device_request_client_id")
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["access_grant.id"], name=op.f("fk_device_request_grant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_request")),
        sa.UniqueConstraint("user_code_hash", name=op.f("uq_device_request_user_code_hash")),
    )
    with op.batch_alter_table("device_request", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_device_request_expires_at"), ["expires_at"], unique=False
        )

    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.add_column(sa.Column("code_jkt", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("bound_to", sa.Text(), nullable=True))
        batch_op.add_column(_filled("resources", _JSON, "[]"))
        batch_op.add_column(_filled("front_channel", sa.Boolean(), "false"))

    with op.batch_alter_table("client", schema=None, table_kwargs=_NEVER_REUSED) as batch_op:
        batch_op.add_column(sa.Column("sector", sa.Text(), nullable=True))
        batch_op.add_column(_filled("options", _JSON, "{}"))
        batch_op.add_column(sa.Column("registration_token", sa.Text(), nullable=True))

    # The default was for the rows that are there; who adds one says what it holds.
    for table, columns in (
        ("access_grant", ("resources", "front_channel")),
        ("client", ("options",)),
    ):
        kept = _NEVER_REUSED if table == "client" else {}
        with op.batch_alter_table(table, schema=None, table_kwargs=kept) as batch_op:
            for name in columns:
                batch_op.alter_column(name, server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("client", schema=None, table_kwargs=_NEVER_REUSED) as batch_op:
        batch_op.drop_column("registration_token")
        batch_op.drop_column("options")
        batch_op.drop_column("sector")

    with op.batch_alter_table("access_grant", schema=None) as batch_op:
        batch_op.drop_column("front_channel")
        batch_op.drop_column("resources")
        batch_op.drop_column("bound_to")
        batch_op.drop_column("code_jkt")

    with op.batch_alter_table("device_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_device_request_expires_at"))

    op.drop_table("device_request")
    with op.batch_alter_table("pushed_request", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_pushed_request_expires_at"))

    op.drop_table("pushed_request")
    with op.batch_alter_table("used_once", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_once_expires_at"))

    op.drop_table("used_once")
    op.drop_table("subject_sector")
    op.drop_table("client_invite")
