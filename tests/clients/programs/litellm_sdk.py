"""The litellm SDK: Chat Completions as provider `openai`, Messages as provider `anthropic`, Responses."""

from __future__ import annotations

import os
from typing import Any

# Else it downloads a price list when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
HELLO = [{"role": "user", "content": "Hello"}]


def _asked(url: str, key: str, provider: str = "openai", model: str = "auto", **given: Any) -> Any:
    base = f"{url}/v1" if provider == "openai" else url
    return litellm.completion(model=f"{provider}/{model}", api_base=base, api_key=key, **given)


def plain(url: str, key: str) -> object:
    return _asked(url, key, messages=HELLO).choices[0].message.content


def stream(url: str, key: str) -> object:
    chunks = _asked(url, key, messages=HELLO, stream=True)
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def _loop(url: str, key: str, provider: str) -> object:
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Bern?"}]
    for _ in range(4):
        answer = _asked(url, key, provider, messages=messages, tools=TOOLS).choices[0].message
        if not answer.tool_calls:
            return answer.content
        messages.append(answer)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "7 degrees"} for call in answer.tool_calls]
    return None


def tools(url: str, key: str) -> object:
    return _loop(url, key, "openai")


def plain_messages(url: str, key: str) -> object:
    return _asked(url, key, "anthropic", messages=HELLO).choices[0].message.content


def stream_messages(url: str, key: str) -> object:
    chunks = _asked(url, key, "anthropic", messages=HELLO, stream=True)
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def tools_messages(url: str, key: str) -> object:
    return _loop(url, key, "anthropic")


def plain_responses(url: str, key: str) -> object:
    answer = litellm.responses(model="openai/auto", input="Hello", api_base=f"{url}/v1", api_key=key)
    return "".join(part.text for item in answer.output if item.type == "message" for part in item.content)


def embeddings(url: str, key: str) -> object:
    return len(litellm.embedding(model="openai/small", input=["Hello"], api_base=f"{url}/v1", api_key=key).data)


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _asked(url, key, model=model, messages=[{"role": "user", "content": text}])
    except (
        litellm.exceptions.RateLimitError,
        litellm.exceptions.NotFoundError,
        litellm.exceptions.AuthenticationError,
    ) as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
