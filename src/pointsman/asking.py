"""One short question to one model: said in a dialect that its upstream speaks, sent, read and priced."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from .catalog import cost_of
from .classify import ClassifierSettings, Question, Told
from .errors import (
    BadRequest,
    ConfigError,
    UpstreamBusy,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from .vocabulary import Answer, Dialect, Model, Request, Timeouts, Transport, UpstreamCall, Usage
from .wire import CODECS, UnreadableAnswer, build_request, estimate_usage


def limit_name(dialect: Dialect, model: Model) -> str:
    """What a dialect calls the limit of an answer's tokens."""
    if dialect is Dialect.OPENAI_RESPONSES:
        return "max_output_tokens"
    # OpenAI's reasoning models refuse `max_tokens` (platform.openai.com/docs/api-reference/chat, read 2026-11); many
    # compatible servers know only that.
    if dialect is Dialect.OPENAI_CHAT and model.provider in ("openai", "azure"):
        return "max_completion_tokens"
    return "max_tokens"


def short_request(
    model: Model,
    text: str,
    *,
    system: str | None = None,
    max_output_tokens: int,
    parameters: Mapping[str, Any] = MappingProxyType({}),
) -> Request:
    """A request for one model in the first dialect that its upstream speaks."""
    dialect = next(iter(model.endpoints))
    body: dict[str, Any] = {**parameters, limit_name(dialect, model): max_output_tokens}
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    if system is not None:
        if dialect is Dialect.OPENAI_CHAT:
            messages.insert(0, {"role": "system", "content": system})
        else:
            body["instructions" if dialect is Dialect.OPENAI_RESPONSES else "system"] = system
    return build_request(messages=messages, dialect=dialect, **body)


def hurried(model: Model, within_s: float) -> Model:
    """The model with time limits that all end by then."""
    own = model.timeouts
    return replace(
        model,
        timeouts=Timeouts(
            connect_s=min(own.connect_s, within_s),
            first_byte_s=min(own.first_byte_s, within_s),
            idle_s=min(own.idle_s, within_s),
            total_s=within_s if own.total_s is None else min(own.total_s, within_s),
        ),
    )


def call_of(model: Model, request: Request) -> UpstreamCall:
    """The call that sends a request made by `short_request`, for a whole answer."""
    body = CODECS[request.dialect].write_request(
        request, provider_model=model.provider_model, ask_usage=False, stream=False
    )
    return UpstreamCall(model=model, dialect=request.dialect, body=body, stream=False)


def check_classifier(settings: ClassifierSettings) -> None:
    """Nothing, when the classifier can be asked and its cost known: no request may fail for it later.

    Raises:
        ConfigError: its model is simulated or has no price, or its parameters make no request.
    """
    model = settings.model
    if model.simulated:
        raise ConfigError(f"{model.name} is simulated: it decides nothing, and its cost is not real; use a real model")
    if model.price is None:
        raise ConfigError(
            f"{model.name} has no price, so what asking it costs could not be taken off the savings "
            f"({model.price_missing}); give the model a `price:`"
        )
    try:
        short_request(
            model, "", system="", max_output_tokens=settings.max_output_tokens, parameters=settings.parameters
        )
    except BadRequest as error:
        raise ConfigError(f"{error.message}; correct or remove it in `parameters`") from error


@dataclass(frozen=True, slots=True)
class ModelAsker:
    """Asks the model of a classifier over a transport; once, without a retry: the request is waiting.

    Raises:
        ConfigError: as `check_classifier`.
    """

    settings: ClassifierSettings
    transport: Transport

    def __post_init__(self) -> None:
        check_classifier(self.settings)

    async def __call__(self, asked: Question) -> Told:
        """The reply within the time limit, with its cost from the upstream's own count.

        A call that was refused costs nothing; one that was given up on after it was sent is counted with its input,
        because the provider may bill it.
        """
        timeout_s = self.settings.timeout_s
        request = self._request(asked)
        call = call_of(hurried(self.settings.model, timeout_s), request)
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self.transport.send(call)
                try:
                    if not 200 <= answer.status < 300:
                        return Told(None, f"it answered with status {answer.status}", 0.0)
                    raw = await answer.read()
                finally:
                    await answer.aclose()
        except (TimeoutError, UpstreamTimeout):
            return Told(None, f"no answer within {timeout_s * 1e3:.0f} ms", self.least_usd(asked))
        except (UpstreamUnreachable, UpstreamBusy, UpstreamRefused) as error:
            return Told(None, f"it cannot be asked ({error.code})", 0.0)
        except UpstreamError as error:
            return Told(None, f"its answer broke off ({error.code})", self.least_usd(asked))
        try:
            read = CODECS[request.dialect].read_answer(raw)
        except UnreadableAnswer:
            return Told(None, "its answer cannot be read", self.least_usd(asked))
        return Told(read.text, None, self._cost_usd(request, read))

    def least_usd(self, asked: Question) -> float:
        """The cost of the question's estimated input tokens."""
        return self._usd(Usage(self._request(asked).n_total_tokens, 0, estimated=True))

    def _request(self, asked: Question) -> Request:
        settings = self.settings
        return short_request(
            settings.model,
            asked.text,
            system=asked.system,
            max_output_tokens=settings.max_output_tokens,
            parameters=settings.parameters,
        )

    def _cost_usd(self, request: Request, answer: Answer) -> float:
        """By the upstream's count; by our estimate where it gives none, or one that contradicts itself."""
        if answer.usage is not None:
            counted = cost_of(self.settings.model.price, self.settings.model.price_missing, answer.usage)
            if counted.usd is not None:
                return counted.usd
        return self._usd(estimate_usage(request, answer))

    def _usd(self, usage: Usage) -> float:
        cost = cost_of(self.settings.model.price, self.settings.model.price_missing, usage)
        assert cost.usd is not None, "a classifier has a price, and our estimates do not contradict themselves"
        return cost.usd
