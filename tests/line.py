"""A line between a client and a server that a test can cut, slow down, or make swallow everything."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset."""


@dataclass
class Line:
    """Passes bytes on, as it is told to at the moment.

    Attributes:
        port: where clients connect, on 127.0.0.1.
        target: the server's port; None refuses: what connects is reset.
        swallows: nothing comes back, and nothing is said about it.
        delay_s: how long each piece from the server is held back.
        n_accepted: connections so far.
        reset_after_bytes: resets each connection once so many bytes came from its client; None never does.
    """

    port: int
    target: int | None
    swallows: bool = False
    delay_s: float = 0.0
    reset_after_bytes: int | None = None
    n_accepted: int = 0
    _open: list[socket.socket] = field(default_factory=list, repr=False)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def cut(self) -> None:
        """Resets every connection there is."""
        while self._open:
            _reset(self._open.pop())

    def _serve(self, listener: socket.socket) -> None:
        while not self._ended.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.n_accepted += 1
            if self.target is None:
                _reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                _reset(client)
                continue
            self._open += [client, server]
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, from_client: bool) -> None:
        n_bytes = 0
        with suppress(OSError):
            while piece := source.recv(65_536):
                n_bytes += len(piece)
                if from_client and self.reset_after_bytes is not None and n_bytes > self.reset_after_bytes:
                    break
                if not from_client and self.delay_s:
                    self._ended.wait(self.delay_s)
                while self.swallows:
                    if self._ended.wait(0.02):
                        return
                sink.sendall(piece)
        _reset(source)
        _reset(sink)


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextmanager
def line_to(port: int) -> Iterator[Line]:
    """A line to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = Line(listener.getsockname()[1], port)
        thread = threading.Thread(target=line._serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield line
        finally:
            line._ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            line.cut()
