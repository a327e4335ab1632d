"""The anthropic package."""

from __future__ import annotations

from typing import Any

from anthropic import Anthropic, APIStatusError

TOOLS: list[Any] = [
    {
        "name": "get_weather",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def _client(url: str, key: str) -> Anthropic:
    return Anthropic(base_url=url, api_key=key)


def plain(url: str, key: str) -> object:
    answer = _client(url, key).messages.create(
        model="auto", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
    )
    return "".join(block.text for block in answer.content if block.type == "text")


def stream(url: str, key: str) -> object:
    with _client(url, key).messages.stream(
        model="auto", max_tokens=100, messages=[{"role": "user", "content": "Hello"}]
    ) as events:
        return list(events.text_stream)


def tools(url: str, key: str) -> object:
    client = _client(url, key)
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Bern?"}]
    for _ in range(4):
        answer = client.messages.create(model="auto", max_tokens=100, messages=messages, tools=TOOLS)
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "7 degrees"}
            for block in answer.content
            if block.type == "tool_use"
        ]
        if not results:
            return "".join(block.text for block in answer.content if block.type == "text")
        messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": results}]
    return None


def models(url: str, key: str) -> object:
    return [model.id for model in _client(url, key).models.list()]


def count(url: str, key: str) -> object:
    counted = _client(url, key).messages.count_tokens(model="auto", messages=[{"role": "user", "content": "Hello"}])
    return counted.input_tokens


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _client(url, key).messages.create(model=model, max_tokens=100, messages=[{"role": "user", "content": text}])
    except APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
