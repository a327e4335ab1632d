"""Imports: each tool's files in the shape that tool writes them, told apart by themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from pointsman.errors import DataError
from pointsman.outcomes import import_files, import_ledger


def by_prompt_and_model(rows: pl.DataFrame) -> dict[tuple[str, str], dict[str, object]]:
    return {(row["prompt"], row["model"]): row for row in rows.iter_rows(named=True)}


def test_routellm_mmlu_file(tmp_path: Path) -> None:
    path = tmp_path / "mmlu_abstract_algebra.csv"
    path.write_text(
        'prompt,mixtral-8x7b-instruct-v0.1,gpt-4-1106-preview\n"Prime?\nA. yes\nAnswer:",True,True\nOne?,False,True\n',
        encoding="utf-8",
    )
    imported = import_files([path])
    assert imported.formats == ("routellm",)
    assert (imported.n_prompts, imported.n_scored, imported.dropped) == (2, 4, {})
    found = by_prompt_and_model(imported.rows)
    assert found["One?", "mixtral-8x7b-instruct-v0.1"]["score"] == 0
    assert found["One?", "gpt-4-1106-preview"]["score"] == 1
    assert set(imported.rows["dataset"]) == {"mmlu/abstract_algebra"}


def test_routellm_gsm8k_file_has_answers(tmp_path: Path) -> None:
    path = tmp_path / "gsm8k_responses.csv"
    path.write_text("prompt,weak,strong,weak_response,strong_response\nHow many?,False,True,3,4\n", encoding="utf-8")
    imported = import_files([path])
    found = by_prompt_and_model(imported.rows)
    assert (found["How many?", "weak"]["response"], found["How many?", "strong"]["response"]) == ("3", "4")
    assert found["How many?", "strong"]["dataset"] == "gsm8k"


def test_routerbench_frame(tmp_path: Path) -> None:
    path = tmp_path / "routerbench_0shot.parquet"
    pl.DataFrame(
        {
            "sample_id": ["mmlu.1"],
            "prompt": ["['Which is right?', 'Answer with a letter.']"],
            "eval_name": ["mmlu-law"],
            "gpt-4-1106-preview": [1.0],
            "mistralai/mistral-7b-chat": [0.0],
            "gpt-4-1106-preview|model_response": ["['C']"],
            "mistralai/mistral-7b-chat|model_response": ["['A']"],
            "gpt-4-1106-preview|total_cost": [0.003],
            "mistralai/mistral-7b-chat|total_cost": [0.00002],
            "oracle_model_to_route_to": ["gpt-4-1106-preview"],
        }
    ).write_parquet(path)
    imported = import_files([path])
    assert imported.formats == ("routerbench",)
    row = by_prompt_and_model(imported.rows)["Which is right?\nAnswer with a letter.", "mistralai/mistral-7b-chat"]
    assert (row["prompt_id"], row["dataset"], row["score"], row["cost_usd"]) == ("mmlu.1", "mmlu-law", 0.0, 0.00002)


def litellm_call(**more: object) -> dict[str, object]:
    return {
        "request_id": "r1",
        "call_type": "acompletion",
        "spend": 0.002,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "startTime": "2026-11-01T10:00:00+00:00",
        "endTime": "2026-11-01T10:00:01.500000+00:00",
        "model": "openai/gpt-4o-mini",
        "model_group": "gpt-4o-mini",
        "messages": json.dumps([{"role": "user", "content": "Hi"}]),
        "response": json.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}),
        "status": "success",
        **more,
    }


def test_litellm_spend_log(tmp_path: Path) -> None:
    path = tmp_path / "spend.json"
    calls = [
        litellm_call(),
        litellm_call(request_id="r2", model_group="gpt-4o", spend=0.02),
        litellm_call(request_id="r3", messages="{}"),
        litellm_call(request_id="r4", status="failure"),
        litellm_call(request_id="r5", call_type="aembedding"),
    ]
    path.write_text(json.dumps({"data": calls}), encoding="utf-8")
    imported = import_files([path])

    assert imported.formats == ("litellm-log",)
    assert (imported.n_read, imported.rows.height, imported.n_prompts, imported.n_scored) == (5, 2, 1, 0)
    assert imported.dropped == {
        "no prompt stored (LiteLLM keeps them with store_prompts_in_spend_logs: true)": 1,
        "the call failed": 1,
        "not a chat or text completion": 1,
    }
    row = by_prompt_and_model(imported.rows)["Hi", "gpt-4o-mini"]
    assert (row["response"], row["cost_usd"], row["latency_ms"], row["prompt_tokens"], row["finish_reason"]) == (
        "Hello",
        0.002,
        1500.0,
        10,
        "stop",
    )


def batch_line(custom_id: str, model: str, text: str) -> dict[str, object]:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": body}


def batch_answer(custom_id: str, model: str, text: str, status: int = 200) -> dict[str, object]:
    body = {
        "model": model,
        "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1},
    }
    return {"id": "b", "custom_id": custom_id, "response": {"status_code": status, "body": body}, "error": None}


def test_openai_batch_files_are_joined_by_custom_id(tmp_path: Path) -> None:
    asked, answered = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    lines = [batch_line("1", "gpt-4o", "Hi"), batch_line("1", "gpt-4o-mini", "Hi"), batch_line("2", "gpt-4o", "Bye")]
    asked.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    answers = [
        batch_answer("1", "gpt-4o-mini-2024-07-18", "small hello"),
        batch_answer("1", "gpt-4o-2024-08-06", "large hello"),
        batch_answer("2", "gpt-4o-2024-08-06", "no", status=500),
        batch_answer("9", "gpt-4o-2024-08-06", "who?"),
    ]
    answered.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")

    imported = import_files([answered, asked])

    found = by_prompt_and_model(imported.rows)
    assert imported.formats == ("openai-batch", "openai-batch")
    assert {key: row["response"] for key, row in found.items()} == {
        ("Hi", "gpt-4o-mini"): "small hello",
        ("Hi", "gpt-4o"): "large hello",
    }
    assert imported.dropped == {"the request of the batch failed": 1, "no request with this custom_id": 1}


def test_the_gateways_own_records() -> None:
    def entry(request_id: str, model: str, **more: object) -> dict[str, object]:
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]})
        return {
            "request_id": request_id,
            "status": "ok",
            "model": model,
            "prompt": body,
            "answer": "Hello",
            "cost_usd": 0.001,
            "usage": {"input_tokens": 4, "output_tokens": 2},
            "total_ms": 80.0,
            "tags": ["faq"],
            "feedback": [],
            "simulated": False,
            **more,
        }

    imported = import_ledger(
        [
            entry("a", "small", feedback=[{"score": 0.0}, {"score": 1.0}, {"label": "nice"}]),
            entry("b", "large"),
            entry("c", "large", status="error"),
            entry("d", "large", prompt=None),
            entry("e", "large", simulated=True),
        ]
    )
    found = by_prompt_and_model(imported.rows)
    assert found["Hi", "small"]["score"] == 1.0
    assert found["Hi", "small"]["prompt_id"] == found["Hi", "large"]["prompt_id"] == "a"
    assert (found["Hi", "large"]["score"], found["Hi", "large"]["dataset"]) == (None, "faq")
    assert sum(imported.dropped.values()) == 3


def test_equal_prompts_become_one_and_bad_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "o.jsonl"
    lines = [
        {"prompt_id": "x", "prompt": "Hello", "model": "m", "score": 1},
        {"prompt_id": "y", "prompt": " HELLO ", "model": "m", "score": 0},
        {"prompt_id": "y", "prompt": "hello", "model": "n", "score": 1},
        {"prompt_id": "z", "prompt": "other", "model": "n", "score": 3},
        {"prompt_id": "z", "prompt": "", "model": "n", "score": 1},
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    imported = import_files([path])
    assert imported.rows.select("prompt_id", "model", "score").rows() == [("x", "m", 0.5), ("x", "n", 1.0)]
    assert imported.dropped == {
        "empty prompt": 1,
        "score outside 0 to 1": 1,
        "repeats a prompt and model (scores averaged)": 1,
    }


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", "colour,size\nred,1\n", "looks like none of"),
        ("a.json", "[1, 2]", "expected a JSON object, got int"),
        ("a.json", "{", "is not JSON"),
        ("a.jsonl", '{"request_id": "1", "spend": 0}\n{"request_id"\n', "line 2: not JSON"),
        ("a.jsonl", "\n", "holds no records"),
        ("a.jsonl", '{"request_id": "1", "spend": 0, "model": "m"}\n', "no row of 1 is left: 1 no prompt stored"),
    ],
)
def test_what_cannot_be_imported_is_told_why(tmp_path: Path, name: str, content: str, told: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        import_files([path])
    with pytest.raises(DataError, match="no format 'excel'"):
        import_files([path], format="excel")


@pytest.mark.parametrize("name", ["export.jsonl", "export.json"])
def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x00\xff\x00{")
    with pytest.raises(DataError, match=rf"{re.escape(name)} is not"):
        import_files([path])
