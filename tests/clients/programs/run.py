"""Runs tasks of one client and prints what it made of the answers, as one line of JSON.

    python run.py PROGRAM URL TASK…

Runs in the client's own environment, without Pointsman. The key comes in CLIENT_KEY.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    program, url, *tasks = sys.argv[1:]
    module = importlib.import_module(program)
    told: dict[str, object] = {}
    for task in tasks:
        try:
            told[task] = getattr(module, task)(url, os.environ["CLIENT_KEY"])
        except Exception as error:  # noqa: BLE001 - the edge: the other tasks shall still be told
            told[task] = {"failed": f"{type(error).__name__}: {error}"[:2_000]}
    sys.stdout.write(json.dumps(told) + "\n")


main()
