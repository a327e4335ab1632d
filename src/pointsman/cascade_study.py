"""Wires training, judging and planning for cascades: out of fold, everything chosen within the training folds.

For each fold, answers' scorers, plans and the rate that reaches a quality are learned on the other folds alone; within
those, plans are tried on inner folds, so that no prompt speaks for the plan that it helped to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import judge
from .learned import Known, Plan, PlanKind, walk_all
from .router_artifact import named_encoder, read_features
from .train import (
    RATES,
    AnswerInputs,
    AnswerLearner,
    AnswerReaders,
    HeldOutAnswers,
    Planner,
    answer_texts,
    filled,
    group_folds,
    predicted,
    selected,
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
    opened = named_encoder(encoder)
    return AnswerReaders(
        extract=read_features,
        encode=None if opened is None else opened.encode,
        signals=judge.read_signals,
        tokens=judge.read_confidences,
        signal_version=judge.SIGNAL_VERSION,
        token_version=judge.TOKEN_VERSION,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One part of the data with what is known of it, and the rest that this was learned from."""

    here: Ints
    others: Ints
    known: Known
    """Of `here`."""
    known_others: Known
    """Of `others`, held out within them."""


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
) -> list[Fold]:
    """What is known of every prompt by learners that had not seen it, and of those that they learned from.

    Args:
        outcomes: every model has a score on every prompt.
        learned: told the number of each fold once it is learned.

    Raises:
        DataError: there are too few outcomes to learn from, nothing to judge a model's answers by, or a model's cost is
            known nowhere.
        EncoderError: there is no such encoder.
    """
    cost = np.log(np.maximum(filled(outcomes.cost_usd.astype(np.float64), outcomes.models), FREE_USD))
    readers = answer_readers(encoder)
    inputs = AnswerInputs.read(outcomes, readers)
    agreement = judge.agreement_matrix(answer_texts(outcomes)).astype(np.float64)
    fold = group_folds(outcomes.groups, n_folds, generator=np.random.default_rng(seed))
    parts = []
    for each in range(n_folds):
        here, others = np.flatnonzero(fold == each), np.flatnonzero(fold != each)
        learner = AnswerLearner(readers=readers, seed=seed).fit(selected(outcomes, others), inputs[others])
        ahead, p_answer = predicted(learner.answer_skill_, inputs[here])
        now = HeldOutAnswers(ahead.p_good, p_answer, ahead.log_cost)
        parts.append(
            Fold(
                here,
                others,
                _known(now, cost[here], agreement[here]),
                _known(learner.held_out_, cost[others], agreement[others]),
            )
        )
        if learned is not None:
            learned(each)
    return parts


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
    score, cost = outcomes.score.astype(np.float64), outcomes.cost_usd.astype(np.float64)
    n, k = outcomes.n, len(rates)
    served, n_judged, n_calls = (np.empty((k, n), dtype=np.int64) for _ in range(3))
    paid = np.empty((k, n))
    fold = np.empty(n, dtype=np.int64)
    q_others, c_others, s_others = np.zeros((len(folds), k)), np.zeros((len(folds), k)), np.zeros(len(folds))
    for place, part in enumerate(folds):
        fold[part.here] = place
        planner = Planner(kind, judge_usd=judge_usd).fit(
            outcomes.models, part.known_others, score[part.others], cost[part.others]
        )
        per_usd = [rate / float(planner.cost_[:, -1].mean()) for rate in rates]
        here_cost = np.where(np.isfinite(cost[part.here]), cost[part.here], planner.cost_.mean(axis=0))
        for i, walked in enumerate(walk_all(planner.plans(per_usd), part.known, here_cost)):
            served[i, part.here], paid[i, part.here] = walked.served, walked.cost_usd
            n_judged[i, part.here], n_calls[i, part.here] = walked.n_judged, walked.called.sum(axis=1)
        if choose:
            q_others[place], c_others[place] = _on_inner_folds(
                outcomes, part, kind, judge_usd=judge_usd, rates=rates, seed=seed
            )
        s_others[place] = score[part.others, -1].mean()
    return Tried(kind, tuple(rates), served, paid, n_judged, n_calls, fold, q_others, c_others, s_others)


