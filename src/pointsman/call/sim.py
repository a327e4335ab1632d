"""Simulated models, for demos and tests: the `Transport` behind `provider: sim`, which sends nothing anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

import orjson

from pointsman.vocabulary import Transport, UpstreamAnswer, UpstreamCall, WallClock

from .sim_draft import AnswerOf, DifficultyOf, draft
from .sim_render import events, whole

Sleep: TypeAlias = Callable[[float], Awaitable[None]]
"""Waits for some seconds."""


class SimTransport:
    """Answers in the request's dialect, with ids, usage and speed, as a model of some skill would.

    `simulation` of the model says `skill` (0 to 1), `latency_ms` to the first token and `tokens_per_s`; a `latency_ms`
    of 0 means no waiting at all. Every answer's JSON carries `"simulated": true` and its text says by which model.

    Args:
        answer_of: gives the ideal answer to a request body; a model that is able answers with it.
        difficulty_of: gives a request's difficulty; without it, `metadata.difficulty` of the body counts, then a guess
            by length and hash.
        sleep: waits; tests pass one that does not.
        now: dates the answers.
    """

    def __init__(
        self,
        *,
        answer_of: AnswerOf | None = None,
        difficulty_of: DifficultyOf | None = None,
        sleep: Sleep = asyncio.sleep,
        now: WallClock = lambda: datetime.now(UTC),
    ) -> None:
        self._answer_of = answer_of
        self._difficulty_of = difficulty_of
        self._sleep = sleep
        self._now = now

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        """The answer after its latency; a body that is not a JSON object is answered with status 400."""
        try:
            body = orjson.loads(call.body)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            error = {"type": "invalid_request_error", "message": "the body is not a JSON object"}
            return _SimAnswer(400, "application/json", orjson.dumps({"type": "error", "error": error}))
        planned = draft(body, call.dialect, call.model, self._answer_of, self._difficulty_of)
        latency_s, writing_s = _times_s(call, planned.usage.output_tokens)
        created = int(self._now().timestamp())
        name = call.model.provider_model
        if not call.stream:
            if latency_s > 0:
                await self._sleep(latency_s + writing_s)
            return _SimAnswer(200, "application/json", whole(planned, call.dialect, body, name, created), planned.seed)
        if latency_s > 0:
            await self._sleep(latency_s)
        parts = list(events(planned, call.dialect, body, name, created))
        per_part_s = writing_s / len(parts)
        return _SimAnswer(200, "text/event-stream; charset=utf-8", iter(parts), planned.seed, per_part_s, self._sleep)

    async def aclose(self) -> None:
        """There is nothing to close."""


class ModelTransport:
    """Sends each call by the transport its model needs: simulated ones never leave the process.

    The HTTP transport is given as a factory, so that a program with simulated models only never opens it.
    """

    def __init__(self, http: Callable[[], Transport], sim: Transport) -> None:
        self._open_http = http
        self._http: Transport | None = None
        self._sim = sim

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        """The answer of the model's own transport."""
        if call.model.simulated:
            return await self._sim.send(call)
        if self._http is None:
            self._http = self._open_http()
        return await self._http.send(call)

    async def aclose(self) -> None:
        """Closes both."""
        await self._sim.aclose()
        if self._http is not None:
            await self._http.aclose()


def _times_s(call: UpstreamCall, n_output: int) -> tuple[float, float]:
    """Seconds to the first token, and from it to the last."""
    settings = call.model.simulation
    latency_s = settings.get("latency_ms", 0.0) / 1e3
    tokens_per_s = settings.get("tokens_per_s", 0.0)
    if latency_s <= 0 or tokens_per_s <= 0:
        return max(0.0, latency_s), 0.0
    return latency_s, n_output / tokens_per_s


class _SimAnswer:
    """An answer that is already there, or whose events come at the model's speed."""

    def __init__(
        self,
        status: int,
        content_type: str,
        body: bytes | Iterator[bytes],
        seed: str = "",
        per_part_s: float = 0.0,
        sleep: Sleep | None = None,
    ) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {"content-type": content_type, "x-request-id": f"req_sim{seed}"}
        self._parts = iter((body,)) if isinstance(body, bytes) else body
        self._per_part_s = per_part_s
        self._sleep = sleep

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._sleep is not None and self._per_part_s > 0:
            await self._sleep(self._per_part_s)
        for part in self._parts:
            return part
        raise StopAsyncIteration

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self])

    async def aclose(self) -> None:
        self._parts = iter(())
