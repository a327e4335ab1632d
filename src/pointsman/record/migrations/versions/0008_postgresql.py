"""PostgreSQL: records in partitions by month, and sums as parts of batches. In SQLite nothing changes.

Revision: 0008, after 0007. No ledger in PostgreSQL is older: until here only SQLite was taken.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BY_MONTH = "RANGE (created_at)"
PARTITIONED = ("records", "attempts", "verdicts", "prompts")
TIMES = {
    "feedback": ("created_at",),
    "shadows": ("created_at",),
    "watch_events": ("created_at",),
    "keys": ("created_at", "expires_at", "revoked_at"),
    "hours": ("hour",),
    "key_days": ("day",),
}
KEYS = {"hour_parts": "hours", "key_day_parts": "key_days"}


def _words() -> sa.types.TypeEngine[str]:
    # Compared byte by byte: times sort by time, and no update of the system's locales can upset an index.
    return sa.Text(collation="C")


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
    """Makes the tables that are to be partitioned anew, empty as they are."""
    if op.get_context().dialect.name != "postgresql":
        return
    for table in (*PARTITIONED, "summed"):
        op.drop_table(table)
    op.execute("CREATE SEQUENCE records_id_seq AS bigint")
    op.create_table(
        "records",
        sa.Column("id", sa.BigInteger(), nullable=False, server_default=sa.text("nextval('records_id_seq')")),
        sa.Column("request_id", _words(), nullable=False),
        sa.Column("created_at", _words(), nullable=False),
        sa.Column("endpoint", _words(), nullable=False),
        sa.Column("dialect", _words()),
        sa.Column("requested_model", _words(), nullable=False),
        sa.Column("policy", _words()),
        sa.Column("policy_kind", _words()),
        sa.Column("tier", _words()),
        sa.Column("model", _words()),
        sa.Column("reason", _words()),
        sa.Column("reason_code", _words()),
        sa.Column("status", _words(), nullable=False),
        sa.Column("http_status", sa.BigInteger()),
        *_usage(),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", _words()),
        sa.Column("baseline_model", _words()),
        sa.Column("baseline_cost_usd", sa.Double()),
        sa.Column("baseline_cost_reason", _words()),
        sa.Column("router_cost_usd", sa.Double(), nullable=False),
        sa.Column("judge_cost_usd", sa.Double(), nullable=False),
        sa.Column("saved_usd", sa.Double()),
        sa.Column("first_byte_ms", sa.Double()),
        sa.Column("total_ms", sa.Double()),
        sa.Column("decide_ms", sa.Double()),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("session_id", _words()),
        sa.Column("key_id", _words()),
        sa.Column("tags", _words(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("error", _words()),
        sa.Column("decision", _words()),
        sa.UniqueConstraint("request_id", "created_at"),
        postgresql_partition_by=BY_MONTH,
    )
    op.execute("ALTER SEQUENCE records_id_seq OWNED BY records.id")
    op.create_index("ix_records_id", "records", ["id"])
    op.create_index(
        "ix_records_created_at",
        "records",
        ["created_at", "id"],
        # What budgets are added up from at the start.
        postgresql_include=["key_id", "cost_usd", "router_cost_usd", "judge_cost_usd"],
    )
    op.create_index("ix_records_model_created_at", "records", ["model", "created_at"])
    op.create_index("ix_records_policy_created_at", "records", ["policy", "created_at"])
    op.create_index("ix_records_key_id_created_at", "records", ["key_id", "created_at"])
    op.create_index("ix_records_session_id", "records", ["session_id"])
    op.create_index("ix_records_not_ok", "records", ["created_at"], postgresql_where=sa.text("status <> 'ok'"))
    op.create_table(
        "attempts",
        sa.Column("request_id", _words(), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("created_at", _words(), primary_key=True),
        sa.Column("model", _words(), nullable=False),
        sa.Column("tier", _words()),
        sa.Column("status", _words(), nullable=False),
        sa.Column("http_status", sa.BigInteger()),
        sa.Column("error", _words()),
        *_usage(),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", _words()),
        sa.Column("first_byte_ms", sa.Double()),
        sa.Column("total_ms", sa.Double(), nullable=False),
        postgresql_partition_by=BY_MONTH,
    )
    op.create_table(
        "verdicts",
        sa.Column("request_id", _words(), primary_key=True),
        sa.Column("attempt", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("created_at", _words(), primary_key=True),
        sa.Column("judge", _words(), nullable=False),
        sa.Column("p_good", sa.Double()),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("reason", _words(), nullable=False),
        sa.Column("cost_usd", sa.Double()),
        sa.Column("cost_reason", _words()),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        postgresql_partition_by=BY_MONTH,
    )
    op.create_table(
        "prompts",
        sa.Column("request_id", _words(), primary_key=True),
        sa.Column("created_at", _words(), primary_key=True),
        sa.Column("body", sa.LargeBinary()),
        sa.Column("answer", _words()),
        postgresql_partition_by=BY_MONTH,
    )
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")
    for table, columns in TIMES.items():
        for column in columns:
            op.alter_column(table, column, type_=_words())
    for part, table in KEYS.items():
        op.execute(f"CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS)")
