"""Wires training, judging and planning for cascades: out of fold, everything chosen within the training folds.

For each fold, answers' scorers, plans and the rate that reaches a quality are learned on the other folds alone; within
those, plans are tried on inner folds, so that no prompt speaks for the plan that it helped to fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import judge
from .engine import LOCAL, Engine
from .errors import ArtifactError
from .learned import Known, LearnedAnswers, Plan, PlanKind, Precedents, walk_all
from .reading import encode_by, read_inputs
from .router_artifact import OpenedRouter, read_features
from .train import (
    RATES,
    AnswerInputs,
    AnswerLearner,
    AnswerReaders,
    HeldOutAnswers,
    Inputs,
    Planner,
    answer_texts,
    filled,
    gain_strata,
    group_folds,
    predicted,
    strata_of,
)
from .vocabulary import Outcomes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_INNER_FOLDS = 3
FREE_USD = 1e-12
"""What a call that costs nothing counts as where logarithms of costs are taken."""


def answer_readers(encoder: str = "static") -> AnswerReaders:
    """How prompts and answers are read, in training as in serving.

    Args:
        encoder: as `router_artifact.named_encoder` takes it.

    Raises:
        EncoderError: there is no such encoder.
    """
    return AnswerReaders(
        extract=read_features,
        encode=encode_by(encoder),
        signals=judge.read_signals,
        tokens=judge.read_confidences,
        signal_version=judge.SIGNAL_VERSION,
        token_version=judge.TOKEN_VERSION,
    )


def _answer_inputs(outcomes: Outcomes, encoder: str, engine: Engine, *, prompts: Inputs | None = None) -> AnswerInputs:
    return AnswerInputs.read(
        outcomes,
        answer_readers(encoder),
        prompts=prompts,
        texts_by=lambda texts: read_inputs(texts, encoder, engine=engine),
    )


def learned_answers(
    outcomes: Outcomes,
    *,
    encoder: str = "static",
    seed: int = 0,
    prompts: Inputs | None = None,
    engine: Engine = LOCAL,
) -> LearnedAnswers:
    """What an artifact keeps of answers: their scorer, and the precedents that cascades are planned from.

    Args:
        prompts: of the outcomes, where they were read already.
        engine: reads prompts and answers.

    Raises:
        DataError: there are too few outcomes to learn from, nothing to judge a model's answers by, or a model's cost is
            known nowhere.
        EncoderError: there is no such encoder.
    """
    priced = with_costs(outcomes)
    readers = answer_readers(encoder)
    inputs = _answer_inputs(priced, encoder, engine, prompts=prompts)
    learner = AnswerLearner(readers=readers, seed=seed).fit(priced, inputs)
    rows = np.flatnonzero(np.isfinite(priced.score).all(axis=1))
    held_out = learner.held_out_
    chosen = HeldOutAnswers(held_out.p_ahead[rows], held_out.p_answer[rows], held_out.log_cost[rows])
    return LearnedAnswers(learner.answer_skill_, _precedents(priced.at(rows), chosen))


def _precedents(outcomes: Outcomes, held_out: HeldOutAnswers) -> Precedents:
    cost = outcomes.cost_usd.astype(np.float64)
    agreement = judge.agreement_matrix(answer_texts(outcomes)).astype(np.float64)
    known = _known(held_out, _log(cost), agreement)
    return Precedents(outcomes.models, known, outcomes.score.astype(np.float64), cost, outcomes.groups)


def _log(cost_usd: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(cost_usd, FREE_USD)), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One part of the data with what is known of it, and what this was learned from."""

    here: Ints
    known: Known
    """Of `here`."""
    precedents: Precedents
    """Other prompts, held out within them."""


