"""Importing and starting reaches for nothing: no price list, no telemetry, no update check, no other program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HOOK = """
import json, os, signal, sys

seen = []

def heard(event, args):
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if not (isinstance(address, (str, bytes)) or address[0] in ("127.0.0.1", "::1")):
            seen.append([event, repr(address)])
    elif event == "socket.getaddrinfo" and args[0] not in ("127.0.0.1", "::1", "localhost", None):
        seen.append([event, repr(args[0])])
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "urllib.Request"):
        seen.append([event, repr(args)[:200]])

sys.addaudithook(heard)
"""
IMPORTS = """
import importlib, pkgutil, pointsman
for module in pkgutil.walk_packages(pointsman.__path__, "pointsman."):
    # These run when they are imported, as programs do.
    if not module.name.endswith(("__main__", "code_child", "env")) and ".versions" not in module.name:
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:  # of an extra that is not installed
            assert not error.name.startswith("pointsman"), error
"""
SERVE = """
import threading
from pointsman.gateway import server as gateway
from pointsman.dashboard import pages

def told(*_, **__):
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()

listening = gateway.Reloader
class Told(listening):
    def __init__(self, *given):
        super().__init__(*given)
        told()
gateway.Reloader = Told
gateway.serve(sys.argv[1], port=0, pages=pages)
"""
CONFIG = """
models:
  - {{name: haiku, provider: anthropic, model: claude-haiku-4-5, api_key: some-key-123}}
  - {{name: gpt, provider: openai, model: gpt-4o, api_key: some-key-123}}
tiers: [{{name: cheap, models: [haiku]}}, {{name: strong, models: [gpt]}}]
policies: {{auto: {{kind: threshold, max_quality_loss: 0.01}}}}
baseline: strong
ledger: {{url: "sqlite:///{folder}/ledger.db"}}
"""


def reached_for(code: str, *args: str) -> list[list[str]]:
    """What a program of this code reached for outside of this machine."""
    program = HOOK + code + "\nprint('SEEN' + json.dumps(seen))\n"
    done = subprocess.run(
        [sys.executable, "-c", program, *args], capture_output=True, text=True, timeout=120, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout.rpartition("SEEN")[2])
    return found


def test_the_hook_hears() -> None:
    code = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 9), 0.01)\nexcept OSError:\n    pass"
    assert ["socket.connect", "('192.0.2.1', 9)"] in reached_for(code)
    assert reached_for("import subprocess; subprocess.run(['true'])")[0][0] == "subprocess.Popen"


@pytest.mark.slow
def test_importing_every_module_reaches_for_nothing() -> None:
    assert reached_for(IMPORTS) == []


@pytest.mark.slow
def test_starting_and_stopping_a_gateway_reaches_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pointsman.yaml"
    file.write_text(textwrap.dedent(CONFIG.format(folder=tmp_path)))
    assert reached_for(SERVE, str(file)) == []
