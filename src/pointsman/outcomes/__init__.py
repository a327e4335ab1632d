"""Outcomes: what models scored and cost on prompts, read from files, checked row by row, split and kept."""

from .costs import TokenPrice
from .division import Contamination, complete, contamination, fold_of, folds, split, take, without
from .findings import Findings
from .read import read

__all__ = [
    "Contamination",
    "Findings",
    "TokenPrice",
    "complete",
    "contamination",
    "fold_of",
    "folds",
    "read",
    "split",
    "take",
    "without",
]
