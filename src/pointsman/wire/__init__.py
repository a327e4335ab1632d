"""The wire stage: bytes of three dialects become requests, answers and streams, and back; no I/O.

OpenAI Chat Completions, OpenAI Responses and Anthropic Messages. The client's bytes stay as they came: routing
replaces the value of `model`, asks a chat stream for usage, and touches nothing else.
"""

from pointsman.wire.codec import Codec, UnreadableAnswer
from pointsman.wire.dialects import CODECS
from pointsman.wire.hints import read_hints
from pointsman.wire.listing import (
    asks_as_gemini,
    gemini_model_entry,
    listing_dialect,
    model_entry,
    write_gemini_model_list,
    write_model_list,
)
from pointsman.wire.logprobs import asks_logprobs, with_logprobs, without_logprobs
from pointsman.wire.paths import dialect_of, endpoint_of
from pointsman.wire.requests import build_request, read_request
from pointsman.wire.session import session_id
from pointsman.wire.side import codec_of, upstream_path
from pointsman.wire.sse import EventSplitter, StreamTooLarge
from pointsman.wire.stream import StreamReader
from pointsman.wire.tokens import estimate_tokens, estimate_usage

__all__ = [
    "CODECS",
    "Codec",
    "EventSplitter",
    "StreamReader",
    "StreamTooLarge",
    "UnreadableAnswer",
    "asks_as_gemini",
    "asks_logprobs",
    "build_request",
    "codec_of",
    "dialect_of",
    "endpoint_of",
    "estimate_tokens",
    "estimate_usage",
    "gemini_model_entry",
    "listing_dialect",
    "model_entry",
    "read_hints",
    "read_request",
    "session_id",
    "upstream_path",
    "with_logprobs",
    "without_logprobs",
    "write_gemini_model_list",
    "write_model_list",
]
