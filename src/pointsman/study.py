"""Wires the stages of a dataset's path: outcomes → train → tune → evaluate, with the features that serving uses.

Scores that an evaluation uses must not have seen the outcomes they are measured on: `held_out_scores` trains on the
other folds, and a router artifact's own training prompts are left out by the commands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import features, judge
from .cascade_study import learned_answers
from .engine import LOCAL, Engine
from .errors import DataError
from .evaluate import Evaluation, ScoredPolicy, evaluate
from .evaluate.calibration import auc, calibration
from .learned import LearnedAnswers
from .outcomes import take
from .reading import encode_by, read_inputs
from .router_artifact import NO_ENCODER, OpenedRouter, named_encoder, read_features
from .score import ArtifactCard, LearnedRouter
from .train import (
    Inputs,
    OutOfFold,
    RouterLearner,
    decision_flip_share,
    drawn,
    out_of_fold,
    place_new_model,
    place_new_pair,
)
from .tune import dial_points
from .vocabulary import DialPoint, Encoder, JSONObject, Outcomes

ALL_PAIRS_UP_TO: Final = 4
"""Up to this many models every pair is learned, so that any part of the tiers can be measured; else each with the
last."""
GOOD: Final = 0.5
"""An answer with this score or more counts as good where it must be one or the other."""
N_ROBUSTNESS_PROMPTS: Final = 400
N_RESAMPLES: Final = 500
"""For the intervals in an artifact's card."""
MIN_DIAL_PROMPTS: Final = 50
"""From fewer prompts no dial is measured."""
_STEPS: Final = 1_000
"""That learning is told in."""

TrainKind: TypeAlias = Literal["prompt", "answer", "both"]
"""What is learned: what prompts say before any call, what answers are worth, or both."""

Advance = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it is done, and how much there is."""


def learner_for(
    models: Sequence[str], *, encoder: str = "static", seed: int = 0, all_pairs: bool = False
) -> RouterLearner:
    """A learner of each model against the last, which is the quality reference.

    Args:
        encoder: as `router_artifact.named_encoder` takes it.
        all_pairs: learn every pair of up to `ALL_PAIRS_UP_TO` models.

    Raises:
        EncoderError: there is no such encoder.
    """
    return RouterLearner(
        extract=read_features,
        encode=encode_by(encoder),
        pairs=pairs_for(models, all_pairs=all_pairs),
        seed=seed,
    )


def pairs_for(models: Sequence[str], *, all_pairs: bool) -> tuple[tuple[str, str], ...]:
    """(cheap, strong) for every pair of few models, else for each model with the last."""
    if all_pairs and len(models) <= ALL_PAIRS_UP_TO:
        return tuple((cheap, strong) for j, strong in enumerate(models) for cheap in models[:j])
    return tuple((model, models[-1]) for model in models[:-1])


def held_out_scores(
    outcomes: Outcomes, *, n_folds: int = 5, encoder: str = "static", seed: int = 0, engine: Engine = LOCAL
) -> tuple[NDArray[np.floating], OutOfFold]:
    """P(each model but the last does as well as the last), shape (n, m - 1), by routers that had not seen the prompt.

    Args:
        engine: reads the prompts in parts, and learns each fold.

    Raises:
        DataError: there are too few outcomes to learn from.
        EncoderError: there is no such encoder.
    """
    learner = learner_for(outcomes.models, encoder=encoder, seed=seed)
    inputs = read_inputs(outcomes.prompts, encoder, engine=engine)
    predicted = out_of_fold(learner, outcomes, n_folds=n_folds, inputs=inputs, each=engine.map)
    return predicted.p_cheap, predicted


# ---------------------------------------------------------------- training a router


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a router is trained, apart from the data."""

    name: str
    version: str = "1"
    encoder: str = "static"
    seed: int = 0
    kind: TrainKind = "prompt"
    licence: str = "not stated"
    sources: tuple[JSONObject, ...] = ()
    """For the card: name, licence, attribution of each; what was counted is added."""
    attribution: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrainedRouter:
    """A router ready to be saved, and what was measured of it while it was made."""

    router: LearnedRouter
    evaluation: Evaluation
    """On predictions for training prompts by weights that never saw the prompt."""
    n_prompts: int


