"""Secrets that must be nowhere, and every place looked through after every fault."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import structlog
from tests.gateway.faults.conftest import BODIES

from pointsman import assembly
from pointsman.dashboard import pages
from pointsman.errors import LedgerError
from pointsman.gateway import GatewayServer, create_app
from pointsman.gateway.server import configured_keys
from pointsman.gateway.state import GatewayLimits
from pointsman.gateway.virtual_keys import VirtualKeys
from pointsman.record import open_ledger
from pointsman.router import Router
from pointsman.testing import (
    CutAfter,
    CutAfterBytes,
    CutBeforeAnswer,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    Garbage,
    Gzip,
    GzipBomb,
    MalformedEvent,
    MoreAfterEnd,
    NeverAnswer,
    OpenAfterEnd,
    RawHead,
    Reply,
    ShortBody,
    StallAfter,
    Upstream,
    empty_error,
    html_error,
    html_page,
    overloaded,
    rate_limited,
    redirect,
)
from pointsman.testing.exchange import Received
from pointsman.vocabulary import KeyTerms

PROVIDER = "sk-canary-provider-8f31c2d94b7ae605"
CLIENT = "canary-client-a94d0be217f6c385"
ADMIN = "canary-admin-5be7f02c9d8413a6"
HEADER = "canary-header-27c1ab9406ef5d83"
PASSWORD = "canary-password-61d9e8fb30a2c754"


def quoting(status: int) -> Reply:
    """What a provider might say that quotes what it was sent."""
    said = f"Incorrect API key provided: {PROVIDER}; got Authorization: Bearer {PROVIDER}, x-extra {HEADER}"
    return Reply(status=status, error_message=said, headers={"x-request-id": PROVIDER, "retry-after": PROVIDER})


FAULTS: list[Reply] = [
    *(quoting(status) for status in (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)),
    *(Reply(status=status, body=f"<html>{PROVIDER}".encode(), content_type="text/html") for status in (400, 500, 200)),
    Reply(fault=ErrorEvent(0, "server_error", f"it was {PROVIDER}")),
    Reply(text="a b c d", fault=ErrorEvent(2, "server_error", f"it was {PROVIDER}")),
    redirect(f"http://127.0.0.1:9/?key={PROVIDER}"),
    empty_error(500),
    html_error(502),
    html_page(),
    overloaded(),
    rate_limited("1"),
    *(
        Reply(text="a b c d", fault=fault)
        for fault in (
            CutBeforeAnswer(),
            CutAfter(1),
            CutAfter(2, reset=True),
            CutAfterBytes(40),
            EmptyStream(),
            EndAfter(2),
            Garbage(),
            Gzip(),
            GzipBomb(),
            MalformedEvent(1),
            MoreAfterEnd(),
            NeverAnswer(),
            OpenAfterEnd(),
            RawHead(b"HTTP/1.1 200 OK\r\nx-bad " + PROVIDER.encode() + b"\r\n\r\n"),
            ShortBody(),
            StallAfter(1),
        )
    ),
]


def config(folder: Path, upstream: str) -> dict[str, Any]:
    model = {
        "provider": "openai-compatible",
        "model": "m",
        "base_url": f"{upstream}/v1",
        "api_key": PROVIDER,
        "headers": {"x-extra": HEADER},
        "price": {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 2.0},
        "timeout_s": {"connect_s": 2.0, "first_byte_s": 0.5, "idle_s": 0.5, "total_s": 5.0},
        "dialects": ["openai-chat", "openai-responses", "anthropic-messages"],
    }
    return {
        # One for each fault: a model that is left alone after the last fault would not be called for the next.
        "models": [{"name": f"m{n}", **model} for n in range(len(FAULTS) + 1)],
        "tiers": [{"name": "cheap", "models": ["m0"]}, {"name": "strong", "models": [f"m{len(FAULTS)}"]}],
        "policies": {"auto": {"kind": "fixed", "tier": "cheap"}},
        "keys": {"admin_key": ADMIN, "clients": [{"name": "ci", "key": CLIENT}]},
        "limits": {"failed_auth_per_min": 0},
        "retry": {"max_attempts": 1},
        "breaker": {"failures": 100_000},
        "ledger": {"url": f"sqlite:///{folder}/ledger.db", "store_prompts": True},
    }


def written(secret: str) -> Iterator[bytes]:
    """Every way in which a secret might be written; its hash lets nobody guess it, and still is nobody's business."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield base64.b64encode(raw).rstrip(b"=")[:-2]
    yield hashlib.sha256(raw).hexdigest().encode()


