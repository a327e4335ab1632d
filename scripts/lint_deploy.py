"""Checks deploy/ with the tools that know its formats; exits 1 when one of them finds a fault.

Run by `make lint-deploy`: hadolint for the Dockerfile, Kubernetes' own JSON schemas for the rendered chart, and
systemd's verifier for the unit, where systemd is installed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from tests.deploy.chart import VALUES, Chart

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
TOOLS = Path(sys.executable).parent
KUBERNETES = ("1.30", "1.37")
"""The oldest that the chart allows, and the newest whose schema the validator has."""
CUSTOM = ("ServiceMonitor",)
"""Kinds that Kubernetes has no schema for; `tests/deploy` checks them."""


def main() -> int:
    """Runs every check."""
    failed = _run(TOOLS / "hadolint", DEPLOY / "Dockerfile")
    for values in VALUES:
        objects = [each for each in Chart(DEPLOY / "helm/pointsman").render(**values) if each["kind"] not in CUSTOM]
        print(f"chart with {json.dumps(values)}: {', '.join(each['kind'] for each in objects)}")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
            yaml.safe_dump_all(objects, file)
            file.flush()
            for version in KUBERNETES:
                failed |= _run(TOOLS / "kubernetes-validate", "--strict", "--quiet", "-k", version, file.name)
    failed |= _unit()
    print("deploy/ is in order" if not failed else "deploy/ has faults", file=sys.stderr if failed else sys.stdout)
    return int(failed)


def _unit() -> bool:
    """True when systemd finds a fault in the unit, with a program in the place of the one that is not there."""
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        print("left out, no systemd here: pointsman.service")
        return False
    with tempfile.TemporaryDirectory() as folder:
        unit = Path(folder) / "pointsman.service"
        text = (DEPLOY / "pointsman.service").read_text(encoding="utf-8")
        unit.write_text(text.replace("/opt/pointsman/bin/pointsman", "/bin/true"), encoding="utf-8")
        return _run(verifier, "verify", "--man=no", unit)


def _run(*command: object) -> bool:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0 or said:
        print(f"{Path(str(command[0])).name}: exit code {done.returncode}\n{said}", file=sys.stderr)
    return done.returncode != 0 or bool(said)


if __name__ == "__main__":
    sys.exit(main())
