"""Wires the label stage: a folder's rows become tasks and answers, scores go back into the rows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointsman.collect import Journal, PlannedCall
from pointsman.errors import BadRequest, DataError, PointsmanError
from pointsman.label import (
    NO_GOOD_ANSWER,
    Ideal,
    JudgeReply,
    JudgeReport,
    Pairwise,
    Question,
    Rubric,
    Task,
    ideal_of,
    knn_p_cheap,
    references_of,
    select_active,
    select_random,
)
from pointsman.vocabulary import FloatArray

from .eval_set_files import (
    PROMPTS,
    TRIPLES,
    OutcomeRow,
    read_card,
    read_outcomes,
    write_card,
    write_lines,
    write_outcomes,
)
from .prompt_files import PromptRow
from .request_files import json_lines, parquet_rows

if TYPE_CHECKING:
    from pointsman.collect import Summary
    from pointsman.vocabulary import Model

Key = tuple[str, str]
"""(dataset, prompt id)."""

EXPECTED_VERDICT_TOKENS = 60
"""One sentence of reason and a verdict."""


@dataclass(slots=True)
class Folder:
    """A data folder in memory.

    Attributes:
        rows: its outcomes, changed in place.
        tasks: by prompt, in the order of the rows.
        answers: by prompt, each model's answer; a model without an answer is not in it.
        models: cheapest first.
        bodies: the request bodies of prompts that were collected here.
        tags: by prompt.
    """

    path: Path
    rows: list[OutcomeRow]
    tasks: dict[Key, Task]
    answers: dict[Key, dict[str, str | None]]
    models: list[str]
    bodies: dict[Key, Any] = field(default_factory=dict)
    tags: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def scores(self) -> dict[Key, dict[str, float]]:
        """Scores by prompt and model; NaN where there is none."""
        out: dict[Key, dict[str, float]] = {key: {} for key in self.tasks}
        for row in self.rows:
            out[_key(row)][row["model"]] = _number(row.get("score"))
        return out

    def take(self, scores: Mapping[Key, Mapping[str, float]]) -> None:
        """Puts scores into the rows; a NaN takes the place of what was there."""
        for row in self.rows:
            new = scores.get(_key(row), {}).get(row["model"])
            if new is not None:
                row["score"] = new
                # The card says who labels now; what use had said of the answer no longer holds.
                row.update({name: None for name in ("labelled_by", "weight") if name in row})


def open_folder(path: Path, *, models: Sequence[str], references: Path | None) -> Folder:
    """A folder's outcomes and what is known of right answers.

    Args:
        path: a folder with outcomes.
        models: cheapest first; empty sorts them by what their answers cost.
        references: a further file with `prompt_id` (and `dataset`) and references.

    Raises:
        DataError: there are no outcomes with answers in it, or the models' order is not known.
        BadRequest: a model is not in it.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a folder; expected one that pointsman collect or import made")
    rows = read_outcomes(path)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("prompt_id"), str) or not isinstance(row.get("model"), str):
            raise DataError(f"{path}: row {number} of the outcomes has no prompt_id or no model")
        row.setdefault("dataset", "")
        row["dataset"] = "" if row["dataset"] is None else row["dataset"]
    if not rows:
        raise DataError(f"{path} holds no outcomes; run pointsman collect first")
    if not any(isinstance(row.get("response"), str) for row in rows):
        raise DataError(f"the outcomes in {path} hold no answers (column response), so there is nothing to score")
    known = _references(path, references)
    folder = Folder(path, rows, {}, {}, [])
    for row in rows:
        key = _key(row)
        if key not in folder.tasks:
            # A file of references need not say the dataset.
            extra = {**known.get(("", key[1]), {}), **known.get(key, {})}
            folder.tasks[key] = _task(key, row["prompt"] if isinstance(row.get("prompt"), str) else "", extra)
            folder.answers[key] = {}
            if "body" in extra:
                folder.bodies[key] = extra["body"]
            folder.tags[key] = _own_tags(extra.get("tags"), key[0])
        if isinstance(row.get("response"), str):
            folder.answers[key][row["model"]] = row["response"]
    folder.models = _in_order(rows, models)
    return folder


def _references(path: Path, extra: Path | None) -> dict[Key, dict[str, Any]]:
    known: dict[Key, dict[str, Any]] = {}
    for file in (path / PROMPTS, path / TRIPLES, extra):
        if file is None or (file is not extra and not file.is_file()):
            continue
        if not file.is_file():
            raise BadRequest(f"{file}: no such file; expected JSONL or Parquet with prompt_id and reference")
        for row in parquet_rows(file, all_columns=True) if file.suffix == ".parquet" else json_lines(file):
            id_ = row.get("prompt_id", row.get("id"))
            if id_ is None:
                raise BadRequest(f"{file}: a row has no prompt_id")
            held = known.setdefault((str(row.get("dataset") or ""), str(id_)), {})
            # The ideal output of earlier labelling may be a model's answer, which is no reference.
            names = [name for name in row if file.name != TRIPLES or name == "tags"]
            held.update((name, row[name]) for name in names if row[name] is not None)
    return known


