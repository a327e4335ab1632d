"""An SVG rebuilt from a list of what is allowed, so that nothing in the data can become script, link or style.

The chart library escapes text; this is the second lock. It also makes the drawing fit for a page: it scales, its ids
are its own, and each mark's description becomes a `<title>`, which browsers show on hover without any script.
"""

from __future__ import annotations

import re
from typing import Final

# The input is what the chart library drew, never a file from outside, and a document type is refused first.
from xml.etree import ElementTree as Xml

_SVG: Final = "{http://www.w3.org/2000/svg}"
_ELEMENTS: Final = frozenset({"svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clipPath"})
_ATTRIBUTES: Final = frozenset(
    {
        *("d", "x", "y", "x1", "x2", "y1", "y2", "dx", "dy", "width", "height", "rx", "ry", "transform", "viewBox"),
        *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "stroke-linecap"),
        *("stroke-linejoin", "stroke-miterlimit", "opacity", "text-anchor", "font-size", "font-weight", "font-style"),
        *("font-family", "clip-path", "id"),
    }
)
_DESCRIBED: Final = frozenset({"line mark", "point", "bar"})
"""Marks whose description is a hover text of ours; axes and legends describe themselves in the figure's own words."""
_NOTHING: Final = frozenset({"", "M0,0h0v0h0Z"})
_CLIP: Final = re.compile(r"^url\(#([\w-]+)\)$")
_PLAIN_ID: Final = re.compile(r"^[\w-]+$")


def rebuilt(drawn: str, *, name: str, alt: str, for_page: bool) -> str:
    """The drawing with allowed elements and attributes only.

    Args:
        drawn: SVG as the chart library gives it.
        name: prefix of ids, unique on the page.
        alt: what the figure shows, in words.
        for_page: without fixed size and fonts, to be placed in HTML; else complete as a file.

    Raises:
        ValueError: it is not an SVG, or declares a document type.
    """
    if "<!DOCTYPE" in drawn or "<!ENTITY" in drawn:
        raise ValueError("the chart library drew an SVG with a document type")
    root = Xml.fromstring(drawn)  # noqa: S314
    if root.tag != f"{_SVG}svg":
        raise ValueError(f"the chart library drew {root.tag!r}, not an SVG")
    ids: dict[str, str] = {}
    out = _copy(root, name, ids, for_page=for_page)
    if for_page:
        # Width and height come from the style sheet; the view box keeps the proportions.
        del out.attrib["width"], out.attrib["height"]
    else:
        out.set("xmlns", "http://www.w3.org/2000/svg")
    out.set("role", "img")
    out.set("aria-label", alt)
    return Xml.tostring(out, encoding="unicode")


def _copy(node: Xml.Element, name: str, ids: dict[str, str], *, for_page: bool) -> Xml.Element:
    out = Xml.Element(node.tag.removeprefix(_SVG))
    for key in sorted(node.attrib):
        value = node.attrib[key]
        if key not in _ATTRIBUTES or (for_page and key == "font-family"):
            continue
        if key == "id":
            if not _PLAIN_ID.match(value):
                continue
            value = ids.setdefault(value, f"{name}-{len(ids)}")
        elif key == "clip-path":
            clip = _CLIP.match(value)
            if clip is None:
                continue
            value = f"url(#{ids.setdefault(clip.group(1), f'{name}-{len(ids)}')})"
        elif "url(" in value or value == "transparent":
            value = "none"
        out.set(key, value)
    described = node.attrib.get("aria-label")
    if described and node.attrib.get("aria-roledescription") in _DESCRIBED:
        title = Xml.SubElement(out, "title")
        title.text = described
    out.text = node.text if node.tag in {f"{_SVG}text", f"{_SVG}tspan"} else None
    for child in node:
        if child.tag == f"{_SVG}path" and child.attrib.get("d", "") in _NOTHING:
            continue
        if child.tag.removeprefix(_SVG) in _ELEMENTS:
            out.append(_copy(child, name, ids, for_page=for_page))
    return out
