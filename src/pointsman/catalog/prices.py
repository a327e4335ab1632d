"""List prices from genai-prices: its bundled data only, never over the network, read at the first question.

Prices of the future and of the past are in the data too; a price is that of the day asked for. A price that changes
with the time of day is taken at its peak, so that a cost is never understated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pointsman.vocabulary import Price

from .providers import PROVIDERS

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

    PriceValue = Decimal | TieredPrices | None

RELEASED: Mapping[str, str] = MappingProxyType(
    {"0.2.0": "2026-10-29", "0.2.1": "2026-10-30", "0.2.2": "2026-11-10", "0.2.3": "2026-11-10"}
)
"""Days on which releases of genai-prices came out (pypi.org/project/genai-prices/#history); the data has no date."""

_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
"""The price list's words for what `Price` holds."""


class Listing(NamedTuple):
    """One entry of the price list."""

    info: ModelInfo
    own: bool
    """False when it stands in another provider's list (Azure's OpenAI models), whose discounts are not promised."""


def price_of(
    provider: str, model: str, *, base_url: str | None = None, on: date | None = None
) -> tuple[Price | None, str | None]:
    """(price, None), or (None, why there is none) for a person.

    Args:
        provider: a provider's name in the configuration.
        model: what the provider calls the model.
        base_url: tells an OpenAI-compatible server's vendor, such as https://api.groq.com/openai/v1.
        on: the day whose prices are wanted; today (UTC) when not given.
    """
    found, why = listed(provider, model, base_url=base_url)
    if found is None:
        return None, why
    day = datetime.now(UTC).date() if on is None else on
    standard = _dearest(_active(found.info, day))
    batch = _batch(found.info, day) if found.own else None
    if standard is None:
        return None, f"genai-prices {version()} has no input and output price for {model}"
    as_of = RELEASED.get(version())
    price = _price(standard, batch, lambda tiered: tiered.base)
    if price is None:
        return None, f"genai-prices {version()} prices {model} by other units than input and output tokens"
    for start in sorted(_starts([standard, *([] if batch is None else [batch])]), reverse=True):
        above = _price(standard, batch, partial(_at, start))
        if above is not None:
            # Thresholds are nested: above the first comes its price, which knows the next one.
            price = replace(price, long_context=(start, replace(above, long_context=price.long_context)))
    return _stamped(price, f"genai-prices {version()}", as_of), None


def listed(provider: str, model: str, *, base_url: str | None = None) -> tuple[Listing | None, str | None]:
    """(the price list's entry, None), or (None, why there is none)."""
    row = PROVIDERS.get(provider)
    price_list = None if row is None else row.price_list
    if price_list is None and base_url is None:
        return None, f"there is no list price for {provider} models; give `price:` in the configuration"
    if provider == "bedrock-openai" and model.startswith("openai.gpt-oss") and not model.endswith(":0"):
        model += "-1:0"  # bedrock-mantle leaves out the version that the price list has
    try:
        vendor, info = _snapshot().find_provider_model(
            model, None, price_list, None if price_list is not None else base_url
        )
    except LookupError:
        where = provider if price_list is not None else base_url
        return None, f"genai-prices {version()} has no price for {model} of {where}; give `price:` in the configuration"
    return Listing(info, any(info is own for own in vendor.models)), None


@cache
def version() -> str:
    """The version of genai-prices."""
    from importlib.metadata import version as installed

    return installed("genai-prices")


@cache
def _snapshot() -> DataSnapshot:
    # Our own snapshot: a program around us may have told genai-prices to update itself.
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return DataSnapshot(providers=providers, from_auto_update=False)


def _active(info: ModelInfo, day: date) -> list[ModelPrice]:
    """The prices in force on a day, one for each time of day that has its own."""
    from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

    if isinstance(info.prices, ModelPrice):
        return [info.prices]
    in_force: list[ModelPrice] = []
    standard = info.prices[0].prices
    for conditional in info.prices:
        constraint = conditional.constraint
        if isinstance(constraint, TimeOfDateConstraint):
            in_force.append(conditional.prices)
        elif constraint is None or (isinstance(constraint, StartDateConstraint) and day >= constraint.start_date):
            # The last one that has begun replaces all before it, times of day included.
            standard = conditional.prices
            in_force = []
    return [standard, *in_force]


def _batch(info: ModelInfo, day: date) -> ModelPrice | None:
    """What differs in a batch; the first variant in force counts, as in genai-prices."""
    from genai_prices.types import StartDateConstraint

    for variant in info.price_variants or ():
        begins = variant.constraint.start_date if isinstance(variant.constraint, StartDateConstraint) else None
        in_force = variant.constraint is None or (begins is not None and day >= begins)
        if variant.when == {"processing": "batch"} and in_force:
            return variant.prices
    return None


def _dearest(prices: Iterable[ModelPrice]) -> ModelPrice | None:
    def size(price: ModelPrice) -> Decimal:
        return sum((_base(getattr(price, key)) for key in ("input_mtok", "output_mtok")), Decimal(0))

    return max(prices, key=size, default=None)


def _base(value: PriceValue) -> Decimal:
    if value is None:
        return Decimal(0)
    return value if isinstance(value, Decimal) else value.base


def _starts(prices: Iterable[ModelPrice]) -> set[int]:
    starts: set[int] = set()
    for price in prices:
        for key in _KEYS:
            value: PriceValue = getattr(price, key)
            if value is not None and not isinstance(value, Decimal):
                starts.update(tier.start for tier in value.tiers)
    return starts


def _at(start: int, tiered: TieredPrices) -> Decimal:
    """The price above `start` tokens of input (all tokens then cost it)."""
    price = tiered.base
    for tier in tiered.tiers:
        if tier.start <= start:
            price = tier.price
    return price


def _price(standard: ModelPrice, batch: ModelPrice | None, pick: Callable[[TieredPrices], Decimal]) -> Price | None:
    def number(price: ModelPrice | None, key: str) -> float | None:
        value: PriceValue = None if price is None else getattr(price, key)
        if value is None:
            return None
        return float(value if isinstance(value, Decimal) else pick(value))

    given, produced = number(standard, "input_mtok"), number(standard, "output_mtok")
    if given is None or produced is None:
        return None
    return Price(
        given,
        produced,
        cached_input_usd_per_mtok=number(standard, "cache_read_mtok"),
        cache_write_usd_per_mtok=number(standard, "cache_write_mtok"),
        cache_write_1h_usd_per_mtok=number(standard, "cache_write_1h_mtok"),
        batch_input_usd_per_mtok=number(batch, "input_mtok"),
        batch_output_usd_per_mtok=number(batch, "output_mtok"),
        batch_cached_input_usd_per_mtok=number(batch, "cache_read_mtok"),
        batch_cache_write_usd_per_mtok=number(batch, "cache_write_mtok"),
    )


def _stamped(price: Price, source: str, as_of: str | None) -> Price:
    above = price.long_context
    return replace(
        price,
        source=source,
        as_of=as_of,
        long_context=None if above is None else (above[0], _stamped(above[1], source, as_of)),
    )
