"""How often a kept promise raises the alarm, and how soon a broken one does: `python -m benchmarks.watch_simulation`.

Takes about five minutes of one core. The figures stand in docs/design/shadow.md and docs/log.md.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pointsman.watch import WINDOW, LossBound, Reference, Windows

SEED = 20261125
LEVEL = 0.05
NEVER = 99_999
THRESHOLDS = tuple(k / 20 for k in range(1, 20))


def alarm_at(losses: NDArray[np.int64], limit: float, *, every: int) -> int:
    """After how many comparisons the alarm comes, looking after every so many."""
    bound = LossBound(LEVEL)
    for n, loss in enumerate(losses, start=1):
        bound.add(int(loss))
        if n % every == 0 and bound.is_above(limit):
            return n
    return NEVER


def drawn(rng: np.random.Generator, p_worse: float, p_better: float, n: int) -> NDArray[np.int64]:
    """Losses: 1 where the strong answer is better, -1 where the served one is."""
    return rng.choice([-1, 0, 1], size=n, p=[p_better, 1.0 - p_worse - p_better, p_worse]).astype(np.int64)


def false_alarms(rng: np.random.Generator) -> None:
    """Runs of 4,000 comparisons at the limit itself, looked at 400 times each."""
    for p_worse, p_better in ((0.2, 0.16), (0.06, 0.02), (0.45, 0.41)):
        limit = p_worse - p_better
        n = sum(alarm_at(drawn(rng, p_worse, p_better, 4_000), limit, every=10) < NEVER for _ in range(400))
        print(f"strong better {p_worse:.0%}, worse {p_better:.0%}, limit {limit:.0%}: {n} of 400 runs ever alarmed")


def detection(rng: np.random.Generator) -> None:
    """Comparisons until the alarm when the loss is above the limit from the start."""
    for p_worse, p_better, limit in (
        (0.2, 0.1, 0.02),
        (0.2, 0.15, 0.02),
        (0.3, 0.1, 0.02),
        (0.1, 0.02, 0.02),
        (0.2, 0.1, 0.0125),
    ):
        found = [alarm_at(drawn(rng, p_worse, p_better, 8_000), limit, every=5) for _ in range(100)]
        print(
            f"strong better {p_worse:.0%}, worse {p_better:.0%}, limit {limit:.2%}: alarm after {np.median(found):.0f} "
            f"(median), {np.quantile(found, 0.9):.0f} (nine of ten); {found.count(NEVER)} of 100 not within 8,000"
        )


def late(rng: np.random.Generator) -> None:
    """Comparisons until the alarm when the loss begins after a good time."""
    for n_good in (500, 2_000, 5_000):
        found = [
            alarm_at(np.concatenate([drawn(rng, 0.16, 0.16, n_good), drawn(rng, 0.3, 0.1, 6_000)]), 0.02, every=5)
            for _ in range(50)
        ]
        print(f"no loss for {n_good:,}, then 20 %, limit 2 %: alarm {np.median(found) - n_good:.0f} later (median)")


def windows(rng: np.random.Generator) -> None:
    """Scores of Beta(2, 1), six of ten accepted, against a reference of 2,000; then other ones."""

    def first_told(scores: Callable[[int], NDArray[np.float64]], p_accepted: float, n_windows: int) -> int:
        seen = rng.beta(2, 1, size=2_000)
        below = tuple(float((seen < at).mean()) for at in THRESHOLDS)
        watched = Windows(Reference(THRESHOLDS, below, float((rng.random(2_000) < 0.6).mean()), 2_000), level=LEVEL)
        for k in range(1, n_windows + 1):
            for score in scores(WINDOW):
                watched.add(float(score), accepted=bool(rng.random() < p_accepted))
            if watched.shifts:
                return k
        return NEVER

    def beta(b: float) -> Callable[[int], NDArray[np.float64]]:
        return lambda size: rng.beta(2, b, size=size)

    n = sum(first_told(beta(1.0), 0.6, 50) < NEVER for _ in range(200))
    print(f"traffic that stays: {n} of 200 runs of 50 windows told of drift")
    for b, p_accepted in ((1.5, 0.6), (2.0, 0.6), (1.0, 0.5), (1.0, 0.45)):
        found = [first_told(beta(b), p_accepted, 10) for _ in range(50)]
        print(f"Beta(2, {b:g}), {p_accepted:.0%} accepted: told in window {np.median(found):.0f} (median of 50 runs)")


if __name__ == "__main__":
    rng = np.random.default_rng(SEED)
    for part in (false_alarms, detection, late, windows):
        part(rng)
