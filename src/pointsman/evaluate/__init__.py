"""Whether routing helps on recorded outcomes, how much it saves at which quality, and how sure that is."""

from .beside_direct import BesideDirect, beside_direct, break_even_error, with_direct
from .calibration import Calibration, calibration
from .evaluate import evaluate
from .policies import DecidedPolicy, Policy, ScoredPolicy
from .recorded import RecordedDecision, recorded_decisions
from .result import LEVELS, RECOVERED, Evaluation, Line, Verdict

__all__ = [
    "LEVELS",
    "RECOVERED",
    "BesideDirect",
    "Calibration",
    "DecidedPolicy",
    "Evaluation",
    "Line",
    "Policy",
    "RecordedDecision",
    "ScoredPolicy",
    "Verdict",
    "beside_direct",
    "break_even_error",
    "calibration",
    "evaluate",
    "recorded_decisions",
    "with_direct",
]
