"""Trains the router that comes with the package, measures it, and writes the artifact and its page.

    pip install 'pointsman[train]'
    python scripts/train_bundled_router.py DATA_DIR --to src/pointsman/score/builtin --page docs/router-card.md

DATA_DIR holds one Parquet file per source (`SOURCE_dev.parquet`: dataset, prompt_id, prompt, model, score). Only the
sources in `TRAINED`, whose licences allow weights to be shipped, are learned from; those in `MEASURED_ONLY` are never
seen by the fit. Everything is seeded: two runs on one machine give identical bytes.

What is learned: P(the cheap model's answer scored at least as high as the strong one's), for the average of several
pairs of models per source. What is measured, each with a 95 % bootstrap interval over prompts:

- "held-out prompts": predictions out of fold, five folds, equal prompts together; other prompts of the same sources.
- "never-seen source": predictions by a fit without that source, leaving out the questions that stand in another
  source's wording too. This is what to expect on traffic it has never seen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pointsman.features.definitions import FEATURE_VERSION, FEATURES
from pointsman.features.encoders import open_encoder
from pointsman.features.handcrafted import extract_text
from pointsman.score import ArtifactCard, Calibration, LogisticRouter, prompt_hashes, save
from pointsman.score.logistic import MAX_DEVIATION

NAME, VERSION = "pointsman-builtin", "1"
SEED = 20261123
N_FOLDS = 5
N_BOOTSTRAP = 400
C_GRID = (3e-5, 1e-4, 3e-4, 1e-3)
EMBEDDING_GAIN = 16.0
"""√dim: brings the coordinates of a unit vector to about the spread of the standardised features."""
SHARED_CHARS = 60
"""So many letters and digits in a row, spaces and signs left out, make two prompts hold the same question."""
SMALLEST_GAP = 0.01
"""Below this quality gap there is nothing to recover, and APGR is not given."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Source:
    """One file of recorded outcomes, and the pairs (cheap, strong) looked at."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    licence: str
    attribution: str


TRAINED = (
    Source(
        "routellm",
        (("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"),),
        "Apache-2.0",
        "RouteLLM evaluation outcomes, LMSYS (github.com/lm-sys/RouteLLM)",
    ),
    Source(
        "zeroeval",
        (
            ("claude-3-haiku-20240307", "claude-3-opus-20240229"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"),
            ("gemini-1.5-flash", "gemini-1.5-pro"),
            ("Meta-Llama-3.1-8B-Instruct", "Meta-Llama-3.1-70B-Instruct"),
            ("gpt-4o-mini-2024-07-18", "o1-mini-2024-09-12"),
            ("claude-3-5-haiku-20241022", "claude-3-5-sonnet-20241022"),
        ),
        "Apache-2.0",
        "ZeroEval, WildEval (github.com/WildEval/ZeroEval)",
    ),
    Source(
        "mmlu_pro",
        (
            ("gemini-1.5-flash-002", "gemini-1.5-pro-002"),
            ("Meta-Llama-3-8B-Instruct", "gpt-4o-2024-05-13"),
            ("Meta-Llama-3_1-70B-Instruct", "gpt-4o-2024-05-13"),
        ),
        "Apache-2.0",
        "MMLU-Pro evaluation outcomes, TIGER-Lab (github.com/TIGER-AI-Lab/MMLU-Pro)",
    ),
    Source(
        "textclass",
        (
            ("gpt-4.1-nano-2025-04-14", "gpt-4.1-2025-04-14"),
            ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06"),
            ("claude-3-5-haiku-20241022", "claude-sonnet-4-20250514"),
            ("gpt-4.1-nano-2025-04-14", "gpt-5-2025-08-07"),
        ),
        "CC-BY-4.0",
        "TextClass Benchmark, Bastián González-Bustamante (textclass-benchmark.com), CC BY 4.0",
    ),
    Source(
        "llmrouter",
        (
            ("llama-3.1-8b-instruct", "llama-3.1-nemotron-51b-instruct"),
            ("qwen2.5-7b-instruct", "llama-3.1-nemotron-51b-instruct"),
            ("mistral-7b-instruct-v0.3", "llama-3.1-nemotron-51b-instruct"),
        ),
        "MIT",
        "LLMRouter, U Lab, University of Illinois Urbana-Champaign (github.com/ulab-uiuc/LLMRouter)",
    ),
)
MEASURED_ONLY = (
    Source("cascades", (("gpt-4o-mini", "gpt-4o"),), "none stated", "rational-llm-cascades, M. Zellinger"),
    Source("routerarena", (("claude-3-haiku-20240307", "gemini-2.0-flash-001"),), "Apache-2.0", "RouterArena"),
    Source("bfcl", (("claude-3-haiku-20240307", "claude-3-5-sonnet-20240620"),), "none stated", "BFCL results"),
)


@dataclass
class Table:
    """One source as arrays; row i is prompt i, column j is pair j."""

    source: Source
    prompts: list[str]
    datasets: NDArray[np.str_]
    hashes: NDArray[np.uint64]
    features: Floats
    embeddings: Floats
    cheap: Floats
    strong: Floats
    weight: Floats = field(init=False)
    """Sums to 1 over the source; a dataset's share grows with the root of its size."""

    def __post_init__(self) -> None:
        _, inverse, counts = np.unique(self.datasets, return_inverse=True, return_counts=True)
        weight = (1 / np.sqrt(counts))[inverse] * self.answered.any(axis=1)
        self.weight = weight / weight.sum()

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Where both models of the pair have a score."""
        return ~np.isnan(self.cheap) & ~np.isnan(self.strong)

    @property
    def target(self) -> Floats:
        """Share of the pairs in which the cheap model did at least as well, per prompt."""
        return _mean_over_pairs(self.cheap >= self.strong, self.answered)

    @property
    def gap(self) -> Floats:
        """Strong score minus cheap score, averaged over the pairs, per prompt."""
        return _mean_over_pairs(self.strong - self.cheap, self.answered)


def _mean_over_pairs(values: NDArray[Any], answered: NDArray[np.bool_]) -> Floats:
    total = np.where(answered, values, 0).sum(axis=1).astype(np.float64)
    return np.asarray(total / np.maximum(1, answered.sum(axis=1)))


def read(folder: Path, source: Source) -> Table:
    """The source's outcomes, one row per prompt, with features and embeddings."""
    columns = ["dataset", "prompt_id", "prompt", "model", "score"]
    rows = pl.read_parquet(folder / f"{source.name}_dev.parquet", columns=columns).with_columns(
        pl.col("dataset", "model").cast(pl.String), pl.col("score").cast(pl.Float64)
    )
    prompts = rows.unique(["dataset", "prompt_id"], keep="first", maintain_order=True)
    scores = rows.pivot(on="model", index=["dataset", "prompt_id"], values="score")
    wide = prompts.select("dataset", "prompt_id", "prompt").join(scores, on=["dataset", "prompt_id"])
    wide = wide.sort("dataset", "prompt_id")
    texts = wide["prompt"].to_list()
    return Table(
        source,
        texts,
        wide["dataset"].to_numpy().astype(np.str_),
        prompt_hashes(texts),
        np.stack([np.asarray(extract_text(text), dtype=np.float64) for text in texts]),
        open_encoder("static").encode(texts).astype(np.float64),
        np.stack([wide[cheap].to_numpy() for cheap, _ in source.pairs], axis=1),
        np.stack([wide[strong].to_numpy() for _, strong in source.pairs], axis=1),
    )


