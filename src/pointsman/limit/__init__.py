"""Rates, concurrency and budgets of keys: pure bookkeeping, with the clocks as arguments.

`MemoryLimits` is the `Limits` of one process; a store that replicas share can take its place.
"""

from .bucket import TokenBucket
from .budget import Purse
from .failures import FailureLimit
from .limits import MemoryLimits
from .most import most_usage
from .terms import merged
from .window import Window, window_end, window_start

__all__ = [
    "FailureLimit",
    "MemoryLimits",
    "Purse",
    "TokenBucket",
    "Window",
    "merged",
    "most_usage",
    "window_end",
    "window_start",
]
