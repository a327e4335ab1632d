"""Training: from outcomes to a router that serves with numpy alone."""

from .answer_inputs import AnswerInputs, AnswerReaders, answer_texts
from .answers import ANSWER_COMPONENTS, AnswerLearner, HeldOutAnswers, predicted
from .curve import CurvePoint, drawn, learning_curve
from .folds import gain_strata, group_folds, strata_of
from .inputs import Inputs, Reader
from .learner import RouterLearner
from .out_of_fold import OutOfFold, out_of_fold
from .perturb import PERTURBATIONS
from .placing import place_new_model, place_new_pair
from .planner import RATES, Planner, filled
from .robustness import FlipShare, decision_flip_share

__all__ = [
    "ANSWER_COMPONENTS",
    "PERTURBATIONS",
    "RATES",
    "AnswerInputs",
    "AnswerLearner",
    "AnswerReaders",
    "CurvePoint",
    "FlipShare",
    "HeldOutAnswers",
    "Inputs",
    "OutOfFold",
    "Planner",
    "Reader",
    "RouterLearner",
    "answer_texts",
    "decision_flip_share",
    "drawn",
    "filled",
    "gain_strata",
    "group_folds",
    "learning_curve",
    "out_of_fold",
    "place_new_model",
    "place_new_pair",
    "predicted",
    "strata_of",
]
