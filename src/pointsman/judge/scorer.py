"""P(an answer is good) from everything that is free: checks, text, token probabilities, the prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.learned import MAX_BYTES, Ahead, AnswerSkill, Serving
from pointsman.vocabulary import Verdict
from pointsman.word_hashes import PlainText, plain_text

from .checks import Asked, Fault, Given, faults
from .signals import answer_signals
from .tokens import TokenReading, token_signals

Reader: TypeAlias = Callable[[Sequence[str]], NDArray[np.floating]]

DECISIVE: Final = frozenset(
    {"cut", "truncated", "stopped", "empty", "bad_tool_call", "refusal", "bad_json", "bad_schema"}
)
"""Faults after which an answer does not count as good, whatever else speaks for it."""
MAX_P_WITH_FAULT: Final = 0.02


@dataclass(frozen=True, slots=True)
class Scored:
    """What the free signals say of one answer."""

    p_good: float
    faults: tuple[Fault, ...]

    def verdict(self, *, least_p: float, judge: str, latency_ms: float = 0.0) -> Verdict:
        """Accepted when P(good) reaches `least_p`."""
        accepted = self.p_good >= least_p
        told = f"P(good) {self.p_good:.2f} is {'at or above' if accepted else 'below'} {least_p:.2f}"
        if self.faults:
            told = f"{told}; {self.faults[0].why}"
        return Verdict(self.p_good, accepted, judge, told, latency_ms=latency_ms)


class AnswerScorer:
    """Scores answers with what was learned.

    The readers must be those of training; an artifact's versions of signals are checked when its skill is read.
    """

    def __init__(
        self,
        skill: AnswerSkill,
        *,
        extract: Reader,
        encode: Reader | None,
        look: Callable[[str], PlainText | None] = plain_text,
    ) -> None:
        """Takes what was learned, and how texts are read.

        `look` is asked before `extract`, so that what it finds in a text need not be found twice.
        """
        self.skill = skill
        self._look = look
        self._extract = extract
        self._encode = encode
        self._servings: dict[int, Serving] = {}
        self._n_text_readings = len(skill.text.views.standard.mean)

    def ahead(self, prompt: str) -> Ahead:
        """What is expected of all models before any is called."""
        return self.skill.ahead(self._extract([prompt]), self._vectors([prompt]), [prompt])

    def score(
        self, model: str, asked: Asked, given: Given, *, ahead: Ahead, tokens: TokenReading | None = None
    ) -> Scored:
        """What the free signals say of a model's answer.

        Raises:
            KeyError: the model was not learned.
        """
        if model not in self.skill.models:
            raise KeyError(model)
        signals = answer_signals(asked.prompt, given.text, given.finish_reason)
        found = faults(asked, given, signals=signals)
        p = self._p_good(model, given.text, signals, ahead, tokens)
        if any(fault.code in DECISIVE for fault in found):
            p = min(p, MAX_P_WITH_FAULT)
        return Scored(p, found)

    def p_good(
        self,
        model: str,
        prompt: str,
        text: str,
        *,
        ahead: Ahead,
        tokens: TokenReading | None = None,
        finish_reason: str | None = None,
    ) -> float:
        """P(good) of an answer that has no plain fault, from 0 to 1.

        Raises:
            KeyError: the model was not learned.
        """
        if model not in self.skill.models:
            raise KeyError(model)
        return self._p_good(model, text, answer_signals(prompt, text, finish_reason), ahead, tokens)

    def _p_good(
        self, model: str, text: str, signals: NDArray[np.float32], ahead: Ahead, tokens: TokenReading | None
    ) -> float:
        j = self.skill.models.index(model)
        plain = self._look(text) if len(text) <= MAX_BYTES else None
        features = np.asarray(self._extract([text]), dtype=np.float32)[0]
        readings = np.concatenate((features, signals, token_signals(tokens, len(text))))[None, :]
        value = self.skill.values_beside_text(j, ahead.values[:, j], readings)
        value += self._text_value(j, readings[0, : self._n_text_readings], self._vectors([text])[0], text, plain)
        return float(self.skill.p_good(j, value)[0])

    def _text_value(
        self, j: int, readings: NDArray[np.float32], vector: NDArray[np.float32], text: str, plain: PlainText | None
    ) -> float:
        """What the text alone says, by the arithmetic that is laid out for one text at a time."""
        serving = self._servings.get(j)
        if serving is None:
            serving = self._servings[j] = Serving(self.skill.text.for_model(self.skill.models[j]))
        return serving.values(serving.added(readings, vector, text, plain))[0]

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._encode is None:
            return np.zeros((len(texts), 0), dtype=np.float32)
        return np.asarray(self._encode(texts), dtype=np.float32)
