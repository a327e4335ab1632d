"""What is read of prompts and answers before learning, once, so that folds do not read it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError
from pointsman.vocabulary import Outcomes

from .inputs import Inputs, Reader

SignalReader: TypeAlias = Callable[[Sequence[str], Sequence[str]], NDArray[np.floating]]
"""Prompts and answers to signals: shape (n, signals). The same function must be used in serving."""
TokenReader: TypeAlias = Callable[[NDArray[np.floating], Sequence[str]], NDArray[np.floating]]
"""Recorded confidences, NaN where not known, and answers to token signals: shape (n, token signals)."""

ReadTexts: TypeAlias = Callable[[Sequence[str]], Inputs]


@dataclass(frozen=True, slots=True)
class AnswerReaders:
    """How prompts and answers are read, with the versions that an artifact keeps."""

    extract: Reader
    """Hand-crafted features of texts."""
    encode: Reader | None
    """Vectors of texts; None for none."""
    signals: SignalReader
    tokens: TokenReader
    signal_version: int
    token_version: int


@dataclass(frozen=True, slots=True, eq=False)
class AnswerInputs:
    """n prompts, and the answers of m models to them."""

    prompts: Inputs
    answers: tuple[Inputs, ...]
    """One per model; an answer that is not known is read as an empty text."""
    readings: NDArray[np.float32]
    """Hand-crafted features, signals, token signals of each answer: shape (n, m, readings)."""
    n_token_signals: int
    """How many of the readings, the last ones, are of token probabilities."""

    @classmethod
    def read(
        cls,
        outcomes: Outcomes,
        readers: AnswerReaders,
        *,
        prompts: Inputs | None = None,
        texts_by: ReadTexts | None = None,
    ) -> AnswerInputs:
        """Reads prompts and answers.

        Args:
            prompts: those that were read already, by the same readers.
            texts_by: reads texts elsewhere, in the way of `readers`; None reads them here.

        Raises:
            DataError: neither an answer's text nor a confidence is known of a model: nothing says what it answered.
        """
        texts = answer_texts(outcomes)
        for j, model in enumerate(outcomes.models):
            if not any(texts[j]) and not np.isfinite(outcomes.confidence[:, j]).any():
                raise DataError(f"no answer of {model} has a text or a confidence: there is nothing to judge it by")
        if texts_by is None:
            texts_by = partial(Inputs.read, extract=readers.extract, encode=readers.encode)
        answers = tuple(texts_by(each) for each in texts)
        rows, n_token_signals = [], 0
        for j, part in enumerate(answers):
            signals = np.asarray(readers.signals(outcomes.prompts, texts[j]), dtype=np.float32)
            tokens = np.asarray(readers.tokens(outcomes.confidence[:, j], texts[j]), dtype=np.float32)
            rows.append(np.concatenate((part.features, signals, tokens), axis=1))
            n_token_signals = tokens.shape[1]
        if prompts is None:
            prompts = texts_by(outcomes.prompts)
        return cls(prompts, answers, np.stack(rows, axis=1), n_token_signals)

    def __getitem__(self, rows: NDArray[np.int64]) -> AnswerInputs:
        """The prompts at these places, with their answers."""
        answers = tuple(each[rows] for each in self.answers)
        return AnswerInputs(self.prompts[rows], answers, self.readings[rows], self.n_token_signals)


def answer_texts(outcomes: Outcomes) -> tuple[tuple[str, ...], ...]:
    """The answers of each model, shape (m, n); an unknown one is empty."""
    m = len(outcomes.models)
    if outcomes.responses is None:
        return (("",) * outcomes.n,) * m
    return tuple(tuple(row[j] if row[j] is not None else "" for row in outcomes.responses) for j in range(m))  # type: ignore[misc]
