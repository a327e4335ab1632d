"""What a report says beyond an evaluation: the worst misroutes, what moved decisions, which code made the numbers."""

from __future__ import annotations

import hashlib
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

import pointsman
from pointsman.vocabulary import Outcomes, Score

from .contents import Misroute, Moved, Provenance

LIBRARIES: Final = ("numpy", "scipy", "scikit-learn", "polars")
MIN_SHARE: Final = 0.01
"""A trait among the strongest in fewer prompts than this is an anecdote."""


def worst_misroutes(
    outcomes: Outcomes,
    served: Sequence[int],
    *,
    p_good: Sequence[float] | None = None,
    good_enough: float = 0.5,
    limit: int = 12,
    with_prompts: bool = True,
) -> tuple[Misroute, ...]:
    """The decisions that lost most score, then those that wasted most money; equal ones by how sure the router was.

    A misroute is a decision for another model than the ideal one: the cheapest whose score is good enough, the cheapest
    of all when none is. Prompts that lack the score of some model are left out. At most two thirds are of one kind, as
    long as there are enough of the other.

    Args:
        outcomes: what the models scored.
        served: shape (n,), the number of the model that served each prompt.
        p_good: shape (n,), the router's chance that the cheapest model is good enough.
        good_enough: the score from which an answer is good.
        limit: how many to give.
        with_prompts: False keeps their texts out.
    """
    lost: list[tuple[float, float, int]] = []
    wasted: list[tuple[float, float, int]] = []
    for row, model in enumerate(served):
        scores = [float(each) for each in outcomes.score[row]]
        if any(math.isnan(each) for each in scores):
            continue
        ideal = _ideal(scores, good_enough)
        if ideal == model:
            continue
        sure = 0.0 if p_good is None else abs(float(p_good[row]) - 0.5)
        loss = scores[ideal] - scores[model]
        if loss > 0:
            lost.append((-loss, -sure, row))
        elif ideal < model:
            costs = outcomes.cost_usd[row]
            waste = float(costs[model] - costs[ideal])
            wasted.append((0.0 if math.isnan(waste) else -waste, -sure, row))
    most = math.ceil(2 * limit / 3)
    n_lost = min(len(lost), max(most, limit - len(wasted)))
    rows = [row for *_, row in sorted(lost)[:n_lost]] + [row for *_, row in sorted(wasted)[: limit - n_lost]]
    return tuple(_misroute(outcomes, row, served[row], p_good, good_enough, with_prompts) for row in rows)


def _ideal(scores: Sequence[float], good_enough: float) -> int:
    return next((place for place, each in enumerate(scores) if each >= good_enough), 0)


def _misroute(
    outcomes: Outcomes,
    row: int,
    served: int,
    p_good: Sequence[float] | None,
    good_enough: float,
    with_prompts: bool,
) -> Misroute:
    scores = [float(each) for each in outcomes.score[row]]
    costs = [float(each) for each in outcomes.cost_usd[row]]
    return Misroute(
        prompt_id=outcomes.prompt_ids[row],
        dataset=outcomes.datasets[row],
        served=outcomes.models[served],
        ideal=outcomes.models[_ideal(scores, good_enough)],
        scores=dict(zip(outcomes.models, scores, strict=True)),
        costs_usd={
            model: None if math.isnan(cost) else cost for model, cost in zip(outcomes.models, costs, strict=True)
        },
        p_good=None if p_good is None else float(p_good[row]),
        prompt=outcomes.prompts[row] if with_prompts else None,
    )


def what_moved(scores: Iterable[Score]) -> tuple[Moved, ...]:
    """How much each trait moved decisions: its mean effect over the prompts where it was among the strongest.

    Traits are told apart by their feature and direction, since "short" and "long" are the same feature; the words are
    those of the first prompt, without its number in brackets.
    """
    found: dict[tuple[str, bool], list[float]] = {}
    words: dict[tuple[str, bool], str] = {}
    n = 0
    for score in scores:
        n += 1
        for each in score.moved:
            key = each.feature, each.effect >= 0
            found.setdefault(key, []).append(each.effect)
            words.setdefault(key, each.text.rpartition(" (")[0] or each.text)
    moved = [
        Moved(words[key], sum(effects) / len(effects), len(effects) / n)
        for key, effects in found.items()
        if len(effects) >= MIN_SHARE * n
    ]
    # By what it did over all prompts: a strong trait of few counts as much as a weak one of many.
    return tuple(sorted(moved, key=lambda each: (-abs(each.effect) * (each.share or 0.0), each.text)))


def provenance_here(
    *,
    router: str | None = None,
    command: str | None = None,
    sources: Sequence[str] = (),
    seeds: Mapping[str, int] | None = None,
    out_of_sample: bool | None = None,
) -> Provenance:
    """The provenance of numbers made by this process: this code, this Python, these libraries."""
    versions = {"pointsman": pointsman.__version__, "Python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return Provenance(
        router=router,
        code_hash=code_hash(),
        versions=versions,
        command=command,
        sources=tuple(sources),
        seeds={} if seeds is None else dict(seeds),
        out_of_sample=out_of_sample,
    )


def code_hash(root: Path | None = None) -> str:
    """SHA-256 over the names and contents of the package's Python files, hexadecimal; by name, in order."""
    folder = Path(pointsman.__file__).parent if root is None else root
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix().encode()
        content = path.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name, len(content)))
        digest.update(content)
    return digest.hexdigest()
