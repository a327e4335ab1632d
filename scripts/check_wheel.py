"""Holds a wheel to the repository: built twice it is the same, and nothing is in it but the package.

python scripts/check_wheel.py

Prints the wheel's SHA-256; exits 1 and says what differs. Needs pip, and hatchling or an index to take it from.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "pointsman"
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"}
"""All that may stand beside the package; no scripts, no data, no .pth that Python would run at every start."""
COMMAND = "[console_scripts]\npointsman = pointsman.cli.main:main\n"
EPOCH_S = "1767225600"
"""Dates every file of the wheel (reproducible-builds.org, SOURCE_DATE_EPOCH): 2026-01-01."""


def build(folder: Path, *flags: str) -> Path:
    """A wheel of the repository."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    dated = os.environ | {"SOURCE_DATE_EPOCH": EPOCH_S}
    subprocess.run([*pip, "--wheel-dir", str(folder), *flags, str(ROOT)], check=True, env=dated)
    (wheel,) = folder.glob("*.whl")
    return wheel


def tracked() -> dict[str, bytes]:
    """What the repository has of the package, by the path in a wheel."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", str(PACKAGE)], capture_output=True, check=True, cwd=ROOT, text=True
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name]
    return {str(file.relative_to(ROOT / "src")): file.read_bytes() for file in files}


def faults(wheel: Path, expected: dict[str, bytes]) -> list[str]:
    """What is in the wheel and not in the repository, the other way round, or differs."""
    found: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    package = {name: raw for name, raw in inside.items() if name.startswith("pointsman/")}
    found += [f"only in the wheel: {name}" for name in sorted(package.keys() - expected.keys())]
    found += [f"only in the repository: {name}" for name in sorted(expected.keys() - package.keys())]
    both = sorted(package.keys() & expected.keys())
    found += [f"differs: {name}" for name in both if package[name] != expected[name]]
    for name in sorted(inside.keys() - package.keys()):
        folder, _, rest = name.partition("/")
        if not folder.endswith(".dist-info") or rest not in DIST_INFO:
            found.append(f"beside the package: {name}")
        elif rest == "entry_points.txt" and inside[name].decode().strip() != COMMAND.strip():
            found.append(f"other commands than `pointsman`: {inside[name].decode()!r}")
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        wheels = [build(Path(folder), *sys.argv[1:]) for folder in (first, second)]
        sums = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
        found = faults(wheels[0], tracked())
        if sums[0] != sums[1]:
            found.append(f"built twice, two wheels: {sums[0]} and {sums[1]}")
        print(f"{wheels[0].name} sha256 {sums[0]}, {wheels[0].stat().st_size} bytes")
        print("\n".join(found) if found else "the same twice, and the same as the repository")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
