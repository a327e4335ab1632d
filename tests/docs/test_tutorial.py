"""docs/tutorial.md, run from top to bottom in an empty folder, against the provider that it starts itself."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import DOCS, ROOT, blocks

INSTALL = ("pip install", "cd examples")
"""What the page says before its folder is entered; here the package is there and the folder is a temporary one."""
WITHIN_S = 240.0
"""Twenty seconds of processor time; the machine may be busy with other tests."""


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def script() -> str:
    """The page's commands in order; its YAML goes into pointsman.yaml where it stands."""
    lines = ["set -euo pipefail"]
    for block in blocks(DOCS / "tutorial.md"):
        if block.language == "sh":
            lines += [line for line in block.text.splitlines() if not line.startswith(INSTALL)]
        elif block.language == "yaml":
            lines += ["cat >> pointsman.yaml <<'END'", block.text.rstrip(), "END"]
    provider, gateway = free_ports(2)
    return "\n".join(lines).replace("9191", str(provider)).replace("8484", str(gateway))


@pytest.mark.slow
def test_the_tutorial_runs_and_ends_with_a_gateway_that_saved_something(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/tutorial/shop.py", tmp_path)
    commands = script().replace("pointsman serve &", "pointsman serve --port $PORT &")
    (tmp_path / "bin").mkdir()
    for name, call in {"pointsman": "-m pointsman", "python": ""}.items():
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {call} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    port = commands.split("http://127.0.0.1:")[-1].split("/")[0]
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "200",
        "PORT": port,
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", commands],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(WITHIN_S)
        finally:
            # Whatever the script left running, should it have failed half-way: all are in its process group.
            if process.poll() != 0:
                os.killpg(process.pid, 9)
    said = log.read_text(encoding="utf-8")
    assert code == 0, said[-4_000:]
    assert json.loads((tmp_path / "evaluation.json").read_text())["verdict"]["routing_helps"] is True
    assert json.loads((tmp_path / "policy.json").read_text())["kind"] == "threshold"
    assert (tmp_path / "report").is_dir()
    answer = next(line for line in said.splitlines() if line.startswith('{"id"') or '"choices"' in line)
    assert '"model":"small"' in answer.replace(" ", "")
