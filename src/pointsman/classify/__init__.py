"""A small model as the classifier: asked which tier is enough, within a time limit, and remembered.

Without I/O of its own: what sends the question is passed in (`Asker`).
"""

from .answers import AnswerCache
from .classifier import Asker, Classifier, ClassifierSettings, Told
from .pause import Pause
from .question import PROMPT_VERSION, Question, question
from .reply import read_tier

__all__ = [
    "PROMPT_VERSION",
    "AnswerCache",
    "Asker",
    "Classifier",
    "ClassifierSettings",
    "Pause",
    "Question",
    "Told",
    "question",
    "read_tier",
]
