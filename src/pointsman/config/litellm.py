"""A LiteLLM proxy `config.yaml` carried over: its `model_list` becomes models, in tiers by price.

Keys as LiteLLM documents them: docs.litellm.ai/docs/proxy/configs, read 2026-11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pointsman.errors import ConfigError

from .document import read_document
from .faults import config_error
from .writing import Draft, DraftFile, literal

BlendedPrice = Callable[[str, str, str | None], float | None]
"""(provider, model, base_url) → USD per million tokens, 3 parts input and 1 part output; None when not listed."""

_PROVIDERS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "hosted_vllm": "vllm",
    "openai_like": "openai-compatible",
}
# Base URLs of hosts that LiteLLM knows by a prefix, from their own documentation, 2026-11.
_HOSTS = {
    "deepseek": "https://api.deepseek.com/v1",
    "fireworks_ai": "https://api.fireworks.ai/inference/v1",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together_ai": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
}
_KEY_VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "azure": "AZURE_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gemini": "GEMINI_API_KEY",
}
_PRICES = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cached_input_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_usd_per_mtok",
}
_ABILITIES = {
    "supports_vision": "vision",
    "supports_function_calling": "tools",
    "supports_response_schema": "json_schema",
}
_READ_PARAMS = frozenset(
    {"model", "api_key", "api_base", "base_url", "api_version", "timeout", "max_parallel_requests"}
)
_READ_INFO = frozenset({*_PRICES, *_ABILITIES, "max_input_tokens", "max_output_tokens", "mode", "id"})
_OTHER_MODES = frozenset(
    {"embedding", "image_generation", "audio_speech", "audio_transcription", "rerank", "moderation", "completion"}
)


@dataclass(slots=True)
class CarriedOver:
    """The file to write, and in words what could not be carried over."""

    file: DraftFile
    left_out: list[str] = field(default_factory=list)


def from_litellm(text: str, source: str, blended_price: BlendedPrice) -> CarriedOver:
    """The same models, in tiers by price.

    A key written out in the file is never copied: a variable stands in its place and is named in `left_out`.

    Raises:
        ConfigError: the text is not YAML, has no `model_list`, or nothing of it can be carried over.
    """
    document = read_document(text, source, None)
    if document.faults:
        raise config_error(source, document.faults)
    data = document.data
    entries = data.get("model_list") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(entries, list) or not entries:
        raise ConfigError(f"{source}: there is no `model_list`; name the configuration file of a LiteLLM proxy")
    out = CarriedOver(DraftFile(["Made from a LiteLLM proxy file by `pointsman init --from-litellm`; yours to edit."]))
    prices: dict[str, float | None] = {}
    groups: dict[str, str] = {}
    for index, entry in enumerate(entries):
        where = f"model_list[{index}]"
        draft = _model(entry, where, set(prices), out.left_out)
        if draft is None:
            continue
        out.file.models.append(draft)
        assert isinstance(entry, dict)
        groups[draft.name] = str(entry["model_name"])
        prices[draft.name] = _blended(draft, blended_price)
    if not out.file.models:
        raise ConfigError(f"{source}: no model could be carried over: " + "; ".join(out.left_out))
    out.file.tiers = _tiers(prices, groups, out.left_out)
    out.left_out.extend(f"{key}: not carried over" for key in data if key != "model_list")
    return out


def _model(entry: object, where: str, taken: set[str], left_out: list[str]) -> Draft | None:
    params = entry.get("litellm_params") if isinstance(entry, dict) else None
    name = entry.get("model_name") if isinstance(entry, dict) else None
    called = params.get("model") if isinstance(params, dict) else None
    if (
        not isinstance(entry, dict)
        or not isinstance(params, dict)
        or not isinstance(name, str)
        or not isinstance(called, str)
    ):
        left_out.append(f"{where}: has no model_name and litellm_params.model")
        return None
    info = entry.get("model_info")
    info = info if isinstance(info, dict) else {}
    if "*" in name or "*" in called:
        left_out.append(f"{where} ({name}): a wildcard stands for no model of its own; list its models")
        return None
    if info.get("mode") in _OTHER_MODES:
        left_out.append(f"{where} ({name}): {info['mode']} models are not routed")
        return None
    base = params.get("api_base", params.get("base_url"))
    placed = _place(called, base)
    if placed is None:
        left_out.append(f"{where} ({name}): {called.partition('/')[0]} is not reached by an API that Pointsman speaks")
        return None
    provider, model, default_base = placed
    values: dict[str, object] = {"provider": provider, "model": literal(model)}
    _key(values, name, provider, params, where, left_out)
    base_text = _from_environment(base)
    if base_text is not None or default_base is not None:
        values["base_url"] = base_text if base_text is not None else default_base
    elif provider == "azure":
        values["base_url"] = "${AZURE_API_BASE}"  # where LiteLLM looks too
    if provider == "azure" and isinstance(params.get("api_version"), str):
        values["api_version"] = _from_environment(params["api_version"])
    _facts(values, params, info)
    ignored = sorted((set(params) - _READ_PARAMS - set(_PRICES)) | (set(info) - _READ_INFO))
    if ignored:
        left_out.append(f"{where} ({name}): {', '.join(ignored)}")
    return Draft(_free_name(name, taken), values)


def _place(called: str, base: object) -> tuple[str, str, str | None] | None:
    """(provider, model, base URL it implies), None where the provider is not known."""
    prefix, slash, rest = called.partition("/")
    if slash and prefix in _PROVIDERS:
        provider = _PROVIDERS[prefix]
        # `openai/` with an address of its own is LiteLLM's way to name any OpenAI-compatible server.
        own_server = provider == "openai" and isinstance(base, str) and "api.openai.com" not in base
        return ("openai-compatible" if own_server else provider), rest, None
    if slash and prefix in _HOSTS:
        return "openai-compatible", rest, _HOSTS[prefix]
    if not slash:
        if re.match(r"(gpt-|o\d|chatgpt-)", called) and base is None:
            return "openai", called, None
        if called.startswith("claude") and base is None:
            return "anthropic", called, None
        if isinstance(base, str):
            return "openai-compatible", called, None
    return None


def _key(
    values: dict[str, object], name: str, provider: str, params: Mapping[str, Any], where: str, left_out: list[str]
) -> None:
    key = params.get("api_key")
    if isinstance(key, str) and key.startswith("os.environ/"):
        values["api_key"] = _from_environment(key)
    elif key is not None and provider not in ("ollama", "vllm"):
        variable = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_") + "_API_KEY"
        variable = variable if variable[0].isalpha() else f"MODEL_{variable}"
        values["api_key"] = f"${{{variable}}}"
        left_out.append(f"{where} ({name}): its key was written in the file; set the variable {variable} to it")
    elif key is None and provider in _KEY_VARIABLES:
        values["api_key"] = f"${{{_KEY_VARIABLES[provider]}}}"


def _from_environment(value: object) -> str | None:
    """LiteLLM's `os.environ/NAME` as `${NAME}`; other text as it is; None for what is not text."""
    if not isinstance(value, str):
        return None
    if value.startswith("os.environ/"):
        return f"${{{value.removeprefix('os.environ/')}}}"
    return literal(value)


