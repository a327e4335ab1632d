"""Cascades with a guarantee: the cheapest rate of exchange whose quality loss keeps the limit, shown on labels.

Policies come as columns, from the strictest rate to the laxest: what certifies thresholds certifies cascades.
Several kinds may be tried at once: each is tested at its share of the error, so choosing among them costs no validity
(Bonferroni between the kinds, a fixed sequence within each; Learn then Test, arXiv 2110.01052).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

from .candidates import by_group
from .certify import Certified, certify
from .estimates import Measured, measure
from .policy_file import Expected
from .sample_size import least_prompts
from .tune import TuneSettings, order_of_play

CASCADE_METHOD: Final = "learn-then-test, fixed sequence of rates, betting (STaR-Bets)"


@dataclass(frozen=True, slots=True, eq=False)
class CascadePath:
    """One kind of cascade at K rates, from the strictest to the laxest, by plans that had not seen the prompts."""

    kind: str
    rates: tuple[float, ...]
    """Shape (K,), rising; set before anything was scored."""
    served: NDArray[np.int64]
    """Shape (K, n)."""
    cost_usd: NDArray[np.float64]
    """All calls and judging, shape (K, n)."""


@dataclass(frozen=True, slots=True, eq=False)
class CertifiedPath:
    """What was found of one path."""

    path: CascadePath
    measured: Measured
    certified: Certified


@dataclass(frozen=True, slots=True, eq=False)
class CascadeChoice:
    """The cheapest certified point of all paths, or none."""

    paths: tuple[CertifiedPath, ...]
    chosen: tuple[int, int] | None
    """(path, rate); None when nothing cheaper than the reference is certified."""
    expected: Expected
    n_groups: int
    n_least: int | None
    """Fewer prompts can certify nothing; None when the limit leaves no room."""


def choose_cascade(outcomes: Outcomes, paths: Sequence[CascadePath], settings: TuneSettings) -> CascadeChoice:
    """The cheapest rate of any path whose quality loss keeps the limit on new prompts of the same kind.

    With probability `settings.confidence` over the draw of the prompts every certified rate keeps the limit.

    Args:
        outcomes: every model has a score and a cost on every prompt.
        paths: at least one; decisions by plans that had not seen the prompt's outcome.
        settings: limit, confidence, seed, test.

    Raises:
        DataError: no path, no prompts, or decisions that do not fit the prompts.
    """
    if not paths or outcomes.n == 0:
        raise DataError("there are no prompts, or no cascades, to choose from")
    score, groups = outcomes.score.astype(np.float64), outcomes.groups
    strong = by_group(score[:, -1:], groups).astype(np.float64)
    strong_cost = by_group(outcomes.cost_usd[:, -1:].astype(np.float64), groups)[:, 0].astype(np.float64)
    share = 1 - (1 - settings.confidence) / len(paths)
    m = len(outcomes.models)
    rows = np.arange(outcomes.n)
    found = []
    for place, path in enumerate(paths):
        if path.served.shape[1] != outcomes.n or list(path.rates) != sorted(path.rates):
            raise DataError(f"the {path.kind} path does not fit {outcomes.n} prompts, or its rates do not rise")
        quality = by_group(np.stack([score[rows, served] for served in path.served], axis=1), groups)
        excess = settings.limit.excess(strong.astype(np.float32), quality)
        measured = measure(
            strong=strong[:, 0],
            quality=quality,
            strong_share=by_group((path.served == m - 1).T.astype(np.float64), groups).mean(axis=0, dtype=np.float64),
            rank=path.served.mean(axis=1, dtype=np.float64),
            strong_rank=float(m - 1),
            strong_cost=strong_cost,
            cost=by_group(path.cost_usd.T, groups),
            excess=excess,
            limit=settings.limit,
            router_cost_usd=settings.router_cost_usd,
        )
        certified = certify(
            excess,
            settings.limit,
            confidence=share,
            rng=order_of_play(settings.seed, outcomes.data_hash, place),
            test=settings.test,
        )
        found.append(CertifiedPath(path, measured, certified))
    best: tuple[int, int] | None = None
    for place, each in enumerate(found):
        rate = each.measured.cheapest(each.certified.kept)
        if rate is not None and (best is None or each.measured.price[rate] < found[best[0]].measured.price[best[1]]):
            best = (place, rate)
    return CascadeChoice(
        paths=tuple(found),
        chosen=best,
        expected=found[0].measured.strong_alone() if best is None else found[best[0]].measured.expected(best[1]),
        n_groups=strong.shape[0],
        n_least=least_prompts(
            settings.limit.max_loss,
            float(strong.mean()),
            relative=settings.limit.kind == "relative",
            confidence=share,
        ),
    )
