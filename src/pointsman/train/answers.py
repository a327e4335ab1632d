"""Learning what an answer is worth: prompt, text and signals, stacked on held-out predictions, calibrated per model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pointsman.errors import DataError
from pointsman.learned import Ahead, AnswerSkill, Skill
from pointsman.vocabulary import Outcomes

from .answer_inputs import AnswerInputs, AnswerReaders
from .basis import Basis, Floats, FoundGrams, build_basis
from .calibrate import calibration_line
from .folds import N_FOLDS, group_folds, strata_of
from .inputs import Inputs
from .learner import MIN_PROMPTS, RouterLearner
from .ridge import Doubles, fit_ridges

ANSWER_COMPONENTS: Final = ("prompt", "text", "n-grams", "signals", "readings", "tokens")
_PRIOR: Final = (0.1, 0.2, 0.2, 0.2, 0.2, 0.2)
_PRIOR_ANSWERS: Final = 300
"""How many answers the prior of the stack is worth."""
_MAX_BASIS_ANSWERS: Final = 6_000
"""Answers that landmarks and rarity are taken from."""
_N_DIRECTION_ANSWERS: Final = 700
"""Answers that the n-grams' directions are found from: answers are longer than prompts, and cost the more."""
_VIEW_SHARES: Final = (0.3, 0.15, 0.0, 0.25, 0.3)
"""What each view of a text counts where all are learned from together; how a question is built says nothing of an
answer."""
_FEATURE_GAIN: Final = 0.5
"""Scale of all readings where they are learned from together: there are many, so each is trusted less."""
_MAX_DEVIATION: Final = 4.0
"""As in serving (`pointsman.learned.answer_skill`)."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutAnswers:
    """What is expected of each training prompt by parts that were fitted without its group."""

    p_ahead: Floats
    """P(good) from the prompt alone, shape (n, models)."""
    p_answer: Floats
    """P(good) once the answer is there, shape (n, models)."""
    log_cost: Floats
    """Expected logarithm of the cost in USD, shape (n, models)."""


class AnswerLearner:
    """Learns P(each model's answer is good) from prompts and answers.

    For each model there are five ridge regressions of its answers' scores: on the text's views together, on its n-grams
    alone, on the signals, on all readings, and on the token signals with what the prompt says. With the prompt's own
    prediction they are combined by weights that are not negative, fitted on held-out predictions (Breiman 1996,
    "Stacked Regressions"). All parts are linear, so one set of weights is served.

    Attributes after `fit`:
        answer_skill_: what was learned, for serving.
        stack_: the components' weights, shape (models, components).
        held_out_: predictions for the training prompts by parts that had not seen them.
    """

    def __init__(self, *, readers: AnswerReaders, seed: int = 0) -> None:
        """Takes how prompts and answers are read."""
        self.readers = readers
        self.seed = seed

    def fit(self, outcomes: Outcomes, inputs: AnswerInputs | None = None) -> Self:
        """Learns from outcomes; `inputs` are their prompts and answers already read.

        Raises:
            DataError: too few scored answers of a model, or nothing to judge them by.
        """
        if inputs is None:
            inputs = AnswerInputs.read(outcomes, self.readers)
        m = len(outcomes.models)
        generator = np.random.default_rng(self.seed)
        router = RouterLearner(extract=self.readers.extract, encode=self.readers.encode, pairs=(), seed=self.seed)
        router.fit(outcomes, inputs.prompts)
        prompt: Skill = router.skill_
        fold = group_folds(outcomes.groups, N_FOLDS, generator=generator, strata=strata_of(outcomes))
        basis = _shared_basis(inputs, generator)
        mean, scale = _standard(inputs.readings)
        rows = _standardised(inputs.readings, mean, scale)
        dense = np.zeros((basis.of_view[-1].start, m), dtype=np.float32)
        words, runs = (np.zeros((basis.directions_words.shape[0], m), dtype=np.float32) for _ in range(2))
        reading_weights = np.zeros((rows.shape[2], m))
        prompt_weights, offsets = np.zeros(m), np.zeros(m)
        view_means = np.zeros((len(prompt.view_names), m))
        held_out = np.full((outcomes.n, m), np.nan)
        stack = np.zeros((m, len(ANSWER_COMPONENTS)))
        lines = []
        for j in range(m):
            known = np.flatnonzero(np.isfinite(outcomes.score[:, j]))
            if known.size < MIN_PROMPTS:
                raise DataError(
                    f"learning from answers needs {MIN_PROMPTS} scored ones of {outcomes.models[j]}, "
                    f"there are {known.size}"
                )
            score = outcomes.score[known, j].astype(np.float64)
            columns = _text_columns(basis, inputs, j, known)
            part = _Part.fitted(basis, columns, rows[known, j], router.held_out_[known, j], score, fold[known], inputs)
            stack[j] = part.stack
            held_out[known, j] = part.held_out
            dense[:, j], words[:, j], runs[:, j] = (each[:, 0] for each in basis.unfold(part.text[:, None]))
            view_means[:, j] = [columns[:, each].mean(axis=0) @ part.text[each] for each in basis.of_view]
            reading_weights[:, j], prompt_weights[j], offsets[j] = part.readings, part.prompt, part.offset
            lines.append(calibration_line(part.held_out, score, is_pair=False))
        knots = np.column_stack([knots for knots, _ in lines])
        p_at_knots = np.column_stack([p for _, p in lines])
        log_cost, log_cost_weights, log_cost_offsets = _costs(outcomes, inputs.prompts, prompt, fold)
        self.answer_skill_ = AnswerSkill(
            models=outcomes.models,
            prompt=prompt,
            text=Skill(
                models=outcomes.models,
                pairs=(),
                views=basis.views,
                dense_weights=dense,
                word_weights=words,
                run_weights=runs,
                offsets=view_means.sum(axis=0).astype(np.float32),
                view_means=view_means.astype(np.float32),
                knots=knots,
                p_at_knots=p_at_knots,
            ),
            reading_mean=mean,
            reading_scale=scale,
            reading_weights=reading_weights.astype(np.float32),
            prompt_weights=prompt_weights.astype(np.float32),
            offsets=offsets.astype(np.float32),
            knots=knots,
            p_at_knots=p_at_knots,
            log_cost_weights=log_cost_weights,
            log_cost_offsets=log_cost_offsets,
            signal_version=self.readers.signal_version,
            token_version=self.readers.token_version,
        )
        self.stack_ = stack
        self.held_out_ = HeldOutAnswers(
            prompt.probabilities(router.held_out_.astype(np.float32)),
            np.column_stack([self.answer_skill_.p_good(j, held_out[:, j].astype(np.float32)) for j in range(m)]),
            log_cost,
        )
        return self


def predicted(skill: AnswerSkill, inputs: AnswerInputs) -> tuple[Ahead, Floats]:
    """What the skill says of n prompts, and of all models' answers to them: P(good), shape (n, models)."""
    ahead = skill.ahead(inputs.prompts.features, inputs.prompts.embeddings, inputs.prompts.texts)
    p_good = np.empty((len(inputs.prompts), len(skill.models)), dtype=np.float32)
    for j, answers in enumerate(inputs.answers):
        values = skill.values(j, ahead.values[:, j], inputs.readings[:, j], answers.embeddings, answers.texts)
        p_good[:, j] = skill.p_good(j, values)
    return ahead, p_good


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What was learned of one model's answers."""

    text: Doubles
    """On the basis's columns, shape (columns,)."""
    readings: Doubles
    prompt: float
    offset: float
    held_out: Doubles
    stack: Doubles

    @classmethod
    def fitted(
        cls,
        basis: Basis,
        columns: Floats,
        readings: Floats,
        prompt: Doubles,
        score: Doubles,
        fold: NDArray[np.int64],
        inputs: AnswerInputs,
    ) -> _Part:
        n_readings = readings.shape[1]
        n_features, n_own = inputs.prompts.features.shape[1], n_readings - inputs.n_token_signals
        target = score.astype(np.float32)[:, None]
        with_prompt = np.column_stack((readings[:, n_own:], _unit(prompt))).astype(np.float32)
        n_text = columns.shape[1]
        columns_and_readings = np.concatenate(
            (columns, readings, readings * np.float32(_FEATURE_GAIN), with_prompt), axis=1
        )
        begins = np.cumsum((n_text, n_readings, n_readings, with_prompt.shape[1])).tolist()
        parts = (
            slice(0, n_text),
            basis.slices[-1],
            slice(n_text + n_features, begins[1]),
            slice(begins[1], begins[2]),
            slice(begins[2], begins[3]),
        )
        fits = fit_ridges(columns_and_readings, target, fold, parts)
        guesses = np.column_stack((prompt, *(fit.held_out[:, 0] for fit in fits)))
        centre, mean = guesses.mean(axis=0), float(score.mean())
        share = _mixed(guesses - centre, score - mean)
        beta = [weight * fit.weights[:, 0] for weight, fit in zip(share[1:], fits, strict=True)]
        text, own = beta[0].copy(), _FEATURE_GAIN * beta[3]
        text[basis.slices[-1]] += beta[1]
        own[n_features:] += beta[2]
        own[n_own:] += beta[4][:-1]
        spread = float(prompt.std())
        from_prompt = float(beta[4][-1]) / spread if spread > 0 else 0.0
        offset = mean - float(centre @ share) - from_prompt * float(prompt.mean())
        offset += float(sum(weight * fit.offsets[0] for weight, fit in zip(share[1:], fits, strict=True)))
        held_out = mean + (guesses - centre) @ share
        return cls(text, own, float(share[0]) + from_prompt, offset, held_out, share)


def _mixed(guesses: Doubles, target: Doubles) -> Doubles:
    strength = np.sqrt(_PRIOR_ANSWERS * float(guesses.var(axis=0).mean()))
    rows = np.concatenate((guesses, strength * np.eye(len(_PRIOR))))
    found, _ = nnls(rows, np.concatenate((target, strength * np.array(_PRIOR))))
    return np.asarray(found, dtype=np.float64)


def _unit(values: Doubles) -> Doubles:
    spread = float(values.std())
    return (values - values.mean()) / spread if spread > 0 else np.zeros_like(values)


def _of_text(inputs: AnswerInputs, j: int, rows: NDArray[np.int64]) -> Floats:
    return inputs.readings[rows, j, : inputs.readings.shape[2] - inputs.n_token_signals]


def _text_columns(basis: Basis, inputs: AnswerInputs, j: int, rows: NDArray[np.int64]) -> Floats:
    answers = inputs.answers[j]
    grams = answers.grams[rows].weighed(basis.views.rarity)
    return basis.columns(_of_text(inputs, j, rows), answers.questions[rows], answers.embeddings[rows], grams)


def _shared_basis(inputs: AnswerInputs, generator: np.random.Generator) -> Basis:
    """One basis for the answers of all models, from a draw of them."""
    from scipy.sparse import vstack

    n, m = len(inputs.prompts), len(inputs.answers)
    each = max(1, _MAX_BASIS_ANSWERS // m)
    drawn = [np.sort(generator.choice(n, size=min(n, each), replace=False)) for _ in range(m)]
    answers = [part[rows] for part, rows in zip(inputs.answers, drawn, strict=True)]
    grams = FoundGrams(
        vstack([part.grams.words for part in answers], format="csr"),
        vstack([part.grams.runs for part in answers], format="csr"),
    )
    features = np.concatenate([_of_text(inputs, j, rows) for j, rows in enumerate(drawn)])
    basis, _ = build_basis(
        features,
        np.concatenate([part.questions for part in answers]),
        np.concatenate([part.embeddings for part in answers]),
        grams,
        generator=generator,
        n_direction_prompts=_N_DIRECTION_ANSWERS,
        shares=_VIEW_SHARES,
    )
    return basis


def _standard(readings: Floats) -> tuple[Floats, Floats]:
    flat = readings.reshape(-1, readings.shape[2]).astype(np.float64)
    scale = flat.std(axis=0)
    return flat.mean(axis=0).astype(np.float32), np.where(scale > 1e-6, scale, 0).astype(np.float32)


def _standardised(readings: Floats, mean: Floats, scale: Floats) -> Floats:
    rows = np.where(scale > 0, (readings - mean) / np.where(scale > 0, scale, 1), 0)
    return np.clip(rows, -_MAX_DEVIATION, _MAX_DEVIATION).astype(np.float32)


def _costs(
    outcomes: Outcomes, prompts: Inputs, prompt: Skill, fold: NDArray[np.int64]
) -> tuple[Floats, Floats, Floats]:
    """Expected log costs of the training prompts, held out; weights on their standardised features; offsets.

    Only the standardised hand-crafted features are read: length and kind of task say what a call costs.
    """
    m, n_features = len(outcomes.models), prompts.features.shape[1]
    cost = np.where(outcomes.cost_usd > 0, outcomes.cost_usd, np.nan)
    known = np.flatnonzero(np.isfinite(cost).any(axis=0))
    held_out = np.zeros((outcomes.n, m), dtype=np.float32)
    weights, offsets = np.zeros((n_features, m), dtype=np.float32), np.zeros(m, dtype=np.float32)
    usable = [j for j in known.tolist() if all(np.isfinite(cost[fold != f, j]).any() for f in range(N_FOLDS))]
    if usable:
        root = np.float32(np.sqrt(max(n_features, 1)))
        rows = prompt.views.standard.of(prompts.features) * root
        (fit,) = fit_ridges(rows, np.log(cost[:, usable]).astype(np.float32), fold, (slice(0, n_features),))
        held_out[:, usable] = fit.held_out
        weights[:, usable] = fit.weights * root
        offsets[usable] = fit.offsets
    return held_out, weights, offsets
