"""Training: from outcomes to a router that serves with numpy alone."""

from .curve import CurvePoint, drawn, learning_curve
from .folds import group_folds, strata_of
from .inputs import Inputs, Reader
from .learner import RouterLearner
from .out_of_fold import OutOfFold, out_of_fold
from .perturb import PERTURBATIONS
from .placing import place_new_model, place_new_pair
from .robustness import FlipShare, decision_flip_share
from .selected import selected

__all__ = [
    "PERTURBATIONS",
    "CurvePoint",
    "FlipShare",
    "Inputs",
    "OutOfFold",
    "Reader",
    "RouterLearner",
    "decision_flip_share",
    "drawn",
    "group_folds",
    "learning_curve",
    "out_of_fold",
    "place_new_model",
    "place_new_pair",
    "selected",
    "strata_of",
]
