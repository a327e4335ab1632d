"""The openai package, Chat Completions."""

from __future__ import annotations

from typing import Any

from openai import APIStatusError, OpenAI

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def _client(url: str, key: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=key)


def plain(url: str, key: str) -> object:
    answer = _client(url, key).chat.completions.create(model="auto", messages=[{"role": "user", "content": "Hello"}])
    return answer.choices[0].message.content


def stream(url: str, key: str) -> object:
    chunks = _client(url, key).chat.completions.create(
        model="auto", messages=[{"role": "user", "content": "Hello"}], stream=True
    )
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]


def tools(url: str, key: str) -> object:
    client = _client(url, key)
    messages: list[Any] = [{"role": "user", "content": "How is the weather in Bern?"}]
    for _ in range(4):
        answer = client.chat.completions.create(model="auto", messages=messages, tools=TOOLS).choices[0].message
        if not answer.tool_calls:
            return answer.content
        messages.append(answer)
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "7 degrees"} for call in answer.tool_calls]
    return None


def models(url: str, key: str) -> object:
    return [model.id for model in _client(url, key).models.list()]


def embeddings(url: str, key: str) -> object:
    return len(_client(url, key).embeddings.create(model="small", input="Hello").data)


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _client(url, key).chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    except APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
