"""Writes requests in Anthropic Messages (platform.claude.com/docs/en/api/messages, read 2026-11)."""

from __future__ import annotations

from pointsman.vocabulary import JSONObject, Model
from pointsman.wire.translate.conversation import (
    Call,
    Conversation,
    File,
    Image,
    Message,
    Part,
    Refusal,
    Result,
    Text,
    Thinking,
)
from pointsman.wire.translate.media import LEFT_OUT_FILE
from pointsman.wire.translate.pairing import paired
from pointsman.wire.translate.schemas import for_anthropic
from pointsman.wire.translate.seals import ANTHROPIC, opened
from pointsman.wire.translate.traits import Traits, claude_traits, effort_of
from pointsman.wire.translate.values import arguments_of

DEFAULT_MAX_TOKENS = 8_192
"""For a client that set no limit, where Anthropic demands one and the model's own is not known."""
MOST_MAX_TOKENS = 32_000
"""The highest limit set for such a client: models stop long before, and rate limits may count what is allowed."""
LEAST_BUDGET_TOKENS = 1_024
"""Anthropic's least `budget_tokens` ("Extended thinking")."""
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 31_999}
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
_JSON_ONLY = "Answer with one JSON object and nothing else."
EPHEMERAL: JSONObject = {"type": "ephemeral"}


def write(asked: Conversation, model: Model) -> JSONObject:
    """The body for this model; what it cannot hold is noted in `asked.dropped`."""
    traits = claude_traits(model.provider_model)
    messages = paired(asked.messages)
    system = _write_system(asked, messages)
    body: JSONObject = {"model": model.provider_model, "max_tokens": _max_tokens(asked, model)}
    turns = _write_turns(asked, messages)
    tools = _write_tools(asked, body)
    _write_thinking(asked, traits, turns, body, model)
    if system:
        body["system"] = system
    body["messages"] = turns
    if tools:
        body["tools"] = tools
    _write_format(asked, body)
    _write_sampling(asked, traits, body)
    stops = [stop for stop in asked.stop if isinstance(stop, str) and stop.strip()]
    if stops:
        body["stop_sequences"] = stops
    if len(stops) != len(asked.stop):
        asked.drop("stop")
    user = asked.user if asked.user is not None else asked.shared.get("safety_identifier", asked.shared.get("user"))
    if isinstance(user, str) and 0 < len(user) <= 256:
        body["metadata"] = {"user_id": user}
    if asked.stream:
        body["stream"] = True
    if asked.caches or "prompt_cache_key" in asked.shared or "prompt_cache_retention" in asked.shared:
        _mark_cache(system, turns)
    for key in asked.shared.keys() - {
        "safety_identifier",
        "user",
        "store",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    }:
        asked.drop(key)
    if asked.verbosity is not None:
        asked.drop("verbosity")
    return body


def _max_tokens(asked: Conversation, model: Model) -> int:
    if asked.max_tokens is not None:
        return asked.max_tokens
    most = model.capabilities.max_output_tokens
    return DEFAULT_MAX_TOKENS if most is None else min(most, MOST_MAX_TOKENS)


def _cached(block: JSONObject, cache: JSONObject | None) -> JSONObject:
    return block if cache is None else block | {"cache_control": cache}


def _write_system(asked: Conversation, messages: list[Message]) -> list[JSONObject]:
    """The system turns before the first other one, which are taken out of `messages`; later ones become user turns,
    in tags, because most models refuse the role there and moving them to the front would change their meaning."""
    system: list[JSONObject] = []
    first = next((n for n, message in enumerate(messages) if message.role != "system"), len(messages))
    if first == len(messages) and messages:
        first -= 1  # There must be a user turn: the last system prompt is what the client wants answered.
        messages[first].role = "user"
    for message in messages[:first]:
        system += _text_blocks(message.parts)
    del messages[:first]
    if asked.format is not None and asked.format.schema is None:
        system.append({"type": "text", "text": _JSON_ONLY})
    for message in messages:
        if message.role == "system":
            message.role = "user"
            for n, part in enumerate(message.parts):
                if isinstance(part, Text) and part.text.strip():
                    message.parts[n] = Text(f"<system>\n{part.text}\n</system>", part.cache)
    return system


