"""One word names an encoder: "static", "sentence-transformers:NAME" or "openai:NAME"."""

from __future__ import annotations

from pathlib import Path

from pointsman.errors import EncoderError
from pointsman.vocabulary import Encoder

from .openai_endpoint import OPENAI_BASE_URL, OpenAIEncoder
from .static import StaticEncoder

_KINDS = "static, static:FOLDER, sentence-transformers:NAME or openai:NAME"


def open_encoder(spec: str, *, base_url: str | None = None, api_key: str | None = None) -> Encoder:
    """The encoder that `spec` names.

    - "static": the built-in static embedding; "static:FOLDER": one made by `scripts/distil_embedding.py`.
    - "sentence-transformers:NAME": a local transformer; needs the extra of the same name.
    - "openai:NAME": an OpenAI-compatible embeddings endpoint at `base_url` (OpenAI's own when None), with `api_key`.

    Raises:
        EncoderError: the specification is unknown, or what it names cannot be opened.
    """
    kind, _, name = spec.partition(":")
    if kind == "static":
        return StaticEncoder(Path(name)) if name else StaticEncoder()
    if kind == "sentence-transformers" and name:
        from .sentence_transformer import SentenceTransformerEncoder

        return SentenceTransformerEncoder(name)
    if kind == "openai" and name:
        return OpenAIEncoder(name, base_url=OPENAI_BASE_URL if base_url is None else base_url, api_key=api_key)
    raise EncoderError(f"unknown encoder {spec!r}: expected {_KINDS}")
