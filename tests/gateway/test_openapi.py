"""The published OpenAPI document and the route table say the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pointsman.gateway import create_app
from pointsman.gateway.openapi import OPERATIONS, openapi

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand


def documented_path(info: Any) -> str:
    """A route as the document writes it: what a pattern fixes stands there, what it leaves open is in braces."""
    pattern = str(info.get("formatter", info.get("path")))
    rest = re.search(r"\(\?P<rest>([^)]*)\)", getattr(info.get("pattern"), "pattern", ""))
    return pattern if rest is None else pattern.replace("{rest}", rest[1])


async def test_every_route_is_in_the_document_and_nothing_else(open_stand: OpenStand) -> None:
    async with open_stand() as stand:
        routes = create_app(stand.router).router.routes()
        served = {
            (route.method, documented_path(route.resource.get_info()))
            for route in routes
            if route.resource is not None and route.method != "HEAD"
        }
    assert served == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_request_without_anything_has_a_documented_status(
    open_stand: OpenStand, method: str, path: str
) -> None:
    async with open_stand() as stand:
        filled = re.sub(r"\{\w+\}", "none-such", path)
        status, _, _ = await stand.send(method, filled, json={} if method == "POST" else None)
    assert str(status) in openapi("1")["paths"][path][method.lower()]["responses"]


def test_every_operation_that_needs_a_key_says_so() -> None:
    paths = openapi("1")["paths"]
    bare = {path for path, methods in paths.items() for entry in methods.values() if "security" not in entry}
    assert bare == {"/", "/healthz", "/readyz"}