def train_router(
    outcomes: Outcomes,
    recipe: Recipe,
    *,
    apart: Outcomes | None = None,
    engine: Engine = LOCAL,
    advance: Advance | None = None,
) -> TrainedRouter:
    """A router learned from outcomes: skill, calibration, dial, measurements and card.

    Dial and measurements rest on predictions for prompts whose outcomes the weights had not seen (five folds inside
    training); only the mix of the views and the calibration had. `tune` and `evaluate` on other prompts rest on
    nothing of the kind.

    With the kind "both" answers are learned as well, for cascades. With "answer" they alone are what it is for: what
    prompts say is learned as their scorer's part, and no dial is measured, so that no policy relies on prompts alone.

    Args:
        outcomes: models from cheap to strong; for "answer" and "both" with answers and costs.
        recipe: names, encoder, seed, kind.
        apart: prompts not trained on, for the share of decisions that small changes of the wording turn; without any,
            training prompts are taken, which is said in the card.
        engine: reads prompts and answers; what is learned from them is learned here.
        advance: told of progress.

    Raises:
        DataError: there are too few outcomes to learn from, one model alone, or no answers or costs to learn from.
        EncoderError: there is no such encoder.
    """
    if len(outcomes.models) < 2:
        raise DataError("training needs at least two models, a cheap one and the strong one")
    tell = _silent if advance is None else advance
    encoder = named_encoder(recipe.encoder)
    learner = learner_for(outcomes.models, encoder=recipe.encoder, seed=recipe.seed, all_pairs=True)
    inputs = read_inputs(
        outcomes.prompts, recipe.encoder, engine=engine, advance=lambda n: tell("reading prompts", n, outcomes.n)
    )
    tell("learning", 0, _STEPS)
    skill = learner.fit(outcomes, inputs, advance=lambda share: tell("learning", round(_STEPS * share), _STEPS)).skill_
    answers = None
    if recipe.kind != "prompt":
        tell("learning answers", 0, 1)
        answers = learned_answers(outcomes, encoder=recipe.encoder, seed=recipe.seed, prompts=inputs, engine=engine)
        tell("learning answers", 1, 1)
    last = outcomes.models[-1]
    n_models = len(outcomes.models)
    columns = [n_models + skill.pairs.index((model, last)) for model in outcomes.models[:-1]]
    p_good = skill.probabilities(learner.held_out_.astype(np.float32))[:, columns].astype(np.float64)
    tell("measuring", 0, 2)
    found = evaluate(
        outcomes,
        [ScoredPolicy(f"{recipe.name} {recipe.version}", p_good)],
        seed=recipe.seed,
        n_resamples=N_RESAMPLES,
    )
    tell("measuring", 1, 2)
    flips = _robustness(learner, outcomes, inputs, apart, recipe)
    tell("measuring", 2, 2)
    card = ArtifactCard.model_validate(
        {
            "format": 2,
            "kind": "learned",
            "name": recipe.name,
            "version": recipe.version,
            "models": outcomes.models,
            "pairs": skill.pairs,
            "features": features_card(),
            "encoder": encoder_card(recipe.encoder, encoder),
            "training": {
                "target": "the cheaper model's answer scores at least as high as the stronger one's",
                "n_prompts": outcomes.n,
                "sources": _sources(outcomes, recipe, skill.pairs),
                "seed": recipe.seed,
                "settings": {"data_hash": outcomes.data_hash},
            },
            "calibration": {
                "method": "logistic curve bent by isotonic means",
                "fitted_on": "predictions for prompts that the weights had not seen",
            },
            "answers": None if answers is None else _answers_card(answers),
            "dial": [] if recipe.kind == "answer" else [asdict(point) for point in dial_points(outcomes, p_good)],
            "metrics": {
                "measured_on": (
                    "training prompts, each by weights that had not seen its outcomes; the mix of the views and the "
                    "calibration had, so expect a little less"
                ),
                "n": found.n,
                "policy": found.policies[0].to_json(),
                "task_mean": next((line.to_json() for line in found.controls if line.name == "task mean"), None),
                "calibration": [each.to_json() for each in found.calibration],
                "verdict": found.verdict.to_json(),
                "decisions_changed_by": flips,
            },
            "limits": _limits(outcomes, found, recipe.kind),
            "licence": recipe.licence,
            "attribution": recipe.attribution,
        }
    )
    trained = np.unique(outcomes.groups.view(np.uint64))
    return TrainedRouter(LearnedRouter(card, skill, trained_prompts=trained, answers=answers), found, outcomes.n)


