"""Calibration of values on predictions for prompts that were held out: a logistic curve, bent to the data by isotonic
means (Platt 1999, "Probabilistic Outputs for Support Vector Machines"; Zadrozny and Elkan 2002, "Transforming
Classifier Scores into Accurate Multiclass Probability Estimates").
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize

Doubles = NDArray[np.float64]

_RIDGE: Final = 1e-3
_MAX_LOGIT: Final = 8.0
N_PARTS: Final = 16
N_KNOTS: Final = N_PARTS + 2
_HAIR: Final = 1e-5
"""Single precision tells values below 16 apart at this distance."""
_HAIR_P: Final = 1e-4
"""So much a probability moves from end to end even where nothing was learned."""
_ALIKE: Final = 1e-9
_REACH: Final = 0.25
"""Values further out than this share of their range beyond those seen all get the same probability."""
_MIN_SHARE: Final = 0.01
_CURVE_PROMPTS: Final = 30.0
"""How many prompts at each knot the logistic curve is worth."""


def platt(values: Doubles, outcomes: Doubles, *, sign: float = 1.0) -> tuple[float, float]:
    """(slope, intercept) of the logistic function that fits outcomes in [0, 1] best; sign × slope is never below 0.

    Outcomes are smoothed as Platt does: by one pseudo-outcome of each kind, so that a target which was always met still
    gets a finite logit. A value that says nothing gives slope 0 and the base rate.

    Args:
        values: shape (n,), n ≥ 1.
        outcomes: shape (n,); a fraction counts as that share of a success.
        sign: 1 when a higher value means more success, −1 when less.
    """
    n = len(values)
    smoothed = (outcomes * n + 0.5) / (n + 1)
    base = float(np.clip((outcomes.sum() + 1) / (n + 2), 1e-6, 1 - 1e-6))
    base_logit = float(np.log(base / (1 - base)))
    spread = float(values.std())
    if spread < 1e-9:
        return 0.0, float(np.clip(base_logit, -_MAX_LOGIT, _MAX_LOGIT))
    mean = float(values.mean())
    z = sign * (values - mean) / spread

    def loss(parameters: Doubles) -> tuple[float, Doubles]:
        logits = parameters[0] * z + parameters[1]
        p = 1 / (1 + np.exp(-logits))
        value = float(np.mean(np.logaddexp(0, logits) - smoothed * logits)) + _RIDGE * parameters[0] ** 2 / 2
        residual = p - smoothed
        return value, np.array([np.mean(residual * z) + _RIDGE * parameters[0], np.mean(residual)])

    found = minimize(
        loss, np.array([0.5, base_logit]), jac=True, method="L-BFGS-B", bounds=[(0, 50), (-_MAX_LOGIT, _MAX_LOGIT)]
    )
    slope = sign * float(found.x[0]) / spread
    return slope, float(found.x[1]) - slope * mean


def calibration_line(
    values: Doubles, outcomes: Doubles, *, is_pair: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Values that rise, and P(success) at them: the mean outcome around each, drawn towards a logistic curve.

    Args:
        values: shape (n,), n ≥ 1: expected scores, or for a pair expected gains, which speak against the cheap model.
        outcomes: shape (n,), from 0 to 1.
        is_pair: which of the two.
    """
    sign = -1.0 if is_pair else 1.0
    slope, intercept = platt(evidence(values, is_pair=is_pair), outcomes, sign=sign)
    order = np.argsort(values, kind="stable")
    parts = np.array_split(order, min(N_PARTS, len(order)))
    knots = np.array([values[part].mean() for part in parts])
    counts = np.array([len(part) for part in parts], dtype=np.float64)
    means = np.array([outcomes[part].mean() for part in parts])
    curve = 1 / (1 + np.exp(-(slope * evidence(knots, is_pair=is_pair) + intercept)))
    drawn = (counts * means + _CURVE_PROMPTS * curve) / (counts + _CURVE_PROMPTS)
    p = isotonic_regression(drawn, weights=counts, increasing=not is_pair).x
    return spread_out(*_rising(values, knots, p, counts, slope, is_pair=is_pair))


def _rising(
    values: Doubles, knots: Doubles, p: Doubles, counts: Doubles, slope: float, *, is_pair: bool
) -> tuple[Doubles, Doubles]:
    """Knots and P without level stretches, so that prompts of different values seldom get the same probability.

    Neighbours that isotonic regression made alike become one knot at their centre (centred isotonic regression: Oron
    and Flournoy 2017, "Centered Isotonic Regression: Point and Interval Estimation for Dose-Response Studies"); beyond
    the outer knots the line goes on as the logistic curve does.
    """
    block = np.concatenate(([0], np.cumsum(np.abs(np.diff(p)) > _ALIKE)))
    weights = np.bincount(block, weights=counts)
    centres = np.bincount(block, weights=counts * knots) / weights
    levels = np.bincount(block, weights=counts * p) / weights
    reach = _REACH * max(float(values.max() - values.min()), _HAIR)
    ends = np.array([values.min() - reach, values.max() + reach])
    inner = np.clip(levels[[0, -1]], _MIN_SHARE / 10, 1 - _MIN_SHARE / 10)
    steps = slope * (evidence(ends, is_pair=is_pair) - evidence(centres[[0, -1]], is_pair=is_pair))
    beyond = 1 / (1 + np.exp(-(np.log(inner / (1 - inner)) + steps)))
    at = np.concatenate((ends[:1], centres, ends[1:]))
    line = np.concatenate((beyond[:1], levels, beyond[1:]))
    falling = -1.0 if is_pair else 1.0
    line = falling * np.maximum.accumulate(falling * line)
    return at, line + falling * _HAIR_P * np.linspace(-1, 1, len(line))


def spread_out(knots: Doubles, p: Doubles) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`N_KNOTS` knots that rise strictly, equal ones moved apart by a hair."""
    at = np.interp(np.linspace(0, 1, N_KNOTS), np.linspace(0, 1, len(knots)), knots) if len(knots) > 1 else knots[[0]]
    there = np.interp(np.linspace(0, 1, N_KNOTS), np.linspace(0, 1, len(p)), p) if len(p) > 1 else p[[0]]
    if len(at) == 1:
        at, there = np.repeat(at, N_KNOTS), np.repeat(there, N_KNOTS)
    rising = np.maximum.accumulate(at) + _HAIR * np.arange(N_KNOTS)
    return rising.astype(np.float32), np.clip(there, 0, 1).astype(np.float32)


def evidence(values: Doubles, *, is_pair: bool) -> Doubles:
    """Values as logits: of a score from 0 to 1, or of a gain moved from −1..1 to 0..1; cut where a line overshoots."""
    shares = np.clip((1 + values) / 2 if is_pair else values, _MIN_SHARE, 1 - _MIN_SHARE)
    return np.asarray(np.log(shares / (1 - shares)))
