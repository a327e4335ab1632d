"""A router artifact's scores of an eval set's prompts, for the commands that compare policies on recorded outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pointsman.engine import LOCAL, Engine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pointsman.vocabulary import Outcomes


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


def router_scores(artifact: str, outcomes: Outcomes, *, engine: Engine = LOCAL) -> RouterScores:
    """The scores of the artifact (a folder, a store, a store's `latest`, or "builtin") for the outcomes' prompts.

    Args:
        engine: scores the prompts in parts.

    Raises:
        ArtifactError: it does not load, or was trained for other models.
    """
    import numpy as np

    from pointsman.reading import router_p_good
    from pointsman.router_artifact import open_router

    opened = open_router(artifact)
    p = router_p_good(opened, outcomes.models, outcomes.prompts, engine=engine)
    return RouterScores(
        name=opened.router.router,
        sha256=opened.card_sha256,
        path=artifact,
        p_good=np.column_stack((p, np.ones(outcomes.n))),
        trained_prompts=opened.router.trained_prompts,
    )
