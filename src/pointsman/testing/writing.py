"""From a request and a reply to the plan of an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson

from pointsman.vocabulary import Dialect

from .answers import anthropic_messages, aside, embeddings, openai_chat, openai_responses
from .answers.content import CREATED_UNIX_S, n_input_tokens
from .answers.errors import error_body
from .exchange import Received
from .faults import Fault
from .plan import Chunk, Head, Pause, Plan, Step
from .script import Reply

_BODIES: dict[Dialect, Callable[[Received, Reply], dict[str, Any]]] = {
    Dialect.OPENAI_CHAT: openai_chat.body,
    Dialect.OPENAI_RESPONSES: openai_responses.body,
    Dialect.ANTHROPIC_MESSAGES: anthropic_messages.body,
}
_EVENTS: dict[Dialect, Callable[[Received, Reply], Iterator[bytes]]] = {
    Dialect.OPENAI_CHAT: openai_chat.events,
    Dialect.OPENAI_RESPONSES: openai_responses.events,
    Dialect.ANTHROPIC_MESSAGES: anthropic_messages.events,
}
_ASIDE = ("/v1/embeddings", "/v1/messages/count_tokens", aside.COMPLETIONS, aside.MODERATIONS)
_MODELS = ("small", "large")


def plan_for(received: Received, reply: Reply) -> Plan:
    """What goes onto the wire in answer to this request, faults included."""
    dialect = received.dialect
    events = _EVENTS.get(dialect) if dialect is not None else None
    if received.path == aside.COMPLETIONS:
        events = aside.completion_events
    stream = received.stream and events is not None and reply.status < 400
    if reply.body is not None:
        chunks, default_type = [reply.body], "application/json"
        stream = False
    elif reply.status >= 400:
        message, code = reply.error_message, reply.error_code
        chunks = [error_body(dialect, status=reply.status, message=message, code=code)]
        default_type = "application/json"
    elif stream and events is not None:
        chunks = list(events(received, reply) if reply.raw_stream is None else reply.raw_stream)
        default_type = "text/event-stream; charset=utf-8"
    else:
        chunks, default_type = [orjson.dumps(_plain(received, reply))], "application/json"
    headers = {"Content-Type": default_type if reply.content_type is None else reply.content_type}
    length = None if stream else sum(map(len, chunks))
    steps: list[Step] = [] if reply.delay_s == 0 else [Pause(reply.delay_s)]
    steps.append(Head(reply.status, (*headers.items(), *reply.headers.items()), length))
    for chunk in chunks:
        if stream and reply.chunk_delay_s > 0:
            steps.append(Pause(reply.chunk_delay_s))
        steps.append(Chunk(chunk))
    plan = Plan(dialect, stream, tuple(steps))
    for fault in _faults(reply):
        plan = fault.apply(plan)
    return plan


def not_found() -> Reply:
    """The answer to a path or method that is not served."""
    return Reply(status=404, error_code="unknown_url", error_message="This path is not served here.")


def is_served(received: Received) -> bool:
    """True for the paths and methods of the three dialects, of models, and of what stands beside the dialects."""
    if received.method in ("GET", "DELETE"):
        return received.path == "/v1/models" or received.path.startswith(aside.RESPONSES)
    known = received.dialect is not None or received.path in _ASIDE or received.path.startswith(aside.RESPONSES)
    return received.method == "POST" and known


def _faults(reply: Reply) -> tuple[Fault, ...]:
    fault = reply.fault
    if fault is None:
        return ()
    return fault if isinstance(fault, tuple) else (fault,)


def _plain(received: Received, reply: Reply) -> dict[str, Any]:
    if received.dialect is not None:
        return _BODIES[received.dialect](received, reply)
    if received.path == "/v1/embeddings":
        return embeddings.body(received) | dict(reply.extra)
    if received.path == aside.COMPLETIONS:
        return aside.completion(received, reply) | dict(reply.extra)
    if received.path == aside.MODERATIONS:
        return aside.moderation(received) | dict(reply.extra)
    if received.path == aside.INPUT_TOKENS:
        return aside.input_tokens(received) | dict(reply.extra)
    if received.path == aside.COMPACT:
        return aside.compaction(received) | dict(reply.extra)
    if received.path.startswith(aside.RESPONSES):
        return aside.kept(received) | dict(reply.extra)
    if received.path == "/v1/messages/count_tokens":
        return {"input_tokens": n_input_tokens(received)} | dict(reply.extra)
    entry = {"object": "model", "created": CREATED_UNIX_S, "owned_by": "upstream"}
    return {"object": "list", "data": [{"id": name} | entry for name in _MODELS]} | dict(reply.extra)