# ---------------------------------------------------------------- fitting


@dataclass(frozen=True)
class Fit:
    """A logistic regression in the artifact's terms, before calibration."""

    mean: Floats
    scale: Floats
    feature_weight: Floats
    embedding_mean: Floats
    embedding_weight: Floats
    bias: float

    def logits(self, table: Table) -> Floats:
        """Raw logits of a table's prompts."""
        deviations = np.clip((table.features - self.mean) / self.scale, -MAX_DEVIATION, MAX_DEVIATION)
        meaning = (table.embeddings - self.embedding_mean) @ self.embedding_weight
        return np.asarray(self.bias + deviations @ self.feature_weight + meaning)


def fit(parts: Sequence[tuple[Table, NDArray[np.bool_]]], c: float) -> Fit:
    """The regression on the chosen rows of each table; every source has the same weight."""
    features = np.concatenate([table.features[rows] for table, rows in parts])
    embeddings = np.concatenate([table.embeddings[rows] for table, rows in parts])
    y = np.concatenate([table.target[rows] for table, rows in parts])
    weight = np.concatenate([table.weight[rows] / table.weight[rows].sum() for table, rows in parts])
    weight *= len(y) / weight.sum()
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-9] = 1.0
    embedding_mean = embeddings.mean(axis=0)
    deviations = np.clip((features - mean) / scale, -MAX_DEVIATION, MAX_DEVIATION)
    x = np.hstack([deviations, (embeddings - embedding_mean) * EMBEDDING_GAIN])
    model = LogisticRegression(C=c, max_iter=1000, tol=1e-7)
    # A share y of pairs is y rows of label 1 and 1 − y rows of label 0.
    labels = np.r_[np.ones(len(y)), np.zeros(len(y))]
    model.fit(np.vstack([x, x]), labels, sample_weight=np.r_[weight * y, weight * (1 - y)])
    coefficients, n_features = model.coef_[0], features.shape[1]
    return Fit(
        mean,
        scale,
        coefficients[:n_features],
        embedding_mean,
        coefficients[n_features:] * EMBEDDING_GAIN,
        float(model.intercept_[0]),
    )


