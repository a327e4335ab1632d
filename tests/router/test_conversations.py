"""Conversations in the router: the model of a tool loop stays, a warm cache is weighed, and savings are net of it."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.decide import ThresholdPolicy
from pointsman.router import Router
from pointsman.session import SessionRules
from pointsman.testing import FakeTransport, MemoryLedger, Reply
from pointsman.testing.faults import RefuseConnection
from pointsman.testing.script import ToolCall
from pointsman.vocabulary import Dialect, Endpoint, Model, Price, Request, Score, Tier, Usage

HARD, EASY = "prove that there are infinitely many primes", "say it once more in one word"
P_CHEAP = {HARD: 0.1, EASY: 0.75}
LONG = 10_000
"""Input tokens of a turn as the upstream counts them; nine tenths of them are in its cache."""
WARM = Usage(LONG, 100, cached_input_tokens=LONG * 9 // 10)


class TextScorer:
    """P by what the user said last."""

    router = "by text"
    dial = ()

    def score(self, request: Request) -> Score:
        return Score(P_CHEAP[request.last_user_text], (), self.router)

    def score_batch(self, requests: Any) -> list[Score]:
        return [self.score(request) for request in requests]


def model(name: str, usd: float) -> Model:
    return Model(
        name=name,
        provider="openai-compatible",
        provider_model=name,
        endpoints={dialect: Endpoint(f"http://127.0.0.1:9/{dialect}") for dialect in Dialect},
        price=Price(usd, 2 * usd, cached_input_usd_per_mtok=usd / 10),
    )


def router(
    script: Any = None, *, rules: SessionRules | None = None, threshold: float = 0.7
) -> tuple[Router, FakeTransport, MemoryLedger]:
    transport = FakeTransport(Reply(text="Done.", usage=WARM) if script is None else script)
    ledger = MemoryLedger()
    models = {name: model(name, usd) for name, usd in (("small", 1.0), ("large", 10.0), ("spare", 10.0))}
    made = Router(
        tiers=(Tier("cheap", ("small",)), Tier("strong", ("large", "spare"))),
        models=models,
        policies={"auto": ThresholdPolicy("auto", threshold=threshold)},
        default_policy="auto",
        baseline=models["large"],
        scorer=TextScorer(),
        transport=transport,
        ledger=ledger,
        session_rules=rules,
        clock=transport.clock,
        now=transport.clock.now,
        sleep=transport.clock.sleep,
    )
    return made, transport, ledger


def turns(*texts: str) -> list[dict[str, Any]]:
    """Long enough that what is cached matters: user and assistant in turn."""
    said = [{"role": "user" if place % 2 == 0 else "assistant", "content": text} for place, text in enumerate(texts)]
    return [{"role": "system", "content": "word " * LONG}, *said]


TOOLS: list[dict[str, Any]] = [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}]
LOOP: list[dict[str, Any]] = [
    {"role": "user", "content": HARD},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
    {"role": "user", "content": EASY},
]


async def test_the_model_that_called_tools_gets_their_results() -> None:
    made, transport, ledger = router([Reply(tool_calls=[ToolCall("ls", id="call_1")], usage=WARM), Reply(text="a.py")])
    await made.complete(messages=LOOP[:1], tools=TOOLS)
    await made.complete(messages=LOOP, tools=TOOLS)
    assert [call.model.name for call in transport.calls] == ["large", "large"]
    decision = ledger.records[1].decision
    assert decision is not None
    assert (decision.model, decision.reason_code) == ("large", "tool_loop")
    assert decision.reason == "large called the tools whose results these are"
    assert router()[0].route(messages=LOOP, tools=TOOLS).model == "small"  # without what came before


async def test_a_tool_loop_may_be_let_go() -> None:
    made, _, _ = router(rules=SessionRules(hold_tool_loops=False, weigh_caches=False))
    await made.complete(messages=LOOP[:1], tools=TOOLS)
    assert made.route(messages=LOOP, tools=TOOLS).model == "small"


async def test_the_callers_tier_goes_before_a_tool_loop() -> None:
    made, _, _ = router()
    await made.complete(messages=LOOP[:1], tools=TOOLS)
    assert made.route(messages=LOOP, tools=TOOLS, tier="cheap").model == "small"


async def test_a_held_model_that_is_gone_gives_way_to_its_tier() -> None:
    made, transport, ledger = router(
        {
            "large": [Reply(tool_calls=[ToolCall("ls", id="call_1")], usage=WARM), Reply(fault=RefuseConnection())],
            "spare": Reply(text="a.py"),
        }
    )
    await made.complete(messages=LOOP[:1], tools=TOOLS)
    answer = await made.complete(messages=LOOP, tools=TOOLS)
    assert answer.text == "a.py"
    assert transport.calls[-1].model.name == "spare"
    assert ledger.records[1].attempts[-1].model == "spare"


async def test_a_warm_cache_is_left_only_where_that_pays() -> None:
    """Down from large to small. 10,000 tokens cost 0.10 there and 0.01 here, 0.019 there with nine tenths cached."""
    made, transport, _ = router()
    await made.complete(messages=turns(HARD), session="s")
    kept = made.route(messages=turns(HARD, "Done.", EASY), request=None, model="auto")
    assert kept.model == "small"  # no session was named
    said: dict[str, Any] = {"messages": turns(HARD, "Done.", EASY)}
    async with await made.send(_request(**said)) as reply:
        await reply.read()
    assert reply.model == "large"
    assert reply.decision.reason_code == "session"
    assert reply.decision.reason.startswith("stays with large: small loses $")
    transport.clock.advance(301.0)
    async with await made.send(_request(**said)) as reply:
        await reply.read()
    assert (reply.model, reply.decision.reason_code, reply.decision.lost_cache_usd) == ("small", "score", 0.0)


def _request(**fields: Any) -> Request:
    from pointsman.vocabulary import Hints
    from pointsman.wire import build_request

    return build_request(hints=Hints(session="s"), **fields)


async def test_leaving_a_warm_cache_is_told_and_is_no_saving() -> None:
    """Up from small to large: quality is worth it. What small had cached is told, and large would have had it too."""
    made, _, ledger = router(Reply(text="Done.", usage=WARM))
    await made.complete(messages=turns(EASY), session="s")
    decision = made.decide(_request(messages=turns(EASY, "Done.", HARD)))
    assert (decision.model, decision.reason_code) == ("large", "score")
    # Its own discount, on tokens that are estimated.
    assert decision.lost_cache_usd == pytest.approx(0.9e-6 * 9_984, rel=0.1)
    assert "leaves small, whose cached prompt was worth $0.0" in decision.reason
    assert decision.conversation_cached_tokens == 9_984
    assert ledger.records[0].decision is not None
    assert ledger.records[0].decision.conversation_cached_tokens == 0


async def test_savings_after_a_switch_are_net_of_what_the_baseline_would_have_had_cached() -> None:
    cold = Usage(LONG, 100)
    made, _, ledger = router({"large": Reply(text="Done.", usage=WARM), "small": Reply(text="Done.", usage=cold)})
    await made.complete(messages=turns(HARD), session="s")
    await made.complete(messages=turns(HARD, "Done.", EASY), session="s", tier="cheap")
    record = ledger.records[1]
    assert record.cost.usd == pytest.approx(LONG * 1e-6 + 100 * 2e-6)
    cached = LONG // 128 * 128
    warm_baseline = (LONG - cached) * 10e-6 + cached * 1e-6 + 100 * 20e-6
    assert record.baseline_cost.usd == pytest.approx(warm_baseline)
    assert record.saved_usd == pytest.approx(warm_baseline - (LONG * 1e-6 + 100 * 2e-6))


async def test_a_prompt_that_was_never_cached_changes_nothing() -> None:
    made, _, _ = router(Reply(text="Done.", usage=Usage(LONG, 100)))
    await made.complete(messages=turns(HARD), session="s")
    decision = made.decide(_request(messages=turns(HARD, "Done.", EASY)))
    assert (decision.model, decision.reason_code, decision.lost_cache_usd) == ("small", "score", 0.0)


async def test_asking_alone_remembers_nothing() -> None:
    made, _, _ = router()
    made.decide(_request(messages=turns(HARD)))
    assert made.decide(_request(messages=turns(HARD, "Done.", EASY))).model == "small"


def test_a_follow_up_is_as_hard_as_what_it_follows() -> None:
    from pointsman.features import text_of

    long = "Prove that every bounded monotone sequence of real numbers converges, and say where you use completeness."
    said = [("user", long), ("assistant", "First ..."), ("user", "go on"), ("assistant", "Then ..."), ("user", "yes")]
    request = _request(messages=[{"role": role, "content": text} for role, text in said])
    assert text_of(request) == f"{long}\nyes"