def artifact_fold(outcomes: Outcomes, opened: OpenedRouter, *, engine: Engine = LOCAL) -> Fold:
    """All prompts, known by an artifact that has seen none of them; plans come from its precedents.

    Raises:
        ArtifactError: it was not trained on answers of these models.
        DataError: a model's cost is known nowhere, or nothing to judge its answers by.
    """
    answers = answers_of(opened, outcomes.models)
    priced = with_costs(outcomes)
    ahead, p_answer = predicted(answers.skill, _answer_inputs(priced, opened.encoder_spec, engine))
    agreement = judge.agreement_matrix(answer_texts(priced)).astype(np.float64)
    now = HeldOutAnswers(ahead.p_good, p_answer, ahead.log_cost)
    known = _known(now, _log(priced.cost_usd.astype(np.float64)), agreement)
    return Fold(np.arange(outcomes.n), known, answers.precedents)


def answers_of(opened: OpenedRouter, models: Sequence[str]) -> LearnedAnswers:
    """What an artifact knows of these models' answers.

    Raises:
        ArtifactError: nothing, or not of all of them.
    """
    answers = opened.router.answers
    if answers is None:
        raise ArtifactError(f"{opened.folder} was not trained on answers; train it with --kind both")
    try:
        return answers.of(models)
    except KeyError as error:
        raise ArtifactError(
            f"{opened.folder} knows the answers of {', '.join(answers.models)}, not those of {error.args[0]}"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One kind of plan at K rates on n prompts, out of fold."""

    kind: PlanKind
    rates: tuple[float, ...]
    """Per mean cost of the reference model, shape (K,)."""
    served: Ints
    """Shape (K, n)."""
    cost_usd: Floats
    """All calls, shape (K, n)."""
    n_judged: Ints
    """Shape (K, n)."""
    n_calls: Ints
    """Shape (K, n)."""
    fold: Ints
    quality_others: Floats
    """Mean score at each rate on the other folds, by plans that had not seen the prompt: shape (folds, K)."""
    cost_others: Floats
    """The same for the mean cost, judging included."""
    strong_others: Floats
    """Mean score of the reference model on the other folds, shape (folds,)."""

    def at(self, rows: Ints) -> Tried:
        """The same on some of the prompts."""
        return replace(
            self,
            served=self.served[:, rows],
            cost_usd=self.cost_usd[:, rows],
            n_judged=self.n_judged[:, rows],
            n_calls=self.n_calls[:, rows],
            fold=self.fold[rows],
        )

    def chosen(self, share: float) -> Ints:
        """For each prompt the number of the rate chosen without its fold, shape (n,).

        The cheapest that reached `share` of the reference's quality on the other folds; where none did, the best.
        """
        places = []
        for quality, cost, strong in zip(self.quality_others, self.cost_others, self.strong_others, strict=True):
            reached = quality >= share * strong - 1e-12
            places.append(int(np.where(reached, cost, np.inf).argmin()) if reached.any() else int(quality.argmax()))
        return np.asarray(np.array(places)[self.fold], dtype=np.int64)


def known_folds(
    outcomes: Outcomes,
    *,
    n_folds: int = 5,
    encoder: str = "static",
    seed: int = 0,
    learned: Callable[[int], None] | None = None,
    engine: Engine = LOCAL,
) -> list[Fold]:
    """What is known of every prompt by learners that had not seen it, and of those that they learned from.

    Args:
        outcomes: every model has a score on every prompt.
        learned: told the number of each fold once it is learned.
        engine: reads prompts and answers, and learns each fold.

    Raises:
        DataError: there are too few outcomes to learn from, nothing to judge a model's answers by, or a model's cost is
            known nowhere.
        EncoderError: there is no such encoder.
    """
    outcomes = with_costs(outcomes)
    cost = _log(outcomes.cost_usd.astype(np.float64))
    inputs = _answer_inputs(outcomes, encoder, engine)
    agreement = judge.agreement_matrix(answer_texts(outcomes)).astype(np.float64)
    fold = group_folds(outcomes.groups, n_folds, generator=np.random.default_rng(seed), strata=strata_of(outcomes))
    work = _LearnFold(answer_readers(encoder), seed, outcomes, inputs, cost, agreement, fold)
    parts = []
    for each, part in enumerate(engine.map(work, range(n_folds))):
        parts.append(part)
        if learned is not None:
            learned(each)
    return parts


@dataclass(frozen=True, slots=True, eq=False)
class _LearnFold:
    """Learns on all folds but one."""

    readers: AnswerReaders
    seed: int
    outcomes: Outcomes
    inputs: AnswerInputs
    log_cost: Floats
    agreement: Floats
    fold: Ints

    def __call__(self, each: int) -> Fold:
        here, others = np.flatnonzero(self.fold == each), np.flatnonzero(self.fold != each)
        learner = AnswerLearner(readers=self.readers, seed=self.seed).fit(self.outcomes.at(others), self.inputs[others])
        ahead, p_answer = predicted(learner.answer_skill_, self.inputs[here])
        now = HeldOutAnswers(ahead.p_good, p_answer, ahead.log_cost)
        return Fold(
            here,
            _known(now, self.log_cost[here], self.agreement[here]),
            Precedents(
                self.outcomes.models,
                _known(learner.held_out_, self.log_cost[others], self.agreement[others]),
                self.outcomes.score[others].astype(np.float64),
                self.outcomes.cost_usd[others].astype(np.float64),
                self.outcomes.groups[others],
            ),
        )


def _known(held_out: HeldOutAnswers, log_cost: Floats, agreement: Floats) -> Known:
    return Known(
        held_out.p_ahead.astype(np.float64),
        held_out.log_cost.astype(np.float64),
        held_out.p_answer.astype(np.float64),
        log_cost,
        agreement,
    )


def tried(
    outcomes: Outcomes,
    folds: Sequence[Fold],
    kind: PlanKind,
    *,
    judge_usd: float = 0.0,
    rates: Sequence[float] = RATES,
    seed: int = 0,
    choose: bool = True,
) -> Tried:
    """Plans of one kind at all rates, out of fold.

    Args:
        outcomes, folds: as `known_folds` took and gave them.
        judge_usd: price of judging one answer.
        choose: try the plans on inner folds too, so that `Tried.chosen` can tell which rate to take.

    Raises:
        DataError: a model's cost is known nowhere.
    """
    cost = outcomes.cost_usd.astype(np.float64)
    n, k = outcomes.n, len(rates)
    served, n_judged, n_calls = (np.empty((k, n), dtype=np.int64) for _ in range(3))
    paid = np.empty((k, n))
    fold = np.empty(n, dtype=np.int64)
    q_others, c_others, s_others = np.zeros((len(folds), k)), np.zeros((len(folds), k)), np.zeros(len(folds))
    for place, part in enumerate(folds):
        fold[part.here] = place
        planner = _planner(part.precedents, kind, judge_usd)
        per_usd = [rate / float(planner.cost_[:, -1].mean()) for rate in rates]
        here_cost = np.where(np.isfinite(cost[part.here]), cost[part.here], planner.cost_.mean(axis=0))
        for i, walked in enumerate(walk_all(planner.plans(per_usd), part.known, here_cost)):
            served[i, part.here], paid[i, part.here] = walked.served, walked.cost_usd
            n_judged[i, part.here], n_calls[i, part.here] = walked.n_judged, walked.called.sum(axis=1)
        if choose:
            q_others[place], c_others[place] = _on_inner_folds(
                part.precedents, kind, judge_usd=judge_usd, rates=rates, seed=seed
            )
        s_others[place] = part.precedents.score[:, -1].mean()
    return Tried(kind, tuple(rates), served, paid, n_judged, n_calls, fold, q_others, c_others, s_others)


def with_simulated_judge(
    outcomes: Outcomes,
    folds: Sequence[Fold],
    error: float,
    *,
    generator: np.random.Generator,
    errs: judge.Errs = "agreeing",
) -> list[Fold]:
    """The same folds, judged by someone who says of each answer whether it is good.

    Nothing else is known of an answer: neither its text, nor its token probabilities, nor whether answers agree.

    Args:
        error: the share of wrong verdicts, from 0 to 0.5.
    """
    simulated = judge.SimulatedJudge(error, errs)
    share_good = (outcomes.score >= 0.5).mean(axis=0)

    def judged(known: Known, score: Floats) -> Known:
        verdicts = simulated.verdicts(score >= 0.5, share_good, generator)
        p_answer = simulated.p_good(known.p_ahead, verdicts, share_good)
        return replace(known, p_answer=p_answer, agreement=np.zeros_like(known.agreement))

    def precedents(of: Precedents) -> Precedents:
        return replace(of, known=judged(of.known, of.score))

    score = outcomes.score.astype(np.float64)
    return [Fold(part.here, judged(part.known, score[part.here]), precedents(part.precedents)) for part in folds]


def recorded_verdicts(outcomes: Outcomes) -> dict[str, float] | None:
    """How a judge errs whose verdicts are recorded as confidences that are 0 or 1 and nothing between; None where they
    are of another kind.

    Token probabilities are never so, which means that somebody was asked, and paid. Answers of the last model are not
    looked at.

    Returns:
        "error", the share of wrong verdicts, "rejects", of good answers, and "accepts", of bad ones; NaN where there
        are none.
    """
    said, good = outcomes.confidence[:, :-1], outcomes.score[:, :-1] >= 0.5
    there = np.isfinite(said)
    yes = said[there] == 1
    if not (yes | (said[there] == 0)).all() or yes.all() or not yes.any():
        return None
    right = good[there]
    shares = {"error": yes != right, "rejects": ~yes[right], "accepts": yes[~right]}
    return {name: float(which.mean()) if which.size else math.nan for name, which in shares.items()}


def _planner(precedents: Precedents, kind: PlanKind, judge_usd: float) -> Planner:
    return Planner(kind, judge_usd=judge_usd).fit(
        precedents.models, precedents.known, precedents.score, precedents.cost_usd
    )


def _on_inner_folds(
    precedents: Precedents, kind: PlanKind, *, judge_usd: float, rates: Sequence[float], seed: int
) -> tuple[Floats, Floats]:
    """Mean quality and cost at each rate on the precedents, by plans fitted on other ones of them."""
    inner = group_folds(
        precedents.groups,
        N_INNER_FOLDS,
        generator=np.random.default_rng([seed, 1]),
        strata=gain_strata(precedents.score),
    )
    quality, paid = np.zeros(len(rates)), np.zeros(len(rates))
    for each in range(N_INNER_FOLDS):
        ask = precedents[np.flatnonzero(inner == each)]
        planner = _planner(precedents[np.flatnonzero(inner != each)], kind, judge_usd)
        per_usd = [rate / float(planner.cost_[:, -1].mean()) for rate in rates]
        for i, walked in enumerate(walk_all(planner.plans(per_usd), ask.known, ask.cost_usd)):
            quality[i] += ask.score[np.arange(ask.n), walked.served].sum()
            paid[i] += (walked.cost_usd + judge_usd * walked.n_judged).sum()
    return quality / precedents.n, paid / precedents.n


def with_costs(outcomes: Outcomes) -> Outcomes:
    """The outcomes with the model's mean where a cost is not known.

    Raises:
        DataError: a model's cost is known nowhere.
    """
    cost = filled(outcomes.cost_usd.astype(np.float64), outcomes.models)
    return replace(outcomes, cost_usd=cost.astype(np.float32))


def pooled(outcomes: Outcomes, folds: Sequence[Fold]) -> Precedents:
    """All prompts, each with what parts that had not seen it say of it."""
    order = np.argsort(np.concatenate([part.here for part in folds]), kind="stable")
    known = Known(
        *(
            np.concatenate([getattr(part.known, name) for part in folds])[order]
            for name in ("p_ahead", "log_cost_ahead", "p_answer", "log_cost", "agreement")
        )
    )
    priced = with_costs(outcomes)
    score, cost = priced.score.astype(np.float64), priced.cost_usd.astype(np.float64)
    return Precedents(priced.models, known, score, cost, priced.groups)


def plan_at(precedents: Precedents, kind: PlanKind, rate: float, *, judge_usd: float = 0.0) -> Plan:
    """The plan to serve at a rate.

    Args:
        precedents: what it is fitted on.
        rate: per mean cost of the reference model.
    """
    planner = _planner(precedents, kind, judge_usd)
    return planner.plans([rate / float(planner.cost_[:, -1].mean())])[0]
