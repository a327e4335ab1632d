"""Does "80 % good" mean good in 80 % of cases? The expected calibration error, in two binnings, and the diagram."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointsman.vocabulary import JSONObject

from .paired import Float

N_BINS = 15


@dataclass(frozen=True, slots=True)
class Calibration:
    """How well P(good enough) of one model agrees with how often it was."""

    model: str
    ece_equal_width: float
    """Bins of equal width in P (Guo et al. 2017, arXiv 1706.04599, equation 3)."""
    ece_equal_mass: float
    """Bins with equally many prompts (the adaptive binning of Nixon et al. 2019, arXiv 1904.01685)."""
    auc: float | None
    """Chance that a well answered prompt has the higher P of two, ties half; None when all are alike."""
    diagram: tuple[tuple[float, float, int], ...]
    """Equal-mass bins: mean P, mean outcome, prompts."""

    def to_json(self) -> JSONObject:
        """The measures as plain JSON types."""
        return {
            "model": self.model,
            "bins": N_BINS,
            "ece_equal_width": self.ece_equal_width,
            "ece_equal_mass": self.ece_equal_mass,
            "auc": self.auc,
            "diagram": [{"p": p, "score": score, "n": n} for p, score, n in self.diagram],
        }


def calibration(model: str, p_good: Float, score: Float) -> Calibration:
    """The calibration of one model's P against outcomes from 0 to 1, both of shape (n,)."""
    width_bin = np.minimum((p_good * N_BINS).astype(np.int64), N_BINS - 1)
    rank = np.argsort(np.argsort(p_good, kind="stable"), kind="stable")
    mass_bin = rank * N_BINS // p_good.size
    mass = _bins(mass_bin, p_good, score)
    return Calibration(
        model=model,
        ece_equal_width=_ece(_bins(width_bin, p_good, score)),
        ece_equal_mass=_ece(mass),
        auc=auc(p_good, score >= 0.5),
        diagram=tuple((p, s, int(n)) for p, s, n in mass),
    )


def auc(p: Float, good: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    """The area under the ROC curve by ranks (Mann and Whitney), ties half; None when all are good or none is."""
    n_good = int(good.sum())
    n_bad = good.size - n_good
    if n_good == 0 or n_bad == 0:
        return None
    _, place, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place.reshape(-1)]
    return float((ranks[good].sum() - n_good * (n_good + 1) / 2) / (n_good * n_bad))


def _bins(of: np.ndarray[tuple[int], np.dtype[np.int64]], p: Float, score: Float) -> list[tuple[float, float, float]]:
    counts = np.bincount(of, minlength=N_BINS)
    p_sums = np.bincount(of, weights=p, minlength=N_BINS)
    s_sums = np.bincount(of, weights=score, minlength=N_BINS)
    return [
        (float(p_sums[b] / counts[b]), float(s_sums[b] / counts[b]), float(counts[b])) for b in np.flatnonzero(counts)
    ]


def _ece(bins: list[tuple[float, float, float]]) -> float:
    total = sum(n for _, _, n in bins)
    return float(sum(n * abs(p - score) for p, score, n in bins) / total)
