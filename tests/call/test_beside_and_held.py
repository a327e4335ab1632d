"""Addresses beside a dialect's own, and the memory of who holds which response."""

from __future__ import annotations

import pytest

from pointsman.call.beside import beside
from pointsman.call.held import Held, HeldResponses
from pointsman.errors import UpstreamUnreachable


@pytest.mark.parametrize(
    ("url", "path", "expected"),
    [
        ("https://a.example/v1/chat/completions", "/embeddings", "https://a.example/v1/embeddings"),
        ("https://a.example/v1/responses", "/responses/r1", "https://a.example/v1/responses/r1"),
        ("https://a.example/v1/messages", "/messages/count_tokens", "https://a.example/v1/messages/count_tokens"),
        (
            "https://a.example/openai/deployments/d/chat/completions?api-version=1",
            "/embeddings",
            "https://a.example/openai/deployments/d/embeddings?api-version=1",
        ),
        (
            "https://a.example/openai/responses?api-version=1",
            "/responses/r1?limit=2",
            "https://a.example/openai/responses/r1?api-version=1&limit=2",
        ),
    ],
)
def test_the_path_changes_and_nothing_else(url: str, path: str, expected: str) -> None:
    assert beside(url, path, model="m") == expected


def test_beside_an_unknown_path_nothing_is_known() -> None:
    with pytest.raises(UpstreamUnreachable, match="'m'"):
        beside("https://a.example/generate", "/embeddings", model="m")


def test_the_oldest_response_makes_room() -> None:
    held = HeldResponses(max_responses=2)
    for id_ in ("a", "b", "a", "c"):
        held.put(id_, Held(f"model-{id_}", None))
    assert held.get("b") is None
    assert held.get("a") == Held("model-a", None)
    held.forget("a")
    held.forget("a")
    assert held.get("a") is None
