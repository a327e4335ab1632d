"""An answer on the wire: its body as it comes, watched over, bounded, and cancelled when nobody wants the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp
from aiohttp.client_reqrep import ConnectionKey

from pointsman.errors import UpstreamBroken, UpstreamError, UpstreamTimeout
from pointsman.vocabulary import Timeouts

from .http_failures import broken_body
from .slots import ModelSlots
from .wires import Wire, Wires

_OF_THE_CODING = frozenset({"connection", "content-encoding", "content-length", "set-cookie", "transfer-encoding"})
"""Headers of one connection or of how the body was coded and framed on it, and cookies, which stop here."""


HIDDEN = b"[hidden]"
"""Stands where an upstream repeats a key of ours."""


class HttpAnswer:
    """An answer whose headers have come. Its body is read once, by `chunks` or by `read`.

    Attributes:
        status: the HTTP status.
        complete: True once the body has come to its end.
    """

    __slots__ = (
        "_deadline_s",
        "_failure",
        "_headers",
        "_key",
        "_loop",
        "_max_bytes",
        "_message",
        "_model",
        "_n_bytes",
        "_payload",
        "_secrets",
        "_slot",
        "_timeouts",
        "_waiting_since_s",
        "_watch",
        "_wire",
        "_wires",
        "complete",
        "status",
    )

    def __init__(
        self,
        message: aiohttp.http.RawResponseMessage,
        payload: aiohttp.StreamReader,
        wires: Wires,
        key: ConnectionKey,
        wire: Wire,
        model: str,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        started_s: float,
        max_bytes: int,
        slot: ModelSlots | None,
        secrets: tuple[bytes, ...] = (),
    ) -> None:
        self.status = message.code
        self.complete = False
        self._message = message
        self._payload = payload
        self._wires = wires
        self._key = key
        self._wire: Wire | None = wire
        self._model = model
        self._timeouts = timeouts
        self._max_bytes = max_bytes
        self._slot = slot
        self._secrets = secrets
        self._n_bytes = 0
        self._headers: dict[str, str] | None = None
        self._failure: UpstreamError | None = None
        self._waiting_since_s: float | None = None
        self._loop = loop
        total_s = timeouts.total_s
        self._deadline_s = float("inf") if total_s is None else started_s + total_s
        self._watch: asyncio.TimerHandle | None = None
        payload.on_eof(self._whole)
        if self._wire is not None:
            self._rearm(loop.time())

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers, names in lower case, repeated ones joined (RFC 9110 section 5.3); no cookies, and nothing of how
        the body was coded or framed, since it is given decoded."""
        if self._headers is None:
            joined: dict[str, str] = {}
            for name, value in self._message.headers.items():
                key = name.lower()
                if key not in _OF_THE_CODING:
                    joined[key] = value if key not in joined else f"{joined[key]}, {value}"
            for secret in self._secrets:
                text = secret.decode()
                joined = {key: value.replace(text, HIDDEN.decode()) for key, value in joined.items()}
            self._headers = joined
        return self._headers

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, decoded. The socket is read only as fast as the chunks are taken.

        Raises:
            UpstreamTimeout: nothing came for `idle_s` while a chunk was waited for, or `total_s` is over.
            UpstreamBroken: the body ended early, cannot be decoded, or is longer than the limit.
        """
        return self

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._failure is not None:
            raise self._failure
        if self.complete:
            raise StopAsyncIteration
        payload = self._payload
        try:
            # What has come is taken without waiting.
            chunk = payload.read_nowait()
            if not chunk and not payload.is_eof():
                self._waiting_since_s = self._loop.time()
                chunk = await payload.readany()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            # `_watch_over` drops the connection under the waiting read, and leaves the true reason in `_failure`.
            failure = self._failure
            if failure is None:
                failure = self._fail(UpstreamBroken(broken_body(error, self._model), model=self._model))
            raise failure from None
        except asyncio.CancelledError:
            self._let_go()
            raise
        finally:
            self._waiting_since_s = None
        if not chunk:
            self.complete = True
            self._let_go()
            raise StopAsyncIteration
        self._n_bytes += len(chunk)
        if self._n_bytes > self._max_bytes:
            raise self._too_long()
        return self._without_secrets(chunk)

    async def read(self) -> bytes:
        """The rest of the body in one piece.

        Raises:
            UpstreamTimeout, UpstreamBroken: as for `chunks`.
        """
        if self._wire is None and self._failure is None and not self.complete and self._payload.exception() is None:
            # It came whole with its head, or nearly so.
            body = self._payload.read_nowait()
            if self._n_bytes + len(body) <= self._max_bytes:
                self._n_bytes += len(body)
                self.complete = True
                self._let_go()
                return self._without_secrets(body)
            raise self._too_long()
        return b"".join([chunk async for chunk in self])

    def _without_secrets(self, said: bytes) -> bytes:
        """What came, with our own keys blotted out: some providers quote in an error what they were sent.

        A key that comes in two pieces is not found.
        """
        for secret in self._secrets:
            if secret in said:
                said = said.replace(secret, HIDDEN)
        return said

    async def aclose(self) -> None:
        """Gives the connection back to the pool, or closes it when the body has not come to its end."""
        self._let_go()

    def _let_go(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        wire, self._wire = self._wire, None
        if wire is not None:
            # Whoever waits for more of it is told.
            self._payload.set_exception(aiohttp.ClientConnectionError("the connection was dropped"))
            self._wires.drop(wire)
        if self._slot is not None:
            self._slot.release()
            self._slot = None

    def _whole(self) -> None:
        """All of the body has come, though it may not have been taken yet: its connection can carry the next call."""
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        wire, self._wire = self._wire, None
        if wire is not None:
            self._wires.give_back(self._key, wire)

    def _too_long(self) -> UpstreamError:
        return self._fail(
            UpstreamBroken(
                f"model {self._model!r} sent more than {self._max_bytes} bytes in one answer", model=self._model
            )
        )

    def _fail(self, failure: UpstreamError) -> UpstreamError:
        self._failure = failure
        self._let_go()
        return failure

    def _rearm(self, idle_from_s: float) -> None:
        self._watch = self._loop.call_at(min(idle_from_s + self._timeouts.idle_s, self._deadline_s), self._watch_over)

    def _watch_over(self) -> None:
        """One timer per answer, set anew when it rings too early: far cheaper than one timer per chunk."""
        now_s = self._loop.time()
        waiting_since_s = self._waiting_since_s
        timeouts = self._timeouts
        if now_s >= self._deadline_s:
            why = f"did not end its answer within {timeouts.total_s:g} s"
        elif waiting_since_s is not None and now_s - waiting_since_s >= timeouts.idle_s:
            why = f"sent nothing for {timeouts.idle_s:g} s in mid-answer"
        else:
            self._rearm(now_s if waiting_since_s is None else waiting_since_s)
            return
        self._fail(UpstreamTimeout(f"model {self._model!r} {why}", model=self._model))
