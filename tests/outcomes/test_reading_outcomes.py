"""Reading outcomes: what is kept, what is left out and under which reason, and what every wrong file is told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.errors import DataError
from pointsman.outcomes import read

MODELS = ("small", "large")


def jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def rows(n: int = 3, **more: object) -> list[dict[str, object]]:
    return [
        {"dataset": "d", "prompt_id": f"p{i}", "prompt": f"prompt {i}", "model": model, "score": float(i % 2), **more}
        for i in range(n)
        for model in MODELS
    ]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_the_same_outcomes_from_every_format(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame(rows())
    path = tmp_path / f"outcomes{suffix}"
    if suffix == ".parquet":
        frame.write_parquet(path)
    elif suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_ndjson(path)

    outcomes, findings = read(path, models=MODELS)

    assert outcomes.models == MODELS
    assert outcomes.prompt_ids == ("p0", "p1", "p2")
    assert outcomes.prompts == ("prompt 0", "prompt 1", "prompt 2")
    assert outcomes.datasets == ("d", "d", "d")
    assert outcomes.score.tolist() == [[0, 0], [1, 1], [0, 0]]
    assert np.isnan(outcomes.cost_usd).all()
    assert (findings.n_rows, findings.n_rows_kept, findings.n_dropped) == (6, 6, 0)


def test_the_hash_is_the_same_in_another_order_and_another_after_a_change(tmp_path: Path) -> None:
    given_rows = rows()
    first, _ = read(jsonl(tmp_path / "a.jsonl", given_rows), models=MODELS)
    second, _ = read(jsonl(tmp_path / "b.jsonl", given_rows[::-1]), models=MODELS)
    given_rows[0]["score"] = 1.0
    third, _ = read(jsonl(tmp_path / "c.jsonl", given_rows), models=MODELS)

    assert first.data_hash == second.data_hash
    assert first.data_hash != third.data_hash


def test_every_bad_row_is_counted_under_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(
        "prompt_id,prompt,model,score\n"
        "a,text a,small,1\n"
        "a,text a,large,0\n"
        "a,text a,large,0\n"  # repeats, the same
        "b,text b,small,1.5\n"
        "b,text b,large,-0.1\n"
        "c,text c,small,NaN\n"
        "c,text c,large,true\n"
        "d,   ,small,1\n"
        "d,,large,1\n"
        "e,text e,other,1\n"
        "f,text f,small,maybe\n"
        "f,text f,large,\n"
        "g,text g,,1\n"
        "h,text h,small,1\n"
        "h,text h,small,0\n",  # repeats, another score
        encoding="utf-8",
    )

    outcomes, findings = read(path, models=MODELS)

    assert findings.dropped == {
        "another model than those asked for": 1,
        "empty prompt": 2,
        "no model": 1,
        "no score": 1,
        "repeats a prompt and model with another score (averaged)": 1,
        "repeats a prompt and model with the same score": 1,
        "score is NaN": 1,
        "score is not a number": 1,
        "score outside 0 to 1": 2,
    }
    assert findings.n_rows == 15
    assert findings.n_rows_kept + findings.n_dropped == findings.n_rows
    assert outcomes.prompt_ids == ("a", "c", "h")
    assert outcomes.score[0].tolist() == [1, 0]
    assert np.isnan(outcomes.score[1, 0])
    assert outcomes.score[2, 0] == 0.5
    assert findings.n_complete == 1
    assert findings.scored == {"small": 2, "large": 2}


def test_the_wide_form_reads_like_the_long_form(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text(
        "prompt,topic,small,large,small|cost_usd,large|cost_usd\nfirst,sums,True,1,0.5,2\nsecond,words,False,0.25,0.5,\n",
        encoding="utf-8",
    )

    outcomes, findings = read(path)

    assert outcomes.models == MODELS
    assert outcomes.score.tolist() == [[1, 1], [0, 0.25]]
    assert outcomes.cost_usd[0].tolist() == [0.5, 2]
    assert np.isnan(outcomes.cost_usd[1, 1])
    assert findings.cost_sources == {"cost_usd": 3, "unknown": 1}


def test_costs_come_from_the_record_then_tokens_then_the_flat_price(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "costs.jsonl",
        [
            {"prompt": "a", "model": "small", "score": 1, "cost_usd": 0.25, "prompt_tokens": 9, "completion_tokens": 9},
            {"prompt": "a", "model": "large", "score": 1, "cost_usd": -1, "prompt_tokens": 2, "completion_tokens": 3},
            {"prompt": "b", "model": "small", "score": 1},
            {"prompt": "b", "model": "large", "score": 1},
        ],
    )

    outcomes, findings = read(
        path,
        models=MODELS,
        prices={"small": 0.5},
        token_price=lambda model, prompt, completion: prompt + 10 * completion if model == "large" else None,
    )

    assert outcomes.cost_usd[0].tolist() == [0.25, 32]
    assert outcomes.cost_usd[1, 0] == 0.5
    assert np.isnan(outcomes.cost_usd[1, 1])
    assert findings.cost_sources == {"cost_usd": 1, "tokens": 1, "price": 1, "unknown": 1}


def test_models_are_ordered_by_cost_when_none_are_named(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "o.jsonl",
        [{"prompt": "a", "model": m, "score": s, "cost_usd": c} for m, s, c in (("x", 0, 3), ("y", 1, 1), ("z", 1, 2))],
    )
    assert read(path)[0].models == ("y", "z", "x")


def test_prompts_that_differ_in_case_space_and_unicode_form_share_a_group(tmp_path: Path) -> None:
    texts = {"a": "What is 2\u00b2?", "b": "  what is\n22? ", "c": "What is 3?"}
    path = jsonl(
        tmp_path / "o.jsonl",
        [{"prompt_id": i, "prompt": t, "model": m, "score": 1} for i, t in texts.items() for m in MODELS],
    )

    grouped, findings = read(path, models=MODELS)
    merged, _ = read(path, models=MODELS, merge_same_prompts=True)

    assert grouped.groups[0] == grouped.groups[1] != grouped.groups[2]
    assert findings.n_groups == 2
    assert merged.prompt_ids == ("a", "c")


def test_an_id_that_stands_for_two_texts_is_split(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "o.jsonl",
        [
            {"prompt_id": "same", "prompt": text, "model": model, "score": score}
            for text, score in (("one", 1), ("two", 0))
            for model in MODELS
        ],
    )

    outcomes, findings = read(path, models=MODELS)

    assert outcomes.score.tolist() == [[1, 1], [0, 0]]
    assert findings.dropped == {}
    assert "1 prompt ids stand for several texts" in findings.notes[0]


def test_weights_that_differ_are_told_and_change_nothing(tmp_path: Path) -> None:
    plain = rows(3, cost_usd=0.01)
    weighed = [{**row, "weight": 4.0 if row["prompt_id"] == "p1" else 1.0} for row in plain]
    # A prompt that only one model answered is compared with nothing, so its weight does not matter.
    alone = {**plain[0], "prompt_id": "p9", "prompt": "prompt 9", "weight": 0.25}

    without, before = read(jsonl(tmp_path / "a.jsonl", [*plain, alone]), models=MODELS)
    outcomes, findings = read(jsonl(tmp_path / "b.jsonl", [*weighed, alone]), models=MODELS)
    _, alike = read(jsonl(tmp_path / "c.jsonl", [{**row, "weight": 2.0} for row in plain]), models=MODELS)

    assert outcomes.data_hash == without.data_hash
    assert before.notes == alike.notes == ()
    [note] = findings.notes
    assert note.startswith("Prompts have weights from 1 to 4, and count alike here")


def test_messages_stand_for_the_last_user_turn(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "yes?"},
        {"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "text", "text": "part two"}]},
    ]
    path = jsonl(tmp_path / "o.jsonl", [{"messages": json.dumps(messages), "model": m, "score": 1} for m in MODELS])
    assert read(path, models=MODELS)[0].prompts == ("part one\npart two",)


def test_datasets_are_chosen_by_pattern(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "o.jsonl",
        [
            {"dataset": d, "prompt_id": "1", "prompt": d, "model": m, "score": 1}
            for d in ("mmlu/law", "mmlu/art", "gsm8k")
            for m in MODELS
        ],
    )
    outcomes, findings = read(path, models=MODELS, datasets=["mmlu/*"])
    assert set(outcomes.datasets) == {"mmlu/law", "mmlu/art"}
    assert findings.n_rows == 4
    with pytest.raises(DataError, match=r"no dataset fits math; .* has: gsm8k, mmlu/art, mmlu/law"):
        read(path, models=MODELS, datasets=["math"])


def test_responses_stand_beside_their_scores(tmp_path: Path) -> None:
    path = jsonl(
        tmp_path / "o.jsonl",
        [
            {"prompt_id": "1", "prompt": "a", "model": "large", "score": 1, "response": "long"},
            {"prompt_id": "1", "prompt": "a", "model": "small", "score": 1, "response": None},
            {"prompt_id": "2", "prompt": "b", "model": "small", "score": 1, "response": "short"},
        ],
    )
    outcomes, _ = read(path, models=MODELS, with_responses=True)
    assert outcomes.responses == ((None, "long"), ("short", None))


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        ("", "o.jsonl", "is empty"),
        ('{"prompt": "a"', "o.jsonl", "line 1: not a JSON object"),
        ('{"prompt": "a", "model": "m", "score": 1}\nnonsense\n', "o.jsonl", "line 2: not a JSON object"),
        ('{"prompt": "a", "model": "m", "score": NaN}\n', "o.jsonl", "line 1: NaN is no JSON number"),
        ("prompt,modle,score\na,b,1\n", "o.csv", "no column 'model' .did you mean 'modle'"),
        ("question,small,large\na,1,0\n", "o.csv", "no column 'prompt'"),
        ("prompt,model,score\n", "o.csv", "holds no rows"),
        ("prompt,model,score\na,small,1\n", "o.csv", "outcomes of small only"),
        ("prompt,model,score\na,small,\na,large,7\n", "o.csv", "no row is left. Left out: 1 no score; 1 score outside"),
        ("not a parquet file", "o.parquet", "cannot be read as parquet"),
        ("x", "o.pkl", "is a pickle"),
        ("x", "o.txt", "expected a file that ends in"),
    ],
)
def test_every_wrong_file_is_told_what_is_wrong(tmp_path: Path, content: str, name: str, told: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read(path)


def test_wrong_paths_and_models_are_told_what_there_is(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "o.jsonl", rows())
    with pytest.raises(DataError, match="does not exist"):
        read(tmp_path / "absent.parquet")
    with pytest.raises(DataError, match=r"folder without outcomes\.parquet"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"no rows of lrge\. Did you mean large\? There are: large, small"):
        read(path, models=("small", "lrge"))
    with pytest.raises(DataError, match="at least two models"):
        read(path, models=("small",))
    with pytest.raises(DataError, match="named twice"):
        read(path, models=("small", "small"))
    with pytest.raises(DataError, match="no rows with the ids asked for"):
        read(path, models=MODELS, ids=["none"])


SCORES = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True, width=32), st.sampled_from([0.0, 0.5, 1.0])
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from([*MODELS, "other", None]), SCORES, st.sampled_from(["t", " ", "u"])
        ),
        min_size=1,
        max_size=25,
    )
)
def test_every_row_is_kept_or_counted_and_scores_are_in_range(
    tmp_path: Path, table: list[tuple[int, str | None, float | None, str]]
) -> None:
    path = tmp_path / "o.parquet"
    pl.DataFrame(
        [{"prompt_id": str(i), "prompt": text, "model": model, "score": score} for i, model, score, text in table],
        schema={"prompt_id": pl.String, "prompt": pl.String, "model": pl.String, "score": pl.Float64},
    ).write_parquet(path)
    try:
        outcomes, findings = read(path, models=MODELS)
    except DataError:
        return
    assert findings.n_rows == len(table)
    assert findings.n_rows_kept + findings.n_dropped == len(table)
    known = outcomes.score[np.isfinite(outcomes.score)]
    assert ((known >= 0) & (known <= 1)).all()
    assert np.isfinite(outcomes.score).any(axis=1).all()
    assert known.size == findings.n_rows_kept
