"""The upstream and the load generator in C (`benchmarks/native`), built and run."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MIX = HERE.parent / "src" / "pointsman" / "demo" / "mix.jsonl"
MAX_SENTENCE_CHARS = 900


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is sent. `wait_ms` is how long the upstream waits before its first byte."""

    name: str
    n_connections: int
    body_bytes: int = 1_500
    stream: bool = False
    wait_ms: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. Times in microseconds."""

    n_done: int
    n_failed: int
    seconds: float
    first_p50_us: float
    first_p99_us: float
    last_p50_us: float
    last_p99_us: float
    said: str
    """What the first failures said."""

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.n_done / self.seconds


class Native:
    """The two programs, built into a folder.

    Raises:
        SystemExit: there is no C compiler.
    """

    def __init__(self, folder: Path, *, pin: str | None) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("a C compiler is needed for the upstream and the load generator")
        self._folder = folder
        self._pin = [] if pin is None else ["taskset", "-c", pin]
        for name in ("upstream", "load"):
            source = HERE / "native" / f"{name}.c"
            subprocess.run([compiler, "-O2", "-Wall", "-o", str(folder / name), str(source)], check=True)
        self._sentences = folder / "sentences.txt"
        self._sentences.write_text("\n".join(_sentences()) + "\n")
        self._seed = 0

    @contextmanager
    def upstream(self) -> Iterator[int]:
        """A running upstream; its port."""
        port = free_port()
        process = subprocess.Popen([*self._pin, str(self._folder / "upstream"), str(port)])
        try:
            wait_for_port(port, 10.0)
            yield port
        finally:
            process.kill()
            process.wait()

    def load(
        self, scenario: Scenario, *, port: int, path: str, model: str, headers: Sequence[str], seconds: float
    ) -> Load:
        """What one scenario comes to. No two requests of any runs have the same text."""
        self._seed += 1
        told = subprocess.run(
            [
                *self._pin,
                str(self._folder / "load"),
                *(str(port), path, model, str(scenario.n_connections), str(seconds), str(scenario.body_bytes)),
                *(str(int(scenario.stream)), str(scenario.wait_ms), str(self._seed), str(self._sentences)),
                *headers,
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + 120.0,
        )
        out = json.loads(told.stdout)
        return Load(
            out["done"],
            out["failed"],
            out["seconds"],
            out["first_us"]["p50"],
            out["first_us"]["p99"],
            out["last_us"]["p50"],
            out["last_us"]["p99"],
            told.stderr[:2_000],
        )


def _sentences() -> list[str]:
    """The demo's prompts, each as the inside of a JSON string."""
    out = []
    for line in MIX.read_text().splitlines():
        asked = json.loads(line)["input"]
        turns = asked.get("messages", asked.get("input"))
        for turn in [{"content": turns}] if isinstance(turns, str) else turns:
            text = turn.get("content")
            if isinstance(text, str):
                out.append(json.dumps(text[:MAX_SENTENCE_CHARS])[1:-1])
    return out


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_for_port(port: int, within_s: float) -> None:
    """Returns once somebody listens.

    Raises:
        TimeoutError: nobody does, within the time.
    """
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on port {port} after {within_s:g} s")
