"""The style sheet, the script and the icon, out of the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

from aiohttp import web

from pointsman.errors import NotFound

from .guard import Visit

TYPES: Mapping[str, str] = {
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
"""Every file there is; no path leads elsewhere."""


async def static(visit: Visit) -> web.Response:
    """One file.

    Raises:
        NotFound: there is none of that name.
    """
    name = visit.request.match_info["name"]
    if name not in TYPES:
        raise NotFound("there is nothing at this path")
    return web.Response(
        body=content(name), content_type=TYPES[name], charset="utf-8", headers={"Cache-Control": "max-age=300"}
    )


@cache
def content(name: str) -> bytes:
    """The bytes of a file."""
    return resources.files("pointsman.dashboard").joinpath("static", name).read_bytes()
