"""llama-index's OpenAILike: Chat Completions, and the legacy completions endpoint."""

from __future__ import annotations

from typing import Any

import openai
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


def get_weather(city: str) -> str:
    """How warm it is in a city."""
    return f"7 degrees in {city}"


def _model(url: str, key: str, model: str = "auto", *, chat: bool = True) -> Any:
    return OpenAILike(
        model=model,
        api_base=f"{url}/v1",
        api_key=key,
        is_chat_model=chat,
        is_function_calling_model=chat,
        max_retries=1,
    )


def plain(url: str, key: str) -> object:
    return _model(url, key).chat([ChatMessage("Hello")]).message.content


def stream(url: str, key: str) -> object:
    return [piece.delta for piece in _model(url, key).stream_chat([ChatMessage("Hello")]) if piece.delta]


def tools(url: str, key: str) -> object:
    model, history = _model(url, key), [ChatMessage("How is the weather in Bern?")]
    tool = FunctionTool.from_defaults(get_weather)
    for _ in range(4):
        answer = model.chat_with_tools([tool], chat_history=history)
        calls = model.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        if not calls:
            return answer.message.content
        history.append(answer.message)
        for call in calls:
            result = str(tool(**call.tool_kwargs))
            history.append(ChatMessage(result, role="tool", additional_kwargs={"tool_call_id": call.tool_id}))
    return None


def legacy(url: str, key: str) -> object:
    return _model(url, key, "small", chat=False).complete("Hello").text


def _error(url: str, key: str, model: str, text: str) -> object:
    try:
        _model(url, key, model).chat([ChatMessage(text)])
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def rate_limited(url: str, key: str) -> object:
    return _error(url, key, "auto", "Too many of us")


def unknown_model(url: str, key: str) -> object:
    return _error(url, key, "no-such-model", "Hello")


def bad_key(url: str, key: str) -> object:
    return _error(url, "sk-wrong-key", "auto", "Hello")
