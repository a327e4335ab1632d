"""The run over a transport in memory: order, retries, budget, stopping; nothing waits for real."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.call.retry_after import retry_after_s
from pointsman.collect import Budget, Journal, PlannedCall, Progress, RetryPolicy, Stopped, Summary, collect
from pointsman.testing import (
    CutBeforeAnswer,
    FakeClock,
    FakeTransport,
    NeverAnswer,
    Reply,
    html_page,
    overloaded,
    rate_limited,
)
from pointsman.vocabulary import Model, Usage

Run = Callable[..., Any]
USAGE = Usage(100, 50)  # 0.0002 USD at the prices of `read_chat`


@pytest.fixture
def run(tmp_path: Path, clock: FakeClock, read_chat: Any) -> Run:
    """Runs calls with a journal in the test's folder; waits move the clock and are kept in `waited`."""
    waited: list[float] = []

    async def go(
        calls: Sequence[PlannedCall],
        transport: FakeTransport,
        *,
        budget: Budget | None = None,
        stop: asyncio.Event | None = None,
        advance: Callable[[Progress], None] | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        concurrency: int = 1,
    ) -> Summary:
        async def sleep(seconds: float) -> None:
            waited.append(seconds)
            clock.advance(seconds)

        with Journal(tmp_path / "journal.jsonl") as journal:
            return await collect(
                calls,
                transport=transport,
                journal=journal,
                budget=Budget(None) if budget is None else budget,
                read_answer=read_chat,
                retry_after=retry_after_s,
                clock=clock,
                now=clock.now,
                random=lambda: 0.0,
                retry=retry,
                sleep=sleep,
                stop=stop,
                concurrency=concurrency,
                advance=advance,
            )

    go.waited = waited  # type: ignore[attr-defined]
    return go


