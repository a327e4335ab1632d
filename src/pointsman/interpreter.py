"""Between the router's calls and the transport: where the two sides speak different dialects, it translates.

An upstream of the client's own dialect gets the client's bytes, and the client the upstream's: nothing is touched here.
Of any other upstream, the answer arrives in the client's dialect, so that whatever stands above (the gate before the
first byte, the reading of usage, the renaming of the model) knows one dialect only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

import structlog

from .call.passed_headers import up
from .errors import NoModelAvailable, UpstreamBroken, UpstreamError
from .vocabulary import Dialect, Model, Request, Transport, UpstreamAnswer, UpstreamCall
from .wire import codec_of, upstream_path
from .wire.translate import (
    StreamTranslator,
    Translation,
    after_another_model,
    upstream_dialect,
    without_foreign_thinking,
)

ANTHROPIC_VERSION = ("anthropic-version", "2023-06-01")
"""The version whose bodies we write; Anthropic refuses a call without one."""
MAX_LOGGED_PATHS = 32
MAX_LOGGED_CHARS = 100

_log = structlog.get_logger("pointsman.translate")


class Interpreter:
    """The transport of one request. Its calls are made by `call`, and no others may be sent.

    Args:
        request: the client's.
        headers: the client's headers, names in lower case.
        transport: sends what has been translated.
        request_id: stands in the log beside what had to be dropped.
        foreign: by the name of the model called, how many of the first messages (or items) may be another's.
    """

    def __init__(
        self,
        request: Request,
        headers: Mapping[str, str],
        transport: Transport,
        *,
        request_id: str,
        foreign: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._request = request
        self._headers = headers
        self._transport = transport
        self._request_id = request_id
        self._foreign = foreign
        self._calls: dict[str, UpstreamCall] = {}
        self._translations: dict[str, Translation] = {}

    def call(self, model: Model) -> UpstreamCall:
        """The call of this model, in the client's dialect when its upstream speaks that; made once, for every try.

        Raises:
            NoModelAvailable: its upstream speaks no dialect at all.
        """
        known = self._calls.get(model.name)
        if known is None:
            known = self._calls[model.name] = self._make(model)
        return known

    def _make(self, model: Model) -> UpstreamCall:
        request = self._request
        dialect = upstream_dialect(request.dialect, model)
        if dialect is None:
            raise NoModelAvailable(f"the model {model.name} has no endpoint")
        if dialect is request.dialect:
            stripped = without_foreign_thinking(request.raw, dialect)
            if stripped is not None:
                request = replace(request, raw=stripped[0], body=stripped[1])
            n_foreign = self._foreign(model.name)
            if n_foreign > 0:
                safe = after_another_model(request.raw, dialect, n_foreign=n_foreign)
                if safe is not None:
                    request = replace(request, raw=safe[0], body=safe[1])
                    _log.info("made safe for another model", request_id=self._request_id, model=model.name)
            body = codec_of(dialect, request.endpoint).write_request(
                request, provider_model=model.provider_model, ask_usage=model.stream_usage_option
            )
            passed = up(self._headers.items(), dialect, betas=model.anthropic_betas)
            return UpstreamCall(model, dialect, body, request.stream, passed, path=upstream_path(request.endpoint))
        translation = self._translations[model.name] = Translation(request, model, dialect)
        if translation.dropped:
            _log.info(
                "fields dropped in translation",
                request_id=self._request_id,
                model=model.name,
                client=request.dialect.value,
                upstream=dialect.value,
                n=len(translation.dropped),
                fields=[path[:MAX_LOGGED_CHARS] for path in translation.dropped[:MAX_LOGGED_PATHS]],
            )
        headers: tuple[tuple[str, str], ...] = ()
        if dialect is Dialect.ANTHROPIC_MESSAGES and not _names(model, dialect, ANTHROPIC_VERSION[0]):
            headers = (ANTHROPIC_VERSION,)
        return UpstreamCall(model, dialect, translation.body, request.stream, headers)

    async def send(self, call: UpstreamCall) -> UpstreamAnswer:
        """The answer once its headers have come, in the client's dialect.

        Raises:
            UpstreamUnreachable, UpstreamTimeout, UpstreamBroken: as the transport.
        """
        answer = await self._transport.send(call)
        translation = self._translations.get(call.model.name)
        return answer if translation is None else _Translated(answer, translation, call)

    async def aclose(self) -> None:
        """Nothing: the transport belongs to the router."""


def _names(model: Model, dialect: Dialect, header: str) -> bool:
    return any(name.lower() == header for name, _ in model.endpoints[dialect].headers)


class _Translated:
    """An upstream's answer in the client's dialect."""

    def __init__(self, answer: UpstreamAnswer, translation: Translation, call: UpstreamCall) -> None:
        self._answer = answer
        self._translation = translation
        self._model = call.model.name
        self._stream = call.stream

    @property
    def status(self) -> int:
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._answer.headers

    def chunks(self) -> AsyncIterator[bytes]:
        if not self._stream or self.status >= 400:
            return _Once(self)
        return _TranslatedStream(self._answer.chunks(), self._translation.stream(), self._model)

    async def read(self) -> bytes:
        raw = await self._answer.read()
        if self.status >= 400:
            return self._translation.error(raw, self.status)
        try:
            return self._translation.answer(raw)
        except ValueError as error:
            raise _broken(self._model, error) from error

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Once:
    """A body that comes in one piece."""

    def __init__(self, answer: _Translated) -> None:
        self._answer: _Translated | None = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        answer, self._answer = self._answer, None
        if answer is None:
            raise StopAsyncIteration
        return await answer.read()


class _TranslatedStream:
    """A stream whose events are translated as they come."""

    def __init__(self, upstream: AsyncIterator[bytes], translator: StreamTranslator, model: str) -> None:
        self._upstream = upstream
        self._translator = translator
        self._model = model
        self._over = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while not self._over:
            try:
                out = self._translator.feed(await self._upstream.__anext__())
            except StopAsyncIteration:
                self._over = True
                out = self._translator.end()
            except UpstreamError:
                # The upstream had said that its answer is whole: the client gets the end that its protocol demands.
                self._over = True
                out = self._translator.end()
                if not self._translator.ended:
                    raise
            except ValueError as error:
                self._over = True
                raise _broken(self._model, error) from error
            if out:
                return out
        raise StopAsyncIteration


def _broken(model: str, error: ValueError) -> UpstreamBroken:
    return UpstreamBroken(f"the answer of {model!r} is not one its protocol allows: {error}", model=model)
