"""Scores and acceptance, window after window: by hand, and by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from pointsman.watch import WINDOW, Reference, Windows

THRESHOLDS = tuple(k / 10 for k in range(1, 10))
EVEN = Reference(THRESHOLDS, THRESHOLDS, 0.6, 100_000)
"""Scores spread evenly over 0 to 1, and six of ten requests for cheaper tiers."""


def fill(windows: Windows, scores: Iterable[float], n_accepted: int) -> bool:
    """One window; True when it was full and was compared."""
    told = False
    for place, score in enumerate(scores):
        told = windows.add(float(score), accepted=place < n_accepted)
    return told


def even(shift: float = 0.0) -> list[float]:
    return [min(0.9999, max(0.0, (k + 0.5) / WINDOW + shift)) for k in range(WINDOW)]


def test_a_window_like_the_reference_tells_nothing() -> None:
    windows = Windows(EVEN, level=0.05)
    assert fill(windows, even(), 600)
    assert (windows.n_windows, windows.shifts) == (1, ())


@pytest.mark.parametrize(
    ("k", "n_accepted", "told"), [(1, 655, False), (1, 656, True), (9, 673, False), (9, 674, True)]
)
def test_the_acceptance_that_is_told_by_hand(k: int, n_accepted: int, told: bool) -> None:
    """Chance in window k: the root of log(4 k (k + 1) / 0.05) / 2n for 1,000 and for 100,000 requests together."""
    allowed = sum(math.sqrt(math.log(4 * k * (k + 1) / 0.05) / (2 * n)) for n in (1_000, 100_000))
    assert (n_accepted / 1_000 - 0.6 > allowed) == told
    windows = Windows(EVEN, level=0.05, n_before=k - 1)
    fill(windows, even(), n_accepted)
    found = [shift.what for shift in windows.shifts]
    assert found == (["acceptance"] if told else [])


def test_what_is_told_says_what_was_and_what_is() -> None:
    windows = Windows(EVEN, level=0.05)
    fill(windows, [0.05] * WINDOW, 300)
    scores, acceptance = windows.shifts
    assert scores.what == "scores"
    assert scores.distance == pytest.approx(0.9)
    assert scores.text == "100% of scores are below 0.10, where 10% were"
    assert acceptance.text == "cheaper tiers serve 30% of requests, where they served 60%"
    fill(windows, even(), 600)
    assert windows.shifts == ()


def test_a_small_shift_is_told_to_nobody_however_sure_it_is() -> None:
    certain = Reference(THRESHOLDS, THRESHOLDS, 0.6, 10**9)
    windows = Windows(certain, level=0.999999)
    fill(windows, even(0.04), 640)
    assert windows.shifts == ()


def test_without_a_reference_the_first_two_windows_are_it() -> None:
    windows = Windows(None, level=0.05)
    assert not fill(windows, even(), 600)
    assert fill(windows, even(), 600)
    reference = windows.reference
    assert reference is not None
    assert (reference.n, reference.accepted) == (2 * WINDOW, 0.6)
    assert dict(zip(reference.thresholds, reference.below, strict=True))[0.25] == pytest.approx(0.25)
    assert windows.n_windows == 0
    fill(windows, even(-0.3), 600)
    assert [shift.what for shift in windows.shifts] == ["scores"]


def test_a_policy_without_scores_is_watched_by_its_acceptance() -> None:
    windows = Windows(None, level=0.05)
    for n in range(3 * WINDOW):
        windows.add(None, accepted=n < 2 * WINDOW)
    assert [shift.what for shift in windows.shifts] == ["acceptance"]


def first_told(
    rng: np.random.Generator, scores: Callable[[int], np.ndarray], p_accepted: float, n_windows: int
) -> int | None:
    """The first window of which anything is told, against a reference of 2,000 draws of Beta(2, 1) and 0.6."""
    seen = rng.beta(2, 1, size=2_000)
    below = tuple(float((seen < at).mean()) for at in THRESHOLDS)
    windows = Windows(Reference(THRESHOLDS, below, float((rng.random(2_000) < 0.6).mean()), 2_000), level=0.05)
    for k in range(1, n_windows + 1):
        fill(windows, scores(WINDOW), int(rng.binomial(WINDOW, p_accepted)))
        if windows.shifts:
            return k
    return None


def test_traffic_that_stays_raises_hardly_anything_over_many_windows() -> None:
    rng = np.random.default_rng(3)
    told = [first_told(rng, lambda n: rng.beta(2, 1, size=n), 0.6, 20) for _ in range(20)]
    # 5 % each for scores and acceptance: seven or more of 20 would happen once in 400 times.
    assert sum(each is not None for each in told) < 7


def test_traffic_that_moves_is_told_of() -> None:
    rng = np.random.default_rng(4)
    harder = [first_told(rng, lambda n: rng.beta(2, 2, size=n), 0.6, 3) for _ in range(10)]
    fewer = [first_told(rng, lambda n: rng.beta(2, 1, size=n), 0.4, 3) for _ in range(10)]
    assert harder == fewer == [1] * 10
