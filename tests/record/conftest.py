"""What the ledger's tests share: records by hand, and ledgers in a temporary folder that are closed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.conftest import EMPTY
from tests.postgres import PostgresServer

from pointsman.record import SqlLedger, open_ledger
from pointsman.record.database import database_of
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


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """The address of a ledger of this test's own, in each kind of database."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{request.getfixturevalue('db_path')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives the address of a ledger without records, as often as it is called, in each kind of database."""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")

        def emptied() -> str:
            server.run(EMPTY, "ledger")
            return server.url("ledger")

        return emptied
    numbers = count()
    return lambda: f"sqlite:///{tmp_path / f'{next(numbers)}.db'}"


@pytest.fixture
def open_at(request: pytest.FixtureRequest) -> Iterator[OpenAt]:
    """Opens ledgers by path or address and closes them after the test."""
    if "ledger_url" in request.fixturenames:
        request.getfixturevalue("ledger_url")  # made before, so that it is there until all are closed
    opened: list[SqlLedger] = []

    def open_one(where: Path | str, **options: Any) -> SqlLedger:
        ledger = open_ledger(str(where), **options)
        opened.append(ledger)
        return ledger

    yield open_one
    for ledger in opened:
        ledger.close()


def count_of(url: str, table: str) -> int:
    """How many rows a table of a ledger has."""
    engine = database_of(url).reading()
    try:
        with engine.begin() as connection:
            found: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            return found
    finally:
        engine.dispose()
