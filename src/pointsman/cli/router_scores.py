"""A router artifact's scores of an eval set's prompts, for the commands that compare policies on recorded outcomes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pointsman.score import LogisticRouter
    from pointsman.vocabulary import Encoder, Outcomes


@dataclass(frozen=True, slots=True, eq=False)
class RouterScores:
    """What an artifact says of every prompt, and which prompts it has seen."""

    name: str
    sha256: str
    """Of its card, which holds the hashes of its files."""
    path: str
    p_good: NDArray[np.float64]
    """Shape (n, m): P(good enough) of each model; the last, the reference, has 1."""
    trained_prompts: NDArray[np.uint64]


def verify(folder: Path) -> str:
    """The hash of an artifact's card, once the whole artifact loads and every file is as the card says.

    Raises:
        ArtifactError: it does not.
    """
    _open(folder)
    return _card_hash(folder)


def router_scores(artifact: str, outcomes: Outcomes) -> RouterScores:
    """The scores of the artifact (a folder, a store, a store's `latest`, or "builtin") for the outcomes' prompts.

    Raises:
        ArtifactError: it does not load.
    """
    import numpy as np

    from pointsman.decide import p_good_by_tier
    from pointsman.features.handcrafted import extract_text

    folder = _folder(artifact)
    router, encoder = _open(folder)
    n, m = outcomes.n, len(outcomes.models)
    features = np.array([extract_text(prompt) for prompt in outcomes.prompts], dtype=np.float64).reshape(n, -1)
    if router.card.encoder.dim > 0:
        vectors = encoder.encode(outcomes.prompts)
    else:
        vectors = np.zeros((n, 0), dtype=np.float32)
    p_cheap = router.p_cheap(features, vectors) if n else np.zeros(0)
    p_good = np.array([p_good_by_tier(p, m) for p in p_cheap.tolist()], dtype=np.float64).reshape(n, m)
    return RouterScores(router.router, _card_hash(folder), artifact, p_good, router.trained_prompts)


def _folder(artifact: str) -> Path:
    from pointsman import score
    from pointsman.promote import artifact_at

    if artifact == score.BUILTIN:
        return Path(score.__file__).parent / score.BUILTIN
    return artifact_at(Path(artifact))


def _open(folder: Path) -> tuple[LogisticRouter, Encoder]:
    from pointsman import features, score

    encoder = features.open_encoder("static")
    router = score.load(
        folder,
        feature_version=features.FEATURE_VERSION,
        feature_names=tuple(feature.name for feature in features.FEATURES),
        encoder_id=encoder.id,
        encoder_dim=encoder.dim,
    )
    return router, encoder


def _card_hash(folder: Path) -> str:
    from pointsman.errors import ArtifactError

    try:
        return hashlib.sha256((folder / "card.json").read_bytes()).hexdigest()
    except OSError as error:
        raise ArtifactError(f"{folder / 'card.json'} cannot be read: {error.strerror}") from error
