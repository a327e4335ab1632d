"""Copies a CycloneDX document from standard input to standard output without the addresses of other projects' pages."""

from __future__ import annotations

import json
import sys
from typing import Any


def trimmed(value: Any) -> Any:
    """The same value, `externalReferences` left out at every depth."""
    if isinstance(value, dict):
        return {name: trimmed(each) for name, each in value.items() if name != "externalReferences"}
    return [trimmed(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    print(json.dumps(trimmed(json.load(sys.stdin)), indent=2))
