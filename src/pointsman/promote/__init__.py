"""Gate and promotion: a worse router is stopped, a better one becomes `latest` in one step that can be undone."""

from .changes import Change
from .checks import Check, GateSettings
from .gate import GateResult, Side, gate
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
