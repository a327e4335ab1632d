"""Router artifacts on disk: a folder with `card.json`, `model.safetensors` and, for some encoders, `tokenizer.json`.

Arrays are in safetensors and the rest is JSON, so loading runs no code. Every file's SHA-256 stands in the card.
`docs/design/artifact.md` describes the format.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from pointsman.errors import ArtifactError
from pointsman.learned import AnswerSkill, LearnedAnswers, Precedents, Skill

from .card import FORMAT, AnswersCard, ArtifactCard, FileCard
from .learned_router import LearnedRouter

BUILTIN: Final = "builtin"
"""The name of the artifact that comes with the package."""
CARD_FILE: Final = "card.json"
ARRAYS_FILE: Final = "model.safetensors"
TOKENIZER_FILE: Final = "tokenizer.json"
MAX_CARD_BYTES: Final = 4 * 1024 * 1024
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
"""A router of two models has 3 MB; each further model with its pair adds 1 MB, a million prompts 8 MB."""

_PROMPT: Final = "prompt/"
"""Before the names of the arrays of what was learned of prompts (`pointsman.learned.Skill.arrays`)."""
_ANSWER: Final = "answer/"
"""Before those of what was learned of answers (`pointsman.learned.AnswerSkill.arrays`)."""
_PRECEDENT: Final = "precedent/"
"""Before those of what cascades are planned from (`pointsman.learned.Precedents.arrays`)."""
_TRAINED_PROMPTS: Final = "trained_prompts"


@dataclass(frozen=True, slots=True)
class AnswerReadings:
    """What is read off answers by this version: versions and names, in order."""

    signal_version: int
    token_version: int
    names: tuple[str, ...]


def save(folder: Path, router: LearnedRouter, *, tokenizer: bytes | None = None, replace: bool = False) -> None:
    """Writes an artifact that is either whole or not there.

    It is written beside `folder`, flushed to the disk and then renamed; with `replace` the old one is moved away just
    before (a reader in between finds none, so running gateways should be given new folders). `tokenizer` is kept with
    it when the encoder's own does not travel with the encoder. The same router gives the same bytes.

    Raises:
        ArtifactError: `folder` exists and `replace` is False, or it cannot be written.
    """
    if folder.exists() and not replace:
        raise ArtifactError(f"{folder} exists; choose another folder or replace it explicitly")
    contents = {ARRAYS_FILE: _arrays_bytes(router)}
    if tokenizer is not None:
        contents[TOKENIZER_FILE] = tokenizer
    files = {name: FileCard(sha256=_sha256(content), n_bytes=len(content)) for name, content in contents.items()}
    card = router.card.model_copy(update={"files": files})
    contents[CARD_FILE] = (json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n").encode()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, content in contents.items():
                _write_durably(made / name, content)
            made.chmod(0o755)
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
                folder.rename(old / folder.name)
                made.rename(folder)
                shutil.rmtree(old)
            else:
                made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    except OSError as error:
        raise ArtifactError(f"the artifact cannot be written to {folder}: {error.strerror}") from error


def load(
    folder: str | Path,
    *,
    feature_version: int,
    feature_names: Sequence[str],
    encoder_id: str,
    encoder_dim: int,
    answer_readings: AnswerReadings | None = None,
) -> LearnedRouter:
    """The router in `folder` ("builtin" names the packaged one), once it fits the features and the encoder.

    A router trained without an encoder fits any.

    Args:
        answer_readings: what is read off answers; without it what was learned of answers is left out.

    Raises:
        ArtifactError: a file is missing, damaged, too large or of another format; or it was trained with other
            features or another encoder; or a number in it is not finite.
    """
    path = Path(__file__).parent / BUILTIN if str(folder) == BUILTIN else Path(folder)
    card = read_card(path)
    _check_fit(path, card, feature_version, tuple(feature_names), encoder_id, encoder_dim)
    if answer_readings is not None:
        _check_readings(path, card, answer_readings)
    if ARRAYS_FILE not in card.files:
        raise ArtifactError(f"{path / CARD_FILE} does not list {ARRAYS_FILE}")
    contents = {name: _checked(path, name, file) for name, file in card.files.items()}
    arrays = _arrays(path / ARRAYS_FILE, contents[ARRAYS_FILE])
    learned = {name.removeprefix(_PROMPT): array for name, array in arrays.items() if name.startswith(_PROMPT)}
    try:
        skill = Skill.from_arrays(learned, models=() if card.generic else card.models, pairs=card.pairs)
        if skill.views.embedding.landmarks.shape[1] != card.encoder.dim:
            raise ValueError(
                f"vectors of length {skill.views.embedding.landmarks.shape[1]}, its card says {card.encoder.dim}"
            )
        answers = None
        if answer_readings is None:
            card = card.model_copy(update={"answers": None})
        elif card.answers is not None:
            answers = _answers(arrays, card.answers)
        return LearnedRouter(card, skill, trained_prompts=arrays[_TRAINED_PROMPTS], answers=answers)
    except ValueError as error:
        raise ArtifactError(f"{path / ARRAYS_FILE} cannot be used: {error}") from error


def read_card(folder: Path) -> ArtifactCard:
    """The card of an artifact, without its arrays.

    Raises:
        ArtifactError: there is none, or it cannot be read.
    """
    path = folder / CARD_FILE
    content = _read(path, MAX_CARD_BYTES)
    try:
        raw = json.loads(content, parse_constant=_no_constant)
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        found = raw.get("format") if isinstance(raw, dict) else type(raw).__name__
        raise ArtifactError(f"{path} has format {found!r}, but this version of Pointsman reads format {FORMAT}")
    try:
        return ArtifactCard.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"{path}, at {where}: {first['msg']}") from error


def _check_fit(
    path: Path, card: ArtifactCard, version: int, names: tuple[str, ...], encoder_id: str, encoder_dim: int
) -> None:
    if card.features.version != version:
        raise ArtifactError(
            f"{path} was trained with features of version {card.features.version}, this version of Pointsman "
            f"has {version}: train it again"
        )
    if card.features.names != names:
        raise ArtifactError(f"{path} was trained with other features of the same version {version}: train it again")
    if card.encoder.dim == 0:
        return
    if card.encoder.id != encoder_id:
        raise ArtifactError(
            f"{path} was trained with the encoder {card.encoder.id}, but the encoder in use is {encoder_id}"
        )
    if card.encoder.dim != encoder_dim:
        raise ArtifactError(
            f"{path} was trained with vectors of length {card.encoder.dim}, not {encoder_dim} as {encoder_id} has"
        )


def _check_readings(path: Path, card: ArtifactCard, expected: AnswerReadings) -> None:
    found = card.answers
    if found is None:
        return
    versions = (found.signal_version, found.token_version)
    if versions != (expected.signal_version, expected.token_version):
        raise ArtifactError(
            f"{path} learned from answers read by versions {versions[0]} (text) and {versions[1]} (token "
            f"probabilities); this version of Pointsman reads them by {expected.signal_version} and "
            f"{expected.token_version}: train it again"
        )
    if found.signals != expected.names:
        raise ArtifactError(f"{path} learned from other signals of answers of the same versions: train it again")


def _answers(arrays: dict[str, NDArray[Any]], card: AnswersCard) -> LearnedAnswers:
    parts = {
        prefix: {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        for prefix in (_ANSWER, _PRECEDENT)
    }
    skill = AnswerSkill.from_arrays(
        parts[_ANSWER], models=card.models, signal_version=card.signal_version, token_version=card.token_version
    )
    return LearnedAnswers(skill, Precedents.from_arrays(parts[_PRECEDENT], models=card.models))


def _arrays_bytes(router: LearnedRouter) -> bytes:
    from safetensors.numpy import save as to_safetensors

    arrays: dict[str, NDArray[Any]] = {_PROMPT + name: array for name, array in router.skill.arrays().items()}
    if router.answers is not None:
        arrays |= {_ANSWER + name: array for name, array in router.answers.skill.arrays().items()}
        arrays |= {_PRECEDENT + name: array for name, array in router.answers.precedents.arrays().items()}
    arrays[_TRAINED_PROMPTS] = router.trained_prompts.astype(np.uint64)
    return bytes(to_safetensors({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def _arrays(path: Path, content: bytes) -> dict[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_safetensors

    try:
        arrays: dict[str, NDArray[Any]] = from_safetensors(content)
    except SafetensorError as error:
        raise ArtifactError(f"{path} is not a safetensors file: {error}") from error
    others = [name for name in arrays if not name.startswith((_PROMPT, _ANSWER, _PRECEDENT))]
    if others != [_TRAINED_PROMPTS]:
        raise ArtifactError(f"{path} should hold {_TRAINED_PROMPTS} beside what was learned, it has {others}")
    trained = arrays[_TRAINED_PROMPTS]
    if trained.dtype != np.uint64 or trained.ndim != 1:
        raise ArtifactError(
            f"{path}: {_TRAINED_PROMPTS} is {trained.dtype} of shape {trained.shape}, expected one row of uint64"
        )
    return arrays


def _checked(folder: Path, name: str, file: FileCard) -> bytes:
    """A file's bytes, once they are those the card speaks of."""
    if name not in (ARRAYS_FILE, TOKENIZER_FILE):
        raise ArtifactError(f"{folder / CARD_FILE} lists the unknown file {name!r}")
    path = folder / name
    content = _read(path, MAX_FILE_BYTES)
    if len(content) != file.n_bytes:
        raise ArtifactError(f"{path} is damaged: it has {len(content)} bytes, its card says {file.n_bytes}")
    found = _sha256(content)
    if found != file.sha256:
        raise ArtifactError(f"{path} is damaged or was changed: its SHA-256 is {found}, its card says {file.sha256}")
    return content


def _read(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path.parent} is no router artifact: it has no {path.name}") from error
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > max_bytes:
        raise ArtifactError(f"{path} is larger than {max_bytes} bytes")
    return content


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
