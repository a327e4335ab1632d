"""Every record, oldest first, in blocks of bounded size; no transaction stays open between two blocks.

File formats are the command line's business: see `pointsman.cli.export_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    RowMapping,
    Select,
    Table,
    Text,
    any_,
    func,
    literal,
    literal_column,
    select,
)

from pointsman.vocabulary import JSONObject

from .json_form import record_json
from .logs import LogFilter
from .tables import attempts, feedback, prompts, records, shadows, verdicts

BLOCK = 500


def read_blocks(
    engine: Engine, *, since: datetime | None, until: datetime | None, with_prompts: bool, block: int = BLOCK
) -> Iterator[list[JSONObject]]:
    """Blocks of records as `record_json` gives them; with prompts, `prompt` and `answer` come on top.

    Records that are written after the export began are not in it. A long export never holds the write-ahead log up.
    """
    conditions = LogFilter(since=since, until=until).conditions()
    with engine.connect() as connection:
        last_id: int | None = connection.execute(select(func.max(records.c.id))).scalar_one()
    after = 0
    while last_id is not None:
        query = (
            select(records)
            .where(records.c.id > after, records.c.id <= last_id, *conditions)
            .order_by(records.c.id)
            .limit(block)
        )
        with engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            if not rows:
                return
            tried = _grouped(connection, _of(connection, attempts, rows, in_months=True), attempts.c.position)
            judged = _grouped(
                connection, _of(connection, verdicts, rows, in_months=True), verdicts.c.attempt, verdicts.c.position
            )
            said = _grouped(connection, _of(connection, feedback, rows), feedback.c.id)
            compared = _grouped(connection, _of(connection, shadows, rows))
            texts = _grouped(connection, _of(connection, prompts, rows, in_months=True)) if with_prompts else {}
        after = rows[-1]["id"]
        out: list[JSONObject] = []
        for row in rows:
            id_ = row["request_id"]
            (shadow,) = compared.get(id_, [None])
            entry = record_json(row, tried.get(id_, []), judged.get(id_, []), said.get(id_, []), shadow)
            if with_prompts:
                stored = texts.get(id_, [{"body": None, "answer": None}])[0]
                body = stored["body"]
                entry["prompt"] = None if body is None else body.decode("utf-8", "replace")
                entry["answer"] = stored["answer"]
                if shadow is not None:
                    entry["shadow"]["strong_answer"] = shadow["strong_answer"]
            out.append(entry)
        yield out


def _of(connection: Connection, table: Table, rows: Sequence[RowMapping], *, in_months: bool = False) -> Select[Any]:
    """What belongs to these records.

    Args:
        in_months: in PostgreSQL it stands in the month of its record; no other is looked into then.
    """
    ids = [row["request_id"] for row in rows]
    if connection.dialect.name != "postgresql":
        return select(table).where(table.c.request_id.in_(ids))
    # One array for all ids: five hundred parameters take longer to write down than their records to find.
    query = select(table).where(table.c.request_id == any_(literal(ids, ARRAY(Text))))
    if not in_months:
        return query
    times = [row["created_at"] for row in rows]
    created_at = literal_column(f"{table.name}.created_at", Text)
    return query.where(created_at >= min(times), created_at <= max(times))


def _grouped(connection: Any, query: Any, *order: Any) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for row in connection.execute(query.order_by(*order)).mappings():
        out.setdefault(row["request_id"], []).append(row)
    return out
