"""The columns whose means are resampled, by name: laid out once, looked up in every replicate."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .paired import Float


@dataclass(slots=True, eq=False)
class Columns:
    """Collects blocks of per-prompt values, each of shape (n,) or (k, n), under a name."""

    _blocks: list[NDArray[np.float32]] = field(default_factory=list)
    _places: dict[str, slice] = field(default_factory=dict)
    _width: int = 0

    def add(self, name: str, values: NDArray[np.number] | NDArray[np.bool_]) -> None:
        """Adds a block; its values are read back by `Means`."""
        block = np.atleast_2d(values).astype(np.float32)
        self._places[name] = slice(self._width, self._width + block.shape[0])
        self._blocks.append(block)
        self._width += block.shape[0]

    def matrix(self) -> NDArray[np.float32]:
        """All blocks side by side, shape (n, c)."""
        out = np.empty((self._blocks[0].shape[1], self._width), dtype=np.float32)
        begin = 0
        for block in self._blocks:
            out[:, begin : begin + block.shape[0]] = block.T
            begin += block.shape[0]
        return out

    def means(self, values: Float) -> Means:
        """The means of all columns, shape (b, c), under the names of the blocks."""
        return Means(values, dict(self._places))


@dataclass(frozen=True, slots=True, eq=False)
class Means:
    """Means by block name, with the replicates along the first axis."""

    _values: Float
    _places: dict[str, slice]

    def __getitem__(self, name: str) -> Float:
        """Shape (b, k)."""
        return self._values[:, self._places[name]]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def one(self, name: str) -> Float:
        """Shape (b,), of a block that holds a single column."""
        return self._values[:, self._places[name].start]
