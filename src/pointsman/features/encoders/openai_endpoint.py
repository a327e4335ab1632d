"""Vectors from an OpenAI-compatible embeddings endpoint, for training and batches.

`encode` waits for the network, so a gateway uses it only where the extra time and cost are wanted. It speaks plain
HTTP/1.1 through the standard library, because encoders are synchronous and the gateway's client is not.

The wire form is that of https://platform.openai.com/docs/api-reference/embeddings/create (read November 2026).
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import numpy as np

from pointsman.errors import EncoderError

from .capped import capped

if TYPE_CHECKING:
    from pointsman.vocabulary import FloatArray

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""An answer of 64 vectors of 3,072 numbers has about 4 MB."""
_RETRIED_STATUSES: Final = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""The statuses that OpenAI's SDK retries: 408, 409, 429 and 5xx; 529 is "overloaded" at Anthropic-like servers."""
_MAX_WAIT_S: Final = 30.0


class _RetryableError(Exception):
    """One attempt failed in a way that another may not; `wait_s` is what the server asked for, None when it did not."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.wait_s = wait_s


class OpenAIEncoder:
    """Vectors of an embeddings endpoint, fetched in batches, with retries. Not for use by several threads at once."""

    def __init__(
        self,
        model: str,
        *,
        base_url: str = OPENAI_BASE_URL,
        api_key: str | None = None,
        batch_size: int = 64,
        max_attempts: int = 4,
        timeout_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Calls nothing yet; `base_url` is what comes before "/embeddings".

        Raises:
            EncoderError: `base_url` is not an http or https URL.
        """
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise EncoderError(f"the base URL of openai:{model} must begin with http:// or https:// and name a host")
        self._model = model
        self._scheme, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + "/embeddings"
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._batch_size = batch_size
        self._max_attempts = max_attempts
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._dim: int | None = None

    @property
    def id(self) -> str:
        """Such as "openai:text-embedding-3-small"; the base URL is not part of it."""
        return f"openai:{self._model}"

    @property
    def dim(self) -> int:
        """Length of a vector, found by encoding one word when nothing has been encoded yet."""
        if self._dim is None:
            self.encode(["dimension"])
        assert self._dim is not None
        return self._dim

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of shape (len(texts), dim), float32, of length 1; zeros for an empty text, which is not sent.

        Raises:
            EncoderError: the endpoint refused, or did not answer in `max_attempts` attempts, or not in vectors.
        """
        sent = [index for index, text in enumerate(texts) if text.strip()]
        found: list[FloatArray] = []
        connection = self._connection()
        try:
            for start in range(0, len(sent), self._batch_size):
                batch = [capped(texts[index]) for index in sent[start : start + self._batch_size]]
                found.append(self._with_retries(connection, batch))
        finally:
            connection.close()
        if not found:
            return np.zeros((len(texts), self.dim), dtype=np.float32)
        vectors = np.zeros((len(texts), found[0].shape[1]), dtype=np.float32)
        vectors[sent] = np.concatenate(found)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors /= np.where(lengths > 0, lengths, 1)
        return vectors

    def _connection(self) -> http.client.HTTPConnection:
        if self._scheme == "http":
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=context)

    def _with_retries(self, connection: http.client.HTTPConnection, batch: list[str]) -> FloatArray:
        for attempt in range(1, self._max_attempts + 1):
            try:
                return self._attempt(connection, batch)
            except _RetryableError as failure:
                connection.close()
                if attempt == self._max_attempts:
                    raise EncoderError(
                        f"openai:{self._model} at {self._host}: {failure.why} ({attempt} attempts)"
                    ) from failure
                backoff_s = 0.5 * 2 ** (attempt - 1)
                self._sleep(min(_MAX_WAIT_S, backoff_s if failure.wait_s is None else failure.wait_s))
        raise EncoderError(f"openai:{self._model}: max_attempts must be at least 1, got {self._max_attempts}")

    def _attempt(self, connection: http.client.HTTPConnection, batch: list[str]) -> FloatArray:
        body = json.dumps({"model": self._model, "input": batch}).encode()
        try:
            connection.request("POST", self._path, body=body, headers=self._headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise _RetryableError(f"no answer, {type(error).__name__}") from error
        if len(content) > MAX_ANSWER_BYTES:
            connection.close()
            raise EncoderError(f"openai:{self._model} at {self._host} answered with more than {MAX_ANSWER_BYTES} bytes")
        if response.status in _RETRIED_STATUSES:
            raise _RetryableError(f"HTTP status {response.status}", _seconds(response.getheader("retry-after")))
        if response.status != 200:
            raise EncoderError(f"openai:{self._model} at {self._host} refused with HTTP status {response.status}")
        vectors = _vectors(content, len(batch))
        if vectors is None or (self._dim is not None and vectors.shape[1] != self._dim):
            wanted = f"{len(batch)} vectors" if self._dim is None else f"{len(batch)} vectors of {self._dim} numbers"
            raise EncoderError(f"openai:{self._model} at {self._host} did not answer with {wanted}")
        self._dim = int(vectors.shape[1])
        return vectors


def _vectors(content: bytes, n: int) -> FloatArray | None:
    """The answer's vectors in the order of the input, or None when there are not `n` of one length, all finite."""
    try:
        data: list[dict[str, Any]] = json.loads(content)["data"]
        by_index = {item["index"]: item["embedding"] for item in data}
        vectors = np.array([by_index[index] for index in range(n)], dtype=np.float32)
    except (ValueError, KeyError, TypeError):
        return None
    if vectors.ndim != 2 or vectors.shape[1] == 0 or not np.isfinite(vectors).all():
        return None
    return vectors


def _seconds(retry_after: str | None) -> float | None:
    """The header's seconds; None when it is absent or a date."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    return float(retry_after)