def extend_router(base: OpenedRouter, outcomes: Outcomes, *, version: str) -> LearnedRouter:
    """The router with the models that it does not know yet placed among those it knows; nothing is trained again.

    From 50 or more outcomes of each, on the difficulty that the known models share (`train.place_new_model`). The dial
    is measured again on the prompts that the router had not been trained on, and is empty where they are few.

    Args:
        base: a router of known models.
        outcomes: of the new models and the reference, which must be the last in both; other known models may be there.

    Raises:
        DataError: nothing is new, the reference differs, or there are too few outcomes.
    """
    card, skill = base.router.card, base.router.skill
    new = [model for model in outcomes.models if model not in skill.models]
    if card.generic or not new or outcomes.models[-1] != card.models[-1]:
        raise DataError(
            f"extending {card.router} needs outcomes of models it does not know, and of {card.models[-1]} last; "
            f"it knows {', '.join(card.models)}, the outcomes are of {', '.join(outcomes.models)}"
        )
    inputs = read_inputs(outcomes.prompts, base.encoder_spec)
    strong = outcomes.score[:, -1]
    for model in reversed(new):
        column = outcomes.models.index(model)
        score = outcomes.score[:, column]
        # Right before the next dearer model that is known by now: the new ones are placed from dear to cheap.
        skill = place_new_model(skill, model, inputs, score, at=skill.models.index(outcomes.models[column + 1]))
        as_good = np.where(np.isfinite(score + strong), score >= strong, np.nan)
        skill = place_new_pair(skill, (model, outcomes.models[-1]), inputs, as_good)
    placed = {model: int(np.isfinite(outcomes.score[:, outcomes.models.index(model)]).sum()) for model in new}
    unseen = np.flatnonzero(~np.isin(outcomes.groups.view(np.uint64), base.router.trained_prompts))
    fresh = take(outcomes, unseen)
    usable = int(np.isfinite(fresh.score).all(axis=1).sum())
    dial: tuple[DialPoint, ...] = ()
    if usable >= MIN_DIAL_PROMPTS:
        part = inputs[unseen]
        cut = skill.for_pairs([(model, outcomes.models[-1]) for model in outcomes.models[:-1]])
        dial = dial_points(fresh, cut.predict(part.features, part.embeddings, part.texts).p_cheap)
    told = "; ".join(f"{model} from {n:,} outcomes" for model, n in placed.items())
    changed = card.model_copy(
        update={
            "version": version,
            "models": skill.models,
            "pairs": skill.pairs,
            "metrics": {**card.metrics, "placed": placed},
            "limits": (*card.limits, f"Placed without training again: {told}. Tune before you rely on a limit."),
        }
    )
    made = ArtifactCard.model_validate({**changed.model_dump(), "dial": [asdict(point) for point in dial]})
    trained = np.union1d(base.router.trained_prompts, outcomes.groups.view(np.uint64))
    return LearnedRouter(made, skill, trained_prompts=trained, answers=base.router.answers)


def chosen_rows(outcomes: Outcomes, *, size: int | None, ids: frozenset[str] | None, seed: int) -> NDArray[np.int64]:
    """The rows to train on: those with these ids, then whole groups drawn at random until `size` prompts are there.

    Raises:
        DataError: no prompt has one of the ids.
    """
    rows = np.arange(outcomes.n)
    if ids is not None:
        rows = np.flatnonzero([id_ in ids for id_ in outcomes.prompt_ids])
        if not rows.size:
            raise DataError(f"none of the {outcomes.n:,} prompts has an id of the {len(ids):,} given")
        # Equal prompts stay together, under whichever id they were named.
        rows = np.flatnonzero(np.isin(outcomes.groups, outcomes.groups[rows]))
    if size is not None and size < rows.size:
        taken, _ = drawn(outcomes.groups[rows], size, generator=np.random.default_rng(seed))
        rows = rows[taken]
    return rows


def features_card() -> JSONObject:
    """What a card says of this version's features."""
    return {
        "version": features.FEATURE_VERSION,
        "names": [feature.name for feature in features.FEATURES],
        "phrases": [(feature.phrase, feature.absent) for feature in features.FEATURES],
    }


def encoder_card(spec: str, encoder: Encoder | None) -> JSONObject:
    """What a card says of an encoder."""
    if encoder is None:
        return {"id": NO_ENCODER, "dim": 0, "spec": NO_ENCODER}
    return {"id": encoder.id, "dim": encoder.dim, "spec": spec}


