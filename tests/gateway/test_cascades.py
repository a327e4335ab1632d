"""Cascades through the real gateway: the client sees exactly one answer, and every call is on record."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand, Stand

from pointsman.cascade import Judges
from pointsman.decide import CascadePolicy
from pointsman.judge import FreeJudge
from pointsman.testing import (
    CutAfter,
    CutBeforeAnswer,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    FakeAskedJudge,
    FakeJudge,
    HoldAfter,
    HoldAnswer,
    MalformedEvent,
    NeverAnswer,
    Reply,
    StallAfter,
    ToolCall,
    html_page,
    overloaded,
)
from pointsman.testing.faults import Fault
from pointsman.vocabulary import Answer, CascadeMode, Cost, DialPoint, Request, Score, Tier, Timeouts, Usage

HI: list[Any] = [{"role": "user", "content": "Hi"}]
CHEAP = "The cheap answer is one of several words, so that a part of it can be held back."
STRONG = 'The strong answer, with an ü and a \\ and a quote: ".'
CHEAP_REPLY = Reply(text=CHEAP, usage=Usage(10, 20))
HELD_REPLY = Reply(text=CHEAP, usage=Usage(10, 20), fault=HoldAfter(12))
"""Its beginning is judged before the rest comes, and does not come in one piece with it."""
DIALECTS = ("chat", "responses", "messages")
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
MODES = tuple(CascadeMode)


@dataclass
class Ahead:
    """A scorer that expects the same of every request."""

    p_cheap: float
    router: str = "test-router"
    dial: tuple[DialPoint, ...] = ()

    def score(self, request: Request) -> Score:
        return Score(self.p_cheap, (), self.router)

    def score_batch(self, requests: Sequence[Request]) -> Sequence[Score]:
        return [self.score(request) for request in requests]


def policy(mode: CascadeMode = CascadeMode.BUFFER, **settings: Any) -> dict[str, CascadePolicy]:
    given: dict[str, Any] = {"accept_at": (0.5, None), "early_tokens": 4, "race_below": 0.9} | settings
    return {"auto": CascadePolicy("auto", mode=mode, **given)}


def script(cheap: Reply | None = None, strong: Reply | None = None) -> dict[str, Reply]:
    return {
        "small-2026": CHEAP_REPLY if cheap is None else cheap,
        "large-2026": Reply(text=STRONG, usage=Usage(10, 30)) if strong is None else strong,
        "spare-2026": Reply(status=500),
    }


def judged(p_good: float | Callable[[Answer], float], **settings: Any) -> Judges:
    return Judges(FakeJudge(p_good), **settings)


class ErrorEventSeen(Exception):
    """An error event of a Responses stream, which the SDK gives as any other event."""


FAILURES = (openai.APIError, anthropic.APIError, ErrorEventSeen)


@dataclass
class Seen:
    """What a client of an official SDK got."""

    text: str
    model: str
    reason: str


async def ask(stand: Stand, dialect: str, *, stream: bool, release: bool = False, **extra: Any) -> Seen:
    """One request by the official SDK, read to its end. `release` lets the upstream go on once a stream has begun."""
    if dialect == "messages":
        async with stand.anthropic() as claude:
            if not stream:
                raw = await claude.messages.with_raw_response.create(model="auto", max_tokens=500, messages=HI, **extra)
                message: Any = await raw.parse()
                text = "".join(block.text for block in message.content if block.type == "text")
                return Seen(text, message.model, raw.headers["x-pointsman-reason"])
            async with claude.messages.stream(model="auto", max_tokens=500, messages=HI, **extra) as events:
                if release:
                    stand.upstream.release()
                final = await events.get_final_message()
                text = "".join(block.text for block in final.content if block.type == "text")
                return Seen(text, final.model, events.response.headers["x-pointsman-reason"])
    async with stand.openai() as client:
        if dialect == "chat":
            chat = await client.chat.completions.with_raw_response.create(
                model="auto", messages=HI, stream=stream, **extra
            )
            parsed: Any = chat.parse()
            if not stream:
                return Seen(parsed.choices[0].message.content or "", parsed.model, chat.headers["x-pointsman-reason"])
            if release:
                stand.upstream.release()
            chunks = [chunk async for chunk in parsed]
            assert sum(chunk.choices[0].finish_reason is not None for chunk in chunks) == 1
            assert len({chunk.id for chunk in chunks}) == 1
            text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
            return Seen(text, chunks[0].model, chat.headers["x-pointsman-reason"])
        response = await client.responses.with_raw_response.create(model="auto", input="Hi", stream=stream, **extra)
        whole: Any = response.parse()
        if stream:
            if release:
                stand.upstream.release()
            events_seen = [event async for event in whole]
            for event in events_seen:
                if event.type == "error":
                    raise ErrorEventSeen(event.message)
            assert [event.sequence_number for event in events_seen] == list(range(len(events_seen)))
            ends = [event for event in events_seen if event.type == "response.completed"]
            assert len(ends) == 1
            deltas = "".join(event.delta for event in events_seen if event.type == "response.output_text.delta")
            whole = ends[0].response
            assert deltas == whole.output_text
        return Seen(whole.output_text, whole.model, response.headers["x-pointsman-reason"])


async def recorded(stand: Stand) -> Any:
    """The record of the one request."""
    (record,) = await stand.ledger.wait_records(1)
    return record


def called(stand: Stand) -> list[str]:
    return [received.model for received in stand.upstream.requests]


# ---------------------------------------------------------------- one coherent answer


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_accepted_answer_is_served_and_nothing_else(
    open_stand: OpenStand, dialect: str, mode: CascadeMode, stream: bool
) -> None:
    """In a race the strong call is under way, has begun to answer, and is cancelled."""
    strong = Reply(text=STRONG, fault=HoldAfter(3) if stream else HoldAnswer())
    racing = mode is CascadeMode.RACE
    async with open_stand(script(strong=strong), policies=policy(mode), judges=judged(0.8), scorer=Ahead(0.6)) as stand:
        seen = await ask(stand, dialect, stream=stream)
        record = await recorded(stand)
        if racing:
            async with asyncio.timeout(1.0):
                await stand.upstream.wait_cancelled()
    assert (seen.text, seen.model) == (CHEAP, "small")
    assert seen.reason.startswith("accepted: cheap: ")
    assert sorted(called(stand)) == (["large-2026", "small-2026"] if racing else ["small-2026"])
    assert (record.status, record.decision.reason_code) == ("ok", "accepted")
    served = record.attempts[-1]
    assert (served.model, served.status, served.usage) == ("small", "ok", Usage(10, 20))
    assert all(verdict.accepted for verdict in served.verdicts) and served.verdicts
    lost = record.attempts[:-1]
    assert [(attempt.model, attempt.status, attempt.error) for attempt in lost] == (
        [("large", "cancelled", "lost_race")] if racing else []
    )
    # What the loser had read is paid for and on record, marked as an estimate.
    assert all(attempt.usage.estimated and attempt.cost.usd > 0 for attempt in lost)
    assert record.cost.usd == pytest.approx(sum(attempt.cost.usd for attempt in record.attempts))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_rejected_answer_is_followed_by_the_strong_one_alone(
    open_stand: OpenStand, dialect: str, mode: CascadeMode, stream: bool
) -> None:
    async with open_stand(script(), policies=policy(mode), judges=judged(0.3), scorer=Ahead(0.6)) as stand:
        seen = await ask(stand, dialect, stream=stream)
        record = await recorded(stand)
    assert (seen.text, seen.model) == (STRONG, "large")
    assert seen.reason.startswith("escalated: cheap: ")
    assert sorted(called(stand)) == ["large-2026", "small-2026"]
    assert record.decision.reason_code == "escalated"
    cheap, strong = sorted(record.attempts, key=lambda attempt: attempt.model, reverse=True)
    assert (strong.model, strong.status, strong.verdicts) == ("large", "ok", ())
    assert record.attempts[-1] is strong
    if mode is CascadeMode.RACE and not stream:
        # Either may be done first, where both are whole at about the same time.
        assert cheap.status in ("escalated", "cancelled")
        return
    assert cheap.status == "escalated"
    assert [verdict.accepted for verdict in cheap.verdicts] == [False]
    assert cheap.verdicts[0].latency_ms >= 0
    if not (mode is CascadeMode.HOLDBACK and stream):
        # A rejected answer that came whole has its full usage and cost.
        assert cheap.usage == Usage(10, 20)
        assert cheap.cost.usd == pytest.approx((10 * 1.0 + 20 * 2.0) / 1e6)
    assert record.cost.usd == pytest.approx(cheap.cost.usd + strong.cost.usd)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_bytes_of_the_winner_reach_the_client(open_stand: OpenStand, dialect: str, stream: bool) -> None:
    body: dict[str, Any] = {"model": "auto", "stream": stream, "x_from_client": [1.0, "é"]}
    body |= {"input": "Hi"} if dialect == "responses" else {"messages": HI, "max_tokens": 50}
    if dialect == "chat" and stream:
        body["stream_options"] = {"include_usage": True}
    for p_good, winner in ((0.9, "small"), (0.1, "large")):
        async with open_stand(script(), policies=policy(), judges=judged(p_good)) as stand:
            _, headers, got = await stand.send("POST", PATHS[dialect], json=body)
            sent = stand.upstream.sent[-1].body
            for received in stand.upstream.requests:
                assert received.json == body | {"model": received.model}
        assert headers["x-pointsman-model"] == winner
        back = got.replace(f'"model":"{winner}"'.encode(), f'"model":"{winner}-2026"'.encode())
        if dialect == "chat" and stream:
            start = back.index(b',"pointsman":')
            back = back[:start] + back[back.index(b"}\n\n", start) :].replace(b"}}\n\n", b"}\n\n", 1)
        assert back == sent


# ---------------------------------------------------------------- what goes wrong on the way

CHEAP_FAULTS: dict[str, Fault] = {
    "no answer": CutBeforeAnswer(),
    "never": NeverAnswer(),
    "cut": CutAfter(5),
    "stalled": StallAfter(5),
    "malformed": MalformedEvent(5),
    "error event": ErrorEvent(5),
    "no end": EndAfter(4),
    "empty": EmptyStream(),
}
QUICK = Timeouts(connect_s=5.0, first_byte_s=0.3, idle_s=0.3, total_s=10.0)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", CHEAP_FAULTS)
async def test_a_cheap_stream_that_goes_wrong_escalates(open_stand: OpenStand, dialect: str, fault: str) -> None:
    cheap = Reply(text=CHEAP, fault=CHEAP_FAULTS[fault])
    async with open_stand(script(cheap), policies=policy(), judges=judged(1.0), timeouts=QUICK) as stand:
        seen = await ask(stand, dialect, stream=True)
        record = await recorded(stand)
    assert (seen.text, seen.model) == (STRONG, "large")
    assert seen.reason.startswith("escalated: cheap failed (")
    assert called(stand)[0] == "small-2026" and called(stand)[-1] == "large-2026"
    assert record.attempts[0].model == "small"
    assert record.attempts[0].status in ("error", "incomplete")
    assert record.attempts[-1].model == "large" and record.status == "ok"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "cheap",
    [
        Reply(text=CHEAP, fault=CutAfter(0)),
        Reply(text=CHEAP, fault=NeverAnswer()),
        Reply(body=b'{"half":'),
        html_page(),
        overloaded(),
        Reply(status=400, error_message="This model cannot do that."),
        Reply(status=401),
    ],
    ids=["cut", "never", "malformed", "html", "overloaded", "refuses", "our key"],
)
async def test_a_cheap_answer_that_goes_wrong_escalates(open_stand: OpenStand, dialect: str, cheap: Reply) -> None:
    async with open_stand(script(cheap), policies=policy(), judges=judged(1.0), timeouts=QUICK) as stand:
        seen = await ask(stand, dialect, stream=False)
        record = await recorded(stand)
    assert (seen.text, seen.model) == (STRONG, "large")
    assert record.attempts[0].status == "error"
    assert record.status == "ok"


async def test_the_strong_model_s_refusal_reaches_the_client(open_stand: OpenStand) -> None:
    refusal = Reply(status=400, error_message="Too hot.")
    async with (
        open_stand(script(refusal, refusal), policies=policy(), judges=judged(1.0)) as stand,
        stand.openai() as client,
    ):
        with pytest.raises(openai.BadRequestError, match="Too hot"):
            await client.chat.completions.create(model="auto", messages=HI)
    assert called(stand) == ["small-2026", "large-2026"]


async def test_when_the_strong_tier_fails_the_best_rejected_answer_is_served(open_stand: OpenStand) -> None:
    async with open_stand(script(strong=Reply(status=500)), policies=policy(), judges=judged(0.4)) as stand:
        seen = await ask(stand, "chat", stream=False)
        record = await recorded(stand)
    assert (seen.text, seen.model) == (CHEAP, "small")
    assert "the best there is" in seen.reason
    assert record.status == "ok"


async def test_an_answer_that_is_plainly_wrong_is_never_served(open_stand: OpenStand) -> None:
    judges = Judges(FakeJudge(fault=lambda answer: "is empty"))
    async with (
        open_stand(script(strong=Reply(status=500)), policies=policy(), judges=judges) as stand,
        stand.openai() as client,
    ):
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="auto", messages=HI)
        record = await recorded(stand)
    assert record.status == "error"
    assert record.attempts[0].status == "escalated" and record.attempts[0].cost.usd > 0


@pytest.mark.parametrize(("when", "text"), [("accept", CHEAP), ("escalate", STRONG)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_judge_that_fails_never_fails_the_request(
    open_stand: OpenStand, when: Any, text: str, stream: bool
) -> None:
    judges = Judges(FakeJudge(error=RuntimeError("SECRET prompt")), when_judge_fails=when)
    for mode in MODES:
        async with open_stand(script(), policies=policy(mode), judges=judges) as stand:
            seen = await ask(stand, "chat", stream=stream)
            record = await recorded(stand)
        assert seen.text == text
        (verdict, *_) = record.attempts[0].verdicts
        assert math.isnan(verdict.p_good) and verdict.accepted is (when == "accept")
        assert verdict.reason == "the judge failed: RuntimeError"


# ---------------------------------------------------------------- the judge that is asked


async def asked(open_stand: OpenStand, judge: FakeAskedJudge, p_free: float, **settings: Any) -> tuple[Seen, Any]:
    judges = Judges(FakeJudge(p_free), asked=judge, ask_between=(0.3, 0.7), asked_within_s=0.2, **settings)
    async with open_stand(script(), policies=policy(), judges=judges) as stand:
        seen = await ask(stand, "chat", stream=True)
        return seen, (await stand.ledger.wait_records(1))[0]


async def test_a_second_judge_is_asked_where_the_first_is_unsure_and_its_cost_is_counted(open_stand: OpenStand) -> None:
    judge = FakeAskedJudge(0.9)
    seen, record = await asked(open_stand, judge, 0.4)
    assert (seen.text, judge.n_asked) == (CHEAP, 1)
    assert [(verdict.judge, verdict.p_good) for verdict in record.attempts[0].verdicts] == [
        ("fake judge", 0.4),
        ("fake asked judge", 0.9),
    ]
    assert record.judge_cost_usd == pytest.approx(0.001)
    assert record.saved_usd == pytest.approx(record.baseline_cost.usd - record.cost.usd - 0.001)
    for sure in (0.1, 0.8):
        judge = FakeAskedJudge(0.9)
        _, record = await asked(open_stand, judge, sure)
        assert (judge.n_asked, record.judge_cost_usd) == (0, 0.0)


@pytest.mark.parametrize("judge", [FakeAskedJudge(never=True), FakeAskedJudge(error=OSError("down"))])
async def test_a_second_judge_that_fails_or_is_slow_escalates(open_stand: OpenStand, judge: FakeAskedJudge) -> None:
    seen, record = await asked(open_stand, judge, 0.6)
    assert seen.text == STRONG
    # Nobody knows what it will cost, so that nothing is called a saving.
    assert record.saved_usd is None
    seen, _ = await asked(open_stand, judge, 0.6, when_judge_fails="accept")
    assert seen.text == CHEAP


async def test_a_judge_of_unknown_price_leaves_the_saving_unknown(open_stand: OpenStand) -> None:
    _, record = await asked(open_stand, FakeAskedJudge(0.9, cost=Cost(None, "no price")), 0.4)
    assert (record.cost.usd, record.cost.reason) == (None, "judge fake asked judge: no price")


# ---------------------------------------------------------------- hold-back


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_holdback_lets_a_stream_flow_once_its_beginning_has_passed(open_stand: OpenStand, dialect: str) -> None:
    cheap = Reply(text=CHEAP, fault=HoldAfter(12))
    judge = FakeJudge(0.8)
    async with open_stand(script(cheap), policies=policy(CascadeMode.HOLDBACK), judges=Judges(judge)) as stand:
        body: dict[str, Any] = {"model": "auto", "stream": True}
        body |= {"input": "Hi"} if dialect == "responses" else {"messages": HI, "max_tokens": 50}
        async with stand.session.post(stand.url + PATHS[dialect], json=body) as response:
            assert response.headers["x-pointsman-reason"].startswith("accepted: cheap: the beginning of its answer")
            first = await response.content.readany()
            assert b"cheap" in first and [early for _, _, early in judge.seen] == [True]
            stand.upstream.release()
            rest = await response.content.read()
        record = await recorded(stand)
    assert first + rest == stand.upstream.sent[0].body.replace(b"small-2026", b"small") or dialect == "chat"
    assert [early for _, _, early in judge.seen] == [True, False]
    assert judge.seen[1][1].text == CHEAP
    assert [verdict.accepted for verdict in record.attempts[0].verdicts] == [True, True]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_holdback_whose_end_is_rejected_is_an_error_and_never_a_success(
    open_stand: OpenStand, dialect: str
) -> None:
    judges = Judges(FakeJudge(0.1, p_early=0.9))
    async with open_stand(script(HELD_REPLY), policies=policy(CascadeMode.HOLDBACK), judges=judges) as stand:
        with pytest.raises(FAILURES, match="rejected at its end"):
            await ask(stand, dialect, stream=True, release=True)
        record = await recorded(stand)
    assert (record.status, record.error) == ("incomplete", "answer_rejected")
    assert [verdict.accepted for verdict in record.attempts[0].verdicts] == [True, False]
    assert record.attempts[0].usage == Usage(10, 20)
    assert called(stand) == ["small-2026"]


async def test_a_late_rejection_can_be_recorded_only(open_stand: OpenStand) -> None:
    judges = Judges(FakeJudge(0.1, p_early=0.9), late_rejection_is_error=False)
    async with open_stand(script(HELD_REPLY), policies=policy(CascadeMode.HOLDBACK), judges=judges) as stand:
        seen = await ask(stand, "chat", stream=True, release=True)
        record = await recorded(stand)
    assert (seen.text, record.status) == (CHEAP, "ok")
    assert [verdict.accepted for verdict in record.attempts[0].verdicts] == [True, False]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("fault", [CutAfter(14), MalformedEvent(14), ErrorEvent(14), EndAfter(14)])
async def test_holdback_that_breaks_after_it_began_to_flow_is_an_error(
    open_stand: OpenStand, dialect: str, fault: Fault
) -> None:
    cheap = Reply(text=CHEAP, fault=(HoldAfter(12), fault))
    async with open_stand(script(cheap), policies=policy(CascadeMode.HOLDBACK), judges=judged(0.9)) as stand:
        with pytest.raises(FAILURES):
            await ask(stand, dialect, stream=True, release=True)
        record = await recorded(stand)
    assert record.status == "incomplete"


async def test_a_stream_without_its_terminator_still_ends_well(open_stand: OpenStand) -> None:
    """The upstream has said why it ended; only `[DONE]` is missing."""
    cheap = Reply(text=CHEAP, fault=EndAfter(-1))
    for mode in MODES:
        async with open_stand(script(cheap), policies=policy(mode), judges=judged(0.9)) as stand:
            seen = await ask(stand, "chat", stream=True)
            record = await recorded(stand)
        assert (seen.text, record.status) == (CHEAP, "ok")


# ---------------------------------------------------------------- races and time


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_strong_answer_that_is_whole_wins_and_the_cheap_call_is_cancelled(
    open_stand: OpenStand, dialect: str
) -> None:
    cheap = Reply(text=CHEAP, fault=HoldAnswer())
    async with open_stand(
        script(cheap), policies=policy(CascadeMode.RACE), judges=judged(0.9), scorer=Ahead(0.2)
    ) as stand:
        seen = await ask(stand, dialect, stream=False)
        async with asyncio.timeout(1.0):
            await stand.upstream.wait_cancelled()
        record = await recorded(stand)
    assert (seen.text, seen.model) == (STRONG, "large")
    assert [(attempt.model, attempt.status, attempt.error) for attempt in record.attempts] == [
        ("small", "cancelled", "lost_race"),
        ("large", "ok", None),
    ]
    assert record.attempts[0].cost.usd > 0


async def test_where_acceptance_is_likely_there_is_no_race(open_stand: OpenStand) -> None:
    async with open_stand(script(), policies=policy(CascadeMode.RACE), judges=judged(0.8), scorer=Ahead(0.95)) as stand:
        seen = await ask(stand, "chat", stream=True)
    assert (seen.text, called(stand)) == (CHEAP, ["small-2026"])


async def test_a_request_that_is_plainly_hard_skips_the_cheap_call(open_stand: OpenStand) -> None:
    async with open_stand(script(), policies=policy(skip_below=0.3), judges=judged(0.8), scorer=Ahead(0.1)) as stand:
        seen = await ask(stand, "chat", stream=True)
    assert (seen.text, called(stand)) == (STRONG, ["large-2026"])
    assert "below 0.30, so strong" in seen.reason


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_when_the_time_is_up_the_strong_model_answers_and_the_cheap_call_is_cancelled(
    open_stand: OpenStand, stream: bool
) -> None:
    cheap = Reply(text=CHEAP, fault=HoldAfter(2) if stream else HoldAnswer())
    async with open_stand(script(cheap), policies=policy(), judges=judged(0.9)) as stand:
        seen = await ask(stand, "chat", stream=stream, extra_headers={"x-pointsman-max-latency-ms": "50"})
        async with asyncio.timeout(1.0):
            await stand.upstream.wait_cancelled()
        record = await recorded(stand)
    assert seen.text == STRONG
    assert "cheap: not judged in time; so strong" in seen.reason
    assert record.attempts[0].error == "lost_race"


async def test_a_latency_limit_that_is_no_number_is_refused(stand: Stand) -> None:
    for bad in ("soon", "-1", "0", "nan"):
        status, _, body = await stand.send(
            "POST",
            "/v1/chat/completions",
            json={"model": "auto", "messages": HI},
            headers={"x-pointsman-max-latency-ms": bad},
        )
        assert status == 400 and b"x-pointsman-max-latency-ms" in body


async def test_a_client_that_leaves_cancels_every_call(open_stand: OpenStand) -> None:
    held = Reply(text=CHEAP, fault=HoldAnswer())
    async with open_stand(
        script(held, held), policies=policy(CascadeMode.RACE), judges=judged(0.9), scorer=Ahead(0.2)
    ) as stand:
        waiting = asyncio.ensure_future(ask(stand, "chat", stream=True))
        await stand.upstream.wait_requests(2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await stand.upstream.wait_cancelled(2)
        record = await recorded(stand)
    assert record.status == "cancelled"
    assert [attempt.error for attempt in record.attempts] == ["client_left", "client_left"]


# ---------------------------------------------------------------- chains, routing

THREE = (Tier("cheap", ("small",)), Tier("middle", ("spare",)), Tier("strong", ("large",)))
PASSES: dict[str, float] = {}


@pytest.mark.parametrize(
    ("accepted", "text", "n_calls"), [("small", CHEAP, 1), ("spare", "The middle answer.", 2), ("none", STRONG, 3)]
)
async def test_a_chain_of_three_stops_at_the_first_that_is_good_enough(
    open_stand: OpenStand, accepted: str, text: str, n_calls: int
) -> None:
    texts = {"small": CHEAP, "spare": "The middle answer."}
    judges = judged(lambda answer: 0.9 if answer.text == texts.get(accepted) else 0.1)
    replies = script() | {"spare-2026": Reply(text="The middle answer.")}
    async with open_stand(replies, policies=policy(accept_at=(0.5, 0.7, None)), judges=judges, tiers=THREE) as stand:
        seen = await ask(stand, "messages", stream=True)
        record = await recorded(stand)
    assert (seen.text, len(called(stand))) == (text, n_calls)
    assert [attempt.status for attempt in record.attempts] == ["escalated"] * (n_calls - 1) + ["ok"]


async def test_cascade_routing_stops_where_more_is_not_worth_its_price(open_stand: OpenStand) -> None:
    """Every model costs the same here, about 0.5 USD per 1,000 calls: 100 of quality per USD is 0.05 a call."""
    for p_good, rate, text in ((0.97, 100.0, CHEAP), (0.6, 100.0, STRONG), (0.6, 100_000.0, CHEAP)):
        async with open_stand(
            script(),
            policies=policy(accept_at=(0.0, None), quality_per_usd=rate, kind="cascade_routing"),
            judges=judged(p_good),
            scorer=Ahead(1.0),
        ) as stand:
            seen = await ask(stand, "chat", stream=False)
        assert seen.text == text, (p_good, rate)


# ---------------------------------------------------------------- token probabilities


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_model_that_refuses_token_probabilities_is_asked_without_them_from_then_on(
    open_stand: OpenStand, dialect: str, stream: bool
) -> None:
    def refuses(received: Any) -> Reply:
        if "logprobs" in received.json or "include" in received.json:
            return Reply(status=400, error_message="'logprobs' is not supported with this model.")
        return CHEAP_REPLY

    replies: Any = script() | {"small-2026": refuses}
    async with open_stand(replies, policies=policy(), judges=Judges(FakeJudge(0.8, wants_logprobs=True))) as stand:
        for n_calls in (2, 3):
            seen = await ask(stand, dialect, stream=stream)
            assert (seen.text, seen.model) == (CHEAP, "small")
            assert called(stand) == ["small-2026"] * n_calls
        records = await stand.ledger.wait_records(2)
    first, second = sorted(records, key=lambda record: len(record.attempts), reverse=True)
    assert [(each.model, each.status, each.http_status) for each in first.attempts] == [
        ("small", "error", 400),
        ("small", "ok", 200),
    ]
    assert len(second.attempts) == 1


async def test_a_request_that_is_refused_for_another_reason_is_not_sent_again(open_stand: OpenStand) -> None:
    refused = Reply(status=400, error_message="'temperature' is too high.")
    async with open_stand(
        script(refused), policies=policy(), judges=Judges(FakeJudge(0.8, wants_logprobs=True))
    ) as stand:
        seen = await ask(stand, "chat", stream=False)
        assert (seen.text, called(stand)) == (STRONG, ["small-2026", "large-2026"])


@pytest.mark.parametrize("dialect", ["chat", "responses"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("mode", [CascadeMode.BUFFER, CascadeMode.HOLDBACK])
async def test_token_probabilities_are_asked_for_and_the_client_sees_none(
    open_stand: OpenStand, dialect: str, stream: bool, mode: CascadeMode
) -> None:
    n_words = len(CHEAP.split(" "))
    for each, text in ((-0.01, CHEAP), (-3.0, STRONG)):
        cheap = Reply(text=CHEAP, logprobs=[each] * n_words)
        async with open_stand(script(cheap), policies=policy(mode), judges=Judges(FreeJudge())) as stand:
            body: dict[str, Any] = {"model": "auto", "stream": stream}
            body |= {"input": "Hi"} if dialect == "responses" else {"messages": HI}
            _, headers, got = await stand.send("POST", PATHS[dialect], json=body)
            record = await recorded(stand)
            first = stand.upstream.requests[0].json
            sent = stand.upstream.sent[0].body
            last = stand.upstream.requests[-1].json
        assert b'"logprob"' in sent and b'"logprob"' not in got
        assert (headers["x-pointsman-model"], text in got.decode()) == (
            ("small", True) if text == CHEAP and not stream else (headers["x-pointsman-model"], text in got.decode())
        )
        assert (headers["x-pointsman-model"] == "small") is (text == CHEAP)
        asks = first.get("logprobs") is True or first.get("include") == ["message.output_text.logprobs"]
        assert asks
        if text == STRONG:
            assert "logprobs" not in last and "include" not in last
        p_good = record.attempts[0].verdicts[-1].p_good
        assert p_good == pytest.approx(math.exp(each))


async def test_a_client_that_asked_for_token_probabilities_gets_them(open_stand: OpenStand) -> None:
    cheap = Reply(text="a b", logprobs=[-0.1, -0.2])
    async with (
        open_stand(script(cheap), policies=policy(), judges=Judges(FreeJudge())) as stand,
        stand.openai() as client,
    ):
        answer = await client.chat.completions.create(model="auto", messages=HI, logprobs=True)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None and logprobs.content is not None
    assert [token.logprob for token in logprobs.content] == [-0.1, -0.2]


# ---------------------------------------------------------------- tools, JSON, turns

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: dict[str, list[Any]] = {
    "chat": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}],
    "responses": [{"type": "function", "name": "get_weather", "parameters": SCHEMA, "strict": True}],
    "messages": [{"name": "get_weather", "input_schema": SCHEMA}],
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("arguments", "winner"), [({"city": "Bern"}, "small"), ({"town": "Bern"}, "large"), ({"city": 3}, "large")]
)
async def test_a_tool_call_is_judged_by_its_schema_and_passed_on_whole(
    open_stand: OpenStand, dialect: str, stream: bool, arguments: dict[str, Any], winner: str
) -> None:
    cheap = Reply(text="Looking.", tool_calls=(ToolCall("get_weather", arguments),))
    strong = Reply(tool_calls=(ToolCall("get_weather", {"city": "Rome"}),))
    body: dict[str, Any] = {"model": "auto", "stream": stream, "tools": TOOLS[dialect]}
    body |= {"input": "Hi"} if dialect == "responses" else {"messages": HI, "max_tokens": 50}
    async with open_stand(script(cheap, strong), policies=policy(CascadeMode.HOLDBACK)) as stand:
        _, headers, got = await stand.send("POST", PATHS[dialect], json=body)
    assert headers["x-pointsman-model"] == winner
    if not stream:
        assert (b"Bern" in got, b"Rome" in got) == ((True, False) if winner == "small" else (False, True))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("text", "winner"), [('{"city":"Bern"}', "small"), ("Bern, I think", "large"), ('{"town":1}', "large")]
)
async def test_json_that_breaks_its_schema_escalates(
    open_stand: OpenStand, dialect: str, text: str, winner: str
) -> None:
    demands: dict[str, Any] = {
        "chat": {"response_format": {"type": "json_schema", "json_schema": {"name": "w", "schema": SCHEMA}}},
        "responses": {"text": {"format": {"type": "json_schema", "name": "w", "schema": SCHEMA}}},
        "messages": {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
    }
    body: dict[str, Any] = {"model": "auto"} | demands[dialect]
    body |= {"input": "Hi"} if dialect == "responses" else {"messages": HI, "max_tokens": 50}
    replies = script(Reply(text=text), Reply(text='{"city":"Rome"}'))
    async with open_stand(replies, policies=policy()) as stand:
        _, headers, _ = await stand.send("POST", PATHS[dialect], json=body)
    assert headers["x-pointsman-model"] == winner


async def test_work_of_several_turns_goes_up_whole_to_both(open_stand: OpenStand) -> None:
    messages: list[Any] = [
        {"role": "user", "content": "The weather?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "get_weather", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "Rain"}]},
    ]
    async with open_stand(script(), policies=policy(), judges=judged(0.1)) as stand, stand.anthropic() as client:
        answer = await client.messages.create(model="auto", max_tokens=50, messages=messages, tools=TOOLS["messages"])
    assert answer.content[0].text == STRONG  # type: ignore[union-attr]
    assert [received.json["messages"] for received in stand.upstream.requests] == [messages, messages]


async def test_a_conversation_that_the_provider_keeps_is_asked_once(open_stand: OpenStand) -> None:
    async with open_stand(script(), policies=policy(), judges=judged(0.1)) as stand:
        seen = await ask(stand, "responses", stream=False, conversation="conv_1")
    assert (seen.text, called(stand)) == (STRONG, ["large-2026"])
    assert "same conversation" in seen.reason


# ---------------------------------------------------------------- what is shown of it


async def test_decisions_and_metrics_tell_of_attempts_and_verdicts(open_stand: OpenStand) -> None:
    async with open_stand(script(), policies=policy(), judges=judged(0.3)) as stand:
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json={"model": "auto", "messages": HI})
        id_ = headers["x-pointsman-request-id"]
        _, _, raw = await stand.send("GET", f"/v1/decisions/{id_}")
        _, _, text = await stand.send("GET", "/metrics")
        told = json.loads(raw)
        status, _, preview = await stand.send("POST", "/v1/route", json={"model": "auto", "messages": HI})
    assert [(a["model"], a["status"], len(a["verdicts"])) for a in told["attempts"]] == [
        ("small", "escalated", 1),
        ("large", "ok", 0),
    ]
    assert b'pointsman_judged_answers_total{outcome="rejected",tier="cheap"} 1.0' in text
    assert b'pointsman_escalations_total{tier="cheap",why="rejected"} 1.0' in text
    assert b'kind="cascade",reason="escalated",tier="cheap"' in text
    plan = json.loads(preview)["cascade"]
    assert status == 200
    assert [(rung["tier"], rung["accept_at"]) for rung in plan["rungs"]] == [("cheap", 0.5), ("strong", None)]