def _own_tags(tags: object, dataset: str) -> tuple[str, ...]:
    """The user's tags, without those that labelling adds."""
    if not isinstance(tags, list):
        return ()
    return tuple(dict.fromkeys(str(tag) for tag in tags if tag not in (dataset, NO_GOOD_ANSWER)))


def _task(key: Key, prompt: str, extra: Mapping[str, Any]) -> Task:
    found = next(
        (refs for name in ("reference", "ideal_output", "answer") if (refs := references_of(extra.get(name)))), ()
    )
    pattern, tests, schema = extra.get("pattern"), extra.get("tests"), extra.get("schema")
    return Task(
        dataset=key[0],
        prompt_id=key[1],
        prompt=prompt,
        references=found,
        pattern=pattern if isinstance(pattern, str) else None,
        schema=_schema(schema),
        tests=tests if isinstance(tests, str) else None,
    )


def _schema(value: object) -> Mapping[str, Any] | bool | None:
    if isinstance(value, str):
        import orjson

        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise DataError("a `schema` in the prompts is text that is no JSON") from error
    return value if isinstance(value, Mapping | bool) else None


def _in_order(rows: Sequence[OutcomeRow], wanted: Sequence[str]) -> list[str]:
    there = list(dict.fromkeys(row["model"] for row in rows))
    if wanted:
        missing = [name for name in wanted if name not in there]
        if missing or len(set(wanted)) < len(wanted):
            raise BadRequest(f"--models: expected different ones of {', '.join(there)}; got {', '.join(wanted)}")
        return list(wanted)
    if len(there) == 1:
        return there
    costs: dict[str, list[float]] = {name: [] for name in there}
    for row in rows:
        cost = _number(row.get("cost_usd"))
        if not math.isnan(cost):
            costs[row["model"]].append(cost)
    if not all(costs.values()):
        raise DataError(
            "the models' costs are not known, so they cannot be put in order; give --models from cheap to strong"
        )
    return sorted(there, key=lambda name: (sum(costs[name]) / len(costs[name]), name))


def _key(row: Mapping[str, Any]) -> Key:
    return (row["dataset"], row["prompt_id"])


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


# ---------------------------------------------------------------- judging


@dataclass(frozen=True, slots=True)
class Judging:
    """A judge's questions about some prompts, planned as calls."""

    judge: Pairwise | Rubric
    tasks: list[Task]
    answers: list[dict[str, str | None]]
    models: list[str]
    calls: list[PlannedCall]

    def scores(self, summary: Summary) -> tuple[dict[Key, dict[str, float]], JudgeReport]:
        """What the answers to the calls say."""
        keys = {planned.key: planned.prompt_id for planned in self.calls}
        replies = {
            keys[key]: JudgeReply(done.response, done.cost_usd) for key, done in summary.done.items() if key in keys
        }
        found, report = self.judge.scores(self.tasks, self.answers, self.models, replies)
        return {(task.dataset, task.prompt_id): row for task, row in zip(self.tasks, found, strict=True)}, report


def plan_judging(
    folder: Folder, keys: Sequence[Key], judge: Pairwise | Rubric, model: Model, *, max_output_tokens: int
) -> Judging:
    """The judge's questions as calls of its model.

    Raises:
        BadRequest: there is nothing to compare.
    """
    from pointsman.wire import build_request

    from . import collecting

    if isinstance(judge, Pairwise) and len(folder.models) < 2:
        raise BadRequest("a pairwise judge compares two models' answers and there is one; use --judge-mode rubric")
    tasks = [folder.tasks[key] for key in keys]
    answers = [folder.answers[key] for key in keys]
    asked: list[Question] = judge.questions(tasks, answers, folder.models)
    prompts = [PromptRow(question.id, "judge", build_request(prompt=question.prompt), plain=True) for question in asked]
    calls = collecting.plan(
        prompts, [model], max_output_tokens=max_output_tokens, expected_output_tokens=EXPECTED_VERDICT_TOKENS
    )
    return Judging(judge, tasks, answers, folder.models, calls)


def open_journal(folder: Folder) -> Journal:
    """The journal of what judges said of this folder's answers."""
    return Journal(folder.path / "judge.journal.jsonl")


# ---------------------------------------------------------------- choosing


