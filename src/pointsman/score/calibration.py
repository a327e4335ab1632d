"""A rising map from a raw logit to a calibrated one.

One form serves every method: straight lines between knots, carried on beyond the outer ones. Platt scaling (Platt 1999,
"Probabilistic Outputs for Support Vector Machines") is two knots; isotonic regression is many, with flat ends.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Calibration:
    """Logit in, calibrated logit out; never falling."""

    def __init__(self, x: Sequence[float] | NDArray[np.float64], y: Sequence[float] | NDArray[np.float64]) -> None:
        """Takes the knots: x rising strictly, y never falling, at least two, all finite.

        Raises:
            ValueError: the knots are not so.
        """
        self.x = np.asarray(x, dtype=np.float64)
        self.y = np.asarray(y, dtype=np.float64)
        if self.x.ndim != 1 or self.x.shape != self.y.shape or len(self.x) < 2:
            raise ValueError("calibration needs at least two knots, as many x as y")
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise ValueError("calibration knots must be finite")
        if not ((np.diff(self.x) > 0).all() and (np.diff(self.y) >= 0).all()):
            raise ValueError("calibration knots must rise in x and not fall in y")
        self._x: list[float] = self.x.tolist()
        self._y: list[float] = self.y.tolist()
        self._slopes: list[float] = (np.diff(self.y) / np.diff(self.x)).tolist()

    @classmethod
    def platt(cls, slope: float, offset: float) -> Self:
        """slope × logit + offset; the slope is not negative."""
        return cls((0.0, 1.0), (offset, slope + offset))

    def __call__(self, logit: float) -> float:
        """The calibrated logit of one."""
        segment = min(max(bisect_right(self._x, logit) - 1, 0), len(self._slopes) - 1)
        return self._y[segment] + self._slopes[segment] * (logit - self._x[segment])

    def many(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """The calibrated logits of many, of the same shape."""
        segment = np.clip(np.searchsorted(self.x, logits, side="right") - 1, 0, len(self._slopes) - 1)
        return self.y[segment] + np.asarray(self._slopes)[segment] * (logits - self.x[segment])


def sigmoid(logit: float) -> float:
    """1 / (1 + e^−logit), without overflow."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    grown = math.exp(logit)
    return grown / (1.0 + grown)
