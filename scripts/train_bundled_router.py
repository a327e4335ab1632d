"""Trains the router that comes with the package, measures it, and writes the artifact and its page.

    pip install 'pointsman[train]'
    python scripts/train_bundled_router.py DATA_DIR --to src/pointsman/score/builtin --page docs/router-card.md

DATA_DIR holds one Parquet file per source (`SOURCE_dev.parquet`: dataset, prompt_id, prompt, model, score). Only the
sources in `TRAINED`, whose licences allow weights to be shipped, are learned from; those in `MEASURED_ONLY` are never
seen by the fit. Everything is seeded.

It is learned by the engine that `pointsman train` uses, from outcomes of two parts to play, "cheap" and "strong":
`N_PER_SOURCE` prompts of every source, each answered by one of the source's pairs, drawn at random. What is measured:

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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pointsman.evaluate import ScoredPolicy, evaluate
from pointsman.learned import Skill
from pointsman.prompt_identity import prompt_hashes
from pointsman.reading import read_inputs
from pointsman.router_artifact import named_encoder
from pointsman.score import ArtifactCard, LearnedRouter, save
from pointsman.study import encoder_card, features_card, learner_for
from pointsman.train import Inputs, out_of_fold
from pointsman.tune import dial_points
from pointsman.vocabulary import Outcomes

NAME, VERSION = "pointsman-builtin", "2"
ROLES = ("cheap", "strong")
SEED = 20261125
N_FOLDS = 5
N_RESAMPLES = 400
N_PER_SOURCE = 2_753
"""All of the smallest source, so that every source has the same weight."""
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


@dataclass(frozen=True)
class Table:
    """One source; row i is prompt i, column j is pair j."""

    source: Source
    prompts: list[str]
    datasets: list[str]
    hashes: NDArray[np.uint64]
    inputs: Inputs
    cheap: Floats
    strong: Floats

    @property
    def answered(self) -> NDArray[np.bool_]:
        """Where both models of the pair have a score."""
        return ~np.isnan(self.cheap) & ~np.isnan(self.strong)

    def outcomes(self, rows: NDArray[np.int64], pair: NDArray[np.int64]) -> Outcomes:
        """These prompts as answered by these pairs, one each, under the names of the parts they play."""
        score = np.column_stack((self.cheap[rows, pair], self.strong[rows, pair])).astype(np.float32)
        unknown = np.full(score.shape, np.nan, dtype=np.float32)
        return Outcomes(
            models=ROLES,
            prompt_ids=tuple(f"{self.source.name}:{row}" for row in rows.tolist()),
            datasets=tuple(f"{self.source.name}/{self.datasets[row]}" for row in rows.tolist()),
            prompts=tuple(self.prompts[row] for row in rows.tolist()),
            groups=self.hashes[rows].view(np.int64),
            score=score,
            cost_usd=unknown,
            confidence=unknown,
        )


def read(folder: Path, source: Source) -> Table:
    """The source's outcomes, one row per prompt, with what training reads of it."""
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
        wide["dataset"].to_list(),
        prompt_hashes(texts),
        read_inputs(texts, "static"),
        np.stack([wide[cheap].to_numpy() for cheap, _ in source.pairs], axis=1),
        np.stack([wide[strong].to_numpy() for _, strong in source.pairs], axis=1),
    )


# ---------------------------------------------------------------- what is learned from


@dataclass(frozen=True)
class Drawn:
    """The prompts of one source that are learned from, each with the pair that answered it."""

    table: Table
    rows: NDArray[np.int64]
    outcomes: Outcomes


def drawn(table: Table, generator: np.random.Generator) -> Drawn:
    """`N_PER_SOURCE` prompts that some pair answered, each with one such pair."""
    answered = table.answered
    usable = np.flatnonzero(answered.any(axis=1))
    rows = np.sort(generator.choice(usable, size=min(N_PER_SOURCE, len(usable)), replace=False))
    pair = np.array([generator.choice(np.flatnonzero(answered[row])) for row in rows.tolist()])
    return Drawn(table, rows, table.outcomes(rows, pair))


