"""Three replicas behind nginx, one Redis, one ledger: what is lost while each of them goes away under load.

    python -m benchmarks.replicas [--requests 100000] [--concurrency 48] [--ledger URL] [--away-s 30]

While clients send requests, one replica is killed with -9 and started again, PostgreSQL is stopped for 30 s, and then
Redis, killed with -9 and started again without its data. Requests are spread by nginx: those of a session by a hash of
its name, all others at random. A coin picks the model of a request, so that a session whose tool loop changes its model
would be seen. Keys with small budgets run into them at different times, while everything is there and while it is not.

Checked, and exit 1 where it does not hold: no request fails but those under way at the killed replica; every answer of
the others is in the ledger, once, and as many as the upstream gave them; no budget is overspent by more than one
request for each replica; no tool loop changes its model.

Everything runs on loopback. With `--ledger` the ledger is another one than the benchmark's own PostgreSQL, and is not
stopped. Needs nginx, redis-server and, without `--ledger`, PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, cast

import aiohttp
import orjson
import uvloop
from benchmarks.headed import heading
from tests.redis_server import redis_server

N_REPLICAS = 3
N_TURNS = 4
"""Requests of a session: one that begins a tool loop, and three with the tool's answers."""
SESSION_SHARE = 0.1
"""Of the draws; with four requests each, about a third of all requests belong to a session."""
INPUT_TOKENS, OUTPUT_TOKENS = 1_000, 100
COST_USD = {"small": 0.0012, "large": 0.0120}
"""1,000 tokens in and 100 out at 1 and 2 USD per million, and at 10 and 20."""
KEY = "client-key-of-{}"
LOST_WINDOW_S = 0.5
"""Records that kill -9 may take with it, as docs/ledger.md says."""
TOOLS = [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}]
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
    "usage": {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    },
}


class Provider(asyncio.Protocol):
    """An upstream that gives every request the same answer at once, and counts by the header that a replica sends."""

    answers: ClassVar[collections.Counter[str]] = collections.Counter()
    answered_s: ClassVar[dict[str, list[float]]] = collections.defaultdict(list)
    body = orjson.dumps(ANSWER)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's has no common class with asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            headers = dict(line.lower().split(b": ", 1) for line in bytes(self._received[:end]).split(b"\r\n")[1:])
            n_bytes = end + 4 + int(headers[b"content-length"])
            if len(self._received) < n_bytes:
                return
            del self._received[:n_bytes]
            replica = headers[b"x-replica"].decode()
            Provider.answers[replica] += 1
            Provider.answered_s[replica].append(time.monotonic())
            self._transport.write(self.head + self.body)


@dataclass
class Replica:
    """One `pointsman serve`."""

    name: str
    port: int
    config: Path
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; nginx finds out when it serves."""
        command = [sys.executable, "-m", "pointsman", "serve", "--config", str(self.config), "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"REPLICA": self.name})

    def end(self, how: signal.Signals) -> None:
        """Ends it, and waits for that."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None


