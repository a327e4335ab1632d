"""What was thought of answers before they were served or passed over.

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "verdicts",
        sa.Column("request_id", sa.Text(), primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("p_good", sa.Double()),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", sa.Text()),
        sa.Column("latency_ms", sa.Double(), nullable=False),
    )
