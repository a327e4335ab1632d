"""pydantic-ai with all three of its wire formats."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelHTTPError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    """A city."""

    name: str
    population: int


def get_weather(city: str) -> str:
    """How warm it is in a city."""
    return f"7 degrees in {city}"


def _chat(url: str, key: str, model: str = "auto") -> Any:
    return OpenAIChatModel(model, provider=OpenAIProvider(base_url=f"{url}/v1", api_key=key))


def _responses(url: str, key: str) -> Any:
    return OpenAIResponsesModel("auto", provider=OpenAIProvider(base_url=f"{url}/v1", api_key=key))


def _messages(url: str, key: str) -> Any:
    return AnthropicModel("auto", provider=AnthropicProvider(base_url=url, api_key=key))


def _plain(model: Any) -> object:
    return Agent(model).run_sync("Hello").output


def _stream(model: Any) -> object:
    async def pieces() -> list[str]:
        async with Agent(model).run_stream("Hello") as answer:
            return [piece async for piece in answer.stream_text(delta=True, debounce_by=None)]

    return asyncio.run(pieces())


def _tools(model: Any) -> object:
    agent = Agent(model)
    agent.tool_plain(get_weather)
    return agent.run_sync("How is the weather in Bern?").output


def plain(url: str, key: str) -> object:
    return _plain(_chat(url, key))


def stream(url: str, key: str) -> object:
    return _stream(_chat(url, key))


def tools(url: str, key: str) -> object:
    return _tools(_chat(url, key))


def plain_responses(url: str, key: str) -> object:
    return _plain(_responses(url, key))


def stream_responses(url: str, key: str) -> object:
    return _stream(_responses(url, key))


def tools_responses(url: str, key: str) -> object:
    return _tools(_responses(url, key))


def plain_messages(url: str, key: str) -> object:
    return _plain(_messages(url, key))


def stream_messages(url: str, key: str) -> object:
    return _stream(_messages(url, key))


def tools_messages(url: str, key: str) -> object:
    return _tools(_messages(url, key))


def structured(url: str, key: str) -> object:
    agents = [Agent(model, output_type=City) for model in (_chat(url, key), _responses(url, key), _messages(url, key))]
    return [type(agent.run_sync("Name a city").output).__name__ for agent in agents]


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        Agent(_chat(url, key, model)).run_sync(text)
    except ModelHTTPError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
