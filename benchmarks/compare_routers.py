"""Ours beside the routers one would otherwise take, on every recorded pair: APGR, five folds, one run.

    python -m benchmarks.compare_routers DATA_DIR [--only textclass ...] [--check]

Every router sees the same prompts, and those that learn learn in the same five folds, equal prompts together:

- ours: what `pointsman evaluate --folds 5` trains and measures, P(the cheap model does as well);
- logistic regression on the built-in static embedding alone, of the same target; the penalty is chosen by log loss
  within the training folds;
- task mean: knows which dataset a prompt is of, and nothing else (the product's control);
- LiteLLM's two classifiers that call no model and learn nothing here, in an environment of their own (see
  `litellm_scores`);
- random: 0.5 by definition.

APGR is RouteLLM's with ties broken at random and averaged (see `tie_averaged`); the intervals are of 2,000 paired
bootstrap replicates. "Within": another router's APGR is higher, and the interval of the difference holds 0.
With --check the exit status is 1 when ours is behind or below random on a row with confidence.
Needs `pip install 'pointsman[train]'`, and `make bench-litellm-env`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from benchmarks.headed import heading
from benchmarks.offline_scorer import offline_scores
from benchmarks.recorded_pairs import RecordedPair, chosen, recorded
from benchmarks.tie_averaged import Ranked, ranked
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pointsman.evaluate.controls import task_mean
from pointsman.evaluate.paired import paired
from pointsman.evaluate.resample import interval
from pointsman.features import open_encoder
from pointsman.study import held_out_scores
from pointsman.train import group_folds
from pointsman.vocabulary import Outcomes

OURS, RANDOM = "ours", "random"
ENVIRONMENT = Path(".venv-litellm")
PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""scikit-learn's C, the inverse of the ridge penalty."""
N_INNER_FOLDS = 3
N_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Row:
    """One pair of models: every router's APGR, and how ours stands."""

    name: str
    cheap: str
    strong: str
    n: int
    cheap_quality: float
    strong_quality: float
    apgr: dict[str, float]
    ci: dict[str, tuple[float, float] | None]
    best_other: str
    ahead: float
    """Ours minus the best other, APGR."""
    ahead_ci: tuple[float, float] | None
    standing: str
    """best, within (the interval of the difference holds 0) or behind."""
    below_random: bool
    """The interval of ours lies under 0.5."""
    seconds: float


def embedding_regression(outcomes: Outcomes, fold: NDArray[np.int64]) -> NDArray[np.float64]:
    """P(the strong model does better), shape (n,), by regressions on the embedding that did not see the fold."""
    vectors = open_encoder("static").encode(outcomes.prompts)
    better = outcomes.score[:, -1] > outcomes.score[:, 0]
    need = np.empty(outcomes.n)
    for each in np.unique(fold):
        learn, ask = np.flatnonzero(fold != each), np.flatnonzero(fold == each)
        inner = group_folds(outcomes.groups[learn], N_INNER_FOLDS, generator=np.random.default_rng(0))
        losses = [_held_out_loss(vectors[learn], better[learn], inner, penalty) for penalty in PENALTIES]
        best = PENALTIES[int(np.argmin(losses))]
        need[ask] = _p_better(vectors[learn], better[learn], vectors[ask], best)
    return need


def _p_better(
    vectors: NDArray[np.floating], better: NDArray[np.bool_], asked: NDArray[np.floating], penalty: float
) -> NDArray[np.float64]:
    if better.all() or not better.any():
        return np.full(len(asked), float(better.mean()))
    fitted = LogisticRegression(C=penalty, max_iter=1_000).fit(vectors, better)
    return np.asarray(fitted.predict_proba(asked)[:, 1], dtype=np.float64)


def _held_out_loss(
    vectors: NDArray[np.floating], better: NDArray[np.bool_], fold: NDArray[np.int64], penalty: float
) -> float:
    p = np.empty(better.size)
    for each in np.unique(fold):
        learn, ask = fold != each, fold == each
        p[ask] = _p_better(vectors[learn], better[learn], vectors[ask], penalty)
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return float(-np.where(better, np.log(p), np.log(1 - p)).mean())


def needs_of(outcomes: Outcomes, scorer: list[str] | None) -> tuple[dict[str, NDArray[np.floating]], str]:
    """What each router says of each prompt, shape (n,), high for the strong model; and who was asked."""
    p_cheap, predicted = held_out_scores(outcomes)
    fold = predicted.fold
    tasks = task_mean(paired(outcomes), fold, outcomes.n)
    needs: dict[str, NDArray[np.floating]] = {
        OURS: 1.0 - np.asarray(p_cheap, dtype=np.float64)[:, 0],
        "embedding": embedding_regression(outcomes, fold),
        "task mean": 1.0 - tasks.p_good[:, 0],
    }
    asked = "LiteLLM left out"
    if scorer is not None:
        scores = offline_scores(scorer, outcomes.prompts)
        asked = scores.scorer
        needs |= {f"LiteLLM {name}": need for name, need in scores.need.items()}
    return {**needs, RANDOM: np.zeros(outcomes.n)}, asked


