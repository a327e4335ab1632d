"""A scorer put together from what the stages before it provide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pointsman.learned import MAX_BYTES
from pointsman.vocabulary import DialPoint, Encoder, FloatArray, Request, Score
from pointsman.word_hashes import PlainText, plain_text

from .learned_router import LearnedRouter


class CompositeScorer:
    """Extracts features, encodes the text, and lets the router score both; implements `vocabulary.Scorer`."""

    def __init__(
        self,
        *,
        extract: Callable[[Request, PlainText | None], NDArray[np.floating]],
        encoder: Encoder | None,
        router: LearnedRouter,
        text_of: Callable[[Request], str],
        tiers: Sequence[Sequence[str]],
        look: Callable[[str], PlainText | None] = plain_text,
    ) -> None:
        """Takes features of shape (features,), the text that is encoded, and the tiers to score for.

        `extract` is given what `look` found in the text too, so that its words need not be found twice.
        `encoder` may be None only for a router that was trained without one. `tiers` as in `LearnedRouter.for_tiers`.

        Raises:
            ArtifactError: the router was trained for other models.
        """
        self._extract = extract
        self._look = look
        self._encoder = encoder if router.card.encoder.dim > 0 else None
        self._scores = router.for_tiers(tiers)
        self._text_of = text_of
        self._dial = router.card.dial_points

    @property
    def router(self) -> str:
        """Name and version of the artifact."""
        return self._scores.router

    @property
    def dial(self) -> tuple[DialPoint, ...]:
        """What each threshold gave on held-out prompts, by rising threshold; empty when unknown."""
        return self._dial

    def score(self, request: Request) -> Score:
        """The calibrated score of one request, with its explanation."""
        text = self._text_of(request)
        # Of a longer text each reader takes its own ends.
        plain = self._look(text) if len(text) <= MAX_BYTES else None
        features = np.asarray(self._extract(request, plain), dtype=np.float32)
        return self._scores.score(features, self._encode([text])[0], text, plain)

    def score_batch(self, requests: Sequence[Request]) -> list[Score]:
        """The same for many, in their order."""
        # One by one, because an encoder that has just seen a text's features need not look its words up again.
        return [self.score(request) for request in requests]

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        if self._encoder is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return self._encoder.encode(texts)
