"""Wires the collect stage: from prompts and configured models to calls, and from an answer's bytes to what it cost."""

from __future__ import annotations

import asyncio
import random as random_numbers
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from pointsman import assembly
from pointsman.asking import limit_name
from pointsman.call.retry_after import retry_after_s
from pointsman.catalog import cost_of
from pointsman.collect import Budget, Journal, PlannedCall, Progress, Reading, Summary, collect
from pointsman.decide import expected_usage
from pointsman.engine import LOCAL, Engine
from pointsman.errors import BadRequest, ConfigError
from pointsman.rules import recognise
from pointsman.vocabulary import Dialect, Model, Request, UpstreamCall, Usage
from pointsman.wire import CODECS, estimate_usage, read_request

from .prompt_files import PromptRow

if TYPE_CHECKING:
    from pointsman.assembly import Parts

INPUT_AT_MOST = 2.0
"""Times the estimate of input tokens: text without spaces is underestimated by up to a half (pointsman.wire.tokens)."""
INPUT_MARGIN_TOKENS = 64
"""For what a provider puts around a prompt, which counts where the prompt is short."""
UNLIMITED_S = 3_600.0
"""Time to the first byte where the configuration limits the whole call by nothing."""
REQUIRED_MAX_TOKENS = 8_192
"""Anthropic's `max_tokens` must be given (docs.claude.com/en/api/messages, read 2026-11); used where neither the prompt
nor the caller says one and the model's own limit is not lower."""


def open_parts(config: Path | None) -> Parts:
    """The configured parts; the router's scorer is not needed.

    Raises:
        ConfigError: something in the configuration is wrong.
    """
    return assembly.from_config(config)


def chosen_models(parts: Parts, names: Sequence[str]) -> list[Model]:
    """The configured models of these names, in order.

    Raises:
        BadRequest: a name is not configured, or is given twice.
    """
    unknown = [name for name in names if name not in parts.models]
    if unknown or not names:
        said = f"{', '.join(unknown)}: not configured" if unknown else "no model was named"
        raise BadRequest(f"--models: {said}; expected some of: {', '.join(parts.models)}")
    if len(set(names)) < len(names):
        raise BadRequest(f"--models: a model is named twice in {', '.join(names)}")
    return [parts.models[name] for name in names]


# ---------------------------------------------------------------- planning


def plan(
    prompts: Iterable[PromptRow],
    models: Sequence[Model],
    *,
    max_output_tokens: int | None = None,
    logprobs: bool = False,
    expected_output_tokens: int | None = None,
) -> list[PlannedCall]:
    """Every prompt for every model, prompt by prompt.

    Args:
        prompts: what to send.
        models: whom to ask.
        max_output_tokens: limits the answers of prompts that set no limit themselves.
        logprobs: asks chat completions for the tokens' log-probabilities.
        expected_output_tokens: the probable length of an answer; None estimates it from the kind of task.

    Raises:
        ConfigError: a model speaks no dialect in which a prompt can be said.
    """
    planned: list[PlannedCall] = []
    models = [_patient(model) for model in models]
    for prompt in prompts:
        kind = recognise(prompt.request) if expected_output_tokens is None else None
        for model in models:
            request = _said_to(prompt, model, max_output_tokens, logprobs)
            codec = CODECS[request.dialect]
            body = codec.write_request(request, provider_model=model.provider_model, ask_usage=False, stream=False)
            expected = expected_usage(request, kind)
            if expected_output_tokens is not None:
                expected = Usage(expected.input_tokens, expected_output_tokens, estimated=True)
            planned.append(
                PlannedCall(
                    prompt_id=prompt.prompt_id,
                    dataset=prompt.dataset,
                    call=UpstreamCall(model, request.dialect, body, stream=False),
                    expected=expected,
                    max_usd=_max_usd(request, model),
                    expected_usd=cost_of(model.price, model.price_missing, expected).usd,
                )
            )
    return planned


def _patient(model: Model) -> Model:
    """The model with as much time to its first byte as to its last: an answer that is not streamed comes all at once,
    and giving up on one that is under way pays for nothing."""
    timeouts = model.timeouts
    most_s = UNLIMITED_S if timeouts.total_s is None else timeouts.total_s
    return replace(model, timeouts=replace(timeouts, first_byte_s=max(timeouts.first_byte_s, most_s)))


def _said_to(prompt: PromptRow, model: Model, max_output_tokens: int | None, logprobs: bool) -> Request:
    """The request in a dialect of this model; text alone is said in the model's own first one."""
    request = prompt.request
    body: dict[str, Any] = dict(request.body)
    dialect = request.dialect
    if prompt.plain and model.endpoints:
        dialect = next(iter(model.endpoints))
        body = _translated(body, dialect)
    if dialect not in model.endpoints:
        spoken = ", ".join(model.endpoints) or "nothing"
        raise ConfigError(
            f"prompt {prompt.prompt_id!r} is a request in {dialect.value}, which model {model.name!r} does not speak "
            f"(it speaks {spoken}); only prompts of plain text are said in other dialects"
        )
    if request.max_output_tokens is None:
        name = limit_name(dialect, model)
        if max_output_tokens is not None:
            body[name] = max_output_tokens
        elif dialect is Dialect.ANTHROPIC_MESSAGES:
            most = model.capabilities.max_output_tokens
            body[name] = REQUIRED_MAX_TOKENS if most is None else min(REQUIRED_MAX_TOKENS, most)
    if logprobs and dialect is Dialect.OPENAI_CHAT:
        body.setdefault("logprobs", True)
    return read_request(dialect, orjson.dumps(body))


