"""The sockets that a gateway listens on."""

from __future__ import annotations

import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from pointsman.errors import ConfigError

if sys.platform != "win32":
    import resource

NO_FILE_LIMIT = 1_048_576
"""Taken where there is none; the highest that Linux gives a process by itself (fs.nr_open)."""
OWN_FILES = 256
"""Files that are no connections: libraries, ledger, sockets, log; about thirty."""
BACKLOG = 1_024
"""Connections that wait in the kernel to be taken."""


@dataclass(frozen=True, slots=True)
class Sockets:
    """What one process listens on.

    Attributes:
        admin: for metrics and the dashboard alone; none where they have no port of their own.
    """

    clients: tuple[socket.socket, ...] = ()
    admin: tuple[socket.socket, ...] = ()

    @property
    def port(self) -> int:
        """Where clients come."""
        return _port(self.clients)

    @property
    def admin_port(self) -> int | None:
        """Where the admin comes; None for the clients' port."""
        return _port(self.admin) if self.admin else None

    def close(self) -> None:
        """Takes no more connections."""
        for each in (*self.clients, *self.admin):
            each.close()


def listen(host: str, port: int, *, shared: bool = False) -> tuple[socket.socket, ...]:
    """Listening sockets, one for each address that the host has.

    Args:
        port: 0 takes a free one, the same for each address.
        shared: others may listen there too, and the kernel deals connections out between them (SO_REUSEPORT).

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _refused(host, port, error) from error
    with ExitStack() as made:
        sockets: list[socket.socket] = []
        for family, kind, protocol, _, address in dict.fromkeys(addresses):
            try:
                each = made.enter_context(socket.socket(family, kind, protocol))
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if shared:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                if family == socket.AF_INET6:
                    each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                each.bind((address[0], _port(sockets) if sockets else port, *address[2:]))
                each.listen(BACKLOG)
            except OSError as error:
                raise _refused(host, port, error) from error
            each.setblocking(False)
            sockets.append(each)
        made.pop_all()
    return tuple(sockets)


def _port(sockets: Sequence[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def url_of(host: str, port: int) -> str:
    """The address for clients, such as "http://127.0.0.1:8484"."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    return ConfigError(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port")


def raise_file_limit() -> None:
    """Asks for as many files and connections as the system lets this process open."""
    if sys.platform == "win32":
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and soft < hard:
        with suppress(ValueError, OSError):  # then the limit is what it was
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_connections(configured: int | None) -> int:
    """How many clients may be connected at once.

    Not given: half of what may be opened, since most clients need a connection to a model too, and less what the
    process itself needs.
    """
    if configured is not None:
        return configured
    n_files = NO_FILE_LIMIT if sys.platform == "win32" else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(1, ((n_files if n_files > 0 else NO_FILE_LIMIT) - OWN_FILES) // 2)
