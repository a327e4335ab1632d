"""Labels that do not cover one another, and drawings that hold nothing but drawing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.report.labels import Place, Spot, along, placed
from pointsman.report.svg import rebuilt


def _box(spot: Spot, place: Place) -> tuple[float, float, float, float]:
    wide = 6.1 * len(spot.text)
    x, y = spot.x + place.dx, spot.y + place.dy
    left = {"left": x, "right": x - wide, "center": x - wide / 2}[place.align]
    return left, y - 7, left + wide, y + 7


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def test_a_lonely_label_stands_to_the_right_and_flips_at_the_edge() -> None:
    (middle,) = placed([Spot(100, 100, "oracle")], 300, 200)
    (edge,) = placed([Spot(290, 100, "oracle")], 300, 200)
    assert middle.align == "left"
    assert middle.dx > 0
    assert edge.align == "right"


def test_labels_of_points_close_together_do_not_overlap() -> None:
    spots = [Spot(200, 100, "threshold"), Spot(205, 104, "task mean"), Spot(198, 110, "its decisions shuffled")]
    boxes = [_box(spot, place) for spot, place in zip(spots, placed(spots, 600, 300), strict=True)]
    assert not any(_overlap(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(0, 300)), min_size=1, max_size=8))
def test_every_label_gets_a_place_and_the_same_one_each_time(ends: list[tuple[float, float]]) -> None:
    spots = [Spot(x, y, f"policy {i}") for i, (x, y) in enumerate(ends)]
    assert placed(spots, 600, 300) == placed(spots, 600, 300)
    assert len(placed(spots, 600, 300)) == len(spots)


def test_points_along_a_line_are_close_and_keep_its_corners() -> None:
    line = along([(0.0, 0.0), (0.0, 12.0), (6.0, 12.0)], step_px=6.0)
    assert line == [(0.0, 0.0), (0.0, 6.0), (0.0, 12.0), (6.0, 12.0)]


HOSTILE = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="10" height="10"
 viewBox="0 0 10 10" onload="alert(1)"><script>alert(2)</script><style>*{fill:red}</style>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onclick="alert(3)">x</body></foreignObject>
<a xlink:href="javascript:alert(4)"><text>link</text></a><image xlink:href="http://example.org/x.png"/>
<g style="background:url(http://example.org)" onclick="alert(5)" clip-path="url(#c)" id="c&quot;">
<path d="M0,0L1,1" fill="url(http://example.org/y)" id="c"/><use xlink:href="#c"/>
<animate attributeName="href" to="javascript:alert(6)"/><text>&lt;script&gt;alert(7)&lt;/script&gt;</text></g></svg>"""


def test_only_drawing_survives() -> None:
    out = rebuilt(HOSTILE, name="fig", alt='a "quoted" <b>', for_page=True)
    assert set(re.findall(r"<(\w+)", out)) == {"svg", "g", "path", "text"}
    assert not re.search(r"\son\w+=|javascript:|example\.org|style=|href", out)
    assert "&lt;script&gt;alert(7)&lt;/script&gt;" in out
    assert "<b>" not in out


def test_ids_are_the_figures_own_and_references_follow() -> None:
    drawn = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><g clip-path="url(#clip0)"/>'
        '<clipPath id="clip0"/></svg>'
    )
    out = rebuilt(drawn, name="curve-wide", alt="", for_page=False)
    assert 'clip-path="url(#curve-wide-0)"' in out
    assert 'id="curve-wide-0"' in out


def test_a_document_type_is_refused() -> None:
    with pytest.raises(ValueError, match="document type"):
        rebuilt('<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', name="x", alt="", for_page=True)


def test_what_is_not_an_svg_is_refused() -> None:
    with pytest.raises(ValueError, match="not an SVG"):
        rebuilt("<html/>", name="x", alt="", for_page=True)