@dataclass
class Seen:
    """What clients saw."""

    statuses: collections.Counter[int] = field(default_factory=collections.Counter)
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When the request was sent, and what came of it."""
    by_replica: dict[str, list[tuple[str, float]]] = field(default_factory=lambda: collections.defaultdict(list))
    """Ids of answered requests with the time of their answer, by replica."""
    n_turns: int = 0
    n_pins_broken: int = 0
    seconds: list[float] = field(default_factory=list)
    refused: collections.Counter[str] = field(default_factory=collections.Counter)

    @property
    def n(self) -> int:
        """Requests that are over."""
        return self.statuses.total() + len(self.failures)


class Clients:
    """Sends requests until it is told to stop.

    Args:
        spenders: names of the keys with budgets.
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, spenders: list[str], replica_of: Mapping[str, str]
    ) -> None:
        self.seen = Seen()
        self._session = session
        self._url = url + "/v1/chat/completions"
        self._keys = [*spenders, *["open"] * (2 * len(spenders))]
        self._replica_of = replica_of
        self._random = random.Random(7)
        self._n_sessions = 0
        self._enough: int | None = None

    def stop_after(self, n_requests: int, stop: asyncio.Event) -> None:
        """Ends the clients once so many requests are over."""
        self._enough = n_requests
        if self.seen.n >= n_requests:
            stop.set()

    async def run(self, stop: asyncio.Event) -> None:
        """One client."""
        while not stop.is_set():
            if self._enough is not None and self.seen.n >= self._enough:
                stop.set()
            if self._random.random() < SESSION_SHARE:
                await self._tool_loop()
            else:
                await self._ask([{"role": "user", "content": f"Question {self._random.random()}"}])

    async def _tool_loop(self) -> None:
        self._n_sessions += 1
        session = f"session-{self._n_sessions}"
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"List {session}"}]
        model = await self._ask(messages, session)
        for turn in range(N_TURNS - 1):
            if model is None:
                return
            call = {"id": f"call_{turn}", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": f"call_{turn}", "content": "a.py"},
            ]
            again = await self._ask(messages, session)
            if again is not None:
                self.seen.n_turns += 1
                self.seen.n_pins_broken += again != model

    async def _ask(self, messages: list[dict[str, Any]], session: str | None = None) -> str | None:
        """The model that answered; None where none did."""
        key = "open" if session is not None else self._random.choice(self._keys)
        headers = {"Authorization": f"Bearer {KEY.format(key)}", "Content-Type": "application/json"}
        body: dict[str, Any] = {"model": "auto", "messages": messages, "max_tokens": OUTPUT_TOKENS}
        if session is not None:
            headers["x-pointsman-session"] = session
            body["tools"] = TOOLS
        began_s, seen = time.monotonic(), self.seen
        try:
            async with self._session.post(self._url, data=orjson.dumps(body), headers=headers) as response:
                got = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            seen.failures.append((began_s, type(error).__name__))
            return None
        ended_s = time.monotonic()
        if response.status == 200:
            seen.statuses[200] += 1
            seen.seconds.append(ended_s - began_s)
            replica = self._replica_of[response.headers["x-served-by"].rpartition(", ")[2]]
            seen.by_replica[replica].append((response.headers["x-pointsman-request-id"], ended_s))
            return str(orjson.loads(got)["model"])
        if response.status == 429 and key != "open":
            seen.statuses[429] += 1
            seen.refused[orjson.loads(got)["error"]["code"]] += 1
            return None
        seen.failures.append((began_s, f"{response.status} {got[:120].decode(errors='replace')}"))
        return None


@contextmanager
def own_postgres() -> Iterator[Any]:
    """A server of the benchmark's own."""
    from tests.postgres import running_server

    with running_server() as server:
        server.run("CREATE DATABASE ledger")
        yield server


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_config(path: Path, upstream_port: int, ledger_url: str, redis_url: str, budgets: Mapping[str, float]) -> None:
    """The configuration of all replicas; the name of each is in its environment."""
    models = [
        {
            "name": name,
            "provider": "openai-compatible",
            "model": name,
            "api_key": "unused",
            "base_url": f"http://127.0.0.1:{upstream_port}/v1",
            "price": {"input_usd_per_mtok": usd, "output_usd_per_mtok": 2 * usd},
            "headers": {"x-replica": "${REPLICA}"},
        }
        for name, usd in (("small", 1.0), ("large", 10.0))
    ]
    clients = [{"name": name, "key": KEY.format(name), "usd_per_day": usd} for name, usd in budgets.items()]
    settings = {
        "models": models,
        "tiers": [{"name": "cheap", "models": ["small"]}, {"name": "strong", "models": ["large"]}],
        "policies": {"auto": {"kind": "random", "strong_share": 0.5}},
        "keys": {"clients": [*clients, {"name": "open", "key": KEY.format("open")}]},
        "ledger": {"url": ledger_url, "spool": str(path.parent / "spool")},
        "redis": {"url": redis_url},
        "limits": {"max_lag_ms": 60_000},
        "dashboard": {"enabled": False},
    }
    path.write_text(json.dumps(settings), encoding="utf-8")


def write_nginx(folder: Path, port: int, replicas: list[Replica]) -> list[str]:
    """The command that starts nginx in the foreground with a configuration of its own."""
    servers = "\n".join(f"server 127.0.0.1:{each.port} max_fails=1 fail_timeout=2s;" for each in replicas)
    text = f"""
    pid {folder}/nginx.pid; error_log {folder}/nginx.log warn; worker_processes 1; daemon off;
    events {{ worker_connections 1024; }}
    http {{
      access_log off;
      client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
      uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
      map $http_x_pointsman_session $spread {{ "" $request_id; default $http_x_pointsman_session; }}
      upstream replicas {{ hash $spread consistent; {servers} keepalive 64; }}
      server {{
        listen 127.0.0.1:{port};
        location / {{
          proxy_pass http://replicas; proxy_http_version 1.1; proxy_set_header Connection "";
          proxy_buffering off; proxy_read_timeout 60s; proxy_connect_timeout 1s;
          add_header x-served-by $upstream_addr;
        }}
      }}
    }}
    """
    (folder / "nginx.conf").write_text(text, encoding="utf-8")
    return [shutil.which("nginx") or "/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


async def ready(session: aiohttp.ClientSession, replica: Replica) -> None:
    """Returns when a replica serves, with its ledger and with Redis.

    Raises:
        RuntimeError: it does not within two minutes.
    """
    told: object = "no answer"
    for _ in range(600):
        try:
            async with session.get(f"http://127.0.0.1:{replica.port}/readyz") as response:
                told = await response.json()
                if response.status == 200 and not {"redis", "ledger"} & set((await response.json())["degraded"]):
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.2)
    raise RuntimeError(f"{replica.name} is not ready: {told}")


