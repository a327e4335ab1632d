"""Whatever a client or an upstream sends, a log line stays one JSON object of plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from pointsman.errors import ConfigError
from pointsman.gateway.server import log_as_json_lines
from pointsman.testing import Reply
from pointsman.vocabulary import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gateway.conftest import OpenStand

FORGED = '{"event": "forged", "level": "error"}'
ENDS = (
    "\n",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\x1b[2K\x1b[1A\x1b[31m",
    "\u202e",
)


@pytest.fixture(autouse=True)
def _real_log() -> Iterator[None]:
    structlog.reset_defaults()
    log_as_json_lines(keep=False)
    yield
    structlog.reset_defaults()


class Broken:
    """A policy that fails with whatever the client said."""

    name, kind, heeds_rules = "broken", "fixed", False

    def decide(self, situation: Any) -> Any:
        raise ConfigError(situation.request.last_user_text) from KeyError(situation.request.last_user_text)


@pytest.mark.parametrize("end", ENDS, ids=lambda end: ascii(end))
async def test_no_input_makes_a_line_of_its_own(
    open_stand: OpenStand, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    evil = f"x{end}{FORGED}{end}y"
    messages = [{"role": "user", "content": evil}]
    async with open_stand(
        lambda _: Reply(status=400, error_message=evil, error_code=evil),
        policies={"broken": Broken()},
        speak={"small": (Dialect.ANTHROPIC_MESSAGES,)},
    ) as stand:
        for body in (
            {"model": "small", "messages": messages, evil: 1, "metadata": {evil: evil}, "seed": 1, "user": evil},
            {"model": "small", "messages": [{"role": "user", "content": [{"type": evil, evil: evil}]}]},
            {"model": "small", "messages": messages, "tools": [{"type": evil, evil: {evil: evil}}]},
            {"model": evil, "messages": messages},
            {"model": "auto:broken", "messages": messages},
            {"model": f"auto:{evil}", "messages": [{"role": evil, "content": evil}]},
        ):
            status, _, _ = await stand.send(
                "POST",
                "/v1/chat/completions",
                json=body,
                headers={
                    name: evil.encode("ascii", "replace").decode().translate(dict.fromkeys(range(32), " "))
                    for name in ("x-pointsman-tags", "x-pointsman-session", "user-agent", "x-api-key")
                },
            )
            assert status >= 400
    log = capsys.readouterr().err
    lines = log.split("\n")
    assert lines.pop() == ""
    assert any("dropped" in line for line in lines), log
    for line in lines:
        told = json.loads(line)
        assert told["event"] != "forged" and {"event", "level", "timestamp"} <= told.keys()
        assert line.isascii() and line.isprintable()


async def test_a_log_that_takes_no_line_fails_no_request(
    open_stand: OpenStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise BrokenPipeError

    async with open_stand(policies={"broken": Broken()}, speak={"small": (Dialect.ANTHROPIC_MESSAGES,)}) as stand:
        monkeypatch.setattr("sys.stderr", Full())
        body = {"model": "small", "messages": [{"role": "user", "content": "Hi"}], "seed": 1}
        status, _, _ = await stand.send("POST", "/v1/chat/completions", json=body)
        monkeypatch.undo()
        assert status == 200
