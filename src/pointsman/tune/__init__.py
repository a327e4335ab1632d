"""Thresholds with a guarantee: which policy keeps the user's quality limit, shown on held-out prompts."""

from .apply import served
from .cascade import CascadeChoice, CascadePath, choose_cascade
from .cascade_file import CASCADE_KINDS, TunedCascade, holds_cascade, read_cascade, tuned_cascade, write_cascade
from .certify import Certified, certify
from .dial import dial_points
from .limit import QualityLimit
from .policy_file import Promise, RouterName, Sample, TunedPolicy, read_policy, write_policy
from .tune import TuneSettings, tune_threshold

__all__ = [
    "CASCADE_KINDS",
    "CascadeChoice",
    "CascadePath",
    "Certified",
    "Promise",
    "QualityLimit",
    "RouterName",
    "Sample",
    "TuneSettings",
    "TunedCascade",
    "TunedPolicy",
    "certify",
    "choose_cascade",
    "dial_points",
    "holds_cascade",
    "read_cascade",
    "read_policy",
    "served",
    "tune_threshold",
    "tuned_cascade",
    "write_cascade",
    "write_policy",
]
