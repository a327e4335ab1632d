"""From prompts to calls: dialects, limits of answers, what is never sent, and what a call can cost at most."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from pointsman.cli.collecting import plan, read_answer, refuse_unbounded
from pointsman.cli.prompt_files import PromptRow, read_prompts
from pointsman.errors import BadRequest, ConfigError
from pointsman.vocabulary import Capabilities, Dialect, Endpoint, Model, Price

CHAT, MESSAGES, RESPONSES = Dialect.OPENAI_CHAT, Dialect.ANTHROPIC_MESSAGES, Dialect.OPENAI_RESPONSES


def model(*dialects: Dialect, provider: str = "openai-compatible", max_output: int | None = 1000) -> Model:
    return Model(
        "m",
        provider,
        "m-1",
        {dialect: Endpoint(f"http://127.0.0.1:9/{dialect}") for dialect in dialects},
        price=Price(1.0, 10.0),
        capabilities=Capabilities(max_output_tokens=max_output),
    )


def prompts(tmp_path: Path, *rows: dict[str, Any]) -> list[PromptRow]:
    path = tmp_path / "faq.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return read_prompts(path)


def body(rows: list[PromptRow], asked: Model, **options: Any) -> dict[str, Any]:
    (planned,) = plan(rows, [asked], **options)
    sent: dict[str, Any] = orjson.loads(planned.call.body)
    return sent


def test_text_is_said_in_the_models_own_dialect(tmp_path: Path) -> None:
    rows = prompts(
        tmp_path, {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}
    )
    assert body(rows, model(CHAT, RESPONSES)) == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    }
    assert body(rows, model(MESSAGES, CHAT)) == {
        "model": "m-1",
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 1000,
    }
    assert body(rows, model(RESPONSES))["input"][1] == {"role": "user", "content": "Hi"}


def test_a_request_with_parameters_keeps_its_dialect_or_is_refused(tmp_path: Path) -> None:
    rows = prompts(tmp_path, {"prompt_id": "a", "prompt": "Hi", "temperature": 0})
    assert body(rows, model(MESSAGES, CHAT))["temperature"] == 0
    with pytest.raises(ConfigError, match="'a' is a request in openai-chat"):
        plan(rows, [model(MESSAGES)])


@pytest.mark.parametrize(
    ("provider", "dialect", "name"),
    [
        ("openai", CHAT, "max_completion_tokens"),
        ("vllm", CHAT, "max_tokens"),
        ("openai", RESPONSES, "max_output_tokens"),
        ("anthropic", MESSAGES, "max_tokens"),
    ],
)
def test_the_limit_of_answers_has_the_dialects_name(provider: str, dialect: Dialect, name: str, tmp_path: Path) -> None:
    rows = prompts(tmp_path, {"prompt": "Hi"})
    assert body(rows, model(dialect, provider=provider), max_output_tokens=77)[name] == 77


def test_a_prompts_own_limit_wins_and_none_is_made_up(tmp_path: Path) -> None:
    assert body(prompts(tmp_path, {"prompt": "Hi", "max_tokens": 5}), model(CHAT), max_output_tokens=77) == {
        "model": "m-1",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 5,
    }
    assert set(body(prompts(tmp_path, {"prompt": "Hi"}), model(CHAT))) == {"model", "messages"}


def test_what_is_for_labelling_is_not_sent_and_a_body_is_sent_whole(tmp_path: Path) -> None:
    (row,) = prompts(tmp_path, {"prompt": "Hi", "reference": "secret", "tests": "assert x", "note": "mine"})
    assert b"secret" not in row.request.raw
    assert b"mine" not in row.request.raw
    assert row.kept == {"reference": "secret", "tests": "assert x"}
    (whole,) = prompts(tmp_path, {"body": {"messages": [{"role": "user", "content": "Hi"}], "vendor_option": 1}})
    assert whole.request.body["vendor_option"] == 1


def test_ids_and_datasets(tmp_path: Path) -> None:
    rows = prompts(
        tmp_path,
        {"prompt": "a"},
        {"prompt": "b", "custom_id": 7},
        {"prompt": "c", "prompt_id": "x", "dataset": "other"},
        {"prompt": "d", "prompt_id": "x"},
        {"prompt": "again", "prompt_id": "x"},
    )
    assert [(row.dataset, row.prompt_id) for row in rows] == [
        ("faq", "row-1"),
        ("faq", "7"),
        ("other", "x"),
        ("faq", "x"),
    ]


def test_the_highest_cost_by_hand(tmp_path: Path) -> None:
    rows = prompts(tmp_path, {"prompt": "Hi"})
    (planned,) = plan(rows, [model(CHAT)])
    n_in = 2 * rows[0].request.n_total_tokens + 64
    assert planned.max_usd == pytest.approx((n_in * 1.0 + 1000 * 10.0) / 1e6)
    (three,) = plan(
        prompts(tmp_path, {"body": {"messages": [{"role": "user", "content": "Hi"}], "n": 3}}), [model(CHAT)]
    )
    assert three.max_usd is not None
    assert three.max_usd > 3 * 0.01


def test_without_a_bound_or_a_price_a_limit_is_refused(tmp_path: Path) -> None:
    rows = prompts(tmp_path, {"prompt": "Hi"})
    with pytest.raises(BadRequest, match="max-output-tokens"):
        refuse_unbounded(plan(rows, [model(CHAT, max_output=None)]))
    with pytest.raises(BadRequest, match="no price: because"):
        refuse_unbounded(plan(rows, [replace(model(CHAT), price=None, price_missing="because")]))
    refuse_unbounded(plan(rows, [model(CHAT, max_output=None)], max_output_tokens=10))


def test_an_answer_that_is_not_streamed_has_the_whole_time_for_its_first_byte(tmp_path: Path) -> None:
    (planned,) = plan(prompts(tmp_path, {"prompt": "Hi"}), [model(CHAT)])
    assert planned.call.model.timeouts.first_byte_s == planned.call.model.timeouts.total_s == 600.0


def test_confidence_is_the_geometric_mean_of_token_probabilities(tmp_path: Path) -> None:
    (planned,) = plan(prompts(tmp_path, {"prompt": "Hi"}), [model(CHAT)], logprobs=True)
    assert orjson.loads(planned.call.body)["logprobs"] is True
    tokens = [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]
    answer = {
        "choices": [{"message": {"content": "ab"}, "finish_reason": "stop", "logprobs": {"content": tokens}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2},
    }
    reading = read_answer(planned, orjson.dumps(answer))
    assert reading.logprobs == (-0.5, -1.5)
    assert reading.confidence == pytest.approx(0.36788, abs=1e-5)
    assert reading.cost.usd == pytest.approx(30e-6)
    del answer["usage"]
    answer["choices"][0]["logprobs"] = None  # type: ignore[index]
    reading = read_answer(planned, orjson.dumps(answer))
    assert reading.usage.estimated
    assert reading.confidence is None
