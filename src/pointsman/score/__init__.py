"""Scoring: features and an embedding give P(the cheap tier's answer is good enough), with an explanation.

A router artifact is read by `load` and written by `save`; `CompositeScorer` joins it with what it needs.
"""

from __future__ import annotations

from .artifact import BUILTIN, CARD_FILE, AnswerReadings, load, read_card, save
from .card import ArtifactCard
from .composite import CompositeScorer
from .learned_router import LearnedRouter, TierScores
from .trained_prompts import prompt_hash, prompt_hashes, seen

__all__ = [
    "BUILTIN",
    "CARD_FILE",
    "AnswerReadings",
    "ArtifactCard",
    "CompositeScorer",
    "LearnedRouter",
    "TierScores",
    "load",
    "prompt_hash",
    "prompt_hashes",
    "read_card",
    "save",
    "seen",
]
