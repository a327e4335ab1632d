"""Thresholds with a guarantee: which policy keeps the user's quality limit, shown on held-out prompts."""

from .apply import served
from .certify import Certified, certify
from .dial import dial_points
from .limit import QualityLimit
from .policy_file import RouterName, TunedPolicy, read_policy, write_policy
from .tune import TuneSettings, tune_threshold

__all__ = [
    "Certified",
    "QualityLimit",
    "RouterName",
    "TuneSettings",
    "TunedPolicy",
    "certify",
    "dial_points",
    "read_policy",
    "served",
    "tune_threshold",
    "write_policy",
]
