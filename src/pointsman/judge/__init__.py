"""The judge stage: what an answer is worth, from what can be read off it for nothing up to an LLM judge.

numpy only, no I/O: what was learned is passed in, and so is whatever asks a model.
"""

from .agreement import agreement, agreement_matrix
from .checks import FAULTS, Asked, Fault, Given, faults
from .free_judge import FreeJudge
from .judges import Errs, Judge, Judgement, JudgePrice, SimulatedJudge, judging_prompt, read_judgement
from .scorer import AnswerScorer, Scored
from .served import PLAIN, plain_fault
from .signals import SIGNAL_VERSION, SIGNALS, answer_signals, read_signals
from .tokens import TOKEN_SIGNALS, TOKEN_VERSION, TokenReading, read_confidences, read_logprobs, token_signals
from .trained_judge import TrainedJudge

__all__ = [
    "FAULTS",
    "PLAIN",
    "SIGNALS",
    "SIGNAL_VERSION",
    "TOKEN_SIGNALS",
    "TOKEN_VERSION",
    "AnswerScorer",
    "Asked",
    "Errs",
    "Fault",
    "FreeJudge",
    "Given",
    "Judge",
    "JudgePrice",
    "Judgement",
    "Scored",
    "SimulatedJudge",
    "TokenReading",
    "TrainedJudge",
    "agreement",
    "agreement_matrix",
    "answer_signals",
    "faults",
    "judging_prompt",
    "plain_fault",
    "read_confidences",
    "read_judgement",
    "read_logprobs",
    "read_signals",
    "token_signals",
]
