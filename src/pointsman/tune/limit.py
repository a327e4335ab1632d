"""The promise: how much quality a policy may lose against the strong model, as a mean that can be tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pointsman.errors import DataError

Float: TypeAlias = NDArray[np.floating[Any]]
LimitKind: TypeAlias = Literal["relative", "absolute"]


@dataclass(frozen=True, slots=True)
class QualityLimit:
    """The most quality a policy may lose, in expectation over new prompts of the same kind.

    "relative": E[strong score] - E[policy score] <= max_loss * E[strong score], a share of the strong model's quality.
    "absolute": E[strong score] - E[policy score] <= max_loss, in score points.

    Raises:
        DataError: `max_loss` is not in [0, 1).
    """

    max_loss: float
    kind: LimitKind = "relative"

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss < 1:
            raise DataError(f"a quality loss of {self.max_loss} is no limit: expected at least 0 and less than 1")
        if self.kind not in ("relative", "absolute"):
            raise DataError(f"a limit is relative or absolute, not {self.kind!r}")

    def excess(self, strong: Float, policy: Float) -> Float:
        """Per prompt, by how much the policy overdraws the limit; the limit is kept when the mean is at most 0.

        Relative: (1 - max_loss) * strong - policy. Absolute: strong - policy - max_loss. Both are linear in the scores,
        so that a ratio of two means needs no approximation. Scores lie in [0, 1], so the excess lies in [-1, `upper`].
        """
        if self.kind == "relative":
            return np.asarray((1 - self.max_loss) * strong - policy)
        return np.asarray(strong - policy - self.max_loss)

    @property
    def lower(self) -> float:
        """The least excess one prompt can have."""
        return -1.0 if self.kind == "relative" else -1.0 - self.max_loss

    @property
    def upper(self) -> float:
        """The most excess one prompt can have: the strong model is right and the policy's is not."""
        return 1 - self.max_loss

    def describe(self) -> str:
        """The limit in words."""
        of = "of the strong model's quality" if self.kind == "relative" else "in score points"
        return f"{100 * self.max_loss:g} % {of}" if self.kind == "relative" else f"{self.max_loss:g} {of}"