def log_loss(logits: Floats, y: Floats, weight: Floats) -> float:
    """Weighted cross-entropy in nats."""
    losses = y * np.logaddexp(0, -logits) + (1 - y) * np.logaddexp(0, logits)
    return float((losses * weight).sum() / weight.sum())


def never_seen(tables: Sequence[Table], c: float) -> list[Floats]:
    """Logits for each table by a fit without it."""
    everything = [(table, np.ones(len(table.prompts), dtype=np.bool_)) for table in tables]
    return [fit(everything[:i] + everything[i + 1 :], c).logits(table) for i, table in enumerate(tables)]


def out_of_fold(tables: Sequence[Table], c: float) -> list[Floats]:
    """Logits for each prompt by a fit on the other folds; equal prompts share a fold, over all sources."""
    folds = [(table.hashes ^ np.uint64(SEED)) % np.uint64(N_FOLDS) for table in tables]
    logits = [np.empty(len(table.prompts)) for table in tables]
    for fold in range(N_FOLDS):
        fitted = fit([(table, own != fold) for table, own in zip(tables, folds, strict=True)], c)
        for table, own, out in zip(tables, folds, logits, strict=True):
            out[own == fold] = fitted.logits(table)[own == fold]
    return logits


def platt(logits: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    """Slope and offset that make weighted logits into probabilities (Platt 1999); the slope is at least 0."""
    model = LogisticRegression(C=1e6, tol=1e-9)
    labels = np.r_[np.ones(len(y)), np.zeros(len(y))]
    x = np.r_[logits, logits][:, None]
    model.fit(x, labels, sample_weight=np.r_[weight * y, weight * (1 - y)] * len(y) / weight.sum())
    return max(0.0, float(model.coef_[0, 0])), float(model.intercept_[0])


# ---------------------------------------------------------------- measuring


def auc(p: Floats, label: NDArray[np.bool_], counts: Floats) -> float:
    """Area under the ROC curve, ties counted half, with row weights; NaN when one class is missing."""
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) > 0])
    positive = np.add.reduceat((counts * label)[order], starts)
    negative = np.add.reduceat((counts * ~label)[order], starts)
    below = np.cumsum(negative) - negative
    n_pairs = positive.sum() * negative.sum()
    return float((positive * (below + negative / 2)).sum() / n_pairs) if n_pairs > 0 else float("nan")


def apgr(p: Floats, gap: Floats, counts: Floats) -> float:
    """Mean share of the quality gap recovered while the share of strong calls goes from 0 to 1; random gives 0.5.

    The performance gap recovered of RouteLLM (arXiv 2406.18665, section 2), as the area by trapezoids between eleven
    evenly spaced shares instead of a mean of ten. NaN when the gap is not positive.
    """
    order = np.argsort(p, kind="stable")
    share = np.cumsum(counts[order])
    recovered = np.cumsum((counts * gap)[order])
    if recovered[-1] <= 0:
        return float("nan")
    at = np.interp(np.linspace(0, 1, 11), np.r_[0, share / share[-1]], np.r_[0, recovered / recovered[-1]])
    return float(np.trapezoid(at, dx=0.1))


def interval(values: Sequence[float]) -> list[float] | None:
    """The central 95 % of bootstrap values."""
    finite = np.array(values)[np.isfinite(values)]
    if len(finite) < 0.9 * len(values):
        return None
    return [round(float(q), 4) for q in np.quantile(finite, (0.025, 0.975))]


