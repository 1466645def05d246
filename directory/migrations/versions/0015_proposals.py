"""Changes that wait for a second person, and who approved those that took one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("change", sa.Column("approver_kind", sa.Text(), nullable=True))
    op.add_column("change", sa.Column("approver_id", _KEY, nullable=True))
    op.add_column("change", sa.Column("approver_label", sa.Text(), nullable=True))
    op.create_table(
        "proposal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposer_kind", sa.Text(), nullable=False),
        sa.Column("proposer_id", _KEY, nullable=True),
        sa.Column("proposer_label", sa.Text(), nullable=False),
        sa.Column("proposer_ip", sa.Text(), nullable=True),
        sa.Column("proposer_port", sa.Integer(), nullable=True),
        sa.Column("proposer_posts", _JSON, nullable=True),
        sa.Column("proposer_epoch", sa.Integer(), nullable=True),
        sa.Column("installation_epoch", sa.Integer(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("decision_number", sa.Text(), nullable=True),
        sa.Column("people_count", sa.Integer(), nullable=False),
        sa.Column("subjects", _JSON, nullable=False),
        sa.Column("why", _JSON, nullable=False),
        sa.Column("needs", _JSON, nullable=False),
        sa.Column("spec", _JSON, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decider_kind", sa.Text(), nullable=True),
        sa.Column("decider_id", _KEY, nullable=True),
        sa.Column("decider_label", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("lapse", sa.Text(), nullable=True),
        sa.Column("change_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["change_id"], ["change.id"], name=op.f("fk_proposal_change_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal")),
    )
    op.create_index("ix_proposal_state", "proposal", ["state", "proposed_at", "id"])
    op.create_index("ix_proposal_proposer", "proposal", ["proposer_kind", "proposer_id", "state"])


def downgrade() -> None:
    op.drop_table("proposal")
    with op.batch_alter_table("change", schema=None) as batch_op:
        for name in ("approver_label", "approver_id", "approver_kind"):
            batch_op.drop_column(name)
