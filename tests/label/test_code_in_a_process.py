"""The code scorer against programs that misbehave; each ends within its limits."""

from __future__ import annotations

import math
import subprocess

import pytest

from pointsman.label import CodeLimits, Task, run_code, score_code
from pointsman.label.code_runs import code_in

LIMITS = CodeLimits(wall_s=30.0, cpu_s=1, memory_bytes=256 * 2**20)


def test_code_that_passes_its_tests_scores_one_and_code_that_fails_them_zero() -> None:
    task = Task("d", "p", "Add two numbers", tests="assert add(2, 3) == 5\nassert add(-1, 1) == 0")
    code = "def add(a, b):\n    return a + b\n\nif __name__ == '__main__':\n    print(input())"
    right = f"Sure:\n```python\n{code}\n```\nDone."
    assert score_code(right, task) == 1.0
    assert score_code("def add(a, b): return a - b", task) == 0.0
    assert score_code("I cannot help with that.", task) == 0.0
    assert math.isnan(score_code(right, Task("d", "p", "no tests")))


def test_the_longest_block_is_the_code() -> None:
    assert code_in("```py\na\n```\ntext\n```\nlonger = 1\n```") == "longer = 1\n"
    assert code_in("```python\nunfinished = 1") == "unfinished = 1"
    assert code_in("plain = 1") == "plain = 1"


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("assert 1 == 2", "AssertionError"),
        ("import sys; sys.exit(0)", "ended before the last test"),
        ("import os; os._exit(0)", "ended before the last test"),
        ("raise ValueError('no')", "ValueError: no"),
        ("def f(:", "SyntaxError"),
        ("x = 'a\x00b'", "null"),
        ("while True: pass", "signal"),
        ("x = bytearray(10**10)", "MemoryError"),
        ("x = []\nwhile True: x.append(bytearray(10**6))", "MemoryError"),
        ("open('big', 'wb').write(b'x' * (64 * 2**20))", "File too large"),
        ("a = [open('f%d' % i, 'w') for i in range(1000)]", "Too many open files"),
    ],
)
def test_what_goes_wrong_is_said(program: str, why: str) -> None:
    run = run_code(program, LIMITS)
    assert not run.passed
    assert why in run.why


def test_a_sleeper_is_ended_at_its_deadline() -> None:
    run = run_code("import time; time.sleep(60)", CodeLimits(wall_s=0.7))
    assert not run.passed
    assert "0.7 s" in run.why


def test_floods_of_output_are_thrown_away() -> None:
    assert run_code("for _ in range(300000): print('x' * 100)").passed


@pytest.mark.slow
def test_a_fork_bomb_is_held_and_nothing_of_it_is_left() -> None:
    program = "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n"
    # The odd limit stands on the command line and tells these processes from those of other tests.
    assert not run_code(program, CodeLimits(wall_s=1.5, cpu_s=2, n_processes=16, n_files=61)).passed
    left = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert '"RLIMIT_NOFILE": 61' not in left


def test_only_so_many_processes() -> None:
    program = """
import os, time
n = 0
for _ in range(100):
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
    except OSError:
        break
    n += 1
raise SystemExit(f"{n} forks")
"""
    run = run_code(program, CodeLimits(wall_s=5, n_processes=8))
    assert int(run.why.split()[0]) < 8


def test_it_sees_nothing_of_the_callers_variables_or_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert run_code(
        "import os\nassert 'OPENAI_API_KEY' not in os.environ\nassert 'program.py' in os.listdir('.')"
    ).passed


def test_the_standard_library_is_there() -> None:
    assert run_code("import collections, decimal, json, random, sqlite3, statistics").passed
