"""The first `pointsman.yaml`: made from the keys found in the environment, or of simulated models without any."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .writing import Draft, DraftFile

PriceCheck = Callable[[str, str], float | None]
"""(provider, model) → a blended price in USD per million tokens, None when it is not listed; passed in."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What to write for one provider: a cheap and a strong model that its price list has."""

    provider: str
    variable: str
    cheap: str
    strong: str


# Current small and large models on the providers' own model pages, 2026-11.
OFFERS = (
    Offer("openai", "OPENAI_API_KEY", "gpt-6-luna", "gpt-6.1-sol"),
    Offer("anthropic", "ANTHROPIC_API_KEY", "claude-haiku-5-5", "claude-opus-5-5"),
    Offer("gemini", "GEMINI_API_KEY", "gemini-3.5-flash-lite", "gemini-4-argon"),
)
_OLLAMA_PORT = "11434"


def starter(environ: Mapping[str, str], blended_price: PriceCheck) -> tuple[DraftFile, list[str]]:
    """The file, and what was found in words.

    Every provider whose key is set gives a cheap and a strong model; within a tier the cheaper one stands first.
    """
    offers = [offer for offer in OFFERS if environ.get(offer.variable)]
    local = environ.get("OLLAMA_HOST")
    if not offers and not local:
        return _simulated(), [
            "no provider key was found in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, "
            "OLLAMA_HOST), so the models are simulated: decisions and prices are real, answers are not"
        ]
    file = DraftFile(
        [
            "Pointsman: which model serves which request. Written by `pointsman init`; yours to edit.",
            "Check it with `pointsman config check`; every key is explained in docs/configuration.md.",
        ]
    )
    found = [f"{offer.variable}: {offer.cheap} and {offer.strong}" for offer in offers]
    cheap = sorted(offers, key=lambda offer: _rank(blended_price(offer.provider, offer.cheap)))
    strong = sorted(offers, key=lambda offer: _rank(blended_price(offer.provider, offer.strong)))
    for chosen, kind in ((cheap, "cheap"), (strong, "strong")):
        for offer in chosen:
            model = offer.cheap if kind == "cheap" else offer.strong
            file.models.append(
                Draft(model, {"provider": offer.provider, "model": model, "api_key": f"${{{offer.variable}}}"})
            )
    tiers = {"cheap": [offer.cheap for offer in cheap], "strong": [offer.strong for offer in strong]}
    if local:
        found.append("OLLAMA_HOST: a local model; set OLLAMA_MODEL to one that `ollama list` shows")
        file.models.insert(0, _ollama(local))
        tiers["cheap"].insert(0, "local")
    file.tiers = [(name, models) for name, models in tiers.items() if models]
    return file, found


def _rank(price: float | None) -> float:
    return float("inf") if price is None else price


def _ollama(host: str) -> Draft:
    """OLLAMA_HOST is also what the server binds to, so it may lack a scheme or name every interface."""
    if "0.0.0.0" in host:  # noqa: S104  compared, not bound
        base_url = f"http://127.0.0.1:{_OLLAMA_PORT}"
    elif host.startswith(("http://", "https://")):
        base_url = "${OLLAMA_HOST}"
    else:
        port = "" if ":" in host else f":{_OLLAMA_PORT}"
        base_url = f"http://${{OLLAMA_HOST}}{port}"
    return Draft(
        "local",
        {
            "provider": "ollama",
            "model": "${OLLAMA_MODEL:-llama3.2}",
            "base_url": base_url,
            "price": {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0},
        },
        "your own machine; put its cost into price if you count it",
    )


def _simulated() -> DraftFile:
    file = DraftFile(
        [
            "Pointsman with SIMULATED models: decisions and list prices are real, the answers are not.",
            "Written by `pointsman init`, which found no provider key. Set one (OPENAI_API_KEY, ANTHROPIC_API_KEY,",
            "GEMINI_API_KEY or OLLAMA_HOST) and run `pointsman init --force` for a file with real models.",
        ]
    )
    openai = OFFERS[0]
    file.models = [
        Draft("sim-small", _simulate(0.55, 150, f"openai/{openai.cheap}"), "simulated"),
        Draft("sim-large", _simulate(0.95, 600, f"openai/{openai.strong}"), "simulated"),
    ]
    file.tiers = [("cheap", ["sim-small"]), ("strong", ["sim-large"])]
    return file


def _simulate(skill: float, latency_ms: int, priced_as: str) -> dict[str, object]:
    return {"provider": "sim", "simulate": {"skill": skill, "latency_ms": latency_ms, "priced_as": priced_as}}