def pooled(parts: Sequence[Drawn]) -> tuple[Outcomes, Inputs]:
    """All parts in a row."""
    outcomes = Outcomes(
        models=ROLES,
        prompt_ids=tuple(id_ for part in parts for id_ in part.outcomes.prompt_ids),
        datasets=tuple(name for part in parts for name in part.outcomes.datasets),
        prompts=tuple(text for part in parts for text in part.outcomes.prompts),
        groups=np.concatenate([part.outcomes.groups for part in parts]),
        score=np.concatenate([part.outcomes.score for part in parts]),
        cost_usd=np.concatenate([part.outcomes.cost_usd for part in parts]),
        confidence=np.concatenate([part.outcomes.confidence for part in parts]),
    )
    features = np.concatenate([part.table.inputs.features[part.rows] for part in parts])
    vectors = np.concatenate([part.table.inputs.embeddings[part.rows] for part in parts])
    return outcomes, Inputs.read(outcomes.prompts, extract=lambda _: features, encode=lambda _: vectors)


# ---------------------------------------------------------------- measuring


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


def measure(
    table: Table, rows: NDArray[np.int64], p_cheap: Floats, setting: str, left_out: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """What a prediction is worth for each pair on these rows, beside ranking by the data set's name alone."""
    found = []
    for j, (cheap_name, strong_name) in enumerate(table.source.pairs):
        answered = table.answered[rows, j]
        kept = answered & ~left_out[rows]
        outcomes = table.outcomes(rows[kept], np.full(int(kept.sum()), j))
        cheap, strong = outcomes.score.mean(axis=0, dtype=np.float64).tolist()
        row: dict[str, Any] = {
            "setting": setting,
            "source": table.source.name,
            "cheap": cheap_name,
            "strong": strong_name,
            "n": int(kept.sum()),
            "n_left_out": int((answered & left_out[rows]).sum()),
            "cheap_score": round(cheap, 4),
            "strong_score": round(strong, 4),
            "apgr": None,
            "apgr_ci": None,
            "apgr_random": 0.5,
            "apgr_task_mean": None,
        }
        result = evaluate(outcomes, [ScoredPolicy("router", p_cheap[kept])], seed=SEED, n_resamples=N_RESAMPLES)
        line, calibration = result.policies[0], result.calibration[0]
        row["auc"] = None if calibration.auc is None else round(calibration.auc, 4)
        row["calibration_error"] = round(calibration.ece_equal_mass, 4)
        if strong - cheap >= SMALLEST_GAP and line.apgr is not None and line.apgr_ci is not None:
            by_task = next(control.apgr for control in result.controls if control.name.startswith("task mean"))
            row["apgr"] = round(line.apgr, 4)
            row["apgr_ci"] = [round(end, 4) for end in line.apgr_ci]
            row["apgr_task_mean"] = None if by_task is None else round(by_task, 4)
        found.append(row)
    return found


def log_loss(p: Floats, good: NDArray[np.bool_]) -> float:
    """Cross-entropy in nats."""
    clipped = np.clip(p, 1e-4, 1 - 1e-4)
    return float(-np.mean(np.where(good, np.log(clipped), np.log(1 - clipped))))


# ---------------------------------------------------------------- the whole


def main() -> None:
    """Reads, fits, measures, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA_DIR")
    parser.add_argument("--to", type=Path, required=True, help="the artifact's folder; replaced when it exists")
    parser.add_argument("--page", type=Path, help="also write the card as a page for people (Markdown)")
    options = parser.parse_args()

    generator = np.random.default_rng(SEED)
    tables = [read(options.data, source) for source in TRAINED]
    others = [read(options.data, source) for source in MEASURED_ONLY]
    parts = [drawn(table, generator) for table in tables]
    outcomes, inputs = pooled(parts)
    learner = learner_for(ROLES, seed=SEED)
    held_out = out_of_fold(learner, outcomes, n_folds=N_FOLDS, inputs=inputs).p_cheap[:, 0].astype(np.float64)
    print("out of fold: done", flush=True)

    rows: list[dict[str, Any]] = []
    held = held_by_others([*tables, *others], tables)
    start, p_unseen = 0, np.empty(outcomes.n)
    for index, part in enumerate(parts):
        here = slice(start, start + len(part.rows))
        start = here.stop
        nothing = np.zeros(len(part.table.prompts), dtype=np.bool_)
        rows += measure(part.table, part.rows, held_out[here], "held-out prompts", nothing)
        rest, rest_inputs = pooled(parts[:index] + parts[index + 1 :])
        p = predicted(learner.fit(rest, rest_inputs).skill_, part.table)
        p_unseen[here] = p[part.rows]
        everything = np.arange(len(part.table.prompts))
        rows += measure(part.table, everything, p, "never-seen source", held[index])
        print(f"without {part.table.source.name}: done", flush=True)

    skill = learner.fit(outcomes, inputs).skill_.for_pair(ROLES)
    for table, shared in zip(others, held[len(tables) :], strict=True):
        everything = np.arange(len(table.prompts))
        rows += measure(table, everything, predicted(skill, table), "never-seen source", shared)
    rows.sort(key=lambda row: row["setting"] != "never-seen source")

    good = outcomes.score[:, 0] >= outcomes.score[:, 1]
    base_rate = float(good.mean())
    metrics: dict[str, Any] = {
        "intervals": f"95 %, {N_RESAMPLES} bootstrap samples of prompts",
        "base_rate": round(base_rate, 4),
        "log_loss": {
            "base_rate": round(log_loss(np.full(outcomes.n, base_rate), good), 4),
            "held_out_prompts": round(log_loss(held_out, good), 4),
            "never_seen_source": round(log_loss(p_unseen, good), 4),
        },
        "summary": summary(rows),
        "pairs": rows,
        "dial_held_out_prompts": [asdict(point) for point in dial_points(outcomes, held_out)],
    }
    card = ArtifactCard.model_validate(
        {
            "format": 2,
            "kind": "learned",
            "name": NAME,
            "version": VERSION,
            "models": ROLES,
            "pairs": [ROLES],
            "generic": True,
            "features": features_card(),
            "encoder": encoder_card("static", named_encoder("static")),
            "training": {
                "target": "the cheap model's answer scored at least as high as the strong model's",
                "n_prompts": outcomes.n,
                "sources": [source_card(part) for part in parts],
                "seed": SEED,
                "settings": {"n_folds": N_FOLDS, "weights": f"{N_PER_SOURCE} prompts of every source, one pair each"},
            },
            "calibration": {
                "method": "logistic curve bent by isotonic means",
                "fitted_on": "predictions for prompts that the weights had not seen",
            },
            # A user's traffic is a source it has never seen, so that is the dial it is used with.
            "dial": [asdict(point) for point in dial_points(outcomes, p_unseen)],
            "metrics": metrics,
            "limits": limits(metrics),
            "licence": "Apache-2.0",
            "attribution": [source.attribution for source in TRAINED]
            + ["sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), the embedding's teacher"],
        }
    )
    trained = np.unique(outcomes.groups.view(np.uint64))
    save(options.to, LearnedRouter(card, skill, trained_prompts=trained), replace=True)
    print(json.dumps(metrics["summary"], indent=2))
    if options.page is not None:
        options.page.write_text(page(card), "utf-8")


def predicted(skill: Skill, table: Table) -> Floats:
    """P(cheap does as well) of a table's prompts."""
    inputs = table.inputs
    p = skill.predict(inputs.features, inputs.embeddings, inputs.texts).p_cheap[:, 0]
    return np.asarray(p, dtype=np.float64)


def source_card(part: Drawn) -> dict[str, Any]:
    """What the card says of one source."""
    source, hashes = part.table.source, np.unique(part.table.hashes[part.rows])
    return {
        "name": source.name,
        "licence": source.licence,
        "attribution": source.attribution,
        "datasets": sorted(set(part.table.datasets)),
        "pairs": source.pairs,
        "n_prompts": len(part.rows),
        "n_rows": 2 * len(part.rows),
        "prompts_sha256": hashlib.sha256(hashes.astype("<u8").tobytes()).hexdigest(),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    """AUC and APGR per setting and source: means over its pairs."""
    out: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in rows:
        out.setdefault(row["setting"], {})[row["source"]] = {}
    for setting, sources in out.items():
        for source, found in sources.items():
            mine = [row for row in rows if row["setting"] == setting and row["source"] == source]
            for key in ("auc", "apgr", "apgr_task_mean", "calibration_error"):
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
        "| | log loss |",
        "|---|---|",
        f"| always the base rate | {card.metrics['log_loss']['base_rate']:.4f} |",
    ]
    for setting, key in (("held-out prompts", "held_out_prompts"), ("never-seen sources", "never_seen_source")):
        lines.append(f"| {setting} | {card.metrics['log_loss'][key]:.4f} |")
    lines += [
        "",
        "## Dial",
        "",
        "Quality lost is a share of always-strong's, with the upper end of its 95 % interval.",
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
        f"{row['cheap_score']:.2f} → {row['strong_score']:.2f} | {_number(row['auc'])} | "
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
