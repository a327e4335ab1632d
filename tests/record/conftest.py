"""What the ledger's tests share: records by hand, and ledgers in a temporary folder that are closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pointsman.record import SqlLedger, open_ledger
from pointsman.vocabulary import Alternative, Attempt, AttemptStatus, Cost, Decision, Dialect, Record, Usage

MakeRecord = Callable[..., Record]
OpenAt = Callable[..., SqlLedger]

START = datetime(2026, 11, 1, tzinfo=UTC)


def record_by_hand(n: int = 1, **changes: Any) -> Record:
    """The n-th request: served by cheap-model for 0.001 USD where strong-model would have cost 0.010."""
    id_ = f"req_{n:032x}"
    usage = Usage(300, 100, cached_input_tokens=50)
    decision = Decision(
        request_id=id_,
        model="cheap-model",
        tier="cheap",
        policy="auto",
        policy_kind="threshold",
        reason="the cheap tier is good enough with p 0.9, threshold 0.7",
        reason_code="score",
        p_cheap=0.9,
        threshold=0.7,
        alternatives=(Alternative("strong-model", "strong", 0.01, None, False, "costs more"),),
        estimated_cost_usd=0.001,
        estimated_baseline_cost_usd=0.01,
    )
    attempt = Attempt("cheap-model", "cheap", AttemptStatus.OK, 200, None, usage, Cost(0.001), 30.0, 200.0)
    record = Record(
        request_id=id_,
        created_at=START + timedelta(minutes=n),
        endpoint="/v1/chat/completions",
        dialect=Dialect.OPENAI_CHAT,
        requested_model="auto",
        status="ok",
        http_status=200,
        decision=decision,
        attempts=(attempt,),
        usage=usage,
        cost=Cost(0.001),
        baseline_model="strong-model",
        baseline_cost=Cost(0.010),
        decide_ms=0.4,
        first_byte_ms=30.0,
        total_ms=200.0,
    )
    return replace(record, **changes)


@pytest.fixture
def make_record() -> MakeRecord:
    """Builds the n-th record, with changes."""
    return record_by_hand


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    """Where a ledger may be made."""
    return tmp_path / "ledger.db"


@pytest.fixture
def open_at() -> Iterator[OpenAt]:
    """Opens ledgers and closes them after the test."""
    opened: list[SqlLedger] = []

    def open_one(path: Path, **options: Any) -> SqlLedger:
        ledger = open_ledger(f"sqlite:///{path}", **options)
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()
