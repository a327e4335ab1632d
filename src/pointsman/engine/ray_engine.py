"""Work done on a Ray cluster by Ray Data: one row of a dataset for each part.

Parts go out and results come back in the serialisation that Ray moves functions with (cloudpickle): a cluster runs what
its driver sends it, so whoever can reach it can run code there already. Nothing of the kind is ever written to a file
of ours or read from one.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext, redirect_stdout
from typing import Any, Final, Self, TypeVar

import pyarrow as pa
import ray
import ray.data
from ray import cloudpickle
from ray.exceptions import RayError
from threadpoolctl import threadpool_info, threadpool_limits

from pointsman.errors import DataError, PointsmanError
from pointsman.vocabulary import Transport

from .carried import Carried
from .ray_transport import RayTransport

Part = TypeVar("Part")
Result = TypeVar("Result")

MAX_PARTS_AHEAD: Final = 256
MAX_BYTES_AHEAD: Final = 64 * 1024 * 1024
"""Parts handed to the cluster at once: as many as keep some hundred workers busy, as long as they are small."""
MAX_ATTEMPTS: Final = 5
"""At a part whose worker died each time, for want of memory perhaps; Ray Data itself would go on for ever."""
_NUMBER: Final = "number"
_PART: Final = "part"
_RESULT: Final = "result"


class RayEngine:
    """Does the work on the cluster that `RAY_ADDRESS` names or that runs here; without one on a local one of its own.

    Use as a context. A worker that dies takes its part with it, which is done again elsewhere. Linear algebra runs with
    as many threads as here, because that number shows in the last bits of a result.

    Raises (on entering):
        DataError: the cluster cannot be reached.
    """

    def __init__(self) -> None:
        self._connected_here = False
        # Ray prints what it has to say of dying workers; standard output is the command's own.
        self._stdout = redirect_stdout(sys.stderr)

    def __enter__(self) -> Self:
        if not ray.is_initialized():
            # Ray would tell its makers about every cluster.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
            except ValueError:
                # A cluster that runs already does not take the settings of a new one.
                self._connect()
            except (ConnectionError, RuntimeError, OSError) as error:
                raise _unreachable(error) from error
            self._connected_here = True
        self._stdout.__enter__()
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        return self

    def _connect(self) -> None:
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, RuntimeError, OSError, ValueError) as error:
            raise _unreachable(error) from error

    def __exit__(self, *_: object) -> None:
        try:
            if self._connected_here:
                ray.shutdown()
        finally:
            self._stdout.__exit__(None, None, None)

    def map(self, work: Callable[[Part], Result], parts: Iterable[Part]) -> Iterator[Result]:
        """The results of the parts, in their order."""
        attempts = ray.remote(_Attempts).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
        apply = _Apply(ray.put(work), attempts, _threads())
        n_before = 0
        for window in _windows(parts):
            yield from self._done(apply, window, n_before)
            n_before += len(window)

    def _done(self, apply: _Apply, window: list[bytes], n_before: int) -> Iterator[Any]:
        tables = [
            pa.table({_NUMBER: pa.array([number], pa.int64()), _PART: pa.array([part], pa.large_binary())})
            for number, part in enumerate(window, start=n_before)
        ]
        done = ray.data.from_arrow(tables).map_batches(apply, batch_size=None, batch_format="pyarrow", num_cpus=1)
        try:
            for table in done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=2):
                for raw in table[_RESULT]:
                    result = cloudpickle.loads(raw.as_buffer())
                    if isinstance(result, Carried):
                        raise result.error()
                    yield result.value
        except RayError as error:
            raise DataError(
                f"a part of the work failed on the cluster ({type(error).__name__}): {_last_line(error)}"
            ) from error

    def transport(self, open_transport: Callable[[], Transport]) -> Transport:
        """A transport whose calls are made by actors on the cluster, one for each processor."""
        return RayTransport(open_transport, n_workers=max(1, int(ray.cluster_resources().get("CPU", 1))))


class _Value:
    def __init__(self, value: object) -> None:
        self.value = value


class _Attempts:
    """An actor that counts how often each part was begun."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}

    def begin(self, number: int) -> int:
        self._begun[number] = self._begun.get(number, 0) + 1
        return self._begun[number]


class _Apply:
    def __init__(self, work: Any, attempts: Any, n_threads: int | None) -> None:
        self._work = work
        self._attempts = attempts
        self._n_threads = n_threads

    def __call__(self, table: pa.Table) -> pa.Table:
        work = ray.get(self._work)
        out = []
        with nullcontext() if self._n_threads is None else threadpool_limits(self._n_threads, user_api="blas"):
            for number, raw in zip(table[_NUMBER].to_pylist(), table[_PART], strict=True):
                out.append(cloudpickle.dumps(self._result(work, number, raw.as_buffer())))
        return pa.table({_RESULT: pa.array(out, pa.large_binary())})

    def _result(self, work: Callable[[Any], Any], number: int, raw: Any) -> object:
        if ray.get(self._attempts.begin.remote(number)) > MAX_ATTEMPTS:
            return Carried.of(
                DataError(f"part {number} of the work was begun {MAX_ATTEMPTS} times and its worker died")
            )
        try:
            return _Value(work(cloudpickle.loads(raw)))
        except PointsmanError as error:
            return Carried.of(error)


def _windows(parts: Iterable[Any]) -> Iterator[list[bytes]]:
    window: list[bytes] = []
    n_bytes = 0
    for part in parts:
        packed = cloudpickle.dumps(part)
        window.append(packed)
        n_bytes += len(packed)
        if len(window) >= MAX_PARTS_AHEAD or n_bytes >= MAX_BYTES_AHEAD:
            yield window
            window, n_bytes = [], 0
    if window:
        yield window


def _threads() -> int | None:
    """How many threads linear algebra uses here; None where it uses none that can be told."""
    found = [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
    return max(found, default=None)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason was given"


def _unreachable(error: Exception) -> DataError:
    return DataError(
        f"no Ray cluster can be reached ({_last_line(error)}); set RAY_ADDRESS to one that runs, or start one with "
        "`ray start --head`"
    )
