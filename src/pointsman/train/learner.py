"""Learning a router: several views, ridge regressions, stacked on held-out predictions, calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pointsman.errors import DataError
from pointsman.learned import Pair, Skill
from pointsman.vocabulary import Outcomes

from .basis import Basis, Floats, build_basis
from .calibrate import calibration_line
from .folds import N_FOLDS, group_folds, strata_of
from .inputs import Inputs, Reader
from .perturb import PERTURBATIONS
from .ridge import Doubles, fit_ridges

MIN_PROMPTS: Final = 50
"""Fewer outcomes of a model, or prompts that both models of a pair answered, are refused."""
MAX_ALL_PAIRS: Final = 4
"""With more models than this, by default each is paired with the last only."""
COMPONENTS: Final = ("all views", "features", "question", "embedding", "n-grams", "shared difficulty")
_PRIOR: Final = (0.6, 0.1, 0.1, 0.1, 0.1, 0.0)
PERTURBED_SHARE: Final = 0.2
_PRIOR_PROMPTS: Final = 300
"""How many prompts the prior of the stack is worth."""
_READ: Final = 0.1
_SEEN: Final = 0.3
_FITTED: Final = 0.95
"""Shares of the time by which rewritten prompts are read, the views built, the regressions done; to tell progress."""


class RouterLearner:
    """Learns P(each model's answer is good) and what each pair gains from prompts alone.

    For each target there are six regressions: on all views together, on each view, and on the difficulty that all
    models share. They are combined with weights that are not negative, fitted on held-out predictions (stacked
    regressions: Breiman 1996, "Stacked Regressions", Machine Learning 24). All are linear in the same columns, so what
    is served is one set of weights.

    Attributes after `fit`:
        skill_: what was learned, for serving.
        stack_: the components' weights, shape (targets, components); targets are models, then pairs.
        held_out_: raw values for prompts whose group was left out, shape (n, targets).
        n_prompts_: how many prompts were learned from.
    """

    def __init__(
        self,
        *,
        extract: Reader,
        encode: Reader | None,
        pairs: Sequence[Pair] | None = None,
        seed: int = 0,
        perturbed_share: float = PERTURBED_SHARE,
    ) -> None:
        """Takes how prompts are read, and the pairs to learn (None: all of up to four models, else each with the last).

        `perturbed_share` of the prompts, from 0 to 1, are learned from once more as somebody else might have written
        them (`perturb.PERTURBATIONS`), in the same group, so that folds keep both together.
        """
        self.extract = extract
        self.encode = encode
        self.pairs = pairs
        self.seed = seed
        self.perturbed_share = perturbed_share

    def fit(
        self, outcomes: Outcomes, inputs: Inputs | None = None, *, advance: Callable[[float], None] | None = None
    ) -> Self:
        """Learns from outcomes; `inputs` are their prompts already read; `advance` is told the share that is done.

        Raises:
            DataError: too few outcomes of a model or pair, fewer than five groups of prompts, or an unknown pair.
        """
        if inputs is None:
            inputs = Inputs.read(outcomes.prompts, extract=self.extract, encode=self.encode)
        generator = np.random.default_rng(self.seed)
        pairs = pairs_of(outcomes.models, self.pairs)
        targets = targets_of(outcomes, pairs)
        _check(outcomes, pairs, targets)
        tell = _silent if advance is None else advance
        again, rewritten = self._rewritten(inputs, generator)
        tell(_READ)
        rows = np.concatenate((np.arange(outcomes.n), again))
        seen = inputs if rewritten is None else Inputs.joined((inputs, rewritten))
        fold = group_folds(outcomes.groups[rows], N_FOLDS, generator=generator, strata=strata_of(outcomes)[rows])
        basis, columns = build_basis(seen.features, seen.questions, seen.embeddings, seen.grams, generator=generator)
        tell(_SEEN)
        weights, offsets, held_out, stack = _stacked(
            basis,
            columns,
            targets[rows],
            fold,
            len(outcomes.models),
            lambda share: tell(_SEEN + (_FITTED - _SEEN) * share),
        )
        held_out = held_out[: outcomes.n]
        knots, p_at_knots = self._calibrated(outcomes, pairs, held_out)
        dense, words, runs = basis.unfold(weights)
        means = columns[: outcomes.n].mean(axis=0, dtype=np.float64)
        view_means = np.stack([means[part] @ weights[part] for part in basis.of_view])
        self.skill_ = Skill(
            models=outcomes.models,
            pairs=pairs,
            views=basis.views,
            dense_weights=dense,
            word_weights=words,
            run_weights=runs,
            offsets=(offsets + view_means.sum(axis=0)).astype(np.float32),
            view_means=view_means.astype(np.float32),
            knots=knots,
            p_at_knots=p_at_knots,
        )
        self.stack_ = stack
        self.held_out_ = held_out
        self.n_prompts_ = outcomes.n
        tell(1.0)
        return self

    def _rewritten(self, inputs: Inputs, generator: np.random.Generator) -> tuple[NDArray[np.int64], Inputs | None]:
        """The places of some prompts, and the same prompts with small changes; None for no prompts."""
        n = round(self.perturbed_share * len(inputs))
        if n == 0:
            return np.empty(0, dtype=np.int64), None
        places = np.sort(generator.choice(len(inputs), size=n, replace=False))
        changes = tuple(PERTURBATIONS.values())
        texts = [
            changes[int(generator.integers(len(changes)))](inputs.texts[place], generator) for place in places.tolist()
        ]
        return places, Inputs.read(texts, extract=self.extract, encode=self.encode)

    @staticmethod
    def _calibrated(outcomes: Outcomes, pairs: tuple[Pair, ...], held_out: Doubles) -> tuple[Floats, Floats]:
        lines = []
        for target in range(held_out.shape[1]):
            met = met_by(outcomes, pairs, target)
            known = np.isfinite(met)
            is_pair = target >= len(outcomes.models)
            lines.append(calibration_line(held_out[known, target], met[known], is_pair=is_pair))
        return np.column_stack([knots for knots, _ in lines]), np.column_stack([p for _, p in lines])


def _silent(_share: float) -> None:
    pass


def met_by(outcomes: Outcomes, pairs: tuple[Pair, ...], target: int) -> Doubles:
    """What a target's probability is of: the score, or whether cheap did as well; NaN when not known."""
    if target < len(outcomes.models):
        return outcomes.score[:, target].astype(np.float64)
    cheap, strong = (outcomes.models.index(name) for name in pairs[target - len(outcomes.models)])
    low, high = outcomes.score[:, cheap], outcomes.score[:, strong]
    return np.where(np.isfinite(low + high), low >= high, np.nan).astype(np.float64)


def pairs_of(models: tuple[str, ...], asked: Sequence[Pair] | None) -> tuple[Pair, ...]:
    """The pairs to learn: those asked for, else all of few models, else each model with the last.

    Raises:
        DataError: a pair names a model that is not there.
    """
    if asked is None:
        if len(models) <= MAX_ALL_PAIRS:
            return tuple(combinations(models, 2))
        return tuple((model, models[-1]) for model in models[:-1])
    for pair in asked:
        for name in pair:
            if name not in models:
                raise DataError(f"the pair {pair[0]} → {pair[1]} names {name}, but there are only {', '.join(models)}")
    return tuple(asked)


def targets_of(outcomes: Outcomes, pairs: tuple[Pair, ...]) -> Floats:
    """Scores, then gains, shape (n, models + pairs); NaN where not known."""
    index = {model: i for i, model in enumerate(outcomes.models)}
    gains = [outcomes.score[:, index[strong]] - outcomes.score[:, index[cheap]] for cheap, strong in pairs]
    return np.column_stack([outcomes.score, *gains]).astype(np.float32)


def _check(outcomes: Outcomes, pairs: tuple[Pair, ...], targets: Floats) -> None:
    n_groups = len(np.unique(outcomes.groups))
    if n_groups < N_FOLDS:
        raise DataError(f"training needs at least {N_FOLDS} different prompts, there are {n_groups}")
    names = [f"scored answers of {model}" for model in outcomes.models]
    names += [f"prompts that both {cheap} and {strong} answered" for cheap, strong in pairs]
    for name, known in zip(names, np.isfinite(targets).sum(axis=0).tolist(), strict=True):
        if known < MIN_PROMPTS:
            raise DataError(f"training needs at least {MIN_PROMPTS} {name}, there are {known}")


def _stacked(
    basis: Basis,
    columns: Floats,
    targets: Floats,
    fold: NDArray[np.int64],
    n_models: int,
    advance: Callable[[float], None],
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Weights (columns, targets), offsets (targets,), held-out values (n, targets), stack (targets, components)."""
    wholes = [slice(0, columns.shape[1]), *basis.slices]
    # The shared difficulty rides along as one more target of the regression on all views.
    with_shared = np.column_stack((targets, _shared_difficulty(targets[:, :n_models])))
    fits = fit_ridges(columns, with_shared, fold, wholes, advance=advance)
    n_targets = targets.shape[1]
    weights, offsets = np.zeros((columns.shape[1], n_targets)), np.zeros(n_targets)
    held_out, stack = np.zeros(targets.shape), np.zeros((n_targets, len(COMPONENTS)))
    for target in range(n_targets):
        known = np.isfinite(targets[:, target])
        guesses = np.column_stack([fit.held_out[:, target] for fit in fits] + [fits[0].held_out[:, n_targets]])
        centre, mean = guesses[known].mean(axis=0), float(targets[known, target].mean())
        # The shared difficulty may speak either way; the other components are the target itself.
        sign = np.ones(guesses.shape[1])
        sign[-1] = np.sign((guesses[known, -1] - centre[-1]) @ (targets[known, target] - mean)) or 1.0
        mixed = _mixed((guesses[known] - centre) * sign, targets[known, target] - mean)
        mixed = mixed * sign
        stack[target] = mixed
        held_out[:, target] = mean + (guesses - centre) @ mixed
        offsets[target] = mean - centre @ mixed
        for part, fit, share in zip(wholes, fits, mixed, strict=False):
            weights[part, target] += share * fit.weights[:, target]
            offsets[target] += share * fit.offsets[target]
        weights[:, target] += mixed[-1] * fits[0].weights[:, n_targets]
        offsets[target] += mixed[-1] * fits[0].offsets[n_targets]
    return weights, offsets, held_out, stack


def _mixed(guesses: Doubles, target: Doubles) -> Doubles:
    """Weights that are not negative, drawn towards the plain mean of views: with few prompts that is hard to beat."""
    strength = np.sqrt(_PRIOR_PROMPTS * float(guesses.var(axis=0).mean()))
    rows = np.concatenate((guesses, strength * np.eye(len(_PRIOR))))
    found, _ = nnls(rows, np.concatenate((target, strength * np.array(_PRIOR))))
    return np.asarray(found, dtype=np.float64)


def _shared_difficulty(scores: Floats) -> Floats:
    """Mean over models of what was scored above the model's mean, shape (n,); NaN for a prompt without any."""
    known = np.isfinite(scores)
    above = np.where(known, scores - np.nanmean(scores, axis=0), 0)
    counts = known.sum(axis=1)
    return np.where(counts > 0, above.sum(axis=1) / np.maximum(counts, 1), np.nan).astype(np.float32)
