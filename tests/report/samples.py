"""An evaluation's JSON made by hand, in the shape `pointsman evaluate --json` writes."""

from __future__ import annotations

import copy
from typing import Any

CHEAP, STRONG = "small-1", "large-9"


def _point(level: str, quality: float, cost: float, share: float) -> dict[str, Any]:
    delta = quality - 0.9
    return {
        "level": level,
        "quality": quality,
        "quality_ci": [quality - 0.02, quality + 0.02],
        "quality_delta": delta,
        "quality_delta_ci": [delta - 0.005, delta + 0.005],
        "cost_usd": cost,
        "savings": 1 - cost / 0.004,
        "savings_ci": [1 - cost / 0.004 - 0.02, 1 - cost / 0.004 + 0.02],
        "strong_share": share,
    }


def _line(name: str, quality: float, cost: float, share: float, **more: Any) -> dict[str, Any]:
    point = _point("given", quality, cost, share)
    del point["level"]
    return {
        "name": name,
        "kind": "control",
        **point,
        "apgr": None,
        "apgr_ci": None,
        "cpt": {"50": None, "80": None, "95": None},
        "savings_at": {"parity": None, "0.99": None, "0.98": None, "0.95": None},
        "arena_score": 0.5,
        **more,
    }


_SAMPLE: dict[str, Any] = {
    "n": 1200,
    "models": [CHEAP, STRONG],
    "data_hash": "c0ffee" * 10,
    "seed": 7,
    "policies": [
        _line(
            "threshold",
            0.893,
            0.0015,
            0.38,
            kind="threshold",
            operating_point="0.99",
            apgr=0.712,
            apgr_ci=[0.68, 0.744],
            savings_at={"parity": 0.21, "0.99": 0.66, "0.98": 0.74, "0.95": None},
            operating_points=[_point("0.99", 0.893, 0.0015, 0.38), _point("parity", 0.9, 0.003, 0.74)],
            cost_parts={"calls_usd": 0.0015, "router_usd": 0.0, "judge_usd": 0.0},
        )
    ],
    "controls": [
        _line(f"always:{CHEAP}", 0.8, 0.0002, 0.0),
        _line(f"always:{STRONG}", 0.9, 0.004, 1.0),
        _line("random at the same cost", 0.834, 0.0015, 0.38, apgr=0.5),
        _line("shuffled", 0.838, 0.0015, 0.38, p_value=0.0005),
        _line("shuffled within dataset", 0.84, 0.0015, 0.38, quality_ci=None, savings_ci=None, p_value=0.002),
        _line("task mean", 0.86, 0.0021, 0.5, apgr=0.6),
        _line("oracle", 0.94, 0.0008, 0.14),
    ],
    "curve": [[0.0002, 0.8], [0.0008, 0.86], [0.0015, 0.894], [0.003, 0.901], [0.004, 0.9]],
    "verdict": {
        "routing_helps": True,
        "policy": "threshold",
        "saves": 0.625,
        "quality_delta_ci": [-0.012, -0.002],
        "reason": "Routing helps: threshold saves 62 % of the cost of always large-9.",
        "operating_point": "0.99",
    },
    "n_groups": 1190,
    "n_left_out": 34,
    "n_resamples": 2000,
    "curve_axis": "cost_usd",
    "per_dataset": [
        {
            "dataset": name,
            "n": n,
            "models": {CHEAP: {"quality": cheap, "cost_usd": 0.0002}, STRONG: {"quality": strong, "cost_usd": 0.004}},
            "policy": {
                "quality": quality,
                "cost_usd": 0.0015,
                "savings": 0.625,
                "strong_share": 0.4,
                "quality_delta": quality - strong,
                "quality_delta_ci": [quality - strong - 0.01, quality - strong + 0.01],
            },
        }
        for name, n, cheap, quality, strong in (("faq", 700, 0.91, 0.92, 0.92), ("contracts", 500, 0.65, 0.85, 0.88))
    ],
    "calibration": [
        {
            "model": CHEAP,
            "bins": 15,
            "ece_equal_width": 0.02,
            "ece_equal_mass": 0.021,
            "auc": 0.71,
            "diagram": [{"p": 0.4, "score": 0.44, "n": 600}, {"p": 0.95, "score": 0.93, "n": 600}],
        }
    ],
    "agreement": {
        "accuracy": 0.61,
        "per_model": [
            {"model": CHEAP, "precision": 0.9, "recall": 0.6, "n_ideal": 1000},
            {"model": STRONG, "precision": 0.2, "recall": 0.7, "n_ideal": 200},
        ],
    },
    "warnings": ["34 prompts lack the score of some model and are left out."],
}


def sample(**changes: Any) -> dict[str, Any]:
    """A copy of the sample, with top-level fields replaced; a field set to `...` is left out."""
    out = copy.deepcopy(_SAMPLE)
    for name, value in changes.items():
        if value is ...:
            del out[name]
        else:
            out[name] = value
    return out
