"""Fakes for tests, yours and ours: an upstream server, a transport without a network, and a clock.

`Upstream` speaks OpenAI Chat Completions, OpenAI Responses and Anthropic Messages over real sockets and answers what a
small script says, faults included (`pointsman.testing.faults`). `FakeTransport` plays the same scripts in memory.
pytest fixtures are in `pointsman.testing.fixtures`.
"""

from .exchange import Received, Sent
from .fake_clock import FakeClock
from .fake_judges import FakeAskedJudge, FakeJudge
from .fake_transport import FakeTransport
from .faults import (
    CrLf,
    CutAfter,
    CutAfterBytes,
    CutBeforeAnswer,
    Drip,
    EmptyStream,
    EndAfter,
    ErrorEvent,
    Fault,
    Garbage,
    Gzip,
    GzipBomb,
    HoldAfter,
    HoldAnswer,
    MalformedEvent,
    MoreAfterEnd,
    MultiLineData,
    NeverAnswer,
    OpenAfterEnd,
    RawHead,
    Rechunk,
    RefuseConnection,
    ShortBody,
    SlowFirstByte,
    SlowHead,
    StallAfter,
    black_hole,
    closed_port,
)
from .memory_ledger import MemoryLedger
from .script import (
    Reply,
    Script,
    ToolCall,
    empty_error,
    html_error,
    html_page,
    overloaded,
    rate_limited,
    redirect,
)
from .upstream import Upstream

__all__ = [
    "CrLf",
    "CutAfter",
    "CutAfterBytes",
    "CutBeforeAnswer",
    "Drip",
    "EmptyStream",
    "EndAfter",
    "ErrorEvent",
    "FakeAskedJudge",
    "FakeClock",
    "FakeJudge",
    "FakeTransport",
    "Fault",
    "Garbage",
    "Gzip",
    "GzipBomb",
    "HoldAfter",
    "HoldAnswer",
    "MalformedEvent",
    "MemoryLedger",
    "MoreAfterEnd",
    "MultiLineData",
    "NeverAnswer",
    "OpenAfterEnd",
    "RawHead",
    "Received",
    "Rechunk",
    "RefuseConnection",
    "Reply",
    "Script",
    "Sent",
    "ShortBody",
    "SlowFirstByte",
    "SlowHead",
    "StallAfter",
    "ToolCall",
    "Upstream",
    "black_hole",
    "closed_port",
    "empty_error",
    "html_error",
    "html_page",
    "overloaded",
    "rate_limited",
    "redirect",
]
