"""Which gateway path speaks which dialect."""

from __future__ import annotations

from pointsman.vocabulary import Dialect

_PATHS = {
    Dialect.OPENAI_CHAT: "/v1/chat/completions",
    Dialect.OPENAI_RESPONSES: "/v1/responses",
    Dialect.ANTHROPIC_MESSAGES: "/v1/messages",
}
_DIALECTS = {path: dialect for dialect, path in _PATHS.items()}


def endpoint_of(dialect: Dialect) -> str:
    """The path where a dialect is spoken, such as "/v1/chat/completions"."""
    return _PATHS[dialect]


def dialect_of(path: str) -> Dialect | None:
    """The dialect of a path, also below it ("/v1/messages/count_tokens"); None for any other path."""
    for known, dialect in _DIALECTS.items():
        if path == known or path.startswith(known + "/"):
            return dialect
    return None
