"""Prices, their age, the tiers' order by price, and context windows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import pairwise

from pointsman.vocabulary import Model, Price, Tier

from .finding import Finding, State

OLD_PRICES_DAYS = 120
"""A choice: providers move prices several times a year, and a newer list is one upgrade away."""


def price_findings(models: Mapping[str, Model], *, today: date) -> list[Finding]:
    """Whether each model has a price, and how old the list is that it comes from."""
    found: list[Finding] = []
    lists: dict[tuple[str, str | None], list[str]] = {}
    for model in models.values():
        if model.price is None:
            found.append(
                Finding(
                    "prices",
                    State.WARNING,
                    f"{model.name} has no price, so what it costs and saves stays unknown ({model.price_missing})",
                    "give the model a `price:` with input_usd_per_mtok and output_usd_per_mtok",
                )
            )
        else:
            lists.setdefault((model.price.source, model.price.as_of), []).append(model.name)
    for (source, as_of), names in lists.items():
        found.append(_list_finding(source, as_of, names, today))
    return found


def _list_finding(source: str, as_of: str | None, names: Sequence[str], today: date) -> Finding:
    of = ", ".join(names)
    if source == "config":
        return Finding("prices", State.OK, f"{of}: given in the configuration")
    if as_of is None:
        return Finding("prices", State.OK, f"{of}: {source}, whose date is not known")
    days = (today - date.fromisoformat(as_of)).days
    if days > OLD_PRICES_DAYS:
        return Finding(
            "prices",
            State.WARNING,
            f"{of}: {source} of {as_of}, {days} days old",
            "upgrade genai-prices, or give the models a `price:`",
        )
    return Finding("prices", State.OK, f"{of}: {source} of {as_of}")


def tier_findings(
    tiers: Sequence[Tier], models: Mapping[str, Model], *, blended: Callable[[Price], float]
) -> list[Finding]:
    """Whether each tier costs more than the one before it, by its first model.

    Args:
        blended: one number for a price, USD per million tokens.
    """
    if len(tiers) < 2:
        return [
            Finding(
                "tiers",
                State.WARNING,
                f"there is one tier, {tiers[0].name}: nothing to route between",
                "add a tier with a cheaper or a stronger model",
            )
        ]
    found: list[Finding] = []
    priced = [(tier.name, blended(price)) for tier in tiers if (price := models[tier.models[0]].price) is not None]
    for (cheaper, less_usd), (dearer, more_usd) in pairwise(priced):
        if more_usd <= less_usd:
            found.append(
                Finding(
                    "tiers",
                    State.WARNING,
                    f"tier {dearer} costs {more_usd:.3g} USD per million tokens (three parts input, one output), no "
                    f"more than tier {cheaper} before it with {less_usd:.3g}: sending requests there saves nothing",
                    "list tiers from cheap to strong, or use the better of the two alone",
                )
            )
    if found:
        return found
    rising = " < ".join(f"{name} {usd:.3g}" for name, usd in priced)
    unpriced = len(tiers) - len(priced)
    if unpriced:
        return [
            Finding(
                "tiers",
                State.WARNING,
                f"{unpriced} of {len(tiers)} tiers have no price, so their order cannot be checked",
                "give their first model a `price:`",
            )
        ]
    return [Finding("tiers", State.OK, f"{rising} USD per million tokens (three parts input, one output)")]


def simulated_findings(models: Iterable[Model]) -> list[Finding]:
    """Which models are simulated."""
    simulated = [model.name for model in models if model.simulated]
    if not simulated:
        return []
    return [
        Finding(
            "models",
            State.WARNING,
            f"{', '.join(simulated)}: simulated; the answers are not real",
            "set a provider's key and run `pointsman init --force`, or edit `models`",
        )
    ]


def window_findings(models: Iterable[Model]) -> list[Finding]:
    """Which models have no known context window."""
    known = [model for model in models if model.capabilities.context_window_tokens is not None]
    unknown = [model.name for model in models if model.capabilities.context_window_tokens is None]
    if unknown:
        return [
            Finding(
                "windows",
                State.WARNING,
                f"the context window of {', '.join(unknown)} is not known, so requests that are too long for it fail "
                "there instead of going to another model",
                "give the model `context_window_tokens:`",
            )
        ]
    smallest = min(known, key=lambda model: model.capabilities.context_window_tokens or 0)
    return [
        Finding(
            "windows",
            State.OK,
            f"all known; the smallest is {smallest.name} with {smallest.capabilities.context_window_tokens:,} tokens",
        )
    ]
