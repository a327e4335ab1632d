"""The whole path with the package's own fakes: decide, call, fall back, pass through, record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pointsman.decide import FixedPolicy, RulesPolicy, ThresholdPolicy
from pointsman.errors import (
    BadRequest,
    ConfigError,
    NoModelAvailable,
    UnknownModel,
    UpstreamBroken,
    UpstreamRefused,
)
from pointsman.router import Router
from pointsman.rules import parse
from pointsman.sync import SyncRouter
from pointsman.testing import (
    CutAfter,
    FakeTransport,
    MemoryLedger,
    RefuseConnection,
    Reply,
    html_error,
    rate_limited,
)
from pointsman.vocabulary import (
    AttemptStatus,
    Dialect,
    Endpoint,
    Hints,
    Model,
    Price,
    Request,
    Score,
    Tier,
    Usage,
)
from pointsman.wire import build_request, read_request


def model(name: str, usd: float, dialects: tuple[Dialect, ...] = tuple(Dialect)) -> Model:
    """Costs `usd` per million input tokens and twice that per million output tokens."""
    return Model(
        name=name,
        provider="openai-compatible",
        provider_model=f"{name}-2026",
        endpoints={dialect: Endpoint(f"http://127.0.0.1:9/{dialect}") for dialect in dialects},
        price=Price(usd, 2 * usd),
    )


class SetScorer:
    """Gives the score it was made with, or raises."""

    router = "set"
    dial = ()

    def __init__(self, p_cheap: float | None) -> None:
        self.p_cheap = p_cheap

    def score(self, request: Request) -> Score:
        if self.p_cheap is None:
            raise ValueError("the scorer is broken")
        return Score(self.p_cheap, (), self.router)

    def score_batch(self, requests: Any) -> list[Score]:
        return [self.score(request) for request in requests]


USAGE = Usage(input_tokens=1_000, output_tokens=500)


def router(
    script: Any = None, *, p_cheap: float | None = 0.9, rules: list[Mapping[str, Any]] | None = None
) -> tuple[Router, FakeTransport, MemoryLedger]:
    transport = FakeTransport(Reply(text="Lisbon.", usage=USAGE) if script is None else script)
    ledger = MemoryLedger()
    made = Router(
        tiers=(Tier("cheap", ("small",)), Tier("strong", ("large", "spare"))),
        models={"small": model("small", 1.0), "large": model("large", 10.0), "spare": model("spare", 20.0)},
        policies={
            "auto": ThresholdPolicy("auto", threshold=0.5),
            "mine": RulesPolicy("mine", otherwise="strong"),
            "all-cheap": FixedPolicy("all-cheap", "cheap"),
        },
        default_policy="auto",
        baseline=model("large", 10.0),
        rules=None if rules is None else parse(rules),
        scorer=SetScorer(p_cheap),
        transport=transport,
        ledger=ledger,
        clock=transport.clock,
        now=transport.clock.now,
        sleep=transport.clock.sleep,
    )
    return made, transport, ledger


# ---------------------------------------------------------------- deciding


@pytest.mark.parametrize(("p_cheap", "tier"), [(0.9, "cheap"), (0.5, "cheap"), (0.49, "strong")])
def test_the_score_decides_against_the_threshold(p_cheap: float, tier: str) -> None:
    decision = router(p_cheap=p_cheap)[0].route(prompt="What is the capital of Portugal?")
    assert (decision.tier, decision.p_cheap, decision.threshold) == (tier, p_cheap, 0.5)


def test_a_broken_scorer_means_the_safe_tier_and_is_counted() -> None:
    made, _, _ = router(p_cheap=None)
    decision = made.route(prompt="hello")
    assert (decision.tier, decision.reason_code) == ("strong", "safe_default")
    assert made.scoring.n_faults == 1


def test_an_enforced_rule_comes_before_the_score_and_an_observed_one_does_not() -> None:
    rule: dict[str, Any] = {"name": "short", "when": {"max_prompt_tokens": 60}, "use": "cheap"}
    enforced = router(p_cheap=0.1, rules=[{**rule, "mode": "enforce"}])[0].route(prompt="hello")
    observed = router(p_cheap=0.1, rules=[{**rule, "mode": "observe"}])[0].route(prompt="hello")
    assert (enforced.tier, enforced.reason_code) == ("cheap", "rule")
    assert (observed.tier, observed.reason_code) == ("strong", "score")
    assert [(outcome.rule, outcome.fired) for outcome in observed.rules] == [("short", True)]


def test_a_fixed_policy_does_not_heed_rules() -> None:
    rules: list[Mapping[str, Any]] = [{"name": "all strong", "when": {}, "use": "strong"}]
    assert router(rules=rules)[0].route(prompt="hello", policy="all-cheap").tier == "cheap"


def test_a_pinned_tier_comes_before_rules_and_score() -> None:
    rules: list[Mapping[str, Any]] = [{"name": "all cheap", "when": {}, "use": "cheap"}]
    decision = router(rules=rules)[0].route(prompt="hello", tier="strong")
    assert (decision.tier, decision.reason_code) == ("strong", "pinned_tier")


@pytest.mark.parametrize("asked", ["auto", "auto:auto", "claude-auto"])
def test_auto_has_its_names(asked: str) -> None:
    assert router()[0].route(prompt="hello", model=asked).policy == "auto"


def test_a_policy_is_named_in_the_model_or_by_the_caller_who_wins() -> None:
    made, _, _ = router()
    assert made.route(prompt="hello", model="auto:mine").policy == "mine"
    assert made.route(prompt="hello", model="auto:mine", policy="all-cheap").policy == "all-cheap"


@pytest.mark.parametrize(
    "arguments", [{"model": "gpt-9"}, {"model": "auto:nope"}, {"policy": "nope"}, {"tier": "nope"}]
)
def test_what_is_not_configured_is_refused_with_what_is(arguments: dict[str, str]) -> None:
    with pytest.raises(UnknownModel, match="expected one of"):
        router()[0].route(prompt="hello", model=arguments.get("model", "auto"), **_without(arguments, "model"))


def _without(arguments: dict[str, str], key: str) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name != key}


def test_a_named_model_bypasses_routing_and_is_its_own_baseline() -> None:
    decision = router()[0].route(prompt="hello", model="spare")
    assert (decision.model, decision.reason_code, decision.baseline_model) == ("spare", "named_model", "spare")
    assert decision.fallbacks == ()


def test_a_named_model_of_another_dialect_is_refused_only_when_the_request_cannot_be_translated() -> None:
    made, _, _ = router()
    made.models["small"] = model("small", 1.0, (Dialect.ANTHROPIC_MESSAGES,))
    assert made.route(prompt="hello", model="small").model == "small"
    bound = replace(build_request(prompt="hello", model="small"), own_dialect_only="only its provider holds it")
    with pytest.raises(NoModelAvailable, match="does not speak openai-chat, and only its provider holds it"):
        made.route(request=bound)


def test_exactly_one_of_prompt_messages_and_request_is_taken() -> None:
    made, _, _ = router()
    with pytest.raises(BadRequest, match="exactly one"):
        made.route()
    with pytest.raises(BadRequest, match="exactly one"):
        made.route(prompt="a", messages=[{"role": "user", "content": "b"}])
    with pytest.raises(BadRequest, match="no further parameters"):
        made.route(request=build_request(prompt="a"), temperature=0)


def test_two_routers_do_not_know_of_each_other() -> None:
    one, _, first = router(p_cheap=0.9)
    other, _, second = router(p_cheap=0.1)
    assert (one.route(prompt="hello").tier, other.route(prompt="hello").tier) == ("cheap", "strong")
    asyncio.run(_complete(one))
    assert (len(first.records), len(second.records)) == (1, 0)


async def _complete(made: Router) -> None:
    await made.complete(prompt="hello")


def test_a_router_that_only_decides_says_so_when_asked_to_call() -> None:
    made = Router(
        tiers=(Tier("cheap", ("small",)),),
        models={"small": model("small", 1.0)},
        policies={"auto": FixedPolicy("auto", "cheap")},
        default_policy="auto",
    )
    assert not made.ready[0]
    with pytest.raises(ConfigError, match="only decides"):
        asyncio.run(_complete(made))


# ---------------------------------------------------------------- calling and recording


async def test_an_answer_comes_with_its_cost_and_what_it_saved() -> None:
    made, transport, ledger = router()
    answer = await made.complete(prompt="What is the capital of Portugal?", temperature=0)
    assert (answer.text, answer.model, answer.tier) == ("Lisbon.", "small", "cheap")
    assert answer.usage == USAGE
    # 1,000 × 1 + 500 × 2 millionths, against ten times that with the large model.
    assert answer.cost_usd == pytest.approx(0.002)
    assert answer.saved_usd == pytest.approx(0.018)
    sent = orjson.loads(transport.calls[0].body)
    assert (sent["model"], sent["temperature"]) == ("small-2026", 0)
    assert answer.body["model"] == "small"
    [record] = ledger.records
    assert (record.status, record.request_id) == ("ok", answer.request_id)
    assert record.saved_usd == pytest.approx(0.018)
    assert record.prompt_json is None, "prompts are not kept unless the ledger is told to"


async def test_a_failing_model_gives_way_along_the_tier_and_both_attempts_are_on_record() -> None:
    made, _, ledger = router({"large-2026": html_error(), "spare-2026": Reply(text="Yes.", usage=USAGE)}, p_cheap=0.1)
    answer = await made.complete(prompt="hello")
    assert answer.model == "spare"
    [record] = ledger.records
    assert [(a.model, a.status) for a in record.attempts] == [
        ("large", AttemptStatus.ERROR),
        ("large", AttemptStatus.ERROR),
        ("spare", AttemptStatus.OK),
    ]
    assert record.cost.usd == pytest.approx(0.04)


async def test_a_cheap_model_that_fails_gives_way_up_the_tiers() -> None:
    made, _, ledger = router({"small-2026": Reply(fault=RefuseConnection()), "large-2026": Reply(usage=USAGE)})
    answer = await made.complete(prompt="hello")
    assert (answer.model, answer.tier) == ("large", "strong")
    assert ledger.records[0].attempts[0].error == "upstream_unreachable"


async def test_when_every_model_fails_the_last_failure_is_raised_and_recorded() -> None:
    made, _, ledger = router(rate_limited())
    with pytest.raises(UpstreamRefused) as caught:
        await made.complete(prompt="hello")
    assert caught.value.status == 429
    assert caught.value.retry_after_s is not None
    [record] = ledger.records
    assert (record.status, record.http_status, len(record.attempts)) == ("error", 429, 4)
    assert (record.cost.usd, record.saved_usd) == (0.0, 0.0)


async def test_a_request_that_cannot_be_decided_is_on_record_too() -> None:
    made, transport, ledger = router()
    with pytest.raises(UnknownModel):
        await made.complete(prompt="hello", model="gpt-9")
    assert transport.calls == []
    assert [(r.status, r.error, r.http_status) for r in ledger.records] == [("error", "model_not_found", 404)]


async def test_a_caller_at_fault_gets_the_upstreams_own_words() -> None:
    refusal = Reply(status=400, error_message="context is too long")
    made, transport, ledger = router(refusal)
    with pytest.raises(UpstreamRefused) as caught:
        await made.complete(prompt="hello")
    assert b"context is too long" in caught.value.body
    assert len(transport.calls) == 1, "the next model would refuse it too"
    assert ledger.records[0].status == "error"


async def test_a_stream_passes_events_and_is_recorded_at_its_end() -> None:
    made, transport, ledger = router()
    events = b"".join([chunk async for chunk in made.stream(prompt="hello")])
    assert events.endswith(b"data: [DONE]\n\n")
    assert b'"model":"small"' in events.replace(b": ", b":")
    assert b"small-2026" not in events
    assert b'"choices":[]' not in events.replace(b": ", b":"), "usage that nobody asked for is left out"
    assert orjson.loads(transport.calls[0].body)["stream_options"] == {"include_usage": True}
    assert ledger.records[0].usage == USAGE
    assert ledger.records[0].stream


async def test_usage_that_the_client_asked_for_brings_the_cost() -> None:
    made, _, ledger = router()
    stream = made.stream(prompt="hello", stream_options={"include_usage": True})
    events = b"".join([chunk async for chunk in stream])
    [chunk] = [
        orjson.loads(line[6:]) for line in events.split(b"\n") if line.startswith(b"data: {") and b'"pointsman"' in line
    ]
    assert chunk["pointsman"]["cost_usd"] == pytest.approx(0.002)
    assert chunk["pointsman"]["saved_usd"] == pytest.approx(0.018)
    assert chunk["pointsman"]["request_id"] == ledger.records[0].request_id


async def test_a_stream_cut_in_the_middle_raises_and_is_recorded_as_incomplete() -> None:
    made, _, ledger = router(Reply(text="one two three four", usage=USAGE, fault=CutAfter(3)))
    received = b""
    with pytest.raises(UpstreamBroken):
        async for chunk in made.stream(prompt="hello"):
            received += chunk
    assert b"[DONE]" not in received
    [record] = ledger.records
    assert (record.status, record.attempts[0].status) == ("incomplete", AttemptStatus.INCOMPLETE)
    assert record.usage is not None
    assert record.usage.estimated


async def test_a_reader_that_leaves_is_recorded_as_cancelled_with_what_came_so_far() -> None:
    made, _, ledger = router(Reply(text="one two three four", usage=USAGE))
    stream = made.stream(prompt="hello")
    await anext(stream)
    await stream.aclose()
    [record] = ledger.records
    assert (record.status, record.error) == ("cancelled", "client_left")
    assert record.usage is not None
    assert record.usage.estimated
    assert record.cost.usd is not None


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (Dialect.OPENAI_CHAT, {"messages": [{"role": "user", "content": "hello"}]}),
        (Dialect.OPENAI_RESPONSES, {"input": "hello"}),
        (Dialect.ANTHROPIC_MESSAGES, {"max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_every_dialect_streaming_or_not_has_usage_and_cost_on_record(
    dialect: Dialect, body: dict[str, Any], stream: bool
) -> None:
    made, _, ledger = router()
    raw = orjson.dumps({"model": "auto", "stream": stream, **body})
    async with await made.send(read_request(dialect, raw)) as reply:
        received = b"".join([chunk async for chunk in reply.chunks()]) if stream else await reply.read()
    assert b"Lisbon." in received.replace(b'"},', b"") or stream
    [record] = ledger.records
    assert record.status == "ok"
    assert record.usage is not None
    assert (record.usage.input_tokens, record.usage.output_tokens) == (1_000, 500)
    assert record.cost.usd == pytest.approx(0.002)


async def test_an_unknown_price_makes_the_cost_unknown_with_its_reason_never_zero() -> None:
    made, _, ledger = router()
    made.models["small"] = replace(made.models["small"], price=None, price_missing="no price is known for small-2026")
    answer = await made.complete(prompt="hello")
    assert (answer.cost_usd, answer.saved_usd) == (None, None)
    assert "no price is known" in str(ledger.records[0].cost.reason)


async def test_prompts_are_kept_when_the_ledger_is_told_to() -> None:
    made, transport, ledger = router()
    keeping = Router(
        tiers=made.tiers,
        models=made.models,
        policies=made.policies,
        default_policy="auto",
        baseline=made.baseline,
        scorer=made.scorer,
        transport=transport,
        ledger=ledger,
        store_prompts=True,
    )
    await keeping.complete(prompt="a secret question")
    record = ledger.records[0]
    assert record.prompt_json is not None
    assert b"a secret question" in record.prompt_json
    assert record.answer_text == "Lisbon."


async def test_only_headers_that_providers_understand_go_along() -> None:
    made, transport, _ = router()
    raw = b'{"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}'
    headers = {"anthropic-version": "2023-06-01", "authorization": "Bearer client-key", "cookie": "a=b"}
    async with await made.send(read_request(Dialect.ANTHROPIC_MESSAGES, raw), headers=headers) as reply:
        await reply.read()
    assert transport.calls[0].headers == (("anthropic-version", "2023-06-01"),)


async def test_tags_and_session_are_on_record() -> None:
    made, _, ledger = router()
    await made.complete(prompt="hello", tags=("faq", "web"), session="s-1")
    assert (ledger.records[0].tags, ledger.records[0].session_id) == (("faq", "web"), "s-1")


async def test_closing_closes_transport_and_ledger() -> None:
    made, transport, ledger = router()
    async with made:
        pass
    assert transport.closed
    assert ledger.closed


def test_hints_of_a_request_are_heeded() -> None:
    made, _, _ = router()
    request = replace(build_request(prompt="hello"), hints=Hints(tier="strong"))
    assert made.decide(request).tier == "strong"


# ---------------------------------------------------------------- without an event loop


def test_the_synchronous_twin_completes_streams_and_decides() -> None:
    made, _, ledger = router()
    with SyncRouter(made) as blocking:
        assert blocking.route(prompt="hello").tier == "cheap"
        assert blocking.complete(prompt="hello").text == "Lisbon."
        assert b"".join(blocking.stream(prompt="hello")).endswith(b"data: [DONE]\n\n")
    assert [record.status for record in ledger.records] == ["ok", "ok"]
    assert ledger.closed
    with pytest.raises(RuntimeError, match="closed"):
        blocking.complete(prompt="hello")


def test_leaving_a_synchronous_stream_early_cancels_the_call() -> None:
    made, _, ledger = router(Reply(text="one two three four", usage=USAGE))
    with SyncRouter(made) as blocking:
        for _ in blocking.stream(prompt="hello"):
            break
    assert [record.status for record in ledger.records] == ["cancelled"]
