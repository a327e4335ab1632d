"""A fault of ours: the caller gets an error of its dialect, the log one line, and neither says what was asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.decide import Choice, Situation
from pointsman.vocabulary import UpstreamCall

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

PROMPT = "a secret question"
BODY: dict[str, Any] = {"model": "auto", "max_tokens": 5, "messages": [{"role": "user", "content": PROMPT}]}
FIRST_EVENT = b'data: {"id":"x","model":"m","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'


class BrokenPolicy:
    """Fails with an error that quotes the prompt."""

    name = "broken"
    kind = "fixed"
    heeds_rules = False

    def decide(self, situation: Situation) -> Choice:
        raise KeyError(situation.request.last_user_text)


class BrokenAnswer:
    """One event, then an error that no stage knows."""

    status = 200
    headers: Mapping[str, str] = {"content-type": "text/event-stream"}

    async def chunks(self) -> AsyncIterator[bytes]:
        yield FIRST_EVENT
        raise KeyError(PROMPT)

    async def read(self) -> bytes:
        raise KeyError(PROMPT)

    async def aclose(self) -> None:
        return


class BrokenTransport:
    """Answers with `BrokenAnswer`."""

    async def send(self, call: UpstreamCall) -> BrokenAnswer:
        return BrokenAnswer()

    async def aclose(self) -> None:
        return


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
async def test_before_the_answer(open_stand: OpenStand, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_stand(policies={"broken": BrokenPolicy()}) as stand:
        status, headers, got = await stand.send("POST", path, json=BODY | {"model": "auto:broken"})
        assert (await stand.send("POST", path, json=BODY))[0] == 200
    request_id = headers["x-pointsman-request-id"]
    assert status == 500
    assert request_id in json.loads(got)["error"]["message"]
    log = capsys.readouterr().out
    assert request_id in log and "KeyError" in log and "test_own_faults.py" in log
    assert PROMPT not in log and PROMPT not in got.decode() and "Traceback" not in got.decode()


async def test_in_mid_stream(open_stand: OpenStand, capsys: pytest.CaptureFixture[str]) -> None:
    async with open_stand(transport=BrokenTransport()) as stand:
        status, headers, got = await stand.send("POST", "/v1/chat/completions", json=BODY | {"stream": True})
        (record,) = await stand.ledger.wait_records(1)
    assert status == 200
    first, second = got.split(b"\n\n")[:2]
    assert b'"content":"a"' in first
    assert json.loads(second.removeprefix(b"data: "))["error"]["code"] == "internal_error"
    assert b"[DONE]" not in got
    log = capsys.readouterr().out
    assert headers["x-pointsman-request-id"] in log and PROMPT not in log
    assert record.status != "ok"
