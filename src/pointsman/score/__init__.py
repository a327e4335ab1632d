"""Scoring: features and an embedding give P(the cheap tier's answer is good enough), with an explanation.

A router artifact is read by `load` and written by `save`; `CompositeScorer` joins it with what it needs.
"""

from __future__ import annotations

from .artifact import BUILTIN, load, save
from .calibration import Calibration
from .card import ArtifactCard
from .composite import CompositeScorer
from .logistic import LogisticRouter
from .trained_prompts import prompt_hash, prompt_hashes, seen

__all__ = [
    "BUILTIN",
    "ArtifactCard",
    "Calibration",
    "CompositeScorer",
    "LogisticRouter",
    "load",
    "prompt_hash",
    "prompt_hashes",
    "save",
    "seen",
]
