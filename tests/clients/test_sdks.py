"""SDKs and frameworks, unchanged, against a gateway process: an answer, a stream, a tool loop, errors, and the books.

Each client runs in its own environment (`make test-clients` makes them) and against three upstreams: one that speaks
every dialect, so that bytes pass, and two that speak one, so that what the others say is translated. What a client
makes of the answers is told by the programs in `programs/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.clients.stand import CLIENT_KEY, HERE, ROOT, UPSTREAM_KEY, Recorded, Stand, stand

from pointsman.testing import Reply, ToolCall, rate_limited
from pointsman.testing.exchange import Received
from pointsman.vocabulary import Dialect, Usage

pytestmark = [pytest.mark.clients, pytest.mark.asyncio(loop_scope="module")]

GREETING = "Hello from the upstream, in several words."
WEATHER = "It is 7 degrees in Bern."
USAGE = Usage(input_tokens=1_200, output_tokens=34, cached_input_tokens=200)

UPSTREAMS: Mapping[str, tuple[Dialect, ...]] = {
    "speaks all": tuple(Dialect),
    "speaks chat": (Dialect.OPENAI_CHAT,),
    "speaks messages": (Dialect.ANTHROPIC_MESSAGES,),
}
ERRORS = {"rate_limited": 429, "unknown_model": 404, "bad_key": 401}
OPENAI_ERRORS = {
    "rate_limited": "RateLimitError",
    "unknown_model": "NotFoundError",
    "bad_key": "AuthenticationError",
}


@dataclass(frozen=True, slots=True)
class Client:
    """A client, and what it can do.

    Attributes:
        program: in `programs/`.
        environment: a folder of `.venv-clients`, or "node".
        answers, streams, loops: tasks that end with the greeting, with its pieces, with the weather.
        further: other tasks, and what they make of the answer.
        errors: the name of the exception that each faulty request raises.
        own_only: tasks that need an upstream of the client's own dialect.
    """

    program: str
    environment: str
    answers: tuple[str, ...] = ("plain",)
    streams: tuple[str, ...] = ("stream",)
    loops: tuple[str, ...] = ("tools",)
    further: Mapping[str, object] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=lambda: OPENAI_ERRORS)
    own_only: tuple[str, ...] = ("embeddings",)

    @property
    def tasks(self) -> tuple[str, ...]:
        """All of its tasks."""
        return (*self.answers, *self.streams, *self.loops, *self.further, *self.errors)

    def command(self) -> list[Path | str]:
        """What runs it; skips the test where it is not installed."""
        if self.environment == "node":
            if not (HERE / "node_modules" / "openai").is_dir():
                pytest.skip("the clients for Node are not installed: `make test-clients` installs them")
            return ["node", HERE / "programs" / "run.mjs", self.program]
        python = ROOT / ".venv-clients" / self.environment / "bin" / "python"
        if not (python.parents[1] / ".made").exists():
            pytest.skip(f"{self.program} is not installed: `make test-clients` installs it")
        return [python, HERE / "programs" / "run.py", self.program]


NAMES = ["auto", "auto:auto", "claude-auto", "small", "large"]
THREE = ("plain", "plain_responses", "plain_messages")
STREAMED = ("stream", "stream_responses", "stream_messages")
LOOPED = ("tools", "tools_responses", "tools_messages")

CLIENTS = [
    Client("openai_chat", "official", further={"models": NAMES, "embeddings": 1}),
    Client("openai_responses", "official", own_only=("tools",)),
    Client("anthropic_messages", "official", further={"models": NAMES, "count": int}),
    Client(
        "litellm_sdk",
        "litellm",
        answers=THREE,
        streams=("stream", "stream_messages"),
        loops=("tools", "tools_messages"),
        further={"embeddings": 1},
    ),
    Client(
        "langchain_clients",
        "langchain",
        answers=THREE,
        streams=STREAMED,
        loops=LOOPED,
        further={"embeddings": 1},
        errors={
            "rate_limited": "AnthropicRateLimitError",
            "unknown_model": "OpenAIModelNotFoundError",
            "bad_key": "OpenAIAuthenticationError",
        },
    ),
    Client("llama_index_client", "llama-index", further={"legacy": str}, own_only=("legacy",)),
    Client(
        "pydantic_ai_clients",
        "pydantic-ai",
        answers=THREE,
        streams=STREAMED,
        loops=LOOPED,
        further={"structured": ["City", "City", "City"]},
        errors={
            "rate_limited": "ModelRateLimitError",
            "unknown_model": "ModelNotFoundError",
            "bad_key": "ModelAuthenticationError",
        },
    ),
    Client(
        "instructor_client",
        "instructor",
        answers=(),
        streams=(),
        loops=(),
        further={task: ["City", "str", "int"] for task in ("plain", "schema", "responses", "messages")}
        | {"stream": ["str", "int"]},
    ),
    Client(
        "openai_node",
        "node",
        answers=("plain", "plain_responses"),
        streams=("stream", "stream_responses"),
        loops=("tools", "tools_responses"),
        further={"models": NAMES, "embeddings": 1},
        own_only=("embeddings", "tools_responses"),
    ),
    Client("anthropic_node", "node", further={"models": NAMES, "count": int}),
    Client(
        "vercel_ai",
        "node",
        answers=("plain", "plain_chat", "plain_compatible", "plain_messages"),
        streams=("stream", "stream_chat", "stream_compatible", "stream_messages"),
        loops=("tools", "tools_chat", "tools_compatible", "tools_messages"),
        further={"structured": ["string", "number"], "embeddings": 1},
        errors=dict.fromkeys(ERRORS, "AI_APICallError"),
        # Its Responses provider sends back only the ids of what was said before.
        own_only=("embeddings", "tools"),
    ),
]


def answer(received: Received) -> Reply:
    """A greeting; a call of `get_weather` until its result is there; 429 where too many are spoken of."""
    if b"Too many" in received.body:
        return rate_limited(None)
    if b"7 degrees" in received.body:
        return Reply(text=WEATHER, usage=USAGE)
    if b"weather in Bern" in received.body:
        return Reply(text="Looking.", tool_calls=[ToolCall("get_weather", {"city": "Bern"})], usage=USAGE)
    if b"Name a city" in received.body:
        return Reply(usage=USAGE)
    return Reply(text=GREETING, usage=USAGE)


@dataclass(frozen=True, slots=True)
class Told:
    """What one client made of one gateway."""

    client: Client
    own: bool
    """The upstream speaks the client's dialects."""
    made: Mapping[str, Any]
    stand: Stand
    records: list[Recorded]

    def of(self, tasks: tuple[str, ...]) -> dict[str, Any]:
        """What it made of those of its tasks that this upstream can serve."""
        return {task: self.made[task] for task in tasks if task in self.made}


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        pytest.param(
            (client, spoken),
            id=f"{client.program}, upstream {spoken}",
            # In parallel runs, one process for all that is asked of one run.
            marks=pytest.mark.xdist_group(f"{client.program}, {spoken}"),
        )
        for client in CLIENTS
        for spoken in UPSTREAMS
    ],
)
async def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """All tasks of one client, run in one process of it against one gateway."""
    client, spoken = request.param
    command, dialects = client.command(), UPSTREAMS[spoken]
    own = len(dialects) == len(Dialect)
    tasks = [task for task in client.tasks if own or task not in client.own_only]
    async with stand(tmp_path_factory.mktemp("stand"), answer, dialects=dialects) as made:
        ran = await made.run([*command, made.url, *tasks], environ={"CLIENT_KEY": CLIENT_KEY})
        yield Told(client, own, ran.last_line, made, await made.records())


