"""Whether routing helps on recorded outcomes, how much it saves at which quality, and how sure that is."""

from .calibration import Calibration, calibration
from .evaluate import evaluate
from .policies import DecidedPolicy, Policy, ScoredPolicy
from .recorded import RecordedDecision, recorded_decisions
from .result import LEVELS, RECOVERED, Evaluation, Line, Verdict

__all__ = [
    "LEVELS",
    "RECOVERED",
    "Calibration",
    "DecidedPolicy",
    "Evaluation",
    "Line",
    "Policy",
    "RecordedDecision",
    "ScoredPolicy",
    "Verdict",
    "calibration",
    "evaluate",
    "recorded_decisions",
]
