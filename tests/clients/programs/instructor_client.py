"""instructor: every answer is an object, by a forced tool or by a JSON Schema."""

from __future__ import annotations

from typing import Any

import anthropic
import instructor
import openai
from instructor.core import InstructorRetryException
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    population: int


def _openai(url: str, key: str, mode: Any) -> Any:
    return instructor.from_openai(openai.OpenAI(base_url=f"{url}/v1", api_key=key), mode=mode)


def _asked(client: Any, **given: Any) -> object:
    city = client.chat.completions.create(
        model="auto",
        response_model=City,
        max_retries=1,
        messages=[{"role": "user", "content": "Name a city"}],
        **given,
    )
    return [type(city).__name__, type(city.name).__name__, type(city.population).__name__]


def plain(url: str, key: str) -> object:
    return _asked(_openai(url, key, instructor.Mode.TOOLS))


def schema(url: str, key: str) -> object:
    return _asked(_openai(url, key, instructor.Mode.JSON_SCHEMA))


def responses(url: str, key: str) -> object:
    return _asked(_openai(url, key, instructor.Mode.RESPONSES_TOOLS))


def messages(url: str, key: str) -> object:
    client = instructor.from_anthropic(anthropic.Anthropic(base_url=url, api_key=key))
    return _asked(client, max_tokens=100)


def stream(url: str, key: str) -> object:
    partial = _openai(url, key, instructor.Mode.TOOLS).chat.completions.create_partial(
        model="auto", response_model=City, messages=[{"role": "user", "content": "Name a city"}]
    )
    last = list(partial)[-1]
    return [type(last.name).__name__, type(last.population).__name__]


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _openai(url, key, instructor.Mode.TOOLS).chat.completions.create(
            model=model, response_model=City, max_retries=1, messages=[{"role": "user", "content": text}]
        )
    except InstructorRetryException as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, openai.APIStatusError):
            cause = cause.__cause__
        return None if cause is None else [type(cause).__name__, cause.status_code]
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
