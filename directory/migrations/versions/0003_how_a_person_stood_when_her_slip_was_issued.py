"""How a person stood when her slip was issued."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_NEVER_REUSED = {"sqlite_autoincrement": True}
_COLUMNS: dict[str, Any] = {
    "ended_as": sa.Text(),
    "user_epoch": sa.Integer(),
    "installation_epoch": sa.Integer(),
    "status": sa.Text(),
    "assignment_id": _KEY,
    "roles": _JSON,
    "password_generation": sa.Integer(),
    "issuer_kind": sa.Text(),
    "issuer_id": _KEY,
}


def upgrade() -> None:
    with op.batch_alter_table("activation", schema=None, table_kwargs=_NEVER_REUSED) as batch_op:
        for name, kind in _COLUMNS.items():
            batch_op.add_column(sa.Column(name, kind, nullable=True))
    with op.batch_alter_table("password_credential", schema=None) as batch_op:
        # The default stays: an earlier version that still runs beside this one says nothing.
        batch_op.add_column(
            sa.Column("generation", sa.Integer(), nullable=False, server_default="1")
        )


def downgrade() -> None:
    with op.batch_alter_table("password_credential", schema=None) as batch_op:
        batch_op.drop_column("generation")
    with op.batch_alter_table("activation", schema=None, table_kwargs=_NEVER_REUSED) as batch_op:
        for name in reversed(_COLUMNS):
            batch_op.drop_column(name)
