"""Several processes that serve one address, and their parent, which starts anew whichever ends.

The parent reads the configuration and listens; its children are forked from it, so that they share what it has loaded,
and accept from sockets that it holds: what waits there when a worker is killed is served by the one that takes its
place. Each worker has sockets of its own, and the kernel deals connections out (SO_REUSEPORT, socket(7)).

What the parent hears it tells its workers over a socket pair and not by signals: a terminal and systemd send theirs to
every process, and a worker could not tell such a first signal to stop from a second. The pair also tells them when the
parent is gone.
"""

from __future__ import annotations

import asyncio
import os
import select
import shutil
import signal
import socket
import tempfile
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

import structlog

from pointsman.errors import PointsmanError
from pointsman.vocabulary import Clock

from .fellows import tell_workers
from .listening import Sockets

STOP, STOP_NOW, RELOAD, READY = b"s", b"n", b"r", b"y"
"""What parent and worker tell each other."""

PAUSES_S: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""How long until a worker is started anew, by how many ended in a row before they had served for `SETTLED_S`."""
SETTLED_S: Final = 30.0
OVERTIME_S: Final = 15.0
"""After its grace time a worker may take so long to close and to write its ledger; then it is killed."""
MAX_WORKERS: Final = 64

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_log = structlog.get_logger("pointsman.gateway")


@dataclass(frozen=True, slots=True)
class Place:
    """Where one worker works.

    Attributes:
        number: from 0.
        sockets: it listens on these.
        link: to its parent.
        folder: for what workers tell each other.
    """

    number: int
    n_workers: int
    sockets: Sockets
    link: socket.socket
    folder: Path

    def ready(self) -> None:
        """Tells the parent that this worker serves."""
        self.link.send(READY)

    def heed(self, *, stop: Callable[[], object], now: Callable[[], object], reload: Callable[[], object]) -> None:
        """Calls these from the event loop when the parent says so, and `stop` when it is gone."""
        loop = asyncio.get_running_loop()

        def told() -> None:
            try:
                said = self.link.recv(64)
            except BlockingIOError:
                return
            except OSError:
                said = b""
            if not said:
                loop.remove_reader(self.link)
                stop()
            for each in (said[n : n + 1] for n in range(len(said))):
                {STOP: stop, STOP_NOW: now, RELOAD: reload}[each]()

        self.link.setblocking(False)
        loop.add_reader(self.link, told)


@dataclass(slots=True)
class _Slot:
    number: int
    sockets: Sockets
    pid: int | None = None
    link: socket.socket | None = None
    begun_s: float = 0.0
    serves: bool = False
    n_short: int = 0
    due_s: float | None = None


@dataclass(slots=True)
class Workers:
    """Keeps workers running until it is told to stop.

    Args:
        n_workers: how many.
        listen: opens the sockets of one more worker, at the address of the first one's.
        serve: serves in the process of a worker until it is told to stop.
        refresh: called before a worker is started anew; reads again what it will begin with.
        told: called once, when all of them serve.
        grace_s: how long answers under way may go on after the first signal to stop.
    """

    n_workers: int
    listen: Callable[[], Sockets]
    serve: Callable[[Place], None]
    refresh: Callable[[], None]
    told: Callable[[], object]
    grace_s: float
    clock: Clock = time.monotonic
    _slots: list[_Slot] = field(default_factory=list)
    _folder: Path = Path()
    _heard: deque[int] = field(default_factory=deque)
    _restarts: Counter[str] = field(default_factory=lambda: Counter({"crashed": 0, "ended": 0}))
    _is_told: bool = False
    _n_stops: int = 0
    _kill_at_s: float = float("inf")
    _worst_code: int = 0

    def run(self, first: Sockets) -> int:
        """The exit code: 0 when all ended in order, that of a worker that could not start, 1 when one had to be killed.

        Args:
            first: the first worker listens on these.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        self._slots = [_Slot(number, self.listen() if number else first) for number in range(self.n_workers)]
        self._folder = Path(tempfile.mkdtemp(prefix="pointsman-"))
        wakes, woken = socket.socketpair()
        for each in (wakes, woken):
            each.setblocking(False)
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        wakeup = signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        try:
            for slot in self._slots:
                self._start(slot)
            self._tell_fellows()
            while any(slot.pid is not None or slot.due_s is not None for slot in self._slots):
                self._wait(wakes)
                self._heed()
                self._reap()
                self._start_due()
                if self.clock() >= self._kill_at_s:
                    self._kill()
            return self._worst_code
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, known in before.items():
                signal.signal(number, known)
            wakes.close()
            woken.close()
            self._close_sockets()
            shutil.rmtree(self._folder, ignore_errors=True)

    # ------------------------------------------------------------ what happens

    def _hear(self, number: int, _: object) -> None:
        self._heard.append(number)

    def _wait(self, wakes: socket.socket) -> None:
        """Until a signal comes, a worker says something, or one is due to be started or killed."""
        links = {slot.link: slot for slot in self._slots if slot.link is not None and not slot.serves}
        due_s = min((self._kill_at_s, *(slot.due_s for slot in self._slots if slot.due_s is not None)))
        within_s = None if due_s == float("inf") else max(0.0, due_s - self.clock())
        readable, _, _ = select.select([wakes, *links], [], [], within_s)
        for each in readable:
            if each is wakes:
                wakes.recv(4_096)
            elif each.recv(64) == READY:
                links[each].serves = True
            else:  # it has ended, which its signal tells
                links[each].link = None
                each.close()
        if readable:
            self._tell_fellows()
        if not self._is_told and all(slot.serves for slot in self._slots):
            self._is_told = True
            self.told()

    def _heed(self) -> None:
        while self._heard:
            number = self._heard.popleft()
            if number == signal.SIGHUP:
                self._say(RELOAD)
            elif number in (signal.SIGTERM, signal.SIGINT):
                self._stop()

    def _stop(self) -> None:
        self._n_stops += 1
        self._say(STOP if self._n_stops == 1 else STOP_NOW)
        self._kill_at_s = self.clock() + OVERTIME_S + (self.grace_s if self._n_stops == 1 else 0.0)
        # Held here too, they would go on taking connections that nobody serves.
        self._close_sockets()
        for slot in self._slots:
            slot.due_s = None

    def _say(self, what: bytes) -> None:
        for slot in self._slots:
            if slot.link is not None:
                try:
                    slot.link.send(what)
                except OSError:  # it has just ended
                    continue

    def _reap(self) -> None:
        for slot in self._slots:
            if slot.pid is None:
                continue
            pid, status = os.waitpid(slot.pid, os.WNOHANG)
            if pid:
                self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Slot, code: int) -> None:
        pid, served, slot.pid, slot.serves = slot.pid, slot.serves, None, False
        if slot.link is not None:
            slot.link.close()
            slot.link = None
        if self._n_stops:
            self._worst_code = max(self._worst_code, abs(code) and 1)
            return
        if not served and not self._is_told:
            # The first ones could not start; starting them again would not help.
            self._stop()
            self._worst_code = max(1, code)
            return
        why = "ended" if code == 0 else "crashed"
        self._restarts[why] += 1
        slot.n_short = 0 if self.clock() - slot.begun_s >= SETTLED_S else slot.n_short + 1
        pause_s = PAUSES_S[min(slot.n_short, len(PAUSES_S)) - 1] if slot.n_short else 0.0
        slot.due_s = self.clock() + pause_s
        if pause_s:
            # The kernel deals to the others meanwhile.
            _close(slot)
        _log.error("worker ended, another is started", worker=slot.number, pid=pid, exit_code=code, after_s=pause_s)
        self._tell_fellows()

    # ------------------------------------------------------------ starting and ending workers

    def _start_due(self) -> None:
        for slot in self._slots:
            if slot.due_s is None or self.clock() < slot.due_s:
                continue
            slot.due_s = None
            try:
                if not slot.sockets.clients:
                    slot.sockets = self.listen()
                self.refresh()
                self._start(slot)
            except (PointsmanError, OSError) as error:
                why = error.message if isinstance(error, PointsmanError) else error.strerror
                _log.error("worker not started, will be tried again", worker=slot.number, error=why)
                slot.due_s = self.clock() + PAUSES_S[-1]

    def _start(self, slot: _Slot) -> None:
        ours, theirs = socket.socketpair()
        # A signal that came between here and the child's own settings would be heard by nobody.
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(Place(slot.number, self.n_workers, slot.sockets, theirs, self._folder))
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        theirs.close()
        slot.pid, slot.link, slot.begun_s = pid, ours, self.clock()

    def _become(self, place: Place) -> NoReturn:
        """Goes on as a worker, and ends this process with it."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for slot in self._slots:
                if slot.link is not None:
                    slot.link.close()
                if slot.number != place.number:
                    _close(slot)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self.serve(place)
            code = 0
        except PointsmanError as error:
            _log.error("worker could not start", worker=place.number, error=error.message)
            code = 2
        except BaseException as error:  # noqa: BLE001 - the edge of a process: nothing may return into the parent's code
            frames = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
            _log.error("worker failed", worker=place.number, error=type(error).__name__, frames=frames)
        finally:
            os._exit(code)

    def _kill(self) -> None:
        self._kill_at_s = float("inf")
        for slot in self._slots:
            if slot.pid is not None:
                _log.error("worker killed: it did not end in time", worker=slot.number, pid=slot.pid)
                os.kill(slot.pid, signal.SIGKILL)

    def _close_sockets(self) -> None:
        for slot in self._slots:
            _close(slot)

    def _tell_fellows(self) -> None:
        n_up = sum(slot.serves for slot in self._slots)
        tell_workers(self._folder, n_workers=self.n_workers, n_up=n_up, restarts=self._restarts)


def _close(slot: _Slot) -> None:
    slot.sockets.close()
    slot.sockets = Sockets()
