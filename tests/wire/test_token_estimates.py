"""Token estimates: by-hand sentences, and any string at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.vocabulary import Answer, Usage
from pointsman.wire import build_request, estimate_tokens, estimate_usage
from pointsman.wire.tokens import EXACT_CHARS, IMAGE_TOKENS, TURN_TOKENS


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [
        ("", 0),
        ("a", 1),
        ("The quick brown fox jumps over the lazy dog.", 10),  # o200k and cl100k both: 10
        ("What is the capital of France?", 7),
        ("Hello, world!", 4),
    ],
)
def test_short_english_is_within_two_tokens_of_real_tokenizers(text: str, n_tokens: int) -> None:
    assert abs(estimate_tokens(text) - n_tokens) <= 2


def test_scripts_weigh_what_the_table_says() -> None:
    assert estimate_tokens("数" * 100) == 90
    assert estimate_tokens("한" * 100) == 75
    assert estimate_tokens("д" * 100) == 35
    assert estimate_tokens("😀" * 100) == 200
    assert estimate_tokens("é" * 100) == 80
    assert estimate_tokens("數a" * 100) == round(90 + 0.12 * 100)


def test_a_huge_text_is_sampled_in_proportion() -> None:
    passage = "An answer, of 12 words or so, in plain English: yes. "
    exact = estimate_tokens(passage * (EXACT_CHARS // len(passage)))
    ten_times = estimate_tokens(passage * 10 * (EXACT_CHARS // len(passage)))
    assert abs(ten_times - 10 * exact) < 0.02 * ten_times


@given(st.text(st.characters(codec=None)))
def test_any_string_has_an_estimate_even_with_lone_surrogates(text: str) -> None:
    n_tokens = estimate_tokens(text)
    assert (n_tokens == 0) == (text == "")
    assert 0 <= n_tokens <= 2 * len(text) + 1


@given(st.text(), st.text())
def test_longer_text_never_has_fewer_tokens(head: str, tail: str) -> None:
    assert estimate_tokens(head + "\n" + tail) >= estimate_tokens(head)


def test_a_request_counts_turns_images_and_tools() -> None:
    plain = build_request(prompt="数" * 100)
    assert (plain.n_prompt_tokens, plain.n_total_tokens) == (90, 90 + TURN_TOKENS)
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}
    assert build_request(messages=[image]).n_total_tokens == TURN_TOKENS + IMAGE_TOKENS
    tool = {"type": "function", "function": {"name": "f", "description": "x" * 4000}}
    assert build_request(prompt="数" * 100, tools=[tool]).n_total_tokens > 400 + plain.n_total_tokens


def test_estimated_usage_says_that_it_is_estimated() -> None:
    request = build_request(prompt="数" * 100)
    answer = Answer(text="数" * 10, finish_reason="stop", usage=None, upstream_model=None)
    assert estimate_usage(request, answer) == Usage(90 + TURN_TOKENS, 9, estimated=True)
