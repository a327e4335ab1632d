"""The trace stage: a record becomes the spans of one trace, and these go to a collector by OTLP over HTTP.

Spans are made when a request has ended, from what its record measured, so that nothing is added to the request itself.
`open_traces` needs the extra `otel`; nothing of it is loaded before.
"""

from __future__ import annotations

from collections.abc import Mapping

from pointsman.errors import ConfigError
from pointsman.vocabulary import Traces

from .spans import Span, spans_of

__all__ = ["Span", "open_traces", "spans_of"]


def open_traces(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    service_name: str = "pointsman",
    sample_share: float = 1.0,
    timeout_s: float = 5.0,
) -> Traces:
    """Where records become traces.

    Args:
        url: of the collector's traces, such as "http://127.0.0.1:4318/v1/traces".
        headers: for the collector.
        sample_share: the share of requests traced, of those whose client began no trace.
        timeout_s: how long the collector may take.

    Raises:
        ConfigError: the extra `otel` is not installed.
    """
    try:
        from .collector import CollectorTraces
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"otel.traces_url needs OpenTelemetry ({error.name} is not installed): pip install 'pointsman[otel]'"
        ) from error
    return CollectorTraces(
        url,
        headers={} if headers is None else headers,
        service_name=service_name,
        sample_share=sample_share,
        timeout_s=timeout_s,
    )
