"""Eval sets: written whole or not at all, read back as they were, changes noticed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from pointsman.errors import DataError
from pointsman.outcomes import EvalSetCard, read, read_eval_set, triples_of, write_eval_set

ROWS = pl.DataFrame(
    [
        {"dataset": "d", "prompt_id": "1", "prompt": "a", "model": "large", "score": 1.0, "response": "L1"},
        {"dataset": "d", "prompt_id": "1", "prompt": "a", "model": "small", "score": 0.5, "response": "S1"},
        {"dataset": "d", "prompt_id": "2", "prompt": "b", "model": "small", "score": 0.2, "response": "S2"},
        {"dataset": "d", "prompt_id": "2", "prompt": "b", "model": "large", "score": 0.9, "response": "L2"},
        {"dataset": "", "prompt_id": "3", "prompt": "c", "model": "small", "score": 0.0, "response": "S3"},
        {"dataset": "", "prompt_id": "3", "prompt": "c", "model": "large", "score": 0.0, "response": "L3"},
        {"dataset": "", "prompt_id": "4", "prompt": "e", "model": "small", "score": None, "response": "S4"},
    ]
)
MODELS = ("small", "large")
CARD = EvalSetCard(sources=({"file": "x.csv"},), licence="CC-BY-4.0", split_seed=3, models=MODELS, extra={"note": "n"})


def test_the_ideal_tier_is_the_cheapest_good_enough_and_the_output_the_best_answer() -> None:
    triples = triples_of(ROWS, MODELS, references={"2": "right"}, tags={"1": ["faq"]})
    assert {triple["id"]: triple for triple in triples} == {
        "1": {"id": "1", "input": "a", "ideal_tier": "small", "ideal_output": "L1", "tags": ["d", "faq"]},
        "2": {"id": "2", "input": "b", "ideal_tier": "large", "ideal_output": "right", "tags": ["d"]},
        "3": {"id": "3", "input": "c", "ideal_tier": None, "ideal_output": "S3", "tags": []},
    }


def test_an_eval_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    triples = triples_of(ROWS, MODELS)
    written = write_eval_set(tmp_path / "set", ROWS, triples, CARD)
    back = read_eval_set(tmp_path / "set")

    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == [
        "card.json",
        "outcomes.parquet",
        "triples.jsonl",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert back.card == written
    assert back.triples == triples
    assert back.rows.select(ROWS.columns).equals(ROWS)
    assert (written.n_prompts, written.n_rows, len(written.content_hash)) == (4, 7, 64)
    outcomes, _ = read(tmp_path / "set", models=MODELS)
    assert outcomes.score.tolist() == [[0.5, 1.0], pytest.approx([0.2, 0.9]), [0.0, 0.0]]


def test_the_hash_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    one = write_eval_set(tmp_path / "one", ROWS, [], CARD)
    two = write_eval_set(tmp_path / "two", ROWS.reverse(), [], CARD)
    assert one.content_hash == two.content_hash


def test_a_changed_eval_set_is_noticed(tmp_path: Path) -> None:
    write_eval_set(tmp_path / "set", ROWS, [{"id": "1"}], CARD)
    (tmp_path / "set" / "triples.jsonl").write_text('{"id": "2"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="changed after it was written"):
        read_eval_set(tmp_path / "set")
    assert read_eval_set(tmp_path / "set", check=False).triples == ({"id": "2"},)


def test_nothing_is_overwritten_unasked_and_nothing_else_ever(tmp_path: Path) -> None:
    target = tmp_path / "set"
    write_eval_set(target, ROWS, [], CARD)
    with pytest.raises(DataError, match="holds an eval set already"):
        write_eval_set(target, ROWS.head(2), [], CARD)
    assert write_eval_set(target, ROWS.head(2), [], CARD, replace=True).n_rows == 2
    assert read_eval_set(target).rows.height == 2

    other = tmp_path / "documents"
    other.mkdir()
    (other / "letter.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="a folder of its own"):
        write_eval_set(other, ROWS, [], CARD, replace=True)
    assert [path.name for path in other.iterdir()] == ["letter.txt"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_eval_set(tmp_path / "set", ROWS, [{"id": object()}], CARD)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="no column secret"):
        write_eval_set(tmp_path / "set", ROWS.with_columns(secret=1), [], CARD)
    with pytest.raises(DataError, match="without rows"):
        write_eval_set(tmp_path / "set", ROWS.head(0), [], CARD)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_an_eval_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_eval_set(tmp_path / "absent")
    write_eval_set(tmp_path / "set", ROWS, [], CARD)
    card = tmp_path / "set" / "card.json"
    card.write_text(json.dumps({**json.loads(card.read_text(encoding="utf-8")), "format": 99}), encoding="utf-8")
    with pytest.raises(DataError, match="expected format 1"):
        read_eval_set(tmp_path / "set")
    card.unlink()
    with pytest.raises(DataError, match="not a whole eval set"):
        read_eval_set(tmp_path / "set")
