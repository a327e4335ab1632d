"""What was learned of answers: from a prompt, an answer's text and its token probabilities to P(the answer is good).

Three parts add up, each linear: what the prompt alone says of the model, what the answer's text says, and what was read
off the answer in numbers. These *readings* are, in this order, its hand-crafted features (those of prompts), its
signals, and the signals of its token probabilities. A calibration line per model turns the sum into a probability. The
prompt's part also tells what each model's call will cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .skill import Skill
from .views import Floats

MAX_DEVIATION: Final = 4.0
"""A reading further from its mean than this many standard deviations counts as this many."""
MAX_LOG_COST: Final = 12.0
"""An expected cost is within e^±12 times the mean: beyond is a fault of extrapolation."""


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """What is expected of n prompts before anything is called."""

    values: Floats
    """Raw values of the prompt's part, shape (n, models)."""
    p_good: Floats
    """P(each model's answer will be good), shape (n, models)."""
    log_cost: Floats
    """Expected logarithm of each call's cost in USD, shape (n, models)."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerSkill:
    """Weights per model. Immutable; needs numpy only."""

    models: tuple[str, ...]
    prompt: Skill
    """Of prompts: its models are these, and it has no pairs."""
    text: Skill
    """Of answers: its features are the readings but those of token probabilities."""
    reading_mean: Floats
    """Shape (readings,)."""
    reading_scale: Floats
    """Standard deviations; 0 for a reading that was constant, which then counts nothing."""
    reading_weights: Floats
    """Shape (readings, models)."""
    prompt_weights: Floats
    """What the prompt's value counts, shape (models,)."""
    offsets: Floats
    knots: Floats
    """Values at which P(good) is known, rising, shape (knots, models)."""
    p_at_knots: Floats
    log_cost_weights: Floats
    """On the prompt's standardised features, shape (features, models)."""
    log_cost_offsets: Floats
    """Shape (models,). A model whose cost was never known has weights of 0 here and an offset of 0."""
    signal_version: int
    token_version: int
    _factor: Floats = field(init=False, repr=False)
    _texts: tuple[Skill, ...] = field(init=False, repr=False)
    """The text's part model by model: one model's answer then touches one model's weights."""

    def __post_init__(self) -> None:
        """Takes a division out of a request's way."""
        varies = self.reading_scale > 0
        factor = np.where(varies, 1 / np.where(varies, self.reading_scale, 1), 0)
        object.__setattr__(self, "_factor", factor.astype(np.float32))
        object.__setattr__(self, "_texts", tuple(self.text.for_model(model) for model in self.models))

    def ahead(self, features: Floats, embeddings: Floats, prompts: Sequence[str]) -> Ahead:
        """What is expected before any call; arguments as in `Skill.values`."""
        values = self.prompt.values(features, embeddings, prompts)
        log_cost = self.prompt.views.standard.of(np.asarray(features, np.float32)) @ self.log_cost_weights
        np.clip(log_cost, -MAX_LOG_COST, MAX_LOG_COST, out=log_cost)
        log_cost += self.log_cost_offsets
        return Ahead(values, self.prompt.probabilities(values), np.asarray(log_cost, dtype=np.float32))

    def values(self, model: int, ahead: Floats, readings: Floats, embeddings: Floats, answers: Sequence[str]) -> Floats:
        """Raw values of n answers of one model, shape (n,).

        Args:
            model: its number.
            ahead: the prompts' raw values of this model, shape (n,), from `ahead`.
            readings: shape (n, readings).
            embeddings: vectors of the answers, shape (n, dim).
            answers: n texts.
        """
        of_text = readings[:, : len(self.text.views.standard.mean)]
        out = self.values_beside_text(model, ahead, readings)
        out += self._texts[model].values(of_text, embeddings, answers)[:, 0]
        return out

    def values_beside_text(self, model: int, ahead: Floats, readings: Floats) -> Floats:
        """The same without what the text alone says: what prompt and readings add, shape (n,)."""
        rows = np.asarray((readings - self.reading_mean) * self._factor, dtype=np.float32)
        np.clip(rows, -MAX_DEVIATION, MAX_DEVIATION, out=rows)
        out = np.asarray(rows @ self.reading_weights[:, model], dtype=np.float32)
        out += ahead * self.prompt_weights[model]
        out += self.offsets[model]
        return np.asarray(out, dtype=np.float32)

    def p_good(self, model: int, values: Floats) -> Floats:
        """P(the answer is good) at raw values of one model's answers, the same shape."""
        return np.interp(values, self.knots[:, model], self.p_at_knots[:, model]).astype(np.float32)

    def for_models(self, models: Sequence[str]) -> AnswerSkill:
        """The same for these models alone, in this order.

        Raises:
            KeyError: it was not trained for one of them.
        """
        prompt = self.prompt.for_models(models)
        at = [self.models.index(model) for model in models]
        own: dict[str, Floats] = {name: np.ascontiguousarray(getattr(self, name)[..., at]) for name in _PER_MODEL}
        return AnswerSkill(
            models=tuple(models),
            prompt=prompt,
            text=self.text.for_models(models),
            reading_mean=self.reading_mean,
            reading_scale=self.reading_scale,
            signal_version=self.signal_version,
            token_version=self.token_version,
            **own,
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Everything but the names, for a file; `from_arrays` reads it back."""
        own = {name: getattr(self, name) for name in _DIMENSIONS if name not in _VERSIONS}
        versions = {name: np.array([getattr(self, name)], dtype=np.float32) for name in _VERSIONS}
        return {
            **{f"prompt_{name}": array for name, array in self.prompt.arrays().items()},
            **{f"text_{name}": array for name, array in self.text.arrays().items()},
            **own,
            **versions,
        }

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        *,
        models: Sequence[str],
        signal_version: int,
        token_version: int,
    ) -> AnswerSkill:
        """The skill that `arrays` gave.

        Args:
            signal_version, token_version: of the signals that will be passed in.

        Raises:
            ValueError: an array is missing or unknown, not float32, not finite or of a shape that does not fit, or the
                signals or n-grams are of another version.
        """
        parts: dict[str, dict[str, NDArray[Any]]] = {"prompt": {}, "text": {}, "": {}}
        for name, array in arrays.items():
            part, _, rest = name.partition("_")
            own = name in _DIMENSIONS or part not in ("prompt", "text")
            parts["" if own else part][name if own else rest] = array
        own_arrays = parts[""]
        if own_arrays.keys() != _DIMENSIONS.keys():
            raise ValueError(f"arrays lacking or unknown: {', '.join(sorted(own_arrays.keys() ^ _DIMENSIONS.keys()))}")
        for name, n_dimensions in _DIMENSIONS.items():
            array = own_arrays[name]
            if array.dtype != np.float32 or array.ndim != n_dimensions or not np.isfinite(array).all():
                raise ValueError(f"{name}: expected finite float32 of {n_dimensions} dimensions, got {array.dtype}")
        for name, expected in (("signal_version", signal_version), ("token_version", token_version)):
            if own_arrays[name].tolist() != [expected]:
                raise ValueError(f"{name} is {own_arrays[name].tolist()}, expected {expected}")
        prompt = Skill.from_arrays(parts["prompt"], models=models, pairs=())
        text = Skill.from_arrays(parts["text"], models=models, pairs=())
        _check_shapes(own_arrays, prompt, text, len(models))
        return cls(
            models=tuple(models),
            prompt=prompt,
            text=text,
            signal_version=signal_version,
            token_version=token_version,
            **{name: own_arrays[name] for name in _DIMENSIONS if name not in _VERSIONS},
        )


_VERSIONS: Final = ("signal_version", "token_version")
_PER_MODEL: Final = (
    "reading_weights",
    "prompt_weights",
    "offsets",
    "knots",
    "p_at_knots",
    "log_cost_weights",
    "log_cost_offsets",
)
_DIMENSIONS: Final[Mapping[str, int]] = {
    "reading_mean": 1,
    "reading_scale": 1,
    "reading_weights": 2,
    "prompt_weights": 1,
    "offsets": 1,
    "knots": 2,
    "p_at_knots": 2,
    "log_cost_weights": 2,
    "log_cost_offsets": 1,
    "signal_version": 1,
    "token_version": 1,
}


def _check_shapes(arrays: Mapping[str, NDArray[Any]], prompt: Skill, text: Skill, m: int) -> None:
    n_readings, n_knots = len(arrays["reading_mean"]), len(arrays["knots"])
    expected = {
        "reading_scale": (n_readings,),
        "reading_weights": (n_readings, m),
        "prompt_weights": (m,),
        "offsets": (m,),
        "knots": (n_knots, m),
        "p_at_knots": (n_knots, m),
        "log_cost_weights": (len(prompt.views.standard.mean), m),
        "log_cost_offsets": (m,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    if not len(prompt.views.standard.mean) <= len(text.views.standard.mean) <= n_readings:
        raise ValueError(f"{len(text.views.standard.mean)} readings of texts do not fit {n_readings} in all")
    if not (n_knots and (np.diff(arrays["knots"], axis=0) > 0).all()):
        raise ValueError("the knots of a calibration must rise")
    if not ((arrays["p_at_knots"] >= 0) & (arrays["p_at_knots"] <= 1)).all():
        raise ValueError("a calibrated probability is not from 0 to 1")
