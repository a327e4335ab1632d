"""The gateways that `bench_gateway` compares: how each is started in front of the same upstream, and what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.native_load import free_port

ROOT = Path(__file__).parent.parent
START_WITHIN_S = 180.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Gateway(ABC):
    """A gateway in a process of its own.

    Args:
        upstream: the upstream's port.
        folder: for its configuration.
        pin: the cores that it may use, as `taskset -c` takes them; None leaves it free.

    Attributes:
        name: in tables.
        port, path, model, headers: how it is asked.
        start_s: from the start of the process to its first answer.
    """

    name = ""
    path = "/v1/chat/completions"
    model = "bench"
    headers: tuple[str, ...] = ("Authorization: Bearer sk-bench-client",)

    def __init__(self, upstream: int, folder: Path, pin: str | None) -> None:
        self.upstream = upstream
        self.folder = folder / self.name.replace(" ", "-").replace(",", "")
        self.folder.mkdir()
        self.port = free_port()
        self.start_s = 0.0
        self._pin = [] if pin is None else ["taskset", "-c", pin]
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it; writes its configuration."""

    def missing(self) -> str | None:
        """What has to be installed first; None when it can start."""
        return None

    def environ(self) -> dict[str, str]:
        """Further variables of its environment."""
        return {}

    def listening_port(self) -> int:
        """Where it listens now; `port`, unless it chooses that itself."""
        return self.port

    def start(self) -> None:
        """Starts it, and returns after its first answer.

        Raises:
            RuntimeError: it gave none in time.
        """
        command = [*self._pin, *self.command()]
        began_s = time.monotonic()
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=os.environ | {"NO_PROXY": "*"} | self.environ(),
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
            )
        while time.monotonic() - began_s < START_WITHIN_S:
            self.port = self.listening_port()
            if self.answers():
                self.start_s = time.monotonic() - began_s
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise RuntimeError(f"{self.name} gave no answer:\n{(self.folder / 'log').read_text(errors='replace')[-3_000:]}")

    def answers(self) -> bool:
        """Whether one small request gets an answer now."""
        body = json.dumps({"model": self.model, "messages": [{"role": "user", "content": "Hello"}]}).encode()
        headers = {"Content-Type": "application/json"} | dict(line.split(": ", 1) for line in self.headers)
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{self.path}", body, headers)
        try:
            with urllib.request.urlopen(asked, timeout=30.0) as answer:
                return b"choices" in answer.read()
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> None:
        """Ends it and its children."""
        for pid in reversed(self._pids()):
            try:
                os.kill(pid, 15)
            except ProcessLookupError:
                continue
        if self._process is not None:
            try:
                self._process.wait(10.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def cpu_s(self) -> float:
        """Processor time of all its processes so far."""
        return sum(_stat(pid)[0] for pid in self._pids())

    def memory_bytes(self) -> int:
        """Resident memory of all its processes."""
        return sum(_stat(pid)[1] for pid in self._pids())

    def _pids(self) -> list[int]:
        if self._process is None or self._process.poll() is not None:
            return []
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (FileNotFoundError, ProcessLookupError):
                    continue
        out = [self._process.pid]
        for pid in out:
            out += [child for child, parent in parents.items() if parent == pid]
        return out


def _stat(pid: int) -> tuple[float, int]:
    """Processor time in seconds and resident bytes; zeros for a process that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0
    # Fields 14, 15 and 24 of proc(5), counted from 1; what stands before the third is cut off here.
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S, int(fields[21]) * PAGE_BYTES


class Direct(Gateway):
    """No gateway: the load generator asks the upstream."""

    name = "direct"

    def __init__(self, upstream: int, folder: Path, pin: str | None) -> None:
        super().__init__(upstream, folder, pin)
        self.port = upstream

    def command(self) -> list[str]:
        return ["sleep", "100000"]


class Ours(Gateway):
    """Pointsman with policy `auto`: the bundled router reads every text; ledger, metrics and a client key."""

    name = "ours, auto"
    model = "auto"
    policy = "{kind: threshold, max_quality_loss: 0.01}"

    def command(self) -> list[str]:
        (self.folder / "pointsman.yaml").write_text(f"""
models:
  - &up {{name: small, provider: openai-compatible, model: bench, base_url: "http://127.0.0.1:{self.upstream}/v1",
     api_key: sk-upstream, price: {{input_usd_per_mtok: 1, output_usd_per_mtok: 2}}}}
  - {{name: large, provider: openai-compatible, model: bench, base_url: "http://127.0.0.1:{self.upstream}/v1",
     api_key: sk-upstream, price: {{input_usd_per_mtok: 10, output_usd_per_mtok: 20}}}}
tiers: [{{name: cheap, models: [small]}}, {{name: strong, models: [large]}}]
policies: {{auto: {self.policy}}}
baseline: strong
keys: {{clients: [{{name: bench, key: sk-bench-client}}]}}
ledger: {{url: "sqlite:///{self.folder}/ledger.db"}}
""")
        return [sys.executable, "-m", "pointsman", "serve", "--config", "pointsman.yaml", "--port", str(self.port)]

    def environ(self) -> dict[str, str]:
        path = os.environ.get("PYTHONPATH")
        return {} if path is None else {"PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in path.split(":"))}


class OursFixed(Ours):
    """Pointsman with a fixed tier: everything on but the deciding."""

    name = "ours, fixed"
    policy = "{kind: fixed, tier: cheap}"


class Nginx(Gateway):
    """nginx as a plain proxy: one worker, kept-alive connections, nothing buffered in the answer."""

    name = "nginx"

    def missing(self) -> str | None:
        return None if Path("/usr/sbin/nginx").exists() else "nginx (Debian: apt-get install nginx)"

    def command(self) -> list[str]:
        (self.folder / "nginx.conf").write_text(f"""
worker_processes 1;
daemon off;
pid {self.folder}/pid;
error_log {self.folder}/error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {self.folder}/body;
  proxy_temp_path {self.folder}/proxy;
  fastcgi_temp_path {self.folder}/fastcgi;
  uwsgi_temp_path {self.folder}/uwsgi;
  scgi_temp_path {self.folder}/scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000000;
  upstream up {{ server 127.0.0.1:{self.upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{self.port};
    location / {{
      proxy_pass http://up;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
""")
        return ["/usr/sbin/nginx", "-p", str(self.folder), "-e", "error", "-c", str(self.folder / "nginx.conf")]


class LiteLlm(Gateway):
    """LiteLLM's proxy with one worker and its callbacks at their default."""

    name = "litellm"
    binary = ROOT / ".venv-litellm-proxy" / "bin" / "litellm"
    key = "sk-of-the-benchmark-1f0c9b7e4d2a68535c7e9a0b"
    """It starts only with a key that is hard to guess."""
    headers = (f"Authorization: Bearer {key}",)

    def missing(self) -> str | None:
        return None if self.binary.exists() else "LiteLLM's proxy (make bench-gateway-env)"

    def models(self) -> list[object]:
        """Its `model_list`."""
        return [self.deployment("bench")]

    def deployment(self, name: str) -> dict[str, object]:
        """One model of it."""
        base = f"http://127.0.0.1:{self.upstream}/v1"
        return {
            "model_name": name,
            "litellm_params": {"model": "openai/bench", "api_base": base, "api_key": "sk-upstream"},
        }

    def command(self) -> list[str]:
        (self.folder / "config.yaml").write_text(
            json.dumps({"model_list": self.models(), "general_settings": {"master_key": self.key}})
        )
        return [
            str(self.binary),
            *("--config", str(self.folder / "config.yaml"), "--host", "127.0.0.1", "--port", str(self.port)),
            *("--num_workers", "1", "--telemetry", "False"),
        ]

    def environ(self) -> dict[str, str]:
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


class LiteLlmAuto(LiteLlm):
    """LiteLLM's proxy with its own auto router, which calls no model and reads the text."""

    name = "litellm, auto"
    model = "smart"

    def models(self) -> list[object]:
        tiers = {"SIMPLE": "cheap", "MEDIUM": "cheap", "COMPLEX": "strong", "REASONING": "strong"}
        params = {
            "model": "auto_router/complexity_router",
            "complexity_router_config": {"tiers": tiers},
            "complexity_router_default_model": "cheap",
        }
        router = {"model_name": "smart", "litellm_params": params}
        return [self.deployment("cheap"), self.deployment("strong"), router]


class TensorZero(Gateway):
    """TensorZero's gateway as its Python package embeds it, without its database."""

    name = "tensorzero"
    path = "/openai/v1/chat/completions"
    model = "tensorzero::model_name::bench"
    python = ROOT / ".venv-tensorzero" / "bin" / "python"

    def missing(self) -> str | None:
        return None if self.python.exists() else "TensorZero (make bench-gateway-env)"

    def command(self) -> list[str]:
        (self.folder / "tensorzero.toml").write_text(f"""
[gateway]
observability.enabled = false
[models.bench]
routing = ["up"]
[models.bench.providers.up]
type = "openai"
model_name = "bench"
api_base = "http://127.0.0.1:{self.upstream}/v1/"
api_key_location = "none"
""")
        program = ROOT / "benchmarks" / "tensorzero_server.py"
        return [str(self.python), "-W", "ignore", str(program), str(self.folder / "tensorzero.toml")]

    def listening_port(self) -> int:
        for line in (self.folder / "log").read_text().splitlines():
            if line.startswith("http://"):
                return int(line.split(":")[2].split("/")[0])
        return self.port


class Portkey(Gateway):
    """Portkey's gateway on Node."""

    name = "portkey"
    program = ROOT / "benchmarks" / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"

    def __init__(self, upstream: int, folder: Path, pin: str | None) -> None:
        super().__init__(upstream, folder, pin)
        self.headers = (
            "Authorization: Bearer sk-upstream",
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1",
        )

    def missing(self) -> str | None:
        return None if self.program.exists() else "Portkey's gateway (make bench-gateway-env)"

    def command(self) -> list[str]:
        return ["node", str(self.program), f"--port={self.port}", "--headless"]


ALL: tuple[type[Gateway], ...] = (Direct, Ours, OursFixed, Nginx, TensorZero, LiteLlm, LiteLlmAuto, Portkey)
