"""What moved decisions."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from . import numbers, palette
from .chart_style import Row, inline, layered
from .contents import Moved
from .plain_text import one_line


def what_moved(moved: Sequence[Moved], *, width: int) -> alt.LayerChart:
    """What pulled decisions to the cheap model (right) and to the strong one (left), strongest first."""
    rows: list[Row] = [
        {
            "feature": one_line(each.text, 44),
            "effect": each.effect,
            "colour": palette.ACCENT.light if each.effect >= 0 else palette.BAD.light,
            "hover": f"{one_line(each.text, 80)}: {numbers.score(each.effect, 2)}",
        }
        for each in moved
    ]
    order = [row["feature"] for row in rows]
    reach = max((abs(row["effect"]) for row in rows), default=1.0) or 1.0
    y = alt.Y(
        "feature:N",
        sort=order,
        axis=alt.Axis(title=None, domain=False, ticks=False, labelLimit=min(280, width // 2), labelPadding=10),
    )
    x = alt.X(
        "effect:Q",
        scale=alt.Scale(domain=[-1.1 * reach, 1.1 * reach], nice=False),
        axis=alt.Axis(title="← strong model · mean effect in logits · cheap model →", tickCount=5),
    )
    bars = (
        inline(rows)
        .mark_bar(aria=True, height=12)
        .encode(
            y=y,
            x=x,
            color=alt.Color("colour:N", scale=None),
            tooltip=alt.Tooltip("hover:N", title=" "),
            description="hover:N",
        )
    )
    zero = inline([{"effect": 0}]).mark_rule(color=palette.MUTED.light, strokeWidth=1).encode(x=x)
    return layered(bars, zero, width=width, height=24 * max(1, len(rows)))
