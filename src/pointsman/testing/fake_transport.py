"""A transport without a network: the same scripts and faults as `Upstream`, in memory and without waiting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from pointsman.errors import UpstreamBroken, UpstreamTimeout, UpstreamUnreachable
from pointsman.vocabulary import Dialect, UpstreamAnswer, UpstreamCall

from .exchange import Received, Sent
from .fake_clock import FakeClock
from .plan import Chunk, Cut, Head, Hold, Pause, RawBytes, Refuse, Stall, Step
from .script import Prompter, Reply, Script
from .writing import plan_for

_PATHS = {
    Dialect.OPENAI_CHAT: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC_MESSAGES: "/v1/messages",
}


class FakeTransport:
    """Answers from a script. Pauses move the clock instead of waiting; a stall is a timeout at once.

    Args:
        script: as for `Upstream`; models are told apart by what the provider calls them.
        clock: moved by pauses and timeouts; None makes one.

    Attributes:
        calls: every call, in order.
        sent: what was sent in answer to each call that got one.
        closed: True once `aclose` was called.
    """

    def __init__(self, script: Script | None = None, *, clock: FakeClock | None = None) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.calls: list[UpstreamCall] = []
        self.sent: list[Sent] = []
        self.closed = False
        self._prompter = Prompter(Reply() if script is None else script)

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        """The scripted answer.

        Raises:
            UpstreamUnreachable, UpstreamTimeout, UpstreamBroken: the script says so.
        """
        self.calls.append(call)
        endpoint = call.model.endpoints[call.dialect]
        path = _PATHS[call.dialect] if call.path is None else f"/v1{call.path}"
        received = Received(call.method, path, "", (*endpoint.headers, *call.headers), call.body)
        sent = Sent()
        self.sent.append(sent)
        steps = iter(plan_for(received, self._prompter.next(received)).steps)
        for step in steps:
            match step:
                case Head(status, headers, _):
                    sent.status, sent.headers = status, headers
                    return FakeAnswer(call, sent, steps, self.clock)
                case Pause(seconds):
                    if seconds > call.model.timeouts.first_byte_s:
                        raise self._no_first_byte(call)
                    self.clock.advance(seconds)
                case Stall() | Hold():
                    raise self._no_first_byte(call)
                case Refuse():
                    raise UpstreamUnreachable(f"model {call.model.name!r}: connection refused", model=call.model.name)
                case Cut() | RawBytes() | Chunk():
                    break
        raise UpstreamBroken(
            f"model {call.model.name!r} closed the connection without an answer", model=call.model.name
        )

    def _no_first_byte(self, call: UpstreamCall) -> UpstreamTimeout:
        limit_s = call.model.timeouts.first_byte_s
        self.clock.advance(limit_s)
        return UpstreamTimeout(f"model {call.model.name!r} sent no answer within {limit_s:g} s", model=call.model.name)

    async def aclose(self) -> None:
        """Marks the transport as closed."""
        self.closed = True


class FakeAnswer:
    """An answer of `FakeTransport`."""

    def __init__(self, call: UpstreamCall, sent: Sent, steps: Iterator[Step], clock: FakeClock) -> None:
        self._call = call
        self._sent = sent
        self._steps = steps
        self._clock = clock

    @property
    def status(self) -> int:
        """The HTTP status."""
        assert self._sent.status is not None
        return self._sent.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case."""
        return {name.lower(): value for name, value in self._sent.headers}

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's pieces as the script has them.

        Raises:
            UpstreamTimeout: the script stalls, or pauses longer than `idle_s`.
            UpstreamBroken: the script cuts.
        """
        name, idle_s = self._call.model.name, self._call.model.timeouts.idle_s
        for step in self._steps:
            match step:
                case Chunk(data):
                    self._sent.chunks.append(data)
                    yield data
                case Pause(seconds) if seconds <= idle_s:
                    self._clock.advance(seconds)
                case Stall() | Hold() | Pause():
                    self._clock.advance(idle_s)
                    raise UpstreamTimeout(f"model {name!r} sent nothing for {idle_s:g} s", model=name)
                case Head() | Cut() | RawBytes() | Refuse():
                    raise UpstreamBroken(f"model {name!r} broke off its answer", model=name)
        self._sent.finished = True

    async def read(self) -> bytes:
        """The whole body; raises as `chunks`."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def aclose(self) -> None:
        """Ends the answer; one that was not read whole counts as cancelled."""
        self._sent.cancelled = not self._sent.finished