def _facts(values: dict[str, object], params: Mapping[str, Any], info: Mapping[str, Any]) -> None:
    """Price, window, abilities and limits, where they are numbers."""
    price = {
        ours: round(number * 1_000_000, 9)
        for theirs, ours in _PRICES.items()
        if (number := _number(info.get(theirs, params.get(theirs)))) is not None
    }
    if "input_usd_per_mtok" in price and "output_usd_per_mtok" in price:
        values["price"] = price
    for theirs, ours in (("max_input_tokens", "context_window_tokens"), ("max_output_tokens", "max_output_tokens")):
        number = _number(info.get(theirs))
        if number is not None and number >= 1:
            values[ours] = int(number)
    stated = {ability: info[key] for key, ability in _ABILITIES.items() if isinstance(info.get(key), bool)}
    if len(stated) == len(_ABILITIES):
        values["supports"] = [ability for ability, has in stated.items() if has]
    for theirs, ours in (("timeout", "timeout_s"), ("max_parallel_requests", "max_concurrency")):
        number = _number(params.get(theirs))
        if number is not None and number > 0:
            values[ours] = int(number) if number == int(number) else number


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    # YAML 1.1 reads 1e-06 as text.
    if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?([eE][-+]?\d+)?", value):
        return float(value)
    return None


def _free_name(name: str, taken: set[str]) -> str:
    """A name Pointsman allows, with a number behind it when LiteLLM's deployments share one."""
    clean = re.sub(r"[^A-Za-z0-9._:/@+-]+", "-", name).strip("-._:/@+")[:100]
    clean = (
        clean if clean and clean not in ("auto", "claude-auto") and not clean.startswith("auto:") else f"model-{clean}"
    )
    candidate, number = clean, 2
    while candidate in taken or candidate in ("cheap", "strong"):
        candidate, number = f"{clean}-{number}", number + 1
    return candidate


def _blended(draft: Draft, blended_price: BlendedPrice) -> float | None:
    price = draft.values.get("price")
    if isinstance(price, dict):
        return float(3 * price["input_usd_per_mtok"] + price["output_usd_per_mtok"]) / 4
    base = draft.values.get("base_url")
    return blended_price(
        str(draft.values["provider"]), str(draft.values["model"]), base if isinstance(base, str) else None
    )


def _tiers(
    prices: Mapping[str, float | None], groups: Mapping[str, str], left_out: list[str]
) -> list[tuple[str, list[str]]]:
    """Two tiers, parted where the price rises by the largest factor; deployments of one name stay together."""
    of_group: dict[str, float] = {}
    for name, price in prices.items():
        if price is not None:
            of_group[groups[name]] = min(price, of_group.get(groups[name], price))
    order = sorted(of_group, key=lambda group: of_group[group])
    left_out.extend(
        f"{name}: no price is known, so it is in no tier; give it a `price:` and put it into one"
        for name in prices
        if order and groups[name] not in of_group
    )
    if not order:
        return [("cheap", list(prices))]
    least = 0.001  # a model of one's own at no price still has a factor to the next
    steps = [max(of_group[b], least) / max(of_group[a], least) for a, b in pairwise(order)]
    cut = steps.index(max(steps)) + 1 if steps and max(steps) > 1 else len(order)

    def members(part: list[str]) -> list[str]:
        return [name for group in part for name in prices if groups[name] == group]

    return [(tier, members(part)) for tier, part in (("cheap", order[:cut]), ("strong", order[cut:])) if part]
