"""Configuration: `pointsman.yaml` in, checked `Settings` out."""

from . import reference
from .explain import Explained, explain, used_variables, written_secrets
from .load import RuleCheck, find_file, load, loads
from .loaded import LoadedSettings
from .schema import json_schema
from .settings import (
    AskedJudgeSettings,
    CascadePolicy,
    CascadeRoutingPolicy,
    CascadeSettings,
    FixedPolicy,
    LlmClassifierPolicy,
    ModelSettings,
    PolicySettings,
    RandomPolicy,
    RuleSettings,
    RulesFile,
    RulesPolicy,
    Settings,
    ThresholdPolicy,
    TierSettings,
)
from .values import mask_url

__all__ = [
    "AskedJudgeSettings",
    "CascadePolicy",
    "CascadeRoutingPolicy",
    "CascadeSettings",
    "Explained",
    "FixedPolicy",
    "LlmClassifierPolicy",
    "LoadedSettings",
    "ModelSettings",
    "PolicySettings",
    "RandomPolicy",
    "RuleCheck",
    "RuleSettings",
    "RulesFile",
    "RulesPolicy",
    "Settings",
    "ThresholdPolicy",
    "TierSettings",
    "explain",
    "find_file",
    "json_schema",
    "load",
    "loads",
    "mask_url",
    "reference",
    "used_variables",
    "written_secrets",
]
