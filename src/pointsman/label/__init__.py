"""The label stage: answers get scores, prompts get their ideal tier and output; unscored is NaN, never 0.

No I/O but the code scorer's subprocess and the review's journal: a judge's questions are made here and its answers read
here, and the caller sends them. Encoders are passed in.

Each module is loaded on first use: a gateway needs the judge, and not what scores code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pointsman.intervals import Share

if TYPE_CHECKING:
    from .code_runs import CodeLimits, CodeRun, run_code, score_code
    from .ideal import NO_GOOD_ANSWER, Ideal, ideal_of
    from .judge import JudgeReply, JudgeReport, Pairwise, Question, Rubric
    from .review import Review, ReviewItem
    from .select import knn_p_cheap, select_active, select_random
    from .similarity import score_similarity
    from .structured import JsonScorer
    from .tasks import AnswerScorer, Task, references_of
    from .textual import ContainsScorer, ExactScorer, NumericScorer, RegexScorer

__all__ = [
    "NO_GOOD_ANSWER",
    "AnswerScorer",
    "CodeLimits",
    "CodeRun",
    "ContainsScorer",
    "ExactScorer",
    "Ideal",
    "JsonScorer",
    "JudgeReply",
    "JudgeReport",
    "NumericScorer",
    "Pairwise",
    "Question",
    "RegexScorer",
    "Review",
    "ReviewItem",
    "Rubric",
    "Share",
    "Task",
    "ideal_of",
    "knn_p_cheap",
    "references_of",
    "run_code",
    "score_code",
    "score_similarity",
    "select_active",
    "select_random",
]

_HOME = {
    "CodeLimits": "code_runs",
    "CodeRun": "code_runs",
    "run_code": "code_runs",
    "score_code": "code_runs",
    "Ideal": "ideal",
    "NO_GOOD_ANSWER": "ideal",
    "ideal_of": "ideal",
    "JudgeReply": "judge",
    "JudgeReport": "judge",
    "Pairwise": "judge",
    "Question": "judge",
    "Rubric": "judge",
    "Review": "review",
    "ReviewItem": "review",
    "knn_p_cheap": "select",
    "select_active": "select",
    "select_random": "select",
    "score_similarity": "similarity",
    "JsonScorer": "structured",
    "AnswerScorer": "tasks",
    "Task": "tasks",
    "references_of": "tasks",
    "ContainsScorer": "textual",
    "ExactScorer": "textual",
    "NumericScorer": "textual",
    "RegexScorer": "textual",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
