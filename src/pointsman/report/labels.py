"""Where the labels of points go, so that none covers another, a point, or the edge of the plot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, TypeAlias

CHAR_PX: Final = 6.1
"""Mean width of a character at 12 px in the report's fonts; a little generous."""
Align: TypeAlias = Literal["left", "center", "right"]
LINE_PX: Final = 14.0
GAP_PX: Final = 9.0
POINT_PX: Final = 6.0


@dataclass(frozen=True, slots=True)
class Spot:
    """A point to label, in pixels from the plot's top left corner."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label goes: offset from its point in pixels, and how it is aligned there."""

    dx: float
    dy: float
    align: Align


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return width * height if width > 0 and height > 0 else 0.0


def _candidates() -> tuple[Place, ...]:
    sides = [Place(GAP_PX, 0.0, "left"), Place(-GAP_PX, 0.0, "right")]
    stacked = [Place(0.0, dy, "center") for dy in (-15.0, 15.0)]
    corner: tuple[tuple[float, Literal["left", "right"]], ...] = ((GAP_PX - 2, "left"), (2 - GAP_PX, "right"))
    corners = [
        Place(dx, dy, align) for dy in (-12.0, 12.0, -24.0, 24.0, -36.0, 36.0, -50.0, 50.0) for dx, align in corner
    ]
    return (*sides, *stacked, *corners)


CANDIDATES: Final = _candidates()


def placed(
    spots: Sequence[Spot], width: float, height: float, obstacles: Sequence[tuple[float, float]] = ()
) -> tuple[Place, ...]:
    """A place for each label; earlier spots choose first.

    Args:
        spots: in order of importance.
        width: of the plot, in pixels.
        height: of the plot, in pixels.
        obstacles: more points that should stay visible, such as a curve's, as (x, y).
    """
    points = [_around(spot.x, spot.y, POINT_PX) for spot in spots]
    soft = [_around(x, y, 3.0) for x, y in obstacles]
    taken: list[_Box] = []
    out = []
    for number, spot in enumerate(spots):
        others = [box for place, box in enumerate(points) if place != number]

        def penalty(
            place: Place, spot: Spot = spot, others: list[_Box] = others, rank: dict[Place, int] = _RANK
        ) -> float:
            box = _box(spot, place)
            outside = _area(box) - box.overlap(_Box(0.0, 0.0, width, height))
            return (
                20.0 * outside
                + 10.0 * sum(box.overlap(each) for each in taken)
                + 6.0 * sum(box.overlap(each) for each in others)
                + 2.0 * sum(box.overlap(each) for each in soft)
                + 4.0 * rank[place]
            )

        best = min(CANDIDATES, key=penalty)
        taken.append(_box(spot, best))
        out.append(best)
    return tuple(out)


def along(line: Sequence[tuple[float, float]], step_px: float = 6.0) -> list[tuple[float, float]]:
    """Points on the line through these, at most `step_px` apart, both ends included."""
    out = list(line[:1])
    for (x0, y0), (x1, y1) in pairwise(line):
        n = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / step_px))
        out += [(x0 + (x1 - x0) * i / n, y0 + (y1 - y0) * i / n) for i in range(1, n + 1)]
    return out


_RANK: Final = {place: rank for rank, place in enumerate(CANDIDATES)}


def _around(x: float, y: float, radius: float) -> _Box:
    return _Box(x - radius, y - radius, x + radius, y + radius)


def _area(box: _Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def _box(spot: Spot, place: Place) -> _Box:
    wide = CHAR_PX * len(spot.text)
    x, y = spot.x + place.dx, spot.y + place.dy
    left = x if place.align == "left" else x - wide if place.align == "right" else x - wide / 2
    return _Box(left, y - LINE_PX / 2, left + wide, y + LINE_PX / 2)
