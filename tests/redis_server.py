"""A Redis server of a test's own: on a socket in its folder, killed, frozen and started again at will."""

from __future__ import annotations

import asyncio
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAM = shutil.which("redis-server") or "/usr/bin/redis-server"
START_WITHIN_S = 10.0


class RedisServer:
    """A process, not started yet.

    Args:
        folder: where its socket and data lie; short, because a socket's path has at most 107 bytes.
        keeps_data: writes everything to disk at once, so that a kill loses nothing.
    """

    def __init__(self, folder: Path, *, keeps_data: bool = False) -> None:
        self.socket = folder / "redis.sock"
        self.url = f"unix://{self.socket}"
        persistence = ["--appendonly", "yes", "--appendfsync", "always"] if keeps_data else ["--appendonly", "no"]
        self._command = [
            *(PROGRAM, "--port", "0", "--unixsocket", str(self.socket), "--dir", str(folder)),
            *("--save", "", "--daemonize", "no", "--loglevel", "warning", *persistence),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline_s = time.monotonic() + START_WITHIN_S
        while self.ask("PING") != b"+PONG\r\n":
            assert time.monotonic() < deadline_s, "redis-server does not answer"
            assert self._process.poll() is None, "redis-server has ended"
            time.sleep(0.01)

    def ask(self, *words: str) -> bytes:
        """The first bytes of the answer to a command; none while it does not run."""
        text = f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, suppress(OSError):
            connection.settimeout(5.0)
            connection.connect(str(self.socket))
            connection.sendall(text.encode())
            return connection.recv(65_536)
        return b""

    def kill(self) -> None:
        """Ends it at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stops it where it is: connections are taken and nothing is answered, as behind a black hole."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on; it carries out what came meanwhile."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def redis_server(folder: Path, *, keeps_data: bool = False) -> Iterator[RedisServer]:
    """A server that answers, ended at the end."""
    server = RedisServer(folder, keeps_data=keeps_data)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Between:
    """Stands between a client and the server, and delays or swallows what the server says.

    Attributes:
        delay_s: before each piece of an answer.
        swallows: drops every answer.
    """

    def __init__(self, server: RedisServer) -> None:
        self.delay_s = 0.0
        self.swallows = False
        self._server = server
        self._path = server.socket.with_suffix(".between")
        self.url = f"unix://{self._path}"
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Between:
        self._listener = await asyncio.start_unix_server(self._connected, str(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [writer]
        try:
            upstream, up = await asyncio.open_unix_connection(str(self._server.socket))
            ends.append(up)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, up, answers=False))
                both.create_task(self._pass(upstream, writer, answers=True))
        except* (OSError, asyncio.CancelledError):
            # The end of the test; asyncio would tell of a handler that ends as cancelled.
            pass
        finally:
            self._tasks.discard(task)
            for end in ends:
                end.close()

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool) -> None:
        while piece := await source.read(65_536):
            if answers and self.delay_s > 0:
                await asyncio.sleep(self.delay_s)
            if not (answers and self.swallows):
                to.write(piece)
        to.close()
