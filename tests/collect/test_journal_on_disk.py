"""The journal: what is read back, torn ends, other hands, and what a killed run leaves behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.collect import Done, Journal, PlannedCall
from pointsman.errors import DataError
from pointsman.vocabulary import Dialect, Endpoint, Model, UpstreamCall, Usage


def planned(n: int = 0) -> PlannedCall:
    model = Model("m", "openai-compatible", "m-1", {Dialect.OPENAI_CHAT: Endpoint("http://127.0.0.1:9/")})
    call = UpstreamCall(model, Dialect.OPENAI_CHAT, b'{"n":%d}' % n, stream=False)
    return PlannedCall(f"p{n}", "d", call, Usage(1, 1), 0.25, 0.1)


def done(n: int = 0, response: str = "four", cost_usd: float | None = 0.01) -> Done:
    return Done(planned(n).key, f"p{n}", "d", "m", response, "stop", 3, 5, False, cost_usd, None, 12.5, 0.9, (-0.1,))


async def test_what_was_answered_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    with Journal(path) as journal:
        journal.sent(planned(0))
        await journal.done(done(0, "line\nbreak — ünïcode", None))
        journal.sent(planned(1))
        await journal.failed(planned(1), "refused", lost=False)
    with Journal(path) as journal:
        assert journal.past.done == {planned(0).key: done(0, "line\nbreak — ünïcode", None)}
        assert journal.past.failed == {planned(1).key: "refused"}
        assert journal.past.unanswered == {}
        assert journal.past.spent_usd == 0.0
        assert journal.past.lost_usd == 0.0


async def test_a_call_under_way_at_a_kill_is_known_with_what_it_may_have_cost(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.sent(planned(0))
        await journal.done(done(0))
        journal.sent(planned(1))
    with Journal(path) as journal:
        assert journal.past.unanswered == {planned(1).key: 0.25}
        assert journal.past.lost_usd == 0.25
        journal.sent(planned(1))
        await journal.done(done(1))
    with Journal(path) as journal:
        assert journal.past.unanswered == {}
        assert journal.past.lost_usd == 0.25, "the first attempt may have been paid for all the same"
        assert journal.past.spent_usd == pytest.approx(0.02)


async def test_attempts_that_may_have_been_paid_are_summed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for _ in range(2):
            journal.sent(planned(0))
            await journal.failed(planned(0), "timed out", lost=True)
    with Journal(path) as journal:
        assert journal.past.lost_usd == 0.5


async def test_a_torn_last_line_is_cut_off_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        await journal.done(done(0))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"done","key":"ab')
    with Journal(path) as journal:
        assert journal.past.repaired_bytes == 24
        assert list(journal.past.done) == [planned(0).key]
        await journal.done(done(1))
    with Journal(path) as journal:
        assert len(journal.past.done) == 2
        assert journal.past.repaired_bytes == 0


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_cut_anywhere_the_whole_lines_before_the_cut_are_read(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        rows = [{"kind": "begin", "format": 1}, *({"kind": "done", **done(n).to_json()} for n in range(3))]
        lines = [orjson.dumps(row) + b"\n" for row in rows]
        whole = b"".join(lines)
        at = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:at])
        n_whole = sum(len(b"".join(lines[: i + 1])) <= at for i in range(4))
        with Journal(path) as journal:
            assert len(journal.past.done) == max(0, n_whole - 1)


def test_a_line_damaged_in_the_middle_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"kind":"begin","format":1}\n{"kind":"done"\n{"kind":"begin","format":1}\n')
    with pytest.raises(DataError, match="line 2"), Journal(path):
        pass


def test_a_line_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"kind":"invoice","usd":3}\n')
    with pytest.raises(DataError, match="line 1"), Journal(path):
        pass


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path), pytest.raises(DataError, match="in use"), Journal(path):
        pass
    with Journal(path):
        pass


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be opened"), Journal(tmp_path / "file" / "journal.jsonl"):
        pass


async def test_a_journal_that_cannot_be_written_stops_with_the_reason(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with journal:
        full = os.open("/dev/full", os.O_WRONLY)
        try:
            os.dup2(full, journal.fileno())
        finally:
            os.close(full)
        ends = await asyncio.gather(*(journal.done(done(n)) for n in range(5)), return_exceptions=True)
        assert all(isinstance(end, DataError) and "No space left" in end.message for end in ends)


async def test_answers_that_come_together_are_all_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        await asyncio.gather(*(journal.done(done(n)) for n in range(50)))
        assert len(path.read_bytes().splitlines()) == 51
    with Journal(path) as journal:
        assert len(journal.past.done) == 50


def test_keys_tell_prompts_models_and_bodies_apart() -> None:
    assert planned(0).key == planned(0).key
    assert planned(0).key != planned(1).key
    header = dict(planned(0).with_idempotency_key().headers)
    assert header == {"idempotency-key": f"pointsman-{planned(0).key}"}
