"""The codec of each dialect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pointsman.vocabulary import Dialect
from pointsman.wire.chat import ChatCodec
from pointsman.wire.codec import Codec
from pointsman.wire.messages import MessagesCodec
from pointsman.wire.responses import ResponsesCodec

CODECS: Mapping[Dialect, Codec] = MappingProxyType(
    {
        Dialect.OPENAI_CHAT: ChatCodec(),
        Dialect.OPENAI_RESPONSES: ResponsesCodec(),
        Dialect.ANTHROPIC_MESSAGES: MessagesCodec(),
    }
)