def choose(folder: Folder, n: int, how: str, *, seed: int, config: Path | None, threshold: float) -> list[Key]:
    """At most n prompts without labels to label next.

    "active" prefers prompts that are uncertain and unlike each other: P(cheap is good enough) is the router's, updated
    by the nearest labelled prompts; see `pointsman.label.select`. "random" draws evenly.
    """
    keys = list(folder.tasks)
    scores = folder.scores()
    cheap = folder.models[0]
    labelled = np.asarray(
        [i for i, key in enumerate(keys) if any(not math.isnan(score) for score in scores[key].values())],
        dtype=np.int64,
    )
    rng = np.random.default_rng(seed)
    if how == "random":
        picked = select_random(len(keys), labelled, n, rng)
    else:
        vectors, prior = _vectors_and_prior(folder, keys, config)
        of_cheap = np.asarray([scores[keys[i]].get(cheap, math.nan) for i in labelled], dtype=np.float32)
        known = ~np.isnan(of_cheap)
        p_cheap = knn_p_cheap(vectors, prior, labelled[known], (of_cheap[known] >= threshold).astype(np.float32))
        picked = select_active(vectors, p_cheap, labelled, n, rng)
    return [keys[i] for i in picked]


def _vectors_and_prior(folder: Folder, keys: Sequence[Key], config: Path | None) -> tuple[FloatArray, FloatArray]:
    from pointsman.features import open_encoder
    from pointsman.router import Router
    from pointsman.wire import build_request

    texts = [folder.tasks[key].prompt for key in keys]
    vectors = open_encoder("static").encode(texts)
    scorer = Router.for_decisions(config).scorer
    if scorer is None:
        return vectors, np.full(len(texts), 0.5, dtype=np.float32)
    scored = scorer.score_batch([build_request(prompt=text) for text in texts])
    return vectors, np.asarray([each.p_cheap for each in scored], dtype=np.float32)


# ---------------------------------------------------------------- writing


def ideals(folder: Folder, *, threshold: float, margin: float | None) -> dict[Key, Ideal]:
    """The ideal model and output of every prompt."""
    scores = folder.scores()
    return {
        key: ideal_of(
            folder.models,
            scores[key],
            folder.answers[key],
            task.references,
            threshold=threshold,
            margin=margin,
        )
        for key, task in folder.tasks.items()
    }


def tier_names(folder: Folder, config: Path | None) -> dict[str, str]:
    """The configured tier of each model; a model that stands in none, or without a configuration, its own name."""
    from pointsman import assembly

    names = {model: model for model in folder.models}
    try:
        parts = assembly.from_config(config)
    except PointsmanError:
        if config is not None:
            raise
        return names
    for tier in reversed(parts.tiers):
        names.update((model, tier.name) for model in tier.models if model in names)
    return names


def write(
    folder: Folder,
    found: Mapping[Key, Ideal],
    tiers: Mapping[str, str],
    *,
    labelled_by: Mapping[str, Any],
    good_enough: Mapping[str, Any],
) -> None:
    """Writes outcomes, triples and card, each whole or not at all; triples only of prompts whose ideal tier is known.

    The card comes last and bears the content's hash, so that an eval set cut off in between is told from a whole one;
    labelling again mends it. The journals beside them stay.

    Raises:
        DataError: a file cannot be written.
    """
    import orjson

    old = read_card(folder.path)
    write_outcomes(folder.path, folder.rows)
    ids = _triple_ids(folder.tasks)
    triples = (
        {
            "id": ids[key],
            "input": _input(folder, key),
            "ideal_tier": None if ideal.model is None else tiers[ideal.model],
            "ideal_output": ideal.output,
            "tags": [*([key[0]] if key[0] else []), *folder.tags[key], *ideal.tags],
        }
        for key, ideal in found.items()
        if ideal.known
    )
    write_lines(folder.path / TRIPLES, (orjson.dumps(triple) for triple in triples))
    sources = old.get("sources")
    write_card(
        folder.path,
        fields={
            "sources": tuple(sources) if isinstance(sources, list) else ({"collected": folder.path.name},),
            "licence": old.get("licence"),
            "judge": dict(labelled_by),
            "split_seed": old.get("split_seed", 0),
            "models": tuple(folder.models),
        },
        extra={
            "tiers": [tiers[model] for model in folder.models],
            "good_enough": dict(good_enough),
            # Who labelled before; `judge` is the latest.
            "labelled_before": [*old.get("labelled_before", []), *([old["judge"]] if old.get("judge") else [])],
        },
    )


def _triple_ids(keys: Iterable[Key]) -> dict[Key, str]:
    """The prompt's id, with its dataset before it where two datasets use the same id."""
    held = list(keys)
    n_of: dict[str, int] = {}
    for _, id_ in held:
        n_of[id_] = n_of.get(id_, 0) + 1
    return {key: key[1] if n_of[key[1]] == 1 else f"{key[0]}/{key[1]}" for key in held}


def _input(folder: Folder, key: Key) -> Any:
    """The prompt's text, or its messages where there is more than one."""
    body = folder.bodies.get(key)
    if isinstance(body, Mapping):
        messages = body.get("messages", body.get("input"))
        if isinstance(messages, list) and (len(messages) > 1 or "system" in body):
            return [{"role": "system", "content": body["system"]}, *messages] if "system" in body else messages
    return folder.tasks[key].prompt
