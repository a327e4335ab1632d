"""Hourly and daily sums of records, so that a page over millions of them answers at once, and an index to find errors.

Revision: 0007, after 0006.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables; the ledger fills them by itself."""
    op.create_table(
        "hours",
        sa.Column("hour", sa.String(13), primary_key=True),
        sa.Column("simulated", sa.Boolean(), primary_key=True),
        sa.Column("tier", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("policy", sa.Text(), primary_key=True),
        *_measures(),
    )
    op.create_table(
        "key_days",
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("simulated", sa.Boolean(), primary_key=True),
        sa.Column("key_id", sa.Text(), primary_key=True),
        *_measures(),
    )
    op.create_table(
        "summed",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
    )
    op.execute("INSERT INTO summed (id, last_id) VALUES (1, 0)")
    op.create_index(
        "ix_records_not_ok",
        "records",
        ["created_at"],
        sqlite_where=sa.text("status <> 'ok'"),
        postgresql_where=sa.text("status <> 'ok'"),
    )


def _measures() -> list[sa.Column[int] | sa.Column[float]]:
    counts = (
        "n_requests",
        "n_ok",
        "n_errors",
        "n_cancelled",
        "n_incomplete",
        "n_escalated",
        "n_compared",
        "n_unknown_cost",
        "n_unknown_baseline",
        "input_tokens",
        "output_tokens",
        "n_decided",
        "n_decided_1ms",
        "n_decided_5ms",
        "n_decided_20ms",
        "n_first_byte",
    )
    sums = (
        "spent_usd",
        "router_usd",
        "judge_usd",
        "baseline_usd",
        "saved_usd",
        "uncompared_usd",
        "decide_ms",
        "first_byte_ms",
    )
    return [
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        *(sa.Column(name, sa.Double(), nullable=False) for name in sums),
    ]
