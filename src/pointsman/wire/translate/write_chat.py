"""Writes requests in Chat Completions (platform.openai.com/docs/api-reference/chat, read 2026-11)."""

from __future__ import annotations

from pointsman.vocabulary import JSONObject, Model
from pointsman.wire.translate.conversation import (
    Call,
    Choice,
    Conversation,
    File,
    Format,
    Image,
    Message,
    Part,
    Refusal,
    Result,
    Text,
    Thinking,
    Tool,
)
from pointsman.wire.translate.media import LEFT_OUT_FILE, data_url, plain
from pointsman.wire.translate.openai_fields import effort_for, write_sampling
from pointsman.wire.translate.pairing import paired
from pointsman.wire.translate.schemas import fits_strict
from pointsman.wire.translate.traits import openai_traits

OFFICIAL = ("openai", "azure")
"""Providers whose chat endpoint takes `max_completion_tokens`; most servers of others know `max_tokens` only."""


def write(asked: Conversation, model: Model) -> JSONObject:
    """The body for this model; what it cannot hold is noted in `asked.dropped`."""
    traits = openai_traits(model.provider_model)
    official = model.provider in OFFICIAL
    messages: list[JSONObject] = []
    for message in paired(asked.messages):
        _write_message(asked, message, messages)
    body: JSONObject = {"model": model.provider_model, "messages": messages}
    tools = [_write_tool(tool) for tool in asked.tools]
    if tools:
        body["tools"] = tools
        if asked.choice is not None:
            body["tool_choice"] = _write_choice(asked.choice)
        if asked.parallel is not None:
            body["parallel_tool_calls"] = asked.parallel
    if asked.max_tokens is not None:
        body["max_completion_tokens" if official else "max_tokens"] = asked.max_tokens
    write_sampling(asked, traits, body)
    if asked.stop and traits.sampling:
        body["stop"] = asked.stop[:4]
    if len(asked.stop) > 4 or (asked.stop and not traits.sampling):
        asked.drop("stop")
    effort = effort_for(asked, traits)
    if effort is not None:
        body["reasoning_effort"] = effort
    if asked.format is not None:
        body["response_format"] = _write_format(asked.format)
    if asked.verbosity is not None:
        body["verbosity"] = asked.verbosity
    for key, value in asked.shared.items():
        if official:
            body[key] = value
        else:
            asked.drop(key)
    if asked.user is not None:
        asked.drop("metadata.user_id")
    if asked.stream:
        body["stream"] = True
        if model.stream_usage_option:
            body["stream_options"] = {"include_usage": True}
    return body


def _write_message(asked: Conversation, message: Message, out: list[JSONObject]) -> None:
    if message.role == "system":
        told = "\n\n".join(part.text for part in message.parts if isinstance(part, Text) and part.text)
        if told:
            out.append({"role": "system", "content": told})
    elif message.role == "assistant":
        out.append(_write_assistant(asked, message.parts))
    else:
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, Result):
                out.append({"role": "tool", "tool_call_id": part.call_id, "content": _result_words(part)})
                seen = [inner for inner in part.parts if isinstance(inner, Image) or _is_bytes(inner)]
                if seen:
                    # A tool's message holds words only.
                    rest += [Text(f"What tool call {part.call_id} gave back beside its words:"), *seen]
            else:
                rest.append(part)
        content = _write_content(asked, rest)
        if content:
            out.append({"role": "user", "content": content})


def _is_bytes(part: Part) -> bool:
    return isinstance(part, File) and part.text is None


def _result_words(result: Result) -> str:
    said = plain(result.parts)
    return f"Error: {said}" if result.is_error else said


def _write_assistant(asked: Conversation, parts: list[Part]) -> JSONObject:
    texts, refusals, calls = [], [], []
    for part in parts:
        match part:
            case Text(text):
                texts.append(text)
            case Refusal(text):
                refusals.append(text)
            case Call():
                function = {"name": part.name, "arguments": part.arguments or "{}"}
                calls.append({"id": part.id, "type": "function", "function": function})
            case Thinking():
                asked.drop("reasoning of another provider")
            case _:
                asked.drop("pictures and files of the assistant's")
    message: JSONObject = {"role": "assistant", "content": "\n".join(texts) if texts else None}
    if refusals:
        message["refusal"] = "\n".join(refusals)
    if calls:
        message["tool_calls"] = calls
    elif not texts and not refusals:
        message["content"] = ""
    return message


def _write_content(asked: Conversation, parts: list[Part]) -> str | list[JSONObject]:
    """One string when there is nothing but words, which every server takes; else a list."""
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    out: list[JSONObject] = []
    for part in parts:
        match part:
            case Text(text) if text:
                out.append({"type": "text", "text": text})
            case Image():
                url = data_url(part.media_type, part.data) if part.data is not None else part.url
                image = {"url": url} if part.detail is None else {"url": url, "detail": part.detail}
                out.append({"type": "image_url", "image_url": image})
            case File():
                out.append(_write_file(asked, part))
            case _:
                pass
    return out


def _write_file(asked: Conversation, part: File) -> JSONObject:
    if part.text is not None:
        return {"type": "text", "text": part.text if part.name is None else f"{part.name}:\n{part.text}"}
    if part.data is not None:
        name = "document" if part.name is None else part.name
        return {"type": "file", "file": {"filename": name, "file_data": data_url(part.media_type, part.data)}}
    asked.drop("a document's address")
    return {"type": "text", "text": f"[document: {part.url}]" if part.url is not None else LEFT_OUT_FILE}


def _write_tool(tool: Tool) -> JSONObject:
    function: JSONObject = {"name": tool.name, "parameters": tool.schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None and (tool.strict is False or fits_strict(tool.schema)):
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _write_choice(choice: Choice) -> str | JSONObject:
    if choice.allowed is not None:
        tools = [{"type": "function", "function": {"name": name}} for name in choice.allowed]
        mode = "required" if choice.mode == "any" else "auto"
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}
    if choice.name is not None:
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.mode == "any" else choice.mode


def _write_format(wanted: Format) -> JSONObject:
    if wanted.schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": format_fields(wanted)}


def format_fields(wanted: Format) -> JSONObject:
    """Name, schema and strictness, as both OpenAI dialects write them. Where the client's dialect knows no other than
    strict answers, they are strict as far as OpenAI takes the schema so."""
    out: JSONObject = {"name": "answer" if wanted.name is None else wanted.name, "schema": wanted.schema}
    if wanted.description is not None:
        out["description"] = wanted.description
    out["strict"] = fits_strict(wanted.schema) if wanted.strict is None and wanted.name is None else wanted.strict
    if out["strict"] is None:
        del out["strict"]
    return out
