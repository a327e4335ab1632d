"""The collect stage: runs prompts through models, pays for each call once, and gives outcomes without scores.

No HTTP, configuration or wire format here: the transport, how an answer is read and what it costs are passed in.
"""

from .budget import Budget
from .calls import Done, PlannedCall, Reading
from .estimate import CostEstimate, estimate
from .journal import Journal, Past
from .retry import RetryPolicy
from .rows import outcome_rows
from .run import Progress, Stopped, Summary, collect

__all__ = [
    "Budget",
    "CostEstimate",
    "Done",
    "Journal",
    "Past",
    "PlannedCall",
    "Progress",
    "Reading",
    "RetryPolicy",
    "Stopped",
    "Summary",
    "collect",
    "estimate",
    "outcome_rows",
]
