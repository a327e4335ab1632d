"""docs/http.md has every route with its rule, and every error that clients can be told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import aiohttp.web
from tests.docs.pages import DOCS

from pointsman.decide import FixedPolicy
from pointsman.errors import MethodNotAllowed, NotFound, PointsmanError, UpstreamPaused
from pointsman.gateway import create_app
from pointsman.gateway.access import ACCESS
from pointsman.router import Router
from pointsman.testing import FakeTransport
from pointsman.vocabulary import Tier

if TYPE_CHECKING:
    from tests.conftest import MakeModel

PAGE = (DOCS / "http.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `(GET|POST|DELETE|PUT|PATCH) ([^`]+)` \| (\w+) \|", re.M)
NEVER_TOLD = {"config_error", "router_artifact", "encoder", "data_error", "ledger_error"}
"""Codes of errors that stop a command or the start, before there is a client."""


def a_router(make_model: MakeModel) -> Router:
    return Router(
        tiers=(Tier("cheap", ("small",)),),
        models={"small": make_model("small")},
        policies={"auto": FixedPolicy("auto", "cheap")},
        default_policy="auto",
        transport=FakeTransport(),
    )


PAGES = "/dashboard"
"""What lies below is for people with a browser, and no interface for programs; its own page tells of it."""


def routes(make_model: MakeModel) -> list[aiohttp.web.AbstractRoute]:
    return [
        route
        for route in create_app(a_router(make_model)).router.routes()
        if route.method != "HEAD" and (route.resource is None or not route.resource.canonical.startswith(PAGES))
    ]


def test_every_route_is_on_the_page_with_its_rule_and_no_other(make_model: MakeModel) -> None:
    rows = [(method, path, key) for method, path, key in _ROW.findall(PAGE)]
    found: list[tuple[str, str]] = []
    for route in routes(make_model):
        assert route.resource is not None
        shape = route.resource.get_info()
        fitting = [
            (method, path, key)
            for method, path, key in rows
            if method == route.method
            and (path == shape.get("path") or ("pattern" in shape and shape["pattern"].fullmatch(filled_in(path))))
        ]
        assert len(fitting) == 1, f"{route.method} {route.resource.canonical} has {len(fitting)} rows in docs/http.md"
        method, path, key = fitting[0]
        assert key == ACCESS[route.resource.canonical].value, f"{method} {path}"
        found.append((method, path))
    assert sorted(found) == sorted((method, path) for method, path, _ in rows)


def filled_in(path: str) -> str:
    """A path that a client could send: "/v1/models/{id}" as "/v1/models/x"."""
    return re.sub(r"\{\w+\}", "x", path)


def test_every_error_that_clients_are_told_is_on_the_page_with_its_status() -> None:
    told = {kind.code: kind.status for kind in kinds(PointsmanError) if kind.code not in NEVER_TOLD}
    for error in (NotFound("m"), MethodNotAllowed("m", allowed=()), UpstreamPaused("m", model="a", retry_after_s=1.0)):
        told[error.code] = error.status
    on_page = {code: int(status) for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", PAGE, re.M)}
    assert on_page == told


def test_every_field_of_a_decision_is_on_the_page_and_no_other(make_model: MakeModel) -> None:
    section = PAGE.split("## A decision")[1].split("\n## ")[0]
    named = {name for cell in re.findall(r"^\| (`[^|]+`) \|", section, re.M) for name in re.findall(r"`(\w+)`", cell)}
    assert named == set(a_router(make_model).route(prompt="Hi").to_json())


def kinds(parent: type[PointsmanError]) -> Iterator[type[PointsmanError]]:
    yield parent
    for child in parent.__subclasses__():
        yield from kinds(child)
