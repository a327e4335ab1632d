"""What the rows of the fault list need: the three protocols, streamed and not, told apart in one place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.gateway.conftest import Stand

from pointsman.call.breaker import BreakerPolicy
from pointsman.call.health import Health
from pointsman.vocabulary import Timeouts

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
HI: list[Any] = [{"role": "user", "content": "Hi"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"messages": HI},
    RESPONSES: {"input": "Hi"},
    MESSAGES: {"max_tokens": 900, "messages": HI},
}
PATIENT = Timeouts(connect_s=10.0, first_byte_s=10.0, idle_s=10.0, total_s=None)
"""No limit of these is reached, however busy the machine is."""

paths = pytest.mark.parametrize("path", BODIES, ids=lambda path: path.rsplit("/", 1)[1])
streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
row = pytest.mark.row


def forgiving() -> Health:
    """A health whose breakers never open, for tests with many failures that are about something else."""
    return Health(breaker=BreakerPolicy(failures=1_000_000))


@dataclass
class Said:
    """One answer of the gateway, read as its protocol wants it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: dict[str, Any] | None = None
    text: str = ""
    calls: dict[str, str] = field(default_factory=dict)
    """Arguments by the id of the call."""
    ended: bool = False
    """A stream's terminator came, and last; a whole body is JSON."""
    n_events: int = 0

    @property
    def model(self) -> str:
        """The model that served it."""
        return self.headers["x-pointsman-model"]


async def ask(stand: Stand, path: str, *, stream: bool = False, model: str = "small", **more: Any) -> Said:
    """Sends one small request and reads the answer to its end.

    An answer whose body is not what its protocol allows fails the test that asked.
    """
    status, headers, body = await stand.send(
        "POST", path, json={"model": model, **BODIES[path], **({"stream": True} if stream else {}), **more}
    )
    return read(path, status, headers, body)


def read(path: str, status: int, headers: Mapping[str, str], body: bytes) -> Said:
    """The answer in these bytes."""
    said = Said(status, headers, body)
    if headers["Content-Type"].startswith("text/event-stream"):
        _read_events(path, said)
        return said
    assert headers["Content-Type"].startswith("application/json"), headers["Content-Type"]
    whole = json.loads(body)
    said.ended = True
    if status >= 400:
        said.error = whole["error"]
        assert isinstance(whole["error"]["message"], str) and whole["error"]["message"]
        assert whole.get("type") == ("error" if path == MESSAGES else None)
    else:
        _read_whole(path, whole, said)
    return said


def _read_whole(path: str, whole: dict[str, Any], said: Said) -> None:
    if path == CHAT:
        for choice in whole["choices"]:
            message = choice["message"]
            said.text += message.get("content") or ""
            for call in message.get("tool_calls") or ():
                said.calls[call["id"]] = call["function"]["arguments"]
    elif path == RESPONSES:
        for item in whole["output"]:
            if item["type"] == "message":
                said.text += "".join(part["text"] for part in item["content"])
            elif item["type"] == "function_call":
                said.calls[item["call_id"]] = item["arguments"]
    else:
        for block in whole["content"]:
            if block["type"] == "text":
                said.text += block["text"]
            elif block["type"] == "tool_use":
                said.calls[block["id"]] = json.dumps(block["input"])


def _read_events(path: str, said: Said) -> None:
    """Reads as strictly as the strictest client: every event is JSON, nothing follows an error or the terminator."""
    blocks: dict[int, str] = {}
    items: dict[str, str] = {}
    for event in said.body.decode("utf-8").replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in event.split("\n") if line and not line.startswith(":")]
        data = "\n".join(line[5:].removeprefix(" ") for line in lines if line.startswith("data:"))
        if not data:
            continue
        assert not said.ended and said.error is None, f"an event after the end: {event!r}"
        said.n_events += 1
        if data == "[DONE]":
            assert path == CHAT
            said.ended = True
            continue
        one = json.loads(data)
        if path == CHAT:
            if "error" in one:
                said.error = one["error"]
            for choice in one.get("choices", ()):
                said.text += choice["delta"].get("content") or ""
                for call in choice["delta"].get("tool_calls") or ():
                    if "id" in call:
                        blocks[call["index"]] = call["id"]
                    said.calls.setdefault(blocks[call["index"]], "")
                    said.calls[blocks[call["index"]]] += call["function"].get("arguments", "")
        elif path == RESPONSES:
            kind = one["type"]
            if kind == "error":
                said.error = one
            elif kind == "response.output_text.delta":
                said.text += one["delta"]
            elif kind == "response.output_item.added" and one["item"]["type"] == "function_call":
                items[one["item"]["id"]] = one["item"]["call_id"]
                said.calls[one["item"]["call_id"]] = ""
            elif kind == "response.function_call_arguments.delta":
                said.calls[items[one["item_id"]]] += one["delta"]
            said.ended = kind in ("response.completed", "response.incomplete")
        else:
            kind = one["type"]
            if kind == "error":
                said.error = one["error"]
            elif kind == "content_block_start" and one["content_block"]["type"] == "tool_use":
                blocks[one["index"]] = one["content_block"]["id"]
                said.calls[one["content_block"]["id"]] = ""
            elif kind == "content_block_delta":
                said.text += one["delta"].get("text", "")
                if "partial_json" in one["delta"]:
                    said.calls[blocks[one["index"]]] += one["delta"]["partial_json"]
            said.ended = kind == "message_stop"
