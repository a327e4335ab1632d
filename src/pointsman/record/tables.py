"""The ledger's tables as SQLAlchemy Core sees them; the migrations make them, a test holds the two together.

Portable on purpose: text, numbers and booleans only, and no JSON or date functions of one database. A time is text of
fixed width in UTC ("2026-11-23T21:44:22.123456Z"): it sorts by time, its first ten characters are the day, and it reads
well in any SQL shell. Money is a double in USD; NULL means "not known".
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

TIME_CHARS = 27

_Serial = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only when the column is declared INTEGER."""


def _usage_columns() -> list[Column[int] | Column[bool]]:
    return [
        Column("input_tokens", BigInteger),
        Column("output_tokens", BigInteger),
        Column("cached_input_tokens", BigInteger),
        Column("cache_write_tokens", BigInteger),
        Column("cache_write_1h_tokens", BigInteger),
        Column("reasoning_tokens", BigInteger),
        Column("usage_estimated", Boolean),
    ]


records = Table(
    "records",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("dialect", Text),
    Column("requested_model", Text, nullable=False),
    Column("policy", Text),
    Column("policy_kind", Text),
    Column("tier", Text),
    Column("model", Text),
    Column("reason", Text),
    Column("reason_code", Text),
    Column("status", Text, nullable=False),
    Column("http_status", Integer),
    *_usage_columns(),
    Column("cost_usd", Double),
    Column("cost_reason", Text),
    Column("baseline_model", Text),
    Column("baseline_cost_usd", Double),
    Column("baseline_cost_reason", Text),
    Column("router_cost_usd", Double, nullable=False),
    Column("judge_cost_usd", Double, nullable=False),
    Column("saved_usd", Double),
    Column("first_byte_ms", Double),
    Column("total_ms", Double),
    Column("decide_ms", Double),
    Column("stream", Boolean, nullable=False),
    Column("session_id", Text),
    Column("key_id", Text),
    Column("tags", Text, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("error", Text),
    Column("decision", Text),
    Index("ix_records_created_at", "created_at"),
    Index("ix_records_model_created_at", "model", "created_at"),
    Index("ix_records_policy_created_at", "policy", "created_at"),
    Index("ix_records_key_id_created_at", "key_id", "created_at"),
    Index("ix_records_session_id", "session_id"),
    Index(
        "ix_records_not_ok",
        "created_at",
        sqlite_where=text("status <> 'ok'"),
        postgresql_where=text("status <> 'ok'"),
    ),
    Index("ix_records_spending", "created_at", "key_id", "cost_usd", "router_cost_usd", "judge_cost_usd"),
    sqlite_autoincrement=True,
)

attempts = Table(
    "attempts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("model", Text, nullable=False),
    Column("tier", Text),
    Column("status", Text, nullable=False),
    Column("http_status", Integer),
    Column("error", Text),
    *_usage_columns(),
    Column("cost_usd", Double),
    Column("cost_reason", Text),
    Column("first_byte_ms", Double),
    Column("total_ms", Double, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("judge", Text, nullable=False),
    Column("p_good", Double),
    Column("accepted", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cost_usd", Double),
    Column("cost_reason", Text),
    Column("latency_ms", Double, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("feedback_id", Text, nullable=False, unique=True),
    Column("request_id", Text, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("score", Double),
    Column("label", Text),
    Column("comment", Text),
    Index("ix_feedback_request_id", "request_id"),
    sqlite_autoincrement=True,
)

shadows = Table(
    "shadows",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("request_id", Text, nullable=False, unique=True),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("policy", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("strong_model", Text, nullable=False),
    Column("strong_tier", Text, nullable=False),
    Column("judge", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("score", Double),
    Column("orders_agree", Boolean),
    Column("propensity", Double, nullable=False),
    Column("strong_cost_usd", Double, nullable=False),
    Column("judge_cost_usd", Double, nullable=False),
    Column("error", Text),
    Column("strong_answer", Text),
    Index("ix_shadows_created_at", "created_at"),
    Index("ix_shadows_fingerprint", "fingerprint", "id"),
    sqlite_autoincrement=True,
)

watch_events = Table(
    "watch_events",
    metadata,
    Column("id", _Serial, primary_key=True, autoincrement=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("policy", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_watch_events_policy", "policy", "id"),
    sqlite_autoincrement=True,
)

prompts = Table(
    "prompts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("body", LargeBinary),
    Column("answer", Text),
)

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("terms", Text, nullable=False),
    Column("created_at", String(TIME_CHARS), nullable=False),
    Column("expires_at", String(TIME_CHARS)),
    Column("revoked_at", String(TIME_CHARS)),
    Column("revision", BigInteger, nullable=False),
)

COUNTS = (
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
SUMS = (
    "spent_usd",
    "router_usd",
    "judge_usd",
    "baseline_usd",
    "saved_usd",
    "uncompared_usd",
    "decide_ms",
    "first_byte_ms",
)


def _measures() -> list[Column[int] | Column[float]]:
    return [
        *(Column(name, BigInteger, nullable=False) for name in COUNTS),
        *(Column(name, Double, nullable=False) for name in SUMS),
    ]


hours = Table(
    "hours",
    metadata,
    Column("hour", String(13), primary_key=True),
    Column("simulated", Boolean, primary_key=True),
    Column("tier", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("policy", Text, primary_key=True),
    *_measures(),
)
"""Sums by hour ("2026-11-23T21"); "" stands for a tier, model or policy that there was none of."""

key_days = Table(
    "key_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("simulated", Boolean, primary_key=True),
    Column("key_id", Text, primary_key=True),
    *_measures(),
)
"""Sums by day and key; "" stands for requests without one."""

postgres_only = MetaData()
"""Tables that only a ledger in PostgreSQL has."""

PARTS = {
    "hours": Table(
        "hour_parts",
        postgres_only,
        Column("hour", String(13), nullable=False),
        Column("simulated", Boolean, nullable=False),
        Column("tier", Text, nullable=False),
        Column("model", Text, nullable=False),
        Column("policy", Text, nullable=False),
        *_measures(),
    ),
    "key_days": Table(
        "key_day_parts",
        postgres_only,
        Column("day", String(10), nullable=False),
        Column("simulated", Boolean, nullable=False),
        Column("key_id", Text, nullable=False),
        *_measures(),
    ),
}
"""By the table of sums: what has been written and is not added to it yet, a row for each key of each batch."""

summed = Table(
    "summed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("last_id", BigInteger, nullable=False),
)
"""SQLite's only. One row: the id of the last record that is in the sums; later ones are added up when asked for."""
