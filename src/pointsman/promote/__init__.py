"""Gate and promotion: a worse router is stopped, a better one becomes `latest` in one step that can be undone."""

from .changes import Change
from .gate import Check, GateResult, GateSettings, Side, gate
from .paired_difference import PairedDifference
from .pointer import Promotion
from .store import Store, artifact_at

__all__ = [
    "Change",
    "Check",
    "GateResult",
    "GateSettings",
    "PairedDifference",
    "Promotion",
    "Side",
    "Store",
    "artifact_at",
    "gate",
]