def _text_blocks(parts: list[Part]) -> list[JSONObject]:
    return [
        _cached({"type": "text", "text": part.text}, part.cache)
        for part in parts
        if isinstance(part, Text) and part.text.strip()
    ]


def _write_turns(asked: Conversation, messages: list[Message]) -> list[JSONObject]:
    turns: list[JSONObject] = []
    for message in messages:
        blocks = [block for part in _ordered(message) if (block := _write_part(asked, part)) is not None]
        if not blocks:
            continue
        if turns and turns[-1]["role"] == message.role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": message.role, "content": blocks})
    if not turns or turns[0]["role"] == "assistant":
        turns.insert(0, {"role": "user", "content": [{"type": "text", "text": "(start)"}]})
    if turns[-1]["role"] == "assistant":
        # Elsewhere an answer may follow an assistant's turn; here the last one would be continued, or refused.
        turns.append({"role": "user", "content": [{"type": "text", "text": "(continue)"}]})
    return turns


def _ordered(message: Message) -> list[Part]:
    """Calls last in an assistant's turn, results first in a user's."""
    if message.role == "assistant":
        return sorted(message.parts, key=lambda part: isinstance(part, Call))
    return sorted(message.parts, key=lambda part: not isinstance(part, Result))


def _write_part(asked: Conversation, part: Part) -> JSONObject | None:
    match part:
        case Text(text, cache):
            # Blocks of nothing but blanks are refused.
            return _cached({"type": "text", "text": text}, cache) if text.strip() else None
        case Refusal(text):
            return {"type": "text", "text": text} if text.strip() else None
        case Image():
            source: JSONObject = (
                {"type": "url", "url": part.url}
                if part.data is None
                else {"type": "base64", "media_type": part.media_type or "image/png", "data": part.data}
            )
            return _cached({"type": "image", "source": source}, part.cache)
        case File():
            return _write_file(asked, part)
        case Thinking(text, sealed):
            fields = opened(sealed, ANTHROPIC)
            if fields is None:
                asked.drop("reasoning of another provider")
                return None
            if "data" in fields:
                return {"type": "redacted_thinking", "data": fields["data"]}
            # What the client shows may be shorter than what was signed.
            return {
                "type": "thinking",
                "thinking": fields.get("text", text),
                "signature": fields.get("signature", ""),
            }
        case Call():
            block: JSONObject = {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": arguments_of(part.arguments),
            }
            return _cached(block, part.cache)
        case Result():
            inner = [made for piece in part.parts if (made := _write_part(asked, piece)) is not None]
            result: JSONObject = {"type": "tool_result", "tool_use_id": part.call_id}
            if len(inner) == 1 and inner[0].keys() == {"type", "text"}:
                result["content"] = inner[0]["text"]
            elif inner:
                result["content"] = inner
            if part.is_error:
                result["is_error"] = True
            return _cached(result, part.cache)


def _write_file(asked: Conversation, part: File) -> JSONObject:
    if part.text is not None:
        source: JSONObject = {"type": "text", "media_type": "text/plain", "data": part.text}
    elif part.url is not None:
        source = {"type": "url", "url": part.url}
    elif part.media_type == "application/pdf":
        source = {"type": "base64", "media_type": "application/pdf", "data": part.data}
    else:
        asked.drop(f"file of type {part.media_type}")
        return _cached({"type": "text", "text": LEFT_OUT_FILE}, part.cache)
    block: JSONObject = {"type": "document", "source": source}
    if part.name is not None:
        block["title"] = part.name
    return _cached(block, part.cache)


def _write_tools(asked: Conversation, body: JSONObject) -> list[JSONObject]:
    tools: list[JSONObject] = []
    allowed = None if asked.choice is None else asked.choice.allowed
    for tool in asked.tools:
        if allowed is not None and tool.name not in allowed:
            continue
        schema = tool.schema if tool.schema.get("type") == "object" else {"type": "object", **tool.schema}
        out: JSONObject = {"name": tool.name, "input_schema": schema}
        if tool.description is not None:
            out["description"] = tool.description
        if tool.strict is True:
            asked.drop("tools[].strict")
        tools.append(_cached(out, tool.cache))
    choice = None if asked.choice is None else asked.choice
    if not tools:
        return tools
    if choice is not None:
        body["tool_choice"] = {"type": choice.mode} if choice.name is None else {"type": "tool", "name": choice.name}
    if asked.parallel is False:
        body.setdefault("tool_choice", {"type": "auto"})
        if body["tool_choice"]["type"] != "none":
            body["tool_choice"]["disable_parallel_tool_use"] = True
    return tools


