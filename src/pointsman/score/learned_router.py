"""A trained router: what was learned of prompts, with the card that says of what, as scores and explanations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import ArtifactError
from pointsman.learned import Added, LearnedAnswers, Pair, Serving, Skill
from pointsman.vocabulary import Contribution, FloatArray, Score
from pointsman.word_hashes import PlainText

from .card import ArtifactCard

N_EXPLAINED: Final = 5
"""Features named in an explanation."""
_NEGLIGIBLE_LOGITS: Final = 0.005
"""Smaller effects would be shown as 0.00."""
_LEAST_P: Final = 0.01
"""Probabilities nearer to 0 or 1 are counted as this when a slope is taken."""
_MINUS: Final = np.float32(-1)
_FEATURES: Final = "features"
_VIEW_PHRASES: Final = {
    "likeness of features": "built like prompts seen in training",
    "question": "how the question is built",
    "embedding": "meaning of the text",
    "n-grams": "wording",
}


class LearnedRouter:
    """What an artifact knows. Immutable; safe to use from several threads.

    Args:
        card: says what it is.
        skill: the arithmetic; its pairs are the card's, its models the card's or none.
        trained_prompts: sorted `prompt_hash`es of the prompts it learned from, uint64.
        answers: what was learned of answers; None for nothing.

    Raises:
        ValueError: the parts do not fit the card.
    """

    def __init__(
        self,
        card: ArtifactCard,
        skill: Skill,
        *,
        trained_prompts: NDArray[np.uint64],
        answers: LearnedAnswers | None = None,
    ) -> None:
        if skill.pairs != card.pairs or skill.models not in (card.models, ()):
            raise ValueError(f"what was learned is of {skill.models} and {skill.pairs}, the card says otherwise")
        if skill.views.standard.mean.shape != (len(card.features.names),):
            raise ValueError(f"{skill.views.standard.mean.shape} features do not fit {len(card.features.names)} names")
        if (None if answers is None else answers.models) != (None if card.answers is None else card.answers.models):
            raise ValueError("what was learned of answers is not what the card says")
        self.answers = answers
        self.card = card
        self.skill = skill
        self.trained_prompts = trained_prompts

    @property
    def router(self) -> str:
        """Name and version of the artifact."""
        return self.card.router

    def p_good(
        self, models: Sequence[str], features: FloatArray, embeddings: FloatArray, texts: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(each model but the last does as well as the last), shape (n, len(models) - 1).

        Args:
            models: from cheap to strong, by their names in training; a generic router takes any.
            features, embeddings, texts: n prompts, shapes (n, features), (n, dim), (n,).

        Raises:
            ArtifactError: it was not trained for these models.
        """
        if self.card.generic:
            p_cheap = self.skill.predict(features, embeddings, texts).p_cheap[:, :1].astype(np.float64)
            rungs = len(models) - 1
            # It knows cheap against strong only; between them the risk is taken to fall in equal steps.
            return np.asarray(1 - (1 - p_cheap) * (rungs - np.arange(rungs)) / max(rungs, 1))
        wanted = [(model, models[-1]) for model in models[:-1]]
        for pair in wanted:
            if pair not in self.card.pairs:
                raise ArtifactError(
                    f"the router {self.router} was trained for {', '.join(self.card.models)}, in this order; "
                    f"it has not learned how {pair[0]} does beside {pair[1]}"
                )
        p = self.skill.for_pairs(wanted).predict(features, embeddings, texts).p_cheap
        return p.astype(np.float64)

    def for_tiers(self, tiers: Sequence[Sequence[str]]) -> TierScores:
        """Scores for tiers, cheapest first; each is a sequence of names its models may have had in training.

        Raises:
            ArtifactError: it was trained for other models than any of these.
        """
        if self.card.generic or len(tiers) < 2:
            return TierScores(self, (self.card.pairs[0],), (0, *(None,) * (len(tiers) - 1)), generic=True)
        strong = next((name for name in tiers[-1] if name in self.card.models), self.card.models[-1])
        wanted = [next(((name, strong) for name in tier if (name, strong) in self.card.pairs), None) for tier in tiers]
        pairs = tuple(dict.fromkeys(pair for pair in wanted[:-1] if pair is not None))
        if not pairs:
            names = ", ".join(" / ".join(tier) for tier in tiers)
            raise ArtifactError(
                f"the router {self.router} was trained for {', '.join(self.card.models)}, but the tiers have {names}: "
                "train it on outcomes of these models, or call them by the names of the outcomes"
            )
        places = tuple(None if pair is None else pairs.index(pair) for pair in wanted[:-1])
        return TierScores(self, pairs, (*places, None), generic=False)


