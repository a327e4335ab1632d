"""Labels from use: comparisons, feedback, re-asks and regenerations of a ledger become scores, by hand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.outcomes import import_ledger

PROMPT = "Write a haiku about the railway station of Vienna."
OTHER = "Which trains leave from Vienna to Graz on Sunday?"


def body(*said: str, **more: Any) -> str:
    """A conversation in which user and assistant take turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(said)]
    return json.dumps({"model": "auto", "messages": messages, **more})


def entry(id_: str, *, minute: float = 0.0, prompt: str | None = None, **more: Any) -> dict[str, Any]:
    """A record that began so many minutes after noon and took three seconds."""
    seconds = round(minute * 60)
    return {
        "request_id": id_,
        "created_at": f"2026-11-25T12:{seconds // 60:02d}:{seconds % 60:02d}.000000Z",
        "status": "ok",
        "model": "small",
        "prompt": body(PROMPT) if prompt is None else prompt,
        "answer": f"answer {id_}",
        "cost_usd": 0.001,
        "usage": {"input_tokens": 4, "output_tokens": 2},
        "total_ms": 3_000.0,
        "tags": [],
        "feedback": [],
        "shadow": None,
        "session_id": "s-1",
        "key_id": None,
        "simulated": False,
        **more,
    }


def shadow(score: float | None, **more: Any) -> dict[str, Any]:
    return {
        "strong_model": "large",
        "score": score,
        "propensity": 0.1,
        "strong_cost_usd": 0.02,
        "strong_answer": "strong",
        **more,
    }


def labels(*entries: dict[str, Any]) -> dict[tuple[str, str], tuple[float | None, str | None, float | None]]:
    """Score, source and weight by the served answer's text and the model."""
    rows = import_ledger(entries).rows.to_dicts()
    return {(row["response"], row["model"]): (row["score"], row["labelled_by"], row["weight"]) for row in rows}


# ---------------------------------------------------------------- comparisons and feedback


def test_a_comparison_gives_a_row_for_each_of_the_two_answers() -> None:
    imported = import_ledger([entry("a", shadow=shadow(0.0))])
    cheap, strong = imported.rows.sort("score").to_dicts()
    assert (cheap["model"], cheap["score"], cheap["response"], cheap["cost_usd"]) == ("small", 0.0, "answer a", 0.001)
    assert (strong["model"], strong["score"], strong["response"], strong["cost_usd"]) == ("large", 0.5, "strong", 0.02)
    assert cheap["prompt_id"] == strong["prompt_id"] == "a"
    assert (cheap["labelled_by"], cheap["weight"]) == (strong["labelled_by"], strong["weight"]) == ("shadow", 1.0)
    assert imported.labels == {"shadow": 2}


def test_a_comparison_that_was_drawn_less_often_weighs_more() -> None:
    often, seldom = entry("a", shadow=shadow(1.0)), entry("b", prompt=body(OTHER), shadow=shadow(1.0, propensity=0.02))
    found = labels(often, seldom)
    assert found["answer a", "small"] == (1.0, "shadow", 1.0)
    score, by, weight = found["answer b", "small"]
    assert (score, by) == (1.0, "shadow")
    assert weight == pytest.approx(5.0)


def test_a_comparison_in_a_table_is_json_text() -> None:
    found = labels(entry("a", shadow=json.dumps(shadow(1.0))))
    assert found["answer a", "small"] == (1.0, "shadow", 1.0)


def test_a_comparison_without_a_verdict_is_no_label() -> None:
    assert labels(entry("a", shadow=shadow(None))) == {("answer a", "small"): (None, None, None)}


@pytest.mark.parametrize(
    ("said", "score"),
    [
        ([{"score": 0.75}], 0.75),
        ([{"score": 1.0}, {"score": 0.0}], 0.0),
        ([{"score": None, "label": "Thumbs_Up"}], 1.0),
        ([{"score": None, "label": "👎"}], 0.0),
        ([{"score": 0.5}, {"score": None, "label": "ticket 17"}], 0.5),
        ([{"score": None, "label": "ticket 17"}], None),
    ],
)
def test_feedback_in_numbers_or_words(said: list[dict[str, Any]], score: float | None) -> None:
    by, weight = (None, None) if score is None else ("feedback", 1.0)
    assert labels(entry("a", feedback=said)) == {("answer a", "small"): (score, by, weight)}


