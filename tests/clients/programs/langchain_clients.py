"""langchain-openai (Chat Completions and Responses) and langchain-anthropic."""

from __future__ import annotations

from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings


def _weather(city: str) -> str:
    return f"7 degrees in {city}"


get_weather: Any = tool("get_weather", description="How warm it is in a city.")(_weather)


def _chat(url: str, key: str, model: str = "auto") -> Any:
    return ChatOpenAI(model=model, base_url=f"{url}/v1", api_key=key)


def _responses(url: str, key: str) -> Any:
    return ChatOpenAI(model="auto", base_url=f"{url}/v1", api_key=key, use_responses_api=True)


def _messages(url: str, key: str) -> Any:
    return ChatAnthropic(model="auto", base_url=url, api_key=key, max_tokens=100)


def _loop(model: Any) -> object:
    messages: list[Any] = [HumanMessage("How is the weather in Bern?")]
    bound = model.bind_tools([get_weather])
    for _ in range(4):
        answer = bound.invoke(messages)
        if not answer.tool_calls:
            return answer.text
        messages.append(answer)
        messages += [
            ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"]) for call in answer.tool_calls
        ]
    return None


def _pieces(model: Any) -> object:
    return [piece.text for piece in model.stream("Hello") if piece.text]


def plain(url: str, key: str) -> object:
    return _chat(url, key).invoke("Hello").text


def stream(url: str, key: str) -> object:
    return _pieces(_chat(url, key))


def tools(url: str, key: str) -> object:
    return _loop(_chat(url, key))


def plain_responses(url: str, key: str) -> object:
    return _responses(url, key).invoke("Hello").text


def stream_responses(url: str, key: str) -> object:
    return _pieces(_responses(url, key))


def tools_responses(url: str, key: str) -> object:
    return _loop(_responses(url, key))


def plain_messages(url: str, key: str) -> object:
    return _messages(url, key).invoke("Hello").text


def stream_messages(url: str, key: str) -> object:
    return _pieces(_messages(url, key))


def tools_messages(url: str, key: str) -> object:
    return _loop(_messages(url, key))


def embeddings(url: str, key: str) -> object:
    embedder = OpenAIEmbeddings(model="small", base_url=f"{url}/v1", api_key=key, check_embedding_ctx_length=False)
    return len(embedder.embed_documents(["Hello"]))


def rate_limited(url: str, key: str) -> object:
    try:
        _messages(url, key).invoke("Too many of us")
    except anthropic.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def unknown_model(url: str, key: str) -> object:
    try:
        _chat(url, key, "no-such-model").invoke("Hello")
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None


def bad_key(url: str, key: str) -> object:
    try:
        _chat(url, "sk-wrong-key").invoke("Hello")
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code]
    return None
