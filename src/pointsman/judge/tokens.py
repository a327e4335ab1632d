"""Token probabilities as signals: of the whole answer, and of the tokens that decide it.

A provider's log-probabilities become a `TokenReading`; recorded data often keep a single confidence only, from 0 to 1,
which then stands for all of it. Near certainty the difference between 0.999 and 0.99999 says much and 1 − p shows it,
hence the logarithm (Zellinger and Thomson, "Rational Tuning of LLM Cascades via Probabilistic Modeling", arXiv
2501.09345, transform confidences alike before they calibrate them).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TOKEN_VERSION: Final = 1
TOKEN_SIGNALS: Final = (
    "known",
    "surety",
    "surety_low",
    "surety_very_low",
    "p",
    "surety_long",
    "p_long",
    "long",
    "min_surety",
    "entropy",
)
"""Names, in order; all 0 when nothing is known. Surety is −log(1 − p), cut at `MAX_SURETY`."""
MAX_SURETY: Final = 16.0
LONG_CHARS: Final = 40
"""An answer longer than this argues before it decides, and its probability is of another kind."""
N_DECISIVE: Final = 12
"""The last tokens of a long answer, where its result stands; of a short one all."""


@dataclass(frozen=True, slots=True)
class TokenReading:
    """What the token probabilities of one answer say; None where the provider does not give them."""

    confidence: float
    """Probability of the decisive tokens together, 0 to 1; or the recorded confidence."""
    mean: float | None = None
    """Geometric mean of all token probabilities."""
    minimum: float | None = None
    """The least probable decisive token's."""
    entropy: float | None = None
    """Mean entropy over the alternatives at the decisive tokens, nats."""


def read_logprobs(logprobs: Sequence[float], alternatives: Sequence[Mapping[str, float]] = ()) -> TokenReading | None:
    """The reading of an answer's token log-probabilities, None when there are none.

    Args:
        logprobs: natural logarithms, one per token.
        alternatives: for each token the log-probabilities of the likeliest tokens; empty when not asked for.
    """
    known = [value for value in logprobs if math.isfinite(value)]
    if not known:
        return None
    decisive = known[-N_DECISIVE:]
    entropies = [_entropy(each) for each in alternatives[-N_DECISIVE:] if each]
    return TokenReading(
        confidence=math.exp(min(0.0, sum(decisive))),
        mean=math.exp(min(0.0, sum(known) / len(known))),
        minimum=math.exp(min(0.0, min(decisive))),
        entropy=sum(entropies) / len(entropies) if entropies else None,
    )


def _entropy(alternatives: Mapping[str, float]) -> float:
    """Entropy of the alternatives, what they leave over counted as one more."""
    p = [math.exp(value) for value in alternatives.values() if math.isfinite(value)]
    rest = max(0.0, 1 - sum(p))
    return -sum(each * math.log(each) for each in (*p, rest) if each > 0)


def token_signals(reading: TokenReading | None, n_chars: int) -> NDArray[np.float32]:
    """The token signals of one answer of `n_chars` characters, shape (len(TOKEN_SIGNALS),)."""
    if reading is None or not math.isfinite(reading.confidence):
        return np.zeros(len(TOKEN_SIGNALS), dtype=np.float32)
    p = min(1.0, max(0.0, reading.confidence))
    surety, is_long = _surety(p), float(n_chars > LONG_CHARS)
    least = p if reading.minimum is None else min(1.0, max(0.0, reading.minimum))
    values = (
        1.0,
        surety / 5,
        min(surety, 2.0),
        min(surety, 0.7),
        p,
        is_long * surety / 5,
        is_long * p,
        is_long,
        min(_surety(least), 4.0) / 4 if reading.minimum is not None else 0.0,
        0.0 if reading.entropy is None else reading.entropy,
    )
    return np.array(values, dtype=np.float32)


def read_confidences(confidence: NDArray[np.floating], answers: Sequence[str]) -> NDArray[np.float32]:
    """The token signals of n answers with a recorded confidence, NaN where not known: shape (n, signals)."""
    rows = [
        token_signals(TokenReading(value) if math.isfinite(value) else None, len(answer))
        for value, answer in zip(confidence.tolist(), answers, strict=True)
    ]
    return np.stack(rows) if rows else np.zeros((0, len(TOKEN_SIGNALS)), dtype=np.float32)


def _surety(p: float) -> float:
    return min(MAX_SURETY, -math.log(max(1 - p, 1e-7)))
