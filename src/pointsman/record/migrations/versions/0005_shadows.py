"""Served answers compared with the strong tier's, in the background.

Revision: 0005, after 0004.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "shadows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.Text(), nullable=False, unique=True),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("strong_model", sa.Text(), nullable=False),
        sa.Column("strong_tier", sa.Text(), nullable=False),
        sa.Column("judge", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("orders_agree", sa.Boolean()),
        sa.Column("propensity", sa.Double(), nullable=False),
        sa.Column("strong_cost_usd", sa.Double(), nullable=False),
        sa.Column("judge_cost_usd", sa.Double(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("strong_answer", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_shadows_created_at", "shadows", ["created_at"])
    op.create_index("ix_shadows_fingerprint", "shadows", ["fingerprint", "id"])
