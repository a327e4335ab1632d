"""The child process of the code scorer: limits itself, then runs a program. Run as a file, never imported.

Everything here is best effort on top of the caller's deadline: what the system refuses is gone without. It is no
sandbox for hostile code.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000  # linux/sched.h
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS = 1, 8, 38  # linux/prctl.h
CAPABILITY_VERSION_3, CAP_DAC_READ_SEARCH = 0x20080522, 2  # linux/capability.h
NOBODY = 65534
NO_LIBRARY = 97
"""Exit status when nobody may not read the standard library; known to `code_runs`."""


def main() -> None:
    limits = json.loads(sys.argv[1])
    source = Path("program.py").read_text(encoding="utf-8")
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    isolated = _own_namespaces(libc)
    if isolated:
        # The first child in a new PID namespace is its init: when it ends, everything in it ends.
        pid = os.fork()
        if pid > 0:
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code < 0:
                os.kill(os.getpid(), -code)
            os._exit(code)
    _drop_root(libc)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for name, limit in limits["rlimits"].items():
        _limit(getattr(resource, name, None), limit)
    # What is being tested is no script that is started: a block under `if __name__ == "__main__"` stays asleep.
    exec(compile(source, "program.py", "exec"), {"__name__": "program"})  # noqa: S102 - what this file is for
    os.write(limits["done_fd"], limits["done_word"].encode())


def _own_namespaces(libc: "ctypes.CDLL | None") -> bool:
    """No network and no sight of other processes, where the kernel allows it; as root no user namespace is needed."""
    if libc is None:
        return False
    wanted = CLONE_NEWPID | CLONE_NEWNET
    return bool(libc.unshare(wanted) == 0 or libc.unshare(wanted | CLONE_NEWUSER) == 0)


def _drop_root(libc: "ctypes.CDLL | None") -> None:
    """Root is exempt from limits on processes; nobody is not. The right to read stays, for the standard library."""
    if libc is None or os.geteuid() != 0:
        return
    try:
        os.chown(".", NOBODY, NOBODY)
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return
    reading = 1 << CAP_DAC_READ_SEARCH
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(reading, reading, 0, 0, 0, 0)  # effective, permitted, inheritable, twice
    if libc.capset(header, data) != 0:
        # A container may not hold that right: then none is kept.
        libc.capset(header, (ctypes.c_uint32 * 6)())
    try:
        Path(os.__file__).open("rb").close()
    except OSError:
        os._exit(NO_LIBRARY)


def _limit(what: "int | None", limit: int) -> None:
    if what is None:
        return
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (limit, limit))


main()
