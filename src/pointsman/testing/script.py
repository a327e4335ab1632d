"""What the upstream shall answer: one small declarative script.

Upstream(Reply(text="4"))                                       every request
Upstream([rate_limited(), Reply(text="4")])                     one after the other; the last one stays
Upstream({"small": Reply(text="4"), "large": [Reply(status=500), Reply()]})     by the body's `model`
Upstream(lambda received: Reply(text=received.model.upper()))   computed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pointsman.vocabulary import Usage

from .exchange import Received
from .faults import Fault


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call of an answer. `id` None gives "call_1", "call_2" and so on."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        text: the answer's words. None: an object that fits the JSON Schema if the request has one, a call of the forced
            tool if it forces one, else one sentence.
        tool_calls: tools that the answer calls, in parallel when there are several.
        reasoning: a summary of the model's thinking, in dialects that show one.
        usage: its tokens; None estimates them from the lengths.
        omit_usage: the answer says nothing of usage.
        logprobs: log-probabilities of the tokens, sent where the request asks for them; each chunk of a stream carries
            the next, the last one all that are left.
        chunks: how a stream cuts the text; None cuts it after each word.
        finish_reason: in the dialect's words; None says what fits the answer.
        model: what the answer says its model is; None repeats the request's.
        extra: unknown fields, merged into the top of a plain body and of every event's object.
        delay_s: wait before the status line, in seconds.
        chunk_delay_s: wait before every event of a stream, in seconds.
        status: the HTTP status; from 400 on, an error body of the dialect is sent.
        error_code, error_message: what that error body says.
        headers: headers beside Content-Type.
        body: replaces the whole body, of streams too.
        content_type: replaces the Content-Type that fits.
        raw_stream: replaces the events of a stream, one write each.
        fault: how the answer goes wrong; several are applied in order.
    """

    text: str | None = None
    tool_calls: Sequence[ToolCall] = ()
    reasoning: str | None = None
    usage: Usage | None = None
    omit_usage: bool = False
    logprobs: Sequence[float] = ()
    chunks: Sequence[str] | None = None
    finish_reason: str | None = None
    model: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    status: int = 200
    error_code: str | None = None
    error_message: str = "This error was scripted."
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str | None = None
    raw_stream: Sequence[bytes] | None = None
    fault: Fault | tuple[Fault, ...] | None = None


Script: TypeAlias = (
    Reply
    | Sequence[Reply]
    | Mapping[str, "Reply | Sequence[Reply] | Callable[[Received], Reply]"]
    | Callable[[Received], Reply]
)


class Prompter:
    """Says which reply comes next. One per upstream: it remembers how far each sequence has come."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._n_taken: dict[str | None, int] = {}

    def next(self, received: Received) -> Reply:
        """The reply to this request; a default `Reply` for a model that a mapping does not name."""
        script = self._script
        if isinstance(script, Mapping):
            part = script.get(received.model)
            return Reply() if part is None else self._take(received.model, part, received)
        return self._take(None, script, received)

    def _take(
        self,
        place: str | None,
        script: Reply | Sequence[Reply] | Callable[[Received], Reply],
        received: Received,
    ) -> Reply:
        if isinstance(script, Reply):
            return script
        if isinstance(script, Sequence):
            n = self._n_taken.get(place, 0)
            self._n_taken[place] = n + 1
            return script[min(n, len(script) - 1)] if script else Reply()
        return script(received)


def rate_limited(retry_after: str | None = "1", *, code: str = "rate_limit_exceeded") -> Reply:
    """429. `retry_after` is sent as it stands: seconds, a date, or rubbish."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Reply(status=429, error_code=code, error_message="Rate limit reached.", headers=headers)


def overloaded() -> Reply:
    """529, as Anthropic sends it (docs.claude.com/en/api/errors, read 2026-11)."""
    return Reply(status=529, error_message="Overloaded")


def html_error(status: int = 502) -> Reply:
    """An error page of a load balancer."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
    return Reply(status=status, body=page, content_type="text/html")


def empty_error(status: int = 503) -> Reply:
    """An error status with no body."""
    return Reply(status=status, body=b"")


def redirect(location: str, status: int = 302) -> Reply:
    """A redirect; a gateway must not follow it."""
    return Reply(status=status, headers={"Location": location}, body=b"")


def html_page() -> Reply:
    """Status 200 and HTML, such as a login page."""
    return Reply(body=b"<html><body>Please log in</body></html>", content_type="text/html")
