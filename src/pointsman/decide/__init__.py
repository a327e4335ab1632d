"""Turns scores, rules, prices and the dial into a decision that can explain itself."""

from .cascades import CascadePolicy, with_plan
from .estimate import expected_output_tokens, expected_usage
from .explain import explain
from .in_time import in_time
from .planned import PlannedCascade, PlannedCourse
from .policies import (
    Choice,
    FixedPolicy,
    LlmClassifierPolicy,
    Policy,
    RandomPolicy,
    RulesPolicy,
    Situation,
    ThresholdPolicy,
    p_good_by_tier,
)

__all__ = [
    "CascadePolicy",
    "Choice",
    "FixedPolicy",
    "LlmClassifierPolicy",
    "PlannedCascade",
    "PlannedCourse",
    "Policy",
    "RandomPolicy",
    "RulesPolicy",
    "Situation",
    "ThresholdPolicy",
    "expected_output_tokens",
    "expected_usage",
    "explain",
    "in_time",
    "p_good_by_tier",
    "with_plan",
]
