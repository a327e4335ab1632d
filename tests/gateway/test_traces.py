"""Traces at a collector: real requests through the gateway, OTLP over HTTP on loopback, decoded as a collector does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

if TYPE_CHECKING:
    from tests.gateway.conftest import OpenStand

from pointsman.cascade import Judges
from pointsman.decide import CascadePolicy
from pointsman.testing import FakeJudge, Reply, closed_port
from pointsman.trace import open_traces

pytest.importorskip("opentelemetry.sdk")

CHAT: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "canary-prompt"}]}
PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": CHAT | {"max_tokens": 9},
    "/v1/responses": {"model": "auto", "input": "canary-prompt"},
}


@dataclass
class Collector:
    """What came, as raw bodies and as spans by their OTLP fields."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def spans(self) -> list[Any]:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        found = []
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                names = {each.key: each.value.string_value for each in resource.resource.attributes}
                assert names["service.name"] == "pointsman"
                found += [span for scope in resource.scope_spans for span in scope.spans]
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()

    async def take(request: web.Request) -> web.Response:
        collector.bodies.append(await request.read())
        collector.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    async with TestServer(app) as server:
        collector.url = str(server.make_url("/v1/traces"))
        yield collector


def attributes(span: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("path", PATHS)
async def test_a_request_that_fell_back_is_one_trace(open_stand: OpenStand, path: str, stream: bool) -> None:
    script = {"large-2026": Reply(status=401), "spare-2026": Reply(text="canary-answer")}
    async with collecting() as collector:
        traces = open_traces(collector.url, headers={"x-collector-key": "canary-collector-key"})
        async with open_stand(script, traces=traces) as stand:
            status, _, _ = await stand.send(
                "POST",
                path,
                json={**PATHS[path], "model": "auto:best", "stream": stream},
                headers={
                    "Authorization": "Bearer canary-client-key",
                    "x-pointsman-session": "canary-session",
                    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                },
            )
            assert status == 200
        spans = {span.name: span for span in collector.spans}
    assert collector.headers[0]["x-collector-key"] == "canary-collector-key"
    root = spans["chat spare"] if spans["chat spare"].kind == 2 else next(s for s in collector.spans if s.kind == 2)
    assert {span.trace_id.hex() for span in collector.spans} == {"0af7651916cd43dd8448eb211c80319c"}
    assert root.parent_span_id.hex() == "b7ad6b7169203331"
    inside = [span for span in collector.spans if span is not root and span.span_id != root.span_id]
    assert {span.parent_span_id for span in inside} == {root.span_id}
    assert [(span.name, span.kind) for span in sorted(inside, key=lambda each: each.start_time_unix_nano)] == [
        ("decide", 1),
        ("chat large", 3),
        ("chat spare", 3),
    ]
    failed = next(span for span in inside if span.name == "chat large")
    assert failed.status.code == 2
    assert attributes(failed)["error.type"] == stand.ledger.records[0].attempts[0].error
    record = stand.ledger.records[0]
    assert record.usage is not None
    assert attributes(root)["gen_ai.usage.output_tokens"] == record.usage.output_tokens
    assert attributes(root)["pointsman.cost_usd"] == record.cost.usd
    for span in inside:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano
    assert not [body for body in collector.bodies if b"canary" in body], "a prompt, answer, key or session was told"


async def test_a_cascade_shows_its_judges(open_stand: OpenStand) -> None:
    async with collecting() as collector:
        async with open_stand(
            {"small-2026": Reply(text="Perhaps."), "large-2026": Reply(text="Certainly.")},
            traces=open_traces(collector.url),
            policies={"auto": CascadePolicy("auto", (0.8, None))},
            judges=Judges(FakeJudge(0.1)),
        ) as stand:
            status, _, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
            assert status == 200
        named = {span.name: span for span in collector.spans}
    judge = next(span for name, span in named.items() if name.startswith("judge "))
    assert judge.parent_span_id == named["chat small"].span_id
    assert attributes(judge)["gen_ai.evaluation.score.value"] == 0.1
    assert attributes(judge)["gen_ai.evaluation.score.label"] == "rejected"


async def test_a_collector_that_is_away_costs_no_request_and_no_long_stop(
    open_stand: OpenStand, caplog: pytest.LogCaptureFixture
) -> None:
    traces = open_traces(f"http://127.0.0.1:{closed_port()}/v1/traces", timeout_s=0.5)
    async with open_stand(traces=traces) as stand:
        for _ in range(20):
            status, _, _ = await stand.send("POST", "/v1/chat/completions", json=CHAT)
            assert status == 200
        stopping_s = time.perf_counter()
    assert time.perf_counter() - stopping_s < 10.0
    assert "canary" not in caplog.text


async def test_a_share_of_none_sends_none_but_what_the_client_traces(open_stand: OpenStand) -> None:
    async with collecting() as collector:
        async with open_stand(traces=open_traces(collector.url, sample_share=0.0)) as stand:
            await stand.send("POST", "/v1/chat/completions", json=CHAT)
            sampled = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
            await stand.send("POST", "/v1/chat/completions", json=CHAT, headers=sampled)
        assert {span.trace_id.hex() for span in collector.spans} == {"0af7651916cd43dd8448eb211c80319c"}


def test_without_a_configured_collector_nothing_of_opentelemetry_is_loaded() -> None:
    code = (
        "import sys\n"
        "from pointsman.router import Router\n"
        "from pointsman.testing import MemoryLedger\n"
        "Router.from_config({'models': [{'name': 'a', 'provider': 'sim'}], 'tiers': [{'name': 't', 'models': ['a']}],"
        " }, ledger=MemoryLedger())\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
