"""Sends each LLM request to the cheapest model that will answer it well, and proves it on your own traffic.

Importing this package loads no third-party module; names are resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .completion import Completion
    from .errors import PointsmanError
    from .router import Router
    from .sync import SyncRouter
    from .vocabulary import Decision, Request

__version__ = "0.1.0"

__all__ = ["Completion", "Decision", "PointsmanError", "Request", "Router", "SyncRouter", "__version__"]

_HOME = {
    "Completion": "completion",
    "Decision": "vocabulary",
    "PointsmanError": "errors",
    "Request": "vocabulary",
    "Router": "router",
    "SyncRouter": "sync",
}


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'pointsman' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