def _write_thinking(
    asked: Conversation, traits: Traits, turns: list[JSONObject], body: JSONObject, model: Model
) -> None:
    wanted = asked.reasoning
    if wanted is None or not wanted.enabled or wanted.effort == "none":
        return
    if traits.thinking is None:
        asked.drop("reasoning")
        return
    if body.get("tool_choice", {}).get("type") in ("any", "tool"):
        # "Thinking may not be enabled when tool_choice forces tool use."
        asked.drop("reasoning")
        return
    effort = wanted.effort
    if effort is None and wanted.budget_tokens is not None:
        effort = effort_of(wanted.budget_tokens)
    if traits.thinking == "adaptive":
        body["thinking"] = {"type": "adaptive"}
        if wanted.visible:
            body["thinking"]["display"] = "summarized"
        if effort is not None:
            body["output_config"] = {"effort": _EFFORTS.get(effort, "high")}
        return
    budget = wanted.budget_tokens
    if budget is None:
        budget = _BUDGETS.get("medium" if effort is None else effort, 8_192)
    if asked.max_tokens is None:
        # The limit holds thinking and answer together.
        most = model.capabilities.max_output_tokens
        body["max_tokens"] = body["max_tokens"] + budget if most is None else min(most, body["max_tokens"] + budget)
    budget = min(budget, body["max_tokens"] - LEAST_BUDGET_TOKENS)
    if budget < LEAST_BUDGET_TOKENS or _misses_thinking(turns):
        asked.drop("reasoning")
        return
    body["thinking"] = {"type": "enabled", "budget_tokens": budget}


def _misses_thinking(turns: list[JSONObject]) -> bool:
    """True in a tool loop whose assistant's turn has no thinking of Anthropic's: with a budget, it must begin with it
    ("Expected `thinking` or `redacted_thinking`, but found `tool_use`")."""
    for turn in reversed(turns):
        if turn["role"] == "assistant":
            kinds = [block["type"] for block in turn["content"]]
            return "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking")
        if all(block["type"] != "tool_result" for block in turn["content"]):
            return False
    return False


def _write_format(asked: Conversation, body: JSONObject) -> None:
    if asked.format is not None and asked.format.schema is not None:
        wanted = {"type": "json_schema", "schema": for_anthropic(asked.format.schema)}
        body["output_config"] = body.get("output_config", {}) | {"format": wanted}


def _write_sampling(asked: Conversation, traits: Traits, body: JSONObject) -> None:
    given: JSONObject = {"temperature": asked.temperature, "top_p": asked.top_p, "top_k": asked.top_k}
    if isinstance(asked.temperature, int | float):
        given["temperature"] = min(max(asked.temperature, 0.0), 1.0)
        if asked.temperature > 1:
            asked.drop("temperature above 1")
    if "thinking" in body or not traits.sampling:
        given = {"temperature": None, "top_p": None, "top_k": None}
    elif given["temperature"] is not None:
        # "temperature and top_p cannot both be specified for this model" (4.1 and later).
        given["top_p"] = None
    body.update((key, value) for key, value in given.items() if value is not None)
    for key in given:
        if getattr(asked, key) is not None and key not in body:
            asked.drop(key)


def _mark_cache(system: list[JSONObject], turns: list[JSONObject]) -> None:
    """Cache marks at the end of the system prompt and of the last turn, where the client set none itself."""
    blocks = [*system, *(block for turn in turns for block in turn["content"])]
    if any("cache_control" in block for block in blocks):
        return
    ends = [system[-1]] if system else []
    ends += [block for block in turns[-1]["content"][-1:] if block["type"] not in ("thinking", "redacted_thinking")]
    for block in ends:
        block["cache_control"] = EPHEMERAL
