"""What a call costs: normalised tokens times list prices."""

from __future__ import annotations

from typing import NamedTuple

from pointsman.vocabulary import Cost, Model, Price, Usage

_PER_MTOK = 1_000_000


def blended_usd_per_mtok(price: Price) -> float:
    """One number to order models by: three parts input and one part output, about what chat traffic has."""
    return (3 * price.input_usd_per_mtok + price.output_usd_per_mtok) / 4


def usd_of(model: Model, usage: Usage) -> float | None:
    """What a call of a model costs in USD, as `cost_of` tells it; None when that is not known."""
    price = model.price
    if (
        price is not None
        and price.long_context is None
        and not usage.cached_input_tokens
        and not usage.cache_write_tokens
        and not usage.cache_write_1h_tokens
        and usage.input_tokens >= 0
        and usage.output_tokens >= 0
    ):
        return (
            usage.input_tokens * price.input_usd_per_mtok + usage.output_tokens * price.output_usd_per_mtok
        ) / _PER_MTOK
    return cost_of(price, model.price_missing, usage).usd


def cost_of(price: Price | None, price_missing: str | None, usage: Usage | None, *, batch: bool = False) -> Cost:
    """The cost of one call in USD, or None with the reason; never 0 for what is not known.

    `Usage` counts cached reads and cache writes as input and reasoning as output, whatever the upstream's style was
    (OpenAI's prompt tokens include cached ones, Anthropic's input tokens exclude them), so each token is priced once.
    A cached read or a cache write without a price of its own costs as much as other input. Above a long-context
    threshold every token costs the higher price.
    Not counted: fees that are not per token, such as a provider's own web search.
    """
    if price is None:
        return Cost(None, "no price" if price_missing is None else price_missing)
    if usage is None:
        return Cost(None, "the upstream did not report its token usage")
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens
    written_1h = usage.cache_write_1h_tokens
    if not (cached or written or written_1h or batch) and price.long_context is None:
        n_in, n_out = usage.input_tokens, usage.output_tokens
        if n_in >= 0 and n_out >= 0:
            return Cost((n_in * price.input_usd_per_mtok + n_out * price.output_usd_per_mtok) / _PER_MTOK)
    counts = (usage.input_tokens, usage.output_tokens, cached, written, written_1h)
    if min(counts) < 0 or cached + written > usage.input_tokens or written_1h > written:
        return Cost(None, "the upstream's token usage contradicts itself")
    while price.long_context is not None and usage.input_tokens > price.long_context[0]:
        price = price.long_context[1]
    if not (batch or cached or written):
        usd = usage.input_tokens * price.input_usd_per_mtok + usage.output_tokens * price.output_usd_per_mtok
        return Cost(usd / _PER_MTOK)
    rates = _standard(price)
    if batch:
        in_batch = _in_batch(price, rates)
        if in_batch is None:
            return Cost(None, "no batch price is known for this model")
        rates = in_batch
    usd = (
        (usage.input_tokens - cached - written) * rates.full
        + cached * rates.read
        + (written - written_1h) * rates.write
        + written_1h * rates.write_1h
        + usage.output_tokens * rates.output
    ) / _PER_MTOK
    return Cost(usd)


class _Rates(NamedTuple):
    """USD per million tokens, every one known."""

    full: float
    read: float
    write: float
    write_1h: float
    output: float


def _standard(price: Price) -> _Rates:
    full = price.input_usd_per_mtok
    read, write = price.cached_input_usd_per_mtok, price.cache_write_usd_per_mtok
    write = full if write is None else write
    write_1h = price.cache_write_1h_usd_per_mtok
    return _Rates(
        full,
        full if read is None else read,
        write,
        write if write_1h is None else write_1h,
        price.output_usd_per_mtok,
    )


def _in_batch(price: Price, standard: _Rates) -> _Rates | None:
    """Batch rates. A cached read that has no batch price costs its usual one, though no more than a plain token."""
    full, output = price.batch_input_usd_per_mtok, price.batch_output_usd_per_mtok
    if full is None or output is None:
        return None
    read, write = price.batch_cached_input_usd_per_mtok, price.batch_cache_write_usd_per_mtok
    read = min(standard.read, full) if read is None else read
    write = standard.write if write is None else write
    # Only Anthropic prices the hour apart, and there the batch discount is the same for both writes.
    write_1h = standard.write_1h * (write / standard.write if standard.write > 0 else 1.0)
    return _Rates(full, read, write, write_1h, output)
