"""Sums kept beside the records: exact whatever was added up, deleted or written meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.record.conftest import START, MakeRecord, OpenAt, record_by_hand

from pointsman.record import SqlLedger, open_ledger
from pointsman.record.database import database_of
from pointsman.record.logs import LogFilter
from pointsman.record.parts import Merging, merge
from pointsman.record.savings import SavingsBy
from pointsman.record.sums import Summing, Sums, add_up
from pointsman.record.upkeep import prune
from pointsman.vocabulary import Cost, Record


def written(ledger: SqlLedger, records: list[Record]) -> None:
    for record in records:
        ledger.write(record)
    assert ledger.flush()


def step(url: str, block: int = 5_000) -> int:
    database = database_of(url)
    engine = database.writing()
    try:
        with engine.begin() as connection:
            return merge(connection) if database.on_server else add_up(connection, block=block)
    finally:
        engine.dispose()


def total(ledger: SqlLedger, since: datetime | None = None, until: datetime | None = None) -> Sums:
    return Sums.of(ledger.reader.sums_by_hour(("tier",), since=since, until=until).values())


def test_two_records_by_hand(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    failed = make_record(2, status="error", cost=Cost(None, "no price"), judge_cost_usd=0.5, decide_ms=6.0)
    written(ledger, [make_record(1, router_cost_usd=0.002), failed])
    sums = total(ledger)
    assert (sums.n_requests, sums.n_ok, sums.n_errors, sums.n_compared, sums.n_unknown_cost) == (2, 1, 1, 1, 1)
    assert sums.spent_usd == pytest.approx(0.003)
    assert sums.router_usd == pytest.approx(0.002)
    assert sums.judge_usd == 0.0
    assert sums.saved_usd == pytest.approx(0.010 - 0.001 - 0.002)
    assert sums.saved_share == pytest.approx(0.7)
    assert (sums.n_decided, sums.n_decided_1ms, sums.n_decided_5ms, sums.n_decided_20ms) == (2, 1, 1, 2)
    assert sums.mean_decide_ms == pytest.approx(3.2)


def test_sums_agree_with_the_records_whatever_was_added_up(
    make_record: MakeRecord, open_at: OpenAt, ledger_url: str
) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n, tags=("t",)) for n in range(1, 201)])
    for block in (0, 50, 7, 5_000):
        if block:
            step(ledger_url, block)
        saved = ledger.reader.savings(by=SavingsBy.ENDPOINT).real.total  # looks at every record
        sums = total(ledger)
        assert (sums.n_requests, sums.n_compared) == (saved.n_requests, saved.n_compared) == (200, 200)
        assert sums.saved_usd == pytest.approx(saved.saved_usd)
        assert sums.spent_usd == pytest.approx(saved.spent_usd)
    assert step(ledger_url) == 0


def test_hours_are_cut_where_they_begin(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n) for n in range(1, 241)])  # a record a minute from 00:01
    for added in (False, True):
        if added:
            step(ledger_url, 100)
        assert total(ledger, since=START + timedelta(hours=1, minutes=59)).n_requests == 181
        assert total(ledger, until=START + timedelta(hours=1)).n_requests == 59
    by_hour = ledger.reader.sums_by_hour(("hour", "tier"))
    assert {key: sums.n_requests for key, sums in by_hour.items()} == {
        ("2026-11-01T00", "cheap"): 59,
        ("2026-11-01T01", "cheap"): 60,
        ("2026-11-01T02", "cheap"): 60,
        ("2026-11-01T03", "cheap"): 60,
        ("2026-11-01T04", "cheap"): 1,
    }


def test_pruning_takes_out_what_was_added_up(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n, key_id="alice") for n in range(1, 101)])
    step(ledger_url, 60)
    assert prune(database_of(ledger_url), START + timedelta(minutes=31)) == 30
    assert total(ledger).n_requests == 70
    assert prune(database_of(ledger_url), START + timedelta(minutes=81)) == 50
    assert total(ledger).n_requests == 20
    assert ledger.reader.sums_by_key(("key_id",))["alice",].n_requests == 20
    assert prune(database_of(ledger_url), START + timedelta(days=1)) == 20
    assert ledger.reader.sums_by_hour(("hour",)) == {}


def test_a_running_ledger_adds_up_by_itself(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n) for n in range(1, 11)])
    database = database_of(ledger_url)
    adding = Merging if database.on_server else Summing
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 1

    adding(database.writing()).run(wait=wait)
    assert step(ledger_url) == 0
    assert total(ledger).n_requests == 10


def test_keys_are_summed_by_day(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(1, key_id="alice"), make_record(1441, key_id="alice"), make_record(2)])
    step(ledger_url, 2)
    found = ledger.reader.sums_by_key(("key_id",), since=START + timedelta(days=1))
    assert {key: sums.n_requests for key, sums in found.items()} == {("alice",): 1}
    assert ledger.reader.sums_by_key(("key_id",))["",].n_requests == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(("write", "add", "prune")), max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_writing_adding_and_pruning_is_exact(
    fresh_url: Callable[[], str], steps: list[str], rng: object
) -> None:
    url = fresh_url()
    ledger = open_ledger(url)
    n = 0
    try:
        for each in steps:
            if each == "write":
                written(ledger, [record_by_hand(n + k, status="ok" if k % 3 else "error") for k in range(1, 8)])
                n += 7
            elif each == "add":
                step(url, 5)
            else:
                prune(database_of(url), START + timedelta(minutes=n // 2))
            truth = ledger.reader.savings(by=SavingsBy.ENDPOINT).real.total
            sums = total(ledger)
            assert (sums.n_requests, sums.n_ok, sums.n_compared) == (truth.n_requests, truth.n_ok, truth.n_compared)
            assert sums.saved_usd == pytest.approx(truth.saved_usd, abs=1e-9)
    finally:
        ledger.close()


def test_a_search_that_finds_little_ends_and_says_where(
    make_record: MakeRecord, open_at: OpenAt, ledger_url: str
) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n, tags=("rare",) if n == 3 else ()) for n in range(1, 101)])
    chosen, cursor, pages = LogFilter(tag="rare"), None, []
    for _ in range(5):
        page = ledger.reader.logs(chosen, limit=10, cursor=cursor, max_scanned=40)
        pages.append((len(page.records), page.scanned_to is not None))
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == [(0, True), (0, True), (1, False)]
    assert len(ledger.reader.logs(chosen, limit=10).records) == 1


def test_errors_are_found_on_their_own_index(make_record: MakeRecord, open_at: OpenAt, ledger_url: str) -> None:
    ledger = open_at(ledger_url)
    written(ledger, [make_record(n, status="error" if n % 10 == 0 else "ok") for n in range(1, 101)])
    page = ledger.reader.logs(LogFilter(status="error", model="cheap-model"), limit=3, max_scanned=5)
    assert [record["status"] for record in page.records] == ["error"] * 3
    assert len(ledger.reader.logs(LogFilter(status="ok"), limit=1000).records) == 90
    words = ledger.reader.logs(LogFilter(text="good enough with p"), limit=1000).records
    assert len(words) == 100
