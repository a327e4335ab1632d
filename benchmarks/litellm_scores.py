"""Both of LiteLLM's classifiers that need no call of a model, as a program for `offline_scorer`.

Runs in an environment of its own (`make bench-litellm-env`), where LiteLLM is and Pointsman is not. The classifiers are
asked through a `litellm.Router` as its users configure it, with everything at its default
(litellm/router_strategy/complexity_router, https://docs.litellm.ai/docs/auto_router/optimize_classifier, read
2026-11-25):

- `heuristic`, the default: a weighted sum over length, keywords of code, reasoning and technology, and punctuation. The
  need of a prompt is its tier, within a tier its score: two reasoning keywords lift a prompt to the top tier whatever
  its score is.
- `heuristic_v2`: P(an answer of the lowest tier is good) from counts on UltraFeedback by kind of request, length and
  markers. The need of a prompt is one minus that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib.metadata import version
from typing import Any

# Else the import asks a web server for prices.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

NAMES = ("heuristic", "heuristic_v2")
TIERS = {"SIMPLE": "cheap", "MEDIUM": "cheap", "COMPLEX": "strong", "REASONING": "strong"}
"""The classifiers do not look at the models; only the tier's place counts here."""
SEVERITY = list(TIERS)
MORE_THAN_ANY_SCORE = 10.0


def classifiers() -> list[Any]:
    """The two classifiers, in the order of `NAMES`."""
    models = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none"}}
        for name in ("cheap", "strong")
    ]
    routers = [
        {
            "model_name": name,
            "litellm_params": {
                "model": "auto_router/complexity_router",
                "complexity_router_config": {"classifier_type": name, "tiers": TIERS},
                "complexity_router_default_model": "cheap",
            },
        }
        for name in NAMES
    ]
    there = litellm.Router(model_list=models + routers).registry().plugins("complexity")
    return [there[name][0].strategy for name in NAMES]


def need(outcome: Any) -> float:
    """How much a prompt needs the strong model, from what a classifier said of it."""
    if outcome.heuristic_v2_forecast is not None:
        return 1.0 - float(outcome.heuristic_v2_forecast["probabilities"]["SIMPLE"])
    return MORE_THAN_ANY_SCORE * SEVERITY.index(outcome.tier.value) + float(outcome.score)


async def answer() -> None:
    """Answers every line of the input."""
    both = classifiers()
    print(json.dumps({"scorer": f"litellm {version('litellm')}", "names": NAMES}))
    for line in sys.stdin:
        prompt = json.loads(line)["prompt"]
        print(json.dumps({"need": [need(await each.aclassify(prompt)) for each in both]}))


if __name__ == "__main__":
    asyncio.run(answer())