def with_simulated_judge(
    outcomes: Outcomes, folds: Sequence[Fold], error: float, *, generator: np.random.Generator
) -> list[Fold]:
    """The same folds, judged by someone who says of each answer whether it is good and errs in a share of them.

    Nothing else is known of an answer: neither its text, nor its token probabilities, nor whether answers agree.

    Args:
        error: the share of wrong verdicts, from 0 to 0.5.
    """
    simulated = judge.SimulatedJudge(error)
    verdicts = simulated.verdicts(outcomes.score >= 0.5, generator)

    def judged(known: Known, rows: Ints) -> Known:
        p_answer = simulated.p_good(known.p_ahead, verdicts[rows])
        return replace(known, p_answer=p_answer, agreement=np.zeros_like(known.agreement))

    return [
        replace(part, known=judged(part.known, part.here), known_others=judged(part.known_others, part.others))
        for part in folds
    ]


def _on_inner_folds(
    outcomes: Outcomes, part: Fold, kind: PlanKind, *, judge_usd: float, rates: Sequence[float], seed: int
) -> tuple[Floats, Floats]:
    """Mean quality and cost at each rate on the training prompts, by plans fitted on other ones of them."""
    score = outcomes.score[part.others].astype(np.float64)
    cost = outcomes.cost_usd[part.others].astype(np.float64)
    inner = group_folds(outcomes.groups[part.others], N_INNER_FOLDS, generator=np.random.default_rng([seed, 1]))
    quality, paid = np.zeros(len(rates)), np.zeros(len(rates))
    for each in range(N_INNER_FOLDS):
        fit, ask = np.flatnonzero(inner != each), np.flatnonzero(inner == each)
        planner = Planner(kind, judge_usd=judge_usd).fit(outcomes.models, part.known_others[fit], score[fit], cost[fit])
        per_usd = [rate / float(planner.cost_[:, -1].mean()) for rate in rates]
        ask_cost = np.where(np.isfinite(cost[ask]), cost[ask], planner.cost_.mean(axis=0))
        for i, walked in enumerate(walk_all(planner.plans(per_usd), part.known_others[ask], ask_cost)):
            quality[i] += score[ask, walked.served].sum()
            paid[i] += (walked.cost_usd + judge_usd * walked.n_judged).sum()
    return quality / len(score), paid / len(score)


def with_costs(outcomes: Outcomes) -> Outcomes:
    """The outcomes with the model's mean where a cost is not known.

    Raises:
        DataError: a model's cost is known nowhere.
    """
    cost = filled(outcomes.cost_usd.astype(np.float64), outcomes.models)
    return replace(outcomes, cost_usd=cost.astype(np.float32))


def plan_at(outcomes: Outcomes, folds: Sequence[Fold], kind: PlanKind, rate: float, *, judge_usd: float = 0.0) -> Plan:
    """The plan to serve at a rate: fitted on all prompts, each with what parts that had not seen it say of it.

    Args:
        rate: per mean cost of the reference model.
    """
    order = np.argsort(np.concatenate([part.here for part in folds]), kind="stable")
    parts = [part.known for part in folds]
    known = Known(
        *(
            np.concatenate([getattr(part, name) for part in parts])[order]
            for name in ("p_ahead", "log_cost_ahead", "p_answer", "log_cost", "agreement")
        )
    )
    planner = Planner(kind, judge_usd=judge_usd).fit(
        outcomes.models, known, outcomes.score.astype(np.float64), outcomes.cost_usd.astype(np.float64)
    )
    return planner.plans([rate / float(planner.cost_[:, -1].mean())])[0]