def held_by_others(tables: Sequence[Table], trained: Sequence[Table]) -> list[NDArray[np.bool_]]:
    """Per table, which prompts share `SHARED_CHARS` letters and digits in a row with another source trained on.

    The same exam questions go round in several benchmarks in other layouts, which hashes of whole prompts do not find.
    """
    letters = re.compile(r"[\W_]+")
    sources: dict[str, set[str]] = {}
    for table in trained:
        for prompt in table.prompts:
            text = letters.sub("", prompt.lower())
            # Every twentieth place here and every place below: a shared stretch of 79 is found wherever it lies.
            for start in range(0, len(text) - SHARED_CHARS + 1, 20):
                sources.setdefault(text[start : start + SHARED_CHARS], set()).add(table.source.name)
    out = []
    for table in tables:
        held = np.zeros(len(table.prompts), dtype=np.bool_)
        for row, prompt in enumerate(table.prompts):
            text = letters.sub("", prompt.lower())
            held[row] = any(
                sources.get(text[start : start + SHARED_CHARS], set()) - {table.source.name}
                for start in range(len(text) - SHARED_CHARS + 1)
            )
        out.append(held)
    return out


def measure(table: Table, logits: Floats, setting: str, left_out: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """AUC and APGR of each pair, with intervals, beside ranking by the data set's name alone."""
    found = []
    for j, (cheap_name, strong_name) in enumerate(table.source.pairs):
        rows = table.answered[:, j] & ~left_out
        p, cheap, strong = logits[rows], table.cheap[rows, j], table.strong[rows, j]
        label, gap = cheap >= strong, strong - cheap
        by_task = _task_mean(table.datasets[rows], table.hashes[rows], gap)
        rng = np.random.default_rng(SEED)
        draws = rng.multinomial(len(p), np.full(len(p), 1 / len(p)), size=N_BOOTSTRAP).astype(np.float64)
        ones, has_gap = np.ones(len(p)), gap.mean() >= SMALLEST_GAP
        found.append(
            {
                "setting": setting,
                "source": table.source.name,
                "cheap": cheap_name,
                "strong": strong_name,
                "n": len(p),
                "n_left_out": int((table.answered[:, j] & left_out).sum()),
                "cheap_score": round(float(cheap.mean()), 4),
                "strong_score": round(float(strong.mean()), 4),
                "auc": round(auc(p, label, ones), 4),
                "auc_ci": interval([auc(p, label, draw) for draw in draws]),
                "apgr": round(apgr(p, gap, ones), 4) if has_gap else None,
                "apgr_ci": interval([apgr(p, gap, draw) for draw in draws]) if has_gap else None,
                "apgr_random": 0.5,
                "apgr_task_mean": round(apgr(-by_task, gap, ones), 4) if has_gap else None,
            }
        )
    return found


def _task_mean(datasets: NDArray[np.str_], hashes: NDArray[np.uint64], gap: Floats) -> Floats:
    """Mean gap of the data set on the other folds: what knowing the task's name, and its labels, is worth."""
    folds, out = hashes % np.uint64(N_FOLDS), np.empty(len(gap))
    for fold in range(N_FOLDS):
        for dataset in np.unique(datasets):
            here = (datasets == dataset) & (folds == fold)
            others = (datasets == dataset) & (folds != fold)
            out[here] = gap[others].mean() if others.any() else gap.mean()
    return out


def calibration_error(p: Floats, y: Floats, weight: Floats) -> float:
    """Expected calibration error over ten bins of equal weight."""
    order = np.argsort(p, kind="stable")
    bins = np.minimum((np.cumsum(weight[order]) / weight.sum() * 10).astype(int), 9)
    error = 0.0
    for b in range(10):
        rows = order[bins == b]
        if len(rows):
            error += abs(float((weight[rows] * (p[rows] - y[rows])).sum()))
    return error / float(weight.sum())


def dial(p: Floats, gap: Floats, weight: Floats) -> list[dict[str, float]]:
    """What each threshold gives: a prompt goes to the strong model when its probability is below it."""
    rng = np.random.default_rng(SEED)
    order = np.argsort(p, kind="stable")
    cumulated = np.cumsum(weight[order]) / weight.sum()
    cuts = [0.0] + [float(p[order][np.searchsorted(cumulated, share)]) for share in np.arange(0.05, 1.0, 0.05)] + [1.0]
    thresholds = sorted({round(cut, 4) for cut in cuts})
    draws = rng.multinomial(len(p), np.full(len(p), 1 / len(p)), size=N_BOOTSTRAP).astype(np.float64) * weight
    totals = draws.sum(axis=1)
    rows = []
    for threshold in thresholds:
        cheap = p >= threshold
        lost = np.where(cheap, gap, 0.0)
        losses = (draws @ lost) / totals
        rows.append(
            {
                "threshold": threshold,
                "strong_share": round(float(weight[~cheap].sum() / weight.sum()), 4),
                "quality_loss": round(float((weight * lost).sum() / weight.sum()), 4),
                "quality_loss_upper": round(float(np.quantile(losses, 0.95)), 4) if cheap.any() else 0.0,
            }
        )
    return rows


# ---------------------------------------------------------------- the whole


def pooled(tables: Sequence[Table], values: str) -> Floats:
    """One attribute of all tables in a row."""
    return np.concatenate([getattr(table, values) for table in tables])


def sigmoid(logits: Floats) -> Floats:
    """Probabilities of logits."""
    return np.asarray(1 / (1 + np.exp(-logits)))


def main() -> None:
    """Reads, chooses the regularisation, fits, calibrates, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--to", type=Path, required=True, help="the artifact's folder; replaced when it exists")
    parser.add_argument("--page", type=Path, help="also write the card as a page for people (Markdown)")
    options = parser.parse_args()

    tables = [read(options.data, source) for source in TRAINED]
    others = [read(options.data, source) for source in MEASURED_ONLY]
    y, weight, gap = pooled(tables, "target"), pooled(tables, "weight"), pooled(tables, "gap")

    # What it will meet is partly like what it has seen and partly not: the regularisation is chosen by both losses.
    losses: dict[float, float] = {}
    for c in C_GRID:
        on_unseen = log_loss(np.concatenate(never_seen(tables, c)), y, weight)
        on_held_out = log_loss(np.concatenate(out_of_fold(tables, c)), y, weight)
        losses[c] = (on_unseen + on_held_out) / 2
        print(f"C = {c:g}: log loss {on_held_out:.4f} on held-out prompts, {on_unseen:.4f} on never-seen sources")
    c = min(losses, key=lambda value: losses[value])
    held_out, unseen = out_of_fold(tables, c), never_seen(tables, c)
    fitted = fit([(table, np.ones(len(table.prompts), dtype=np.bool_)) for table in tables], c)

    slope, offset = platt(np.concatenate(held_out), y, weight)
    p_held_out = sigmoid(slope * np.concatenate(held_out) + offset)
    p_unseen = sigmoid(slope * np.concatenate(unseen) + offset)
    base_rate = float((weight * y).sum() / weight.sum())
    base_logit = np.full(len(y), np.log(base_rate / (1 - base_rate)))

    rows: list[dict[str, Any]] = []
    held = held_by_others([*tables, *others], tables)
    for table, logits in zip(tables, held_out, strict=True):
        rows += measure(table, logits, "held-out prompts", np.zeros(len(table.prompts), dtype=np.bool_))
    for table, logits, shared in zip(tables, unseen, held[: len(tables)], strict=True):
        rows += measure(table, logits, "never-seen source", shared)
    for table, shared in zip(others, held[len(tables) :], strict=True):
        rows += measure(table, fitted.logits(table), "never-seen source", shared)

    metrics: dict[str, Any] = {
        "intervals": f"95 %, {N_BOOTSTRAP} bootstrap samples of prompts",
        "base_rate": round(base_rate, 4),
        "log_loss": {
            "base_rate": round(log_loss(base_logit, y, weight), 4),
            "held_out_prompts": round(log_loss(slope * np.concatenate(held_out) + offset, y, weight), 4),
            "never_seen_source": round(log_loss(slope * np.concatenate(unseen) + offset, y, weight), 4),
        },
        "calibration_error": {
            "held_out_prompts": round(calibration_error(p_held_out, y, weight), 4),
            "never_seen_source": round(calibration_error(p_unseen, y, weight), 4),
        },
        "summary": summary(rows),
        "pairs": rows,
        "dial_held_out_prompts": dial(p_held_out, gap, weight),
    }
    encoder = open_encoder("static")
    card = ArtifactCard.model_validate(
        {
            "format": 1,
            "kind": "logistic",
            "name": NAME,
            "version": VERSION,
            "features": {
                "version": FEATURE_VERSION,
                "names": [feature.name for feature in FEATURES],
                "phrases": [(feature.phrase, feature.absent) for feature in FEATURES],
            },
            "encoder": {"id": encoder.id, "dim": encoder.dim},
            "training": {
                "target": "the cheap model's answer scored at least as high as the strong model's",
                "sources": [source_card(table) for table in tables],
                "seed": SEED,
                "settings": {
                    "C": c,
                    "mean_of_both_log_losses_by_C": {f"{key:g}": round(value, 4) for key, value in losses.items()},
                    "n_folds": N_FOLDS,
                    "weights": "every source the same; within it, a data set by the root of its size",
                },
            },
            "calibration": {"method": "platt", "fitted_on": "out-of-fold predictions on held-out prompts"},
            # A user's traffic is a source it has never seen, so that is the dial it is used with.
            "dial": dial(p_unseen, gap, weight),
            "metrics": metrics,
            "limits": limits(metrics),
            "licence": "Apache-2.0",
            "attribution": [source.attribution for source in TRAINED]
            + ["sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), the embedding's teacher"],
        }
    )
    router = LogisticRouter(
        card,
        feature_mean=fitted.mean,
        feature_scale=fitted.scale,
        feature_weight=fitted.feature_weight,
        embedding_mean=fitted.embedding_mean.astype(np.float32),
        embedding_weight=fitted.embedding_weight.astype(np.float32),
        bias=fitted.bias,
        calibration=Calibration.platt(slope, offset),
        trained_prompts=np.unique(pooled(tables, "hashes")),
    )
    save(options.to, router, replace=True)
    print(json.dumps(metrics["summary"], indent=2))
    if options.page is not None:
        options.page.write_text(page(card), "utf-8")


def source_card(table: Table) -> dict[str, Any]:
    """What the card says of one source."""
    digest = hashlib.sha256(np.unique(table.hashes).astype("<u8").tobytes()).hexdigest()
    return {
        "name": table.source.name,
        "licence": table.source.licence,
        "attribution": table.source.attribution,
        "datasets": sorted(set(table.datasets.tolist())),
        "pairs": table.source.pairs,
        "n_prompts": len(table.prompts),
        "n_rows": int(table.answered.sum()),
        "prompts_sha256": digest,
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """AUC and APGR per setting and source: means over its pairs."""
    out: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows:
        out.setdefault(row["setting"], {})[row["source"]] = {}
    for setting, sources in out.items():
        for source, found in sources.items():
            mine = [row for row in rows if row["setting"] == setting and row["source"] == source]
            for key in ("auc", "apgr", "apgr_task_mean"):
                values = [row[key] for row in mine if row[key] is not None]
                found[key] = round(float(np.mean(values)), 3) if values else None
    return out


def limits(metrics: dict[str, Any]) -> list[str]:
    """What it can and cannot do, with the numbers that say so."""
    unseen = metrics["summary"]["never-seen source"]
    aucs = [found["auc"] for found in unseen.values()]
    apgrs = [found["apgr"] for found in unseen.values() if found["apgr"] is not None]
    return [
        "It knows neither your models nor your traffic: it was trained on recorded benchmark answers of models from "
        "2023 to 2025 and learned what kinds of prompt a cheaper model tends to do as well.",
        f"On sources it has never seen its AUC lies between {min(aucs):.2f} and {max(aucs):.2f} "
        f"(mean {np.mean(aucs):.2f}; 0.50 is chance) and its APGR between {min(apgrs):.2f} and {max(apgrs):.2f} "
        f"(mean {np.mean(apgrs):.2f}; 0.50 is random routing). Expect little from it on your traffic until you have "
        "measured it there.",
        f"Its probabilities carry little there: on never-seen sources its log loss is "
        f"{metrics['log_loss']['never_seen_source']:.3f}, that of always saying the base rate "
        f"{metrics['log_loss']['base_rate']:.3f} (lower is better); on held-out prompts of sources it knows it is "
        f"{metrics['log_loss']['held_out_prompts']:.3f}.",
        "The dial was measured on sources left out of training, because your traffic is such a source. It promises "
        "nothing: traffic of another kind can lose more. metrics.dial_held_out_prompts has the same table for held-out "
        "prompts of the sources it was trained on, where it does better.",
        "The probability is of an average pair of models. With a closer pair it is too low, with a wider one too high.",
        "Its training prompts are exam questions, mathematics, code, logic puzzles and text classification in eight "
        "languages. Conversations, long documents, tool calls and creative writing are hardly among them.",
        "It reads the prompt only. The cheap model's answer, once there, says more about itself.",
    ]


# ---------------------------------------------------------------- the page


def page(card: ArtifactCard) -> str:
    """The card for people."""
    lines = [
        "# The built-in router's card",
        "",
        "Written by `scripts/train_bundled_router.py` from the artifact's `card.json`; do not edit.",
        "",
        f"**{card.router}** gives P({card.training.target}). Features version {card.features.version} "
        f"({len(card.features.names)}), encoder `{card.encoder.id}` ({card.encoder.dim} dimensions). {card.licence}.",
        "",
        "## What it can and cannot do",
        "",
        *[f"- {sentence}" for sentence in card.limits],
        "",
        "## What to expect on traffic it has never seen",
        "",
        "Each source by a router trained without it; the last three were never trained on. Questions that stand in "
        "another source trained on, in whatever layout, are left out. "
        f"Intervals: {card.metrics['intervals']}. APGR of random routing is 0.50; *task mean* ranks by the data set's "
        "own measured gap, which a router that has never seen the source cannot know.",
        "",
        *_pair_rows(card, "never-seen source"),
        "",
        "## Held-out prompts of the sources it was trained on",
        "",
        *_pair_rows(card, "held-out prompts"),
        "",
        "## Calibration",
        "",
        f"Cheap was good enough in {card.metrics['base_rate']:.1%} of cases (sources weighted alike).",
        "",
        "| | log loss | expected calibration error |",
        "|---|---|---|",
        f"| always the base rate | {card.metrics['log_loss']['base_rate']:.4f} | |",
    ]
    for setting, key in (("held-out prompts", "held_out_prompts"), ("never-seen sources", "never_seen_source")):
        found = card.metrics["log_loss"][key], card.metrics["calibration_error"][key]
        lines.append(f"| {setting} | {found[0]:.4f} | {found[1]:.4f} |")
    lines += [
        "",
        "## Dial",
        "",
        "Quality is in score points (0 to 1) below always-strong, with its upper 95 % bound.",
        "",
    ]
    lines += ["On never-seen sources (what the `max_quality_loss` setting uses):", ""]
    lines += _dial_rows([point.model_dump() for point in card.dial])
    lines += ["", "On held-out prompts:", "", *_dial_rows(card.metrics["dial_held_out_prompts"])]
    lines += ["", "## Trained on", "", "| source | prompts | pairs | licence | by |", "|---|---|---|---|---|"]
    lines += [
        f"| {source.name} | {source.n_prompts:,} | {len(source.pairs)} | {source.licence} | {source.attribution} |"
        for source in card.training.sources
    ]
    lines += [
        "",
        "Measured on only, never trained on: " + "; ".join(source.attribution for source in MEASURED_ONLY) + ".",
    ]
    return "\n".join(lines) + "\n"


def _pair_rows(card: ArtifactCard, setting: str) -> list[str]:
    lines = [
        "| source | cheap → strong | n | scores | AUC | APGR | APGR, task mean |",
        "|---|---|---|---|---|---|---|",
    ]
    return lines + [
        f"| {row['source']} | {row['cheap'].split('/')[-1]} → {row['strong'].split('/')[-1]} | {row['n']:,} | "
        f"{row['cheap_score']:.2f} → {row['strong_score']:.2f} | {_with_interval(row, 'auc')} | "
        f"{_with_interval(row, 'apgr')} | {_number(row['apgr_task_mean'])} |"
        for row in card.metrics["pairs"]
        if row["setting"] == setting
    ]


def _with_interval(row: dict[str, Any], key: str) -> str:
    if row[key] is None:
        return "no gap"
    found = row[f"{key}_ci"]
    return f"{row[key]:.2f}" if found is None else f"{row[key]:.2f} [{found[0]:.2f}, {found[1]:.2f}]"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _dial_rows(points: Sequence[dict[str, float]]) -> list[str]:
    return [
        "| threshold | strong calls | quality lost | upper bound |",
        "|---|---|---|---|",
        *[
            f"| {point['threshold']:.4f} | {point['strong_share']:.0%} | {point['quality_loss']:.4f} | "
            f"{point['quality_loss_upper']:.4f} |"
            for point in points
        ],
    ]


if __name__ == "__main__":
    main()
