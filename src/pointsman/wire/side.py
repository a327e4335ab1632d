"""Endpoints beside the three dialects, whose bytes are only passed through: embeddings, moderations, text completions,
and the compaction of a response.

Each is spoken by the same servers as one of the dialects, at an address beside its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pointsman.errors import BadRequest
from pointsman.vocabulary import Answer, Dialect, JSONObject, Request, Role, Usage
from pointsman.wire.chat import ChatCodec, ChatStream
from pointsman.wire.codec import Codec, UnreadableAnswer, error_words, parse_object
from pointsman.wire.dialects import CODECS
from pointsman.wire.draft import Draft, positive_count
from pointsman.wire.stream import MAX_ANSWER_CHARS, MAX_EVENT_BYTES, StreamReader
from pointsman.wire.usage import count, read_openai_usage

EMBEDDINGS, MODERATIONS, COMPLETIONS = "/v1/embeddings", "/v1/moderations", "/v1/completions"
COMPACT = "/v1/responses/compact"
WHOLE_ONLY = frozenset({EMBEDDINGS, MODERATIONS, COMPACT})
"""Endpoints that never stream."""
ANY_MODEL = "default"
"""Stands for the model of a request that may leave it out."""
_ONLY_PASSED = "this endpoint is only passed through, to upstreams that speak OpenAI's protocol"


class EmbeddingsCodec(ChatCodec):
    """Embeddings (platform.openai.com/docs/api-reference/embeddings). `encoding_format: base64` stays as it is."""

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft(own_dialect_only=_ONLY_PASSED)
        _read_input(draft, body, "input")
        return draft

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`; there is no text, and only input is counted."""
        body = parse_object(raw)
        if not isinstance(body.get("data"), list):
            raise UnreadableAnswer(f"the answer holds no embeddings: {error_words(body.get('error'))}")
        return _answer(body, _input_usage(body.get("usage")))


class ModerationsCodec(ChatCodec):
    """Moderations (platform.openai.com/docs/api-reference/moderations). They cost nothing and count no tokens."""

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft(own_dialect_only=_ONLY_PASSED)
        _read_input(draft, body, "input")
        return draft

    def write_request(
        self, request: Request, *, provider_model: str, ask_usage: bool, stream: bool | None = None
    ) -> bytes:
        """See `Codec.write_request`; a moderation model that is not among the configured ones keeps its name."""
        if request.body.get("model") != request.model:
            return request.raw
        return super().write_request(request, provider_model=provider_model, ask_usage=False)

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`."""
        body = parse_object(raw)
        if not isinstance(body.get("results"), list):
            raise UnreadableAnswer(f"the answer holds no results: {error_words(body.get('error'))}")
        return _answer(body, Usage(0, 0))

    def rename_model(self, raw: bytes, name: str, *, seen: bool = False) -> bytes:
        """The answer as it came: the name in it tells which moderation model judged."""
        return raw


class CompletionsCodec(ChatCodec):
    """Text completions, the older protocol (platform.openai.com/docs/api-reference/completions)."""

    def read_body(self, body: Mapping[str, Any]) -> Draft:
        """See `Codec.read_body`."""
        draft = Draft(own_dialect_only=_ONLY_PASSED)
        _read_input(draft, body, "prompt")
        draft.max_output_tokens = positive_count(body, "max_tokens")
        options = body.get("stream_options")
        draft.wants_stream_usage = isinstance(options, dict) and options.get("include_usage") is True
        return draft

    def read_answer(self, raw: bytes) -> Answer:
        """See `Codec.read_answer`; the first choice's text."""
        body = parse_object(raw)
        choices = body.get("choices")
        if not isinstance(choices, list):
            raise UnreadableAnswer(f"the answer is not a text completion: {error_words(body.get('error'))}")
        first = choices[0] if choices and isinstance(choices[0], dict) else {}
        text, finish, model = first.get("text"), first.get("finish_reason"), body.get("model")
        return Answer(
            text=text if isinstance(text, str) else "",
            finish_reason=finish if isinstance(finish, str) else None,
            usage=read_openai_usage(body.get("usage")),
            upstream_model=model if isinstance(model, str) else None,
            complete=isinstance(finish, str),
        )

    def stream(
        self,
        *,
        name: str,
        strip_usage: bool = False,
        usage_extra: Callable[[Usage], JSONObject] | None = None,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_answer_chars: int = MAX_ANSWER_CHARS,
    ) -> StreamReader:
        """See `Codec.stream`."""
        return CompletionsStream(
            name=name,
            strip_usage=strip_usage,
            usage_extra=usage_extra,
            max_event_bytes=max_event_bytes,
            max_answer_chars=max_answer_chars,
        )


class CompletionsStream(ChatStream):
    """Reads `text_completion` events, which are chat chunks but for where their text stands."""

    def _read_choice(self, choice: dict[str, Any]) -> bool:
        self._add_text(choice.get("text"))
        return super()._read_choice(choice)


_CODECS: Mapping[str, Codec] = MappingProxyType(
    {EMBEDDINGS: EmbeddingsCodec(), MODERATIONS: ModerationsCodec(), COMPLETIONS: CompletionsCodec()}
)
_PATHS: Mapping[str, str] = MappingProxyType(
    {
        EMBEDDINGS: "/embeddings",
        MODERATIONS: "/moderations",
        COMPLETIONS: "/completions",
        COMPACT: "/responses/compact",
    }
)


def codec_of(dialect: Dialect, endpoint: str | None) -> Codec:
    """The codec of an endpoint; the dialect's own for None and for every endpoint that is none of these."""
    return CODECS[dialect] if endpoint is None else _CODECS.get(endpoint, CODECS[dialect])


def upstream_path(endpoint: str) -> str | None:
    """Where an upstream has this endpoint, beside its dialect's own path; None for that path itself."""
    return _PATHS.get(endpoint)


def _read_input(draft: Draft, body: Mapping[str, Any], key: str) -> None:
    given = body.get(key)
    if not isinstance(given, str | list | dict):
        problem = "is missing" if given is None else "must be a string or a list"
        raise BadRequest(f"{key} {problem}", param=key)
    texts = [given] if isinstance(given, str) else [part for part in given if isinstance(part, str)]
    draft.add_turn(Role.USER, "\n".join(texts))
    if isinstance(given, list):
        # Tokens come as numbers, one list for each text or one for all.
        draft.n_tokens += sum(len(part) if isinstance(part, list) else isinstance(part, int) for part in given)


def _answer(body: Mapping[str, Any], usage: Usage | None) -> Answer:
    model = body.get("model")
    return Answer("", "stop", usage, model if isinstance(model, str) else None)


def _input_usage(usage: object) -> Usage | None:
    n_input = count(usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return None if n_input is None else Usage(n_input, 0)