def _translated(body: Mapping[str, Any], dialect: Dialect) -> dict[str, Any]:
    system = body.get("system")
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages += body["messages"]
    if dialect is Dialect.OPENAI_CHAT:
        return {"model": "auto", "messages": messages}
    if dialect is Dialect.OPENAI_RESPONSES:
        return {"model": "auto", "input": messages}
    said = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    turns = [message for message in messages if message["role"] != "system"]
    return {"model": "auto", **({"system": said} if said else {}), "messages": turns}


def _max_usd(request: Request, model: Model) -> float | None:
    """What a call can cost at most; None when no price or no bound on the answer is known."""
    most = request.max_output_tokens
    if most is None:
        most = model.capabilities.max_output_tokens
    if most is None:
        return None
    choices = request.body.get("n")
    usage = Usage(
        input_tokens=round(INPUT_AT_MOST * request.n_total_tokens) + INPUT_MARGIN_TOKENS,
        output_tokens=most * (choices if isinstance(choices, int) else 1),
        estimated=True,
    )
    return cost_of(model.price, model.price_missing, usage).usd


def refuse_unbounded(calls: Iterable[PlannedCall]) -> None:
    """Checks that every call has a highest cost, so that a limit can be kept.

    Raises:
        BadRequest: one has none; the message says whose and why.
    """
    for planned in calls:
        if planned.max_usd is None:
            model = planned.call.model
            if model.price is None:
                raise BadRequest(f"--max-usd cannot be kept: {model.name} has no price: {model.price_missing}")
            raise BadRequest(
                f"--max-usd cannot be kept: how long an answer of {model.name} can be is not known; give "
                "--max-output-tokens, or max_output_tokens for the model in the configuration"
            )


# ---------------------------------------------------------------- reading answers


def read_answer(planned: PlannedCall, body: bytes) -> Reading:
    """What an answer says and cost; where it gives no usage, an estimate of it.

    Raises:
        ValueError: it is not an answer in the call's dialect.
    """
    call = planned.call
    answer = CODECS[call.dialect].read_answer(body)
    usage = answer.usage
    if usage is None:
        usage = estimate_usage(read_request(call.dialect, call.body), answer)
    return Reading(answer, usage, cost_of(call.model.price, call.model.price_missing, usage), _logprobs(body))


def _logprobs(body: bytes) -> tuple[float, ...] | None:
    """The log-probabilities of a chat completion's tokens (`choices[0].logprobs.content[].logprob`), if it has any."""
    if b'"logprob"' not in body:
        return None
    choices = orjson.loads(body).get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    held = first.get("logprobs")
    tokens = held.get("content") if isinstance(held, dict) else None
    if not isinstance(tokens, list):
        return None
    found = [token.get("logprob") for token in tokens if isinstance(token, dict)]
    return tuple(float(value) for value in found if isinstance(value, int | float)) or None


# ---------------------------------------------------------------- running


def run(
    parts: Parts,
    calls: Sequence[PlannedCall],
    journal: Journal,
    *,
    max_usd: float | None,
    advance: Callable[[Progress], None],
    concurrency: int,
    heard: Callable[[], None],
    engine: Engine = LOCAL,
) -> Summary:
    """Sends the calls over the configured transport; SIGTERM and SIGINT let those under way finish.

    The journal, the budget and the order of retries stay here, wherever the calls are made from.

    Args:
        heard: called once, when such a signal has come.
        engine: makes the calls.

    Raises:
        DataError: the journal cannot be written.
    """

    async def main() -> Summary:
        stop = asyncio.Event()
        transport = engine.transport(partial(assembly.transport_of, parts.settings.limits.max_answer_bytes))
        try:
            with _drained_by_signals(stop, heard):
                return await collect(
                    calls,
                    transport=transport,
                    journal=journal,
                    budget=Budget(max_usd, spent_usd=journal.past.spent_usd, lost_usd=journal.past.lost_usd),
                    read_answer=read_answer,
                    retry_after=retry_after_s,
                    clock=time.monotonic,
                    now=lambda: datetime.now(UTC),
                    random=random_numbers.random,
                    stop=stop,
                    concurrency=concurrency,
                    advance=advance,
                )
        finally:
            await transport.aclose()

    return asyncio.run(main())


@contextmanager
def _drained_by_signals(stop: asyncio.Event, heard: Callable[[], None]) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks to stop; the second ends the process as it always would."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def ask() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
        heard()

    for number in numbers:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def confirm(question: str, *, yes: bool) -> None:
    """Asks before money is spent.

    Raises:
        BadRequest: nobody can be asked.
        typer.Exit: the answer was no.
    """
    import sys

    import typer

    if yes:
        return
    if not sys.stdin.isatty():
        raise BadRequest("this would spend money and there is no terminal to ask at; add --yes to go ahead")
    if not typer.confirm(question):
        typer.echo("nothing was sent", err=True)
        raise typer.Exit(1)
