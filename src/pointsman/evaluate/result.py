"""The result of an evaluation, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from pointsman.vocabulary import JSONObject

from .agreement import Agreement
from .calibration import Calibration

Interval: TypeAlias = tuple[float, float]

LEVELS: dict[str, float] = {"parity": 1.0, "0.99": 0.99, "0.98": 0.98, "0.95": 0.95}
RECOVERED: dict[str, float] = {"50": 0.5, "80": 0.8, "95": 0.95}


@dataclass(frozen=True, slots=True)
class Line:
    """One policy or control at one operating point; what is not known or not defined is None."""

    name: str
    kind: str
    quality: float
    """Mean score, 0 to 1."""
    quality_ci: Interval | None
    cost_usd: float | None
    """Mean USD per request, router and judge included."""
    savings: float | None
    """Share of the strong model's cost that is not spent."""
    savings_ci: Interval | None
    strong_share: float
    """Share of requests that the strong model serves."""
    apgr: float | None = None
    apgr_ci: Interval | None = None
    cpt: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(RECOVERED))
    savings_at: Mapping[str, float | None] = field(default_factory=lambda: dict.fromkeys(LEVELS))
    """Read from the curve on the same prompts, as the field does: optimistic."""
    quality_delta: float | None = None
    """Quality minus the strong model's."""
    quality_delta_ci: Interval | None = None
    arena_score: float | None = None
    extra: JSONObject = field(default_factory=dict)

    def to_json(self) -> JSONObject:
        """The line as plain JSON types; numbers that are not finite are null."""
        out: JSONObject = plain(
            {
                "name": self.name,
                "kind": self.kind,
                "quality": self.quality,
                "quality_ci": self.quality_ci,
                "cost_usd": self.cost_usd,
                "savings": self.savings,
                "savings_ci": self.savings_ci,
                "strong_share": self.strong_share,
                "apgr": self.apgr,
                "apgr_ci": self.apgr_ci,
                "cpt": dict(self.cpt),
                "savings_at": dict(self.savings_at),
                "quality_delta": self.quality_delta,
                "quality_delta_ci": self.quality_delta_ci,
                "arena_score": self.arena_score,
                **self.extra,
            }
        )
        return out


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether routing helps on these data, in one sentence with its reason."""

    routing_helps: bool
    policy: str
    """A policy's name, or "always:<model>"."""
    saves: float | None
    """Share of the strong model's cost; None without prices."""
    quality_delta_ci: Interval | None
    """95 % interval of the quality lost (below 0) or gained against the strong model, in score points."""
    reason: str
    operating_point: str | None = None

    def to_json(self) -> JSONObject:
        """The verdict as plain JSON types."""
        out: JSONObject = plain(
            {
                "routing_helps": self.routing_helps,
                "policy": self.policy,
                "saves": self.saves,
                "quality_delta_ci": self.quality_delta_ci,
                "reason": self.reason,
                "operating_point": self.operating_point,
            }
        )
        return out


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured on one data set. `policies` and `controls` are lines of the same fields."""

    n: int
    """Prompts measured: those every model has a score on."""
    n_groups: int
    n_left_out: int
    models: tuple[str, ...]
    data_hash: str
    seed: int
    n_resamples: int
    priced: bool
    policies: tuple[Line, ...]
    controls: tuple[Line, ...]
    curve: tuple[tuple[float, float], ...]
    """Mean cost (share of strong calls without prices) and quality of the first policy, by rising cost."""
    verdict: Verdict
    per_dataset: tuple[JSONObject, ...]
    calibration: tuple[Calibration, ...]
    agreement: Agreement | None
    warnings: tuple[str, ...]

    def to_json(self) -> JSONObject:
        """The evaluation as plain JSON types, in the documented shape and more fields."""
        return {
            "n": self.n,
            "models": list(self.models),
            "data_hash": self.data_hash,
            "seed": self.seed,
            "policies": [line.to_json() for line in self.policies],
            "controls": [line.to_json() for line in self.controls],
            "curve": plain([list(point) for point in self.curve]),
            "verdict": self.verdict.to_json(),
            "n_groups": self.n_groups,
            "n_left_out": self.n_left_out,
            "n_resamples": self.n_resamples,
            "curve_axis": "cost_usd" if self.priced else "strong_share",
            "per_dataset": plain(list(self.per_dataset)),
            "calibration": [plain(each.to_json()) for each in self.calibration],
            "agreement": None if self.agreement is None else plain(self.agreement.to_json()),
            "warnings": list(self.warnings),
        }


def plain(value: Any) -> Any:
    """The value with tuples as lists and numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
