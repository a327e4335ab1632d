"""List prices agree with genai-prices' own calculator, and facts about models are found."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import genai_prices
import pytest

from pointsman.catalog import capabilities_of, cost_of, price_of
from pointsman.catalog.prices import RELEASED, version
from pointsman.vocabulary import Capabilities, Usage

DAY = date(2026, 11, 20)
NOON = datetime.combine(DAY, time(12), UTC)
MODELS = [
    ("openai", "openai", "gpt-4o"),
    ("openai", "openai", "gpt-4o-mini"),
    ("openai", "openai", "gpt-4.1-nano"),
    ("openai", "openai", "gpt-5-mini"),
    ("openai", "openai", "gpt-5.4"),
    ("openai", "openai", "o3"),
    ("openai", "openai", "gpt-6-luna"),
    ("anthropic", "anthropic", "claude-haiku-4-5"),
    ("anthropic", "anthropic", "claude-haiku-5-5"),
    ("anthropic", "anthropic", "claude-sonnet-4-5"),
    ("anthropic", "anthropic", "claude-opus-4-6"),
    ("gemini", "google", "gemini-2.5-pro"),
    ("gemini", "google", "gemini-2.5-flash"),
    ("gemini", "google", "gemini-4-argon"),
    ("azure", "azure", "gpt-4o"),
]
USAGES = [
    Usage(1_000, 200),
    Usage(50_000, 3_000, cached_input_tokens=40_000),
    Usage(150_000, 10, cached_input_tokens=1),
    Usage(250_000, 5_000, cached_input_tokens=100_000),
    Usage(300_000, 1, cached_input_tokens=0),
]


def theirs(provider: str, model: str, usage: Usage, *, write: bool = False, batch: bool = False) -> float:
    """The same cost by genai-prices' calculator."""
    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        **({"cache_write_tokens": usage.cache_write_tokens} if write else {}),
    )
    result = genai_prices.calc_price(
        counted,
        model,
        provider_id=provider,
        genai_request_timestamp=NOON,
        price_context={"processing": "batch"} if batch else None,
    )
    return float(result.total_price)


@pytest.mark.parametrize(("provider", "price_list", "model"), MODELS)
@pytest.mark.parametrize("usage", USAGES)
def test_a_cost_equals_that_of_genai_prices(provider: str, price_list: str, model: str, usage: Usage) -> None:
    price, why = price_of(provider, model, on=DAY)
    assert price is not None, why
    ours = cost_of(price, None, usage).usd
    assert ours == pytest.approx(theirs(price_list, model, usage), rel=1e-9)


@pytest.mark.parametrize("model", ["claude-haiku-4-5", "claude-haiku-5-5", "claude-opus-4-5"])
@pytest.mark.parametrize("batch", [False, True])
def test_cache_writes_and_batches_of_anthropic_equal_genai_prices(model: str, batch: bool) -> None:
    price, _ = price_of("anthropic", model, on=DAY)
    usage = Usage(120_000, 700, cached_input_tokens=80_000, cache_write_tokens=30_000)
    ours = cost_of(price, None, usage, batch=batch).usd
    assert ours == pytest.approx(theirs("anthropic", model, usage, write=True, batch=batch), rel=1e-9)


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-4o-mini", "gpt-5-nano", "gpt-5.4"])
def test_batches_of_openai_equal_genai_prices(model: str) -> None:
    price, _ = price_of("openai", model, on=DAY)
    usage = Usage(300_000, 700, cached_input_tokens=80_000)
    ours = cost_of(price, None, usage, batch=True).usd
    assert ours == pytest.approx(theirs("openai", model, usage, batch=True), rel=1e-9)


def test_a_price_tells_its_source_and_date() -> None:
    price, why = price_of("openai", "gpt-4o", on=DAY)
    assert price is not None
    assert why is None
    assert price.source == f"genai-prices {version()}"
    assert price.as_of == RELEASED.get(version())
    assert (price.input_usd_per_mtok, price.output_usd_per_mtok, price.cached_input_usd_per_mtok) == (2.5, 10.0, 1.25)


def test_tiers_become_long_context() -> None:
    price, _ = price_of("gemini", "gemini-2.5-pro", on=DAY)
    assert price is not None
    assert price.long_context is not None
    threshold, above = price.long_context
    assert threshold == 200_000
    assert (price.input_usd_per_mtok, above.input_usd_per_mtok) == (1.25, 2.5)
    assert (price.output_usd_per_mtok, above.output_usd_per_mtok) == (10.0, 15.0)
    assert above.long_context is None


def test_a_price_is_that_of_the_day() -> None:
    before, _ = price_of("openai", "o3", on=date(2025, 6, 9))
    after, _ = price_of("openai", "o3", on=date(2025, 6, 10))
    assert before is not None
    assert after is not None
    assert (before.input_usd_per_mtok, after.input_usd_per_mtok) == (10.0, 2.0)


def test_a_price_by_time_of_day_is_taken_at_its_peak() -> None:
    price, why = price_of("openai-compatible", "deepseek-chat", base_url="https://api.deepseek.com", on=DAY)
    assert price is not None, why
    hours = [
        genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1_000_000, output_tokens=0),
            "deepseek-chat",
            provider_id="deepseek",
            genai_request_timestamp=datetime.combine(DAY, time(hour), UTC),
        ).total_price
        for hour in range(24)
    ]
    assert price.input_usd_per_mtok == pytest.approx(float(max(hours)))


def test_an_address_tells_the_vendor_of_a_compatible_server() -> None:
    price, _ = price_of("openai-compatible", "llama-3.3-70b-versatile", base_url="https://api.groq.com/openai/v1")
    assert price is not None
    assert price.input_usd_per_mtok > 0


def test_bedrock_names_lack_the_version_that_the_price_list_has() -> None:
    assert price_of("bedrock-openai", "openai.gpt-oss-120b", on=DAY) == price_of(
        "bedrock-openai", "openai.gpt-oss-120b-1:0", on=DAY
    )
    assert price_of("bedrock-openai", "openai.gpt-oss-120b", on=DAY)[0] is not None


@pytest.mark.parametrize(
    ("provider", "model", "base_url", "reason"),
    [
        ("ollama", "qwen3", None, "no list price for ollama models"),
        ("vllm", "qwen3", "http://10.0.0.1:8000/v1", "has no price for qwen3"),
        ("openai", "nonesuch", None, "has no price for nonesuch of openai"),
        ("openai-compatible", "m", "https://unknown.example/v1", "has no price for m"),
        ("nonesuch", "m", None, "no list price for nonesuch models"),
    ],
)
def test_without_a_price_there_is_a_reason(provider: str, model: str, base_url: str | None, reason: str) -> None:
    price, why = price_of(provider, model, base_url=base_url)
    assert price is None
    assert why is not None
    assert reason in why


def test_capabilities() -> None:
    assert capabilities_of("openai", "gpt-4o-mini") == Capabilities(128_000, 16_384, True, True, True)
    assert capabilities_of("openai", "o3-mini").vision is False
    assert capabilities_of("anthropic", "claude-haiku-5-5").max_output_tokens == 128_000
    assert capabilities_of("ollama", "gpt-4o") == Capabilities()
    assert capabilities_of("openai", "gpt-4o-audio-preview").vision is None
    assert capabilities_of("openai", "nonesuch") == Capabilities()
