"""A listener that nobody may call, named everywhere that a client can write an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pointsman.testing import Upstream

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand


def with_addresses(url: str) -> dict[str, dict[str, Any]]:
    """By path, a request whose images, files and settings all lead to `url`."""
    everywhere: dict[str, Any] = dict.fromkeys(
        ("api_base", "base_url", "endpoint", "proxy", "webhook", "callback_url", "server_url", "host"), url
    )
    chat = [
        {"type": "text", "text": url},
        {"type": "image_url", "image_url": {"url": f"{url}/image.png"}},
        {"type": "file", "file": {"file_data": f"{url}/paper.pdf", "filename": "paper.pdf"}},
    ]
    responses = [
        {"type": "input_image", "image_url": f"{url}/image.png"},
        {"type": "input_file", "file_url": f"{url}/paper.pdf"},
    ]
    messages = [
        {"type": "text", "text": url},
        {"type": "image", "source": {"type": "url", "url": f"{url}/image.png"}},
        {"type": "document", "source": {"type": "url", "url": f"{url}/paper.pdf"}},
    ]
    return {
        "/v1/chat/completions": everywhere | {"messages": [{"role": "user", "content": chat}]},
        "/v1/responses": everywhere | {"input": [{"role": "user", "content": responses}]},
        "/v1/messages": everywhere | {"max_tokens": 9, "messages": [{"role": "user", "content": messages}]},
    }


@pytest.mark.parametrize("path", list(with_addresses("")))
@pytest.mark.parametrize("route", [False, True])
async def test_no_address_that_a_client_names_is_ever_called(open_stand: OpenStand, path: str, route: bool) -> None:
    async with Upstream() as trap, open_stand() as stand:
        body = {"model": "auto"} | with_addresses(trap.url)[path]
        headers = dict.fromkeys(("x-forwarded-host", "x-original-url", "referer", "x-upstream"), trap.url)
        dialect = {"/v1/responses": "openai-responses", "/v1/messages": "anthropic-messages"}.get(path, "openai-chat")
        asked = f"/v1/route?dialect={dialect}" if route else f"{path}?api_base={trap.url}&base_url={trap.url}"
        status, _, got = await stand.send("POST", asked, json=body, headers=headers)
        assert status == 200, got
        assert trap.requests == []
        assert len(stand.upstream.requests) == (0 if route else 1)
