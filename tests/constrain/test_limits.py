"""What rules a model out, and that the unknown does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from pointsman.constrain import candidates
from pointsman.constrain.limits import ruled_out
from pointsman.vocabulary import Capabilities, Dialect, Model, Request, Tier


def test_nothing_is_held_against_a_model_of_unknown_capabilities(
    make_model: Callable[..., Model], make_request: Callable[..., Request]
) -> None:
    request = make_request(
        n_images=3, tools=("search",), json_schema=True, n_total_tokens=10**7, max_output_tokens=10**6
    )
    assert ruled_out(request, make_model()) is None


@pytest.mark.parametrize(
    ("capabilities", "wanted", "word"),
    [
        (Capabilities(vision=False), {"n_images": 2}, "images"),
        (Capabilities(tools=False), {"tools": ("a", "b", "c")}, "offers 3"),
        (Capabilities(json_schema=False), {"json_schema": True}, "Schema"),
        (Capabilities(max_output_tokens=100), {"max_output_tokens": 101}, "at most 100"),
        (Capabilities(context_window_tokens=1_000), {"n_total_tokens": 1_000}, "do not fit"),
    ],
)
def test_each_limit_rules_out_with_its_numbers(
    make_model: Callable[..., Model],
    make_request: Callable[..., Request],
    capabilities: Capabilities,
    wanted: dict[str, object],
    word: str,
) -> None:
    why = ruled_out(make_request(**wanted), make_model(capabilities=capabilities))
    assert why is not None
    assert word in why


def test_the_window_holds_input_with_its_margin_and_the_output_asked_for(
    make_model: Callable[..., Model], make_request: Callable[..., Request]
) -> None:
    model = make_model(capabilities=Capabilities(context_window_tokens=1_000))
    # 800 × 1.15 = 920: 80 tokens are left for the answer.
    assert ruled_out(make_request(n_total_tokens=800, max_output_tokens=80), model) is None
    assert ruled_out(make_request(n_total_tokens=800, max_output_tokens=81), model) is not None


def test_a_model_of_another_dialect_is_out_only_when_the_request_cannot_be_translated(
    make_model: Callable[..., Model], make_request: Callable[..., Request]
) -> None:
    model = make_model(dialects=(Dialect.ANTHROPIC_MESSAGES,))
    assert ruled_out(make_request(), model) is None
    bound = replace(make_request(), own_dialect_only="only its provider holds it")
    assert ruled_out(bound, model) == "its upstream does not speak openai-chat, and only its provider holds it"
    assert ruled_out(replace(bound, dialect=Dialect.ANTHROPIC_MESSAGES), model) is None
    assert ruled_out(make_request(), make_model(dialects=())) == "it has no endpoint"


def test_candidates_keep_tier_order_and_a_key_sees_only_its_models(
    make_model: Callable[..., Model], make_request: Callable[..., Request], two_tiers: tuple[Tier, ...]
) -> None:
    models = {name: make_model(name) for name in ("cheap-model", "strong-model", "strong-spare")}
    found = candidates(make_request(), two_tiers, models, allowed={"strong-spare"})
    assert [(c.model.name, c.tier, c.ruled_out is None) for c in found] == [
        ("cheap-model", "cheap", False),
        ("strong-model", "strong", False),
        ("strong-spare", "strong", True),
    ]
