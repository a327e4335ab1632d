"""Records, their attempts, and feedback.

Revision: 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _serial() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _usage() -> list[sa.Column[int] | sa.Column[bool]]:
    return [
        sa.Column("input_tokens", sa.BigInteger()),
        sa.Column("output_tokens", sa.BigInteger()),
        sa.Column("cached_input_tokens", sa.BigInteger()),
        sa.Column("cache_write_tokens", sa.BigInteger()),
        sa.Column("cache_write_1h_tokens", sa.BigInteger()),
        sa.Column("reasoning_tokens", sa.BigInteger()),
        sa.Column("usage_estimated", sa.Boolean()),
    ]


def upgrade() -> None:
    """Makes the three tables and their indexes."""
    op.create_table(
        "records",
        sa.Column("id", _serial(), primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.Text(), nullable=False, unique=True),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text()),
        sa.Column("requested_model", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text()),
        sa.Column("policy_kind", sa.Text()),
        sa.Column("tier", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("reason_code", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("http_status", sa.Integer()),
        *_usage(),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", sa.Text()),
        sa.Column("baseline_model", sa.Text()),
        sa.Column("baseline_cost_usd", sa.Double()),
        sa.Column("baseline_cost_reason", sa.Text()),
        sa.Column("router_cost_usd", sa.Double(), nullable=False),
        sa.Column("judge_cost_usd", sa.Double(), nullable=False),
        sa.Column("saved_usd", sa.Double()),
        sa.Column("first_byte_ms", sa.Double()),
        sa.Column("total_ms", sa.Double()),
        sa.Column("decide_ms", sa.Double()),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("session_id", sa.Text()),
        sa.Column("key_id", sa.Text()),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("decision", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_records_created_at", "records", ["created_at"])
    op.create_index("ix_records_model_created_at", "records", ["model", "created_at"])
    op.create_index("ix_records_policy_created_at", "records", ["policy", "created_at"])
    op.create_index("ix_records_key_id_created_at", "records", ["key_id", "created_at"])
    op.create_index("ix_records_session_id", "records", ["session_id"])
    op.create_table(
        "attempts",
        sa.Column("request_id", sa.Text(), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("http_status", sa.Integer()),
        sa.Column("error", sa.Text()),
        *_usage(),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", sa.Text()),
        sa.Column("first_byte_ms", sa.Double()),
        sa.Column("total_ms", sa.Double(), nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("id", _serial(), primary_key=True, autoincrement=True),
        sa.Column("feedback_id", sa.Text(), nullable=False, unique=True),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.String(27), nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("label", sa.Text()),
        sa.Column("comment", sa.Text()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_feedback_request_id", "feedback", ["request_id"])
