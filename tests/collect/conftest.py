"""Planned calls made by hand, and what a run needs around them."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from pointsman.collect import PlannedCall, Reading
from pointsman.testing import FakeClock
from pointsman.vocabulary import Cost, Dialect, Model, UpstreamCall, Usage
from pointsman.wire import CODECS

MakePlanned = Callable[..., PlannedCall]


@pytest.fixture
def make_planned() -> MakePlanned:
    """A chat call of one model; 0.10 USD at most and 0.05 expected unless told otherwise."""

    def make(
        model: Model, n: int = 0, *, max_usd: float | None = 0.10, expected_usd: float | None = 0.05
    ) -> PlannedCall:
        body = {"model": model.provider_model, "messages": [{"role": "user", "content": f"Question {n}"}]}
        return PlannedCall(
            prompt_id=f"p{n}",
            dataset="d",
            call=UpstreamCall(model, Dialect.OPENAI_CHAT, orjson.dumps(body), stream=False),
            expected=Usage(10, 20, estimated=True),
            max_usd=max_usd,
            expected_usd=expected_usd,
        )

    return make


@pytest.fixture
def read_chat() -> Callable[[PlannedCall, bytes], Reading]:
    """Reads a chat completion; 1 and 2 USD per million tokens in and out."""

    def read(planned: PlannedCall, body: bytes) -> Reading:
        answer = CODECS[Dialect.OPENAI_CHAT].read_answer(body)
        assert answer.usage is not None
        usd = (answer.usage.input_tokens + 2 * answer.usage.output_tokens) / 1e6
        return Reading(answer, answer.usage, Cost(usd))

    return read


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when told to."""
    return FakeClock()