async def test_every_prompt_is_answered_once_and_a_second_run_sends_nothing(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    model = make_model()
    calls = [make_planned(model, n) for n in range(3)]
    transport = FakeTransport(Reply(text="four", usage=USAGE), clock=clock)
    summary = await run(calls, transport)
    assert summary.complete
    assert [done.prompt_id for done in summary.done.values()] == ["p0", "p1", "p2"]
    assert summary.spent_usd == pytest.approx(0.0006)
    again = await run(calls, transport)
    assert (again.n_new, again.n_before, again.spent_usd) == (0, 3, 0.0)
    assert len(again.done) == 3
    assert len(transport.calls) == 3


async def test_attempts_of_one_call_carry_one_idempotency_key(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport([overloaded(), Reply(usage=USAGE)], clock=clock)
    await run([make_planned(make_model())], transport)
    keys = {dict(call.headers)["idempotency-key"] for call in transport.calls}
    assert len(transport.calls) == 2
    assert len(keys) == 1


async def test_retry_after_holds_back_every_worker_of_the_model(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport([rate_limited("7"), Reply(usage=USAGE)], clock=clock)
    summary = await run([make_planned(make_model())], transport)
    assert summary.complete
    assert run.waited == [7.0]  # type: ignore[attr-defined]
    assert summary.n_retries == 1


async def test_what_cannot_get_better_is_not_tried_again_and_others_go_on(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport([Reply(status=400), Reply(usage=USAGE)], clock=clock)
    summary = await run([make_planned(make_model(), n) for n in range(2)], transport)
    assert len(transport.calls) == 2
    assert list(summary.failed.values()) == ["model 'cheap-model' answered with status 400"]
    assert summary.n_new == 1
    assert not summary.complete


async def test_a_refused_key_stops_its_model_and_not_the_other(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    cheap, strong = make_model("cheap"), make_model("strong")
    script = {"cheap-at-provider": Reply(status=401), "strong-at-provider": Reply(usage=USAGE)}
    transport = FakeTransport(script, clock=clock)
    summary = await run([make_planned(model, n) for n in range(3) for model in (cheap, strong)], transport)
    assert [call.model.name for call in transport.calls].count("cheap") == 1
    assert [done.model for done in summary.done.values()] == ["strong"] * 3
    assert "gave cheap up" in summary.stopped[Stopped.MODEL]
    assert summary.n_not_sent == 2


async def test_a_model_that_only_fails_is_given_up(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport(overloaded(), clock=clock)
    calls = [make_planned(make_model(), n) for n in range(20)]
    summary = await run(calls, transport, retry=RetryPolicy(max_attempts=2, failures_in_row=3))
    assert len(transport.calls) == 6
    assert len(summary.failed) == 3
    assert summary.n_not_sent == 17


@pytest.mark.parametrize(
    "bad", [Reply(fault=CutBeforeAnswer()), Reply(fault=NeverAnswer()), html_page()], ids=["cut", "timeout", "html"]
)
async def test_an_answer_that_was_lost_counts_against_the_budget_at_its_highest_cost(
    bad: Reply, run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    budget = Budget(0.15)
    transport = FakeTransport([bad, Reply(usage=USAGE)], clock=clock)
    summary = await run([make_planned(make_model())], transport, budget=budget)
    assert budget.lost_usd == pytest.approx(0.10)
    assert len(transport.calls) == 1, "0.10 of 0.15 may be gone, so a second try does not fit"
    assert summary.n_not_sent == 1
    assert Stopped.BUDGET in summary.stopped


async def test_a_prompt_whose_answers_keep_getting_lost_is_given_up_before_it_costs_more(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport(Reply(fault=CutBeforeAnswer()), clock=clock)
    summary = await run([make_planned(make_model())], transport)
    assert len(transport.calls) == 2
    assert len(summary.failed) == 1


async def test_a_refusal_costs_nothing(run: Run, make_model: Any, make_planned: Any, clock: FakeClock) -> None:
    budget = Budget(0.15)
    transport = FakeTransport([overloaded(), overloaded(), Reply(usage=USAGE)], clock=clock)
    summary = await run([make_planned(make_model())], transport, budget=budget)
    assert summary.complete
    assert budget.lost_usd == 0.0


async def test_the_run_stops_before_the_limit_and_goes_on_with_a_higher_one(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    usage = Usage(0, 25_000)  # 0.05 USD
    calls = [make_planned(make_model(), n) for n in range(10)]
    budget = Budget(0.30)
    transport = FakeTransport(Reply(usage=usage), clock=clock)
    summary = await run(calls, transport, budget=budget, concurrency=4)
    # With 0.05 each, the sixth would begin at 0.25 with 0.10 reserved: above 0.30.
    assert summary.n_new == 5
    assert summary.spent_usd == pytest.approx(0.25)
    assert summary.n_not_sent == 5
    more = await run(calls, transport, budget=Budget(1.0, spent_usd=0.25), concurrency=4)
    assert more.complete
    assert (more.n_new, more.n_before) == (5, 5)
    assert len(transport.calls) == 10


async def test_a_stop_finishes_what_is_under_way_and_begins_nothing(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    stop = asyncio.Event()
    transport = FakeTransport(Reply(usage=USAGE), clock=clock)

    def advance(progress: Progress) -> None:
        if progress.n_done == 2:
            stop.set()

    summary = await run([make_planned(make_model(), n) for n in range(5)], transport, stop=stop, advance=advance)
    assert summary.n_new == 2
    assert summary.n_not_sent == 3
    assert Stopped.ASKED in summary.stopped


async def test_a_stop_during_a_long_wait_ends_it(
    make_model: Any, make_planned: Any, clock: FakeClock, read_chat: Any, tmp_path: Path
) -> None:
    stop = asyncio.Event()

    async def forever(seconds: float) -> None:
        stop.set()
        await asyncio.Event().wait()

    with Journal(tmp_path / "j.jsonl") as journal:
        summary = await collect(
            [make_planned(make_model())],
            transport=FakeTransport(rate_limited("3600"), clock=clock),
            journal=journal,
            budget=Budget(None),
            read_answer=read_chat,
            retry_after=retry_after_s,
            clock=clock,
            now=clock.now,
            random=lambda: 0.0,
            sleep=forever,
            stop=stop,
        )
    assert summary.n_not_sent == 1
    assert not summary.failed


async def test_dollars_left_follow_what_answers_really_cost(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    seen: list[Progress] = []
    calls = [make_planned(make_model(), n, expected_usd=0.05) for n in range(3)]
    await run(calls, FakeTransport(Reply(usage=USAGE), clock=clock), advance=seen.append)
    assert seen[0].expected_left_usd == pytest.approx(2 * 0.0002)
    assert seen[-1].expected_left_usd == 0.0
    assert seen[-1].spent_usd == pytest.approx(0.0006)


async def test_the_same_call_given_twice_is_sent_once(
    run: Run, make_model: Any, make_planned: Any, clock: FakeClock
) -> None:
    transport = FakeTransport(Reply(usage=USAGE), clock=clock)
    call = make_planned(make_model())
    await run([call, call], transport)
    assert len(transport.calls) == 1


async def test_no_more_calls_of_a_model_are_under_way_than_it_allows(
    make_model: Any, make_planned: Any, clock: FakeClock, read_chat: Any, tmp_path: Path
) -> None:
    from dataclasses import replace

    model: Model = replace(make_model(), max_concurrency=2)
    inner = FakeTransport(Reply(usage=USAGE), clock=clock)
    under_way: list[int] = [0, 0]

    class Counting:
        async def send(self, call: Any) -> Any:
            under_way[0] += 1
            under_way[1] = max(under_way)
            await asyncio.sleep(0)
            under_way[0] -= 1
            return await inner.send(call)

        async def aclose(self) -> None:
            pass

    with Journal(tmp_path / "j.jsonl") as journal:
        summary = await collect(
            [make_planned(model, n) for n in range(12)],
            transport=Counting(),
            journal=journal,
            budget=Budget(None),
            read_answer=read_chat,
            retry_after=retry_after_s,
            clock=clock,
            now=clock.now,
            random=lambda: 0.0,
            concurrency=9,
        )
    assert summary.complete
    assert under_way[1] == 2
