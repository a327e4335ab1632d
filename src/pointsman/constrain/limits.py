"""What a model must be able to do for a request to go to it.

A capability that is not known (None) is not held against a model: the upstream then has the last word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pointsman.vocabulary import Candidate, Model, Request, Tier

CONTEXT_MARGIN = 1.15
"""Input tokens are estimated without the provider's tokenizer; a request that fills the window to more than
1 / 1.15 by our estimate is treated as too long, because a refused call costs more than a model passed over."""


def candidates(
    request: Request,
    tiers: Sequence[Tier],
    models: Mapping[str, Model],
    *,
    allowed: Collection[str] | None = None,
    priced_only: bool = False,
) -> tuple[Candidate, ...]:
    """Every model of every tier, cheapest tier first, with what rules it out.

    Args:
        allowed: names of the models that the caller's key may use; None allows all.
        priced_only: the caller has a budget, and what a model without a price takes from it cannot be told.
    """
    return tuple(
        [
            Candidate(
                models[name], tier.name, ruled_out(request, models[name], allowed=allowed, priced_only=priced_only)
            )
            for tier in tiers
            for name in tier.models
        ]
    )


def barred(model: Model, *, allowed: Collection[str] | None, priced_only: bool) -> str | None:
    """Why the caller may not use `model`, whatever it asks; None when it may."""
    if allowed is not None and model.name not in allowed:
        return "this key may not use it"
    if priced_only and model.price is None:
        return "it has no price and there is a budget; give it one under `price`, 0 where it is free"
    return None


def ruled_out(
    request: Request, model: Model, *, allowed: Collection[str] | None = None, priced_only: bool = False
) -> str | None:
    """Why `model` cannot serve `request`, in words with the numbers; None when it can."""
    if allowed is not None or priced_only:
        forbidden = barred(model, allowed=allowed, priced_only=priced_only)
        if forbidden is not None:
            return forbidden
    if request.dialect not in model.endpoints:
        if not model.endpoints:
            return "it has no endpoint"
        if request.own_dialect_only is not None:
            return f"its upstream does not speak {request.dialect.value}, and {request.own_dialect_only}"
    can = model.capabilities
    if request.n_images > 0 and can.vision is False:
        return f"it cannot see images and the request has {request.n_images}"
    if request.tools and can.tools is False:
        return f"it cannot call tools and the request offers {len(request.tools)}"
    if request.json_schema and can.json_schema is False:
        return "it cannot be held to a JSON Schema"
    wanted = request.max_output_tokens
    if wanted is not None and can.max_output_tokens is not None and wanted > can.max_output_tokens:
        return f"it writes at most {can.max_output_tokens:,} tokens and the request allows {wanted:,}"
    if can.context_window_tokens is not None:
        needed = round(request.n_total_tokens * CONTEXT_MARGIN) + (1 if wanted is None else wanted)
        if needed > can.context_window_tokens:
            return (
                f"about {request.n_total_tokens:,} input tokens do not fit its window of {can.context_window_tokens:,}"
            )
    return None
