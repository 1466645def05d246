"""What a change is about and the event of each of its people, kept with it; titles are composed.

What the version before wrote keeps its sentence and is read by it: nothing is filled in.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("change", sa.Column("about", sa.Text(), nullable=True))
    op.add_column(
        "change",
        sa.Column(
            "events", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True
        ),
    )


def downgrade() -> None:
    op.drop_column("change", "events")
    op.drop_column("change", "about")
