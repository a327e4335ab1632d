"""Writes requests in Responses (platform.openai.com/docs/api-reference/responses, read 2026-11)."""

from __future__ import annotations

from pointsman.vocabulary import JSONObject, Model
from pointsman.wire.translate.conversation import (
    Call,
    Choice,
    Conversation,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Result,
    Text,
    Thinking,
    Tool,
)
from pointsman.wire.translate.media import (
    data_url,
    plain,
)
from pointsman.wire.translate.openai_fields import effort_for, write_sampling
from pointsman.wire.translate.pairing import paired
from pointsman.wire.translate.seals import OPENAI, opened
from pointsman.wire.translate.traits import openai_traits
from pointsman.wire.translate.values import arguments_of
from pointsman.wire.translate.write_chat import format_fields

LEAST_MAX_TOKENS = 16
"""The least `max_output_tokens` that is accepted ("Expected a value >= 16")."""


def write(asked: Conversation, model: Model) -> JSONObject:
    """The body for this model; what it cannot hold is noted in `asked.dropped`."""
    traits = openai_traits(model.provider_model)
    messages = paired(asked.messages)
    custom = {tool.name for tool in asked.tools if tool.custom is not None}
    custom_ids = {
        part.id for message in messages for part in message.parts if isinstance(part, Call) and part.name in custom
    }
    instructions: list[str] = []
    while messages and messages[0].role == "system" and len(messages) > 1:
        instructions.append("\n\n".join(part.text for part in messages.pop(0).parts if isinstance(part, Text)))
    items: list[JSONObject] = []
    for message in messages:
        _write_message(asked, message, items, custom, custom_ids)
    body: JSONObject = {"model": model.provider_model, "input": items}
    if any(instructions):
        body["instructions"] = "\n\n".join(told for told in instructions if told)
    if asked.tools:
        body["tools"] = [_write_tool(tool) for tool in asked.tools]
        if asked.choice is not None:
            body["tool_choice"] = _write_choice(asked.choice, custom)
        if asked.parallel is not None:
            body["parallel_tool_calls"] = asked.parallel
    if asked.max_tokens is not None:
        body["max_output_tokens"] = max(asked.max_tokens, LEAST_MAX_TOKENS)
    write_sampling(asked, traits, body)
    if asked.stop:
        asked.drop("stop")
    effort = effort_for(asked, traits)
    if traits.thinking == "effort" and asked.reasoning is not None and asked.reasoning.enabled:
        reasoning: JSONObject = {} if effort is None else {"effort": effort}
        if asked.reasoning.visible:
            reasoning["summary"] = "auto"
        if reasoning:
            body["reasoning"] = reasoning
    text: JSONObject = {}
    if asked.format is not None:
        text["format"] = (
            {"type": "json_object"}
            if asked.format.schema is None
            else {"type": "json_schema", **format_fields(asked.format)}
        )
    if asked.verbosity is not None:
        text["verbosity"] = asked.verbosity
    if text:
        body["text"] = text
    body |= asked.shared
    # The other two dialects keep nothing unless told to; here an answer is kept unless told not to.
    body.setdefault("store", False)
    if asked.user is not None:
        asked.drop("metadata.user_id")
    if asked.stream:
        body["stream"] = True
    return body


def _write_message(
    asked: Conversation, message: Message, out: list[JSONObject], custom: set[str], custom_ids: set[str]
) -> None:
    speaks = message.role == "assistant"
    role = "developer" if message.role == "system" else message.role
    content: list[JSONObject] = []

    def flush() -> None:
        if content:
            out.append({"type": "message", "role": role, "content": list(content)})
            content.clear()

    for part in message.parts:
        match part:
            case Call():
                flush()
                out.append(_write_call(part, custom))
            case Result():
                flush()
                output = _write_output(asked, part)
                kind = "custom_tool_call_output" if part.call_id in custom_ids else "function_call_output"
                out.append({"type": kind, "call_id": part.call_id, "output": output})
            case Thinking(text, sealed):
                fields = opened(sealed, OPENAI)
                if fields is None:
                    asked.drop("reasoning of another provider")
                    continue
                flush()
                summary = [{"type": "summary_text", "text": text}] if text else []
                item: JSONObject = {"type": "reasoning", "summary": summary, "encrypted_content": fields["encrypted"]}
                out.append(item | {"id": fields["id"]} if fields.get("id") else item)
            case Refusal(text):
                content.append({"type": "refusal", "refusal": text} if speaks else {"type": "input_text", "text": text})
            case _ if (written := _write_part(asked, part, speaks=speaks)) is not None:
                content.append(written)
    flush()


def _write_call(call: Call, custom: set[str]) -> JSONObject:
    if call.name in custom:
        given = arguments_of(call.arguments).get("input")
        text = given if isinstance(given, str) else call.arguments
        return {"type": "custom_tool_call", "call_id": call.id, "name": call.name, "input": text}
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments or "{}"}


def _write_output(asked: Conversation, result: Result) -> str | list[JSONObject]:
    if all(isinstance(part, Text) for part in result.parts):
        said = plain(result.parts)
        return f"Error: {said}" if result.is_error else said
    return [written for part in result.parts if (written := _write_part(asked, part, speaks=False)) is not None]


def _write_part(asked: Conversation, part: Part, *, speaks: bool) -> JSONObject | None:
    match part:
        case Text(text):
            return {"type": "output_text" if speaks else "input_text", "text": text} if text else None
        case Image() if not speaks:
            url = data_url(part.media_type, part.data) if part.data is not None else part.url
            return {"type": "input_image", "image_url": url, "detail": "auto" if part.detail is None else part.detail}
        case File() if not speaks:
            if part.text is not None:
                return {"type": "input_text", "text": part.text if part.name is None else f"{part.name}:\n{part.text}"}
            if part.url is not None:
                return {"type": "input_file", "file_url": part.url}
            name = "document" if part.name is None else part.name
            return {"type": "input_file", "filename": name, "file_data": data_url(part.media_type, part.data or "")}
    asked.drop("pictures and files of the assistant's")
    return None


def _write_tool(tool: Tool) -> JSONObject:
    if tool.custom is not None:
        return _write_custom(tool)
    out: JSONObject = {"type": "function", "name": tool.name, "parameters": tool.schema}
    if tool.description is not None:
        out["description"] = tool.description
    # Left out it would mean strict; in the other two dialects it does not.
    out["strict"] = tool.strict is True
    return out


def _write_custom(tool: Tool) -> JSONObject:
    assert tool.custom is not None
    out: JSONObject = {"type": "custom", "name": tool.name}
    if isinstance(tool.custom.get("description"), str):
        out["description"] = tool.custom["description"]
    form = tool.custom.get("format")
    if isinstance(form, dict):
        grammar = form.get("grammar")
        out["format"] = {"type": "grammar", **grammar} if isinstance(grammar, dict) else form
    return out


def _write_choice(choice: Choice, custom: set[str]) -> str | JSONObject:
    def named(name: str) -> JSONObject:
        return {"type": "custom" if name in custom else "function", "name": name}

    if choice.allowed is not None:
        mode = "required" if choice.mode == "any" else "auto"
        return {"type": "allowed_tools", "mode": mode, "tools": [named(name) for name in choice.allowed]}
    if choice.name is not None:
        return named(choice.name)
    return "required" if choice.mode == "any" else choice.mode
