"""Rates, concurrency and budgets of keys: pure bookkeeping, with the clocks as arguments.

`MemoryLimits` is the `Limits` of one process; a store that replicas share can take its place.
"""

from .asked import checked_name, expiry
from .bucket import TokenBucket
from .budget import Purse
from .day_cap import DayCap
from .failures import FailureLimit
from .limits import MemoryLimits, too_many_a_minute, too_many_at_once
from .most import INPUT_MARGIN, most_usage
from .terms import merged
from .window import Window, window_end, window_start

__all__ = [
    "INPUT_MARGIN",
    "DayCap",
    "FailureLimit",
    "MemoryLimits",
    "Purse",
    "TokenBucket",
    "Window",
    "checked_name",
    "expiry",
    "merged",
    "most_usage",
    "too_many_a_minute",
    "too_many_at_once",
    "window_end",
    "window_start",
]
