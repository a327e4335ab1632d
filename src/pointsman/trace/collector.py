"""Spans on their way to a collector: OTLP over HTTP, in the SDK's own thread. No other module knows OpenTelemetry."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from pointsman.vocabulary import Model, Record

from .spans import Span, spans_of

MAX_WAITING_SPANS = 8_192
"""Spans that wait for the collector; what is more is dropped."""
MAX_BEGUN = 20_000
"""Traces of clients whose requests are under way."""


class CollectorTraces:
    """Sends traces; see `vocabulary.Traces`. Keeps nothing in the process's global tracer.

    Args:
        url: where the collector takes traces.
        headers: for the collector.
        service_name: `service.name` of the resource.
        sample_share: share of traces begun here that are sent.
        timeout_s: how long one call of the collector may take.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str], service_name: str, sample_share: float, timeout_s: float
    ) -> None:
        self._provider = TracerProvider(
            resource=Resource({"service.name": service_name}),
            sampler=ParentBased(TraceIdRatioBased(sample_share)),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(endpoint=url, headers=dict(headers), timeout=timeout_s)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=MAX_WAITING_SPANS))
        self._tracer = self._provider.get_tracer("pointsman")
        self._propagator = TraceContextTextMapPropagator()
        self._begun: OrderedDict[str, Context] = OrderedDict()

    def begin(self, request_id: str, headers: Mapping[str, str]) -> None:
        """See `vocabulary.Traces.begin`."""
        if "traceparent" not in headers:
            return
        # Requests that are refused before they are recorded leave theirs behind.
        while len(self._begun) >= MAX_BEGUN:
            self._begun.popitem(last=False)
        self._begun[request_id] = self._propagator.extract(headers, Context())

    def write(self, record: Record, models: Mapping[str, Model]) -> None:
        """See `vocabulary.Traces.write`."""
        context = self._begun.pop(record.request_id, None)
        created_ns = round(record.created_at.timestamp() * 1e6) * 1_000
        root = spans_of(record, models)
        self._send(root, created_ns, Context() if context is None else context, trace.SpanKind.SERVER)

    async def aclose(self) -> None:
        """See `vocabulary.Traces.aclose`; waits for the collector in a thread, for its timeout at most."""
        await asyncio.to_thread(self._provider.shutdown)

    def _send(self, span: Span, created_ns: int, context: Context, kind: trace.SpanKind) -> None:
        made = self._tracer.start_span(
            span.name,
            context,
            kind=kind,
            attributes=span.attributes,
            start_time=created_ns + round(span.begin_ms * 1e6),
        )
        if made.is_recording():
            if span.error is not None:
                made.set_attribute("error.type", span.error)
                made.set_status(trace.StatusCode.ERROR)
            inside = trace.set_span_in_context(made, context)
            for child in span.children:
                self._send(
                    child,
                    created_ns,
                    inside,
                    trace.SpanKind.CLIENT if child.is_client else trace.SpanKind.INTERNAL,
                )
        made.end(created_ns + round(span.end_ms * 1e6))
