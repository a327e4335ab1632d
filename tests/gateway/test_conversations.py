"""A conversation through the gateway, in every dialect: the tool loop stays with its model, and the bill is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pointsman.decide import ThresholdPolicy
from pointsman.testing import Reply
from pointsman.testing.exchange import Received
from pointsman.testing.script import ToolCall
from pointsman.vocabulary import Dialect, Price, Request, Score, Usage

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

HARD, EASY = "Prove it.", "Thanks, in one word?"
REMINDER = "<system-reminder>Prove it.</system-reminder>"
PRICES = {"small": {"price": Price(1.0, 2.0)}, "large": {"price": Price(10.0, 20.0)}, "spare": {"price": Price(10, 20)}}
CALL, ANSWER = Usage(700, 30), Usage(900, 50)
LS_CALL = {"name": "ls", "arguments": '{"path":"."}'}
SIGNED = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}


class HardIsHard:
    """P 0.1 for a turn that asks for a proof, 0.95 for all others."""

    router = "hard is hard"
    dial = ()

    def score(self, request: Request) -> Score:
        return Score(0.1 if "Prove" in request.last_user_text else 0.95, (), self.router)

    def score_batch(self, requests: Any) -> list[Score]:
        return [self.score(request) for request in requests]


def replies(received: Received) -> Reply:
    """A tool call first, words once the tool has answered."""
    if b"a.py" in received.body:
        return Reply(text="There it is.", usage=ANSWER)
    return Reply(tool_calls=[ToolCall("ls", {"path": "."}, id="call_1")], usage=CALL)


def chat_turns(n: int) -> dict[str, Any]:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": HARD},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": '{"path":"."}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "a.py"},
        {"role": "assistant", "content": "There it is."},
        {"role": "user", "content": EASY},
    ]
    tools = [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}]
    return {"messages": turns[:n], "tools": tools, "user": "ada"}


def messages_turns(n: int) -> dict[str, Any]:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": HARD},
        {
            "role": "assistant",
            "content": [SIGNED, {"type": "tool_use", "id": "call_1", "name": "ls", "input": {"path": "."}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "a.py"},
                {"type": "text", "text": REMINDER},
            ],
        },
        {"role": "assistant", "content": [SIGNED, {"type": "text", "text": "There it is."}]},
        {"role": "user", "content": [{"type": "text", "text": EASY}, {"type": "text", "text": REMINDER}]},
    ]
    return {
        "max_tokens": 100,
        "messages": turns[:n],
        "tools": [{"name": "ls", "input_schema": {"type": "object"}}],
        "metadata": {"user_id": "user_ada_session_1"},
    }


def responses_turns(n: int) -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        {"role": "user", "content": HARD},
        {"type": "function_call", "call_id": "call_1", "name": "ls", "arguments": '{"path":"."}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "a.py"},
        {"role": "assistant", "content": "There it is."},
        {"role": "user", "content": EASY},
    ]
    return {"input": items[:n], "tools": [{"type": "function", "name": "ls", "parameters": {}}], "user": "ada"}


DIALECTS = {
    "/v1/chat/completions": chat_turns,
    "/v1/messages": messages_turns,
    "/v1/responses": responses_turns,
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", DIALECTS)
async def test_no_switch_inside_a_tool_loop_and_the_bill_is_what_the_upstream_counted(
    open_stand: OpenStand, path: str, stream: bool
) -> None:
    turns = DIALECTS[path]
    policy = {"swing": ThresholdPolicy("swing", threshold=0.5)}
    async with open_stand(replies, policies=policy, scorer=HardIsHard(), **PRICES) as stand:
        for n in (1, 3, 5):
            body = {"model": "auto:swing", "stream": stream, **turns(n)}
            if stream and path == "/v1/chat/completions":
                body["stream_options"] = {"include_usage": True}
            status, _, raw = await stand.send("POST", path, json=body)
            assert status == 200, raw
        records = await stand.ledger.wait_records(3)
        assert [record.attempts[-1].model for record in records] == ["large", "large", "small"]
        codes = [None if record.decision is None else record.decision.reason_code for record in records]
        assert codes == ["score", "tool_loop", "score"]
        assert len({record.session_id for record in records}) == 1
        counted = [(CALL, 10.0), (ANSWER, 10.0), (ANSWER, 1.0)]
        upstream_usd = sum(u.input_tokens * usd * 1e-6 + u.output_tokens * 2 * usd * 1e-6 for u, usd in counted)
        assert sum(record.cost.usd or 0.0 for record in records) == pytest.approx(upstream_usd, abs=1e-12)
        # Inside the loop the upstream got the client's own turns, byte for byte but for the model's name.
        inside = orjson.loads(stand.upstream.requests[1].body)
        assert all(inside[key] == value for key, value in turns(3).items())


async def test_what_the_model_before_signed_does_not_reach_the_next(open_stand: OpenStand) -> None:
    policy = {"swing": ThresholdPolicy("swing", threshold=0.5)}
    async with open_stand(replies, policies=policy, scorer=HardIsHard(), **PRICES) as stand:
        for n in (1, 3, 5):
            await stand.send("POST", "/v1/messages", json={"model": "auto:swing", **messages_turns(n)})
        first, inside, after = (request.body for request in stand.upstream.requests)
        assert b"EqQB" not in first
        assert inside.count(b"EqQB") == 1
        assert b"EqQB" not in after
        kept = [block["type"] for block in orjson.loads(after)["messages"][1]["content"]]
        assert kept == ["tool_use"]


async def test_a_reminder_of_the_harness_is_not_difficulty_but_reaches_the_model(open_stand: OpenStand) -> None:
    policy = {"swing": ThresholdPolicy("swing", threshold=0.5)}
    async with open_stand(Reply(text="Hello."), policies=policy, scorer=HardIsHard(), **PRICES) as stand:
        content = [{"type": "text", "text": REMINDER}, {"type": "text", "text": "Say hello."}]
        body = {"model": "auto:swing", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
        _, headers, _ = await stand.send("POST", "/v1/messages", json=body)
        assert headers["x-pointsman-model"] == "small"
        assert REMINDER.encode() in stand.upstream.requests[0].body


async def test_two_callers_with_the_same_words_do_not_share_a_conversation(open_stand: OpenStand) -> None:
    policy = {"swing": ThresholdPolicy("swing", threshold=0.5)}
    async with open_stand(replies, policies=policy, scorer=HardIsHard(), **PRICES) as stand:
        await stand.send("POST", "/v1/chat/completions", json={"model": "auto:swing", **chat_turns(1)})
        other = {"model": "auto:swing", **chat_turns(3), "user": "bob"}
        other["messages"][0] = {"role": "user", "content": "List the files."}
        _, headers, _ = await stand.send("POST", "/v1/chat/completions", json=other)
        assert headers["x-pointsman-model"] == "small"


def test_every_dialect_is_covered() -> None:
    assert len(DIALECTS) == len(Dialect)