class TierScores:
    """A router bound to tiers: one request's score, with its explanation."""

    def __init__(
        self, router: LearnedRouter, pairs: Sequence[Pair], places: Sequence[int | None], *, generic: bool
    ) -> None:
        """Takes the pairs to score, and for each tier which of them speaks for it (None: none does)."""
        skill = router.skill.for_pairs(pairs)
        self._serving = Serving(skill)
        self._router = router.router
        self._generic = generic
        self._places = tuple(places)
        self._first = next((place for place in places if place is not None), 0)
        self._names = router.card.features.names
        self._phrases = router.card.features.phrases
        self._feature_means: list[float] = router.skill.views.standard.mean.tolist()
        self._slope = _logits_per_gain(skill, self._first)

    @property
    def router(self) -> str:
        """Name and version of the artifact."""
        return self._router

    def score(self, features: FloatArray, embedding: FloatArray, text: str, plain: PlainText | None = None) -> Score:
        """The score of one text; `features` has shape (features,), `embedding` (dim,).

        `plain` is the `plain_text` of the text where that is known.
        """
        added = self._serving.added(features, embedding, text, plain)
        p = self._serving.probabilities(added)
        by_tier = None
        if not self._generic:
            by_tier = (*(None if place is None else p[place] for place in self._places[:-1]), 1.0)
        return Score(p[self._first], self._moved(features, added), self._router, by_tier)

    def _moved(self, features: FloatArray, added: Added) -> tuple[Contribution, ...]:
        """What moved the score of the cheapest tier that it knows, compared with the average training prompt."""
        slope = self._slope
        effects = self._serving.effects(added, self._first)
        # A stable sort, so that of equal effects the one listed first is named first.
        strongest = np.copysign(effects, _MINUS).argsort(kind="stable")[:N_EXPLAINED]
        means, phrases, names = self._feature_means, self._phrases, self._names
        moved = []
        for at, adds, value in zip(
            strongest.tolist(), effects.take(strongest).tolist(), features.take(strongest).tolist(), strict=True
        ):
            effect = adds * slope
            if abs(effect) >= _NEGLIGIBLE_LOGITS:
                phrase = phrases[at][0 if value > means[at] else 1]
                moved.append(Contribution(names[at], value, effect, f"{phrase} ({signed(effect)})"))
        for name, adds in zip(self._serving.view_names, added.views[self._first], strict=True):
            effect = adds * slope
            if name != _FEATURES and abs(effect) >= _NEGLIGIBLE_LOGITS:
                phrase = _VIEW_PHRASES.get(name, name)
                moved.append(Contribution(name, adds, effect, f"{phrase} ({signed(effect)})"))
        moved.sort(key=_strength)
        return tuple(moved)


def _strength(contribution: Contribution) -> float:
    """Falls as the effect grows."""
    return -abs(contribution.effect)


def _logits_per_gain(skill: Skill, pair: int) -> float:
    """How many logits P(cheap does as well) moves per unit of expected gain, over the calibration's whole length."""
    target = len(skill.models) + pair
    knots, p = skill.knots[:, target].astype(float), np.clip(skill.p_at_knots[:, target], _LEAST_P, 1 - _LEAST_P)
    first, last = float(p[0]), float(p[-1])
    rise = math.log(last / (1 - last)) - math.log(first / (1 - first))
    return rise / float(knots[-1] - knots[0])


def signed(effect: float) -> str:
    """An effect with its sign and two decimals, such as "+0.40" or "−0.80" (with a real minus sign)."""
    return f"{effect:+.2f}" if effect >= 0 else f"−{-effect:.2f}"
