"""The code scorer: an answer's code and the task's tests, run in a process of their own with limits.

What holds it: a deadline after which its whole process group is killed; limits on CPU time, memory, file size, open
files and processes; a temporary folder as its place; an environment without the caller's variables; on Linux, where the
kernel allows it, no network and a PID namespace that ends with it, and root becomes nobody.

**This is no sandbox for hostile code.** It can read what its user can read, and it can print that it passed. It keeps
honest mistakes of models (endless loops, memory bombs, stray files) from hurting the machine. Run answers from sources
you do not trust in a container or a virtual machine.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import DataError

from .tasks import UNSCORED, Task

_FENCED = re.compile(r"```(?:python3?|py)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)
_CHILD = Path(__file__).with_name("code_child.py")
MAX_PROGRAM_CHARS = 1_000_000
NO_LIBRARY = 97
"""Exit status of the child when it cannot work here; the same as in `code_child.py`."""


@dataclass(frozen=True, slots=True)
class CodeLimits:
    """Limits of one run.

    Attributes:
        wall_s: seconds until it is killed.
        cpu_s: seconds of processor time, whole ones.
        memory_bytes: of address space, for each process.
        file_bytes: size of the largest file it writes, its output among them.
        n_files: open at once.
        n_processes: processes and threads. Counted per user by the kernel, so a user who runs many already leaves none.
    """

    wall_s: float = 10.0
    cpu_s: int = 10
    memory_bytes: int = 512 * 2**20
    file_bytes: int = 16 * 2**20
    n_files: int = 64
    n_processes: int = 32


@dataclass(frozen=True, slots=True)
class CodeRun:
    """How a run ended. `why` says what went wrong, at most 300 characters; "" when it passed."""

    passed: bool
    why: str


def score_code(answer: str, task: Task, limits: CodeLimits = CodeLimits()) -> float:
    """1 when the tests run through after the answer's code, else 0; NaN for a task without tests.

    Raises:
        DataError: this system cannot limit processes, or root cannot give its rights up here.
    """
    if task.tests is None:
        return UNSCORED
    return float(run_code(f"{code_in(answer)}\n\n{task.tests}\n", limits).passed)


def code_in(answer: str) -> str:
    """An answer's Python: the longest fenced block, else all of it."""
    blocks: list[str] = _FENCED.findall(answer)
    return max(blocks, key=len) if blocks else answer


def run_code(program: str, limits: CodeLimits = CodeLimits()) -> CodeRun:
    """Runs a Python program to its end; it has passed when its last line was reached and nothing was raised.

    Raises:
        DataError: this system cannot limit processes, or root cannot give its rights up here.
    """
    if sys.platform == "win32":
        raise DataError("the code scorer needs Linux or macOS: Windows cannot limit a process this way")
    if len(program) > MAX_PROGRAM_CHARS:
        return CodeRun(False, f"the program is longer than {MAX_PROGRAM_CHARS:,} characters")
    folder = Path(tempfile.mkdtemp(prefix="pointsman-code-"))
    read_fd, write_fd = os.pipe()
    try:
        os.set_blocking(read_fd, False)
        (folder / "program.py").write_text(program, encoding="utf-8", errors="replace")
        return _run(folder, limits, read_fd, write_fd)
    finally:
        os.close(read_fd)
        os.close(write_fd)
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, limits: CodeLimits, read_fd: int, write_fd: int) -> CodeRun:
    # A word that the program cannot know beforehand: leaving early with status 0 is no pass.
    word = secrets.token_hex(16)
    told = {
        "done_fd": write_fd,
        "done_word": word,
        "rlimits": {
            "RLIMIT_CPU": limits.cpu_s,
            "RLIMIT_AS": limits.memory_bytes,
            "RLIMIT_FSIZE": limits.file_bytes,
            "RLIMIT_NOFILE": limits.n_files,
            "RLIMIT_NPROC": limits.n_processes,
            "RLIMIT_CORE": 0,
        },
    }
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # One thread per numerical library: each thread counts as a process.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (folder / "stderr").open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603 - the program is ours, its input is what is tested
            [sys.executable, "-I", "-B", str(_CHILD), json.dumps(told)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            pass_fds=(write_fd,),
        )
    try:
        status = process.wait(timeout=limits.wall_s)
    except subprocess.TimeoutExpired:
        status = None
    finally:
        _kill_group(process)
    try:
        reached = os.read(read_fd, 64) == word.encode()
    except BlockingIOError:
        reached = False
    if status is None:
        return CodeRun(False, f"not done within {limits.wall_s:g} s")
    if status == NO_LIBRARY and not (folder / "stderr").stat().st_size:
        raise DataError(
            f"the code scorer gives root's rights up, and then {sys.executable} cannot read its own library; "
            "run it as another user, or with a Python that every user may read"
        )
    if status == 0 and reached:
        return CodeRun(True, "")
    return CodeRun(False, _reason(folder, status))


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all it has started in its group; the group's number is free for reuse only after `wait`."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def _reason(folder: Path, status: int) -> str:
    said = (folder / "stderr").read_bytes()[-2_000:].decode("utf-8", "replace").strip()
    if said:
        return said.splitlines()[-1][:300]
    if status == 0:
        return "it ended before the last test"
    return f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