class Places:
    """Everything that was said anywhere."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []

    def put(self, place: str, said: bytes | str) -> None:
        self.said.append((place, said if isinstance(said, bytes) else said.encode("utf-8", "surrogateescape")))

    def holding(self, secrets: list[str]) -> list[str]:
        """Places that hold one of these."""
        forms = [form for secret in secrets for form in written(secret)]
        return sorted({f"{place}: {form[:24]!r}" for place, said in self.said for form in forms if form in said})


@pytest.mark.slow
async def test_no_secret_is_anywhere_after_every_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp", "asyncio", "sqlalchemy", "pointsman", "pointsman.record", "pointsman.gateway.http"):
        caplog.set_level(logging.DEBUG, logger=name)
    structlog.reset_defaults()
    places = Places()
    queue: list[Reply] = []

    def script(_: Received) -> Reply:
        return queue[0] if queue else Reply(text="fine")

    async with Upstream(script) as upstream:
        parts = assembly.from_config(config(tmp_path, upstream.url), environ={})
        places.put("repr of the settings", repr(parts.settings))
        store = assembly.open_keys(parts)
        virtual_key, _ = store.create("alice", KeyTerms(), now=datetime.now(UTC))
        virtual = VirtualKeys(store)
        virtual.load()
        ledger = assembly.open_ledger(parts)
        router = Router(
            **parts.for_router(),
            transport=assembly.open_transport(parts),
            health=assembly.health(parts),
            ledger=ledger,
            limits=assembly.open_limits(parts, ledger, virtual=virtual.terms),
        )
        keys = configured_keys(parts.settings, virtual)
        app = create_app(
            router, keys=keys, limits=GatewayLimits.of(parts.settings.limits), pages=pages(parts, ledger, store)
        )
        async with router, GatewayServer(app) as server, aiohttp.ClientSession() as session:

            async def visit(method: str, path: str, key: str, **more: Any) -> bytes:
                headers = {"Authorization": f"Bearer {key}", "x-pointsman-debug": "1"}
                try:
                    async with session.request(
                        method, server.url + path, headers=headers, allow_redirects=False, **more
                    ) as answer:
                        places.put(f"{method} {path} headers", repr(answer.headers))
                        body = await answer.read()
                        places.put(f"{method} {path}", body)
                        return body
                except aiohttp.ClientError as error:
                    places.put(f"{method} {path}", str(error))
                    return b""

            n_asked = 0
            for n, fault in enumerate(FAULTS):
                queue[:] = [fault]
                asked = [
                    visit("POST", path, key, json={"model": f"m{n}", **body, "stream": stream})
                    for path, body in BODIES.items()
                    for stream, key in ((False, CLIENT), (True, virtual_key))
                ]
                n_asked += len(asked)
                await asyncio.gather(*asked)
            queue.clear()
            # What nobody may do, with good keys and with those that look like them.
            for key in (CLIENT, virtual_key, ADMIN, ADMIN + "x", virtual_key[:-1] + "!", f"' OR '{CLIENT}"):
                for method, path in (
                    ("POST", "/v1/chat/completions"),
                    ("GET", "/metrics"),
                    ("GET", f"/v1/models/{CLIENT}"),
                    ("GET", "/nothing"),
                    ("PUT", "/v1/messages"),
                    ("GET", "/readyz"),
                ):
                    if path != f"/v1/models/{CLIENT}":
                        await visit(method, path, key, data=b"{" if method == "POST" else None)
            await visit("GET", "/metrics", ADMIN)
            async with session.post(
                f"{server.url}/dashboard/sign-in",
                data={"key": ADMIN},
                headers={"Origin": server.url},
                allow_redirects=False,
            ) as signed_in:
                places.put("the session's cookie", repr(signed_in.headers))
                assert signed_in.status == 303
            ledger.flush()
            for page in (
                "",
                "/decisions",
                "/evidence",
                "/routers",
                "/models",
                "/keys",
                "/decisions?status=error&tag=x",
            ):
                async with session.get(f"{server.url}/dashboard{page}") as seen:
                    text = await seen.read()
                    places.put(f"page {page}", text)
                    assert seen.status == 200 and b"<main" in text
            found = json.loads(await visit("GET", "/v1/models", ADMIN))
            assert {each["id"] for each in found["data"]} >= {"m0", "m1"}
        store.close()
        # The upstream did get the key: what is looked for is what was used.
        assert any(PROVIDER in repr(each.headers) for each in upstream.requests)
        assert len(upstream.requests) >= n_asked / 2
    for file in tmp_path.iterdir():
        places.put(file.name, file.read_bytes())
    out, err = capsys.readouterr()
    places.put("standard output", out)
    places.put("standard error", err)
    places.put(
        "logs at DEBUG", "\n".join(f"{each.name} {each.getMessage()} {each.exc_text}" for each in caplog.records)
    )
    assert any("ledger.db" in place for place, _ in places.said)
    digests = [form for secret in (virtual_key,) for form in written(secret)]
    assert not [place for place, said in places.said if any(form in said for form in digests)]
    assert places.holding([PROVIDER, CLIENT, ADMIN, HEADER]) == []


def test_a_databases_password_is_in_no_error(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(LedgerError) as raised:
        open_ledger(f"postgresql://gateway:{PASSWORD}@127.0.0.1:9/ledger")
    out, err = capsys.readouterr()
    said = f"{raised.value.message} {raised.value!r} {out} {err} {caplog.text}"
    assert PASSWORD not in said and "127.0.0.1" in said
