"""Rows of D1 whose upstream speaks another dialect than the client: what is judged has been translated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pointsman.testing import FakeClock, Reply, html_page, rate_limited
from pointsman.vocabulary import Capabilities, Dialect, Tier
from pointsman.wire import endpoint_of

from .conftest import ask, forgiving, row
from .test_streams import NOT_STREAMS

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

TIERS = (Tier("cheap", ("small", "spare")), Tier("strong", ("large",)))
PAIRS = [(client, upstream) for client in Dialect for upstream in Dialect if client is not upstream]
across = pytest.mark.parametrize(
    ("path", "upstream"),
    [(endpoint_of(client), upstream) for client, upstream in PAIRS],
    ids=[f"{client.value} to {upstream.value}" for client, upstream in PAIRS],
)
NO_ANSWERS = {
    "HTML": html_page(),
    "an error": NOT_STREAMS["an error under 200"],
    "no byte": Reply(body=b""),
    "no field": Reply(body=b"{}"),
    "a list": Reply(body=b"[]"),
}
SENSELESS: list[dict[str, Any]] = [
    {"prompt_tokens": -1, "input_tokens": -1, "completion_tokens": 2, "output_tokens": 2},
    {"prompt_tokens": 1e300, "input_tokens": 1e300, "completion_tokens": 2, "output_tokens": 2},
    {"prompt_tokens": "7", "input_tokens": "7", "completion_tokens": None, "output_tokens": None},
]


def speaking(upstream: Dialect) -> dict[str, tuple[Dialect, ...]]:
    """Every model behind one dialect."""
    return dict.fromkeys(("small", "large", "spare"), (upstream,))


@row("D1.22", "D1.23", "D1.24")
@across
@pytest.mark.parametrize("reply", NOT_STREAMS.values(), ids=NOT_STREAMS)
async def test_what_is_no_stream_at_its_first_event_is_not_translated_into_one(
    open_stand: OpenStand, path: str, upstream: Dialect, reply: Reply
) -> None:
    script = {"small-2026": reply, "spare-2026": Reply(text="spare")}
    health, speak = forgiving(), speaking(upstream)
    async with open_stand(script, tiers=TIERS, clock=FakeClock(), health=health, speak=speak) as stand:
        said = await ask(stand, path, stream=True)
        assert (said.status, said.error is None) == (502, False)
        assert b"<html" not in said.body
        said = await ask(stand, path, stream=True, model="auto")
        assert (said.status, said.text, said.ended) == (200, "spare", True)


@row("D1.22")
@across
async def test_what_is_no_answer_to_a_plain_call_is_not_translated_into_one(
    open_stand: OpenStand, path: str, upstream: Dialect
) -> None:
    async with open_stand(tiers=TIERS, clock=FakeClock(), health=forgiving(), speak=speaking(upstream)) as stand:
        for name, reply in NO_ANSWERS.items():
            stand.upstream.play(reply)
            said = await ask(stand, path)
            assert (said.status, said.error is None) == (502, False), name
            stand.upstream.play({"small-2026": reply, "spare-2026": Reply(text="spare")})
            assert (await ask(stand, path, model="auto")).text == "spare", name


@row("D1.29")
@across
async def test_senseless_usage_is_estimated_and_stays_so_in_translation(
    open_stand: OpenStand, path: str, upstream: Dialect
) -> None:
    async with open_stand(speak=speaking(upstream)) as stand:
        for n, usage in enumerate(SENSELESS, 1):
            stand.upstream.play(Reply(text="four score", omit_usage=True, extra={"usage": usage}))
            said = await ask(stand, path, stream=True)
            assert (said.status, said.text, said.ended) == (200, "four score", True), usage
            record = (await stand.ledger.wait_records(n))[-1]
            assert record.usage is not None and record.usage.estimated, usage
            assert record.cost.usd is not None and 0 < record.cost.usd < 1, usage


@row("D1.3")
@across
async def test_an_empty_account_is_told_from_a_rate_limit(open_stand: OpenStand, path: str, upstream: Dialect) -> None:
    empty = rate_limited(None, code="insufficient_quota")
    if upstream is Dialect.ANTHROPIC_MESSAGES:
        empty = Reply(status=400, error_message="Your credit balance is too low to access the Anthropic API.")
    script = {"small-2026": empty, "spare-2026": Reply(text="spare")}
    async with open_stand(script, tiers=TIERS, speak=speaking(upstream)) as stand:
        assert (await ask(stand, path, model="auto")).text == "spare"
        assert await stand.metric("pointsman_attempts_total", model="small", outcome="out_of_quota") == 1


@row("D1.6")
@across
async def test_a_request_that_is_too_long_goes_to_a_model_with_more_room(
    open_stand: OpenStand, path: str, upstream: Dialect
) -> None:
    message = "prompt is too long: 9000 tokens > 8000 maximum" if upstream is Dialect.ANTHROPIC_MESSAGES else "no room"
    too_long = Reply(status=400, error_message=message, error_code="context_length_exceeded")
    script = {"small-2026": too_long, "spare-2026": Reply(text="spare")}
    windows: dict[str, Any] = {
        name: {"capabilities": Capabilities(context_window_tokens=window)}
        for name, window in (("small", 8_000), ("spare", 90_000))
    }
    async with open_stand(script, tiers=TIERS, speak=speaking(upstream), **windows) as stand:
        assert (await ask(stand, path, model="auto")).text == "spare"
