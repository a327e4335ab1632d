"""Coding agents and command-line clients, unchanged: a session with its tool loop, through policy `auto`.

What a session must show: the agent gets through its tool loop and prints the answer, every request of the loop goes to
one model, nothing in the gateway's log is an error, and the ledger's cost is what the upstream's own usage comes to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from tests.clients.stand import CLIENT_KEY, HERE, ROOT, Ran, Stand, stand

from pointsman.testing import Reply, ToolCall
from pointsman.testing.exchange import Received
from pointsman.vocabulary import Dialect, Usage

pytestmark = pytest.mark.clients

PROMPT = "Read the notes and tell me what they say"
ANSWER = "The notes say that the kettle is on."
HARD = (
    "Prove that every finite group of odd order is solvable, then derive the asymptotic distribution of the gaps "
    "between consecutive zeros of the zeta function under the Riemann hypothesis, and implement a lock-free concurrent "
    "B-tree in Rust with a proof of linearizability. "
)
NOTES = (
    "MARK-ONE the kettle is on.\n",
    # What a router would send elsewhere, were it asked by itself.
    "MARK-TWO " + HARD * 12 + "\n",
    "MARK-THREE thanks, that is all.\n",
)
MARKS = (b"MARK-ONE", b"MARK-TWO", b"MARK-THREE")
USAGE = Usage(input_tokens=4_321, output_tokens=67, cached_input_tokens=1_234)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that reads files by its own tools.

    Attributes:
        program: what is run, below the repository's root.
        arguments, environ: how it is pointed at the gateway; `{url}` is its address, `{home}` the agent's home.
        read: the call of its tool that reads the file at a path, by the tool's name.
        native: the dialect it speaks.
        foreign: another dialect, of an upstream that speaks only that.
        prepare: writes its configuration, where it has one.
    """

    program: str
    arguments: tuple[str, ...]
    read: Mapping[str, Callable[[Path], Mapping[str, object]]]
    native: Dialect
    foreign: Dialect
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[Stand], None] = lambda stand: None

    @property
    def path(self) -> Path:
        """Where it is; skips the test where it is not installed."""
        found = ROOT / self.program
        if not found.exists():
            pytest.skip(f"{found.name} is not installed: `make test-clients` installs it")
        return found

    async def run(self, made: Stand, prompt: str = PROMPT) -> Ran:
        """One session with one prompt."""

        def filled(text: str) -> str:
            return text.format(url=made.url, home=made.home, key=CLIENT_KEY, prompt=prompt)

        self.prepare(made)
        environ = {name: filled(value) for name, value in self.environ.items()}
        return await made.run([self.path, *map(filled, self.arguments)], environ=environ)


def _opencode_config(made: Stand) -> None:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{made.url}/v1", "apiKey": "{env:POINTSMAN_KEY}"},
        "models": {"auto": {}},
    }
    config = {"provider": {"pointsman": provider}, "autoupdate": False, "share": "disabled"}
    (made.home / "opencode.json").write_text(json.dumps(config))


def _llm_config(made: Stand) -> None:
    folder = made.home / "llm"
    folder.mkdir()
    (folder / "extra-openai-models.yaml").write_text(
        f"- {{model_id: auto, model_name: auto, api_base: {made.url}/v1, api_key_name: x, supports_tools: true}}\n"
    )