def standing(
    found: Mapping[str, Ranked],
) -> tuple[str, float, tuple[float, float] | None, str]:
    """The best router that is not ours, how far ours is ahead of it with its interval, and what that amounts to."""
    others = [name for name in found if name != OURS]
    best = max(others, key=lambda name: found[name].apgr)
    ahead = found[OURS].apgr - found[best].apgr
    ci = interval(found[OURS].drawn - found[best].drawn)
    if ahead >= 0:
        return best, ahead, ci, "best"
    return best, ahead, ci, "behind" if ci is not None and ci[1] < 0 else "within"


def measured(pair: RecordedPair, outcomes: Outcomes, scorer: list[str] | None, seed: int) -> tuple[Row, str]:
    """The row of one pair, and who was asked."""
    start = time.perf_counter()
    needs, asked = needs_of(outcomes, scorer)
    found = ranked(outcomes, needs, n_resamples=N_RESAMPLES, seed=seed)
    best, ahead, ahead_ci, word = standing(found)
    ours = found[OURS].ci
    row = Row(
        name=pair.name,
        cheap=pair.cheap,
        strong=pair.strong,
        n=outcomes.n,
        cheap_quality=float(outcomes.score[:, 0].mean(dtype=np.float64)),
        strong_quality=float(outcomes.score[:, -1].mean(dtype=np.float64)),
        apgr={name: each.apgr for name, each in found.items()},
        ci={name: each.ci for name, each in found.items()},
        best_other=best,
        ahead=ahead,
        ahead_ci=ahead_ci,
        standing=word,
        below_random=ours is not None and ours[1] < 0.5,
        seconds=time.perf_counter() - start,
    )
    return row, asked


def head(names: list[str]) -> str:
    """The table's first two lines."""
    columns = ["source", "pair (quality)", "prompts", *names, "ours − best other", "ours is"]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def line(row: Row) -> str:
    """The row as Markdown."""
    best = max(row.apgr, key=lambda name: row.apgr[name])
    cells = [
        row.name,
        f"{row.cheap} ({row.cheap_quality:.3f}) → {row.strong} ({row.strong_quality:.3f})",
        f"{row.n:,}",
        *(_shown(row.apgr[name], row.ci[name], bold=name == best, short=name == RANDOM) for name in row.apgr),
        f"{_signed(row.ahead)} ({_ends(row.ahead_ci, signed=True)}), {row.best_other}",
        row.standing + (", below random" if row.below_random else ""),
    ]
    return f"| {' | '.join(cells)} |"


def _shown(value: float, ci: tuple[float, float] | None, *, bold: bool, short: bool) -> str:
    text = f"**{value:.3f}**" if bold else f"{value:.3f}"
    return text if short else f"{text} ({_ends(ci)})"


def _ends(ci: tuple[float, float] | None, *, signed: bool = False) -> str:
    if ci is None:
        return "no interval"
    return " to ".join(_signed(end) if signed else f"{end:.3f}" for end in ci)


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def main() -> None:
    """Prints the table, a row at a time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="+", default=[], help="rows whose name holds one of these")
    parser.add_argument("--litellm-python", type=Path, default=ENVIRONMENT / "bin" / "python")
    parser.add_argument("--without-litellm", action="store_true")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    scorer = None
    if not options.without_litellm:
        scorer = [str(options.litellm_python), str(Path(__file__).with_name("litellm_scores.py"))]
    done: list[Row] = []
    print(heading("Routers on every recorded pair: APGR, five folds", "benchmarks.compare_routers"))
    asked = ""
    for pair in chosen(options.data, options.only):
        row, asked = measured(pair, recorded(options.data, pair), scorer, options.seed)
        if not done:
            print(head(list(row.apgr)))
        done.append(row)
        print(line(row), flush=True)
    worst = [row.name for row in done if row.standing == "behind" or row.below_random]
    best = sum(row.standing == "best" for row in done)
    print(
        f"\n{asked}. Ours is best on {best} of {len(done)} rows, within the interval of the best on "
        f"{sum(row.standing == 'within' for row in done)}, behind or below random on {len(worst)}"
        f"{': ' + ', '.join(worst) if worst else ''}. {sum(row.seconds for row in done):.0f} s."
    )
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in done], indent=2) + "\n")
    if options.check and worst:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
