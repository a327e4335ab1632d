"""The openai package, Responses."""

from __future__ import annotations

from typing import Any

from openai import APIStatusError, OpenAI

TOOLS: list[Any] = [
    {
        "type": "function",
        "name": "get_weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
]


def _client(url: str, key: str) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key=key)


def plain(url: str, key: str) -> object:
    return _client(url, key).responses.create(model="auto", input="Hello").output_text


def stream(url: str, key: str) -> object:
    events = _client(url, key).responses.create(model="auto", input="Hello", stream=True)
    return [event.delta for event in events if event.type == "response.output_text.delta"]


def tools(url: str, key: str) -> object:
    """The tool's result goes with `previous_response_id`: the gateway has to find who holds it."""
    client = _client(url, key)
    answer = client.responses.create(model="auto", input="How is the weather in Bern?", tools=TOOLS)
    results: list[Any] = [
        {"type": "function_call_output", "call_id": item.call_id, "output": "7 degrees"}
        for item in answer.output
        if item.type == "function_call"
    ]
    return client.responses.create(model="auto", previous_response_id=answer.id, input=results, tools=TOOLS).output_text


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _client(url, key).responses.create(model=model, input=text)
    except APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
