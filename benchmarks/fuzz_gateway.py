"""Schemathesis on the published OpenAPI document against a gateway process: no 5xx, flat memory.

    python -m benchmarks.fuzz_gateway [--per-operation 440]

Schemathesis runs in an environment of its own (`make fuzz-gateway`). Memory is looked at after a first run of a tenth
of the cases, and at the end. Exit code 1: an answer was a 5xx, or memory grew by more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.gateways import ROOT, OursFixed
from benchmarks.headed import heading

from pointsman.testing import Upstream

SCHEMATHESIS = ROOT / ".venv-schemathesis" / "bin" / "schemathesis"
MAX_GROWTH = 1.10
KEY = "sk-bench-client"


async def fuzz(gateway: OursFixed, per_operation: int, seed: int) -> tuple[int, str]:
    """Exit code and last words of one run."""
    process = await asyncio.create_subprocess_exec(
        str(SCHEMATHESIS),
        *("run", str(ROOT / "docs" / "openapi.json"), "--url", f"http://127.0.0.1:{gateway.port}"),
        *("--checks", "not_a_server_error", "--exclude-path", "/readyz", "--max-examples", str(per_operation)),
        *("--phases", "fuzzing", "--mode", "all", "--workers", "4", "--seed", str(seed), "--no-color"),
        *("-H", f"Authorization: Bearer {KEY}", "--request-timeout", "20"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=gateway.folder,
        env=os.environ | {"NO_PROXY": "*"},
    )
    out, _ = await process.communicate()
    return (1 if process.returncode is None else process.returncode), out.decode(errors="replace")


async def run(per_operation: int) -> int:
    """Warms up, fuzzes, and tells.

    Returns:
        The exit code.
    """
    with tempfile.TemporaryDirectory() as name:
        async with Upstream() as upstream:
            gateway = OursFixed(int(upstream.url.rsplit(":", 1)[1]), Path(name), None)
            await asyncio.to_thread(gateway.start)
            try:
                await fuzz(gateway, max(1, per_operation // 10), 1)
                before = gateway.memory_bytes()
                code, said = await fuzz(gateway, per_operation, 2)
                after = gateway.memory_bytes()
            finally:
                await asyncio.to_thread(gateway.stop)
    print(said[-6_000:] if code else "\n".join(re.findall(r"^.*(?:generated|tested|seed).*$", said, re.M | re.I)))
    print(f"\nmemory {before / 2**20:.1f} MiB after a tenth, {after / 2**20:.1f} MiB at the end")
    return 1 if code != 0 or after > before * MAX_GROWTH else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-operation", type=int, default=440, help="cases of each operation in the fuzzing phase")
    options = parser.parse_args()
    if not SCHEMATHESIS.exists():
        raise SystemExit("schemathesis is not installed: make fuzz-gateway installs it")
    print(heading("The gateway under Schemathesis", "benchmarks.fuzz_gateway"))
    sys.exit(asyncio.run(run(options.per_operation)))


if __name__ == "__main__":
    main()
