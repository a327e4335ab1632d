"""OpenAI Embeddings (platform.openai.com/docs/api-reference/embeddings, read 2026-11): vectors from a hash."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import Any

from pointsman.testing.exchange import Received

DIM = 64
MAX_DIM = 4_096


def vector(text: str, dim: int = DIM) -> list[float]:
    """A unit vector that depends on nothing but the text. Texts that differ are nearly orthogonal."""
    raw = hashlib.shake_256(text.encode("utf-8", "surrogatepass")).digest(2 * dim)
    values = [value / 32_768 for value in struct.unpack(f"<{dim}h", raw)]
    length = math.sqrt(math.fsum(value * value for value in values))
    return [value / length for value in values] if length > 0 else values


def body(received: Received) -> dict[str, Any]:
    """The answer; `dimensions` and `encoding_format: base64` are heeded, token lists count as texts."""
    asked = received.json
    given = asked.get("input")
    texts = given if isinstance(given, list) and not all(isinstance(part, int) for part in given) else [given]
    dimensions = asked.get("dimensions")
    dim = min(dimensions, MAX_DIM) if isinstance(dimensions, int) and dimensions > 0 else DIM
    n_tokens = sum(max(1, len(str(text)) // 4) for text in texts)
    data: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        values = vector(text if isinstance(text, str) else str(text), dim)
        packed = base64.b64encode(struct.pack(f"<{dim}f", *values)).decode()
        embedding: Any = packed if asked.get("encoding_format") == "base64" else values
        data.append({"object": "embedding", "index": index, "embedding": embedding})
    usage = {"prompt_tokens": n_tokens, "total_tokens": n_tokens}
    return {"object": "list", "data": data, "model": received.model, "usage": usage}
