"""Costs worked out by hand, for both accounting styles, caches, long contexts and batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.catalog import cost_of
from pointsman.vocabulary import Cost, Price, Usage

# Numbers of gpt-4o and claude-haiku-4-5, written out so that a new price list does not change them.
GPT = Price(2.5, 10.0, cached_input_usd_per_mtok=1.25, batch_input_usd_per_mtok=1.25, batch_output_usd_per_mtok=5.0)
HAIKU = Price(
    1.0,
    5.0,
    cached_input_usd_per_mtok=0.1,
    cache_write_usd_per_mtok=1.25,
    cache_write_1h_usd_per_mtok=2.0,
    batch_input_usd_per_mtok=0.5,
    batch_output_usd_per_mtok=2.5,
    batch_cached_input_usd_per_mtok=0.05,
    batch_cache_write_usd_per_mtok=0.625,
)


def usd(price: Price, usage: Usage, *, batch: bool = False) -> float:
    """The cost, which must be known."""
    cost = cost_of(price, None, usage, batch=batch)
    assert cost.usd is not None, cost.reason
    return cost.usd


def test_plain_input_and_output() -> None:
    # 1,000 × 2.5 + 200 × 10 = 4,500 millionths
    assert usd(GPT, Usage(1_000, 200)) == pytest.approx(0.0045)


def test_openai_style_prompt_tokens_include_cached_ones() -> None:
    # prompt_tokens 1,000 of which 400 cached: 600 × 2.5 + 400 × 1.25 + 200 × 10 = 4,000 millionths
    assert usd(GPT, Usage(1_000, 200, cached_input_tokens=400)) == pytest.approx(0.004)


def test_anthropic_style_input_tokens_exclude_cached_ones() -> None:
    # input_tokens 100, cache_read 2,000, cache_creation 500 become 2,600 of input:
    # 100 × 1 + 2,000 × 0.1 + 500 × 1.25 + 50 × 5 = 1,175 millionths
    usage = Usage(100 + 2_000 + 500, 50, cached_input_tokens=2_000, cache_write_tokens=500)
    assert usd(HAIKU, usage) == pytest.approx(0.001175)


def test_a_cache_write_for_an_hour_has_its_own_price() -> None:
    # 1,000 written, 400 of them for an hour: 600 × 1.25 + 400 × 2 = 1,550 millionths
    usage = Usage(1_000, 0, cache_write_tokens=1_000, cache_write_1h_tokens=400)
    assert usd(HAIKU, usage) == pytest.approx(0.00155)


def test_reasoning_is_part_of_output_and_not_priced_twice() -> None:
    assert usd(GPT, Usage(0, 1_000, reasoning_tokens=900)) == pytest.approx(0.01)


def test_without_a_cached_price_cached_tokens_cost_the_full_price() -> None:
    price = Price(2.0, 4.0)
    assert usd(price, Usage(1_000, 0, cached_input_tokens=900, cache_write_tokens=50)) == pytest.approx(0.002)


def test_a_price_of_zero_is_a_price() -> None:
    assert cost_of(Price(0.0, 0.0, cached_input_usd_per_mtok=0.0), None, Usage(10, 10, 5)) == Cost(0.0)
    free_cache = Price(1.0, 1.0, cached_input_usd_per_mtok=0.0)
    assert usd(free_cache, Usage(1_000_000, 0, cached_input_tokens=1_000_000)) == 0.0


def test_above_a_long_context_threshold_every_token_costs_more() -> None:
    top = Price(9.0, 90.0)
    price = Price(1.0, 10.0, long_context=(100, Price(3.0, 30.0, long_context=(200, top))))
    assert usd(price, Usage(100, 1)) == pytest.approx((100 * 1 + 10) / 1e6)
    assert usd(price, Usage(101, 1)) == pytest.approx((101 * 3 + 30) / 1e6)
    assert usd(price, Usage(200, 1)) == pytest.approx((200 * 3 + 30) / 1e6)
    assert usd(price, Usage(201, 1)) == pytest.approx((201 * 9 + 90) / 1e6)


def test_batch_prices() -> None:
    usage = Usage(2_600, 50, cached_input_tokens=2_000, cache_write_tokens=500, cache_write_1h_tokens=100)
    # 100 × 0.5 + 2,000 × 0.05 + 400 × 0.625 + 100 × (2 × 0.625 / 1.25) + 50 × 2.5 = 625 millionths
    assert usd(HAIKU, usage, batch=True) == pytest.approx(0.000625)
    # No batch price of cached tokens: the usual one, 1.25, which is no more than plain batch input.
    assert usd(GPT, Usage(1_000, 0, cached_input_tokens=1_000), batch=True) == pytest.approx(0.00125)


def test_what_is_not_known_is_none_with_a_reason_and_never_zero() -> None:
    assert cost_of(None, "no list price", Usage(1, 1)) == Cost(None, "no list price")
    assert cost_of(None, None, Usage(1, 1)) == Cost(None, "no price")
    assert cost_of(GPT, None, None) == Cost(None, "the upstream did not report its token usage")
    assert cost_of(Price(1.0, 1.0), None, Usage(1, 1), batch=True) == Cost(
        None, "no batch price is known for this model"
    )


@pytest.mark.parametrize(
    "usage",
    [
        Usage(10, 1, cached_input_tokens=11),
        Usage(10, 1, cached_input_tokens=6, cache_write_tokens=5),
        Usage(-1, 1),
        Usage(1, -1),
        Usage(10, 1, cache_write_tokens=1, cache_write_1h_tokens=2),
    ],
)
def test_usage_that_contradicts_itself_has_no_cost(usage: Usage) -> None:
    assert cost_of(GPT, None, usage) == Cost(None, "the upstream's token usage contradicts itself")


counts = st.integers(0, 10_000_000)


@given(counts, counts, counts, counts)
def test_more_tokens_never_cost_less_and_caching_never_costs_more_than_writing_all(
    plain: int, cached: int, written: int, output: int
) -> None:
    usage = Usage(plain + cached + written, output, cached_input_tokens=cached, cache_write_tokens=written)
    cost = usd(HAIKU, usage)
    assert cost >= 0
    assert usd(HAIKU, Usage(usage.input_tokens, output + 1, cached, written)) > cost
    assert usd(HAIKU, Usage(usage.input_tokens + 1, output, cached, written)) > cost
    assert cost <= (usage.input_tokens * 1.25 + output * 5) / 1e6 + 1e-9