BIN = f"{HERE.relative_to(ROOT)}/node_modules/.bin"
AGENTS = {
    "claude": Agent(
        f"{BIN}/claude",
        ("-p", "{prompt}", "--output-format", "json", "--model", "claude-auto", "--allowedTools", "Read"),
        {"Read": lambda path: {"file_path": str(path)}},
        Dialect.ANTHROPIC_MESSAGES,
        Dialect.OPENAI_CHAT,
        {
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_API_KEY": "{key}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    ),
    "codex": Agent(
        f"{BIN}/codex",
        (
            *("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "-m", "auto"),
            *("-c", 'openai_base_url="{url}/v1"', "{prompt}"),
        ),
        {"exec_command": lambda path: {"cmd": f"cat '{path}'"}},
        Dialect.OPENAI_RESPONSES,
        Dialect.ANTHROPIC_MESSAGES,
        {"CODEX_API_KEY": "{key}"},
    ),
    "opencode": Agent(
        f"{BIN}/opencode",
        ("run", "-m", "pointsman/auto", "{prompt}"),
        {"read": lambda path: {"filePath": str(path)}},
        Dialect.OPENAI_CHAT,
        Dialect.ANTHROPIC_MESSAGES,
        {"POINTSMAN_KEY": "{key}"},
        _opencode_config,
    ),
    "llm": Agent(
        ".venv-clients/llm/bin/llm",
        (
            *("-m", "auto", "--key", "{key}"),
            *("--functions", "def read(path: str) -> str:\n    return open(path).read()", "{prompt}"),
        ),
        {"read": lambda path: {"path": str(path)}},
        Dialect.OPENAI_CHAT,
        Dialect.ANTHROPIC_MESSAGES,
        {"LLM_USER_PATH": "{home}/llm"},
        _llm_config,
    ),
}
AIDER = Agent(
    ".venv-clients/aider/bin/aider",
    (
        *("--model", "openai/auto", "--message", "{prompt}", "--no-git", "--no-check-update", "--no-analytics"),
        *("--yes-always", "--no-show-model-warnings", "{home}/notes.txt"),
    ),
    {},
    Dialect.OPENAI_CHAT,
    Dialect.ANTHROPIC_MESSAGES,
    {"OPENAI_API_BASE": "{url}/v1", "OPENAI_API_KEY": "{key}"},
)


def offered(received: Received) -> set[str]:
    """The names of the tools that a request offers."""
    tools = received.json.get("tools", [])
    return {str(tool.get("name") or tool.get("function", {}).get("name")) for tool in tools}


def reading(agent: Agent, folder: Path) -> Callable[[Received], Reply]:
    """Has the agent read one note after the other, and answers when all have been read."""

    def answer(received: Received) -> Reply:
        names = [name for name in agent.read if name in offered(received)]
        n_read = sum(mark in received.body for mark in MARKS)
        if not names or n_read == len(MARKS):
            return Reply(text=ANSWER, usage=USAGE)
        path = folder / f"note{n_read + 1}.txt"
        return Reply(text="Reading on.", tool_calls=[_call(agent, names[0], path, n_read)], usage=USAGE)

    return answer


def _call(agent: Agent, name: str, path: Path, n: int) -> ToolCall:
    return ToolCall(name, agent.read[name](path), id=f"call_of_note_{n + 1}")


def write_notes(folder: Path) -> None:
    """The files that the tool loop reads."""
    for n, note in enumerate(NOTES, 1):
        (folder / f"note{n}.txt").write_text(note)


@pytest.mark.parametrize("spoken", ["its own dialect", "another dialect"])
@pytest.mark.parametrize("name", AGENTS)
async def test_a_session_with_its_tool_loop(tmp_path: Path, name: str, spoken: str) -> None:
    agent = AGENTS[name]
    assert agent.path
    dialects = (agent.native if spoken == "its own dialect" else agent.foreign,)
    async with stand(tmp_path, reading(agent, tmp_path / "home"), dialects=dialects) as made:
        write_notes(made.home)
        ran = await agent.run(made)
        assert ran.status == 0, f"{ran.out[-4_000:]}\n{ran.err[-4_000:]}"
        assert ANSWER in ran.out
        loop = [received for received in made.upstream.requests if offered(received) & set(agent.read)]
        # One request and one for each note that was read; each carries all that came before.
        assert [sum(mark in received.body for mark in MARKS) for received in loop] == [0, 1, 2, 3]
        assert all(sent.status == 200 and sent.finished for sent in made.upstream.sent)
        records = await made.assert_books_agree()
        assert {record.status for record in records} == {"ok"}
        assert not any(record.estimated for record in records)


@pytest.mark.parametrize("name", AGENTS)
async def test_the_model_is_held_inside_the_tool_loop(tmp_path: Path, name: str) -> None:
    agent = AGENTS[name]
    assert agent.path
    async with stand(tmp_path, reading(agent, tmp_path / "home"), dialects=(agent.native,)) as made:
        write_notes(made.home)
        # By itself, what is in the second note is for another model than what is in the prompt.
        assert {await tier_for(made, PROMPT), await tier_for(made, NOTES[1])} == {"cheap", "strong"}
        ran = await agent.run(made)
        assert ran.status == 0, f"{ran.out[-4_000:]}\n{ran.err[-4_000:]}"
        loop = [received.model for received in made.upstream.requests if offered(received) & set(agent.read)]
        assert len(loop) == len(NOTES) + 1
        assert len(set(loop)) == 1


async def tier_for(made: Stand, prompt: str) -> str:
    """Where a conversation that begins with this prompt would go."""
    body = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    headers = {"Authorization": f"Bearer {CLIENT_KEY}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{made.url}/v1/route", json=body, headers=headers) as response,
    ):
        return str((await response.json())["tier"])


async def test_aider_asks_about_a_file(tmp_path: Path) -> None:
    assert AIDER.path
    async with stand(tmp_path, Reply(text=ANSWER, usage=USAGE)) as made:
        (made.home / "notes.txt").write_text(NOTES[0])
        ran = await AIDER.run(made)
        assert ran.status == 0, f"{ran.out[-4_000:]}\n{ran.err[-4_000:]}"
        assert ANSWER in ran.out
        assert MARKS[0] in made.upstream.requests[0].body
        records = await made.assert_books_agree()
        assert {record.status for record in records} == {"ok"}


@pytest.mark.parametrize("name", ["claude", "llm"])
async def test_a_failure_that_stays_is_told_once_and_not_multiplied(tmp_path: Path, name: str) -> None:
    """Claude Code asks seven times in 40 s and goes on when it may; `x-should-retry: false` ends it at once."""
    agent = AGENTS[name]
    assert agent.path
    async with stand(tmp_path, Reply(status=500, error_message="The disk of the upstream is full.")) as made:
        ran = await agent.run(made)
        assert ran.status != 0 or "error" in ran.out.lower()
        records = await made.records()
        assert len([record for record in records if record.http_status == 502]) == 1
        # Both models, with the retries that the gateway allows itself.
        assert len(made.upstream.requests) <= 4


@pytest.mark.parametrize("name", ["claude", "codex", "llm"])
async def test_a_wrong_key_is_told(tmp_path: Path, name: str) -> None:
    agent = AGENTS[name]
    assert agent.path
    wrong = {name: value.replace("{key}", "sk-wrong-key") for name, value in agent.environ.items()}
    arguments = tuple("sk-wrong-key" if argument == "{key}" else argument for argument in agent.arguments)
    lost = Agent(agent.program, arguments, agent.read, agent.native, agent.foreign, wrong, agent.prepare)
    async with stand(tmp_path, Reply()) as made:
        ran = await lost.run(made)
        assert ran.status != 0
        assert "key" in (ran.out + ran.err).lower()
        assert made.upstream.requests == []