def _silent(_what: str, _done: int, _all: int) -> None:
    pass


def _robustness(
    learner: RouterLearner,
    outcomes: Outcomes,
    inputs: Inputs,
    apart: Outcomes | None,
    recipe: Recipe,
) -> JSONObject:
    """The share of decisions that a small change of the wording turns, for each kind of change."""
    generator = np.random.default_rng(recipe.seed)
    fresh = apart is not None and apart.n >= N_ROBUSTNESS_PROMPTS // 4
    pool = apart if apart is not None and fresh else outcomes
    rows = np.sort(generator.choice(pool.n, size=min(N_ROBUSTNESS_PROMPTS, pool.n), replace=False))
    some = inputs[rows] if pool is outcomes else read_inputs(take(pool, rows).prompts, recipe.encoder)
    pair = learner.skill_.pairs.index((outcomes.models[0], outcomes.models[-1]))
    flips = decision_flip_share(
        learner.skill_, some, extract=learner.extract, encode=learner.encode, pair=pair, generator=generator
    )
    return {
        "on": "prompts not trained on" if fresh else "training prompts",
        "changes": [asdict(flip) for flip in flips],
    }


def _sources(outcomes: Outcomes, recipe: Recipe, pairs: Sequence[tuple[str, str]]) -> list[JSONObject]:
    digest = hashlib.sha256(np.unique(outcomes.groups.view(np.uint64)).astype("<u8").tobytes()).hexdigest()
    given = recipe.sources if recipe.sources else ({"name": "outcomes"},)
    names = ", ".join(str(source.get("name", "outcomes")) for source in given)
    return [
        {
            "name": names,
            "licence": "; ".join(dict.fromkeys(str(source.get("licence", "not stated")) for source in given)),
            "attribution": "; ".join(dict.fromkeys(str(s["attribution"]) for s in given if s.get("attribution"))),
            "datasets": sorted(set(outcomes.datasets)),
            "pairs": list(pairs),
            "n_prompts": outcomes.n,
            "n_rows": int(np.isfinite(outcomes.score).sum()),
            "prompts_sha256": digest,
        }
    ]


def _answers_card(answers: LearnedAnswers) -> JSONObject:
    """What the card says of answers, with how well the scorer told good ones from bad ones held out."""
    precedents = answers.precedents
    return {
        "models": answers.models,
        "signal_version": answers.skill.signal_version,
        "token_version": answers.skill.token_version,
        "signals": (*judge.SIGNALS, *judge.TOKEN_SIGNALS),
        "target": "the model's answer is good (its score)",
        "n_prompts": precedents.n,
        "metrics": {
            "measured_on": "training prompts, each by weights that had not seen it; mix and calibration had",
            "answers": [
                calibration(model, precedents.known.p_answer[:, j], precedents.score[:, j]).to_json()
                for j, model in enumerate(answers.models)
            ],
            "ahead_auc": {
                model: auc(precedents.known.p_ahead[:, j], precedents.score[:, j] >= GOOD)
                for j, model in enumerate(answers.models)
            },
        },
    }


def _limits(outcomes: Outcomes, found: Evaluation, kind: TrainKind) -> list[str]:
    line = found.policies[0]
    sentences = [
        f"It knows {', '.join(outcomes.models)} on prompts like the {outcomes.n:,} it was trained on, nothing else.",
        found.verdict.reason,
    ]
    if line.apgr is not None and line.apgr_ci is not None and line.apgr_ci[0] <= 0.5:
        sentences.append(
            f"Its ranking of prompts is not shown to be better than chance: APGR {line.apgr:.2f} "
            f"({line.apgr_ci[0]:.2f} to {line.apgr_ci[1]:.2f}; 0.50 is random)."
        )
    if kind == "answer":
        sentences.append("It is for cascades: no dial was measured for deciding by the prompt alone.")
    return sentences


def rest_of(outcomes: Outcomes, rows: NDArray[np.int64]) -> Outcomes:
    """The outcomes of all other rows."""
    left = np.ones(outcomes.n, dtype=np.bool_)
    left[rows] = False
    return take(outcomes, left)


__all__ = [
    "Advance",
    "Recipe",
    "TrainKind",
    "TrainedRouter",
    "chosen_rows",
    "encoder_card",
    "extend_router",
    "features_card",
    "held_out_scores",
    "learner_for",
    "rest_of",
    "train_router",
]
