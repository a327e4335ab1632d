"""The newest decisions with what they were made of, to see what another dial would have done with the same traffic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import Connection, select

from pointsman.vocabulary import JSONObject, Usage

from .rows import USAGE_COLUMNS, time_text
from .tables import records


@dataclass(frozen=True, slots=True)
class Scored:
    """One record that was answered.

    Attributes:
        decision: in the shape of `Decision.to_json`.
        usage: the tokens of its answer.
        spent_usd: all calls, router and judge.
    """

    decision: JSONObject
    usage: Usage
    spent_usd: float
    baseline_usd: float
    simulated: bool


def read_scored(connection: Connection, *, since: datetime | None, limit: int) -> tuple[Scored, ...]:
    """Of the newest `limit` records, those that ended well with known tokens, cost and baseline; newest first."""
    r = records.c
    columns = [r.decision, r.status, r.cost_usd, r.baseline_cost_usd, r.router_cost_usd, r.judge_cost_usd, r.simulated]
    query = select(*columns, *(r[name] for name in USAGE_COLUMNS)).order_by(r.created_at.desc()).limit(limit)
    if since is not None:
        query = query.where(r.created_at >= time_text(since))
    found = []
    for row in connection.execute(query).mappings():
        if row["status"] != "ok" or row["decision"] is None or row["input_tokens"] is None:
            continue
        if row["cost_usd"] is None or row["baseline_cost_usd"] is None:
            continue
        found.append(
            Scored(
                decision=orjson.loads(row["decision"]),
                usage=Usage(
                    row["input_tokens"],
                    row["output_tokens"],
                    row["cached_input_tokens"],
                    row["cache_write_tokens"],
                    row["reasoning_tokens"],
                    bool(row["usage_estimated"]),
                    row["cache_write_1h_tokens"],
                ),
                spent_usd=row["cost_usd"] + row["router_cost_usd"] + row["judge_cost_usd"],
                baseline_usd=row["baseline_cost_usd"],
                simulated=bool(row["simulated"]),
            )
        )
    return tuple(found)
