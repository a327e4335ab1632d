"""Plain settings in, a callable `Model` out: endpoints, price, capabilities, timeouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.errors import ConfigError
from pointsman.vocabulary import Capabilities, Dialect, Model, Price, Timeouts

from .addresses import endpoints
from .capabilities import capabilities_of
from .prices import price_of
from .providers import PROVIDERS


def build_model(
    *,
    name: str,
    provider: str,
    provider_model: str | None = None,
    api_key: str | None = None,
    base_url: str | None = None,
    price: Mapping[str, float] | None = None,
    context_window_tokens: int | None = None,
    max_output_tokens: int | None = None,
    supports: Sequence[str] | None = None,
    timeouts: Mapping[str, float | None] | None = None,
    max_concurrency: int | None = None,
    dialects: Sequence[Dialect | str] | None = None,
    headers: Mapping[str, str] | None = None,
    anthropic_betas: Sequence[str] | None = None,
    api_version: str | None = None,
    simulation: Mapping[str, float] | None = None,
    priced_as: str | None = None,
) -> Model:
    """The model as every later stage knows it.

    What is given wins over what is known; `price` and `timeouts` have the fields of `Price` and `Timeouts`.
    `priced_as` ("provider/model") lends a simulated model a real one's list price and capabilities.

    Raises:
        ConfigError: the provider is unknown, an address, key or header cannot be used, or `priced_as` has no price.
    """
    who = f"model {name!r}"
    row = PROVIDERS.get(provider)
    if row is None:
        raise ConfigError(f"{who}: there is no provider {provider!r}; use one of {', '.join(PROVIDERS)}")
    simulated = provider == "sim"
    if provider_model is None:
        if not simulated:
            raise ConfigError(f"{who}: `model` is missing; add the provider's name for it")
        provider_model = name
    price_provider, price_model = provider, provider_model
    if priced_as is not None:
        price_provider, _, price_model = priced_as.partition("/")
        if price_provider not in PROVIDERS or not price_model:
            raise ConfigError(f"{who}: priced_as must be provider/model, such as openai/gpt-5-mini")
    if price is not None:
        found, missing = _given_price(price), None
    elif simulated and priced_as is None:
        found, missing = None, "a simulated model without `price` or `simulate.priced_as` has no price"
    else:
        found, missing = price_of(price_provider, price_model, base_url=base_url)
        if found is None and priced_as is not None:
            raise ConfigError(f"{who}: priced_as: {missing}")
    known = capabilities_of(price_provider, price_model, base_url=base_url)
    return Model(
        name=name,
        provider=provider,
        provider_model=provider_model,
        endpoints=endpoints(
            who,
            row,
            provider_model=provider_model,
            api_key=api_key,
            base_url=base_url,
            api_version=api_version,
            dialects=None if dialects is None else [Dialect(dialect) for dialect in dialects],
            headers={} if headers is None else headers,
        ),
        price=found,
        price_missing=missing,
        capabilities=Capabilities(
            context_window_tokens=known.context_window_tokens
            if context_window_tokens is None
            else context_window_tokens,
            max_output_tokens=known.max_output_tokens if max_output_tokens is None else max_output_tokens,
            vision=known.vision if supports is None else "vision" in supports,
            tools=known.tools if supports is None else "tools" in supports,
            json_schema=known.json_schema if supports is None else "json_schema" in supports,
        ),
        timeouts=_timeouts({} if timeouts is None else timeouts),
        max_concurrency=max_concurrency,
        simulated=simulated,
        simulation={} if simulation is None else dict(simulation),
        stream_usage_option=row.stream_usage_option,
        anthropic_betas=None if anthropic_betas is None else tuple(anthropic_betas),
    )


def _timeouts(given: Mapping[str, float | None]) -> Timeouts:
    default = Timeouts()
    connect, first, idle = given.get("connect_s"), given.get("first_byte_s"), given.get("idle_s")
    return Timeouts(
        connect_s=default.connect_s if connect is None else connect,
        first_byte_s=default.first_byte_s if first is None else first,
        idle_s=default.idle_s if idle is None else idle,
        # Here None is a value: no limit.
        total_s=given.get("total_s", default.total_s),
    )


def _given_price(given: Mapping[str, float]) -> Price:
    return Price(
        given["input_usd_per_mtok"],
        given["output_usd_per_mtok"],
        cached_input_usd_per_mtok=given.get("cached_input_usd_per_mtok"),
        cache_write_usd_per_mtok=given.get("cache_write_usd_per_mtok"),
        cache_write_1h_usd_per_mtok=given.get("cache_write_1h_usd_per_mtok"),
        batch_input_usd_per_mtok=given.get("batch_input_usd_per_mtok"),
        batch_output_usd_per_mtok=given.get("batch_output_usd_per_mtok"),
    )
