"""The verdict: does routing help on these data, and if not, which model to use.

The rules, in order (docs/evaluation.md gives the reasons):

1. Always cheap, when the cheapest model's quality is shown to be within the margin of the strong model's.
2. Routing helps, when a policy at a cross-fitted operating point is better than random at the same cost and better
   than its own decisions shuffled, both with confidence, and saves something against always-strong.
3. Always cheap, when strong is not shown to be better by more than the margin, and a loss above `TOLERABLE` is ruled
   out: what costs more must show what it is worth.
4. Always strong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .columns import Means
from .controls import Chord
from .measured import Measured, shares
from .paired import Float, Paired
from .resample import interval
from .result import Interval, Line, Verdict

TOLERABLE = 0.05
"""Rule 3: the largest loss, as a share of the strong model's quality, that may remain possible."""


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison: a policy at an operating point against random at the same cost and against its shuffle."""

    policy: int
    place: int
    over_random: float
    """Quality above random at the same cost, score points."""
    over_shuffled: float
    p_value: float
    """The larger of the two one-sided p-values: both must hold (intersection-union)."""
    significant: bool = False


def compare(key: str, place: int, policy: int, chord: Chord, exact: Means, replicates: Means) -> Test:
    """The test of one operating point; the p-value is the share of replicates without the advantage."""
    gains = [
        (_over_random(means, key, place, chord), _over_shuffled(means, key, place)) for means in (exact, replicates)
    ]
    p_values = [(1 + int((drawn <= 1e-7).sum())) / (drawn.size + 1) for drawn in gains[1]]
    return Test(policy, place, float(gains[0][0][0]), float(gains[0][1][0]), max(p_values))


def _over_random(means: Means, key: str, place: int, chord: Chord) -> Float:
    random = chord.quality(means.one(f"{key} {place} cost"), means["cost"], means["score"])
    return np.asarray(means.one(f"{key} {place} quality") - random, dtype=np.float64)


def _over_shuffled(means: Means, key: str, place: int) -> Float:
    dealt = (shares(means, key, place) * means["score"]).sum(axis=1)
    return np.asarray(means.one(f"{key} {place} quality") - dealt, dtype=np.float64)


def holm(tests: Sequence[Test], alpha: float) -> tuple[Test, ...]:
    """The tests with those marked that are significant with the family-wise error held at `alpha` (Holm 1979)."""
    order = sorted(range(len(tests)), key=lambda index: tests[index].p_value)
    marked = list(tests)
    for rank, index in enumerate(order):
        test = tests[index]
        if test.p_value > alpha / (len(tests) - rank):
            break
        marked[index] = Test(test.policy, test.place, test.over_random, test.over_shuffled, test.p_value, True)
    return tuple(marked)


def verdict(
    data: Paired,
    policies: Sequence[tuple[Measured, Sequence[Line]]],
    tests: Sequence[Test],
    replicates: Means,
    *,
    margin: float,
    confidence: float,
) -> Verdict:
    """The verdict on the data.

    Args:
        data: the paired prompts.
        policies: each policy with its lines, one per operating point.
        tests: all tests, those that are significant marked.
        replicates: resampled means.
        margin: share of the strong model's quality that counts as no loss.
        confidence: one-sided confidence that the cheapest model is within the margin.
    """
    quality, cost = data.score.mean(axis=0), data.cost.mean(axis=0)
    cheap = int(np.lexsort((np.arange(data.m), cost))[0])
    strong = data.m - 1
    if cheap == strong:
        return _strong_is_cheapest(data, quality, cost)
    drawn = replicates["score"][:, cheap] - replicates["score"][:, strong]
    delta, delta_ci = float(quality[cheap] - quality[strong]), interval(drawn)
    saves = 1 - float(cost[cheap] / cost[strong]) if data.priced and cost[strong] > 0 else None
    shown = float((drawn + margin * replicates["score"][:, strong] >= -1e-9).mean()) >= confidence
    told = _told(data, cheap, delta, delta_ci)
    name = data.models[cheap]
    if shown and quality[cheap] > 0:
        return Verdict(
            False,
            f"always:{name}",
            saves,
            delta_ci,
            f"Use {name} for everything: {told}; it is shown to be no more than {100 * margin:.0f} % worse.",
        )
    if quality[cheap] == 0 and data.m == 2:
        return _strong(data, f"{name} is never right in {data.n:,} prompts")
    winner = _winner(policies, tests)
    if winner is not None:
        return _helps(data, policies, winner)
    low = float("-inf") if delta_ci is None else delta_ci[0]
    if delta_ci is not None and delta_ci[1] >= -margin * quality[strong] and low >= -TOLERABLE * quality[strong]:
        return Verdict(
            False,
            f"always:{name}",
            saves,
            delta_ci,
            f"Use {name} for everything: {told}; {data.models[strong]} is not shown to be over {100 * margin:.0f} % "
            f"better, a loss above {100 * TOLERABLE:.0f} % is ruled out, "
            "and routing is not shown to beat random choice." + _labels_missing(data, drawn, delta, margin),
        )
    return _strong(data, f"routing is not shown to beat random choice at the same cost, and {told}")


def _winner(policies: Sequence[tuple[Measured, Sequence[Line]]], tests: Sequence[Test]) -> Test | None:
    """The significant test that counts: at the first operating point that has one, the policy that saves most."""
    fit = []
    for test in tests:
        line = policies[test.policy][1][test.place]
        worth = line.strong_share < 1 if line.savings is None else line.savings > 0
        if test.significant and worth:
            fit.append((test.place, -(1 - line.strong_share if line.savings is None else line.savings), test))
    return min(fit, key=lambda each: each[:2])[2] if fit else None


def _helps(data: Paired, policies: Sequence[tuple[Measured, Sequence[Line]]], test: Test) -> Verdict:
    policy, lines = policies[test.policy]
    line, label = lines[test.place], policy.operating[test.place].label
    saved = (
        f"avoids {100 * (1 - line.strong_share):.0f} % of the calls of {data.models[-1]}"
        if line.savings is None
        else f"saves {100 * line.savings:.0f} % of the cost of always {data.models[-1]}"
    )
    return Verdict(
        True,
        line.name,
        line.savings,
        line.quality_delta_ci,
        f"Routing helps: {line.name} {saved} at a quality of {_percent(line.quality)} against "
        f"{_percent(float(data.score[:, -1].mean()))} ({_interval(line.quality_delta_ci)} points); that is "
        f"{_points(test.over_random)} above random at the same cost and {_points(test.over_shuffled)} above its own "
        f"decisions shuffled (p = {test.p_value:.2g}, {data.n:,} prompts).",
        label,
    )


def _strong(data: Paired, why: str) -> Verdict:
    return Verdict(
        False,
        f"always:{data.models[-1]}",
        0.0 if data.priced else None,
        (0.0, 0.0),
        f"Use {data.models[-1]} for everything: {why}.",
    )


def _strong_is_cheapest(data: Paired, quality: Float, cost: Float) -> Verdict:
    best = int(quality.argmax())
    name = data.models[-1]
    note = "" if best == data.m - 1 else f"; {data.models[best]} is better but costs more, name it last to ask for that"
    return Verdict(
        False,
        f"always:{name}",
        0.0,
        (0.0, 0.0),
        f"Use {name} for everything: it is the quality reference and the cheapest (${cost[-1]:.6f} a call){note}.",
    )


def _told(data: Paired, cheap: int, delta: float, delta_ci: Interval | None) -> str:
    return (
        f"{data.models[cheap]} scores {_percent(float(data.score[:, cheap].mean()))} and {data.models[-1]} "
        f"{_percent(float(data.score[:, -1].mean()))} (difference {_points(delta)}, "
        f"95 % interval {_interval(delta_ci)}, {data.n:,} prompts)"
    )


def _labels_missing(data: Paired, drawn: Float, delta: float, margin: float) -> str:
    """How many prompts would show the cheap model to be within the margin, should the difference stay what it is."""
    room = delta + margin * float(data.score[:, -1].mean())
    if room <= 0:
        return ""
    n = data.n * (1.645 * float(drawn.std()) / room) ** 2
    return f" About {max(n, data.n):,.0f} prompts would show it to be within {100 * margin:.0f} %."


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f} points".replace("-", "−")


def _interval(ci: Interval | None) -> str:
    return "not known" if ci is None else f"{100 * ci[0]:+.1f} to {100 * ci[1]:+.1f}".replace("-", "−")
