"""A scorer put together from what the stages before it provide."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pointsman.vocabulary import DialPoint, Encoder, FloatArray, Request, Score

from .logistic import LogisticRouter


class CompositeScorer:
    """Extracts features, encodes the text, and lets the router score both; implements `vocabulary.Scorer`."""

    def __init__(
        self,
        *,
        extract: Callable[[Request], NDArray[np.floating]],
        extract_batch: Callable[[Sequence[Request]], NDArray[np.floating]],
        encoder: Encoder | None,
        router: LogisticRouter,
        text_of: Callable[[Request], str],
    ) -> None:
        """Takes features of shape (features,) and (n, features), and the text that is encoded.

        `encoder` may be None only for a router that was trained without one.
        """
        self._extract = extract
        self._extract_batch = extract_batch
        self._encoder = encoder if router.card.encoder.dim > 0 else None
        self._router = router
        self._text_of = text_of
        self._dial = router.card.dial_points

    @property
    def router(self) -> str:
        """Name and version of the artifact."""
        return self._router.router

    @property
    def dial(self) -> tuple[DialPoint, ...]:
        """What each threshold gave on held-out prompts, by rising threshold; empty when unknown."""
        return self._dial

    def score(self, request: Request) -> Score:
        """The calibrated score of one request, with its explanation."""
        features = np.asarray(self._extract(request), dtype=np.float64)
        return self._router.score(features, self._encode([self._text_of(request)])[0])

    def score_batch(self, requests: Sequence[Request]) -> list[Score]:
        """The same for many; faster than one by one."""
        if not requests:
            return []
        features = np.asarray(self._extract_batch(requests), dtype=np.float64)
        return self._router.score_batch(features, self._encode([self._text_of(request) for request in requests]))

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        if self._encoder is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return self._encoder.encode(texts)