async def test_answers(told: Told) -> None:
    assert told.of(told.client.answers) == dict.fromkeys(told.client.answers, GREETING)


async def test_streams_come_whole_and_in_pieces(told: Told) -> None:
    streamed = told.of(told.client.streams)
    assert {task: "".join(pieces) for task, pieces in streamed.items()} == dict.fromkeys(told.client.streams, GREETING)
    assert all(len(pieces) > 1 for pieces in streamed.values())


async def test_tool_loops_end_with_the_answer(told: Told) -> None:
    loops = told.of(told.client.loops)
    assert loops == dict.fromkeys(loops, WEATHER)
    assert told.own is False or set(loops) == set(told.client.loops)


async def test_what_else_it_can_do(told: Told) -> None:
    for task, made in told.of(tuple(told.client.further)).items():
        expected = told.client.further[task]
        assert type(made) is expected if isinstance(expected, type) else made == expected, (task, made)


async def test_errors_are_its_own_with_the_right_status(told: Told) -> None:
    expected = {task: [name, ERRORS[task]] for task, name in told.client.errors.items()}
    assert told.of(tuple(ERRORS)) == expected


async def test_what_cannot_be_saved_is_asked_for_once(told: Told) -> None:
    """Each model is asked once or twice, and the client is told not to ask again (`x-should-retry: false`)."""
    given_up = [record for record in told.records if record.http_status == 429]
    assert len(given_up) == 1


async def test_the_ledger_has_what_the_upstream_counted(told: Told) -> None:
    await told.stand.assert_books_agree()


async def test_the_upstream_sees_its_own_key_and_never_the_clients(told: Told) -> None:
    for received in told.stand.upstream.requests:
        sent = " ".join(f"{name}: {value}" for name, value in received.headers)
        assert UPSTREAM_KEY in sent
        assert CLIENT_KEY not in sent
