"""Prompts read and scored in parts, on whichever engine. How they are cut is the same everywhere.

That is what makes engines agree to the last bit: linear algebra may round a row differently in another company.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .engine import LOCAL, Engine
from .router_artifact import OpenedRouter, named_encoder, read_features

if TYPE_CHECKING:
    from .score import LearnedRouter
    from .train import Inputs
    from .vocabulary import Encoder, FloatArray

READ_AT_ONCE: Final = 256
"""Prompts in a part: some 0.1 s of work and, with all that is read of them, about 1 MB."""
MAX_CHARS_AT_ONCE: Final = 2_000_000
"""A part of long prompts has fewer of them."""

Tell = Callable[[int], None]
"""Told how many prompts are done."""


@dataclass(frozen=True, slots=True)
class Encode:
    """Encodes texts by the encoder of a name, opened once in each process that does the work."""

    spec: str

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Shape (n, dim).

        Raises:
            EncoderError: there is no such encoder, or it could not embed a text.
        """
        encoder = _opened(self.spec)
        assert encoder is not None, "a reader without an encoder has no Encode"
        return encoder.encode(texts)


def encode_by(spec: str) -> Encode | None:
    """How texts become vectors by the encoder of this name; None for "none".

    Raises:
        EncoderError: there is no such encoder here.
    """
    return None if _opened(spec) is None else Encode(spec)


def _opened(spec: str) -> Encoder | None:
    return _opened_at(spec, *(os.environ.get(name) for name in ("OPENAI_BASE_URL", "OPENAI_API_KEY")))


@lru_cache(maxsize=2)
def _opened_at(spec: str, *_environ: str | None) -> Encoder | None:
    # What an encoder takes from the environment is part of its name here.
    return named_encoder(spec)


@dataclass(frozen=True, slots=True)
class ReadPrompts:
    """Reads all that learning needs of prompts."""

    encode: Encode | None

    def __call__(self, texts: Sequence[str]) -> Inputs:
        """What is read of n prompts."""
        from .train import Inputs

        return Inputs.read(texts, extract=read_features, encode=self.encode)


@dataclass(frozen=True, slots=True, eq=False)
class ScorePrompts:
    """Scores prompts by a router."""

    router: LearnedRouter
    encode: Encode | None
    models: tuple[str, ...]

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """P(each model but the last does as well as the last), shape (n, models - 1)."""
        vectors = np.zeros((len(texts), 0), dtype=np.float32) if self.encode is None else self.encode(texts)
        return self.router.p_good(self.models, read_features(texts), vectors, texts)


def parts_of(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The texts in parts of at most `READ_AT_ONCE`, fewer where they are long; no part is empty."""
    part: list[str] = []
    n_chars = 0
    for text in texts:
        if part and (len(part) == READ_AT_ONCE or n_chars + len(text) > MAX_CHARS_AT_ONCE):
            yield tuple(part)
            part, n_chars = [], 0
        part.append(text)
        n_chars += len(text)
    if part:
        yield tuple(part)


def read_inputs(prompts: Sequence[str], encoder: str, *, engine: Engine = LOCAL, advance: Tell | None = None) -> Inputs:
    """Prompts as training reads them.

    Args:
        encoder: as `router_artifact.named_encoder` takes it.
        advance: told how many prompts are read.

    Raises:
        EncoderError: there is no such encoder, or it could not embed a prompt.
    """
    from .train import Inputs

    work = ReadPrompts(encode_by(encoder))
    if not prompts:
        return work(())
    read, n_read = [], 0
    for some in engine.map(work, parts_of(prompts)):
        read.append(some)
        n_read += len(some)
        if advance is not None:
            advance(n_read)
    return Inputs.joined(read)


def router_p_good(
    opened: OpenedRouter, models: Sequence[str], prompts: Sequence[str], *, engine: Engine = LOCAL
) -> NDArray[np.float64]:
    """P(each model but the last does as well as the last), shape (n, models - 1).

    Raises:
        ArtifactError: the router was not trained for these models.
    """
    work = ScorePrompts(opened.router, encode_by(opened.encoder_spec), tuple(models))
    found = list(engine.map(work, parts_of(prompts)))
    return np.concatenate(found) if found else np.zeros((0, len(models) - 1))
