"""Logistic calibration of raw values (Platt 1999), on predictions for prompts that were held out."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Doubles = NDArray[np.float64]

_RIDGE: Final = 1e-3
_MAX_LOGIT: Final = 8.0


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
