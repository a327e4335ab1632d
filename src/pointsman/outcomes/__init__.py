"""Outcomes: what models scored and cost on prompts, read from files, checked row by row, split and kept."""

from .costs import TokenPrice
from .division import Contamination, complete, contamination, fold_of, folds, split, take, without
from .eval_set import EvalSet, EvalSetCard, read_eval_set, triples_of, write_eval_set
from .findings import Findings
from .importers import FORMATS, Imported, import_files, import_ledger
from .prompts import cheap_to_strong, prompts_of, shared_prompts
from .read import read

__all__ = [
    "FORMATS",
    "Contamination",
    "EvalSet",
    "EvalSetCard",
    "Findings",
    "Imported",
    "TokenPrice",
    "cheap_to_strong",
    "complete",
    "contamination",
    "fold_of",
    "folds",
    "import_files",
    "import_ledger",
    "prompts_of",
    "read",
    "read_eval_set",
    "shared_prompts",
    "split",
    "take",
    "triples_of",
    "without",
    "write_eval_set",
]
