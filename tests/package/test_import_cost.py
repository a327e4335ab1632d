"""Importing pointsman loads nothing of others and costs little; the command's help is quick."""

from __future__ import annotations

import subprocess
import sys

FOREIGN = """
import sys
import pointsman
names = {name.partition(".")[0] for name in sys.modules}
print(sorted(names - set(sys.stdlib_module_names) - {"pointsman", "__main__"}))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_pointsman_loads_no_third_party_module() -> None:
    # A path hook of an editable install may load its own finder before any import; it is not ours.
    found = run(
        "import sys; before = set(sys.modules)\n" + FOREIGN.replace("sys.modules}", "set(sys.modules) - before}")
    )
    assert found == "[]"


def test_help_loads_no_heavy_module() -> None:
    code = (
        "import sys\nfrom pointsman.cli.main import app\n"
        "heavy = {'numpy', 'pydantic', 'aiohttp', 'sqlalchemy', 'genai_prices', 'polars', 'sklearn', 'uvloop'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert run(code) == "[]"


def test_public_names_resolve_and_unknown_ones_do_not() -> None:
    import pointsman

    for name in pointsman.__all__:
        assert getattr(pointsman, name) is not None
    assert set(pointsman.__all__) <= set(dir(pointsman))
    assert not hasattr(pointsman, "Ruter")