def test_one_label_an_answer_comparison_before_feedback_before_asking_again() -> None:
    said = [{"score": 1.0}]
    first = entry("a", feedback=said, shadow=shadow(0.0))
    assert labels(first)["answer a", "small"][:2] == (0.0, "shadow")
    again = entry("b", minute=1, prompt=body(PROMPT, "answer a", PROMPT.replace("Write", "Please write")))
    assert labels(entry("a", feedback=said), again)["answer a", "small"][:2] == (1.0, "feedback")


# ---------------------------------------------------------------- asked again

NEARLY = PROMPT.replace("Write", "Please write")


@pytest.mark.parametrize(
    ("second", "how"),
    [
        ({"prompt": body(PROMPT, "answer a", NEARLY)}, "re-ask"),
        ({"prompt": body(NEARLY)}, "re-ask"),
        ({"prompt": body(PROMPT, stream=True), "model": "large"}, "regeneration"),
        ({"session_id": None, "key_id": "alice"}, None),
        ({"session_id": "s-2", "prompt": body(NEARLY)}, None),
        ({"prompt": body(OTHER)}, None),
        ({"minute": 10.1}, None),
        ({"minute": 0.02}, None),
        ({"prompt": None}, None),
        ({"prompt": body(PROMPT, "answer a", "Thank you.")}, None),
    ],
    ids=[
        "in the conversation",
        "in a new one",
        "regenerated by another model",
        "somebody else",
        "another session",
        "another question",
        "too late",
        "before the answer had come",
        "the same prompt not stored",
        "a follow-up",
    ],
)
def test_asking_again_is_a_weak_label_for_the_first_answer(second: dict[str, Any], how: str | None) -> None:
    made = {"minute": 1.0} | second
    if "prompt" in made and made["prompt"] is None:
        later = entry("b", **{**made, "prompt": ""}) | {"prompt": None}
    else:
        later = entry("b", **made)
    rows = import_ledger([entry("a"), later]).rows.to_dicts()
    first = next(row for row in rows if row["model"] == "small" and row["response"] == "answer a")
    assert first["labelled_by"] == how
    if how is not None:
        assert (first["score"], first["weight"]) == (0.0, 0.25)


def test_a_key_stands_in_for_a_session_and_a_session_comes_first() -> None:
    one: dict[str, Any] = {"session_id": None, "key_id": "alice"}
    assert labels(entry("a", **one), entry("b", minute=1, prompt=body(NEARLY), **one))["answer a", "small"][0] == 0.0
    nobody: dict[str, Any] = {"session_id": None, "key_id": None}
    found = labels(entry("a", **nobody), entry("b", minute=1, prompt=body(NEARLY), **nobody))
    assert found["answer a", "small"][0] is None


def test_a_tool_loop_does_not_ask_again() -> None:
    """Each step repeats the user's words, and ends with what a tool said."""
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "find"}}]}
    step = json.dumps(
        {
            "model": "auto",
            "messages": [
                {"role": "user", "content": PROMPT},
                call,
                {"role": "tool", "tool_call_id": "1", "content": "found"},
            ],
        }
    )
    blocks = json.dumps(
        {
            "model": "auto",
            "messages": [
                {"role": "user", "content": PROMPT},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "find", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "found"}]},
            ],
        }
    )
    for later in (step, blocks):
        rows = import_ledger([entry("a"), entry("b", minute=1, prompt=later)]).rows
        assert rows["score"].null_count() == rows.height


def test_short_words_are_said_twice_without_being_asked_again() -> None:
    one, two = body("x", "y", "Go on."), body("x", "y", "Go on.", "z", "Go on.")
    assert all(
        score is None for score, _, _ in labels(entry("a", prompt=one), entry("b", minute=1, prompt=two)).values()
    )


def test_a_request_tried_again_after_an_error_is_not_asked_again() -> None:
    failed = entry("a", status="error")
    rows = import_ledger([failed, entry("b", minute=1)]).rows
    assert rows["score"].to_list() == [None]


def test_a_weak_label_counts_for_a_quarter_where_the_same_prompt_was_answered_twice() -> None:
    """Feedback of one user, and another session that asked again: (1 x 1 + ¼ x 0) / 1¼."""
    liked = entry("a", session_id="s-0", feedback=[{"score": 1.0}])
    rows = import_ledger([liked, entry("b"), entry("c", minute=1, prompt=body(NEARLY))]).rows
    (row,) = rows.filter(rows["prompt"] == PROMPT).to_dicts()
    assert row["score"] == pytest.approx(0.8)
    assert (row["labelled_by"], row["weight"]) == ("feedback, re-ask", 1.0)
