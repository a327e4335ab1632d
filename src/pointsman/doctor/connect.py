"""Whether addresses take a connection: all at once, within a time limit that a stuck name lookup cannot stretch."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where to connect."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def connect_all(
    addresses: Collection[Address],
    *,
    within_s: float,
    done: Callable[[], None] = lambda: None,
    connect: Callable[[Address, float], str | None] | None = None,
) -> dict[Address, str | None]:
    """What kept each address from being connected to, in words; None for one that took the connection.

    Each is tried in a daemon thread of its own: the system's name lookup has no time limit, and must not keep the
    program from ending either.

    Args:
        done: called after each.
        connect: replaces the TCP connection.
    """
    dial = _dial if connect is None else connect
    results: queue.Queue[tuple[Address, str | None]] = queue.Queue()
    for address in addresses:
        threading.Thread(
            target=lambda at=address: results.put((at, dial(at, within_s))), name=f"doctor-{address}", daemon=True
        ).start()
    out: dict[Address, str | None] = {}
    deadline_s = time.monotonic() + within_s
    while len(out) < len(addresses):
        try:
            address, said = results.get(timeout=max(0.0, deadline_s - time.monotonic()))
        except queue.Empty:
            break
        out[address] = said
        done()
    for address in addresses:
        out.setdefault(address, f"no connection within {within_s:g} s")
    return out


def _dial(address: Address, within_s: float) -> str | None:
    try:
        with socket.create_connection((address.host, address.port), timeout=within_s):
            return None
    except TimeoutError:
        return f"no connection within {within_s:g} s"
    except socket.gaierror:
        return "its name is not known to the name server"
    except UnicodeError:
        return "its name cannot be a host's"
    except OSError as error:
        return "the connection was refused" if isinstance(error, ConnectionRefusedError) else str(error.strerror)
