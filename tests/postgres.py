"""A real PostgreSQL server for tests: Debian's, with a cluster of its own in a temporary folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

SETTINGS = (
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=200",
    "autovacuum=off",
)
"""Nothing here has to outlive the machine."""
MISSING = "these tests need PostgreSQL: apt-get install postgresql, or `make test` as root, which does it"


@dataclass
class PostgresServer:
    """One server under test; it may be stopped, frozen and started again.

    Attributes:
        port: on 127.0.0.1.
    """

    folder: Path
    port: int
    _n_databases: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Starts it; returns once it answers."""
        command = [str(binary("postgres")), "-D", str(self.folder / "data"), "-p", str(self.port)]
        for setting in (*SETTINGS, "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}"):
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*_as_nobody_special(), *command], stdout=log, stderr=log)
        for _ in range(600):
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return
        raise AssertionError("PostgreSQL does not answer")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends it: SIGINT cuts connections off, SIGQUIT is a crash (postgresql.org/docs, server-shutdown)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def make_database(self, template: str | None = None) -> str:
        """A new database's name."""
        self._n_databases += 1
        name = f"test_{self._n_databases}"
        self.run(f"CREATE DATABASE {name}" + ("" if template is None else f" TEMPLATE {template}"))
        return name

    def drop_database(self, name: str) -> None:
        """Drops a database, whoever is connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """The rows of one statement."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server with a fresh cluster, stopped and deleted at the end.

    Raises:
        FileNotFoundError: PostgreSQL is not installed.
    """
    folder = Path(tempfile.mkdtemp(prefix="pointsman-postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        subprocess.run(
            [
                *_as_nobody_special(),
                str(binary("initdb")),
                "--pgdata",
                str(folder / "data"),
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = PostgresServer(folder, port)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def binary(name: str) -> Path:
    """One of PostgreSQL's programs, of the newest version installed.

    Raises:
        FileNotFoundError: there is none.
    """
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which(name)
    if found:
        return found[-1]
    if on_path is None:
        raise FileNotFoundError(MISSING)
    return Path(on_path)


def _as_nobody_special() -> tuple[str, ...]:
    """It refuses to run as root."""
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups") if os.geteuid() == 0 else ()
