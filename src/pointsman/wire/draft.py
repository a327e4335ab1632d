"""What the three dialects' readers gather from a body, before it becomes a `Request`; and the checks they share.

Checks are for what routing reads. A field, role, part, item or tool that is not known passes: the client's bytes go
on as they are, and the upstream knows better. Messages name the JSON path at fault and never quote what stands there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from pointsman.errors import BadRequest
from pointsman.vocabulary import Role, Turn
from pointsman.wire.harness import without_harness
from pointsman.wire.tokens import FILE_TOKENS, IMAGE_TOKENS, TURN_TOKENS, estimate_tokens

MAX_COUNT = 2**31
"""Above any provider's limit for a count in a request."""

_IMAGE_PARTS = frozenset({"image_url", "input_image", "image", "computer_screenshot"})
_SOUND_PARTS = frozenset({"input_audio", "audio"})
_FILE_PARTS = frozenset({"file", "input_file", "document", "video_url", "input_video", *_SOUND_PARTS})


@dataclass(slots=True)
class Draft:
    """The growing picture of one request."""

    turns: list[Turn] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)
    forces_tool: bool = False
    output_format: str | None = None
    """"json_object", "json_schema" or the client's other word."""
    max_output_tokens: int | None = None
    wants_stream_usage: bool = False
    n_images: int = 0
    n_tokens: int = 0
    n_prompt_tokens: int = 0
    own_dialect_only: str | None = None
    """Why the request cannot be said in another dialect; None when it can."""

    def add_turn(self, role: Role, text: str, n_images: int = 0, tool_calls: tuple[str, ...] = ()) -> None:
        """Appends a turn and counts its tokens; what an agent's harness wrote for the user is counted, and left out."""
        n_tokens = estimate_tokens(text)
        if role is Role.USER:
            said = without_harness(text)
            if said or n_images:
                self.n_prompt_tokens = n_tokens if said is text else estimate_tokens(said)
            text = said
        self.n_tokens += n_tokens + TURN_TOKENS + n_images * IMAGE_TOKENS
        self.n_images += n_images
        self.turns.append(Turn(role, text, n_images, tool_calls))

    def add_tool_call(self, name: str, arguments: object) -> None:
        """Adds a call to the assistant's turn at the end, or to a new one: parallel calls make one turn."""
        self.n_tokens += json_tokens(arguments)
        if self.turns and self.turns[-1].role is Role.ASSISTANT:
            last = self.turns[-1]
            self.turns[-1] = Turn(last.role, last.text, last.n_images, (*last.tool_calls, name))
        else:
            self.add_turn(Role.ASSISTANT, "", tool_calls=(name,))

    def add_tools(self, body: Mapping[str, Any], key: str) -> None:
        """Reads the tools offered under `key`: each by its name, or by its type when it has none."""
        tools = body.get(key)
        if tools is None:
            return
        if not isinstance(tools, list):
            raise BadRequest(f"{key} must be a list", param=key)
        for position, tool in enumerate(tools):
            if not isinstance(tool, dict):
                raise BadRequest(f"{key}[{position}] must be an object", param=f"{key}[{position}]")
            self.tools.append(tool_name(tool))
        if tools:
            self.n_tokens += json_tokens(tools)


def tool_name(tool: Mapping[str, Any]) -> str:
    """A tool's name in any dialect, its type when it is nameless, "unnamed" when it has neither."""
    nested = tool.get("function")
    for candidate in (nested.get("name") if isinstance(nested, dict) else None, tool.get("name"), tool.get("type")):
        if isinstance(candidate, str) and candidate:
            return candidate
    return "unnamed"


def json_tokens(value: object) -> int:
    """Estimated tokens of a value as a provider would write it into the prompt; a string counts as itself."""
    if value is None:
        return 0
    return estimate_tokens(value if isinstance(value, str) else orjson.dumps(value).decode())


@dataclass(slots=True)
class Parts:
    """What the content of one message holds."""

    texts: list[str] = field(default_factory=list)
    n_images: int = 0
    n_tokens: int = 0
    """Estimated tokens of what is neither text nor image."""
    has_sound: bool = False

    @property
    def text(self) -> str:
        """The text parts, joined by newlines."""
        return self.texts[0] if len(self.texts) == 1 else "\n".join(self.texts)

    def add(self, part: Mapping[str, Any]) -> None:
        """Reads one part of any type."""
        given = part.get("type")
        kind = given if isinstance(given, str) else ""
        if kind in _IMAGE_PARTS:
            self.n_images += 1
        elif isinstance(text := part.get("text"), str) or isinstance(text := part.get("refusal"), str):
            self.texts.append(text)
        elif kind in _FILE_PARTS:
            self.has_sound = self.has_sound or kind in _SOUND_PARTS
            source = part.get("source")
            data = source.get("data") if isinstance(source, dict) and source.get("type") == "text" else None
            if isinstance(data, str):
                self.texts.append(data)
            else:
                self.n_tokens += FILE_TOKENS


def read_parts(content: object, path: str) -> Parts:
    """A message's content: a string, a list of parts, or nothing.

    Raises:
        BadRequest: it is something else, or a part is neither an object nor a string.
    """
    parts = Parts()
    if content is None:
        return parts
    if isinstance(content, str):
        parts.texts.append(content)
        return parts
    if not isinstance(content, list):
        raise BadRequest(f"{path} must be a string or a list of parts", param=path)
    for position, part in enumerate(content):
        if isinstance(part, dict):
            parts.add(part)
        elif isinstance(part, str):
            parts.texts.append(part)
        else:
            raise BadRequest(f"{path}[{position}] must be an object", param=f"{path}[{position}]")
    return parts


_ROLES = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}


def read_role(message: Mapping[str, Any], path: str) -> Role:
    """Who speaks; an unknown role is read as the user's, so that its text is not overlooked.

    Raises:
        BadRequest: the role is missing or not a string.
    """
    role = message.get("role")
    if not isinstance(role, str):
        raise BadRequest(f"{path}.role must be a string", param=f"{path}.role")
    return _ROLES.get(role, Role.USER)


def read_messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `messages` of a chat or Messages body.

    Raises:
        BadRequest: they are missing, empty, not a list, or not all objects.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        problem = "is missing" if messages is None else "must be a list"
        raise BadRequest(f"messages {problem}", param="messages")
    if not messages:
        raise BadRequest("messages must not be empty", param="messages")
    for position, message in enumerate(messages):
        if not isinstance(message, dict):
            raise BadRequest(f"messages[{position}] must be an object", param=f"messages[{position}]")
    return messages


def positive_count(body: Mapping[str, Any], key: str) -> int | None:
    """A whole number of at least 1, None when it is not given or null.

    Raises:
        BadRequest: it is something else.
    """
    value = body.get(key)
    if value is None:
        return None
    if type(value) is not int or not 1 <= value <= MAX_COUNT:
        raise BadRequest(f"{key} must be a positive integer", param=key)
    return value


def flag(body: Mapping[str, Any], key: str) -> bool:
    """A boolean, False when it is not given or null.

    Raises:
        BadRequest: it is something else.
    """
    value = body.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise BadRequest(f"{key} must be true or false", param=key)
    return value


def format_type(value: object) -> str | None:
    """The `type` of a response format object, None when there is none."""
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None
