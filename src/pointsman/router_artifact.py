"""Opens a router artifact with the features and the encoder of this version: the same for serving and for measuring."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import features, judge, promote, score
from .errors import ArtifactError
from .staging import brought_artifact
from .vocabulary import Encoder, FloatArray

NO_ENCODER = "none"


@dataclass(frozen=True, slots=True, eq=False)
class OpenedRouter:
    """A router that fits, and what it reads prompts with."""

    router: score.LearnedRouter
    encoder: Encoder | None
    """None for a router that was trained without one."""
    folder: Path
    card_sha256: str
    """Of `card.json`, which holds the hashes of the other files."""

    @property
    def encoder_spec(self) -> str:
        """How `named_encoder` finds the encoder that it was trained with."""
        return NO_ENCODER if self.encoder is None else self.router.card.encoder.spec

    def p_good(self, models: Sequence[str], prompts: Sequence[str]) -> NDArray[np.float64]:
        """P(each model but the last does as well as the last), shape (n, len(models) - 1).

        Raises:
            ArtifactError: it was not trained for these models.
        """
        if not prompts:
            return np.zeros((0, len(models) - 1))
        return self.router.p_good(models, read_features(prompts), self.vectors(prompts), prompts)

    def vectors(self, prompts: Sequence[str]) -> FloatArray:
        """Shape (n, dim); dim is 0 without an encoder."""
        if self.encoder is None:
            return np.zeros((len(prompts), 0), dtype=np.float32)
        return self.encoder.encode(prompts)


def open_router(artifact: str | Path, *, encoder: str | None = None) -> OpenedRouter:
    """The router of a folder, a store (its latest), a store's `latest` file, an address of one of these, or "builtin".

    Args:
        encoder: another way to the same encoder than the artifact's own, such as an endpoint's address; its id must be
            the one it was trained with.

    Raises:
        ArtifactError: it is missing, damaged, or made for other features or another encoder.
        EncoderError: its encoder cannot be opened.
    """
    folder = artifact_folder(artifact)
    card = score.read_card(folder)
    opened = named_encoder(card.encoder.spec if encoder is None else encoder)
    router = score.load(
        folder,
        feature_version=features.FEATURE_VERSION,
        feature_names=tuple(feature.name for feature in features.FEATURES),
        encoder_id=NO_ENCODER if opened is None else opened.id,
        encoder_dim=0 if opened is None else opened.dim,
        answer_readings=score.AnswerReadings(
            judge.SIGNAL_VERSION, judge.TOKEN_VERSION, (*judge.SIGNALS, *judge.TOKEN_SIGNALS)
        ),
    )
    return OpenedRouter(router, opened if card.encoder.dim else None, folder, card_hash(folder))


def artifact_folder(artifact: str | Path) -> Path:
    """The folder that "builtin", a folder, a store or a store's `latest` means; a local copy for an address.

    Raises:
        ArtifactError: a store's pointer is damaged, or points to what is not there.
        DataError: there is no artifact at the address, or it cannot be read.
    """
    if str(artifact) == score.BUILTIN:
        return Path(score.__file__).parent / score.BUILTIN
    return promote.artifact_at(brought_artifact(str(artifact)))


def card_hash(folder: Path) -> str:
    """SHA-256 of an artifact's card, hexadecimal.

    Raises:
        ArtifactError: there is no card.
    """
    try:
        return hashlib.sha256((folder / score.CARD_FILE).read_bytes()).hexdigest()
    except OSError as error:
        raise ArtifactError(f"{folder / score.CARD_FILE} cannot be read: {error.strerror}") from error


def verified_hash(folder: Path) -> str:
    """The hash of an artifact's card, once the whole artifact loads and every file is as the card says.

    Raises:
        ArtifactError: it does not.
    """
    return open_router(folder).card_sha256


def named_encoder(spec: str, *, environ: Mapping[str, str] | None = None) -> Encoder | None:
    """The encoder that `features.open_encoder` takes by this name, None for "none".

    "openai:NAME" finds its address in `OPENAI_BASE_URL` and its key in `OPENAI_API_KEY`, as OpenAI's own tools do.

    Raises:
        EncoderError: there is no such encoder.
    """
    if spec == NO_ENCODER:
        return None
    variables = os.environ if environ is None else environ
    return features.open_encoder(
        spec, base_url=variables.get("OPENAI_BASE_URL"), api_key=variables.get("OPENAI_API_KEY")
    )


def read_features(prompts: Sequence[str]) -> FloatArray:
    """Hand-crafted features of prompts, each as a single user turn: shape (n, features)."""
    if not prompts:
        return np.zeros((0, len(features.FEATURES)), dtype=np.float32)
    return np.stack([features.extract_text(prompt) for prompt in prompts])