@dataclass
class Events:
    """What happens to the servers, with times for the report."""

    began_s: float
    told: list[str] = field(default_factory=list)

    def tell(self, what: str) -> float:
        """Notes that it happened now."""
        now_s = time.monotonic()
        self.told.append(f"{now_s - self.began_s:6.1f} s: {what}")
        print(self.told[-1], file=sys.stderr, flush=True)
        return now_s


async def happen(
    events: Events, replicas: list[Replica], session: aiohttp.ClientSession, redis: Any, postgres: Any, away_s: float
) -> float:
    """Kills a replica, stops PostgreSQL, stops Redis; when the replica was killed, by the clock."""
    await asyncio.sleep(away_s / 3)
    victim = replicas[0]
    killed_s = events.tell("one replica is killed with -9")
    victim.end(signal.SIGKILL)
    await asyncio.sleep(away_s / 3)
    victim.start()
    await ready(session, victim)
    events.tell("it serves again")
    await asyncio.sleep(away_s / 3)
    if postgres is not None:
        events.tell("PostgreSQL is stopped")
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(postgres.start)
        events.tell("PostgreSQL is there again")
        await asyncio.sleep(away_s / 3)
    events.tell("Redis is killed with -9")
    await asyncio.to_thread(redis.kill)
    await asyncio.sleep(away_s)
    await asyncio.to_thread(redis.start)
    events.tell("Redis is there again, without its data")
    await asyncio.sleep(away_s / 3)
    return killed_s


def read_ledger(url: str) -> tuple[dict[str, int], dict[str, float]]:
    """How often each request stands in the ledger, and what each key spent, USD."""
    import sqlalchemy as sa

    from pointsman.record import prepare

    prepare(url)
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        ids = collections.Counter(connection.execute(sa.text("SELECT request_id FROM records")).scalars())
        rows = connection.execute(sa.text("SELECT key_id, SUM(cost_usd) FROM records GROUP BY key_id"))
        return dict(ids), {str(key): float(usd) for key, usd in rows}


def verdicts(
    seen: Seen,
    ids: Mapping[str, int],
    spent_usd: Mapping[str, float],
    budgets: Mapping[str, float],
    killed: str,
    killed_s: float,
    concurrency: int,
) -> Iterator[tuple[str, str, bool]]:
    """What is checked, what came of it, and whether it holds."""
    near = [why for at_s, why in seen.failures if killed_s - 5.0 < at_s < killed_s + 1.0]
    others = len(seen.failures) - len(near)
    what = f"{len(near)} at the kill, of {concurrency} under way at all replicas; {others} at other times"
    yield "requests that failed", what, others == 0 and len(near) <= concurrency
    answered = {replica: [id_ for id_, _ in done] for replica, done in seen.by_replica.items()}
    survivors = [id_ for replica, done in answered.items() if replica != killed for id_ in done]
    missing = [id_ for id_ in survivors if id_ not in ids]
    n_upstream = sum(n for replica, n in Provider.answers.items() if replica != killed)
    yield (
        "the other replicas: answers of the upstream, answers that clients have, of them in the ledger",
        f"{n_upstream}, {len(survivors)}, {len(survivors) - len(missing)}",
        not missing and n_upstream == len(survivors),
    )
    ages_s = [killed_s - at_s for id_, at_s in seen.by_replica[killed] if id_ not in ids]
    late = sum(killed_s - LOST_WINDOW_S < at_s < killed_s + 0.1 for at_s in Provider.answered_s[killed])
    lost = Provider.answers.total() - len(ids)
    yield (
        f"records lost with the killed replica ({late} calls were answered in its last {LOST_WINDOW_S:g} s)",
        f"{lost} of {Provider.answers.total()}, answered up to {max(ages_s, default=0.0):.2f} s before",
        lost >= 0 and max(ages_s, default=0.0) <= LOST_WINDOW_S,
    )
    yield "requests that stand in the ledger twice", str(sum(n > 1 for n in ids.values())), max(ids.values()) == 1
    over = {name: spent_usd.get(name, 0.0) - usd for name, usd in budgets.items()}
    worst = max(over, key=lambda name: over[name])
    yield (
        f"budgets: {len(budgets)}, reached {sum(usd > 0 for usd in over.values())}",
        f"overspent by {over[worst]:.4f} USD at most ({worst}); one request costs {max(COST_USD.values())} at most",
        max(over.values()) <= N_REPLICAS * max(COST_USD.values()),
    )
    what = f"{seen.n_pins_broken} of {seen.n_turns}"
    yield "turns of tool loops that changed their model", what, seen.n_pins_broken == 0 and seen.n_turns > 0


