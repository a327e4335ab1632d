"""The label stage: answers get scores, prompts get their ideal tier and output; unscored is NaN, never 0.

No I/O but the code scorer's subprocess and the review's journal: a judge's questions are made here and its answers read
here, and the caller sends them. Encoders are passed in.
"""

from pointsman.intervals import Share

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
