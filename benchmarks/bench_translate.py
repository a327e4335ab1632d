"""What a translation costs: streams of 50 events and bodies of an agent's size, beside passing the same bytes through.

    python -m benchmarks.bench_translate [--rounds 40] [--json]

One process, no network. A stream's figure holds everything that the gateway does to its bytes: for passing through, the
reading of usage and the renaming of the model; for a translation, the translator and then the same in the client's
dialect. Times are CPU time, the least of the rounds, because other programs only ever add to it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from pointsman.vocabulary import Dialect, Endpoint, Model, Request
from pointsman.wire import CODECS, read_request
from pointsman.wire.translate import Translation

N_EVENTS = 50
CHAT, RESPONSES, MESSAGES = Dialect.OPENAI_CHAT, Dialect.OPENAI_RESPONSES, Dialect.ANTHROPIC_MESSAGES
SHORTEST: dict[Dialect, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}], "stream": True},
    RESPONSES: {"input": "Hi", "stream": True},
    MESSAGES: {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100, "stream": True},
}


def event(name: str | None, body: dict[str, Any]) -> bytes:
    """One server-sent event."""
    head = b"" if name is None else b"event: %b\n" % name.encode()
    return head + b"data: " + orjson.dumps(body) + b"\n\n"


def chat_events() -> list[bytes]:
    """A streamed chat completion of so many pieces of text."""

    def chunk(delta: dict[str, Any], finish: str | None) -> bytes:
        frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "up"}
        return event(None, frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    return [*(chunk({"content": "word "}, None) for _ in range(N_EVENTS)), chunk({}, "stop"), b"data: [DONE]\n\n"]


def messages_events() -> list[bytes]:
    """A streamed message of so many pieces of text."""
    start: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [],
        "stop_reason": None,
    }
    bodies: list[dict[str, Any]] = [
        {"type": "message_start", "message": start | {"usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}] * N_EVENTS,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": N_EVENTS}},
        {"type": "message_stop"},
    ]
    return [event(body["type"], body) for body in bodies]


def agent_body() -> dict[str, Any]:
    """A first turn as coding agents send it: long instructions and two dozen tools."""
    properties = {f"field_{n}": {"type": "string", "description": "What stands here. " * 3} for n in range(10)}
    tool = {"type": "function", "description": "Does something. " * 50, "parameters": {"type": "object"}}
    tools = [
        tool | {"name": f"tool_{n}", "parameters": {"type": "object", "properties": properties}} for n in range(24)
    ]
    return {"instructions": "You are an agent. " * 1_000, "input": "Fix the bug.", "tools": tools}


def least_ms(run: Callable[[], object], rounds: int) -> float:
    """The least CPU time of a run."""
    best_s = float("inf")
    for _ in range(rounds):
        started_s = time.process_time()
        run()
        best_s = min(best_s, time.process_time() - started_s)
    return best_s * 1e3


def passed(dialect: Dialect, events: list[bytes]) -> None:
    """A stream through the reader of its own dialect."""
    reader = CODECS[dialect].stream(name="m", strip_usage=True)
    for one in events:
        reader.feed(one)


def translated(request: Request, model: Model, upstream: Dialect, events: list[bytes]) -> None:
    """A stream through the translator, and the reader of the client's dialect."""
    translator = Translation(request, model, upstream).stream()
    reader = CODECS[request.dialect].stream(name="m", strip_usage=True)
    for one in events:
        out = translator.feed(one)
        if out:
            reader.feed(out)


def measure(rounds: int) -> dict[str, float]:
    """Milliseconds by what was done."""
    model = Model("m", "openai-compatible", "up", {dialect: Endpoint("http://127.0.0.1:9/") for dialect in Dialect})
    out: dict[str, float] = {}
    for upstream, events in ((CHAT, chat_events()), (MESSAGES, messages_events())):
        out[f"stream, {upstream} passed through"] = least_ms(partial(passed, upstream, events), rounds)
        for client in Dialect:
            if client is not upstream:
                request = read_request(client, orjson.dumps({"model": "auto"} | SHORTEST[client]))
                out[f"stream, {upstream} to {client}"] = least_ms(
                    partial(translated, request, model, upstream, events), rounds
                )
    raw = orjson.dumps({"model": "auto"} | agent_body())
    request = read_request(RESPONSES, raw)
    out[f"body of {len(raw) // 1000} KB, read"] = least_ms(partial(read_request, RESPONSES, raw), rounds)
    for upstream in (CHAT, MESSAGES):
        out[f"body of {len(raw) // 1000} KB, to {upstream}"] = least_ms(
            partial(Translation, request, model, upstream), rounds
        )
    return out


def main() -> None:
    """Prints a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measure(arguments.rounds)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return
    for what, ms in found.items():
        print(f"{what:58} {ms:7.3f} ms")


if __name__ == "__main__":
    main()