async def run(arguments: argparse.Namespace) -> bool:
    """True when all that is checked holds."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pm")))
        redis = stack.enter_context(redis_server(folder))
        postgres = None if arguments.ledger else stack.enter_context(own_postgres())
        ledger_url = arguments.ledger if postgres is None else postgres.url("ledger")
        upstream = await loop.create_server(Provider, "127.0.0.1", 0)
        upstream_port = upstream.sockets[0].getsockname()[1]
        # Reached one after another over the run.
        budgets = {f"spender-{n}": arguments.requests / 100_000 * 2.0 * (n + 1) for n in range(8)}
        write_config(folder / "pointsman.yaml", upstream_port, ledger_url, redis.url, budgets)
        replicas = [
            Replica(f"r{n}", free_port(), folder / "pointsman.yaml", folder / f"r{n}.log") for n in range(N_REPLICAS)
        ]
        for replica in replicas:
            stack.callback(replica.end, signal.SIGKILL)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(60)) as session:
            for replica in replicas:
                replica.start()
                await ready(session, replica)
            port = free_port()
            nginx = subprocess.Popen(write_nginx(folder, port, replicas))  # noqa: ASYNC220 - nothing is served yet
            stack.callback(nginx.wait)
            stack.callback(nginx.terminate)
            await asyncio.sleep(0.5)
            replica_of = {f"127.0.0.1:{each.port}": each.name for each in replicas}
            clients = Clients(session, f"http://127.0.0.1:{port}", list(budgets), replica_of)
            events, stop = Events(time.monotonic()), asyncio.Event()
            tasks = [asyncio.create_task(clients.run(stop)) for _ in range(arguments.concurrency)]
            killed_s = await happen(events, replicas, session, redis, postgres, arguments.away_s)
            clients.stop_after(arguments.requests, stop)
            await asyncio.gather(*tasks)
            events.tell(f"{clients.seen.n} requests are over")
            for replica in replicas:
                await ready(session, replica)
            for replica in replicas:
                await asyncio.to_thread(replica.end, signal.SIGTERM)
            left = sum(file.stat().st_size for file in (folder / "spool").glob("*.batch"))
            events.tell(f"all have stopped; {left:,} bytes are left in the spool")
        upstream.close()
        ids, spent_usd = await asyncio.to_thread(read_ledger, ledger_url)
        if arguments.logs is not None:
            for replica in replicas:
                shutil.copy(replica.log, arguments.logs)
    return report(
        clients.seen,
        events,
        arguments,
        list(verdicts(clients.seen, ids, spent_usd, budgets, replicas[0].name, killed_s, arguments.concurrency)),
    )


def report(seen: Seen, events: Events, arguments: argparse.Namespace, checked: list[tuple[str, str, bool]]) -> bool:
    """Prints what came of it; True when all of it holds."""
    print(heading(f"{N_REPLICAS} replicas behind nginx, {seen.n:,} requests", "benchmarks.replicas"))
    for line in events.told:
        print(f"- {line.strip()}")
    seconds = sorted(seen.seconds)
    p50, p99 = (seconds[int(len(seconds) * share)] * 1e3 for share in (0.5, 0.99))
    print(f"\nAnswered {seen.statuses[200]:,}, refused for their budget {dict(seen.refused)}.")
    print(f"{arguments.concurrency} at once: p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {seconds[-1] * 1e3:.0f} ms.\n")
    print("| | | holds |\n|---|---|---|")
    for what, came, holds in checked:
        print(f"| {what} | {came} | {'yes' if holds else '**no**'} |")
    for _, why in seen.failures[:5]:
        print(f"\nfailed: {why}")
    return all(holds for _, _, holds in checked)


def main() -> int:
    """Exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--concurrency", type=int, default=48)
    parser.add_argument("--ledger", default="", help="address of a ledger; without one, a PostgreSQL of its own")
    parser.add_argument("--away-s", type=float, default=30.0, help="how long each server is away")
    parser.add_argument("--logs", type=Path, help="a folder for the replicas' logs")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(run(arguments)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
